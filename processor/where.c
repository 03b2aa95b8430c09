#include "processor/where.h"

#include <stdlib.h>
#include <string.h>

#include "processor/condition.h"
#include "processor/headers.h"

enum field { FIELD_KEY, FIELD_HEADER, FIELD_PATH };

struct term {
    enum field field;
    bool differs;      /* `!=` */
    bool or_null;      /* written as null, without quotes */
    struct bytes name; /* of the header */
    struct bytes text; /* the value */
    struct condition condition;
};

struct where {
    struct arena arena;
    unsigned count;
    struct term terms[WHERE_TERMS];
};

/* What is being read of the text. */
struct reader {
    const char *text, *at;
    unsigned flags;
    struct where *where;
    const char *why;
};

static enum status expected(struct reader *reader, const char *at, const char *why)
{
    reader->at = at;
    reader->why = why;
    return STATUS_FAILED;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static void skip_blanks(struct reader *reader)
{
    while (is_blank(*reader->at))
        reader->at++;
}

static const char *trim_end(const char *begin, const char *end)
{
    while (end > begin && is_blank(end[-1]))
        end--;
    return end;
}

/* Just behind the string that begins at `at` with a quote; NULL: it does not end. */
static const char *skip_quoted(const char *at)
{
    for (at++; *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        if (*at == '\0')
            return NULL;
    }
    return at + 1;
}

/* What stands in quotes at `at`, with its escapes resolved. */
static enum status read_quoted(struct reader *reader, const char *at, const char *end, struct bytes *ret)
{
    uint8_t *text = arena_text(&reader->where->arena, (size_t)(end - at)), *out = text;
    if (text == NULL)
        return STATUS_NO_MEMORY;
    for (at++; at < end - 1; at++) {
        if (*at == '\\' && at[1] != '"' && at[1] != '\\')
            return expected(reader, at, "expected \\\" or \\\\ (there are no other escapes)");
        at += *at == '\\';
        *out++ = (uint8_t)*at;
    }
    *ret = bytes_of(text, (uint32_t)(out - text));
    return STATUS_OK;
}

static enum status copy(struct reader *reader, const char *at, const char *end, struct bytes *ret)
{
    char *text = arena_string(&reader->where->arena, at, (size_t)(end - at));
    *ret = bytes_of(text, (uint32_t)(end - at));
    return text != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

/* -- the field -- */

static const char FORM[] = "expected header.NAME, key or .path, then = or != and a value";

static enum status read_header(struct reader *reader, const char *begin, const char *end, struct term *term)
{
    term->field = FIELD_HEADER;
    if (begin == end)
        return expected(reader, begin, "expected the name of a header");
    if (*begin == '"' && skip_quoted(begin) == end)
        return read_quoted(reader, begin, end, &term->name);
    return copy(reader, begin, end, &term->name);
}

static enum status read_path(struct reader *reader, const char *begin, const char *end, struct term *term)
{
    unsigned at = 0;
    const char *why = NULL;
    struct bytes text;
    term->field = FIELD_PATH;
    if ((reader->flags & WHERE_ALLOW_PATHS) == 0)
        return expected(reader, begin, "expected header.NAME or key: the records have no document here to look into");
    /* Else `.total>=5` would ask for a member by the name "total>". */
    if (end > begin && (end[-1] == '<' || end[-1] == '>'))
        return expected(reader, end - 1, "expected = or !=: which is greater is not compared");
    enum status status = copy(reader, begin, end, &text);
    if (status == STATUS_OK)
        status = path_compile((const char *)text.data, &reader->where->arena, &term->condition.path, &at, &why);
    return status == STATUS_FAILED ? expected(reader, begin + at, why) : status;
}

/* Up to the sign, which may not be one in quotes. */
static const char *find_operator(const char *at)
{
    while (at != NULL && *at != '\0' && *at != '=' && !(at[0] == '!' && at[1] == '='))
        at = *at == '"' ? skip_quoted(at) : at + 1;
    return at != NULL && *at != '\0' ? at : NULL;
}

static enum status read_field(struct reader *reader, struct term *term)
{
    static const char HEADER[] = "header.";
    const char *begin = reader->at, *sign = find_operator(begin);
    if (sign == NULL)
        return expected(reader, begin, FORM);
    const char *end = trim_end(begin, sign);
    enum status status;
    if (end - begin == 3 && memcmp(begin, "key", 3) == 0)
        status = STATUS_OK; /* FIELD_KEY */
    else if (*begin == '.' && begin < end)
        status = read_path(reader, begin, end, term);
    else if ((size_t)(end - begin) >= sizeof HEADER - 1 && memcmp(begin, HEADER, sizeof HEADER - 1) == 0)
        status = read_header(reader, begin + sizeof HEADER - 1, end, term);
    else
        return expected(reader, begin, FORM);
    if (status != STATUS_OK)
        return status;
    term->differs = *sign == '!';
    reader->at = sign + (term->differs ? 2 : 1);
    return STATUS_OK;
}

/* -- the value -- */

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* By the grammar of RFC 8259, section 6. */
static bool is_number(const char *at, const char *end)
{
    at += at < end && *at == '-';
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at > digits + 1))
        return false;
    if (at < end && *at == '.') {
        digits = at + 1;
        at = skip_digits(digits, end);
        if (at == digits)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(digits, end);
        return at == end && at > digits;
    }
    return at == end;
}

static bool is_word(struct bytes text, const char *word)
{
    return bytes_equal(text, bytes_of_string(word));
}

