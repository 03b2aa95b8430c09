#include "cli/demo_files.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/demo_orders.h"

static const char CONFIG[] =
    "# Written by `weir demo`: an ordinary config, but for its broker, which is inside the demo and ends with it.\n"
    "# Of your own Kafka: change brokers and topics, then `weir check` and `weir run` this file.\n"
    "service: demo\n"
    "memory: 64MiB\n"
    "\n"
    "source:\n"
    "  kafka:\n"
    "    brokers: %s\n"
    "    group: weir-demo\n"
    "    topics: [orders]\n"
    "    start: earliest\n"
    "    # The embedded broker holds a fetch that finds nothing for all of this time.\n"
    "    properties: {fetch.wait.max.ms: 10}\n"
    "\n"
    "stages:\n"
    "  - decode: {compression: zstd, format: json}\n"
    "  - enrich:\n"
    "      - filter: {drop_when: {path: .status, equals: TEST}}\n"
    "      - lookup: {table: customers.csv, match: customer_id, fields: [name, tier, country], into: customer}\n"
    "      - set: {received_at: \"{{now}}\", source: \"{{topic}}/{{partition}}/{{offset}}\"}\n"
    "  - store:\n"
    "      sqlite:\n"
    "        path: '%s'\n"
    "        table: orders\n"
    "        mode: upsert\n"
    "        key: [order_id]\n"
    "        columns:\n"
    "          order_id: {path: .order_id, type: text}\n"
    "          status: {path: .status, type: text}\n"
    "          total: {path: .total, type: real}\n"
    "          customer: {path: .customer.name, type: text}\n"
    "          tier: {path: .customer.tier, type: text}\n"
    "          country: {path: .customer.country, type: text}\n"
    "          created_at: {path: .created_at, type: text}\n"
    "          received_at: {path: .received_at, type: text}\n"
    "          source: {path: .source, type: text}\n"
    "\n"
    "errors:\n"
    "  # What can't be decoded or stored goes here, with its reason in the headers.\n"
    "  dead_letter: {topic: orders.dlq}\n"
    "\n"
    "shutdown: 30s\n"
    "# Any free port: the log says which.\n"
    "admin: {listen: 127.0.0.1:0}\n";

const char demo_query[] =
    "SELECT tier, count(*) AS orders, round(sum(total), 2) AS revenue FROM orders GROUP BY tier ORDER BY revenue DESC";

static enum status failed(const char *path, struct error *error)
{
    return error_set(error, ERROR_FATAL, "%s: %s", path, strerror(errno));
}

/* A folder under /tmp may have been laid there by somebody else. */
static enum status make_dir(const char *path, bool shared_parent, struct error *error)
{
    struct stat stat_of;
    if (mkdir(path, shared_parent ? 0700 : 0777) == 0)
        return STATUS_OK;
    if (errno != EEXIST)
        return failed(path, error);
    if ((shared_parent ? lstat(path, &stat_of) : stat(path, &stat_of)) != 0)
        return failed(path, error);
    if (!S_ISDIR(stat_of.st_mode))
        return error_set(error, ERROR_FATAL, "%s is no folder", path);
    if (shared_parent && stat_of.st_uid != getuid())
        return error_set(error, ERROR_FATAL, "%s belongs to another user: choose a folder with --dir", path);
    return STATUS_OK;
}

static void choose_dir(struct demo_files *files, const char *dir)
{
    const char *tmp = getenv("TMPDIR");
    if (dir != NULL)
        snprintf(files->dir, sizeof files->dir, "%s", dir);
    else
        snprintf(files->dir, sizeof files->dir, "%s/weir-demo-%u", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp",
                 getuid());
}

/* The folder by its whole name, so that what is printed and written holds wherever it is used. */
static enum status set_paths(struct demo_files *files, struct error *error)
{
    char dir[PATH_MAX];
    if (realpath(files->dir, dir) == NULL)
        return failed(files->dir, error);
    /* It stands in the config between single quotes. */
    if (strlen(dir) >= sizeof files->dir || strchr(dir, '\'') != NULL)
        return error_set(error, ERROR_FATAL,
                         "%s: the name is too long or has a quote in it: choose a folder with --dir", dir);
    memcpy(files->dir, dir, strlen(dir) + 1);
    snprintf(files->config, sizeof files->config, "%s/weir.yaml", files->dir);
    snprintf(files->customers, sizeof files->customers, "%s/customers.csv", files->dir);
    snprintf(files->database, sizeof files->database, "%s/orders.db", files->dir);
    return STATUS_OK;
}

/* With what SQLite keeps beside it: an old log would be played into a new database. */
static enum status remove_database(const struct demo_files *files, struct error *error)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    char path[PATH_MAX + 8];
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        snprintf(path, sizeof path, "%s%s", files->database, ENDS[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            return failed(path, error);
    }
    return STATUS_OK;
}

static enum status close_file(FILE *out, const char *path, struct error *error)
{
    bool bad = ferror(out) != 0;
    return fclose(out) == 0 && !bad ? STATUS_OK : failed(path, error);
}

static enum status write_customers(const struct demo_files *files, struct error *error)
{
    FILE *out = fopen(files->customers, "we");
    if (out == NULL)
        return failed(files->customers, error);
    (void)order_write_customers(out, ORDER_CUSTOMERS);
    return close_file(out, files->customers, error);
}

static enum status write_config(const struct demo_files *files, const char *brokers, struct error *error)
{
    FILE *out = fopen(files->config, "we");
    if (out == NULL)
        return failed(files->config, error);
    fprintf(out, CONFIG, brokers, files->database);
    return close_file(out, files->config, error);
}

enum status demo_files_write(struct demo_files *files, const char *dir, bool keep, const char *brokers,
                             struct error *error)
{
    if (dir != NULL && strlen(dir) >= sizeof files->dir)
        return error_set(error, ERROR_FATAL, "%.40s...: the name is too long", dir);
    choose_dir(files, dir);
    enum status status = make_dir(files->dir, dir == NULL, error);
    if (status == STATUS_OK)
        status = set_paths(files, error);
    if (status == STATUS_OK && !keep)
        status = remove_database(files, error);
    if (status == STATUS_OK)
        status = write_customers(files, error);
    if (status == STATUS_OK)
        status = write_config(files, brokers, error);
    return status;
}

/* -- the query -- */

static void print_row(sqlite3_stmt *statement)
{
    printf("  %-10s %10s %16.2f\n", (const char *)sqlite3_column_text(statement, 0),
           (const char *)sqlite3_column_text(statement, 1), sqlite3_column_double(statement, 2));
}

bool demo_files_query(const struct demo_files *files)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_open_v2(files->database, &db, SQLITE_OPEN_READONLY, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, demo_query, -1, &statement, NULL);
    if (code == SQLITE_OK)
        printf("  %-10s %10s %16s\n", sqlite3_column_name(statement, 0), sqlite3_column_name(statement, 1),
               sqlite3_column_name(statement, 2));
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        print_row(statement);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    sqlite3_close_v2(db);
    return code == SQLITE_DONE;
}
