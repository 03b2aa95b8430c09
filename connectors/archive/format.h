/*
 * The archive's files: the records of one partition, bit for bit, in frames that can be told good from torn. What is here is enough to write a reader.
 *
 * DIR/TOPIC/PPPPP-OOOOOOOOOOOOOOOOOOOO.weir is a segment: PPPPP the partition and O the offset of its first record, both decimal, with zeros in front (5 and
 * 20 digits, more where they do not suffice), so that names sort. There is nothing else that must be kept: the folder is the truth. Segments of a partition
 * have no offsets in common.
 *
 * All numbers are little-endian. Checksums are XXH64 with seed 0 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
 *
 *   segment  := header frame* [index trailer]
 *   header   := "weirarc\n" (8 bytes)  u32 version (2)  u32 0  i32 partition  u32 size of topic  u64 u64 the topic's id (0 0: not known)  topic
 *               u64 checksum of all before
 *   frame    := u32 0x46724557 ("WErF")  u8 kind (1 records, 2 index)  u8 codec (0 none, 1 zstd)  u16 0
 *               u32 stored: bytes of payload here   u32 raw: bytes of payload when it is inflated (1 GiB at most)
 *               u32 count: records, or entries       u32 0
 *               i64 first offset  i64 last offset  i64 earliest timestamp  i64 latest timestamp (-1: no record has one)
 *               u64 checksum of the payload as it is stored   u64 checksum of the 64 bytes before          -- 72 bytes in all
 *               payload: `stored` bytes; with zstd one zstd frame that says its content's size
 *   record   := i64 offset  i64 timestamp (ms since 1970; -1: none)  i32 size of key (-1: null)  i32 size of value (-1: null)
 *               u32 size of headers  u8 timestamp's type (0 not known, 1 the producer's, 2 the broker's)  3 bytes 0   -- 32 bytes
 *               key  value  headers                        -- a payload of records is these, one behind the other, offsets ascending
 *   headers  := (u32 size of name  name  i32 size of value (-1: null)  value)*          -- in their order, duplicates kept
 *   index    := a frame of kind 2, whose payload has for each frame of records before it, in their order:
 *               i64 position in the file  u32 stored  u32 raw  u32 count  u32 0  i64 first  i64 last  i64 earliest  i64 latest   -- 56 bytes
 *   trailer  := i64 position of the index  "weirend\n" (8 bytes)
 *
 * The index is written when a segment is finished. One without it (it is being written, or its writer crashed) is read from the front, up to the last whole
 * frame; what is behind that is a torn tail. A frame that is no good with whole ones behind it is damage, which is something else: nothing is cut then.
 */
#ifndef WEIR_CONNECTORS_ARCHIVE_FORMAT_H
#define WEIR_CONNECTORS_ARCHIVE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/arena.h"
#include "processor/batch.h"
#include "processor/bytes.h"
#include "processor/status.h"
#include "processor/stretch.h"

enum {
    ARCHIVE_VERSION = 2,
    ARCHIVE_FRAME_SIZE = 72,  /* of a frame's header */
    ARCHIVE_RECORD_SIZE = 32, /* of a record without key, value and headers */
    ARCHIVE_ENTRY_SIZE = 56,
    ARCHIVE_TRAILER_SIZE = 16,
    ARCHIVE_TOPIC_MAX = 249, /* Kafka's own limit */
    ARCHIVE_HEADER_MAX = 40 + ARCHIVE_TOPIC_MAX + 8,
    ARCHIVE_RAW_MAX = 1 << 30,
};

enum archive_kind { ARCHIVE_RECORDS = 1, ARCHIVE_INDEX = 2 };
enum archive_codec { ARCHIVE_PLAIN = 0, ARCHIVE_ZSTD = 1 };

/* A frame's header; of an entry of the index all but kind, codec and checksum. */
struct archive_frame {
    int64_t position;
    uint32_t stored, raw, count;
    uint8_t kind, codec;
    int64_t first, last;      /* offsets */
    int64_t earliest, latest; /* ms; -1: no record has a timestamp */
    uint64_t checksum;
};

/* A record as it stands in a payload. */
struct archive_record {
    int64_t offset, timestamp;
    struct bytes key, value;
    struct bytes headers; /* as the format has them */
};

/* Whose records a segment has. */
struct archive_head {
    const char *topic;
    int32_t partition;
    struct topic_id id;
};

/* -- writing -- */

/* A segment's header; out has room for ARCHIVE_HEADER_MAX. 0: no topic can be called so. */
size_t archive_put_header(uint8_t *out, const struct archive_head *head);
void archive_put_frame(uint8_t out[ARCHIVE_FRAME_SIZE], const struct archive_frame *frame);
void archive_put_entry(uint8_t out[ARCHIVE_ENTRY_SIZE], const struct archive_frame *frame);
void archive_put_trailer(uint8_t out[ARCHIVE_TRAILER_SIZE], int64_t position);
/* What archive_put_record writes, exactly. */
size_t archive_record_size(const struct record *record);
void archive_put_record(uint8_t *out, const struct record *record);
uint64_t archive_checksum(const void *data, size_t size);
/* May a topic be called so, and a folder after it? */
bool archive_topic_good(const char *topic);

/* -- reading: nothing is trusted; false: not good -- */

/* ret_topic has room for ARCHIVE_TOPIC_MAX + 1, and ret->topic is it. ret_size: of the header. */
bool archive_get_header(const uint8_t *data, size_t size, char *ret_topic, struct archive_head *ret, size_t *ret_size);
/* All of the header, its checksum too; not the payload's. position is left alone. */
bool archive_get_frame(const uint8_t data[ARCHIVE_FRAME_SIZE], struct archive_frame *ret);
bool archive_get_entry(const uint8_t data[ARCHIVE_ENTRY_SIZE], struct archive_frame *ret);
/* The index's position. */
bool archive_get_trailer(const uint8_t data[ARCHIVE_TRAILER_SIZE], int64_t *ret);
/* The record at *cursor, which moves behind it. STATUS_EMPTY: there is no more. STATUS_FAILED: the payload is not as the format says. */
enum status archive_get_record(struct bytes payload, uint32_t *cursor, struct archive_record *ret) WARN_UNUSED;
/* Is the payload what the frame's header says: so many records, offsets ascending from its first to its last, nothing behind them? */
bool archive_frame_holds(const struct archive_frame *frame, struct bytes payload);
/* Copies it into the arena. False: out of memory. */
bool archive_copy_record(const struct archive_record *from, struct record *to, struct arena *arena) WARN_UNUSED;
/* Packs them as headers.h has it; out has room for from.size. Returns the bytes written, the same number. */
size_t archive_pack_headers(uint8_t *out, struct bytes from);

#endif
