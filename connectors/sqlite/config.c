/* The table behind `sqlite:`, and the one field type of its own: a column, which is a path, a template, or either with a type beside it. */
#include "connectors/sqlite/config.h"

#include <string.h>
#include <strings.h>

#include "processor/clock.h"

const char *const sqlite_type_names[] = {"any", "integer", "real", "text", "blob", NULL};
const char *const sqlite_synchronous_names[] = {"normal", "full", "off", NULL};
static const char *const mode_names[] = {"append", "upsert", NULL};

/* `{path: .total, type: real}` */
struct typed_column {
    struct config_head head;
    const struct config_node *from;
    int type;
};

static const struct config_field typed_fields[] = {
    {.name = "path",
     .help = "Where the value comes from: a path in the document or a template.",
     .kind = CONFIG_NODE,
     .offset = offsetof(struct typed_column, from),
     .required = true},
    {.name = "type",
     .help = "The column's type in a table that is made: integer, real, text and blob are enforced (a value that does "
             "not fit is rejected), "
             "any takes every value as it is.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct typed_column, type),
     .fallback = "any",
     .choices = sqlite_type_names},
    {0},
};

static const struct config_table typed_table = {
    .name = "column",
    .help = "A column with its type.",
    .size = sizeof(struct typed_column),
    .fields = typed_fields,
};

static const struct config_field typed_field = {
    .name = "column", .help = "A column with its type.", .kind = CONFIG_OBJECT, .table = &typed_table};

static bool parse_column(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct sqlite_column column = {.type = TYPE_ANY};
    struct typed_column typed = {.type = TYPE_ANY};
    if (node->kind == NODE_MAP) {
        if (!config_parse(loader, &typed_field, node, &typed))
            return false;
        column.type = typed.type;
        node = typed.from;
    }
    if (!config_column_parse(loader, node, "{path: .order_id, type: integer}", &column.from))
        return false;
    *(struct sqlite_column *)ret = column;
    return true;
}

static void column_schema(FILE *out)
{
    fprintf(out, "{\"oneOf\": [{\"type\": \"string\", \"minLength\": 1}, ");
    config_schema_field(&typed_field, out, 0);
    fprintf(out, "]}");
}

static const struct config_custom column_custom = {
    .name = "a column (a path, a template, or {path, type})",
    .size = sizeof(struct sqlite_column),
    .parse = parse_column,
    .schema = column_schema,
};

static const struct config_field column_item = {
    .help = "A path (.order_id), a template (\"{{offset}}\") or {path: .order_id, type: integer}.",
    .kind = CONFIG_CUSTOM,
    .custom = &column_custom,
};

static const struct config_field key_item = {.help = "A column's name.", .kind = CONFIG_STRING};

enum { COLUMNS_MAX = 1000 };

/* SQLite's column names do not tell case apart. */
static void check_columns(const struct sqlite_config *config, struct config_report *report)
{
    for (uint32_t i = 0; i < config->columns.count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (!strcasecmp(config->columns.keys[i], config->columns.keys[j]))
                config_error_key(report, config->columns.nodes[i],
                                 "SQLite takes \"%s\" and \"%s\" for the same column; rename one",
                                 config->columns.keys[j], config->columns.keys[i]);
}

static void check(const void *arg, struct config_report *report)
{
    const struct sqlite_config *config = arg;
    config_column_check_key(config->head.node, config->mode == MODE_UPSERT, &config->key, &config->columns, report);
    check_columns(config, report);
}

static const struct config_field fields[] = {
    {.name = "path",
     .help = "The database file, relative to the working directory; it is made when it is missing.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct sqlite_config, path),
     .required = true},
    {.name = "table",
     .help = "The table; made from `columns` when it is missing (STRICT, so that declared types hold).",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct sqlite_config, table),
     .required = true},
    {.name = "mode",
     .help = "append inserts a row for each record; upsert replaces the columns of the row that has the same key.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct sqlite_config, mode),
     .fallback = "append",
     .choices = mode_names},
    {.name = "key",
     .help = "For upsert: the columns that tell rows apart; an existing table needs a PRIMARY KEY or UNIQUE index on "
             "just these.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct sqlite_config, key),
     .item = &key_item},
    {.name = "columns",
     .help =
         "What goes into which column: a path (.order_id; . is the whole document), a template (\"{{offset}}\"), or "
         "{path, type}. "
         "Numbers stay numbers, booleans become 1 and 0, objects and arrays JSON text; what is missing becomes NULL.",
     .kind = CONFIG_MAP,
     .offset = offsetof(struct sqlite_config, columns),
     .required = true,
     .min = 1,
     .max = COLUMNS_MAX,
     .item = &column_item},
    {.name = "busy_timeout",
     .help = "How long to wait for another writer's lock before backing off.",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct sqlite_config, busy_timeout),
     .fallback = "5s",
     .max = 3600 * CLOCK_SECOND},
    {.name = "synchronous",
     .help =
         "full: each flush is on the disk before its offsets count; normal survives every crash of the process, "
         "but a power failure may take back the latest transactions, whose offsets are committed already; off leaves "
         "all to the system.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct sqlite_config, synchronous),
     .fallback = "full",
     .choices = sqlite_synchronous_names},
    {0},
};

static const struct config_table table = {
    .name = "sqlite",
    .help = "Rows in a SQLite database.",
    .size = sizeof(struct sqlite_config),
    .fields = fields,
    .check = check,
};

const struct config_field sqlite_config_field = {
    .name = "sqlite", .help = "Rows in a SQLite database.", .kind = CONFIG_OBJECT, .table = &table};
