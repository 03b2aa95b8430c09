/*
 * See offsets.h. A move is one statement for all partitions: what was stored is updated where it has what we think it has, what is new is inserted where
 * there is nothing. Another transaction's move of the same row is waited for (it may roll back), and when it committed, ours finds nothing to change: fenced.
 */
#include "connectors/postgres/offsets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 25 };

/* -- the table -- */

/* Is it there (*ret_missing: no), and may we do with it what must be done? */
static enum status look_for(struct postgres_connection *connection, const struct postgres_table *table,
                            const char *name, bool *ret_missing, struct context *context, struct error *error)
{
    static const char sql[] =
        "SELECT t IS NULL, CASE WHEN t IS NULL THEN has_schema_privilege($2, 'CREATE') ELSE has_table_privilege(t, "
        "'SELECT') AND has_table_privilege(t, 'INSERT') AND has_table_privilege(t, 'UPDATE') END "
        "FROM (SELECT to_regclass($1)::oid) AS r(t)";
    static const Oid types[2] = {TEXT, TEXT};
    const char *values[2] = {name, table->schema};
    const struct postgres_params params = {.count = 2, .types = types, .values = values};
    PGresult *result = NULL;
    enum status status = postgres_run(connection, sql, &params, "cannot look for weir_offsets", context, &result,
                                      error);
    bool missing = status == STATUS_OK && PQgetvalue(result, 0, 0)[0] == 't';
    bool allowed = status == STATUS_OK && PQgetvalue(result, 0, 1)[0] == 't';
    PQclear(result);
    if (status != STATUS_OK)
        return status;
    *ret_missing = missing;
    if (allowed)
        return STATUS_OK;
    return error_set(error, ERROR_FATAL,
                     "exactly_once keeps its offsets in %s, %s: GRANT SELECT, INSERT, UPDATE on it%s", name,
                     missing ? "which is not there, and this user may not make it" : "which this user may not change",
                     missing ? " when it is made (docs/delivery.md has the statement)" : "");
}

