/*
 * The battery that every store must pass, written once. A store joins by one const record and a main of one line (test_NAME.c, found by wildcard); what cannot be tried with it stands
 * in the record with the reason.
 *
 * Each case has a subject: the store under test with a target of its own (a table, a topic, a folder), behind a fault proxy when there is a server. A case calls the store
 * directly, as the framework would, or lets the framework do it (processor/storing). At its end no thread, descriptor, batch or connection may be left.
 *
 * Records are numbered: record N has the offset N and a document that is a function of N, so that what is found in the target can be judged: missing, twice, corrupt, out of order.
 */
#ifndef WEIR_TESTS_CONFORMANCE_H
#define WEIR_TESTS_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/connector.h"
#include "tests/support/proxy.h"
#include "tests/support/storage.h"
#include "tests/support/stored.h"

enum { YAML_ROOM = 2048, NAME_ROOM = 4096, JSON_ROOM = 2 * NAME_ROOM };

struct subject;

/* The cases, so that a record can say which cannot be made. */
enum conformance_case {
    CASE_CONNECTS,
    CASE_MISTAKES,
    CASE_UNFIT,
    CASE_PROBE,
    CASE_BATCH,
    CASE_BAD_ROWS,
    CASE_TROUBLE,
    CASE_SERVER_KILLED,
    CASE_PROCESS_KILLED,
    CASE_HANGS,
    CASE_OPEN_HANGS,
    CASE_SERVER_STOPPED,
    CASE_ANSWER_LOST,
    CASE_SLOW_LINE,
    CASE_CLOSE_BUSY,
    CASE_CLOSE_HANGING,
    CASE_CANCELLED,
    CASE_NOTHING_LEFT,
    CASE_FULL_DISK,
    CASE_OFFSETS_READ,
    CASE_OFFSETS_MOVE,
    CASE_OFFSETS_ALONE,
    CASE_OFFSETS_ZOMBIE,
    CASE_OFFSETS_ALREADY,
    CASE_OFFSETS_DISCARD,
    CASE_OFFSETS_CRASH,
    CASE_OFFSETS_ANSWER_LOST,
    CASE_OFFSETS_SERVER_KILLED,
    CASE_OFFSETS_PROCESS_KILLED,
    CASES
};

/* A config that must be refused: its report says PLACE ("LINE:COLUMN") and has the words. yaml NULL ends a list. */
struct conformance_mistake {
    const char *yaml, *place, *words;
};

/* Bytes by which a request is known on the line. */
struct conformance_mark {
    const char *bytes;
    size_t size;
};

/* The topics of the source, with which offsets are moved: as many partitions as the cases need. */
#define CONFORMANCE_TOPIC "orders"
#define CONFORMANCE_OTHER_TOPIC "orders.eu-1_x"
enum { CONFORMANCE_PARTITIONS = 13 };

/* A server that tests may end and start again: of the programs that scripts/run-tests.sh starts. */
struct conformance_server {
    unsigned (*port)(void);       /* where it listens, on 127.0.0.1 */
    unsigned (*proxy_port)(void); /* where the proxy has to be; NULL: anywhere */
    void (*kill)(void);           /* SIGKILL, and waits until it is gone */
    void (*start)(void);          /* on the same port and data, and waits until it answers */
    void (*stop)(bool stopped);   /* SIGSTOP, SIGCONT: all of its processes */
};

/* What a store has stored, in the order of the target. */
struct tally;
void tally_row(struct tally *tally, int64_t id, const char *name);
void tally_json(struct tally *tally, const char *json, size_t size); /* the record's whole document */
void tally_corrupt(struct tally *tally);                             /* something that is no record at all */

enum disk { DISK_MAKE, DISK_ROOM, DISK_REMOVE };

