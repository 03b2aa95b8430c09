/*
 * Messages are kept as text with their place, so that a report outlives the tree. What must not be seen is known only when the whole file was read (a secret may
 * stand behind the mistake), so it is taken out when the report is printed.
 */
#include "config/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/excerpt.h"
#include "config/quote.h"
#include "config/secret.h"
#include "config/tree.h"

enum { ENTRIES_MAX = 500, MESSAGE_MAX = 1024, PATH_MAX_SIZE = 512, HIDDEN_MAX = 20000 };

struct entry {
    unsigned line, column;               /* 0: the whole file */
    unsigned scalar_line, scalar_column; /* whose value is wrong; 0: not a scalar's value */
    unsigned order;
    bool warning;
    char *path, *message;
};

struct config_report {
    char *file, *text;
    size_t size;
    struct entry *entries;
    size_t count, room;
    unsigned errors, warnings;
    bool guess; /* the YAML is broken */
    struct excerpt_mask *masks;
    size_t mask_count, mask_room;
    char **secrets;
    size_t secret_count, secret_room;
};

struct config_report *config_report_new(const char *file, const char *text, size_t size)
{
    struct config_report *report = calloc(1, sizeof *report);
    if (report == NULL)
        return NULL;
    report->file = strdup(file);
    report->text = malloc(size + 1);
    if (report->file == NULL || report->text == NULL) {
        config_report_free(report);
        return NULL;
    }
    if (size > 0)
        memcpy(report->text, text, size);
    report->text[size] = '\0';
    report->size = size;
    return report;
}

void config_report_free(struct config_report *report)
{
    if (report == NULL)
        return;
    for (size_t i = 0; i < report->count; i++) {
        free(report->entries[i].path);
        free(report->entries[i].message);
    }
    for (size_t i = 0; i < report->secret_count; i++) {
        explicit_bzero(report->secrets[i], strlen(report->secrets[i]));
        free(report->secrets[i]);
    }
    if (report->text != NULL)
        explicit_bzero(report->text, report->size);
    free(report->entries);
    free(report->secrets);
    free(report->masks);
    free(report->text);
    free(report->file);
    free(report);
}

unsigned config_report_errors(const struct config_report *report)
{
    return report->errors;
}

unsigned config_report_warnings(const struct config_report *report)
{
    return report->warnings;
}

/* An array with room for one more; NULL: no memory, the old one stays as it is. */
static void *with_room(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    size_t wanted = *room > 0 ? *room * 2 : 16;
    void *grown = realloc(items, wanted * size);
    if (grown != NULL)
        *room = wanted;
    return grown;
}

static void add_secret(struct config_report *report, const char *text, size_t size)
{
    if (size == 0 || report->secret_count >= HIDDEN_MAX)
        return;
    char **secrets = with_room(report->secrets, report->secret_count, &report->secret_room, sizeof *secrets);
    if (secrets == NULL)
        return;
    report->secrets = secrets;
    secrets[report->secret_count] = strndup(text, size);
    report->secret_count += secrets[report->secret_count] != NULL;
}

/* Each line by itself too: a message may quote one line of a key. */
void config_report_hide_text(struct config_report *report, const char *text)
{
    size_t size = strlen(text), line;
    add_secret(report, text, size);
    for (const char *at = text; *at != '\0' && strchr(text, '\n') != NULL; at += line + (at[line] == '\n')) {
        line = strcspn(at, "\n");
        if (line < size)
            add_secret(report, at, line);
    }
}

/* Is what stands in the file a variable or file alone, without a default? That is shown as written. */
static bool is_reference(const char *source, size_t size)
{
    const char *end = memchr(source, '}', size);
    bool quoted = size > 1 && (source[0] == '"' || source[0] == '\'');
    if (end == NULL || size < 4 || memcmp(source + quoted, "${", 2) != 0)
        return false;
    return memmem(source, (size_t)(end - source), ":-", 2) == NULL && (size_t)(end + 1 - source) + quoted >= size;
}

static size_t source_offset(const struct config_report *report, unsigned line, unsigned column)
{
    size_t length, at = excerpt_line(report->text, report->size, line, &length);
    return at + excerpt_byte(report->text + at, length, column);
}

