/*
 * The inside of the archive's source: what it reads, and how far it is. One frame is used up before another partition has its turn, so that one is in memory,
 * whatever number of partitions there is; only when records are to come as they came once (`speed`) each partition has its own, as each waits for its own
 * next record.
 */
#ifndef WEIR_CONNECTORS_ARCHIVE_FEED_H
#define WEIR_CONNECTORS_ARCHIVE_FEED_H

#include <pthread.h>

#include "connectors/archive/catalog.h"
#include "connectors/archive/reading.h"
#include "processor/intake.h"
#include "processor/offsets.h"
#include "processor/pace.h"

struct archive_part {
    struct archive_reading reading;
    struct intake_partition *intake; /* NULL: nothing is left to read, or not assigned */
    struct batch *batch;             /* in the hand: not pushed yet */
    size_t bytes;                    /* of the batch */
    int64_t position;                /* all before it is pushed, or not wanted */
    int64_t pushed;                  /* behind the last record that was pushed; -1: none */
    int64_t committed;               /* as it was told */
    bool ended, paused;
    bool fresh; /* no run has begun under the name */
};

struct archive_feed {
    const struct archive_source_config *config;
    const struct stretch *stretch;
    struct offsets *offsets;
    const char *service;
    struct intake *intake;
    struct context *context;
    struct error *error;
    struct archive_catalog catalog;
    struct archive_inflater *inflater; /* shared; NULL: each part has its own */
    struct archive_part *parts;        /* of the stretch's, in their order */
    unsigned turn;
    struct pace pace;
    int64_t taken;        /* records that the filter let through, those of earlier runs of this process too */
    int64_t taken_before; /* in those */
    int64_t when;         /* the soonest that a record is due; CLOCK_NEVER: none waits for that */
    int64_t no_room_since;
    int64_t saved_at;
    uint8_t *headers; /* packed, of one record */
    size_t headers_room;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool woken; /* mutex */
    int lock;   /* of the progress; -1: none is kept */
};

enum status archive_feed_no_memory(struct archive_feed *feed);
/* A batch from each partition, or with a shared inflater from the one whose frame is not used up. *ret_moved: it was not in vain. */
enum status archive_feed_turn(struct archive_feed *feed, bool *ret_moved) WARN_UNUSED;
bool archive_feed_is_at_end(const struct archive_feed *feed);

#endif
