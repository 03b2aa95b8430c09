/*
 * The source's inside, shared by the files that make it:
 *
 *   source.c     config, open, the run loop, drain, close
 *   fetch.c      waiting for the topics, librdkafka's fetch limits out of the memory that is ours
 *   rebalance.c  assign and revoke
 *   partition.c  one assigned partition: popping its queue into batches, position
 *   commit.c     what may be committed -> stored, committed with a deadline
 *   corrupt.c    past a batch that can't be read
 *
 * One thread runs it all, but for the two callbacks that wake it. Each assigned partition's queue is split off the consumer's, so that a
 * partition can be left alone without stopping the others, and so that a pop gives records of one partition only.
 */
#ifndef WEIR_CONNECTORS_KAFKA_SOURCE_H
#define WEIR_CONNECTORS_KAFKA_SOURCE_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "connectors/kafka/client.h"
#include "connectors/kafka/connection.h"
#include "processor/connector.h"
#include "processor/intake.h"

enum kafka_start { KAFKA_START_EARLIEST, KAFKA_START_LATEST };
enum kafka_protocol { KAFKA_PROTOCOL_CLASSIC, KAFKA_PROTOCOL_CONSUMER };
enum kafka_on_corrupt { KAFKA_CORRUPT_SKIP, KAFKA_CORRUPT_STOP };

struct kafka_source_config {
    struct config_head head;
    struct kafka_connection connection;
    const char *group;
    struct config_list topics; /* const char * */
    int start, protocol, on_corrupt;
    const char *instance;
};

enum { KAFKA_POP_MAX = BATCH_RECORDS, KAFKA_EPOCHS = 4 };

/* Past which batch we are looking for the next good one: everything at or below `bad` is not readable, `good` (-1: none yet) is. */
struct kafka_search {
    bool on;
    int64_t from;  /* the first offset that is lost */
    int64_t base;  /* the broken batch's own first offset: tells it from another broken one */
    int64_t bad, good, step;
    int64_t at;    /* what was asked for last */
    bool again;    /* asking failed: ask again at the next tick */
    char reason[160];
};

struct kafka_partition {
    struct kafka_source *source;
    char *topic;
    int32_t id;
    rd_kafka_queue_t *queue;
    struct intake_partition *intake;
    _Atomic bool ready; /* the queue may have something */
    bool paused;        /* by us, in librdkafka */
    bool sought;        /* what is still at hand from before a seek is void */
    bool ended;         /* exit_at_end: all up to `until` was popped */
    int64_t position;   /* the next offset; -1 not known yet */
    int64_t eof;        /* the end as an event told it last; -1 none */
    int64_t pushed;     /* one behind the last record that was pushed; -1 none */
    int64_t stored;     /* the offset given to rd_kafka_offsets_store last; -1 none */
    uint32_t average;   /* bytes of a record, of late */
    struct {
        int64_t from; /* offsets from here on have this leader epoch */
        int32_t epoch;
    } epochs[KAFKA_EPOCHS]; /* the newest first */
    struct kafka_search search;
};

/* exit_at_end: where a partition ended when it was first assigned. Outlives revokes. */
struct kafka_end {
    char *topic;
    int32_t id;
    int64_t until; /* -1: not asked for yet */
};

struct kafka_source {
    const struct kafka_source_config *config;
    struct connector_env env;
    struct kafka_client client;
    rd_kafka_queue_t *events; /* the consumer's own queue: rebalances, errors, commits */
    rd_kafka_queue_t *replies; /* of commits that we wait for */
    struct intake *intake;
    struct context *context;
    int wake_fd;
    _Atomic bool woken;
    struct kafka_partition **partitions;
    unsigned count, room, turn;
    bool assigned; /* once at least */
    bool leaving;  /* revokes come because we leave: nothing to wait for */
    bool paused;   /* all partitions */
    int64_t no_room_since; /* 0: there is room */
    int64_t looked;        /* when positions and commits were looked after */
    struct kafka_end *ends;
    unsigned end_count;
    int64_t session;        /* ns: the group forgets us after so long without a heartbeat */
    bool stopped;           /* the run must end: by `failure`, or (class NONE) as the context ended */
    struct error failure;
    rd_kafka_message_t *messages[KAFKA_POP_MAX];
};

/* source.c */
void kafka_source_wake(struct kafka_source *source);
/* Notes why the run must end; the first reason stays. ERROR_NONE: the context ended. */
void kafka_source_fail(struct kafka_source *source, enum error_class class, const char *format, ...) PRINTF_LIKE(3, 4);
void kafka_source_tell_state(struct kafka_source *source);

/* fetch.c: waits until the topics are there and counts their partitions. STATUS_OK, or why not (context, drain: STATUS_CANCELLED). */
enum status kafka_topics_wait(struct kafka_source *source, const rd_kafka_conf_t *conf, unsigned *ret_partitions, struct error *error);
enum status kafka_fetch_limits(rd_kafka_conf_t *conf, const struct config_map *properties, int64_t memory, unsigned partitions,
                               struct error *error);

/* rebalance.c */
void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque);

/* partition.c */
struct kafka_partition *kafka_partition_new(struct kafka_source *source, const char *topic, int32_t id);
void kafka_partition_free(struct kafka_partition *partition); /* revokes it in the intake */
struct kafka_partition *kafka_partition_find(struct kafka_source *source, const char *topic, int32_t id);
/* Pops one batch at most and pushes it. True: there may be more at once. */
bool kafka_partition_pop(struct kafka_partition *partition);
/* The same for messages that are there already; destroys them. */
void kafka_partition_take(struct kafka_partition *partition, rd_kafka_message_t **messages, size_t count);
void kafka_partition_tell_position(struct kafka_partition *partition);
int32_t kafka_partition_epoch(const struct kafka_partition *partition, int64_t offset);
bool kafka_partition_seek(struct kafka_partition *partition, int64_t offset);

/* commit.c */
void kafka_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque);
/* Hands what may be committed to the auto-commit timer. */
void kafka_store_offsets(struct kafka_source *source);
/* Commits what may be committed of the partitions in `list` (NULL: of all) and waits for the answer until `until`. */
enum status kafka_commit(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list, int64_t until);

/* corrupt.c */
void kafka_corrupt_begin(struct kafka_partition *partition, int64_t base, const char *reason);
/* While a search is on: every record and every end of partition goes here. True: the record is to be taken as usual (the search is over). */
bool kafka_corrupt_answer(struct kafka_partition *partition, int64_t offset);
/* Asks again what could not be asked. */
void kafka_corrupt_tick(struct kafka_partition *partition);

#endif
