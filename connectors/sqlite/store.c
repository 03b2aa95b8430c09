/*
 * The SQLite store. One transaction from the first write to the flush: rows are stepped as they come, so that a bad one is told at once, and COMMIT is
 * the flush. A failed INSERT undoes only itself (SQLite's statement-level abort), so a rejected row leaves the others alone.
 *
 * Trouble with the database rolls the whole transaction back, and earlier batches in it are lost with it (lost.h).
 *
 * Exactly once: the offsets move in the same transaction, just before the COMMIT (offsets.h). After a COMMIT that failed they are looked at before any row is
 * written again: should it have come through all the same, the rows are there, and would be refused as duplicates by a table with a key.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/sqlite/bind.h"
#include "connectors/sqlite/config.h"
#include "connectors/sqlite/database.h"
#include "connectors/sqlite/offsets.h"
#include "connectors/sqlite/probe.h"
#include "processor/clock.h"
#include "processor/connector.h"
#include "processor/lost.h"

/* A few documents with escapes may need much room in scratch: it is given back beyond this. */
enum { SCRATCH_MAX = 1024 * 1024 };

struct sqlite_store {
    const struct sqlite_config *config;
    const struct sqlite_column *columns;
    bool *key; /* by column */
    sqlite3 *db;
    sqlite3_stmt *insert, *begin, *commit, *rollback;
    struct arena scratch;
    struct context *context; /* of the call under way: for the busy handler */
    int64_t busy_since;
    struct sqlite_offsets offsets; /* all NULL: at least once */
    bool begun;                    /* a transaction */
    bool moved;                    /* the offsets, in it */
    bool unknown;                  /* did the last commit come through? */
    bool passed;                   /* it did: what is handed over until the next flush is stored already */
    struct error lost;             /* the transaction is gone, and what was handed over with it (lost.h) */
};

/* Waits a little longer each time, up to busy_timeout or the end of the context. */
static int wait_busy(void *arg, int count)
{
    struct sqlite_store *store = arg;
    int64_t now = clock_now();
    int64_t pause = count < 6 ? CLOCK_MS << count : 50 * CLOCK_MS;
    if (count == 0)
        store->busy_since = now;
    if (now - store->busy_since >= store->config->busy_timeout)
        return 0;
    return context_sleep(store->context, pause) == STATUS_OK;
}

/* When the context ended while SQLite waited, that is the answer. */
static enum status failed(struct sqlite_store *store, int code, const char *what, struct error *error)
{
    enum status status = context_status(store->context);
    int primary = code & 0xff;
    if (status != STATUS_OK && (primary == SQLITE_BUSY || primary == SQLITE_LOCKED))
        return status;
    return sqlite_failed(store->db, code, store->config->path, what, error);
}

static void forget(struct sqlite_store *store)
{
    if (!sqlite3_get_autocommit(store->db)) {
        sqlite3_step(store->rollback);
        sqlite3_reset(store->rollback);
    }
    store->begun = store->moved = false;
}

static int run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum status begin(struct sqlite_store *store, struct error *error)
{
    if (store->begun)
        return STATUS_OK;
    int code = run(store->begin);
    if (code != SQLITE_OK)
        return failed(store, code, "cannot begin a transaction", error);
    store->begun = true;
    return STATUS_OK;
}

static enum status settle(struct sqlite_store *store, struct error *error)
{
    enum sqlite_moved moved = MOVED_NOT;
    if (!store->unknown)
        return STATUS_OK;
    int code = sqlite_offsets_recall(&store->offsets, store->config->path, &moved, error);
    if (code != SQLITE_OK)
        return failed(store, code, "cannot look whether the last transaction came through", error);
    store->unknown = false;
    store->passed = moved == MOVED_ALREADY;
    return moved == MOVED_FENCED ? STATUS_FAILED : STATUS_OK;
}

static void reject_row(struct sqlite_store *store, struct batch *batch, struct record *record, int code)
{
    int primary = code & 0xff;
    const char *class = "constraint";
    if (primary == SQLITE_TOOBIG)
        class = "size";
    else if (primary == SQLITE_MISMATCH || code == SQLITE_CONSTRAINT_DATATYPE)
        class = "type";
    batch_reject(batch, record, class, "table \"%s\": %s", store->config->table, sqlite3_errmsg(store->db));
}

