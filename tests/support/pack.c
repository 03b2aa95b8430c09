#include "tests/support/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <lz4frame.h>
#include <snappy-c.h>
#include <zdict.h>
#include <zlib.h>
#include <zstd.h>

#include "processor/bytes.h"

static uint8_t *room_for(struct arena *arena, size_t size)
{
    uint8_t *room = arena_text(arena, size);
    assert_non_null(room);
    return room;
}

static struct bytes zstd(struct arena *arena, struct bytes plain, struct bytes dictionary, int sized)
{
    size_t room = ZSTD_compressBound(plain.size);
    uint8_t *out = room_for(arena, room);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    assert_non_null(context);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, sized);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    if (dictionary.size > 0)
        assert_false(ZSTD_isError(ZSTD_CCtx_loadDictionary(context, dictionary.data, dictionary.size)));
    size_t size = ZSTD_compress2(context, out, room, plain.data, plain.size);
    ZSTD_freeCCtx(context);
    assert_false(ZSTD_isError(size));
    return bytes_of(out, (uint32_t)size);
}

struct bytes pack_zstd(struct arena *arena, struct bytes plain)
{
    return zstd(arena, plain, (struct bytes){0}, 1);
}

struct bytes pack_zstd_unsized(struct arena *arena, struct bytes plain)
{
    return zstd(arena, plain, (struct bytes){0}, 0);
}

struct bytes pack_zstd_with(struct arena *arena, struct bytes plain, struct bytes dictionary)
{
    return zstd(arena, plain, dictionary, 1);
}

static struct bytes deflate_with(struct arena *arena, struct bytes plain, int window_bits)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&stream, plain.size);
    uint8_t *out = room_for(arena, room);
    stream.next_in = (Bytef *)plain.data;
    stream.avail_in = plain.size;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    uint32_t size = (uint32_t)stream.total_out;
    deflateEnd(&stream);
    return bytes_of(out, size);
}

struct bytes pack_gzip(struct arena *arena, struct bytes plain)
{
    return deflate_with(arena, plain, 15 + 16);
}

struct bytes pack_zlib(struct arena *arena, struct bytes plain)
{
    return deflate_with(arena, plain, 15);
}

static struct bytes lz4(struct arena *arena, struct bytes plain, unsigned long long stated)
{
    LZ4F_preferences_t preferences = {.frameInfo = {.blockSizeID = LZ4F_max64KB,
                                                    .blockMode = LZ4F_blockLinked,
                                                    .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                                                    .contentSize = stated}};
    size_t room = LZ4F_compressFrameBound(plain.size, &preferences);
    uint8_t *out = room_for(arena, room);
    size_t size;
    if (stated > 0) {
        size = LZ4F_compressFrame(out, room, plain.data, plain.size, &preferences);
    } else {
        LZ4F_cctx *context;
        assert_false(LZ4F_isError(LZ4F_createCompressionContext(&context, LZ4F_VERSION)));
        size = LZ4F_compressBegin(context, out, room, &preferences);
        size += LZ4F_compressUpdate(context, out + size, room - size, plain.data, plain.size, NULL);
        size += LZ4F_compressEnd(context, out + size, room - size, NULL);
        LZ4F_freeCompressionContext(context);
    }
    assert_false(LZ4F_isError(size));
    return bytes_of(out, (uint32_t)size);
}

struct bytes pack_lz4(struct arena *arena, struct bytes plain)
{
    return lz4(arena, plain, plain.size);
}

struct bytes pack_lz4_unsized(struct arena *arena, struct bytes plain)
{
    return lz4(arena, plain, 0);
}

struct bytes pack_snappy(struct arena *arena, struct bytes plain)
{
    size_t size = snappy_max_compressed_length(plain.size);
    uint8_t *out = room_for(arena, size);
    assert_int_equal(snappy_compress((const char *)plain.data, plain.size, (char *)out, &size), SNAPPY_OK);
    return bytes_of(out, (uint32_t)size);
}

