/*
 * The contracts of what is outside: a source, a store, the dead-letter sink. Each is one const record, named in connectors/list.h.
 */
#ifndef WEIR_PROCESSOR_CONNECTOR_H
#define WEIR_PROCESSOR_CONNECTOR_H

#include <stdbool.h>

#include "processor/batch.h"
#include "processor/context.h"
#include "processor/error.h"

struct config_field;
struct config_map; /* config/table.h */
struct config_node;
struct config_report;
struct dead_letter;
struct health;
struct intake;
struct lag_report;
struct metrics;
struct offsets;
struct probe; /* config/probe.h */
struct stretch;
struct stretch_request;
struct ticket;

struct connector_env {
    const char *service; /* the config's `service` */
    const char *name;    /* of this source or store in the config */
    struct metrics *metrics;
    struct health *health;   /* for what only the connector knows; may be NULL */
    const char *config_dir;  /* relative paths of what is read begin here; of what is written, where we run */
    struct offsets *offsets; /* sources: where a partition ends is remembered here for the next run (exit_at_end) */
    bool exit_at_end;        /* sources: stop at the end offsets seen at the start */
    const struct stretch
        *stretch;        /* sources: just this, then the end, see struct source_stretch; NULL: what the config says */
    int64_t fetch_bytes; /* sources: for what is fetched ahead, outside the budget; 0: the source's own idea */
    int64_t
        send_bytes; /* stores: for copies under way to the other side, outside the budget; 0: the store's own idea */
    /* The source's type and config, so that what writes to the same system can connect as the source does; NULL: none. */
    const char *source_name;
    const void *source_config;
    void *const *source; /* where the opened source stands from before its first record comes; NULL: nowhere */
    bool exactly_once;   /* stores: offsets are moved in them, see struct store_offsets */
    struct probe *probe; /* `weir check --live`, see store_type.open and source_type.probe; NULL: in earnest */
};

/* `errors.dead_letter` of the config. */
struct dead_letter_config {
    const char *topic;                   /* NULL: none */
    const struct config_map *properties; /* strings; may be NULL */
};

/* Where a store stands in a partition: what is behind `offset` it does not have yet. */
struct offset_start {
    const char *topic;
    int32_t partition;
    int64_t offset; /* the answer; -1: the store knows nothing of the partition */
};

/* What the records of one partition that were handed over since the last flush move the store's offset by. */
struct offset_move {
    const char *topic;
    int32_t partition;
    int64_t from; /* what the store has: from its last move, or its answer at the assignment (-1) */
    int64_t to;   /* one behind the last record that is stored then, or has its verdict otherwise */
};

/*
 * Exactly-once delivery: a store that keeps the offsets of what it stored, moved in the very transaction that stores the records. The offsets of one service
 * are told apart from another's by env->service. Whoever crashes, stops for an hour or loses its partitions in between: either the records are there and the
 * offset behind them is, or neither.
 */
struct store_offsets {
    /* Fills in the answers. Called by the source's thread at an assignment, while a store may be open in another, and by the worker before it makes dead
     * letters of records that its store refused: opens what it needs of its own, and closes it. NULL: the source's committed offsets are the store's (it
     * moves them in its transaction). Bounded, to some seconds. ERROR_TRANSIENT: asked again, with backoff. */
    enum status (*read)(const void *config, const struct connector_env *env, struct offset_start *starts,
                        unsigned count, struct context *context, struct error *error);
    /*
     * Puts the moves into the transaction that the flush which follows will end; nothing may have been handed over since the last flush (records that were
     * all dropped by a rule). Each by compare-and-swap: where the store has `from` it has `to` now. Where all have `to` already, an earlier flush of the same
     * came through although it seemed to fail: what was handed over is forgotten, and the flush succeeds. Anything else: somebody else stores this partition;
     * ERROR_RESTART, and nothing is stored ("fenced"). Fails as flush does otherwise, with everything forgotten that was handed over since the last flush.
     *
     * When the outcome of a flush is not known (the connection was lost at the commit), the store looks at the offsets of that flush's moves before it takes
     * anything again, as rows that are there already would look like conflicts; when they have moved, it takes what comes and stores none of it, until the
     * next flush has succeeded, or a move shows that these are other records (that flush was given up): ERROR_TRANSIENT, and they are stored when they come
     * again. And a flush that succeeds has found no record wrong: the offset would be past a record that is no dead letter yet.
     */
    enum status (*move)(void *store, const struct offset_move *moves, unsigned count, struct context *context,
                        struct error *error);
    /* Forgets everything that was handed over since the last flush, as after a failed one: some of it belongs to a partition that is not ours any more. */
    void (*discard)(void *store);
    /* ns between two flushes when the config says nothing; 0: as with at_least_once. For a store whose flush is only then what makes records seen. */
    int64_t flush_interval;
};

