/* See table.h. */
#include "connectors/postgres/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/probe.h"
#include "connectors/postgres/key.h"
#include "connectors/postgres/sql.h"
#include "processor/log.h"

enum { LEAST_VERSION = 120000, TEXT = 25 };

void postgres_table_init(struct postgres_table *table)
{
    *table = (struct postgres_table){0};
    arena_init(&table->arena, NULL);
}

void postgres_table_fini(struct postgres_table *table)
{
    arena_fini(&table->arena);
}

/* Everything that a look at the table needs. */
struct look {
    struct postgres_table *table;
    struct postgres_connection *connection;
    const struct postgres_config *config;
    struct context *context;
    struct error *error;
    struct probe *probe; /* not NULL: what is wrong with a column is told there, and the others are looked at as well */
};

static enum status query(const struct look *look, const char *sql, const char *first, const char *second,
                         PGresult **ret)
{
    static const Oid types[2] = {TEXT, TEXT};
    const char *const values[2] = {first, second};
    const struct postgres_params params = {.count = second != NULL ? 2 : 1, .types = types, .values = values};
    *ret = NULL;
    return postgres_run(look->connection, sql, &params, "cannot look at the table", look->context, ret, look->error);
}

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static uint32_t number(const PGresult *result, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static enum status no_memory(const struct look *look)
{
    return error_set(look->error, ERROR_TRANSIENT, "out of memory");
}

/* -- finding it -- */

/* What a person looks for first: a table of that name in another schema, or of a name that is near. */
static enum status missing_table(const struct look *look)
{
    enum { MOST = 1000 };
    static const char sql[] =
        "SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
        "('r', 'p', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' "
        "ORDER BY n.nspname <> $1, 1, 2 LIMIT 1000";
    PGresult *result;
    const char *names[MOST + 1], *near = NULL, *dot = strchr(look->config->table, '.');
    char schema[128] = "public", hint[160] = "";
    if (dot != NULL)
        snprintf(schema, sizeof schema, "%.*s", (int)(dot - look->config->table), look->config->table);
    enum status status = query(look, sql, schema, NULL, &result);
    int count = status == STATUS_OK ? PQntuples(result) : 0;
    for (int i = 0; i < count; i++)
        names[i] = PQgetvalue(result, i, 0);
    names[count] = NULL;
    near = config_nearest(dot != NULL ? dot + 1 : look->config->table, names);
    for (int i = 0; i < count && near != NULL && hint[0] == '\0'; i++) {
        if (names[i] == near)
            snprintf(hint, sizeof hint, "; did you mean \"%s.%s\"?", PQgetvalue(result, i, 1), near);
    }
    if (status == STATUS_OK)
        status = error_set(look->error, ERROR_FATAL,
                           "postgres.table (line %u): PostgreSQL at %s has no table \"%s\"%s; make it, or set "
                           "`create: true`",
                           look->config->head.node != NULL ? look->config->head.node->line : 0,
                           look->connection->server, look->config->table, hint);
    PQclear(result);
    return status;
}

static enum status check_server(const struct look *look, const PGresult *result)
{
    int version = PQserverVersion(look->connection->pg);
    if (version < LEAST_VERSION)
        return error_set(look->error, ERROR_FATAL, "PostgreSQL at %s: version 12 or later is needed, found %d",
                         look->connection->server, version / 10000);
    if (is_true(result, 0, 0))
        return error_set(look->error, ERROR_TRANSIENT,
                         "PostgreSQL at %s is read-only (a standby?); with several hosts in the dsn, "
                         "target_session_attrs=read-write finds the primary",
                         look->connection->server);
    return STATUS_OK;
}

/* *ret_found false: there is none. */
static enum status find_table(const struct look *look, bool *ret_found)
{
    static const char sql[] =
        "SELECT current_setting('transaction_read_only')::bool, has_database_privilege(current_database(), 'TEMP'), "
        "c.oid, n.nspname, c.relname, c.relkind FROM (SELECT to_regclass($1) AS oid) t LEFT JOIN pg_class c ON "
        "c.oid = t.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace";
    struct postgres_table *table = look->table;
    char *name = postgres_sql_table(look->config);
    PGresult *result = NULL;
    enum status status = name != NULL ? query(look, sql, name, NULL, &result) : no_memory(look);
    free(name);
    if (status == STATUS_OK)
        status = check_server(look, result);
    *ret_found = status == STATUS_OK && !PQgetisnull(result, 0, 2);
    if (*ret_found) {
        const char *schema = PQgetvalue(result, 0, 3), *found = PQgetvalue(result, 0, 4);
        table->temporary = is_true(result, 0, 1);
        table->oid = number(result, 0, 2);
        table->schema = arena_string(&table->arena, schema, strlen(schema));
        table->name = arena_string(&table->arena, found, strlen(found));
        if (table->schema == NULL || table->name == NULL)
            status = no_memory(look);
        else if (strchr("rpf", PQgetvalue(result, 0, 5)[0]) == NULL)
            status = error_set(look->error, ERROR_FATAL, "postgres.table: \"%s\" is no table", look->config->table);
    }
    PQclear(result);
    return status;
}

static enum status make_table(const struct look *look)
{
    char *sql = postgres_sql_create(look->config);
    if (sql == NULL)
        return no_memory(look);
    enum status status = postgres_run(look->connection, sql, NULL, "cannot make the table", look->context, NULL,
                                      look->error);
    free(sql);
    /* Somebody else made it at the same moment: seen at the next try. */
    if (status == STATUS_FAILED && look->error != NULL && look->error->class == ERROR_RECORD)
        look->error->class = ERROR_TRANSIENT;
    return status;
}

/* -- its columns -- */

/* The columns of the catalog query. */
enum {
    NAME,
    TYPE,
    MODIFIER,
    REQUIRED,
    NOT_NULL,
    GENERATED,
    IDENTITY,
    SQL_TYPE,
    BASE,
    BASE_KIND,
    BASE_NAME,
    ELEMENT,
    ELEMENT_BASE,
    ELEMENT_KIND,
    ELEMENT_NAME,
    ARRAYS,
    DETERMINISTIC,
    MAY_INSERT,
    MAY_UPDATE,
};

/* b: what a domain is over. e: an array's elements, with the same for a domain among them. */
static const char COLUMNS[] =
    "SELECT a.attname, a.atttypid, a.atttypmod, a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.attnotnull, "
    "a.attgenerated <> '', a.attidentity = 'a', format_type(a.atttypid, a.atttypmod), b.oid, b.typtype, b.typname, "
    "CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE 0 END, f.oid, f.typtype, f.typname, t.typarray, "
    "coalesce(c.collisdeterministic, true), has_column_privilege(a.attrelid, a.attnum, 'INSERT'), "
    "has_column_privilege(a.attrelid, a.attnum, 'UPDATE') "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
    "JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END "
    "LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A' "
    "LEFT JOIN pg_type f ON f.oid = CASE e.typtype WHEN 'd' THEN e.typbasetype ELSE e.oid END "
    "LEFT JOIN pg_collation c ON c.oid = a.attcollation "
    "WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/* "columns.total (line 12): "; nothing where it is told at the very place. */
static const char *place(const struct look *look, uint32_t column, char *text, size_t size)
{
    char path[200] = "columns";
    if (look->probe != NULL)
        return "";
    const struct config_map *columns = &look->config->columns;
    if (columns->nodes != NULL && columns->nodes[column] != NULL)
        config_tree_path(columns->nodes[column], path, sizeof path);
    snprintf(text, size, "%s (line %u): ", path, postgres_column_line(look->config, column));
    return text;
}

static enum status missing_column(const struct look *look, uint32_t column, const PGresult *result)
{
    char at[240], list[160] = "", hint[CONFIG_HINT_SIZE];
    const char *names[1601], *name = look->config->columns.keys[column];
    int count = PQntuples(result);
    for (int i = 0; i < count && i < 1600; i++) {
        names[i] = PQgetvalue(result, i, NAME);
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    names[count < 1600 ? count : 1600] = NULL;
    return error_set(look->error, ERROR_FATAL, "%stable \"%s\" has no column \"%s\"%s (it has: %s)",
                     place(look, column, at, sizeof at), look->config->table, name, config_hint(name, names, hint),
                     list);
}

static const struct postgres_type *find_type(uint32_t oid, char kind, const char *name)
{
    if (kind == 'e')
        return &postgres_type_enum;
    return strcmp(name, "citext") == 0 ? &postgres_type_citext : postgres_type_by_oid(oid);
}

static enum status check_rights(const struct look *look, const PGresult *result, int row, uint32_t column, bool key)
{
    char at[240];
    const char *name = PQgetvalue(result, row, NAME), *why = NULL;
    if (is_true(result, row, GENERATED))
        why = "is generated by the database: take it out of `columns`";
    else if (look->config->mode == POSTGRES_UPSERT && is_true(result, row, IDENTITY))
        why = "is GENERATED ALWAYS AS IDENTITY: take it out of `columns`, or make it GENERATED BY DEFAULT";
    else if (!is_true(result, row, MAY_INSERT))
        why = "may not be written by this user: GRANT INSERT on the table";
    else if (look->config->mode == POSTGRES_UPSERT && !key && !is_true(result, row, MAY_UPDATE))
        why = "may not be changed by this user: GRANT UPDATE on the table";
    if (why == NULL)
        return STATUS_OK;
    return error_set(look->error, ERROR_FATAL, "%sthe column \"%s\" of \"%s\" %s", place(look, column, at, sizeof at),
                     name, look->config->table, why);
}

static enum status check_type(const struct look *look, const struct postgres_target *target)
{
    char at[240];
    const struct postgres_column *column = &(
        (const struct postgres_column *)look->config->columns.values)[target->config];
    if (target->type == NULL)
        return error_set(look->error, ERROR_FATAL,
                         "%sthe column \"%s\" of \"%s\" is of type %s, which weir cannot write; give it one of %s ...",
                         place(look, target->config, at, sizeof at), target->name, look->config->table,
                         target->sql_type, "text, numeric, jsonb, timestamptz, uuid, bytea");
    if (column->declared.type != NULL &&
        (column->declared.type != target->type || column->declared.array != target->array))
        return error_set(look->error, ERROR_FATAL, "%sdeclared as %s, but in the table \"%s\" it is %s",
                         place(look, target->config, at, sizeof at), column->declared.text, look->config->table,
                         target->sql_type);
    return STATUS_OK;
}

static enum status take_column(const struct look *look, const PGresult *result, int row, uint32_t column,
                               struct postgres_target *ret)
{
    struct arena *arena = &look->table->arena;
    const char *name = PQgetvalue(result, row, NAME), *sql_type = PQgetvalue(result, row, SQL_TYPE);
    uint32_t element = number(result, row, ELEMENT);
    struct postgres_target target = {
        .name = arena_string(arena, name, strlen(name)),
        .config = column,
        .oid = number(result, row, TYPE),
        .array = element != 0,
        .element = element,
        .arrays = number(result, row, ARRAYS),
        .modifier = (int32_t)strtol(PQgetvalue(result, row, MODIFIER), NULL, 10),
        .not_null = is_true(result, row, NOT_NULL),
        .sql_type = arena_string(arena, sql_type, strlen(sql_type)),
    };
    int of = target.array ? ELEMENT_BASE : BASE;
    target.type = find_type(number(result, row, of), PQgetvalue(result, row, of + 1)[0],
                            PQgetvalue(result, row, of + 2));
    if (target.name == NULL || target.sql_type == NULL)
        return no_memory(look);
    *ret = target;
    return STATUS_OK;
}

static int find_row(const PGresult *result, const char *name)
{
    int row = PQntuples(result) - 1;
    while (row >= 0 && strcmp(PQgetvalue(result, row, NAME), name) != 0)
        row--;
    return row;
}

static enum status add_column(const struct look *look, const PGresult *result, uint32_t column, bool key)
{
    struct postgres_table *table = look->table;
    struct postgres_target *target = &table->targets[table->count];
    int row = find_row(result, look->config->columns.keys[column]);
    if (row < 0)
        return missing_column(look, column, result);
    enum status status = check_rights(look, result, row, column, key);
    if (status == STATUS_OK)
        status = take_column(look, result, row, column, target);
    if (status == STATUS_OK)
        status = check_type(look, target);
    if (status != STATUS_OK)
        return status;
    table->count++;
    table->arrays |= target->array || target->arrays == 0;
    if (key) {
        table->keys++;
        target->not_null = true;
        table->distinct |= target->array || !target->type->same_bytes || !is_true(result, row, DETERMINISTIC);
    }
    return STATUS_OK;
}

/* What every row would fail by. */
static enum status check_required(const struct look *look, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const char *name = PQgetvalue(result, row, NAME);
        bool given = false;
        for (uint32_t i = 0; i < look->table->count; i++)
            given |= strcmp(look->table->targets[i].name, name) == 0;
        if (!given && is_true(result, row, REQUIRED) && !is_true(result, row, GENERATED))
            return error_set(
                look->error, ERROR_FATAL,
                "postgres.columns: the column \"%s\" of \"%s\" is NOT NULL without a default, and `columns` "
                "has nothing for it",
                name, look->config->table);
    }
    return STATUS_OK;
}

/* A column that does not fit: told, when we only look. */
static enum status tell_column(const struct look *look, uint32_t column)
{
    const struct config_map *columns = &look->config->columns;
    if (look->probe == NULL || look->error->class != ERROR_FATAL)
        return STATUS_FAILED;
    probe_tell(look->probe, ERROR_FATAL, columns->nodes != NULL ? columns->nodes[column] : look->config->head.node,
               "%s", look->error->text);
    return STATUS_OK;
}

static enum status read_columns(const struct look *look)
{
    char oid[16];
    bool all = true;
    PGresult *result;
    const struct config_map *columns = &look->config->columns;
    snprintf(oid, sizeof oid, "%u", look->table->oid);
    enum status status = query(look, COLUMNS, oid, NULL, &result);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; status == STATUS_OK && i < columns->count; i++) {
            bool key = config_column_is_key(&look->config->key, columns->keys[i]);
            if (key != (pass == 0))
                continue;
            status = add_column(look, result, i, key);
            all &= status == STATUS_OK;
            if (status == STATUS_FAILED)
                status = tell_column(look, i);
        }
    }
    if (status == STATUS_OK && all)
        status = check_required(look, result);
    PQclear(result);
    return status;
}