/* CRC-32C bit by bit: not the code under test. */
static uint32_t masked_crc32c(struct bytes bytes)
{
    uint32_t crc = 0xffffffffu;
    for (uint32_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
    }
    crc = ~crc;
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

enum { CHUNK = 65536, CHUNK_HEAD = 8, NAME = 10 };

struct bytes pack_snappy_framed(struct arena *arena, struct bytes plain)
{
    uint32_t chunks = plain.size / CHUNK + 1;
    uint8_t *out = room_for(arena, NAME + (size_t)plain.size + (size_t)chunks * CHUNK_HEAD);
    uint8_t *at = out;
    memcpy(at, "\xff\x06\x00\x00sNaPpY", NAME);
    at += NAME;
    for (uint32_t from = 0; from < plain.size; from += CHUNK) {
        struct bytes part = bytes_of(plain.data + from, plain.size - from < CHUNK ? plain.size - from : CHUNK);
        struct bytes packed = pack_snappy(arena, part);
        int plainly = packed.size >= part.size;
        struct bytes body = plainly ? part : packed;
        uint32_t size = body.size + 4, crc = masked_crc32c(part);
        const uint8_t head[CHUNK_HEAD] = {plainly ? 1 : 0,       (uint8_t)size,       (uint8_t)(size >> 8),
                                          (uint8_t)(size >> 16), (uint8_t)crc,        (uint8_t)(crc >> 8),
                                          (uint8_t)(crc >> 16),  (uint8_t)(crc >> 24)};
        memcpy(at, head, sizeof head);
        memcpy(at + CHUNK_HEAD, body.data, body.size);
        at += CHUNK_HEAD + body.size;
    }
    return bytes_of(out, (uint32_t)(at - out));
}

struct bytes pack_snappy_xerial(struct arena *arena, struct bytes plain)
{
    enum { BLOCK = 32768, HEAD = 16 };
    uint32_t blocks = plain.size / BLOCK + 1;
    uint8_t *out = room_for(arena, HEAD + (size_t)blocks * (4 + snappy_max_compressed_length(BLOCK)));
    uint8_t *at = out;
    memcpy(at, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", HEAD);
    at += HEAD;
    for (uint32_t from = 0; from < plain.size; from += BLOCK) {
        struct bytes packed = pack_snappy(
            arena, bytes_of(plain.data + from, plain.size - from < BLOCK ? plain.size - from : BLOCK));
        for (int i = 0; i < 4; i++)
            *at++ = (uint8_t)(packed.size >> (24 - 8 * i));
        memcpy(at, packed.data, packed.size);
        at += packed.size;
    }
    return bytes_of(out, (uint32_t)(at - out));
}

struct bytes pack_dictionary(struct arena *arena, const char *format)
{
    enum { SAMPLES = 2000, ROOM = 8192 };
    static char samples[SAMPLES * 256];
    static size_t sizes[SAMPLES];
    size_t used = 0;
    for (unsigned i = 0; i < SAMPLES; i++) {
        sizes[i] = (size_t)snprintf(samples + used, 256, format, i * 7919, i % 17);
        used += sizes[i];
    }
    uint8_t *out = room_for(arena, ROOM);
    size_t size = ZDICT_trainFromBuffer(out, ROOM, samples, sizes, SAMPLES);
    assert_false(ZDICT_isError(size));
    return bytes_of(out, (uint32_t)size);
}

struct bytes pack_join(struct arena *arena, struct bytes first, struct bytes second)
{
    uint8_t *out = room_for(arena, (size_t)first.size + second.size);
    memcpy(out, first.data, first.size);
    memcpy(out + first.size, second.data, second.size);
    return bytes_of(out, first.size + second.size);
}

struct bytes pack_text(struct arena *arena, uint32_t size)
{
    uint8_t *out = room_for(arena, (size_t)size + 80);
    uint32_t used = 0;
    for (unsigned i = 0; used < size; i++)
        used += (uint32_t)snprintf((char *)out + used, 80, "{\"order_id\": \"o-%u\", \"total\": %u.%02u}\n", i,
                                   i * 7919u % 1000, i % 100);
    return bytes_of(out, size);
}

struct bytes pack_noise(struct arena *arena, uint32_t size)
{
    uint8_t *out = room_for(arena, size);
    uint64_t state = 88172645463325252u;
    for (uint32_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out[i] = (uint8_t)state;
    }
    return bytes_of(out, size);
}
