#include "connectors/file/manifest_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void manifest_lines_fini(struct manifest_lines *lines)
{
    free(lines->text);
    *lines = (struct manifest_lines){0};
}

void manifest_lines_reset(struct manifest_lines *lines)
{
    lines->used = lines->begin = 0;
    lines->failed = false;
}

/* Room for `size` more bytes and a zero. */
static bool make_room(struct manifest_lines *lines, size_t size)
{
    size_t room = lines->room != 0 ? lines->room : 256;
    while (room < lines->used + size + 1)
        room *= 2;
    if (room == lines->room)
        return true;
    char *text = realloc(lines->text, room);
    if (text == NULL) {
        lines->failed = true;
        return false;
    }
    lines->text = text;
    lines->room = room;
    return true;
}

void manifest_line_begin(struct manifest_lines *lines)
{
    lines->begin = lines->used;
    if (!make_room(lines, MANIFEST_LINE_HEAD))
        return;
    memset(lines->text + lines->used, '0', MANIFEST_LINE_HEAD);
    lines->used += MANIFEST_LINE_HEAD;
}

void manifest_line_add(struct manifest_lines *lines, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    if (!lines->failed && size > 0 && make_room(lines, (size_t)size + 1)) {
        lines->text[lines->used++] = '\t';
        vsnprintf(lines->text + lines->used, (size_t)size + 1, format, again);
        lines->used += (size_t)size;
    }
    va_end(again);
    va_end(args);
}

/* Of what stands behind the place of the checksum, without the line break. */
static void checksum(const char *line, size_t size, char ret[MANIFEST_LINE_HEAD + 1])
{
    snprintf(ret, MANIFEST_LINE_HEAD + 1, "%016" PRIx64,
             (uint64_t)XXH3_64bits(line + MANIFEST_LINE_HEAD, size - MANIFEST_LINE_HEAD));
}

void manifest_line_end(struct manifest_lines *lines)
{
    char sum[MANIFEST_LINE_HEAD + 1];
    if (lines->failed || !make_room(lines, 1))
        return;
    checksum(lines->text + lines->begin, lines->used - lines->begin, sum);
    memcpy(lines->text + lines->begin, sum, MANIFEST_LINE_HEAD);
    lines->text[lines->used++] = '\n';
}

size_t manifest_line_size(const char *text, size_t size)
{
    char sum[MANIFEST_LINE_HEAD + 1];
    const char *end = memchr(text, '\n', size);
    if (end == NULL || (size_t)(end - text) < MANIFEST_LINE_HEAD)
        return 0;
    checksum(text, (size_t)(end - text), sum);
    return memcmp(text, sum, MANIFEST_LINE_HEAD) == 0 ? (size_t)(end - text) + 1 : 0;
}

bool manifest_line_follows(const char *text, size_t size)
{
    const char *end;
    while ((end = memchr(text, '\n', size)) != NULL) {
        size -= (size_t)(end + 1 - text);
        text = end + 1;
        if (manifest_line_size(text, size) > 0)
            return true;
    }
    return false;
}
