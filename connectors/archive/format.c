/* See format.h. */
#include "connectors/archive/format.h"

#include <string.h>
#include <xxhash.h>

#include "processor/headers.h"

static const char MAGIC[8] = {'w', 'e', 'i', 'r', 'a', 'r', 'c', '\n'};
static const char END_MAGIC[8] = {'w', 'e', 'i', 'r', 'e', 'n', 'd', '\n'};
#define FRAME_MAGIC UINT32_C(0x46724557)

enum { CHECKED = ARCHIVE_FRAME_SIZE - 8, HEADER_FIXED = 40, NULL_SIZE = -1 };

/* -- numbers -- */

static uint8_t *put32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * i);
    return out + 4;
}

static uint8_t *put64(uint8_t *out, uint64_t value)
{
    return put32(put32(out, (uint32_t)value), (uint32_t)(value >> 32));
}

static uint8_t *put_bytes(uint8_t *out, struct bytes bytes)
{
    if (bytes.data != NULL && bytes.size > 0)
        memcpy(out, bytes.data, bytes.size);
    return out + bytes.size;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

uint64_t archive_checksum(const void *data, size_t size)
{
    return XXH64(data, size, 0);
}

/* -- segment -- */

bool archive_topic_good(const char *topic)
{
    size_t size = strlen(topic);
    return size > 0 && size <= ARCHIVE_TOPIC_MAX && strcmp(topic, ".") != 0 && strcmp(topic, "..") != 0 &&
           strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == size;
}

size_t archive_put_header(uint8_t *out, const struct archive_head *head)
{
    if (!archive_topic_good(head->topic))
        return 0;
    uint8_t *at = out;
    memcpy(at, MAGIC, sizeof MAGIC);
    at = put32(at + sizeof MAGIC, ARCHIVE_VERSION);
    at = put32(at, 0);
    at = put32(at, (uint32_t)head->partition);
    at = put32(at, (uint32_t)strlen(head->topic));
    at = put64(at, head->id.high);
    at = put64(at, head->id.low);
    at = put_bytes(at, bytes_of_string(head->topic));
    at = put64(at, archive_checksum(out, (size_t)(at - out)));
    return (size_t)(at - out);
}

bool archive_get_header(const uint8_t *data, size_t size, char *ret_topic, struct archive_head *ret, size_t *ret_size)
{
    if (size < HEADER_FIXED || memcmp(data, MAGIC, sizeof MAGIC) != 0 || get32(data + 8) != ARCHIVE_VERSION)
        return false;
    uint32_t topic_size = get32(data + 20);
    if (topic_size > ARCHIVE_TOPIC_MAX || size < (size_t)HEADER_FIXED + topic_size + 8 ||
        get64(data + HEADER_FIXED + topic_size) != archive_checksum(data, HEADER_FIXED + topic_size))
        return false;
    int32_t partition = (int32_t)get32(data + 16);
    char topic[ARCHIVE_TOPIC_MAX + 1] = {0};
    memcpy(topic, data + HEADER_FIXED, topic_size);
    if (partition < 0 || strlen(topic) != topic_size || !archive_topic_good(topic))
        return false;
    memcpy(ret_topic, topic, sizeof topic);
    *ret = (struct archive_head){
        .topic = ret_topic, .partition = partition, .id = {.high = get64(data + 24), .low = get64(data + 32)}};
    *ret_size = (size_t)HEADER_FIXED + topic_size + 8;
    return true;
}

/* -- frame -- */

static uint8_t *put_span(uint8_t *at, const struct archive_frame *frame)
{
    at = put64(at, (uint64_t)frame->first);
    at = put64(at, (uint64_t)frame->last);
    at = put64(at, (uint64_t)frame->earliest);
    return put64(at, (uint64_t)frame->latest);
}

void archive_put_frame(uint8_t out[ARCHIVE_FRAME_SIZE], const struct archive_frame *frame)
{
    uint8_t *at = put32(out, FRAME_MAGIC);
    *at++ = frame->kind;
    *at++ = frame->codec;
    *at++ = 0;
    *at++ = 0;
    at = put32(at, frame->stored);
    at = put32(at, frame->raw);
    at = put32(at, frame->count);
    at = put32(at, 0);
    at = put_span(at, frame);
    at = put64(at, frame->checksum);
    put64(at, archive_checksum(out, CHECKED));
}

/* What must hold for a reader's sums not to overflow. */
static bool span_good(const struct archive_frame *frame)
{
    return frame->raw <= ARCHIVE_RAW_MAX && frame->first >= 0 && frame->first <= frame->last &&
           frame->last < INT64_MAX && (uint64_t)(frame->last - frame->first) + 1 >= frame->count &&
           frame->raw / ARCHIVE_RECORD_SIZE >= frame->count && frame->count > 0;
}

static bool index_good(const struct archive_frame *frame)
{
    return frame->raw <= ARCHIVE_RAW_MAX && frame->raw == (uint64_t)frame->count * ARCHIVE_ENTRY_SIZE;
}

static void get_span(const uint8_t *at, struct archive_frame *ret)
{
    ret->first = (int64_t)get64(at);
    ret->last = (int64_t)get64(at + 8);
    ret->earliest = (int64_t)get64(at + 16);
    ret->latest = (int64_t)get64(at + 24);
}

bool archive_get_frame(const uint8_t data[ARCHIVE_FRAME_SIZE], struct archive_frame *ret)
{
    if (get32(data) != FRAME_MAGIC || get64(data + CHECKED) != archive_checksum(data, CHECKED))
        return false;
    struct archive_frame frame = {
        .position = ret->position,
        .kind = data[4],
        .codec = data[5],
        .stored = get32(data + 8),
        .raw = get32(data + 12),
        .count = get32(data + 16),
        .checksum = get64(data + 56),
    };
    get_span(data + 24, &frame);
    if ((frame.codec != ARCHIVE_ZSTD && frame.codec != ARCHIVE_PLAIN) ||
        (frame.codec == ARCHIVE_PLAIN && frame.stored != frame.raw) ||
        !(frame.kind == ARCHIVE_RECORDS ? span_good(&frame) : frame.kind == ARCHIVE_INDEX && index_good(&frame)))
        return false;
    *ret = frame;
    return true;
}

void archive_put_entry(uint8_t out[ARCHIVE_ENTRY_SIZE], const struct archive_frame *frame)
{
    uint8_t *at = put64(out, (uint64_t)frame->position);
    at = put32(at, frame->stored);
    at = put32(at, frame->raw);
    at = put32(at, frame->count);
    at = put32(at, 0);
    put_span(at, frame);
}

bool archive_get_entry(const uint8_t data[ARCHIVE_ENTRY_SIZE], struct archive_frame *ret)
{
    struct archive_frame frame = {
        .position = (int64_t)get64(data),
        .stored = get32(data + 8),
        .raw = get32(data + 12),
        .count = get32(data + 16),
        .kind = ARCHIVE_RECORDS,
    };
    get_span(data + 24, &frame);
    *ret = frame;
    return frame.position >= 0 && span_good(&frame);
}

void archive_put_trailer(uint8_t out[ARCHIVE_TRAILER_SIZE], int64_t position)
{
    memcpy(put64(out, (uint64_t)position), END_MAGIC, sizeof END_MAGIC);
}

bool archive_get_trailer(const uint8_t data[ARCHIVE_TRAILER_SIZE], int64_t *ret)
{
    *ret = (int64_t)get64(data);
    return memcmp(data + 8, END_MAGIC, sizeof END_MAGIC) == 0 && *ret >= 0;
}

/* -- record -- */

size_t archive_record_size(const struct record *record)
{
    /* The packed form of headers has the same sizes, see archive_put_record. */
    return (size_t)ARCHIVE_RECORD_SIZE + record->key.size + record->value.size + record->headers.size;
}

static uint32_t size_of(struct bytes bytes)
{
    return bytes.data != NULL ? bytes.size : (uint32_t)NULL_SIZE;
}

void archive_put_record(uint8_t *out, const struct record *record)
{
    struct bytes name, value;
    size_t cursor = 0;
    uint8_t *at = put64(out, (uint64_t)record->offset);
    at = put64(at, (uint64_t)record->timestamp);
    at = put32(at, size_of(record->key));
    at = put32(at, size_of(record->value));
    at = put32(at, record->headers.size);
    at = put32(at, 0);
    at = put_bytes(at, record->key);
    at = put_bytes(at, record->value);
    while (headers_next(record->headers, &cursor, &name, &value)) {
        at = put_bytes(put32(at, name.size), name);
        at = put_bytes(put32(at, size_of(value)), value);
    }
}

/* Takes `size` (-1: null) bytes off the front of what is left. */
static bool take(struct bytes *left, int32_t size, struct bytes *ret)
{
    *ret = bytes_of(NULL, 0);
    if (size == NULL_SIZE)
        return true;
    if (size < 0 || (uint32_t)size > left->size)
        return false;
    *ret = bytes_of(left->data, (uint32_t)size);
    *left = bytes_of(left->data + size, left->size - (uint32_t)size);
    return true;
}

static bool take_size(struct bytes *left, int32_t *ret)
{
    struct bytes number;
    if (!take(left, 4, &number))
        return false;
    *ret = (int32_t)get32(number.data);
    return true;
}

static bool take_header(struct bytes *left, struct bytes *ret_name, struct bytes *ret_value)
{
    int32_t size;
    if (!take_size(left, &size) || size < 0 || !take(left, size, ret_name) || !take_size(left, &size))
        return false;
    return take(left, size, ret_value);
}

static bool headers_good(struct bytes headers)
{
    struct bytes name, value;
    while (headers.size > 0)
        if (!take_header(&headers, &name, &value))
            return false;
    return true;
}

enum status archive_get_record(struct bytes payload, uint32_t *cursor, struct archive_record *ret)
{
    struct bytes left = bytes_of(payload.data + *cursor, payload.size - *cursor), fixed;
    if (left.size == 0)
        return STATUS_EMPTY;
    if (!take(&left, ARCHIVE_RECORD_SIZE, &fixed))
        return STATUS_FAILED;
    ret->offset = (int64_t)get64(fixed.data);
    ret->timestamp = (int64_t)get64(fixed.data + 8);
    int32_t headers = (int32_t)get32(fixed.data + 24);
    if (!take(&left, (int32_t)get32(fixed.data + 16), &ret->key) ||
        !take(&left, (int32_t)get32(fixed.data + 20), &ret->value) || headers < 0 ||
        !take(&left, headers, &ret->headers) || !headers_good(ret->headers) || ret->offset < 0 ||
        ret->offset == INT64_MAX)
        return STATUS_FAILED;
    *cursor = payload.size - left.size;
    return STATUS_OK;
}

bool archive_frame_holds(const struct archive_frame *frame, struct bytes payload)
{
    struct archive_record record;
    uint32_t cursor = 0, count = 0;
    int64_t last = -1;
    enum status status;
    while ((status = archive_get_record(payload, &cursor, &record)) == STATUS_OK) {
        if (record.offset <= last || (count == 0 && record.offset != frame->first) || count == frame->count)
            return false;
        last = record.offset;
        count++;
    }
    return status == STATUS_EMPTY && count == frame->count && last == frame->last;
}

size_t archive_pack_headers(uint8_t *out, struct bytes from)
{
    struct bytes name, value;
    uint8_t *at = out;
    while (from.size > 0 && take_header(&from, &name, &value))
        at = headers_pack(at, name, value);
    return (size_t)(at - out);
}

/* One piece of the arena for all of it. */
bool archive_copy_record(const struct archive_record *from, struct record *to, struct arena *arena)
{
    uint8_t *at = arena_text(arena, (size_t)from->key.size + from->value.size + from->headers.size);
    if (at == NULL)
        return false;
    to->offset = from->offset;
    to->timestamp = from->timestamp;
    if (from->key.data != NULL)
        to->key = bytes_of(at, from->key.size);
    at = put_bytes(at, from->key);
    if (from->value.data != NULL)
        to->value = bytes_of(at, from->value.size);
    at = put_bytes(at, from->value);
    to->headers = bytes_of(at, (uint32_t)archive_pack_headers(at, from->headers));
    return true;
}
