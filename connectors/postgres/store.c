/* See store.h. */
#include "connectors/postgres/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/probe.h"
#include "connectors/postgres/key.h"
#include "connectors/postgres/offsets.h"
#include "processor/clock.h"
#include "processor/log.h"

#define ROLLBACK_PATIENCE CLOCK_SECOND
/* A server with nothing to do gets what is there from so many rows on, and while it works on them more are collected: so it rarely waits for us, and
 * statements are large when it is slow. An upsert of few rows costs it more a row (see UNNEST_ROWS). */
enum { EARLY_APPEND_ROWS = 1000, EARLY_UPSERT_ROWS = 4000 };

/* -- the transaction -- */

static void note_connection(struct postgres_store *store)
{
    if (store->connection.pg == NULL)
        store->ready = store->begun = false;
}

enum status postgres_store_ready(struct postgres_store *store, struct context *context, struct error *error)
{
    note_connection(store);
    if (store->ready)
        return STATUS_OK;
    enum status status = postgres_connect(&store->connection, context, error);
    if (status == STATUS_OK)
        status = postgres_table_read(&store->table, &store->connection, context, error);
    if (status == STATUS_OK) {
        postgres_sql_fini(&store->sql);
        if (!postgres_sql_make(&store->table, store->config->mode == POSTGRES_UPSERT, &store->sql))
            status = error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    if (status == STATUS_OK && store->exactly_once)
        status = postgres_offsets_prepare(&store->connection, &store->table, context, error);
    if (status == STATUS_OK) {
        store->transfer.dedup |= store->table.distinct;
        store->ready = true;
    } else {
        postgres_disconnect(&store->connection);
    }
    return status;
}

void postgres_store_begin_text(const struct postgres_store *store, const struct context *context, char *text,
                               size_t size)
{
    int64_t limit = store->config->timeout, left = context_deadline(context);
    if (left != CLOCK_NEVER && left - clock_now() < limit)
        limit = left - clock_now();
    if (limit < CLOCK_MS)
        limit = CLOCK_MS;
    /* SET LOCAL: behind a pooler, the session is somebody else's after the transaction. */
    snprintf(text, size,
             "BEGIN; SET LOCAL statement_timeout = %lld; SET LOCAL idle_in_transaction_session_timeout = %lld; ",
             (long long)(limit / CLOCK_MS), (long long)(store->idle_limit / CLOCK_MS));
}

void postgres_store_rollback(struct postgres_store *store)
{
    note_connection(store);
    if (!store->begun)
        return;
    store->begun = store->moved = false;
    struct context *context = context_new(NULL, clock_now() + ROLLBACK_PATIENCE);
    enum status status = STATUS_FAILED;
    if (context != NULL) {
        (void)postgres_settle(&store->transfer, context, NULL);
        if (store->connection.pg != NULL)
            status = postgres_run(&store->connection, "ROLLBACK", NULL, "cannot roll back", context, NULL, NULL);
    }
    context_free(context);
    if (status != STATUS_OK)
        postgres_disconnect(&store->connection);
    note_connection(store);
}

void postgres_store_forget(struct postgres_store *store)
{
    postgres_store_rollback(store);
    postgres_rows_reset(&store->rows);
    store->held_count = 0;
    store->transfer.failure = (struct postgres_failure){0};
    store->moved = store->stored = false;
    store->lost = (struct error){0};
}

enum status postgres_store_submit(struct postgres_store *store, struct context *context, struct error *error)
{
    char prefix[1024] = "";
    enum status status = postgres_settle(&store->transfer, context, error);
    if (status == STATUS_OK && !store->begun) {
        postgres_store_begin_text(store, context, prefix, sizeof prefix);
        size_t used = strlen(prefix);
        snprintf(prefix + used, sizeof prefix - used, "%s", store->sql.guard != NULL ? store->sql.guard : "");
    }
    if (status == STATUS_OK) {
        store->begun = true;
        status = postgres_transfer(&store->transfer, prefix, context, error);
    }
    postgres_rows_reset(&store->rows);
    note_connection(store);
    return status;
}

/* -- write -- */

static bool hold(struct postgres_store *store, struct batch *batch)
{
    if (store->held_count == store->held_room) {
        size_t room = store->held_room > 0 ? store->held_room * 2 : 64;
        struct batch **held = realloc(store->held, room * sizeof(struct batch *));
        if (held == NULL)
            return false;
        store->held = held;
        store->held_room = room;
    }
    store->held[store->held_count++] = batch;
    return true;
}

static enum status write_rows(struct postgres_store *store, struct batch *batch, struct context *context,
                              struct error *error)
{
    enum status status = STATUS_OK;
    BATCH_EACH(batch, record)
    {
        if (postgres_rows_full(&store->rows))
            status = postgres_store_submit(store, context, error);
        if (status == STATUS_OK)
            status = postgres_rows_add(&store->rows, &store->table, store->config, batch, record);
        if (status == STATUS_NO_MEMORY)
            status = error_set(error, ERROR_TRANSIENT, "out of memory for a row of %s", store->config->table);
        if (status != STATUS_OK)
            break;
    }
    uint32_t early = store->transfer.upsert ? EARLY_UPSERT_ROWS : EARLY_APPEND_ROWS;
    if (status == STATUS_OK && store->rows.count >= early && postgres_is_idle(&store->transfer))
        status = postgres_store_submit(store, context, error);
    postgres_rows_rest(&store->rows);
    return status;
}

static enum status postgres_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct postgres_store *store = arg;
    struct error why = {0};
    enum status status = context_status(context);
    bool first = store->held_count == 0;
    if (status != STATUS_OK)
        return status;
    if (!hold(store, batch))
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    if (store->lost.class != ERROR_NONE || store->stored)
        return STATUS_OK;
    status = postgres_store_ready(store, context, &why);
    if (status == STATUS_OK)
        status = postgres_offsets_resolve(store, context, &why);
    if (status == STATUS_OK && !store->stored)
        status = write_rows(store, batch, context, &why);
    if (status == STATUS_OK)
        return STATUS_OK;
    if (status == STATUS_FAILED && (why.class == ERROR_RECORD || (why.class == ERROR_TRANSIENT && !first))) {
        store->lost = why;
        return STATUS_OK;
    }
    postgres_store_forget(store);
    if (error != NULL)
        *error = why;
    return status;
}

