#include "config/substitute.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/report.h"
#include "processor/check.h"

enum { FILE_MAX = 64 * 1024, ALL_MAX = 16 * 1024 * 1024, NAME_MAX_SIZE = 256 };

/* The text that is being made. */
struct output {
    char *text;
    size_t size, room;
};

/* One ${...}. */
struct expression {
    const char *text; /* between the braces */
    size_t size;
    unsigned at; /* of the $ in the scalar */
};

void substitution_init(struct substitution *substitution, const char *file, struct arena *arena,
                       struct config_report *report)
{
    *substitution = (struct substitution){.file = file, .arena = arena, .report = report, .left = ALL_MAX};
}

static enum status append(struct output *output, const char *text, size_t size)
{
    if (output->room - output->size < size) {
        size_t room = output->room * 2 > output->size + size ? output->room * 2 : output->size + size;
        char *grown = realloc(output->text, room);
        if (grown == NULL)
            return STATUS_NO_MEMORY;
        output->text = grown;
        output->room = room;
    }
    if (size > 0)
        memcpy(output->text + output->size, text, size);
    output->size += size;
    return STATUS_OK;
}

static enum status append_value(struct substitution *substitution, const struct config_node *node,
                                const struct expression *expression, struct output *output, const char *value,
                                size_t size)
{
    if (substitution->over)
        return STATUS_OK;
    if (size > substitution->left) {
        substitution->over = true;
        config_error_also(substitution->report, node, expression->at,
                          "expected at most 16 MiB out of ${...} in the whole file, found more");
        return STATUS_OK;
    }
    substitution->left -= size;
    return append(output, value, size);
}

/* A file of at most FILE_MAX bytes. Returns a text on the heap, or NULL and why. */
static char *read_small_file(const char *path, size_t *ret_size, const char **ret_why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        *ret_why = strerror(errno);
        return NULL;
    }
    char *text = malloc(FILE_MAX + 1);
    size_t size = 0;
    ssize_t got = 1;
    CHECK(text != NULL);
    while (got > 0 && size <= FILE_MAX) {
        got = read(fd, text + size, FILE_MAX + 1 - size);
        if (got > 0)
            size += (size_t)got;
    }
    *ret_why = got < 0 ? strerror(errno) : size > FILE_MAX ? "it has more than 64 KiB" : NULL;
    close(fd);
    if (*ret_why == NULL && memchr(text, '\0', size) != NULL)
        *ret_why = "it has a NUL byte in it";
    if (*ret_why != NULL) {
        free(text);
        return NULL;
    }
    *ret_size = size;
    return text;
}

/* Editors and `echo` end a file by a line break that is not meant. */
static size_t without_line_break(const char *text, size_t size)
{
    if (size > 0 && text[size - 1] == '\n')
        size--;
    if (size > 0 && text[size - 1] == '\r')
        size--;
    return size;
}

static enum status substitute_file(struct substitution *substitution, struct config_node *node,
                                   const struct expression *expression, struct output *output)
{
    char path[4096];
    const char *name = expression->text + 5,
               *slash = substitution->file != NULL ? strrchr(substitution->file, '/') : NULL;
    size_t name_size = expression->size - 5,
           folder = name[0] != '/' && slash != NULL ? (size_t)(slash - substitution->file) + 1 : 0;
    if (name_size == 0 || folder + name_size >= sizeof path) {
        config_error_also(substitution->report, node, expression->at, "expected ${file:/path}, found %s",
                          name_size == 0 ? "no path" : "too long a path");
        return STATUS_OK;
    }
    memcpy(path, substitution->file != NULL ? substitution->file : "", folder);
    memcpy(path + folder, name, name_size);
    path[folder + name_size] = '\0';
    size_t size = 0;
    const char *why = NULL;
    char *text = read_small_file(path, &size, &why);
    if (text == NULL) {
        config_error_also(substitution->report, node, expression->at,
                          "expected a readable file for ${file:...}, found %s: %s", path, why);
        return STATUS_OK;
    }
    node->secret = true;
    enum status status = append_value(substitution, node, expression, output, text, without_line_break(text, size));
    explicit_bzero(text, size);
    free(text);
    return status;
}

