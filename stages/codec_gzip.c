/* gzip members (RFC 1952), one or more in a row, and zlib streams (RFC 1950). */
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "stages/codec.h"

enum { WINDOW_BITS = 15, EITHER_HEADER = 32, DISCARD = 64 * 1024 };

struct gzip {
    z_stream stream;
    uint8_t *discard; /* made when first needed */
};

static bool gzip_recognises(struct bytes in)
{
    return in.size >= 3 && memcmp(in.data, "\x1f\x8b\x08", 3) == 0;
}

/* The last member's size, modulo 2^32, stands in its last four bytes. A hint only: damaged and concatenated values say something else. */
static uint64_t gzip_stated(struct bytes in)
{
    if (in.size < 18 || !gzip_recognises(in))
        return 0;
    const uint8_t *tail = in.data + in.size - 4;
    uint64_t size = (uint64_t)tail[0] | (uint64_t)tail[1] << 8 | (uint64_t)tail[2] << 16 | (uint64_t)tail[3] << 24;
    /* deflate makes no more than 1032 bytes of one. */
    return size / 1032 <= in.size ? size : 0;
}

static void *gzip_start(const void *shared)
{
    (void)shared;
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip != NULL && inflateInit2(&gzip->stream, WINDOW_BITS + EITHER_HEADER) != Z_OK) {
        free(gzip);
        return NULL;
    }
    return gzip;
}

static void gzip_stop(void *context)
{
    struct gzip *gzip = context;
    inflateEnd(&gzip->stream);
    free(gzip->discard);
    free(gzip);
}

/* zlib wants to be asked for one byte more than fits to see that a full buffer is the end: `spare` is that byte. */
static int inflate_some(struct gzip *gzip, uint8_t *out, size_t room, size_t *used, bool *ret_over)
{
    z_stream *stream = &gzip->stream;
    uint8_t spare = 0;
    bool full = *used == room;
    size_t offered = full ? 1 : room - *used;
    if (out == NULL && !full && offered > DISCARD)
        offered = DISCARD;
    if (offered > INT_MAX)
        offered = INT_MAX;
    stream->next_out = full ? &spare : out == NULL ? gzip->discard : out + *used;
    stream->avail_out = (uInt)offered;
    int code = inflate(stream, Z_NO_FLUSH);
    size_t made = offered - stream->avail_out;
    *ret_over = full && made > 0;
    if (!full)
        *used += made;
    return code;
}

static enum codec_answer failed(int code, const z_stream *stream, const char **ret_why)
{
    if (code == Z_MEM_ERROR)
        return CODEC_NO_MEMORY;
    if (code == Z_OK || code == Z_BUF_ERROR)
        *ret_why = "the gzip data is truncated";
    else
        *ret_why = code == Z_NEED_DICT ? "it needs a dictionary" : stream->msg != NULL ? stream->msg : "not gzip data";
    return CODEC_BROKEN;
}

static enum codec_answer gzip_inflate(void *context, struct bytes in, uint8_t *out, size_t room, size_t *ret_used,
                                      const char **ret_why)
{
    struct gzip *gzip = context;
    if (out == NULL && gzip->discard == NULL && (gzip->discard = malloc(DISCARD)) == NULL)
        return CODEC_NO_MEMORY;
    z_stream *stream = &gzip->stream;
    stream->next_in = (z_const Bytef *)in.data;
    stream->avail_in = in.size;
    inflateReset(stream);
    size_t used = 0;
    for (;;) {
        bool over;
        uInt before = stream->avail_in;
        size_t used_before = used;
        int code = inflate_some(gzip, out, room, &used, &over);
        if (over)
            return CODEC_FULL;
        if (code == Z_STREAM_END) {
            if (stream->avail_in == 0)
                break;
            inflateReset(stream); /* keeps what is left of the input: the next member */
        } else if (code != Z_OK || (stream->avail_in == before && used == used_before)) {
            return failed(code, stream, ret_why);
        }
    }
    *ret_used = used;
    return CODEC_OK;
}

const struct codec_type codec_gzip = {
    .name = "gzip",
    .recognises = gzip_recognises,
    .stated = gzip_stated,
    .start = gzip_start,
    .inflate = gzip_inflate,
    .stop = gzip_stop,
};
