/*
 * snappy in its three forms: a raw block (format_description.txt), the framing format (framing_format.txt: chunks with a CRC-32C), and the
 * blocks of snappy-java ("xerial"), which is what Kafka's own Java clients write.
 */
#include <snappy-c.h>
#include <stdlib.h>

#include "stages/codec.h"

enum { CHUNK_COMPRESSED = 0x00, CHUNK_PLAIN = 0x01, CHUNK_SKIP_FROM = 0x80, CHUNK_MAX = 65536, XERIAL_HEADER = 16 };

static const char FRAMING[] = "\xff\x06\x00\x00sNaPpY";
static const char XERIAL[] = "\x82SNAPPY";

static bool is_framed(struct bytes in)
{
    return in.size >= 10 && memcmp(in.data, FRAMING, 10) == 0;
}

static bool is_xerial(struct bytes in)
{
    return in.size >= XERIAL_HEADER && memcmp(in.data, XERIAL, sizeof XERIAL) == 0; /* with its zero */
}

static bool snappy_recognises(struct bytes in)
{
    return is_framed(in) || is_xerial(in);
}

/* Of a raw block: its first bytes. What can't be true (a copy of 64 bytes takes 3: not 22 times the input) is left to the check behind. */
static uint64_t snappy_stated(struct bytes in)
{
    size_t size = 0;
    if (snappy_recognises(in) || snappy_uncompressed_length((const char *)in.data, in.size, &size) != SNAPPY_OK)
        return 0;
    return size / 22 <= in.size ? size : 0;
}

/* CRC-32C (Castagnoli), bitwise reflected; its table is made when the worker starts. */
struct snappy {
    uint32_t crc[256];
};

static void *snappy_start(const void *shared)
{
    (void)shared;
    struct snappy *snappy = calloc(1, sizeof *snappy);
    for (uint32_t i = 0; snappy != NULL && i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
        snappy->crc[i] = crc;
    }
    return snappy;
}

static void snappy_stop(void *context)
{
    free(context);
}

static uint32_t masked_crc(const struct snappy *snappy, const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++)
        crc = snappy->crc[(crc ^ data[i]) & 0xff] ^ (crc >> 8);
    crc = ~crc;
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static uint32_t little(const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static enum codec_answer broken(const char *why, const char **ret_why)
{
    *ret_why = why;
    return CODEC_BROKEN;
}

/* One raw block. out NULL: only counts. */
static enum codec_answer block(struct bytes in, uint8_t *out, size_t room, size_t *ret_used, const char **ret_why)
{
    size_t size = 0;
    if (snappy_uncompressed_length((const char *)in.data, in.size, &size) != SNAPPY_OK)
        return broken("not a snappy block", ret_why);
    if (size / 22 > in.size)
        return broken("the snappy block states a size that it can't have", ret_why);
    if (size > room)
        return CODEC_FULL;
    *ret_used = size;
    if (out != NULL && snappy_uncompress((const char *)in.data, in.size, (char *)out, ret_used) != SNAPPY_OK)
        return broken("the snappy block is damaged or truncated", ret_why);
    return CODEC_OK;
}

static enum codec_answer xerial(struct bytes in, uint8_t *out, size_t room, size_t *ret_used, const char **ret_why)
{
    size_t used = 0;
    for (uint32_t at = XERIAL_HEADER; at < in.size;) {
        if (in.size - at < 4)
            return broken("the snappy data is truncated", ret_why);
        const uint8_t *head = in.data + at;
        uint32_t size = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
        at += 4;
        if (size > in.size - at)
            return broken("the snappy data is truncated", ret_why);
        size_t made = 0;
        enum codec_answer answer = block(bytes_of(in.data + at, size), out == NULL ? NULL : out + used, room - used,
                                         &made, ret_why);
        if (answer != CODEC_OK)
            return answer;
        used += made;
        at += size;
    }
    *ret_used = used;
    return CODEC_OK;
}

/* One chunk of the framing format with data in it: a checksum, then a block or plain bytes. */
static enum codec_answer chunk(struct snappy *snappy, uint8_t kind, struct bytes in, uint8_t *out, size_t room,
                               size_t *ret_used, const char **ret_why)
{
    if (in.size < 4)
        return broken("a snappy chunk is too short", ret_why);
    struct bytes data = bytes_of(in.data + 4, in.size - 4);
    if (kind == CHUNK_PLAIN) {
        *ret_used = data.size;
        if (data.size > room)
            return CODEC_FULL;
        if (out != NULL)
            memcpy(out, data.data, data.size);
    } else {
        enum codec_answer answer = block(data, out, room, ret_used, ret_why);
        if (answer != CODEC_OK)
            return answer;
    }
    if (*ret_used > CHUNK_MAX)
        return broken("a snappy chunk holds more than 65536 bytes", ret_why);
    if (out != NULL && masked_crc(snappy, out, *ret_used) != little(in.data, 4))
        return broken("a snappy chunk's checksum is wrong", ret_why);
    return CODEC_OK;
}

static enum codec_answer framed(struct snappy *snappy, struct bytes in, uint8_t *out, size_t room, size_t *ret_used,
                                const char **ret_why)
{
    size_t used = 0;
    for (uint32_t at = 0; at < in.size;) {
        if (in.size - at < 4)
            return broken("the snappy data is truncated", ret_why);
        uint8_t kind = in.data[at];
        uint32_t size = little(in.data + at + 1, 3);
        at += 4;
        if (size > in.size - at)
            return broken("the snappy data is truncated", ret_why);
        size_t made = 0;
        if (kind == CHUNK_COMPRESSED || kind == CHUNK_PLAIN) {
            enum codec_answer answer = chunk(snappy, kind, bytes_of(in.data + at, size),
                                             out == NULL ? NULL : out + used, room - used, &made, ret_why);
            if (answer != CODEC_OK)
                return answer;
        } else if (kind < CHUNK_SKIP_FROM) {
            return broken("a snappy chunk of an unknown kind", ret_why);
        }
        used += made;
        at += size;
    }
    *ret_used = used;
    return CODEC_OK;
}

static enum codec_answer snappy_inflate(void *context, struct bytes in, uint8_t *out, size_t room, size_t *ret_used,
                                        const char **ret_why)
{
    if (is_framed(in))
        return framed(context, in, out, room, ret_used, ret_why);
    return is_xerial(in) ? xerial(in, out, room, ret_used, ret_why) : block(in, out, room, ret_used, ret_why);
}

const struct codec_type codec_snappy = {
    .name = "snappy",
    .recognises = snappy_recognises,
    .stated = snappy_stated,
    .exact = true,
    .start = snappy_start,
    .inflate = snappy_inflate,
    .stop = snappy_stop,
};