static enum status read_form(const struct look *look)
{
    struct postgres_table *table = look->table;
    char oid[16];
    PGresult *result;
    snprintf(oid, sizeof oid, "%u", table->oid);
    enum status status = query(look, "SELECT " POSTGRES_FORM "$1::oid", oid, NULL, &result);
    if (status == STATUS_OK) {
        const char *form = PQgetvalue(result, 0, 0);
        table->form = arena_string(&table->arena, form, strlen(form));
        if (table->form == NULL)
            status = no_memory(look);
    }
    PQclear(result);
    return status;
}

static enum status fit(const struct look *look)
{
    struct postgres_table *table = look->table;
    table->targets = arena_alloc(&table->arena, look->config->columns.count * sizeof *table->targets);
    if (table->targets == NULL)
        return no_memory(look);
    /* Its form first: what changes in between is seen then. */
    enum status status = read_form(look);
    if (status == STATUS_OK)
        status = read_columns(look);
    if (status == STATUS_OK && look->config->mode == POSTGRES_UPSERT)
        status = postgres_key_check(table, look->connection, look->context, look->error);
    return status;
}

enum status postgres_table_read(struct postgres_table *table, struct postgres_connection *connection,
                                struct context *context, struct error *error)
{
    const struct postgres_config *config = connection->config;
    const struct look look = {table, connection, config, context, error, NULL};
    bool found;
    arena_reset(&table->arena);
    *table = (struct postgres_table){.arena = table->arena};
    enum status status = find_table(&look, &found);
    if (status == STATUS_OK && !found && config->create) {
        status = make_table(&look);
        if (status == STATUS_OK)
            status = find_table(&look, &found);
    }
    if (status == STATUS_OK && !found)
        return missing_table(&look);
    return status == STATUS_OK ? fit(&look) : status;
}

enum status postgres_table_probe(struct postgres_table *table, struct postgres_connection *connection,
                                 struct probe *probe, struct context *context, struct error *error)
{
    const struct look look = {table, connection, connection->config, context, error, probe};
    bool found;
    enum status status = find_table(&look, &found);
    if (status == STATUS_OK && found)
        return fit(&look);
    return status == STATUS_OK && !connection->config->create ? missing_table(&look) : status;
}