/* -- flush -- */

static enum status commit(struct postgres_store *store, struct context *context, struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_run(&store->connection, "COMMIT", NULL, "cannot commit", context, &result, error);
    if (status == STATUS_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        status = error_set(error, ERROR_TRANSIENT, "PostgreSQL at %s rolled the transaction back at its commit",
                           store->connection.server);
    PQclear(result);
    if (status == STATUS_FAILED && store->connection.pg == NULL)
        error_prefix(error, "the answer to a commit was lost");
    /* When the connection went with it, who knows; and a pooler may answer in the server's place. */
    store->doubtful = store->moved && status != STATUS_OK;
    store->begun = false;
    note_connection(store);
    return status;
}

static enum status flush_rows(struct postgres_store *store, struct context *context, struct error *error)
{
    enum status status = STATUS_OK;
    if (store->rows.count > 0)
        status = postgres_store_submit(store, context, error);
    if (status == STATUS_OK && store->begun)
        status = postgres_settle(&store->transfer, context, error);
    note_connection(store);
    if (status == STATUS_OK && store->begun)
        status = commit(store, context, error);
    return status;
}

/* What only the server could tell, and another try heals: true. */
static bool learn(struct postgres_store *store)
{
    const char *state = store->transfer.failure.state;
    /* Two rows of one key in a statement: keys that are equal to the server, and not in their bytes. */
    if (strcmp(state, "21000") == 0 && store->transfer.upsert && !store->transfer.dedup) {
        store->transfer.dedup = true;
        return true;
    }
    /* Flushes are further apart than we let a transaction be idle. */
    if (strcmp(store->connection.farewell_state, "25P03") == 0 && store->idle_limit < INT64_MAX / 4) {
        store->connection.farewell_state[0] = '\0';
        store->idle_limit *= 2;
        return true;
    }
    return false;
}

enum status postgres_store_give_up(struct postgres_store *store, enum status status, struct error *why,
                                   struct context *context, struct error *error)
{
    if (status == STATUS_FAILED && learn(store))
        why->class = ERROR_TRANSIENT;
    /* The table may have been altered under us: it is read anew before anything else is tried. */
    store->ready = false;
    if (status == STATUS_FAILED && why->class == ERROR_RECORD) {
        struct error failed = *why;
        status = postgres_store_find_wrong(store, &failed, context, why);
    }
    postgres_store_forget(store);
    if (status == STATUS_FAILED && error != NULL)
        *error = *why;
    return status;
}

static enum status postgres_flush(void *arg, struct context *context, struct error *error)
{
    struct postgres_store *store = arg;
    struct error why = store->lost;
    enum status status = context_status(context);
    if (status != STATUS_OK)
        return status;
    if (why.class != ERROR_NONE)
        status = STATUS_FAILED;
    else if (!store->stored)
        status = flush_rows(store, context, &why);
    if (status != STATUS_OK)
        return postgres_store_give_up(store, status, &why, context, error);
    postgres_store_forget(store);
    return STATUS_OK;
}

/* -- opening and closing -- */

static void postgres_close(void *arg)
{
    struct postgres_store *store = arg;
    if (store == NULL)
        return;
    postgres_connection_fini(&store->connection);
    postgres_table_fini(&store->table);
    postgres_sql_fini(&store->sql);
    postgres_rows_fini(&store->rows);
    postgres_buffer_fini(&store->transfer.arrays);
    postgres_moves_fini(&store->moves);
    free(store->held);
    free(store->service);
    free(store);
}

/* NULL: see error. */
static struct postgres_store *make(const struct postgres_config *config, const struct connector_env *env,
                                   struct error *error)
{
    struct postgres_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        (void)error_set(error, ERROR_TRANSIENT, "out of memory");
        return NULL;
    }
    bool upsert = config->mode == POSTGRES_UPSERT;
    store->config = config;
    store->exactly_once = env->exactly_once;
    store->idle_limit = config->timeout;
    store->service = strdup(env->service);
    postgres_table_init(&store->table);
    store->transfer = (struct postgres_transfer){.connection = &store->connection,
                                                 .table = &store->table,
                                                 .sql = &store->sql,
                                                 .rows = &store->rows,
                                                 .upsert = upsert};
    enum status status = postgres_connection_init(&store->connection, config, env->service, true, error);
    if (!postgres_rows_init(&store->rows, upsert) || store->service == NULL)
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    if (status == STATUS_OK)
        return store;
    postgres_close(store);
    return NULL;
}

