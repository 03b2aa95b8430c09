/* Compiling templates; template_text.c evaluates them. */
#include "processor/template.h"

#include <stdio.h>

#include "processor/template_parts.h"

struct compiler {
    const char *text, *at;
    struct arena *arena;
    struct template_part parts[TEMPLATE_MAX_PARTS];
    uint32_t count;
    char *why;
    size_t why_size;
};

static enum status expected(struct compiler *compiler, const char *what, const char *found)
{
    if (found != NULL)
        snprintf(compiler->why, compiler->why_size, "expected %s, found '%s'", what, found);
    else
        snprintf(compiler->why, compiler->why_size, "expected %s", what);
    return STATUS_FAILED;
}

static enum status add_text(struct compiler *compiler, const char *begin, const char *end)
{
    size_t size = (size_t)(end - begin);
    if (size == 0)
        return STATUS_OK;
    char *copy = arena_string(compiler->arena, begin, size);
    struct template_part *part = &compiler->parts[compiler->count++];
    *part = (struct template_part){.kind = PART_TEXT, .text = bytes_of(copy, (uint32_t)size)};
    return copy != NULL && template_quote(compiler->arena, part->text, json_escape, &part->escaped) ? STATUS_OK
                                                                                                    : STATUS_NO_MEMORY;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* From behind "{{" to "}}"; NULL: there is none. In a path, names in quotes may have braces. */
static const char *find_end(const char *at)
{
    bool path = *at == '.', quoted = false;
    for (; *at != '\0'; at++) {
        if (path && quoted && *at == '\\' && at[1] != '\0')
            at++;
        else if (path && *at == '"')
            quoted = !quoted;
        else if (!quoted && at[0] == '}' && at[1] == '}')
            return at;
    }
    return NULL;
}

static enum status compile_path(struct compiler *compiler, const char *text, struct template_part *part)
{
    unsigned at = 0;
    const char *why = "";
    enum status status = path_compile(text, compiler->arena, &part->path, &at, &why);
    part->kind = PART_PATH;
    if (status == STATUS_FAILED) {
        compiler->at += at;
        snprintf(compiler->why, compiler->why_size, "%s", why);
    }
    return status;
}

/* at: the first byte of what stands in the braces, which is `text`. */
static enum status compile_expression(struct compiler *compiler, const char *text)
{
    static const char *const names[] = {
        [PART_TOPIC] = "topic", [PART_PARTITION] = "partition", [PART_OFFSET] = "offset",
        [PART_KEY] = "key",     [PART_TIMESTAMP] = "timestamp", [PART_NOW] = "now",
    };
    static const char header[] = "header.";
    struct template_part *part = &compiler->parts[compiler->count++];
    *part = (struct template_part){.kind = PART_TEXT};
    if (*text == '.')
        return compile_path(compiler, text, part);
    if (strncmp(text, header, sizeof header - 1) == 0 && text[sizeof header - 1] != '\0') {
        part->kind = PART_HEADER;
        part->text = bytes_of_string(text + sizeof header - 1);
        return STATUS_OK;
    }
    for (unsigned i = PART_TOPIC; i <= PART_NOW; i++) {
        if (strcmp(text, names[i]) == 0) {
            part->kind = i;
            return STATUS_OK;
        }
    }
    return expected(compiler, "topic, partition, offset, key, timestamp, now, header.NAME or a .path", text);
}

/* at: at "{{" -> behind "}}". */
static enum status read_expression(struct compiler *compiler)
{
    const char *begin = compiler->at + 2;
    while (is_blank(*begin))
        begin++;
    const char *end = find_end(begin), *behind;
    if (end == NULL)
        return expected(compiler, "}} behind this {{", NULL);
    behind = end + 2;
    while (end > begin && is_blank(end[-1]))
        end--;
    const char *text = arena_string(compiler->arena, begin, (size_t)(end - begin));
    if (text == NULL)
        return STATUS_NO_MEMORY;
    compiler->at = begin;
    enum status status = compile_expression(compiler, text);
    if (status == STATUS_OK)
        compiler->at = behind;
    return status;
}

static enum status read_parts(struct compiler *compiler)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && *compiler->at != '\0') {
        const char *begin = compiler->at, *brace = strstr(begin, "{{");
        if (compiler->count + 2 > TEMPLATE_MAX_PARTS)
            return expected(compiler, "fewer expressions: a template has room for 31", NULL);
        compiler->at = brace != NULL ? brace : begin + strlen(begin);
        status = add_text(compiler, begin, compiler->at);
        if (status == STATUS_OK && brace != NULL)
            status = read_expression(compiler);
    }
    return status;
}

static struct template *make(const struct compiler *compiler)
{
    struct template *template = arena_alloc(compiler->arena, sizeof *template);
    struct template_part *parts = arena_alloc(compiler->arena, compiler->count * sizeof *parts);
    if (template == NULL || parts == NULL)
        return NULL;
    memcpy(parts, compiler->parts, compiler->count * sizeof *parts);
    *template = (struct template){.parts = parts, .count = compiler->count};
    for (uint32_t i = 0; i < compiler->count; i++)
        template->uses_headers |= parts[i].kind == PART_HEADER;
    return template;
}

enum status template_compile(const char *text, struct arena *arena, struct template **ret, unsigned *ret_at,
                             char *ret_why, size_t why_size)
{
    struct compiler compiler = {.text = text, .at = text, .arena = arena, .why = ret_why, .why_size = why_size};
    struct template *template = NULL;
    enum status status = read_parts(&compiler);
    if (status == STATUS_FAILED)
        *ret_at = (unsigned)(compiler.at - text);
    if (status != STATUS_OK)
        return status;
    struct bytes json;
    if (compiler.count > 1 || (compiler.count == 1 && compiler.parts[0].kind != PART_TEXT))
        template = make(&compiler);
    else if (template_quote(arena, bytes_of_string(text), json_quote, &json))
        template = template_constant(json, arena);
    if (template == NULL)
        return STATUS_NO_MEMORY;
    *ret = template;
    return STATUS_OK;
}

struct template *template_constant(struct bytes json, struct arena *arena)
{
    struct template *template = arena_alloc(arena, sizeof *template);
    struct bytes copy = arena_copy(arena, json);
    if (template == NULL || copy.data == NULL)
        return NULL;
    *template = (struct template){.constant = json_value(copy)};
    return json_text(&template->constant, arena, &template->constant_text) ? template : NULL;
}

bool template_is_constant(const struct template *template)
{
    return template->constant.type != VALUE_MISSING;
}

bool template_uses_headers(const struct template *template)
{
    return template->uses_headers;
}