/* What a store would write for one record, as far as that can be told without the other side. What it has not is NULL, or VALUE_MISSING. */
struct store_preview {
    struct value
        row; /* a store of rows: its columns as a JSON object, before the database makes its own types of them */
    struct bytes topic;   /* a store of messages: where they go, ... */
    struct bytes key;     /* ... under which key, ... */
    struct bytes headers; /* ... with which headers (headers.h) */
};

/*
 * A store. One thread calls it at a time.
 *
 * write hands over a batch, flush makes durable whatever was handed over. The framework holds the batches until then, settles them when flush succeeded, and
 * after a failed flush hands them all again: so flush is all or nothing, and after its failure the store has forgotten everything since the last success.
 * The batch stays valid until it is settled or handed again: a store may point into it.
 *
 * write: goes through BATCH_EACH, encodes or sends, and answers STAGE_REJECT for records that can never be stored. STATUS_FAILED with
 * ERROR_TRANSIENT: nothing of this batch was taken; the framework backs off and calls again with the same batch.
 * flush: STATUS_FAILED with ERROR_TRANSIENT: back off, write all again, flush again. Records found wrong only now get STAGE_REJECT in their batch before
 * flush returns STATUS_FAILED/ERROR_RECORD: the framework dead-letters them and hands the rest again.
 * Either: ERROR_RESTART tears the group down and rebuilds it from the committed offsets, ERROR_FATAL stops the service.
 * Both end soon after the context ends, with STATUS_CANCELLED or STATUS_DEADLINE.
 */
struct store_type {
    const char *name; /* the YAML key */
    const char *help;
    const struct config_field *config;
    /*
     * Opens and checks; makes tables. ERROR_TRANSIENT: not reachable now, called again with backoff. With env->probe: looks whether the other side answers
     * and has what the config asks for, or would let us make it, and changes nothing there: no table, topic, folder, file or offset is made, nothing is
     * repaired or locked for long. Tells what it finds wrong with probe_tell, all of it and at its place; what it answers as an error is told at the store's
     * own place. Only close follows, and *ret_store may be NULL. Records are never handed over.
     */
    enum status (*open)(const void *config, const struct connector_env *env, struct context *context, void **ret_store,
                        struct error *error);
    enum status (*write)(void *store, struct batch *batch, struct context *context, struct error *error);
    enum status (*flush)(void *store, struct context *context, struct error *error);
    /* Optional, for stores whose acknowledgements come by themselves: how many of the batches handed over since the last flush are durable by now,
     * oldest first (the framework settles these and takes them off the count). Never blocks. flush is still called, when none came for flush_interval: a
     * failure has no other way to be told. */
    unsigned (*acked)(void *store); /* not called for exactly-once delivery */
    /* Optional: called about every half second while nothing comes and nothing is handed over that is not durable: for what only time brings (a file that
     * is old enough to be finished). Does not wait for the other side. */
    void (*idle)(void *store);
    /* What was not flushed is lost (the ledger knows). NULL is fine. Ends within a few seconds whatever the other side does. */
    void (*close)(void *store);
    const struct store_offsets *offsets; /* NULL: it cannot keep offsets, at least once is all that it can promise */
    /* Optional: can this config of it keep them? Else *ret_why says what stands in the way, and where. */
    bool (*can_keep_offsets)(const void *config, const struct config_node **ret_node, const char **ret_why);
    /* Optional: may a service have this store and `other`, of the same type, beside each other (both writing the same file)? Else *ret_why says what was
     * expected of `config`, and *ret_node where (NULL: the store). */
    bool (*can_stand_beside)(const void *config, const void *other, const struct config_node **ret_node,
                             const char **ret_why);
    /* Optional: may it stand behind this source (of a type by that name), or is it one into the other? As can_stand_beside. */
    bool (*can_stand_behind)(const void *config, const char *source_name, const void *source_config,
                             const struct config_node **ret_node, const char **ret_why);
    /* Optional, for `weir test`: what it would write, made in arena. Rejects what write would reject whatever the other side says. STATUS_OK or
     * STATUS_NO_MEMORY. NULL: the document as it is encoded, and nothing else. */
    enum status (*preview)(const void *config, struct batch *batch, struct record *record, struct arena *arena,
                           struct store_preview *ret);
    /* Optional: does a record that is stored once more take the place of what it left the first time? NULL: it is there twice then. */
    bool (*replaces)(const void *config);
    /* How much to hand over between two flushes when the config says nothing: a store that is cheap to flush says little. */
    uint32_t flush_records;
    int64_t flush_interval; /* ns */
};

/*
 * How far the service is behind, asked from outside (`weir lag`): whether it runs or not, it does not notice. Joins no group, commits nothing, makes
 * nothing. Every function ends soon after the context does; its deadline is the time that the other side has. ERROR_TRANSIENT: the other side does not
 * answer now; look may be called again. One thread.
 */
