/*
 * Decompression of one value. A codec is one const record (codec_zstd.c, ...); codec.c is what is alike for all: where the
 * output goes, how large it may become, and what `auto` means.
 *
 * Memory: output goes straight into the batch's arena. A value that says how large it becomes, or is guessed right, is inflated once; else
 * the rest is inflated into nothing to learn the size, and again into room of exactly that size. So a bomb never allocates more than the cap,
 * whatever it says about itself.
 */
#ifndef WEIR_STAGES_CODEC_H
#define WEIR_STAGES_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/arena.h"
#include "processor/bytes.h"
#include "processor/error.h"

enum codec_answer {
    CODEC_OK = 0,
    CODEC_FULL,   /* more than `room` would come out */
    CODEC_BROKEN, /* not this format, damaged, or truncated */
    CODEC_NO_MEMORY,
};

struct codec_type {
    const char *name;
    bool (*recognises)(struct bytes in); /* by its magic; NULL: has none */
    /* The inflated size as `in` states it, 0 when it does not. Only a hint unless `exact`: UINT64_MAX is a legal lie. */
    uint64_t (*stated)(struct bytes in);
    bool exact; /* what is stated (when not 0) is binding: more than the cap is refused without a try */
    /* One worker's context. shared: what `load` made, or NULL. NULL: out of memory. */
    void *(*start)(const void *shared);
    /* All of `in` into out[0..room); out NULL: only counts, up to `room`. *ret_used: bytes written or counted. On CODEC_BROKEN *ret_why is a text
     * that lives until the next call. */
    enum codec_answer (*inflate)(void *context, struct bytes in, uint8_t *out, size_t room, size_t *ret_used,
                                 const char **ret_why);
    void (*stop)(void *context);
    /* A dictionary, digested once for all workers; NULL for codecs without. NULL returned: it is none, or out of memory. */
    void *(*load)(struct bytes dictionary);
    void (*unload)(void *shared);
};

extern const struct codec_type codec_zstd, codec_gzip, codec_lz4, codec_snappy;
/* NULL-terminated, in the order in which `auto` tries them. */
extern const struct codec_type *const codec_types[];

/* One worker's decompressor. */
struct codec {
    const struct codec_type *type;
    void *context;
    unsigned ratio; /* what values inflated to lately, for the first guess */
};

enum status codec_init(struct codec *codec, const struct codec_type *type, const void *shared) WARN_UNUSED;
void codec_fini(struct codec *codec); /* zeroed is fine */

/* Inflates `in` to at most `max` bytes in arena; 64 bytes behind the result are readable. CODEC_FULL: it has more. *ret is untouched on failure. */
enum codec_answer codec_inflate(struct codec *codec, struct bytes in, size_t max, struct arena *arena,
                                struct bytes *ret, const char **ret_why) WARN_UNUSED;

#endif
