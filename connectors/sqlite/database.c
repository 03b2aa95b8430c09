/* See database.h. All SQL text is made here, with SQLite's own quoting of names (%w inside double quotes). */
#include "connectors/sqlite/database.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "processor/log.h"

enum error_class sqlite_error_class(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
    case SQLITE_ABORT:
        return ERROR_TRANSIENT;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return ERROR_RECORD;
    default:
        return ERROR_FATAL;
    }
}

/* What a person may do about it, where SQLite's words do not say. */
static const char *advice(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return " (another process holds the write lock)";
    case SQLITE_FULL:
        return " (free some space)";
    case SQLITE_NOTADB:
        return " (use another path)";
    case SQLITE_READONLY:
        return " (check the rights of the file and its folder)";
    default:
        return "";
    }
}

enum status sqlite_failed(sqlite3 *db, int code, const char *path, const char *what, struct error *error)
{
    enum error_class class = sqlite_error_class(code);
    int number = db != NULL ? sqlite3_system_errno(db) : 0;
    const char *text = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    if ((code & 0xff) == SQLITE_CANTOPEN) {
        if (number == EMFILE || number == ENFILE || number == ENOSPC)
            class = ERROR_TRANSIENT;
        return error_set(error, class,
                         "SQLite database %s: %s: %s%s%s (does the folder exist, and may weir write there?)", path,
                         what, text, number ? ": " : "", number ? strerror(number) : "");
    }
    return error_set(error, class, "SQLite database %s: %s: %s%s", path, what, text, advice(code));
}

/* SQLite's own statistics cost a global lock for each allocation. Too late (somebody else used it first) is fine. */
static void configure_library(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Before whatever else of SQLite is called. */
static void set_up_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_library);
}

static enum status execute(sqlite3 *db, const struct sqlite_config *config, const char *what, char *sql,
                           struct error *error)
{
    int code = sql != NULL ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return code == SQLITE_OK ? STATUS_OK : sqlite_failed(db, code, config->path, what, error);
}

/* Answers the mode that is in force, which is another one where the file system cannot do WAL, and for databases in memory. */
static enum status set_journal(sqlite3 *db, const struct sqlite_config *config, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
    const char *mode;
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code != SQLITE_ROW) {
        enum status status = sqlite_failed(db, code, config->path, "cannot turn on the write-ahead log", error);
        sqlite3_finalize(statement);
        return status;
    }
    mode = (const char *)sqlite3_column_text(statement, 0);
    if (mode != NULL && strcmp(mode, "wal") != 0 && strcmp(mode, "memory") != 0)
        log_warn("sqlite", "%s: no write-ahead log on this file system, journal mode is %s: readers block writes",
                 config->path, mode);
    sqlite3_finalize(statement);
    return STATUS_OK;
}

/* Not SQLITE_OPEN_READONLY: a write-ahead log that a crash left can only be read by who may write its index. */
int sqlite_open_reader(const char *path, int (*busy)(void *, int), void *arg, sqlite3 **ret_db)
{
    sqlite3 *db = NULL;
    set_up_library();
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(db, 1);
        sqlite3_busy_handler(db, busy, arg);
        code = sqlite3_exec(db, "PRAGMA query_only=1", NULL, NULL, NULL);
    }
    *ret_db = db;
    return code;
}

enum status sqlite_open_database(const struct sqlite_config *config, int (*busy)(void *, int), void *arg,
                                 sqlite3 **ret_db, struct error *error)
{
    sqlite3 *db = NULL;
    enum status status;
    int code;
    set_up_library();
    /* NOMUTEX: one thread at a time uses the connection, by the store's contract. */
    code = sqlite3_open_v2(config->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        status = sqlite_failed(db, code, config->path, "cannot open it", error);
        sqlite3_close_v2(db);
        return status;
    }
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_handler(db, busy, arg);
    status = set_journal(db, config, error);
    if (status == STATUS_OK)
        status = execute(db, config, "cannot set it up",
                         sqlite3_mprintf("PRAGMA synchronous=%s", sqlite_synchronous_names[config->synchronous]),
                         error);
    if (status != STATUS_OK) {
        sqlite3_close_v2(db);
        return status;
    }
    *ret_db = db;
    return STATUS_OK;
}

static bool is_key(const struct sqlite_config *config, const char *column)
{
    const char *const *names = config->key.items;
    for (uint32_t i = 0; i < config->key.count; i++)
        if (!strcmp(names[i], column))
            return true;
    return false;
}

static void append_key(sqlite3_str *sql, const struct sqlite_config *config)
{
    const char *const *names = config->key.items;
    for (uint32_t i = 0; i < config->key.count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "", names[i]);
}

