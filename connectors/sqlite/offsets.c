/* See offsets.h. */
#include "connectors/sqlite/offsets.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "connectors/sqlite/database.h"
#include "processor/clock.h"

/* The source's thread waits. */
#define READ_PATIENCE (5 * CLOCK_SECOND)

static const char CREATE[] = "CREATE TABLE IF NOT EXISTS " SQLITE_OFFSETS_TABLE
                             " (service TEXT NOT NULL, topic TEXT NOT NULL, \"partition\" INTEGER NOT NULL, "
                             "\"offset\" INTEGER NOT NULL, PRIMARY KEY (service, topic, \"partition\")) "
                             "STRICT, WITHOUT ROWID";
static const char UPDATE[] = "UPDATE " SQLITE_OFFSETS_TABLE " SET \"offset\" = ?5 "
                             "WHERE service = ?1 AND topic = ?2 AND \"partition\" = ?3 AND \"offset\" = ?4";
static const char INSERT[] = "INSERT INTO " SQLITE_OFFSETS_TABLE " (service, topic, \"partition\", \"offset\") "
                             "VALUES (?1, ?2, ?3, ?5) ON CONFLICT DO NOTHING";
static const char LOOK[] = "SELECT \"offset\" FROM " SQLITE_OFFSETS_TABLE
                           " WHERE service = ?1 AND topic = ?2 AND \"partition\" = ?3";

enum status sqlite_offsets_init(struct sqlite_offsets *offsets, sqlite3 *db, const struct sqlite_config *config,
                                const char *service, struct error *error)
{
    const char *const texts[] = {UPDATE, INSERT, LOOK};
    sqlite3_stmt **const statements[] = {&offsets->update, &offsets->insert, &offsets->look};
    int code = sqlite3_exec(db, CREATE, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return sqlite_failed(db, code, config->path, "cannot make the table " SQLITE_OFFSETS_TABLE, error);
    offsets->service = service;
    for (unsigned i = 0; i < 3; i++) {
        code = sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, statements[i], NULL);
        if (code != SQLITE_OK)
            return sqlite_failed(db, code, config->path, "cannot use the table " SQLITE_OFFSETS_TABLE, error);
    }
    return STATUS_OK;
}

void sqlite_offsets_fini(struct sqlite_offsets *offsets)
{
    sqlite3_finalize(offsets->update);
    sqlite3_finalize(offsets->insert);
    sqlite3_finalize(offsets->look);
    offset_moves_fini(&offsets->last);
    *offsets = (struct sqlite_offsets){0};
}

static void bind_partition(sqlite3_stmt *statement, const char *service, const char *topic, int32_t partition)
{
    sqlite3_bind_text(statement, 1, service, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, topic, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 3, partition);
}

/* The offset that is there, -1: none. */
static int look(sqlite3_stmt *statement, const char *service, const char *topic, int32_t partition, int64_t *ret)
{
    bind_partition(statement, service, topic, partition);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        *ret = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
        code = SQLITE_OK;
    }
    sqlite3_reset(statement);
    return code;
}

/* ret_found: what was there, which is `from` where it was swapped. */
static int swap(struct sqlite_offsets *offsets, sqlite3_stmt *statement, const struct offset_move *move,
                int64_t *ret_found)
{
    bind_partition(statement, offsets->service, move->topic, move->partition);
    sqlite3_bind_int64(statement, 5, move->to);
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (code != SQLITE_DONE)
        return code;
    if (sqlite3_changes(sqlite3_db_handle(statement)) != 1)
        return look(offsets->look, offsets->service, move->topic, move->partition, ret_found);
    *ret_found = move->from;
    return SQLITE_OK;
}

static int swap_one(struct sqlite_offsets *offsets, const struct offset_move *move, int64_t *ret_found)
{
    if (move->from < 0)
        return swap(offsets, offsets->insert, move, ret_found);
    sqlite3_bind_int64(offsets->update, 4, move->from);
    return swap(offsets, offsets->update, move, ret_found);
}

static enum sqlite_moved fenced(const struct sqlite_offsets *offsets, const struct offset_move *move, int64_t found,
                                const char *path, struct error *error)
{
    error_set(error, ERROR_RESTART,
              "fenced: %s/%" PRId32 " was at offset %" PRId64 " in " SQLITE_OFFSETS_TABLE " of %s, and is at %" PRId64
              " now: another instance of service \"%s\" stores this partition",
              move->topic, move->partition, move->from, path, found, offsets->service);
    return MOVED_FENCED;
}