struct conformance_store {
    const char *name;
    const struct store_type *type;
    const struct conformance_server *server; /* NULL: none */
    /* What stands under the store's key, for the subject's own target. */
    void (*config)(const struct subject *subject, char *yaml, size_t size);
    /* Makes what must be there before the store is opened (a topic). NULL: nothing. */
    void (*prepare)(struct subject *subject);
    /* Ends what prepare began. NULL: nothing. */
    void (*clean)(struct subject *subject);
    /* Tells all rows of the target, past the proxy. */
    void (*collect)(struct subject *subject, struct tally *tally);
    const struct conformance_mistake *mistakes;
    /* Makes a target that cannot take what comes, before the store is opened, and tells which words the refusal must have. */
    const char *(*make_unfit)(struct subject *subject);
    /* Adds a record that can never be stored; `kind` counts up, for stores that have several of these. */
    struct record *(*add_bad)(struct subject *subject, struct batch *batch, unsigned kind);
    /* Something that passes: begins or ends it. NULL: the proxy refuses all connections. */
    void (*trouble)(struct subject *subject, bool on);
    /* The store's next call gets no answer. NULL: the proxy is a black hole. */
    void (*hang)(struct subject *subject, bool on);
    /* DISK_MAKE: a small disk under the target, before the store is opened (false: not here); DISK_ROOM: makes it large. */
    bool (*disk)(struct subject *subject, enum disk what);
    /* What passes upwards right before the server makes a flush durable; NULL: each request is durable by itself. And with exactly-once delivery, if that is something else. */
    const struct conformance_mark *commit_mark, *offsets_commit_mark;
    /* Where the offsets are, when the type has no `read`; -1: nowhere. */
    int64_t (*read_offset)(struct subject *subject, const char *topic, int32_t partition);
    /* Is what was handed over since the last flush durable all together or not at all? If not, some of it may be there though the flush failed. */
    bool atomic;
    /* Why whole groups of cases cannot be made, where `server`, `hang` (and no server) or the type's `offsets` are NULL. */
    const char *no_server, *no_hang, *no_offsets;
    /* Why this one cannot; NULL: it can. */
    const char *not_made[CASES];
};

/* What a case asks of its subject's config. */
struct wishes {
    bool patient; /* nothing of the store's own limits how long a call waits: only its context does */
    bool bare;    /* nothing was made for it before */
    bool on_disk; /* the target is on the small disk */
    bool exactly_once;
};

struct subject {
    const struct conformance_store *store;
    struct wishes wishes;
    char name[48]; /* of the target: letters, digits and _ */
    struct stored stored;
    struct storage storage; /* from subject_start to subject_finish */
    struct ledger_partition *partition;
    struct proxy *proxy;   /* NULL: no server */
    void *own;             /* the record's */
    struct batch *pending; /* the case's: of a call in another thread */
    unsigned threads, descriptors;
};

/* The main of a store's program: runs all cases, asserts that those that are not made have a reason. */
int conformance_main(const struct conformance_store *store, int argc, char **argv);

/* -- the subject (subject.c) -- */

void subject_init(struct subject *subject, const struct conformance_store *store, struct wishes wishes);
/* Closes the store; asserts that nothing is left. */
void subject_fini(struct subject *subject);
/* The port for the store's config: the proxy's. */
unsigned subject_port(const struct subject *subject);

/* A disk of that size (tmpfs's `size`) on a new folder that belongs to the owner of `owner` (NULL: to us), gone at the latest when the program ends. False: not root, or no mounts here. */
bool conformance_mount(const char *folder, const char *size, const char *owner);
void conformance_enlarge(const char *folder, const char *size);
void conformance_unmount(const char *folder);
/* `disk` of a store whose target is just in that folder. */
bool conformance_disk(const char *folder, const char *size, enum disk what);

/* -- records and what became of them (tally.c) -- */

const char *conformance_name(int64_t id, char out[NAME_ROOM]);
const char *conformance_json(int64_t id, char out[JSON_ROOM]);
/* A batch of records `from` to `from + count - 1`. */
struct batch *conformance_batch(struct records *records, int64_t from, unsigned count);
void conformance_add(struct batch *batch, int64_t id);