static void hide_scalar(struct config_report *report, const struct config_node *node)
{
    const struct config_node *written = node->anchor != NULL ? node->anchor : node;
    config_report_hide_text(report, node->text);
    if (written->line == 0 || report->mask_count >= HIDDEN_MAX)
        return;
    size_t begin = source_offset(report, written->line, written->column);
    size_t end = source_offset(report, written->end_line, written->end_column);
    if (end <= begin || is_reference(report->text + begin, end - begin))
        return;
    struct excerpt_mask *masks = with_room(report->masks, report->mask_count, &report->mask_room, sizeof *masks);
    if (masks == NULL)
        return;
    report->masks = masks;
    masks[report->mask_count++] = (struct excerpt_mask){written->line, written->column, written->end_line,
                                                        written->end_column};
}

void config_report_hide(struct config_report *report, const struct config_node *node)
{
    if (node->kind == NODE_SCALAR)
        hide_scalar(report, node);
    for (uint32_t i = 0; i < node->count; i++)
        config_report_hide(report, &node->children[i]);
}

/* One line, printable, UTF-8: a message may quote a value with anything in it. */
static void clean(char *text)
{
    size_t size = strlen(text);
    for (size_t at = 0, bytes; at < size; at += bytes) {
        bytes = excerpt_character(text, size, at);
        if (text[at] == '\n' || text[at] == '\t')
            text[at] = ' ';
        else if (bytes == 1 && (text[at] < ' ' || text[at] > '~'))
            text[at] = '?';
    }
}

static bool is_known(const struct config_report *report, const struct entry *entry, const char *message, bool also)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct entry *other = &report->entries[i];
        if (other->warning != entry->warning)
            continue;
        /* What is wrong in an anchor is wrong in each alias. */
        if (other->line == entry->line && other->column == entry->column && strcmp(other->message, message) == 0)
            return true;
        if (!also && entry->scalar_line > 0 && other->scalar_line == entry->scalar_line &&
            other->scalar_column == entry->scalar_column)
            return true;
    }
    return false;
}

static void add(struct config_report *report, struct entry *entry, const struct config_node *node, bool also,
                const char *format, va_list args)
{
    char message[MESSAGE_MAX], path[PATH_MAX_SIZE] = "";
    vsnprintf(message, sizeof message, format, args);
    clean(message);
    if (node != NULL) {
        config_tree_path(node, path, sizeof path);
        clean(path);
        if (node->kind == NODE_SCALAR && node->secret)
            secret_scrub(message, sizeof message, node->text, true);
    }
    if (is_known(report, entry, message, also))
        return;
    if (entry->warning)
        report->warnings++;
    else
        report->errors++;
    if (report->count >= ENTRIES_MAX)
        return;
    entry->message = strdup(message);
    entry->path = strdup(path);
    entry->order = (unsigned)report->count;
    struct entry *entries = with_room(report->entries, report->count, &report->room, sizeof *entries);
    if (entries != NULL) {
        report->entries = entries;
        if (entry->message != NULL && entry->path != NULL) {
            entries[report->count++] = *entry;
            return;
        }
    }
    free(entry->message);
    free(entry->path);
}

static struct entry at_value(const struct config_node *node)
{
    if (node == NULL)
        return (struct entry){0};
    if (node->kind != NODE_SCALAR)
        return (struct entry){.line = node->line, .column = node->column};
    return (struct entry){
        .line = node->line, .column = node->column, .scalar_line = node->line, .scalar_column = node->column};
}

/* The column of an offset into a scalar's text; the scalar's own when the file has the text in another form (escapes, several lines, an alias). */
static unsigned column_at(const struct config_report *report, const struct config_node *node, unsigned at)
{
    if (node->kind != NODE_SCALAR || report->count >= ENTRIES_MAX || strlen(node->text) < at)
        return node->column;
    size_t begin = source_offset(report, node->line, node->column), left = report->size - begin;
    size_t quote = left > 0 && (report->text[begin] == '"' || report->text[begin] == '\'');
    const char *source = report->text + begin + quote;
    if (at == 0 || at > left - quote || memcmp(source, node->text, at) != 0 || memchr(source, '\n', at) != NULL)
        return node->column + (at == 0 ? (unsigned)quote : 0);
    unsigned characters = 0;
    for (unsigned i = 0; i < at; i++)
        characters += ((unsigned char)source[i] & 0xc0) != 0x80;
    return node->column + (unsigned)quote + characters;
}

void config_error(struct config_report *report, const struct config_node *node, const char *format, ...)
{
    va_list args;
    struct entry entry = at_value(node);
    va_start(args, format);
    add(report, &entry, node, false, format, args);
    va_end(args);
}

