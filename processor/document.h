/*
 * What decode makes of a value. The original text stays and is never changed; the top-level members are indexed; changes are an overlay; encoding an
 * unchanged document is one copy, a merely extended one a copy and the additions, else spans are copied member by member.
 * Everything lives in the batch's arena.
 */
#ifndef WEIR_PROCESSOR_DOCUMENT_H
#define WEIR_PROCESSOR_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/arena.h"
#include "processor/bytes.h"
#include "processor/json.h"
#include "processor/path.h"

enum document_kind {
    DOCUMENT_NONE = 0, /* not decoded yet */
    DOCUMENT_NULL,     /* a tombstone that was let through (text.data NULL), or a value without bytes (not NULL) */
    DOCUMENT_RAW,      /* bytes with no structure */
    DOCUMENT_JSON,     /* JSON that is not an object: no members */
    DOCUMENT_OBJECT,   /* a JSON object with its members indexed */
};

/* One top-level member of the text, as offsets into it. key: between the quotes. */
struct document_member {
    uint32_t key, key_size;
    uint32_t value, value_size;
};

struct document_change; /* one entry of the overlay */

struct document {
    struct bytes text; /* no white space around the outermost value */
    struct document_member *members;
    struct document_change *changes; /* in the order they were made; at most one a name */
    uint16_t member_count;           /* DOCUMENT_MAX_MEMBERS at most: decode rejects more */
    uint16_t change_count;
    uint16_t change_room;
    uint8_t kind;      /* enum document_kind */
    uint8_t rewritten; /* a change touches an original member: encode member by member */
};

enum { DOCUMENT_MAX_MEMBERS = 65535 };

/* VALUE_MISSING when nothing is there. Sees the overlay. The whole of a changed document (path ".") is built in arena; when the system has no memory for it the
 * process ends: every answer would be wrong. The whole of a tombstone is null, of raw bytes nothing. */
struct value document_get(const struct document *document, const struct path *path, struct arena *arena);

/* Sets the member at path (objects on the way are made) to `value`, JSON text that lives as long as the arena, as path does. The path has names only.
 * A member of the text keeps its place; others of the same name go. STATUS_FAILED: the document is no object, or something on the way is not. */
enum status document_set(struct document *document, const struct path *path, struct bytes value,
                         struct arena *arena) WARN_UNUSED;
enum status document_remove(struct document *document, const struct path *path, struct arena *arena) WARN_UNUSED;

/* An upper bound of what document_encode writes. */
size_t document_encoded_max(const struct document *document);
/* Writes the document's text to out, which has room for document_encoded_max; returns the bytes written. Does not change the document (several
 * stores may encode the same one at once). A string of DOCUMENT_RAW and DOCUMENT_NULL is written as it is (nothing for null). */
size_t document_encode(const struct document *document, uint8_t *out);

#endif
