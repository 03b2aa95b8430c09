/*
 * The source's inside, shared by the files that make it:
 *
 *   config.c     what stands under `kafka:`
 *   source.c     open, the run loop, close
 *   leave.c      the end: exit at end, drain, leaving the group
 *   topics.c     which topics are there
 *   fetch.c      librdkafka's fetch limits out of the memory that is ours; pause and resume
 *   rebalance.c  assign and revoke
 *   partition.c  one assigned partition: what comes out of its queue, its position
 *   hand.c       messages -> batches -> intake
 *   commit.c     what may be committed -> stored, committed with a deadline
 *   corrupt.c    past a batch that can't be read
 *   member.c     who we are in the group, for a store that moves its offsets
 *   stretch.c    instead of the group's share: a stretch (stretch.h), assigned by ourselves
 *   pacing.c     at the pace of a stretch
 *
 * One thread runs it all, but for the two callbacks that wake it and for member.c. Each assigned partition's queue is split off the consumer's, so that a
 * partition can be left alone without stopping the others, and so that a pop gives records of one partition only.
 */
#ifndef WEIR_CONNECTORS_KAFKA_SOURCE_H
#define WEIR_CONNECTORS_KAFKA_SOURCE_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "connectors/kafka/client.h"
#include "connectors/kafka/connection.h"
#include "processor/connector.h"
#include "processor/intake.h"
#include "processor/pace.h"

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
#define KAFKA_TICK (500 * CLOCK_MS)

/* Past which batch we are looking for the next good one: everything at or below `bad` is not readable, `good` (-1: none yet) is. */
struct kafka_search {
    bool on;
    int64_t from; /* the first offset that is lost */
    int64_t bad, good, step;
    int64_t at;       /* what was asked for last */
    int64_t asked_at; /* when */
    bool again;       /* asking failed: ask again at the next tick */
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
    bool ended;         /* exit_at_end: all up to `until` was taken */
    bool done;          /* of a stretch: ended, and fetched no more */
    int64_t until;      /* exit_at_end: -1 not known */
    int64_t position;   /* the next offset; -1 not known yet */
    int64_t eof;        /* from where we read on there is nothing up to this end, as an event told last; -1 none did */
    int64_t asked_end;  /* the end as the broker answered last; -1 none */
    int64_t pushed;     /* one behind the last record that was pushed; -1 none */
    int64_t stored;     /* the offset given to rd_kafka_offsets_store last; -1 none */
    uint32_t average;   /* bytes of a record, of late */
    struct {
        int64_t from; /* offsets from here on have this leader epoch */
        int32_t epoch;
    } epochs[KAFKA_EPOCHS]; /* the newest first */
    struct kafka_search search;
    struct kafka_stash *stash; /* pacing.c: popped, and not due yet; NULL: the source is not paced by time */
};

/* What was popped and has not got into the intake yet: when there is no room half-way, it waits here, so that the source never does. */
struct kafka_hand {
    struct kafka_partition *partition; /* NULL: the hand is empty */
    struct batch *batch;               /* being filled; NULL: none begun */
    size_t bytes;                      /* of its keys, values and headers */
    size_t next, count;                /* of the messages */
    rd_kafka_message_t *messages[KAFKA_POP_MAX];
};

struct kafka_pacing {
    bool on;
    bool based;    /* pace knows the first record's timestamp */
    int64_t began; /* when the run did */
    int64_t until; /* when something is due next */
    struct pace pace;
};

struct kafka_source {
    const struct kafka_source_config *config;
    struct connector_env env;
    struct kafka_client client;
    rd_kafka_queue_t *events;  /* the consumer's own queue: rebalances, errors, commits */
    rd_kafka_queue_t *replies; /* of commits that we wait for */
    struct intake *intake;
    struct context *context;
    int wake_fd;
    _Atomic bool woken;
    struct kafka_partition **partitions;
    unsigned count, room, turn;
    unsigned asking;       /* whose end is asked for next */
    unsigned planned;      /* partitions that the fetch limits are made for */
    bool assigned;         /* once at least */
    bool leaving;          /* nothing is taken any more, and what the group says is its good-bye */
    bool gave_back;        /* while leaving: the good-bye is answered */
    bool paused;           /* all partitions */
    int64_t no_room_since; /* 0: there is room */
    int64_t looked;        /* when positions and commits were looked after */
    int64_t topics_looked;
    unsigned topics_missing; /* topics of the config that are not there */
    char missing[160];       /* the first of them, in words */
    int64_t session;         /* ns: the group forgets us after so long without a heartbeat */
    int64_t patience;        /* ns: so long librdkafka may go without being talked to, and time is left */
    bool elsewhere;          /* the store commits, not we: see intake_commits_elsewhere */
    pthread_mutex_t member_mutex;
    rd_kafka_t *member; /* member_mutex: the handle, from the joining to the leaving; else NULL */
    bool stopped;       /* the run must end: by `failure`, or (class NONE) as the context ended */
    struct error failure;
    struct kafka_hand hand;
    /* A stretch; NULL: as a member of the group. */
    const struct stretch *stretch;
    bool silent;  /* nothing is committed */
    bool filters; /* it does not want every record */
    int64_t left; /* so many records may still be taken */
    int64_t most; /* `left` at the start */
    struct kafka_pacing pacing;
    int64_t run;        /* when it began, ms since 1970 */
    char (*seals)[192]; /* KAFKA_SEAL: of its parts */
    struct {
        rd_kafka_queue_t *queue; /* NULL: nothing was asked yet */
        bool asking;
        int64_t asked_at;
    } rival;
};

