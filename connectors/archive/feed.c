/* See feed.h. */
#include "connectors/archive/feed.h"

#include <stdlib.h>

/* Records that are looked at in one go, wanted or not: what comes meanwhile (a drain, the time to save) is noticed in between. */
enum { LOOKED_MOST = 16384 };

enum status archive_feed_no_memory(struct archive_feed *feed)
{
    return error_set(feed->error, ERROR_TRANSIENT, "out of memory");
}

static bool has_room(struct archive_feed *feed)
{
    bool room = intake_has_room(feed->intake, NULL);
    int64_t now = clock_now();
    if (room)
        feed->no_room_since = 0;
    else if (feed->no_room_since == 0)
        feed->no_room_since = now;
    bool pause = !room && now - feed->no_room_since > INTAKE_PAUSE_AFTER;
    for (unsigned i = 0; i < feed->stretch->count && (room || pause); i++) {
        struct archive_part *part = &feed->parts[i];
        if (part->intake == NULL || part->paused == pause)
            continue;
        part->paused = pause;
        intake_paused(part->intake, pause);
    }
    return room;
}

/* The record as the filter sees it: views. False: out of memory. */
static bool make_view(struct archive_feed *feed, const struct archive_record *from, struct record *ret)
{
    *ret = (struct record){
        .key = from->key, .value = from->value, .offset = from->offset, .timestamp = from->timestamp};
    const struct stretch_filter *filter = &feed->stretch->filter;
    if (from->headers.size == 0 || (filter->where == NULL && filter->also == NULL))
        return true;
    if (from->headers.size > feed->headers_room) {
        uint8_t *headers = realloc(feed->headers, from->headers.size);
        if (headers == NULL)
            return false;
        feed->headers = headers;
        feed->headers_room = from->headers.size;
    }
    ret->headers = bytes_of(feed->headers, (uint32_t)archive_pack_headers(feed->headers, from->headers));
    return true;
}

static enum status add(struct archive_feed *feed, struct archive_part *part, const struct archive_record *from)
{
    struct record *record = NULL;
    if (part->batch == NULL)
        part->batch = intake_begin(part->intake);
    if (part->batch != NULL)
        record = batch_add(part->batch);
    if (record == NULL || !archive_copy_record(from, record, &part->batch->arena))
        return archive_feed_no_memory(feed);
    part->bytes += (size_t)from->key.size + from->value.size + from->headers.size;
    feed->taken++;
    return STATUS_OK;
}

static bool is_enough(const struct archive_feed *feed)
{
    return feed->stretch->max_records > 0 && feed->taken >= feed->stretch->max_records;
}

static void note_due(struct archive_feed *feed, int64_t when)
{
    if (when < feed->when)
        feed->when = when;
}

/* How many records may be taken now. */
static unsigned may_take(struct archive_feed *feed, const struct archive_part *part)
{
    const struct stretch *stretch = feed->stretch;
    unsigned room = BATCH_RECORDS - (part->batch != NULL ? part->batch->count : 0);
    if (stretch->max_records > 0 && stretch->max_records - feed->taken < room)
        room = (unsigned)(stretch->max_records - feed->taken);
    int64_t when = CLOCK_NEVER;
    unsigned allowed = pace_room(&feed->pace, room, clock_now(), &when);
    if (allowed == 0)
        note_due(feed, when);
    return allowed;
}

static bool is_due(struct archive_feed *feed, int64_t timestamp)
{
    if (feed->stretch->speed <= 0)
        return true;
    int64_t now = clock_now(), when = pace_due(&feed->pace, timestamp, now);
    if (when <= now)
        return true;
    note_due(feed, when);
    return false;
}

/* Fills the hand, up to a batch, the frame's end, or what is due. */
static enum status fill(struct archive_feed *feed, struct archive_part *part)
{
    const struct stretch *stretch = feed->stretch;
    unsigned most = may_take(feed, part), looked = 0;
    for (unsigned taken = 0; taken < most && part->bytes < BATCH_BYTES && looked < LOOKED_MOST; looked++) {
        struct archive_record found;
        struct record view;
        if (looked > 0 && !part->reading.loaded)
            return STATUS_OK;
        enum status status = archive_reading_peek(&part->reading, &stretch->filter, &found, feed->error);
        if (status == STATUS_EMPTY)
            part->ended = true;
        if (status != STATUS_OK)
            return status == STATUS_EMPTY ? STATUS_OK : status;
        if (!make_view(feed, &found, &view))
            return archive_feed_no_memory(feed);
        if (stretch_takes(stretch, &view, stretch->parts[part - feed->parts].partition)) {
            if (!is_due(feed, found.timestamp))
                return STATUS_OK;
            status = add(feed, part, &found);
            if (status != STATUS_OK)
                return status;
            pace_took(&feed->pace, 1);
            taken++;
        }
        archive_reading_take(&part->reading, &found);
    }
    return STATUS_OK;
}

/* One batch. *ret_moved: something was pushed, or read past. */
static enum status pop(struct archive_feed *feed, struct archive_part *part, bool *ret_moved)
{
    *ret_moved = false;
    if (part->intake == NULL || (part->ended && part->batch == NULL))
        return STATUS_OK;
    int64_t before = part->reading.position;
    enum status status = fill(feed, part);
    if (status != STATUS_OK)
        return status;
    if (part->batch != NULL) {
        int64_t behind = part->batch->records[part->batch->count - 1].offset + 1;
        status = intake_try_push(part->intake, part->batch, feed->context);
        if (status == STATUS_FULL)
            return STATUS_OK;
        part->batch = NULL;
        part->bytes = 0;
        if (status != STATUS_OK)
            return status == STATUS_NO_MEMORY ? archive_feed_no_memory(feed) : status;
        part->pushed = behind;
        *ret_moved = true;
    }
    part->position = part->reading.position;
    *ret_moved = *ret_moved || part->position != before;
    intake_position(part->intake, part->position, part->reading.part->end);
    return STATUS_OK;
}

enum status archive_feed_turn(struct archive_feed *feed, bool *ret_moved)
{
    unsigned count = feed->stretch->count;
    enum status status = STATUS_OK;
    *ret_moved = false;
    feed->when = CLOCK_NEVER;
    for (unsigned i = 0; i < count && status == STATUS_OK; i++) {
        struct archive_part *part = &feed->parts[feed->turn];
        bool moved;
        if (intake_draining(feed->intake) || !has_room(feed))
            return STATUS_OK;
        status = pop(feed, part, &moved);
        *ret_moved = *ret_moved || moved;
        if (feed->inflater != NULL && (part->reading.loaded || part->batch != NULL))
            return status;
        feed->turn = (feed->turn + 1) % count;
    }
    return status;
}

bool archive_feed_is_at_end(const struct archive_feed *feed)
{
    bool enough = is_enough(feed);
    for (unsigned i = 0; i < feed->stretch->count; i++) {
        const struct archive_part *part = &feed->parts[i];
        if (part->batch != NULL || (!enough && !part->ended))
            return false;
    }
    return true;
}