struct tally {
    int64_t records; /* ids below this are expected */
    unsigned *times;
    bool *excused; /* by id: not expected */
    uint64_t rows, corrupt, spurious, inversions;
    int64_t newest;
};

/* Collects what is there now of the records 0 to records - 1. */
void subject_tally(struct subject *subject, int64_t records, struct tally *ret);
void tally_excuse(struct tally *tally, int64_t id);
uint64_t tally_missing(const struct tally *tally);
uint64_t tally_twice(const struct tally *tally); /* rows that are there once more than they should be */
void tally_fini(struct tally *tally);
/* Asserts that all are there, whole and in order; no more than `twice` rows too many. */
void subject_assert_stored(struct subject *subject, int64_t records, uint64_t twice);
/* How many rows there are now. */
uint64_t subject_rows(struct subject *subject);
/* Until there are so many rows. */
bool subject_wait_rows(struct subject *subject, uint64_t rows);

/* -- calling the store as the framework does (direct.c) -- */

enum status subject_open(struct subject *subject, int64_t deadline); /* ns from now; CLOCK_NEVER */
void subject_must_open(struct subject *subject);
/* Writes and flushes; whatever was rejected stays in the batch. */
enum status subject_put(struct subject *subject, struct batch *batch, struct context *context);
/* The same records, again and again while the failure is one that passes; asserts that it does. */
void subject_put_surely(struct subject *subject, int64_t from, unsigned count);
/* Asserts that it failed by something that passes, or by the end of its context. */
void subject_assert_passing(const struct subject *subject, enum status status);
void subject_trouble(struct subject *subject, bool on);
void subject_hang(struct subject *subject, bool on);
/* A call in a thread of its own. */
struct calling {
    struct subject *subject;
    struct context *context;
    enum status (*call)(struct subject *subject, struct context *context);
    pthread_t thread;
    enum status status;
};
void calling_start(struct calling *calling, struct subject *subject, struct context *context,
                   enum status (*call)(struct subject *subject, struct context *context));
enum status calling_join(struct calling *calling);

/* -- letting the framework call it (framed.c) -- */

void subject_start(struct subject *subject);
/* All of it but storage_start: what is pushed before that is there at once. */
void subject_set_up(struct subject *subject);
void subject_push(struct subject *subject, int64_t from, unsigned count);
void subject_push_batch(struct subject *subject, struct batch *batch);
/* Waits until all is stored; the store ends well. */
void subject_finish(struct subject *subject);
/* The same for the records 0 to records - 1 with exactly-once delivery: also when the store asks for all to be built anew (ERROR_RESTART), as often as it is sensible. */
void subject_finish_exactly(struct subject *subject, int64_t records);
/* Where the store stands, -1: nowhere. */
int64_t conformance_offset(struct subject *subject, const char *topic, int32_t partition);
/* Ends it wherever it is. */
void subject_abort(struct subject *subject);
int64_t subject_retries(struct subject *subject);

/* -- another process (killed.c) -- */

/* Stores batches of `size` records from `from` on in a process of its own, which is killed when `least` of them are durable. Returns how many were. */
unsigned subject_store_until_killed(struct subject *subject, int64_t from, unsigned size, unsigned least);
/* That process's main. */
int killed_main(const struct conformance_store *store, char **argv);

/* -- the cases -- */

typedef void conformance_run(struct subject *subject);
conformance_run case_connects, case_mistakes, case_unfit, case_probe, case_batch, case_bad_rows, case_trouble,
    case_server_killed, case_process_killed, case_hangs, case_open_hangs, case_server_stopped, case_answer_lost,
    case_slow_line, case_close_busy, case_close_hanging, case_cancelled, case_nothing_left, case_full_disk;
conformance_run case_offsets_read, case_offsets_move, case_offsets_alone, case_offsets_zombie, case_offsets_already,
    case_offsets_discard, case_offsets_crash, case_offsets_answer_lost, case_offsets_server_killed,
    case_offsets_process_killed;

#endif