/* config.c */
extern const struct config_field kafka_source_config_field;
/* Does the source consume this topic? */
bool kafka_source_consumes(const struct kafka_source_config *config, const char *topic);
bool kafka_topic_is_pattern(const char *topic);
/* The consumer's rd_kafka_conf_t, without the fetch limits. NULL: see error. */
rd_kafka_conf_t *kafka_source_conf(const struct kafka_source_config *config, struct error *error);

/* source.c */
void kafka_source_wake(struct kafka_source *source);
/* Until it is woken or the time has come. */
void kafka_source_wait(struct kafka_source *source, int64_t until);
/* Notes why the run must end; the first reason stays. ERROR_NONE: the context ended. */
void kafka_source_fail(struct kafka_source *source, enum error_class class, const char *format, ...) PRINTF_LIKE(3, 4);
void kafka_source_tell_state(struct kafka_source *source);
/* Serves the main queue: rebalances, commits, errors. */
void kafka_source_serve(struct kafka_source *source);
/* What is to be done every KAFKA_TICK; nothing in between. */
void kafka_source_tick(struct kafka_source *source);

/* topics.c: waits until a topic is there and counts the partitions. STATUS_OK; STATUS_CLOSED: a drain began; or the context's status, or FAILED. */
enum status kafka_topics_wait(struct kafka_source *source, unsigned *ret_partitions, struct error *error);
/* While topics are missing, looks for them now and then, and says when they came. */
void kafka_topics_look(struct kafka_source *source);

/* fetch.c */
enum status kafka_fetch_limits(rd_kafka_conf_t *conf, const struct config_map *properties, int64_t memory,
                               unsigned partitions, struct error *error);
/* May more be popped? Keeps the books on how long not. */
bool kafka_fetch_may(struct kafka_source *source);
/* Pauses all partitions when there has been no room for long. */
void kafka_fetch_tick(struct kafka_source *source);
/* The same pause for partitions that come while it lasts. */
void kafka_fetch_pause_new(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list);

/* rebalance.c */
/* Exactly once: the store knows better where a partition starts. NULL: it could not be asked, and the run ends, or a drain began, for which no partition is needed. */
struct offset_start *kafka_find_store_starts(struct kafka_source *source, rd_kafka_topic_partition_list_t *list);
void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque);

/* partition.c */
/* next: the offset of the first record to come, -1 not known. */
struct kafka_partition *kafka_partition_new(struct kafka_source *source, const char *topic, int32_t id, int64_t next);
void kafka_partition_free(struct kafka_partition *partition); /* revokes it in the intake; NULL is fine */
struct kafka_partition *kafka_partition_find(struct kafka_source *source, const char *topic, int32_t id);
/* Is the message the record that comes next, or else one that is to be taken all the same? Deals with errors, events, gaps. */
bool kafka_partition_accepts(struct kafka_partition *partition, const rd_kafka_message_t *message);
bool kafka_partition_is_next(const struct kafka_partition *partition, const rd_kafka_message_t *message);
void kafka_partition_note_epochs(struct kafka_partition *partition, rd_kafka_message_t *const *messages, size_t count);
int32_t kafka_partition_epoch(const struct kafka_partition *partition, int64_t offset);
void kafka_partition_tell_position(struct kafka_partition *partition);
/* Is its end known as well as a fetch tells it? */
bool kafka_partition_knows_end(const struct kafka_partition *partition);
/* Asks the broker for the end, and for where the partition begins when nothing was consumed yet. Blocks for a second at most. */
void kafka_partition_ask_end(struct kafka_partition *partition);
bool kafka_partition_seek(struct kafka_partition *partition, int64_t offset);

