/*
 * See offsets.h. A move is one statement for all partitions: what was stored is updated where it has what we think it has, what is new is inserted where there is
 * nothing. Another transaction's move of the same row is waited for (it may roll back), and when it committed, ours finds nothing to change: fenced.
 */
#include "connectors/postgres/offsets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 25 };

/* -- the table -- */

/* Looked for first: who may only write needs no right to make tables. */
enum status postgres_offsets_prepare(struct postgres_connection *connection, const struct postgres_table *table,
                                     struct context *context, struct error *error)
{
    static const Oid types[1] = {TEXT};
    char *name = postgres_sql_offsets(table), *sql = NULL;
    const char *values[1] = {name};
    const struct postgres_params params = {.count = 1, .types = types, .values = values};
    PGresult *result = NULL;
    if (name == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    enum status status = postgres_run(connection, "SELECT to_regclass($1) IS NULL", &params,
                                      "cannot look for weir_offsets", context, &result, error);
    bool missing = status == STATUS_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    if (missing && asprintf(&sql,
                            "CREATE TABLE IF NOT EXISTS %s (service text, topic text, partition integer, \"offset\" "
                            "bigint NOT NULL, PRIMARY KEY (service, topic, partition))",
                            name) < 0)
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    else if (missing)
        status = postgres_run(connection, sql, NULL, "cannot make the table weir_offsets", context, NULL, error);
    /* Somebody else made it at the same moment: seen at the next try. */
    if (status == STATUS_FAILED && error != NULL && error->class == ERROR_RECORD)
        error->class = ERROR_TRANSIENT;
    free(missing ? sql : NULL);
    free(name);
    return status;
}

/* -- partitions as parameters -- */

/* What stands in a list of partitions, as literals of arrays: $1 the service, $2 topics, $3 partitions, $4 from, $5 to. */
struct lists {
    char *topics, *partitions, *froms, *tos;
};

static void lists_fini(struct lists *lists)
{
    free(lists->topics);
    free(lists->partitions);
    free(lists->froms);
    free(lists->tos);
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

static bool lists_init(struct lists *lists, const struct offset_move *moves, unsigned count)
{
    const char **topics = calloc(count, sizeof *topics);
    *lists = (struct lists){0};
    if (topics == NULL)
        return false;
    for (unsigned i = 0; i < count; i++)
        topics[i] = moves[i].topic;
    lists->topics = postgres_sql_array(topics, count);
    lists->partitions = numbers(moves, count, get_partition);
    lists->froms = numbers(moves, count, get_from);
    lists->tos = numbers(moves, count, get_to);
    free(topics);
    return lists->topics != NULL && lists->partitions != NULL && lists->froms != NULL && lists->tos != NULL;
}

/* Runs a statement with such parameters; its %s are the offsets' table. */
static enum status run(struct postgres_connection *connection, const struct postgres_table *table, const char *service,
                       const char *format, const struct offset_move *moves, unsigned count, struct context *context,
                       PGresult **ret, struct error *error)
{
    struct lists lists;
    char *name = postgres_sql_offsets(table), *sql = NULL;
    bool good = lists_init(&lists, moves, count) && name != NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    good = good && asprintf(&sql, format, name, name) >= 0;
#pragma GCC diagnostic pop
    enum status status;
    if (good) {
        const char *const values[] = {service, lists.topics, lists.partitions, lists.froms, lists.tos};
        const struct postgres_params params = {.count = 5, .values = values};
        status = postgres_run(connection, sql, &params, "cannot move the offsets", context, ret, error);
        free(sql);
    } else {
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    lists_fini(&lists);
    free(name);
    return status;
}

#define MOVES                                                                                                          \
    "WITH m AS (SELECT * FROM unnest($2::text[], $3::int4[], $4::int8[], $5::int8[]) AS m (topic, partition, f, t)), " \
    "me AS (SELECT $1::text AS service) "

static const char READ[] = MOVES
    "SELECT o.\"offset\" FROM m JOIN me ON true LEFT JOIN %s o ON o.service = me.service AND "
    "o.topic = m.topic AND o.partition = m.partition ORDER BY m.t";

/* Answers how many were moved. */
static const char MOVE[] = MOVES
    ", u AS (UPDATE %s o SET \"offset\" = m.t FROM m, me WHERE o.service = me.service AND o.topic = m.topic AND "
    "o.partition = m.partition AND o.\"offset\" = m.f AND m.f >= 0 RETURNING 1), "
    "i AS (INSERT INTO %s (service, topic, partition, \"offset\") SELECT me.service, m.topic, m.partition, m.t FROM "
    "m, me WHERE m.f < 0 ON CONFLICT DO NOTHING RETURNING 1) "
    "SELECT (SELECT count(*) FROM u) + (SELECT count(*) FROM i)";

/* The first that is not where the move leads to, with what it has. */
static const char LOOK[] = MOVES
    "SELECT m.topic, m.partition, m.f, o.\"offset\" FROM m JOIN me ON true LEFT JOIN %s o ON "
    "o.service = me.service AND o.topic = m.topic AND o.partition = m.partition "
    "WHERE o.\"offset\" IS DISTINCT FROM m.t LIMIT 1";

/* -- the contract -- */

static enum status read_with(struct postgres_connection *connection, struct postgres_table *table, const char *service,
                             struct offset_start *starts, unsigned count, struct context *context, struct error *error)
{
    PGresult *result = NULL;
    struct offset_move *moves = calloc(count, sizeof *moves);
    if (moves == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    /* `to` numbers them: the answers come in that order. */
    for (unsigned i = 0; i < count; i++)
        moves[i] = (struct offset_move){.topic = starts[i].topic, .partition = starts[i].partition, .to = i};
    enum status status = postgres_connect(connection, context, error);
    if (status == STATUS_OK)
        status = postgres_table_read(table, connection, context, error);
    if (status == STATUS_OK)
        status = postgres_offsets_prepare(connection, table, context, error);
    if (status == STATUS_OK)
        status = run(connection, table, service, READ, moves, count, context, &result, error);
    for (unsigned i = 0; i < count && status == STATUS_OK; i++)
        starts[i].offset = PQgetisnull(result, (int)i, 0) ? -1 : strtoll(PQgetvalue(result, (int)i, 0), NULL, 10);
    PQclear(result);
    free(moves);
    return status;
}

static enum status read_offsets(const void *config, const struct connector_env *env, struct offset_start *starts,
                                unsigned count, struct context *context, struct error *error)
{
    struct postgres_connection connection;
    struct postgres_table table;
    if (count == 0)
        return STATUS_OK;
    postgres_table_init(&table);
    /* Not counted against `limit`: the store that holds the last connection may be waiting for what comes of this. */
    enum status status = postgres_connection_init(&connection, config, env->service, false, error);
    if (status == STATUS_OK)
        status = read_with(&connection, &table, env->service, starts, count, context, error);
    postgres_connection_fini(&connection);
    postgres_table_fini(&table);
    return status;
}

/* Not all could be moved. Looks from outside the transaction, which is given up. */
static enum status explain(struct postgres_store *store, const struct offset_move *moves, unsigned count,
                           struct context *context, struct error *error)
{
    PGresult *result = NULL;
    postgres_store_rollback(store);
    enum status status = postgres_store_ready(store, context, error);
    if (status == STATUS_OK)
        status = run(&store->connection, &store->table, store->service, LOOK, moves, count, context, &result, error);
    if (status != STATUS_OK) {
        PQclear(result);
        return status;
    }
    if (PQntuples(result) == 0) {
        /* An earlier commit of just this, whose answer was lost. */
        PQclear(result);
        postgres_store_forget(store);
        store->stored = true;
        return STATUS_OK;
    }
    status = error_set(error, ERROR_RESTART,
                       "fenced: in weir_offsets, %s/%s stands at %s and not at %s as this instance left it; another "
                       "instance stores this partition",
                       PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1),
                       PQgetisnull(result, 0, 3) ? "nothing" : PQgetvalue(result, 0, 3), PQgetvalue(result, 0, 2));
    PQclear(result);
    return status;
}

static enum status move_in(struct postgres_store *store, const struct offset_move *moves, unsigned count,
                           struct context *context, struct error *error)
{
    char begin[200];
    PGresult *result = NULL;
    enum status status = postgres_store_ready(store, context, error);
    if (status == STATUS_OK && store->rows.count > 0)
        status = postgres_store_submit(store, context, error);
    /* The rows first: whoever waits for the offsets' rows waits only for the commit then. */
    if (status == STATUS_OK)
        status = postgres_settle(&store->transfer, context, error);
    if (status == STATUS_OK && !store->begun) {
        postgres_store_begin_text(store, context, begin, sizeof begin);
        status = postgres_run(&store->connection, begin, NULL, "cannot begin", context, NULL, error);
        store->begun = true;
    }
    if (status == STATUS_OK)
        status = run(&store->connection, &store->table, store->service, MOVE, moves, count, context, &result, error);
    bool moved = status == STATUS_OK && strtoul(PQgetvalue(result, 0, 0), NULL, 10) == count;
    PQclear(result);
    return status != STATUS_OK || moved ? status : explain(store, moves, count, context, error);
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
    postgres_store_forget(arg);
}

const struct store_offsets postgres_offsets = {.read = read_offsets, .move = move, .discard = discard};