static enum status reject_value(struct sqlite_store *store, struct batch *batch, struct record *record, uint32_t column,
                                enum bind_result result, struct error *error)
{
    const char *name = store->config->columns.keys[column];
    switch (result) {
    case BIND_TYPE:
        batch_reject(batch, record, "type", "column \"%s\": expected a JSON object, as %s is looked up in it", name,
                     store->columns[column].from.path.text);
        return STATUS_OK;
    case BIND_UTF8:
        batch_reject(batch, record, "utf8", "column \"%s\": its value is not valid UTF-8", name);
        return STATUS_OK;
    case BIND_NULL:
        batch_reject(batch, record, "constraint", "column \"%s\" is in the key, and has no value in this record", name);
        return STATUS_OK;
    default:
        return error_set(error, ERROR_TRANSIENT, "out of memory for a row of %s", store->config->path);
    }
}

static enum status write_row(struct sqlite_store *store, struct batch *batch, struct record *record,
                             struct error *error)
{
    int code;
    for (uint32_t i = 0; i < store->config->columns.count; i++) {
        enum bind_result result = sqlite_bind_column(store->insert, (int)i + 1, &store->columns[i], store->key[i],
                                                     batch, record, &store->scratch);
        if (result != BIND_OK)
            return reject_value(store, batch, record, i, result, error);
    }
    code = sqlite3_step(store->insert);
    if (code != SQLITE_DONE) {
        if (sqlite_error_class(code) != ERROR_RECORD) {
            enum status status = failed(store, code, "cannot write a row", error);
            sqlite3_reset(store->insert);
            return status;
        }
        reject_row(store, batch, record, code);
    }
    sqlite3_reset(store->insert);
    /* A trigger or an ON CONFLICT ROLLBACK of the table may end more than the row. */
    if (code != SQLITE_DONE && sqlite3_get_autocommit(store->db))
        return error_set(error, ERROR_TRANSIENT, "table \"%s\" rolled the whole transaction back for one row",
                         store->config->table);
    return STATUS_OK;
}

static enum status write_rows(struct sqlite_store *store, struct batch *batch, struct error *error)
{
    enum status status = STATUS_OK;
    BATCH_EACH(batch, record)
    {
        status = write_row(store, batch, record, error);
        if (status != STATUS_OK)
            break;
        if (store->scratch.held > SCRATCH_MAX)
            arena_reset(&store->scratch);
    }
    arena_reset(&store->scratch);
    return status;
}

static enum status sqlite_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct sqlite_store *store = arg;
    struct error why = {0};
    enum status status = context_status(context);
    bool first = !store->begun;
    if (status != STATUS_OK || store->lost.class != ERROR_NONE)
        return status;
    store->context = context;
    status = settle(store, &why);
    if (status == STATUS_OK && store->passed)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = begin(store, &why);
    if (status == STATUS_OK)
        status = write_rows(store, batch, &why);
    if (status == STATUS_OK)
        return STATUS_OK;
    forget(store);
    return lost_end_write(&store->lost, first, status, &why, error);
}

static enum status sqlite_flush(void *arg, struct context *context, struct error *error)
{
    struct sqlite_store *store = arg;
    enum status status = context_status(context);
    int code;
    if (status != STATUS_OK)
        return status;
    if (store->lost.class != ERROR_NONE)
        return lost_tell(&store->lost, error);
    if (!store->begun) {
        store->passed = false;
        return STATUS_OK;
    }
    store->context = context;
    code = run(store->commit);
    if (code == SQLITE_OK) {
        store->begun = store->moved = false;
        return STATUS_OK;
    }
    store->unknown = store->moved;
    status = failed(store, code, "cannot commit", error);
    /* Deferred constraints are the only ones that a commit can break; which row it was is not known any more. */
    if (status == STATUS_FAILED && sqlite_error_class(code) == ERROR_RECORD && error != NULL)
        error->class = ERROR_FATAL;
    forget(store);
    return status;
}

/* The flush whose outcome was unknown was given up, as its partition went elsewhere; what was handed over since is another's, and nobody stored it. */
static enum status not_passed(struct sqlite_store *store, struct error *error)
{
    store->passed = false;
    return error_set(error, ERROR_TRANSIENT, "not all that was taken for stored already is in %s", store->config->path);
}

/* The transaction begins here when nothing was handed over: records that were all dropped have an end, too. */
static enum status sqlite_move(void *arg, const struct offset_move *moves, unsigned count, struct context *context,
                               struct error *error)
{
    struct sqlite_store *store = arg;
    enum sqlite_moved moved = MOVED_FENCED;
    if (store->lost.class != ERROR_NONE)
        return lost_tell(&store->lost, error);
    store->context = context;
    enum status status = context_status(context);
    if (status == STATUS_OK)
        status = settle(store, error);
    if (status == STATUS_OK)
        status = begin(store, error);
    if (status == STATUS_OK) {
        int code = sqlite_offsets_move(&store->offsets, moves, count, store->config->path, &moved, error);
        if (code != SQLITE_OK)
            status = failed(store, code, "cannot move the offsets", error);
        else if (moved == MOVED_FENCED)
            status = STATUS_FAILED;
        else if (moved == MOVED && store->passed)
            status = not_passed(store, error);
    }
    store->moved = status == STATUS_OK && moved == MOVED;
    if (status != STATUS_OK || moved == MOVED_ALREADY)
        forget(store);
    return status;
}

