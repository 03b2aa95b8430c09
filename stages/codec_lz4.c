/* LZ4 frames (lz4_Frame_format.md 1.6), one or more in a row, skippable ones too. */
#include <lz4frame.h>
#include <stdlib.h>

#include "stages/codec.h"

enum { DISCARD = 64 * 1024 };

struct lz4 {
    LZ4F_dctx *context;
    uint8_t *discard; /* made when first needed */
};

static bool lz4_recognises(struct bytes in)
{
    return in.size >= 4 && memcmp(in.data, "\x04\x22\x4d\x18", 4) == 0;
}

/* The frame header's content size, when its flag is set: bit 3 of the byte behind the magic, 8 bytes from the sixth on. */
static uint64_t lz4_stated(struct bytes in)
{
    if (in.size < 15 || !lz4_recognises(in) || (in.data[4] & 0x08) == 0)
        return 0;
    uint64_t size = 0;
    for (int i = 7; i >= 0; i--)
        size = size << 8 | in.data[6 + i];
    /* LZ4 makes no more than 255 bytes of one. */
    return size / 255 <= in.size ? size : 0;
}

static void *lz4_start(const void *shared)
{
    (void)shared;
    struct lz4 *lz4 = calloc(1, sizeof *lz4);
    if (lz4 != NULL && LZ4F_isError(LZ4F_createDecompressionContext(&lz4->context, LZ4F_VERSION))) {
        free(lz4);
        return NULL;
    }
    return lz4;
}

static void lz4_stop(void *context)
{
    struct lz4 *lz4 = context;
    LZ4F_freeDecompressionContext(lz4->context);
    free(lz4->discard);
    free(lz4);
}

static enum codec_answer lz4_inflate(void *context, struct bytes in, uint8_t *out, size_t room, size_t *ret_used,
                                     const char **ret_why)
{
    struct lz4 *lz4 = context;
    if (out == NULL && lz4->discard == NULL && (lz4->discard = malloc(DISCARD)) == NULL)
        return CODEC_NO_MEMORY;
    LZ4F_resetDecompressionContext(lz4->context);
    /* What is written stays where it is, so matches need no copy of the last 64 KiB. */
    const LZ4F_decompressOptions_t options = {.stableDst = out != NULL};
    size_t used = 0, taken = 0, left = 1;
    while (left != 0 || taken < in.size) {
        uint8_t spare; /* a full buffer may be the end: only a byte more tells */
        bool full = used == room;
        size_t made = full ? 1 : room - used, take = in.size - taken;
        if (out == NULL && !full && made > DISCARD)
            made = DISCARD;
        left = LZ4F_decompress(lz4->context,
                               full          ? &spare
                               : out == NULL ? lz4->discard
                                             : out + used,
                               &made, in.data + taken, &take, &options);
        if (LZ4F_isError(left)) {
            *ret_why = LZ4F_getErrorName(left);
            return CODEC_BROKEN;
        }
        if (full && made > 0)
            return CODEC_FULL;
        used += made;
        taken += take;
        if (left != 0 && made == 0 && take == 0) {
            *ret_why = "the LZ4 frame is truncated";
            return CODEC_BROKEN;
        }
    }
    *ret_used = used;
    return CODEC_OK;
}

const struct codec_type codec_lz4 = {
    .name = "lz4",
    .recognises = lz4_recognises,
    .stated = lz4_stated,
    .start = lz4_start,
    .inflate = lz4_inflate,
    .stop = lz4_stop,
};
