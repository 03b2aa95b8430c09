#include "connectors/postgres/key.h"

#include <stdio.h>
#include <stdlib.h>

#include "connectors/postgres/sql.h"

enum { TEXT = 25 };

/* $1 the table, $2 names of columns. */
static enum status query(const struct postgres_table *table, struct postgres_connection *connection, const char *sql,
                         const char *names, struct context *context, PGresult **ret, struct error *error)
{
    static const Oid types[2] = {TEXT, TEXT};
    char oid[16];
    const char *const values[2] = {oid, names};
    const struct postgres_params params = {.count = 2, .types = types, .values = values};
    *ret = NULL;
    if (names == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    snprintf(oid, sizeof oid, "%u", table->oid);
    return postgres_run(connection, sql, &params, "cannot look at the table's indexes", context, ret, error);
}

/* On just these columns, in any order, and neither partial nor deferred. */
enum status postgres_key_check(const struct postgres_table *table, struct postgres_connection *connection,
                               struct context *context, struct error *error)
{
    static const char sql[] =
        "SELECT 1 FROM pg_index i WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND "
        "i.indpred IS NULL AND i.indexprs IS NULL AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text "
        "COLLATE \"C\") FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) k JOIN pg_attribute a ON a.attrelid = "
        "i.indrelid AND a.attnum = k) = (SELECT array_agg(x ORDER BY x COLLATE \"C\") FROM unnest($2::text[]) x)";
    const struct postgres_config *config = connection->config;
    PGresult *result;
    char *names = postgres_sql_array(config->key.items, config->key.count);
    enum status status = query(table, connection, sql, names, context, &result, error);
    const struct config_node *node = config_tree_get(config->head.node, "key");
    if (status == STATUS_OK && PQntuples(result) == 0)
        status = error_set(
            error, ERROR_FATAL,
            "postgres.key (line %u): table \"%s\" has no PRIMARY KEY or UNIQUE index on just %s; make one, "
            "as ON CONFLICT needs it",
            node != NULL ? node->line : 0, config->table, names);
    PQclear(result);
    free(names);
    return status;
}

enum status postgres_key_clash(const struct postgres_table *table, struct postgres_connection *connection,
                               struct context *context, char *ret_name, size_t size, struct error *error)
{
    static const char sql[] =
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::oid AND "
        "i.indisunique AND i.indisvalid AND i.indexprs IS NULL AND NOT EXISTS (SELECT 1 FROM "
        "unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) k JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum "
        "= k WHERE a.attname <> ALL ($2::text[])) ORDER BY 1 LIMIT 1";
    const struct config_map *columns = &connection->config->columns;
    PGresult *result;
    char *names = postgres_sql_array(columns->keys, columns->count);
    enum status status = query(table, connection, sql, names, context, &result, error);
    if (status == STATUS_OK)
        snprintf(ret_name, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    free(names);
    return status;
}