/* Looked for first: who may only write needs no right to make tables. */
static enum status look_or_make(struct postgres_connection *connection, const struct postgres_table *table,
                                struct context *context, struct error *error)
{
    char *name = postgres_sql_offsets(table), *sql = NULL;
    bool missing = false;
    if (name == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    enum status status = look_for(connection, table, name, &missing, context, error);
    if (status != STATUS_OK || !missing) {
        free(name);
        return status;
    }
    if (asprintf(&sql,
                 "CREATE TABLE IF NOT EXISTS %s (service text, topic text, partition integer, \"offset\" "
                 "bigint NOT NULL, PRIMARY KEY (service, topic, partition))",
                 name) < 0) {
        sql = NULL;
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    } else {
        status = postgres_run(connection, sql, NULL, "cannot make the table weir_offsets", context, NULL, error);
    }
    free(sql);
    free(name);
    return status;
}

enum status postgres_offsets_probe(struct postgres_connection *connection, const struct postgres_table *table,
                                   struct context *context, struct error *error)
{
    bool missing;
    char *name = postgres_sql_offsets(table);
    if (name == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    enum status status = look_for(connection, table, name, &missing, context, error);
    free(name);
    return status;
}

enum status postgres_offsets_prepare(struct postgres_connection *connection, const struct postgres_table *table,
                                     struct context *context, struct error *error)
{
    struct error why = {0};
    enum status status = look_or_make(connection, table, context, &why);
    /* Somebody else made it at the same moment (a duplicate in the catalog): now it is there. */
    if (status == STATUS_FAILED && why.class == ERROR_RECORD)
        status = look_or_make(connection, table, context, &why);
    if (status == STATUS_FAILED && why.class == ERROR_RECORD)
        why.class = ERROR_TRANSIENT;
    if (status == STATUS_FAILED && error != NULL)
        *error = why;
    return status;
}

/* -- partitions as parameters -- */

void postgres_moves_fini(struct postgres_moves *moves)
{
    free(moves->topics);
    free(moves->partitions);
    free(moves->froms);
    free(moves->tos);
    *moves = (struct postgres_moves){0};
}

static char *numbers(const struct offset_move *moves, unsigned count, int64_t (*get)(const struct offset_move *))
{
    /* "-9223372036854775808," */
    char *text = malloc((size_t)count * 21 + 3), *at = text;
    if (text == NULL)
        return NULL;
    *at++ = '{';
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "%s%" PRId64, i > 0 ? "," : "", get(&moves[i]));
    memcpy(at, "}", 2);
    return text;
}

static int64_t get_partition(const struct offset_move *move)
{
    return move->partition;
}

static int64_t get_from(const struct offset_move *move)
{
    return move->from;
}

static int64_t get_to(const struct offset_move *move)
{
    return move->to;
}

/* Frees what ret had. */
static enum status make_moves(struct postgres_moves *ret, const struct offset_move *moves, unsigned count,
                              struct error *error)
{
    const char **topics = calloc(count, sizeof *topics);
    postgres_moves_fini(ret);
    if (topics == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    for (unsigned i = 0; i < count; i++)
        topics[i] = moves[i].topic;
    *ret = (struct postgres_moves){.topics = postgres_sql_array(topics, count),
                                   .partitions = numbers(moves, count, get_partition),
                                   .froms = numbers(moves, count, get_from),
                                   .tos = numbers(moves, count, get_to),
                                   .count = count};
    free(topics);
    if (ret->topics != NULL && ret->partitions != NULL && ret->froms != NULL && ret->tos != NULL)
        return STATUS_OK;
    return error_set(error, ERROR_TRANSIENT, "out of memory");
}

/* Runs a statement with such parameters; its %1$s is the offsets' table. */
static enum status run(struct postgres_connection *connection, const struct postgres_table *table, const char *service,
                       const char *format, const struct postgres_moves *moves, struct context *context, PGresult **ret,
                       struct error *error)
{
    char *name = postgres_sql_offsets(table), *sql = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    bool good = name != NULL && asprintf(&sql, format, name) >= 0;
#pragma GCC diagnostic pop
    free(name);
    if (!good)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    const char *const values[] = {service, moves->topics, moves->partitions, moves->froms, moves->tos};
    const struct postgres_params params = {.count = 5, .values = values};
    enum status status = postgres_run(connection, sql, &params, "cannot move the offsets", context, ret, error);
    free(sql);
    return status;
}

#define MOVES                                                                                                          \
    "WITH m AS (SELECT * FROM unnest($2::text[], $3::int4[], $4::int8[], $5::int8[]) AS m (topic, partition, f, t)), " \
    "me AS (SELECT $1::text AS service) "

static const char READ[] = MOVES
    "SELECT o.\"offset\" FROM m JOIN me ON true LEFT JOIN %1$s o ON o.service = me.service AND "
    "o.topic = m.topic AND o.partition = m.partition ORDER BY m.t";

/* Answers how many were moved. */
static const char MOVE[] = MOVES
    ", u AS (UPDATE %1$s o SET \"offset\" = m.t FROM m, me WHERE o.service = me.service AND o.topic = m.topic AND "
    "o.partition = m.partition AND o.\"offset\" = m.f AND m.f >= 0 RETURNING 1), "
    "i AS (INSERT INTO %1$s (service, topic, partition, \"offset\") SELECT me.service, m.topic, m.partition, m.t FROM "
    "m, me WHERE m.f < 0 ON CONFLICT DO NOTHING RETURNING 1) "
    "SELECT (SELECT count(*) FROM u) + (SELECT count(*) FROM i)";

/* The first that is not where the move leads to, with what it has. */
static const char LOOK[] = MOVES
    "SELECT m.topic, m.partition, m.f, o.\"offset\" FROM m JOIN me ON true LEFT JOIN %1$s o ON "
    "o.service = me.service AND o.topic = m.topic AND o.partition = m.partition "
    "WHERE o.\"offset\" IS DISTINCT FROM m.t LIMIT 1";

/* How many are where the move leads to. All of a transaction's are, or none is. */
static const char COUNT[] = MOVES
    "SELECT count(*) FROM m JOIN me ON true JOIN %1$s o ON o.service = me.service AND o.topic "
    "= m.topic AND o.partition = m.partition WHERE o.\"offset\" = m.t";

/* -- the contract -- */

static enum status read_with(struct postgres_connection *connection, struct postgres_table *table, const char *service,
                             const struct postgres_moves *moves, struct offset_start *starts, struct context *context,
                             struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_connect(connection, context, error);
    if (status == STATUS_OK)
        status = postgres_table_read(table, connection, context, error);
    if (status == STATUS_OK)
        status = postgres_offsets_prepare(connection, table, context, error);
    if (status == STATUS_OK)
        status = run(connection, table, service, READ, moves, context, &result, error);
    for (unsigned i = 0; i < moves->count && status == STATUS_OK; i++)
        starts[i].offset = PQgetisnull(result, (int)i, 0) ? -1 : strtoll(PQgetvalue(result, (int)i, 0), NULL, 10);
    PQclear(result);
    return status;
}

/* `to` numbers them: the answers come in that order. */
static enum status list_starts(const struct offset_start *starts, unsigned count, struct postgres_moves *ret,
                               struct error *error)
{
    struct offset_move *moves = calloc(count, sizeof *moves);
    if (moves == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    for (unsigned i = 0; i < count; i++)
        moves[i] = (struct offset_move){.topic = starts[i].topic, .partition = starts[i].partition, .to = i};
    enum status status = make_moves(ret, moves, count, error);
    free(moves);
    return status;
}

static enum status read_offsets(const void *config, const struct connector_env *env, struct offset_start *starts,
                                unsigned count, struct context *context, struct error *error)
{
    struct postgres_connection connection;
    struct postgres_table table;
    struct postgres_moves moves = {0};
    if (count == 0)
        return STATUS_OK;
    postgres_table_init(&table);
    /* Not counted against `limit`: the store that holds the last connection may be waiting for what comes of this. */
    enum status status = postgres_connection_init(&connection, config, env->service, false, error);
    if (status == STATUS_OK)
        status = list_starts(starts, count, &moves, error);
    if (status == STATUS_OK)
        status = read_with(&connection, &table, env->service, &moves, starts, context, error);
    postgres_connection_fini(&connection);
    postgres_table_fini(&table);
    postgres_moves_fini(&moves);
    return status;
}

static enum status run_in(struct postgres_store *store, const char *format, struct context *context, PGresult **ret,
                          struct error *error)
{
    *ret = NULL;
    return run(&store->connection, &store->table, store->service, format, &store->moves, context, ret, error);
}

enum status postgres_offsets_resolve(struct postgres_store *store, struct context *context, struct error *error)
{
    PGresult *result;
    if (!store->doubtful)
        return STATUS_OK;
    enum status status = postgres_store_ready(store, context, error);
    if (status != STATUS_OK)
        return status;
    status = run_in(store, COUNT, context, &result, error);
    if (status == STATUS_OK) {
        store->stored = strtoul(PQgetvalue(result, 0, 0), NULL, 10) > 0;
        store->doubtful = false;
    }
    PQclear(result);
    return status;
}

/* Not all could be moved. Looks from outside the transaction, which is given up. */
static enum status explain(struct postgres_store *store, struct context *context, struct error *error)
{
    PGresult *result = NULL;
    postgres_store_rollback(store);
    enum status status = postgres_store_ready(store, context, error);
    if (status == STATUS_OK)
        status = run_in(store, LOOK, context, &result, error);
    if (status == STATUS_OK && PQntuples(result) == 0) {
        /* An earlier commit of just this, whose answer was lost. */
        postgres_store_forget(store);
        store->stored = true;
    } else if (status == STATUS_OK) {
        status = error_set(error, ERROR_RESTART,
                           "fenced: in weir_offsets, %s/%s stands at %s and not at %s as this instance left it; "
                           "another instance stores this partition",
                           PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1),
                           PQgetisnull(result, 0, 3) ? "nothing" : PQgetvalue(result, 0, 3), PQgetvalue(result, 0, 2));
    }
    PQclear(result);
    return status;
}

static enum status begin(struct postgres_store *store, struct context *context, struct error *error)
{
    char text[200];
    if (store->begun)
        return STATUS_OK;
    postgres_store_begin_text(store, context, text, sizeof text);
    store->begun = true;
    return postgres_run(&store->connection, text, NULL, "cannot begin", context, NULL, error);
}

/*
 * What was handed over was taken for stored by the offsets of an earlier flush. That flush may have been given up since, as its partitions went elsewhere,
 * and these may be records of others: then nobody stored them.
 */
static enum status check_stored(struct postgres_store *store, const struct offset_move *moves, unsigned count,
                                struct context *context, struct error *error)
{
    PGresult *result = NULL;
    enum status status = make_moves(&store->moves, moves, count, error);
    if (status == STATUS_OK)
        status = postgres_store_ready(store, context, error);
    if (status == STATUS_OK)
        status = run_in(store, LOOK, context, &result, error);
    if (status == STATUS_OK && PQntuples(result) > 0)
        status = error_set(error, ERROR_TRANSIENT, "not all that was taken for stored already is there");
    PQclear(result);
    return status;
}

static enum status move_in(struct postgres_store *store, const struct offset_move *moves, unsigned count,
                           struct context *context, struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_offsets_resolve(store, context, error);
    if (status == STATUS_OK && store->stored)
        return check_stored(store, moves, count, context, error);
    if (status == STATUS_OK)
        status = make_moves(&store->moves, moves, count, error);
    if (status == STATUS_OK)
        status = postgres_store_ready(store, context, error);
    /* The rows first: whoever waits for the offsets' rows waits only for the commit then. */
    if (status == STATUS_OK && store->rows.count > 0)
        status = postgres_store_submit(store, context, error);
    if (status == STATUS_OK)
        status = postgres_settle(&store->transfer, context, error);
    if (status == STATUS_OK)
        status = begin(store, context, error);
    if (status == STATUS_OK)
        status = run_in(store, MOVE, context, &result, error);
    store->moved = status == STATUS_OK && strtoul(PQgetvalue(result, 0, 0), NULL, 10) == count;
    PQclear(result);
    return status != STATUS_OK || store->moved ? status : explain(store, context, error);
}

static enum status move(void *arg, const struct offset_move *moves, unsigned count, struct context *context,
                        struct error *error)
{
    struct postgres_store *store = arg;
    struct error why = store->lost;
    enum status status = context_status(context);
    if (status != STATUS_OK || count == 0)
        return status;
    status = why.class != ERROR_NONE ? STATUS_FAILED : move_in(store, moves, count, context, &why);
    return status == STATUS_OK ? STATUS_OK : postgres_store_give_up(store, status, &why, context, error);
}

static void discard(void *arg)
{
    struct postgres_store *store = arg;
    bool stored = store->stored;
    postgres_store_forget(store);
    /* Some of it comes again, and is there already. */
    store->doubtful |= stored;
}

const struct store_offsets postgres_offsets = {.read = read_offsets, .move = move, .discard = discard};
