#include "connectors/sqlite/probe.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/probe.h"
#include "connectors/sqlite/database.h"
#include "processor/clock.h"

/* As long as the check has time. */
static int wait_busy(void *context, int count)
{
    (void)count;
    return context_sleep(context, 10 * CLOCK_MS) == STATUS_OK;
}

/* The file, its write-ahead log and the index of that are made in the folder. */
static void look_at_folder(const struct sqlite_config *config, struct probe *probe)
{
    char folder[PATH_MAX];
    struct stat info;
    const char *slash = strrchr(config->path, '/');
    size_t size = slash == NULL ? 0 : slash == config->path ? 1 : (size_t)(slash - config->path);
    const struct config_node *node = config_tree_get(config->head.node, "path");
    snprintf(folder, sizeof folder, "%.*s", size > 0 ? (int)size : 1, size > 0 ? config->path : ".");
    if (stat(folder, &info) != 0)
        probe_tell(probe, ERROR_FATAL, node, "expected the folder %s, which SQLite does not make: %s", folder,
                   strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        probe_tell(probe, ERROR_FATAL, node, "expected a folder at %s", folder);
    else if (access(folder, W_OK | X_OK) != 0)
        probe_tell(probe, ERROR_FATAL, node, "expected a folder that weir may write to at %s: %s", folder,
                   strerror(errno));
}

static void tell_missing(const struct sqlite_config *config, uint32_t column, const char *names, struct probe *probe)
{
    const char *name = config->columns.keys[column];
    const struct config_node *node = config->columns.nodes != NULL ? config->columns.nodes[column] : config->head.node;
    probe_tell(probe, ERROR_FATAL, node,
               "table \"%s\" in %s has no column \"%s\" (it has: %s); add it with `ALTER TABLE \"%s\" ADD COLUMN "
               "\"%s\"`, or take it out of `columns`",
               config->table, config->path, name, names, config->table, name);
}

static enum status look_at_table(sqlite3 *db, const struct sqlite_config *config, struct probe *probe,
                                 struct error *error)
{
    sqlite3_stmt *insert = NULL;
    bool *has = sqlite3_malloc64(config->columns.count * sizeof *has);
    char *names = NULL;
    enum status status = STATUS_OK;
    uint32_t missing = 0;
    if (has == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    memset(has, 0, config->columns.count * sizeof *has);
    int code = sqlite_read_columns(db, config, has, &names);
    if (code != SQLITE_OK)
        status = sqlite_failed(db, code, config->path, "cannot read what columns the table has", error);
    for (uint32_t i = 0; status == STATUS_OK && names != NULL && i < config->columns.count; i++) {
        if (!has[i])
            tell_missing(config, i, names, probe);
        missing += !has[i];
    }
    /* Is there an index for the key of an upsert? A table that is missing is made with one. */
    if (status == STATUS_OK && names != NULL && missing == 0)
        status = sqlite_prepare_insert(db, config, &insert, error);
    sqlite3_finalize(insert);
    sqlite3_free(names);
    sqlite3_free(has);
    return status;
}

/* As a reader, which needs the right to write: whether we have that is the question. */
static enum status look_at_database(const struct sqlite_config *config, struct probe *probe, struct context *context,
                                    struct error *error)
{
    sqlite3 *db = NULL;
    enum status status;
    int code = sqlite_open_reader(config->path, wait_busy, context, &db);
    if (code != SQLITE_OK) {
        status = sqlite_failed(db, code, config->path, "cannot open it", error);
    } else {
        if (sqlite3_db_readonly(db, "main") == 1)
            probe_tell(probe, ERROR_FATAL, config_tree_get(config->head.node, "path"),
                       "expected a database that weir may write to, found a read-only one");
        status = look_at_table(db, config, probe, error);
    }
    sqlite3_close_v2(db);
    return status;
}

enum status sqlite_probe(const struct sqlite_config *config, struct probe *probe, struct context *context,
                         struct error *error)
{
    enum status status = context_status(context);
    /* In memory, or a temporary file. */
    if (status != STATUS_OK || config->path[0] == '\0' || strcmp(config->path, ":memory:") == 0)
        return status;
    look_at_folder(config, probe);
    if (access(config->path, F_OK) != 0)
        return STATUS_OK;
    status = look_at_database(config, probe, context, error);
    if (status == STATUS_FAILED && error->class == ERROR_TRANSIENT && context_status(context) != STATUS_OK)
        error_prefix(error, "until the deadline");
    return status;
}

bool sqlite_can_stand_beside(const void *arg, const void *other_arg, const struct config_node **ret_node,
                             const char **ret_why)
{
    const struct sqlite_config *config = arg, *other = other_arg;
    bool upserts = config->mode == MODE_UPSERT && other->mode == MODE_UPSERT;
    if (upserts || strcmp(config->path, ":memory:") == 0 || strcmp(config->path, other->path) != 0 ||
        sqlite3_stricmp(config->table, other->table) != 0)
        return true;
    *ret_node = config_tree_get(config->head.node, "table");
    *ret_why = "expected a table that no other store appends to: each record would be in it twice";
    return false;
}