/* hand.c */
/* Pops one batch at most into the empty hand and from there into the intake. True: it popped something. */
bool kafka_hand_pop(struct kafka_source *source, struct kafka_partition *partition);
bool kafka_hand_pop_some(struct kafka_source *source, struct kafka_partition *partition, size_t most); /* messages */
/* Goes on with what is in the hand. False: there is no room for the rest of it. */
bool kafka_hand_empty(struct kafka_source *source);
/* The first `count` of hand.messages are this partition's: on with them. */
void kafka_hand_begin(struct kafka_source *source, struct kafka_partition *partition, size_t count);
/* Forgets what is in the hand of this partition (NULL: of any): it was never issued. */
void kafka_hand_drop(struct kafka_source *source, const struct kafka_partition *partition);

/* pacing.c */
/* As kafka_hand_pop, what is due. */
bool kafka_pacing_pop(struct kafka_source *source, struct kafka_partition *partition);
/* Before a round of pops: when is the next record due is to be found out. */
void kafka_pacing_round(struct kafka_source *source);
void kafka_stash_drop(struct kafka_partition *partition);

/* stretch.c */
/* Is the message one of the stretch? */
bool kafka_stretch_wants(struct kafka_source *source, const rd_kafka_message_t *message);
/* As far as its key and timestamp tell. */
bool kafka_stretch_may_want(const struct kafka_source *source, const rd_kafka_message_t *message);
/* One record more was taken. */
void kafka_stretch_took(struct kafka_source *source);
/* What is kept with the partition's offset; NULL: nothing. Any thread. */
const char *kafka_stretch_seal(const struct kafka_source *source, const char *topic, int32_t partition);
/* Finds where the parts begin, and assigns them. STATUS_OK; STATUS_CLOSED: a drain began; or the context's status, or FAILED. */
enum status kafka_stretch_begin(struct kafka_source *source, struct error *error);
void kafka_stretch_tick(struct kafka_source *source);
void kafka_stretch_leave(struct kafka_source *source);

/* stretch_rival.c: now and then asks whether another run, which began later, keeps its progress under the same name; the run ends then. Never waits. */
void kafka_rival_tick(struct kafka_source *source);

/* commit.c */
void kafka_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque);
/* Hands what may be committed to the auto-commit timer; or, where the store commits, tells what it has. */
void kafka_store_offsets(struct kafka_source *source);
/* Commits what may be committed of the partitions in `list` (NULL: of all) and waits for the answer until `until`. */
enum status kafka_commit(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list, int64_t until);
/* Commits these very offsets and waits for the answer until `until`. */
enum status kafka_commit_list(struct kafka_source *source, const rd_kafka_topic_partition_list_t *offsets,
                              int64_t until);
/* Commits this very offset, also one behind what is committed already; does not wait. Not where the store commits. */
void kafka_commit_back(struct kafka_partition *partition, int64_t offset);

/* member.c */
void kafka_member_set(struct kafka_source *source, rd_kafka_t *rk);
/* What the group knows us by now; NULL: we are no member. Any thread. */
rd_kafka_consumer_group_metadata_t *kafka_member_metadata(struct kafka_source *source);

/* corrupt.c */
/* The batch at the position can't be read, says librdkafka; or, while a search is on: that is the answer. base: its first offset, as far as it can be told. */
void kafka_corrupt_begin(struct kafka_partition *partition, int64_t base, const char *reason);
/* While a search is on: every record and every end of partition goes here. True: the record is to be taken as usual (the search is over). */
bool kafka_corrupt_answer(struct kafka_partition *partition, int64_t offset);
/* Asks again what could not be asked, or was not answered. */
void kafka_corrupt_tick(struct kafka_partition *partition);

/* leave.c */
/* exit_at_end: notes where the partition ends now, unless that is known, from an earlier assignment or run too. */
void kafka_end_note(struct kafka_partition *partition);
void kafka_end_forget(struct kafka_partition *partition);
/* True: every assigned partition has come to its end. */
bool kafka_end_reached(struct kafka_source *source);
/* Waits for the verdicts and commits. STATUS_OK, or STATUS_DEADLINE, or the context's. */
enum status kafka_drain(struct kafka_source *source);
/* Leaves the group (a static member keeps its place) within `patience` ns and gives all partitions back. */
void kafka_leave(struct kafka_source *source, int64_t patience);

#endif