static void sqlite_discard(void *arg)
{
    struct sqlite_store *store = arg;
    forget(store);
    store->lost.class = ERROR_NONE;
}

static void sqlite_close(void *arg)
{
    struct sqlite_store *store = arg;
    if (store == NULL)
        return;
    sqlite3_finalize(store->insert);
    sqlite3_finalize(store->begin);
    sqlite3_finalize(store->commit);
    sqlite3_finalize(store->rollback);
    sqlite_offsets_fini(&store->offsets);
    /* Rolls back what is open; the last connection also folds the write-ahead log into the database. */
    if (store->db != NULL)
        sqlite3_busy_handler(store->db, NULL, NULL);
    sqlite3_close_v2(store->db);
    arena_fini(&store->scratch);
    free(store->key);
    free(store);
}

static enum status prepare(struct sqlite_store *store, struct error *error)
{
    static const char *const texts[] = {"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"};
    sqlite3_stmt **const statements[] = {&store->begin, &store->commit, &store->rollback};
    enum status status = sqlite_prepare_table(store->db, store->config, error);
    if (status == STATUS_OK)
        status = sqlite_prepare_insert(store->db, store->config, &store->insert, error);
    for (unsigned i = 0; status == STATUS_OK && i < 3; i++) {
        int code = sqlite3_prepare_v3(store->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, statements[i], NULL);
        if (code != SQLITE_OK)
            status = sqlite_failed(store->db, code, store->config->path, "cannot prepare a statement", error);
    }
    return status;
}

static bool mark_keys(struct sqlite_store *store)
{
    const struct sqlite_config *config = store->config;
    const char *const *names = config->key.items;
    store->key = calloc(config->columns.count, sizeof *store->key);
    if (store->key == NULL)
        return false;
    for (uint32_t i = 0; i < config->columns.count; i++)
        for (uint32_t j = 0; j < config->key.count; j++)
            store->key[i] |= !strcmp(config->columns.keys[i], names[j]);
    return true;
}

static enum status sqlite_open(const void *config, const struct connector_env *env, struct context *context,
                               void **ret_store, struct error *error)
{
    if (env->probe != NULL)
        return sqlite_probe(config, env->probe, context, error);
    struct sqlite_store *store = calloc(1, sizeof *store);
    enum status status, ended;
    if (store == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    arena_init(&store->scratch, NULL);
    store->config = config;
    store->columns = store->config->columns.values;
    store->context = context;
    if (!mark_keys(store))
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    else
        status = sqlite_open_database(store->config, wait_busy, store, &store->db, error);
    if (status == STATUS_OK)
        status = prepare(store, error);
    if (status == STATUS_OK && env->exactly_once)
        status = sqlite_offsets_init(&store->offsets, store->db, store->config, env->service, error);
    if (status == STATUS_OK) {
        *ret_store = store;
        return STATUS_OK;
    }
    sqlite_close(store);
    ended = context_status(context);
    return ended != STATUS_OK && (error == NULL || error->class == ERROR_TRANSIENT) ? ended : status;
}

static const struct store_offsets offsets = {
    .read = sqlite_offsets_read, .move = sqlite_move, .discard = sqlite_discard};

static enum status sqlite_preview(const void *arg, struct batch *batch, struct record *record, struct arena *arena,
                                  struct store_preview *ret)
{
    const struct sqlite_config *config = arg;
    return config_column_row(&config->columns, sizeof(struct sqlite_column), &config->key, batch, record, arena,
                             &ret->row);
}

static bool sqlite_replaces(const void *arg)
{
    const struct sqlite_config *config = arg;
    return config->mode == MODE_UPSERT;
}

const struct store_type sqlite_store = {
    .name = "sqlite",
    .help = "Rows in a SQLite database; a transaction from one flush to the next.",
    .config = &sqlite_config_field,
    .open = sqlite_open,
    .write = sqlite_write,
    .flush = sqlite_flush,
    .close = sqlite_close,
    .can_stand_beside = sqlite_can_stand_beside,
    .offsets = &offsets,
    .can_keep_offsets = sqlite_offsets_can_keep,
    .preview = sqlite_preview,
    .replaces = sqlite_replaces,
    .flush_records = 16384,
    .flush_interval = 200 * CLOCK_MS,
};
