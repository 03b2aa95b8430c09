/* See frame.h. Frames carry checksums (XXH64, a few ns per record), so that what a crash left can be told good from torn. */
#include "connectors/file/frame.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct frame_codec {
    ZSTD_CCtx *context;
    uint8_t *out;
    size_t room;
};

struct frame_codec *frame_codec_new(int level)
{
    struct frame_codec *codec = calloc(1, sizeof *codec);
    if (codec == NULL)
        return NULL;
    codec->context = ZSTD_createCCtx();
    if (codec->context == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(codec->context, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(codec->context, ZSTD_c_checksumFlag, 1))) {
        frame_codec_free(codec);
        return NULL;
    }
    return codec;
}

void frame_codec_free(struct frame_codec *codec)
{
    if (codec == NULL)
        return;
    ZSTD_freeCCtx(codec->context);
    free(codec->out);
    free(codec);
}

static bool make_room(struct frame_codec *codec, size_t size)
{
    size_t bound = ZSTD_compressBound(size);
    uint8_t *out;
    if (bound <= codec->room)
        return true;
    out = malloc(bound);
    if (out == NULL)
        return false;
    free(codec->out);
    codec->out = out;
    codec->room = bound;
    return true;
}

enum status frame_compress(struct frame_codec *codec, const uint8_t *text, size_t size, const uint8_t **ret,
                           size_t *ret_size, struct error *error)
{
    size_t n;
    if (!make_room(codec, size))
        return error_set(error, ERROR_TRANSIENT, "out of memory for a frame of %zu bytes", size);
    n = ZSTD_compress2(codec->context, codec->out, codec->room, text, size);
    if (ZSTD_isError(n))
        return error_set(error, ERROR_TRANSIENT, "zstd: %s", ZSTD_getErrorName(n));
    *ret = codec->out;
    *ret_size = n;
    return STATUS_OK;
}

/* Does the frame inflate? By streaming: what it says of its size is not trusted. */
static bool frame_good(ZSTD_DCtx *context, uint8_t *scratch, size_t room, const uint8_t *data, size_t size)
{
    ZSTD_inBuffer in = {.src = data, .size = size};
    size_t left = 1;
    ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
    while (left != 0) {
        ZSTD_outBuffer out = {.dst = scratch, .size = room};
        left = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(left) || (left != 0 && in.pos == in.size && out.pos < out.size))
            return false;
    }
    return true;
}

static size_t whole_frames(const uint8_t *data, size_t size)
{
    size_t room = ZSTD_DStreamOutSize(), good = 0;
    ZSTD_DCtx *context = ZSTD_createDCtx();
    uint8_t *scratch = malloc(room);
    while (context != NULL && scratch != NULL && good < size) {
        size_t n = ZSTD_findFrameCompressedSize(data + good, size - good);
        if (ZSTD_isError(n) || !frame_good(context, scratch, room, data + good, n))
            break;
        good += n;
    }
    free(scratch);
    ZSTD_freeDCtx(context);
    return good;
}

static size_t whole_lines(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memrchr(data, '\n', size) : NULL;
    return end != NULL ? (size_t)(end - data) + 1 : 0;
}

size_t frame_whole(const uint8_t *data, size_t size)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd}; /* RFC 8878, 3.1.1 */
    if (size >= sizeof magic && !memcmp(data, magic, sizeof magic))
        return whole_frames(data, size);
    return whole_lines(data, size);
}