/* What a path's value is compared with: the text as a string, and what it is in JSON when it was written without quotes. */
static enum status make_values(struct reader *reader, const char *begin, struct term *term, bool quoted)
{
    struct bytes text = term->text;
    const char *raw = (const char *)text.data;
    if (!utf8_valid(text))
        return expected(reader, begin, "expected a value that is UTF-8");
    struct value *values = arena_alloc(&reader->where->arena, 2 * sizeof *values);
    uint8_t *string = arena_text(&reader->where->arena, JSON_QUOTED_MAX(text.size));
    if (values == NULL || string == NULL)
        return STATUS_NO_MEMORY;
    values[0] = (struct value){VALUE_STRING, bytes_of(string, (uint32_t)json_quote(string, text))};
    bool json = !quoted && (is_number(raw, raw + text.size) || is_word(text, "true") || is_word(text, "false") ||
                            is_word(text, "null"));
    if (json)
        values[1] = json_value(text);
    term->condition.kind = term->differs ? CONDITION_NOT_EQUALS : CONDITION_IN;
    term->condition.values = values;
    term->condition.count = json ? 2 : 1;
    return STATUS_OK;
}

/* The ` && ` behind a value without quotes, or the end of the text. */
static const char *find_end(const char *at)
{
    for (const char *found = at; (found = strstr(found, "&&")) != NULL; found++) {
        if (found > at && is_blank(found[-1]) && (is_blank(found[2]) || found[2] == '\0'))
            return found;
    }
    return at + strlen(at);
}

/* NULL: nothing in it was meant as a sign. */
static const char *find_sign(const char *begin, const char *end)
{
    if (*begin == '=')
        return begin;
    for (const char *at = begin; at + 1 < end; at++) {
        if ((at[0] == '&' || at[0] == '|') && at[1] == at[0])
            return at;
    }
    return NULL;
}

static enum status read_plain(struct reader *reader, const char *begin, const char *end, struct term *term)
{
    if (end == begin)
        return expected(reader, begin, "expected a value (\"\" is an empty one)");
    const char *sign = find_sign(begin, end);
    if (sign != NULL)
        return expected(reader, sign,
                        "expected \" && \" with blanks around it between two comparisons, or quotes around a "
                        "value that has &&, || or a leading = in it");
    enum status status = copy(reader, begin, end, &term->text);
    term->or_null = status == STATUS_OK && is_word(term->text, "null");
    return status;
}

static enum status read_value(struct reader *reader, struct term *term)
{
    skip_blanks(reader);
    const char *begin = reader->at, *end;
    bool quoted = *begin == '"';
    enum status status;
    if (quoted) {
        end = skip_quoted(begin);
        if (end == NULL)
            return expected(reader, begin, "expected a value that ends with a quote");
        status = read_quoted(reader, begin, end, &term->text);
    } else {
        end = trim_end(begin, find_end(begin));
        status = read_plain(reader, begin, end, term);
    }
    if (status == STATUS_OK && term->field == FIELD_PATH)
        status = make_values(reader, begin, term, quoted);
    if (status == STATUS_OK)
        reader->at = end;
    return status;
}

/* -- all of it -- */

static enum status read_terms(struct reader *reader)
{
    for (;;) {
        skip_blanks(reader);
        if (reader->where->count == WHERE_TERMS)
            return expected(reader, reader->at, "expected at most 8 comparisons");
        struct term *term = &reader->where->terms[reader->where->count++];
        enum status status = read_field(reader, term);
        if (status == STATUS_OK)
            status = read_value(reader, term);
        if (status != STATUS_OK)
            return status;
        skip_blanks(reader);
        if (*reader->at == '\0')
            return STATUS_OK;
        if (strncmp(reader->at, "&&", 2) != 0)
            return expected(reader, reader->at, "expected the end, or && and one more comparison");
        reader->at += 2;
    }
}

enum status where_parse(const char *text, unsigned flags, struct where **ret, unsigned *ret_at, const char **ret_why)
{
    struct where *where = calloc(1, sizeof *where);
    if (where == NULL)
        return STATUS_NO_MEMORY;
    arena_init(&where->arena, NULL);
    struct reader reader = {.text = text, .at = text, .flags = flags, .where = where};
    enum status status = read_terms(&reader);
    if (status == STATUS_OK) {
        *ret = where;
        return STATUS_OK;
    }
    if (status == STATUS_FAILED) {
        *ret_at = (unsigned)(reader.at - text);
        *ret_why = reader.why;
    }
    where_free(where);
    return status;
}

void where_free(struct where *where)
{
    if (where == NULL)
        return;
    arena_fini(&where->arena);
    free(where);
}

bool where_has_paths(const struct where *where)
{
    for (unsigned i = 0; i < where->count; i++) {
        if (where->terms[i].field == FIELD_PATH)
            return true;
    }
    return false;
}

/* -- records -- */

static bool bytes_match(const struct term *term, struct bytes bytes)
{
    bool equal = bytes.data == NULL ? term->or_null : bytes_equal(bytes, term->text);
    return equal != term->differs;
}

static bool term_holds(const struct term *term, const struct record *record, struct arena *arena)
{
    struct bytes value;
    switch (term->field) {
    case FIELD_KEY:
        return bytes_match(term, record->key);
    case FIELD_HEADER:
        return headers_find(record->headers, term->name, &value) ? bytes_match(term, value) : term->differs;
    case FIELD_PATH:
        break;
    }
    return condition_holds(&term->condition, &record->document, arena);
}

bool where_matches(const struct where *where, const struct record *record, struct arena *arena)
{
    for (unsigned i = 0; i < where->count; i++) {
        if (!term_holds(&where->terms[i], record, arena))
            return false;
    }
    return true;
}