void config_error_at(struct config_report *report, const struct config_node *node, unsigned at, const char *format, ...)
{
    va_list args;
    struct entry entry = at_value(node);
    if (node != NULL && node->line > 0)
        entry.column = column_at(report, node, at);
    va_start(args, format);
    add(report, &entry, node, false, format, args);
    va_end(args);
}

void config_error_also(struct config_report *report, const struct config_node *node, unsigned at, const char *format,
                       ...)
{
    va_list args;
    struct entry entry = at_value(node);
    if (node != NULL && node->line > 0)
        entry.column = column_at(report, node, at);
    va_start(args, format);
    add(report, &entry, node, true, format, args);
    va_end(args);
}

void config_error_key(struct config_report *report, const struct config_node *node, const char *format, ...)
{
    va_list args;
    struct entry entry = at_value(node);
    if (node != NULL && node->key_line > 0)
        entry = (struct entry){.line = node->key_line, .column = node->key_column};
    va_start(args, format);
    add(report, &entry, node, false, format, args);
    va_end(args);
}

void config_error_place(struct config_report *report, unsigned line, unsigned column, const char *format, ...)
{
    va_list args;
    struct entry entry = {.line = line, .column = column};
    report->guess = true;
    va_start(args, format);
    add(report, &entry, NULL, false, format, args);
    va_end(args);
}

void config_warn(struct config_report *report, const struct config_node *node, const char *format, ...)
{
    va_list args;
    struct entry entry = at_value(node);
    entry.warning = true;
    va_start(args, format);
    add(report, &entry, node, false, format, args);
    va_end(args);
}

void config_warn_secret(struct config_report *report, const struct config_node *node)
{
    if (!node->secret && node->text[0] != '\0')
        config_warn(report, node, "a secret stands in the file as it is; better is ${VAR} or ${file:/run/secrets/...}");
}

static int by_place(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    if (left->column != right->column)
        return left->column < right->column ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

static void scrub(const struct config_report *report, const char *message, char *ret, size_t size)
{
    snprintf(ret, size, "%s", message);
    for (size_t i = 0; i < report->secret_count; i++)
        secret_scrub(ret, size, report->secrets[i], false);
}

/* Sorting changes nothing that can be told apart from outside. */
static void sort(const struct config_report *report)
{
    if (report->count > 1)
        qsort(report->entries, report->count, sizeof *report->entries, by_place);
}

static void print_entry(const struct config_report *report, const struct entry *entry, FILE *out, bool colour)
{
    char message[MESSAGE_MAX], place[32] = "";
    const char *bold = colour ? "\033[1m" : "", *yellow = colour ? "\033[1;33m" : "", *end = colour ? "\033[0m" : "";
    scrub(report, entry->message, message, sizeof message);
    if (entry->line > 0)
        snprintf(place, sizeof place, ":%u:%u", entry->line, entry->column);
    fprintf(out, "%s%s%s:%s %s%s%s%s%s%s\n", bold, report->file, place, end, entry->warning ? yellow : "",
            entry->warning ? "warning: " : "", entry->warning ? end : "", entry->path,
            entry->path[0] != '\0' ? ": " : "", message);
    if (entry->line == 0)
        return;
    const struct excerpt excerpt = {.text = report->text,
                                    .size = report->size,
                                    .masks = report->masks,
                                    .mask_count = report->mask_count,
                                    .guess = report->guess,
                                    .colour = colour,
                                    .warning = entry->warning};
    excerpt_print(&excerpt, entry->line, entry->column, out);
}

void config_report_print(const struct config_report *report, FILE *out, bool colour)
{
    sort(report);
    for (size_t i = 0; i < report->count; i++)
        print_entry(report, &report->entries[i], out, colour);
    size_t left = report->errors + report->warnings - report->count;
    if (left > 0)
        fprintf(out, "%s: %zu more\n", report->file, left);
}

void config_report_print_json(const struct config_report *report, FILE *out)
{
    sort(report);
    for (size_t i = 0; i < report->count; i++) {
        const struct entry *entry = &report->entries[i];
        char message[MESSAGE_MAX];
        scrub(report, entry->message, message, sizeof message);
        fputs("{\"file\": ", out);
        quote_json(report->file, out);
        fprintf(out, ", \"line\": %u, \"column\": %u, \"path\": ", entry->line, entry->column);
        quote_json(entry->path, out);
        fprintf(out, ", \"severity\": \"%s\", \"message\": ", entry->warning ? "warning" : "error");
        quote_json(message, out);
        fputs("}\n", out);
    }
}
