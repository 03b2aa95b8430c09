#include "config/excerpt.h"

#include <stdint.h>
#include <string.h>

#include "config/secret.h"

enum { WINDOW = 160, BEFORE = 100 };

/* Bytes of the line end at text[at], 0: none there. */
static size_t line_end(const char *text, size_t size, size_t at)
{
    if (text[at] == '\n')
        return 1;
    if (text[at] == '\r')
        return at + 1 < size && text[at + 1] == '\n' ? 2 : 1;
    if (at + 1 < size && memcmp(text + at, "\xc2\x85", 2) == 0)
        return 2;
    if (at + 2 < size && (memcmp(text + at, "\xe2\x80\xa8", 3) == 0 || memcmp(text + at, "\xe2\x80\xa9", 3) == 0))
        return 3;
    return 0;
}

size_t excerpt_character(const char *text, size_t size, size_t at)
{
    unsigned char c = (unsigned char)text[at];
    size_t length = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    if (length > size - at)
        return 1;
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)text[at + i] & 0xc0) != 0x80)
            return 1;
    }
    return length;
}

size_t excerpt_line(const char *text, size_t size, unsigned line, size_t *ret_length)
{
    size_t at = 0, end;
    for (unsigned number = 1; number < line && at<size; number += end> 0) {
        end = line_end(text, size, at);
        at += end > 0 ? end : 1;
    }
    size_t stop = at;
    while (stop < size && line_end(text, size, stop) == 0)
        stop++;
    *ret_length = stop - at;
    return at;
}

size_t excerpt_byte(const char *line, size_t length, unsigned column)
{
    size_t at = 0;
    for (unsigned i = 1; i < column && at < length; i++)
        at += excerpt_character(line, length, at);
    return at;
}

void excerpt_place(const char *text, size_t size, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
    *ret_line = *ret_column = 1;
    for (size_t at = 0; at < offset && at < size;) {
        size_t end = line_end(text, size, at);
        if (end > 0) {
            ++*ret_line;
            *ret_column = 1;
            at += end;
        } else {
            ++*ret_column;
            at += excerpt_character(text, size, at);
        }
    }
}

static bool is_masked(const struct excerpt *excerpt, unsigned line, unsigned column)
{
    for (size_t i = 0; i < excerpt->mask_count; i++) {
        const struct excerpt_mask *mask = &excerpt->masks[i];
        bool begun = line > mask->line || (line == mask->line && column >= mask->column);
        bool ended = line > mask->end_line || (line == mask->end_line && column >= mask->end_column);
        if (begun && !ended)
            return true;
    }
    return false;
}

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
}

/* The offset behind the next `key: ` from `from` on whose key looks like a secret's; SIZE_MAX when there is none. */
static size_t behind_secret_key(const char *line, size_t length, size_t from)
{
    for (size_t i = from; i < length; i++) {
        if (line[i] != ':')
            continue;
        size_t end = i;
        while (end > 0 && (line[end - 1] == ' ' || line[end - 1] == '"' || line[end - 1] == '\''))
            end--;
        size_t start = end;
        while (start > 0 && is_key_character(line[start - 1]))
            start--;
        if (!secret_name(line + start, end - start))
            continue;
        do
            i++;
        while (i < length && line[i] == ' ');
        return i;
    }
    return SIZE_MAX;
}

/* Behind a ${...} without a default, which may be shown; from when there is none. */
static size_t behind_variable(const char *line, size_t length, size_t from)
{
    size_t at = from + (from < length && (line[from] == '"' || line[from] == '\''));
    const char *end = at < length ? memchr(line + at, '}', length - at) : NULL;
    if (end == NULL || memcmp(line + at, "${", 2) != 0 || memmem(line + at, (size_t)(end - line) - at, ":-", 2) != NULL)
        return from;
    return (size_t)(end - line) + 1;
}

static size_t indentation(const char *line, size_t length)
{
    size_t at = 0;
    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at;
}

/* From which byte on the line is to be masked as it may be a secret, or a part of one that began in a line above. */
static size_t guess_mask(const struct excerpt *excerpt, unsigned line, const char *text, size_t length)
{
    size_t indent = indentation(text, length);
    for (unsigned above = line - 1; above > 0; above--) {
        size_t above_length, at = excerpt_line(excerpt->text, excerpt->size, above, &above_length);
        const char *above_text = excerpt->text + at;
        size_t above_indent = indentation(above_text, above_length);
        if (above_indent == above_length || above_indent >= indent)
            continue;
        if (behind_secret_key(above_text, above_length, 0) != SIZE_MAX)
            return indent;
        break;
    }
    for (size_t from = 0; from < length;) {
        size_t value = behind_secret_key(text, length, from);
        if (value >= length)
            break;
        from = behind_variable(text, length, value);
        if (from == value)
            return value;
    }
    return length;
}

/* What is shown of a line. */
struct shown {
    char text[WINDOW * 4 + 16];
    size_t size, width, caret;
};

static void show(struct shown *shown, const char *text, size_t size, size_t width)
{
    if (size > sizeof shown->text - shown->size)
        return;
    memcpy(shown->text + shown->size, text, size);
    shown->size += size;
    shown->width += width;
}

static void show_line(const struct excerpt *excerpt, unsigned line, unsigned column, const char *text, size_t length,
                      struct shown *shown)
{
    unsigned first = column > BEFORE ? column - BEFORE : 1;
    size_t at = excerpt_byte(text, length, first),
           guessed = excerpt->guess ? guess_mask(excerpt, line, text, length) : length;
    bool stars = false;
    if (first > 1)
        show(shown, "...", 3, 3);
    for (unsigned here = first; at < length && here < first + WINDOW; here++) {
        size_t bytes = excerpt_character(text, length, at);
        bool masked = at >= guessed || is_masked(excerpt, line, here);
        if (here == column)
            shown->caret = shown->width - (masked && stars ? 3 : 0);
        if (masked && !stars)
            show(shown, "***", 3, 3);
        else if (!masked && text[at] == '\t')
            show(shown, " ", 1, 1);
        else if (!masked && bytes == 1 && (text[at] < ' ' || text[at] > '~'))
            show(shown, "?", 1, 1);
        else if (!masked)
            show(shown, text + at, bytes, 1);
        stars = masked;
        at += bytes;
    }
    if (at < length)
        show(shown, "...", 3, 3);
    else if (shown->caret == 0 && column > 1)
        shown->caret = shown->width;
}

void excerpt_print(const struct excerpt *excerpt, unsigned line, unsigned column, FILE *out)
{
    size_t length, at = excerpt_line(excerpt->text, excerpt->size, line, &length);
    struct shown shown = {.size = 0};
    if (line == 0 || at > excerpt->size)
        return;
    show_line(excerpt, line, column, excerpt->text + at, length, &shown);
    fprintf(out, "%6u | %.*s\n", line, (int)shown.size, shown.text);
    fprintf(out, "       | %*s%s^%s\n", (int)shown.caret, "",
            !excerpt->colour   ? ""
            : excerpt->warning ? "\033[1;33m"
                               : "\033[1;31m",
            excerpt->colour ? "\033[0m" : "");
}