struct source_lag {
    /* Asks nobody yet. */
    enum status (*open)(const void *config, const struct connector_env *env, void **ret_lag, struct error *error);
    /* Adds a sample of each partition, and what could not be told (a topic that is missing) as a problem; those of the last look are cleared first. */
    enum status (*look)(void *lag, struct lag_report *report, struct context *context, struct error *error);
    /* Fills in `oldest` and `nothing_there` where there is lag, by fetching one record of each such partition. What does not come in time stays unknown. */
    void (*date)(void *lag, struct lag_report *report, struct context *context);
    void (*close)(void *lag); /* NULL is fine */
};

/*
 * A source of which any stretch can be read again, beside the live service and unnoticed by it. With env->stretch its `run` reads that: it joins no group,
 * and commits nothing but how far the stretch has been worked through, under the stretch's own name, if it has one: with the same rule as ever, only what
 * has its verdict. Every part ends exactly before its `end`, gaps there or not; what the filter does not let through never enters the pipeline.
 */
struct source_stretch {
    /* What the request comes to, with what an earlier run under its name has left. The request lives as long as the stretch. Writes nothing. Ends soon after
     * the context does; ERROR_TRANSIENT: the other side does not answer now; ERROR_FATAL: what is asked for is not there (a topic or partition by that
     * name), or stands against an earlier request of that name. */
    enum status (*find)(const void *config, const struct connector_env *env, const struct stretch_request *request,
                        struct stretch **ret, struct context *context, struct error *error);
};

/*
 * A source. run is its thread: consumes into the intake until the intake drains (intake.h), then waits for the ledger, commits and leaves.
 * It must return soon after the context ends, whatever the other side does.
 */
struct source_type {
    const char *name;
    const char *help;
    const struct config_field *config;
    enum status (*open)(const void *config, const struct connector_env *env, struct context *context, void **ret_source,
                        struct error *error);
    /* STATUS_OK: drained and committed. STATUS_DEADLINE: the drain's deadline passed; what had its verdict is committed. STATUS_CANCELLED: the context
     * ended. STATUS_FAILED: see error. */
    enum status (*run)(void *source, struct intake *intake, struct context *context, struct error *error);
    void (*close)(void *source);
    /* Optional, for `weir check --live`: does the other side answer, is there what the config asks for, may we have it, and is there a place for dead letters
     * (topic NULL: none are wanted; they stand at letters_node)? Tells every problem at its place into env->probe. Changes nothing: joins no group, makes no
     * topic, commits nothing. Returns soon after the context ends; the deadline is the time that the other side has to answer. */
    void (*probe)(const void *config, const struct dead_letter_config *letters, const struct config_node *letters_node,
                  const struct connector_env *env, struct context *context);
    const struct source_lag *lag;         /* NULL: this kind of source has no such thing */
    const struct source_stretch *stretch; /* likewise */
    /* For `weir dlq`: a config of this source that reads the topic of dead letters instead of its own; it shares that one's memory, and is freed by free().
     * NULL: no memory. */
    void *(*read_dead_letters)(const struct dead_letter_config *config, const void *source_config);
    /* The store that brings records back to where they came from (record_topic), and what would stand under its key in a config; NULL: there is none. */
    const struct store_type *back;
    const char *back_config;
    /* The sink for rejected records that belongs to this kind of source; NULL: it has none. env->source_config is the source's. Opens lazily: a broker that
     * is away is no error here. */
    enum status (*open_dead_letter)(const struct dead_letter_config *config, const struct connector_env *env,
                                    struct context *context, struct dead_letter **ret, struct error *error);
    /* Judges `errors.dead_letter` (which stands at node) into the report, without the other side. Optional. */
    void (*check_dead_letter)(const struct dead_letter_config *config, const void *source_config,
                              const struct config_node *node, struct config_report *report);
};

/*
 * Where rejected records go. write copies what it needs and returns; the ticket's record is settled (VERDICT_DEAD_LETTERED) only when the other side
 * acknowledged. Blocks (within the context) while the sink's buffer is full: back-pressure, never loss. Threads: any.
 */
struct dead_letter {
    /* record->failure tells stage, class and message. service, attempts and the rest go into headers. all_branches: settle with ticket_settle_all_branches
     * (rejected before the stores), else with ticket_settle (by one store). STATUS_FAILED with ERROR_FATAL: can never be delivered. */
    enum status (*write)(struct dead_letter *sink, const struct batch *batch, const struct record *record,
                         bool all_branches, struct context *context, struct error *error);
    enum status (*flush)(struct dead_letter *sink, struct context *context, struct error *error);
    void (*close)(struct dead_letter *sink);
};

#endif