int sqlite_offsets_move(struct sqlite_offsets *offsets, const struct offset_move *moves, unsigned count,
                        const char *path, enum sqlite_moved *ret_moved, struct error *error)
{
    struct offset_findings findings = {0};
    if (!offset_moves_set(&offsets->last, moves, count))
        return SQLITE_NOMEM;
    for (unsigned i = 0; i < count; i++) {
        const struct offset_move *move = &moves[i];
        int64_t found = -1;
        int code = swap_one(offsets, move, &found);
        if (code != SQLITE_OK)
            return code;
        if (offset_findings_add(&findings, move, found))
            continue;
        *ret_moved = fenced(offsets, move, found, path, error);
        return SQLITE_OK;
    }
    *ret_moved = offset_findings_already(&findings) ? MOVED_ALREADY : MOVED;
    return SQLITE_OK;
}

int sqlite_offsets_recall(struct sqlite_offsets *offsets, const char *path, enum sqlite_moved *ret_moved,
                          struct error *error)
{
    struct offset_findings findings = {0};
    for (unsigned i = 0; i < offsets->last.count; i++) {
        const struct offset_move *move = &offsets->last.items[i];
        int64_t found = -1;
        int code = look(offsets->look, offsets->service, move->topic, move->partition, &found);
        if (code != SQLITE_OK)
            return code;
        if (offset_findings_add(&findings, move, found))
            continue;
        *ret_moved = fenced(offsets, move, found, path, error);
        return SQLITE_OK;
    }
    *ret_moved = offset_findings_already(&findings) ? MOVED_ALREADY : MOVED_NOT;
    return SQLITE_OK;
}

/* -- reading -- */

struct reader {
    struct context *context;
    int64_t since, patience;
};

static int wait_busy(void *arg, int count)
{
    struct reader *reader = arg;
    if (count == 0)
        reader->since = clock_now();
    if (clock_now() - reader->since >= reader->patience)
        return 0;
    return context_sleep(reader->context, 5 * CLOCK_MS) == STATUS_OK;
}

/* Looking for the table in the schema tells "missing" from every other mistake in the statement. */
static int has_table(sqlite3 *db, bool *ret)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema WHERE name = '" SQLITE_OFFSETS_TABLE "'", -1,
                                  &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    *ret = code == SQLITE_ROW;
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_all(sqlite3 *db, const char *service, struct offset_start *starts, unsigned count)
{
    sqlite3_stmt *statement = NULL;
    bool there = false;
    int code = has_table(db, &there);
    if (code != SQLITE_OK || !there)
        return code;
    code = sqlite3_prepare_v2(db, LOOK, -1, &statement, NULL);
    for (unsigned i = 0; code == SQLITE_OK && i < count; i++)
        code = look(statement, service, starts[i].topic, starts[i].partition, &starts[i].offset);
    sqlite3_finalize(statement);
    return code;
}

enum status sqlite_offsets_read(const void *arg, const struct connector_env *env, struct offset_start *starts,
                                unsigned count, struct context *context, struct error *error)
{
    const struct sqlite_config *config = arg;
    struct reader reader = {.context = context,
                            .patience = config->busy_timeout < READ_PATIENCE ? config->busy_timeout : READ_PATIENCE};
    enum status status = context_status(context);
    sqlite3 *db = NULL;
    for (unsigned i = 0; i < count; i++)
        starts[i].offset = -1;
    if (status != STATUS_OK || (access(config->path, F_OK) != 0 && errno == ENOENT))
        return status;
    int code = sqlite_open_reader(config->path, wait_busy, &reader, &db);
    if (code == SQLITE_OK)
        code = read_all(db, env->service, starts, count);
    if (code != SQLITE_OK) {
        status = context_status(context);
        if (status == STATUS_OK)
            status = sqlite_failed(db, code, config->path, "cannot read where the partitions stand", error);
    }
    sqlite3_close_v2(db);
    return status;
}

bool sqlite_offsets_can_keep(const void *arg, const struct config_node **ret_node, const char **ret_why)
{
    const struct sqlite_config *config = arg;
    const char *key = NULL;
    if (config->path[0] == 0 || strcmp(config->path, ":memory:") == 0) {
        key = "path";
        *ret_why = "a database in memory is gone, with its offsets, when weir ends; name a file";
    } else if (strcasecmp(config->table, SQLITE_OFFSETS_TABLE) == 0) {
        key = "table";
        *ret_why = "the offsets are kept in " SQLITE_OFFSETS_TABLE "; the records need another table";
    } else if (strcmp(sqlite_synchronous_names[config->synchronous], "off") == 0) {
        key = "synchronous";
        *ret_why = "with `synchronous: off` a power failure may tear rows and offset apart; `normal` is enough";
    }
    if (key == NULL)
        return true;
    *ret_node = config_tree_get(config->head.node, key);
    return false;
}