static size_t name_length(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && (isalnum((unsigned char)text[length]) || text[length] == '_'))
        length++;
    return length > 0 && isdigit((unsigned char)text[0]) ? 0 : length;
}

static enum status substitute_variable(struct substitution *substitution, struct config_node *node,
                                       const struct expression *expression, struct output *output)
{
    char name[NAME_MAX_SIZE + 1];
    size_t length = name_length(expression->text, expression->size);
    const char *rest = expression->text + length;
    size_t rest_size = expression->size - length;
    bool fallback = rest_size >= 2 && rest[0] == ':' && rest[1] == '-',
         message = rest_size >= 2 && rest[0] == ':' && rest[1] == '?';
    if (length == 0 || length > NAME_MAX_SIZE || (rest_size > 0 && !fallback && !message) ||
        memmem(rest, rest_size, "${", 2) != NULL) {
        config_error_also(
            substitution->report, node, expression->at,
            "expected ${VAR}, ${VAR:-default}, ${VAR:?message} or ${file:/path}, found ${%.*s} ($$ is a dollar sign)",
            expression->size < 60 ? (int)expression->size : 60, expression->text);
        return STATUS_OK;
    }
    memcpy(name, expression->text, length);
    name[length] = '\0';
    const char *value = getenv(name);
    if (value != NULL && (value[0] != '\0' || rest_size == 0)) {
        node->secret = true;
        return append_value(substitution, node, expression, output, value, strlen(value));
    }
    if (fallback)
        return append(output, rest + 2, rest_size - 2);
    if (message)
        config_error_also(substitution->report, node, expression->at, "expected the environment variable %s: %.*s",
                          name, (int)(rest_size - 2), rest + 2);
    else
        config_error_also(substitution->report, node, expression->at,
                          "expected the environment variable %s, which is not set (${%s:-value} gives a default)", name,
                          name);
    return STATUS_OK;
}

/* *cursor: at "${"; afterwards behind the "}". */
static enum status substitute_one(struct substitution *substitution, struct config_node *node, const char **cursor,
                                  struct output *output)
{
    const char *start = *cursor, *end = strchr(start, '}');
    struct expression expression = {.text = start + 2, .at = (unsigned)(start - node->text)};
    if (end == NULL) {
        config_error_also(substitution->report, node, expression.at,
                          "expected } at the end of ${ ($$ is a dollar sign)");
        *cursor = start + strlen(start);
        return STATUS_OK;
    }
    expression.size = (size_t)(end - expression.text);
    *cursor = end + 1;
    if (expression.size >= 5 && strncmp(expression.text, "file:", 5) == 0 && expression.text[5] != '-' &&
        expression.text[5] != '?')
        return substitute_file(substitution, node, &expression, output);
    return substitute_variable(substitution, node, &expression, output);
}

static enum status build(struct substitution *substitution, struct config_node *node, struct output *output)
{
    enum status status = STATUS_OK;
    for (const char *at = node->text; *at != '\0' && status == STATUS_OK;) {
        size_t plain = strcspn(at, "$");
        if (plain == 0 && at[1] == '{') {
            node->substituted = true;
            status = substitute_one(substitution, node, &at, output);
            continue;
        }
        if (plain == 0) {
            /* A lone one stays: regular expressions are full of them. */
            status = append(output, "$", 1);
            at += at[1] == '$' ? 2 : 1;
            continue;
        }
        status = append(output, at, plain);
        at += plain;
    }
    return status;
}

enum status substitute(struct substitution *substitution, struct config_node *node)
{
    if (strchr(node->text, '$') == NULL)
        return STATUS_OK;
    struct output output = {0};
    enum status status = build(substitution, node, &output);
    if (status == STATUS_OK) {
        const char *text = arena_string(substitution->arena, output.text != NULL ? output.text : "", output.size);
        if (text == NULL)
            status = STATUS_NO_MEMORY;
        else
            node->text = text;
    }
    if (status == STATUS_OK && node->secret)
        config_report_hide_text(substitution->report, node->text);
    if (output.text != NULL)
        explicit_bzero(output.text, output.size);
    free(output.text);
    return status;
}