static enum status look(struct postgres_store *store, struct probe *probe, struct context *context, struct error *error)
{
    enum status status = postgres_connect(&store->connection, context, error);
    if (status == STATUS_OK)
        status = postgres_table_probe(&store->table, &store->connection, probe, context, error);
    /* Where the table itself is still to be made, so is the other. */
    if (status == STATUS_OK && store->exactly_once && store->table.oid != 0)
        status = postgres_offsets_probe(&store->connection, &store->table, context, error);
    return status;
}

/* What at least once may mean for a table with a key, said before it happens. */
static enum status warn_of_clash(struct postgres_store *store, struct probe *probe, struct context *context,
                                 struct error *error)
{
    const struct postgres_config *config = store->config;
    const char *format =
        "table \"%s\" has the unique index \"%s\" over columns that are appended to: records that come "
        "again after a crash are refused as duplicates, and dead-lettered; with `mode: upsert`, or "
        "`delivery: exactly_once`, they are not";
    char index[64];
    /* Not found, and to be made. */
    if (store->exactly_once || config->mode == POSTGRES_UPSERT || store->table.oid == 0)
        return STATUS_OK;
    enum status status = postgres_key_clash(&store->table, &store->connection, context, index, sizeof index, error);
    if (status != STATUS_OK || index[0] == '\0')
        return status;
    if (probe != NULL)
        probe_warn(probe, config_tree_get(config->head.node, "table"), format, config->table, index);
    else
        log_warn("postgres", format, config->table, index);
    return STATUS_OK;
}

static enum status postgres_open(const void *config, const struct connector_env *env, struct context *context,
                                 void **ret_store, struct error *error)
{
    struct postgres_store *store = make(config, env, error);
    if (store == NULL)
        return STATUS_FAILED;
    enum status status = env->probe != NULL ? look(store, env->probe, context, error)
                                            : postgres_store_ready(store, context, error);
    if (status == STATUS_OK)
        status = warn_of_clash(store, env->probe, context, error);
    if (status == STATUS_OK)
        *ret_store = store;
    else
        postgres_close(store);
    return status;
}

static bool can_stand_beside(const void *arg, const void *other_arg, const struct config_node **ret_node,
                             const char **ret_why)
{
    const struct postgres_config *config = arg, *other = other_arg;
    bool upserts = config->mode == POSTGRES_UPSERT && other->mode == POSTGRES_UPSERT;
    if (upserts || strcmp(config->dsn, other->dsn) != 0 || strcmp(config->table, other->table) != 0)
        return true;
    *ret_node = config_tree_get(config->head.node, "table");
    *ret_why = "expected a table that no other store appends to: each record would be in it twice";
    return false;
}

static enum status preview(const void *arg, struct batch *batch, struct record *record, struct arena *arena,
                           struct store_preview *ret)
{
    const struct postgres_config *config = arg;
    return config_column_row(&config->columns, sizeof(struct postgres_column), &config->key, batch, record, arena,
                             &ret->row);
}

static bool replaces(const void *arg)
{
    const struct postgres_config *config = arg;
    return config->mode == POSTGRES_UPSERT;
}

const struct store_type postgres_store = {
    .name = "postgres",
    .help = "Rows in a PostgreSQL table; a transaction from one flush to the next.",
    .config = &postgres_config_field,
    .open = postgres_open,
    .write = postgres_write,
    .flush = postgres_flush,
    .close = postgres_close,
    .offsets = &postgres_offsets,
    .can_stand_beside = can_stand_beside,
    .preview = preview,
    .replaces = replaces,
    .flush_records = 16384,
    .flush_interval = 200 * CLOCK_MS,
};