static enum status create_table(sqlite3 *db, const struct sqlite_config *config, struct error *error)
{
    const struct sqlite_column *columns = config->columns.values;
    sqlite3_str *sql = sqlite3_str_new(db);
    sqlite3_str_appendf(sql, "CREATE TABLE IF NOT EXISTS \"%w\" (", config->table);
    for (uint32_t i = 0; i < config->columns.count; i++) {
        const char *name = config->columns.keys[i];
        sqlite3_str_appendf(sql, "%s\"%w\" %s%s", i ? ", " : "", name, sqlite_type_names[columns[i].type],
                            is_key(config, name) ? " NOT NULL" : "");
    }
    if (config->key.count) {
        sqlite3_str_appendf(sql, ", PRIMARY KEY (");
        append_key(sql, config);
        sqlite3_str_appendf(sql, ")");
    }
    sqlite3_str_appendf(sql, ") STRICT");
    return execute(db, config, "cannot make the table", sqlite3_str_finish(sql), error);
}

static enum status lacks_column(const struct sqlite_config *config, uint32_t i, const char *found, struct error *error)
{
    const char *name = config->columns.keys[i];
    const struct config_node *node = config->columns.nodes != NULL ? config->columns.nodes[i] : NULL;
    char path[256] = "columns";
    if (node != NULL)
        config_tree_path(node, path, sizeof path);
    return error_set(error, ERROR_FATAL,
                     "%s (line %u): table \"%s\" in %s has no column \"%s\" (it has: %s); add it with `ALTER TABLE "
                     "\"%s\" ADD COLUMN \"%s\"`, "
                     "or take it out of `columns`",
                     path, node != NULL ? node->key_line : 0, config->table, config->path, name, found, config->table,
                     name);
}

int sqlite_read_columns(sqlite3 *db, const struct sqlite_config *config, bool *ret_has, char **ret_names)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_str *names = sqlite3_str_new(db);
    int code = sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_xinfo(?1)", -1, &statement, NULL);
    if (code == SQLITE_OK)
        sqlite3_bind_text(statement, 1, config->table, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        for (uint32_t i = 0; i < config->columns.count; i++)
            if (name != NULL && !sqlite3_stricmp(name, config->columns.keys[i]))
                ret_has[i] = true;
        sqlite3_str_appendf(names, "%s%s", sqlite3_str_length(names) ? ", " : "", name != NULL ? name : "?");
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    *ret_names = sqlite3_str_finish(names);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

enum status sqlite_prepare_table(sqlite3 *db, const struct sqlite_config *config, struct error *error)
{
    bool *has = sqlite3_malloc64(config->columns.count * sizeof *has);
    char *names = NULL;
    enum status status = STATUS_OK;
    int code;
    if (has == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    memset(has, 0, config->columns.count * sizeof *has);
    code = sqlite_read_columns(db, config, has, &names);
    if (code != SQLITE_OK)
        status = sqlite_failed(db, code, config->path, "cannot read what columns the table has", error);
    else if (names == NULL)
        status = create_table(db, config, error);
    for (uint32_t i = 0; status == STATUS_OK && names != NULL && i < config->columns.count; i++)
        if (!has[i])
            status = lacks_column(config, i, names, error);
    sqlite3_free(names);
    sqlite3_free(has);
    return status;
}

static void append_upsert(sqlite3_str *sql, const struct sqlite_config *config)
{
    const char *comma = "";
    sqlite3_str_appendf(sql, " ON CONFLICT (");
    append_key(sql, config);
    if (config->columns.count == config->key.count) {
        sqlite3_str_appendf(sql, ") DO NOTHING");
        return;
    }
    sqlite3_str_appendf(sql, ") DO UPDATE SET ");
    for (uint32_t i = 0; i < config->columns.count; i++) {
        const char *name = config->columns.keys[i];
        if (is_key(config, name))
            continue;
        sqlite3_str_appendf(sql, "%s\"%w\"=excluded.\"%w\"", comma, name, name);
        comma = ", ";
    }
}

enum status sqlite_prepare_insert(sqlite3 *db, const struct sqlite_config *config, sqlite3_stmt **ret_insert,
                                  struct error *error)
{
    sqlite3_str *text = sqlite3_str_new(db);
    char *sql;
    int code;
    sqlite3_str_appendf(text, "INSERT INTO \"%w\" (", config->table);
    for (uint32_t i = 0; i < config->columns.count; i++)
        sqlite3_str_appendf(text, "%s\"%w\"", i ? ", " : "", config->columns.keys[i]);
    sqlite3_str_appendf(text, ") VALUES (");
    for (uint32_t i = 0; i < config->columns.count; i++)
        sqlite3_str_appendf(text, "%s?%u", i ? ", " : "", i + 1);
    sqlite3_str_appendf(text, ")");
    if (config->mode == MODE_UPSERT)
        append_upsert(text, config);
    sql = sqlite3_str_finish(text);
    code = sql != NULL ? sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_insert, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return code == SQLITE_OK ? STATUS_OK : sqlite_failed(db, code, config->path, "cannot prepare the insert", error);
}
