/* See line.h. The search for line breaks costs a few ns: a vectorised memchr over what was copied just now. */
#include "processor/line.h"

#include <string.h>

static const char null_text[] = "null";

size_t line_max(const struct record *record)
{
    const struct document *document = &record->document;

    switch (document->kind) {
    case DOCUMENT_NONE:
        return (size_t)record->value.size + sizeof null_text;
    case DOCUMENT_NULL:
        return sizeof null_text;
    default:
        return document_encoded_max(document) + 1;
    }
}

static size_t copy(struct bytes bytes, uint8_t *out)
{
    memcpy(out, bytes.data, bytes.size);
    return bytes.size;
}

/* Line breaks in valid JSON are white space between tokens: inside strings they are escaped. */
static void blank_breaks(uint8_t *at, const uint8_t *end)
{
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL)
        *at++ = ' ';
}

size_t line_encode(const struct record *record, uint8_t *out)
{
    const struct document *document = &record->document;
    bool raw = document->kind == DOCUMENT_RAW;
    size_t size;

    if (document->kind == DOCUMENT_NULL || (document->kind == DOCUMENT_NONE && !record->value.data)) {
        size = copy(bytes_of(null_text, sizeof null_text - 1), out);
    } else if (document->kind == DOCUMENT_NONE) {
        raw = true;
        size = copy(record->value, out);
    } else {
        size = document_encode(document, out);
    }
    if (memchr(out, '\n', size)) {
        if (raw)
            return 0;
        blank_breaks(out, out + size);
    }
    out[size] = '\n';
    return size + 1;
}

bool line_fits(const struct record *record)
{
    const struct document *document = &record->document;
    struct bytes raw = document->kind == DOCUMENT_RAW    ? document->text
                       : document->kind == DOCUMENT_NONE ? record->value
                                                         : (struct bytes){0};

    return raw.size == 0 || memchr(raw.data, '\n', raw.size) == NULL;
}
