/* The table behind `postgres:`, and its two field types of its own: the dsn, and a column with a declared type. */
#include "connectors/postgres/config.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "config/secret.h"
#include "processor/clock.h"

enum { COLUMNS_MAX = 1600 }; /* MaxTupleAttributeNumber is 1664, MaxHeapAttributeNumber 1600 */

static const char *const mode_names[] = {"append", "upsert", NULL};

/* -- dsn -- */

/* libpq puts what it stumbled over in quotes: names of options may be told, but a badly quoted password may be no name. */
static const char *quoted_option(const char *words, char *ret, size_t size)
{
    static const char *const before[] = {"invalid connection option \"", "invalid URI query parameter: \"",
                                         "invalid sslmode value: \""};
    for (unsigned i = 0; i < sizeof before / sizeof *before; i++) {
        const char *at = strstr(words, before[i]);
        if (at == NULL)
            continue;
        at += strlen(before[i]);
        size_t length = strcspn(at, "\"");
        if (length == 0 || length >= size)
            continue;
        memcpy(ret, at, length);
        ret[length] = '\0';
        return ret;
    }
    return NULL;
}

static const char *hint_at_option(const char *name, char hint[CONFIG_HINT_SIZE])
{
    static const char *const names[] = {"host",
                                        "hostaddr",
                                        "port",
                                        "dbname",
                                        "user",
                                        "password",
                                        "passfile",
                                        "channel_binding",
                                        "connect_timeout",
                                        "client_encoding",
                                        "options",
                                        "application_name",
                                        "keepalives",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "sslmode",
                                        "sslcompression",
                                        "sslcert",
                                        "sslkey",
                                        "sslpassword",
                                        "sslrootcert",
                                        "sslcrl",
                                        "sslcrldir",
                                        "sslsni",
                                        "requirepeer",
                                        "ssl_min_protocol_version",
                                        "ssl_max_protocol_version",
                                        "krbsrvname",
                                        "gssencmode",
                                        "service",
                                        "target_session_attrs",
                                        NULL};
    return config_hint(name, names, hint);
}

static void report_dsn(struct config_report *report, const struct config_node *node, const char *words)
{
    char option[64], hint[CONFIG_HINT_SIZE];
    if (words == NULL) {
        config_error(report, node, "out of memory");
        return;
    }
    if (quoted_option(words, option, sizeof option) != NULL) {
        const char *at = strstr(node->text, option);
        config_error_at(report, node, at != NULL ? (unsigned)(at - node->text) : 0,
                        "expected a connection option of libpq, found \"%s\"%s", option, hint_at_option(option, hint));
        return;
    }
    size_t length = strcspn(words, "\"\n");
    while (length > 0 && (words[length - 1] == ' ' || words[length - 1] == ':'))
        length--;
    config_error(report, node,
                 "expected a URI (postgresql://user@host:5432/database) or key=value words (host=... dbname=...) as "
                 "libpq reads them: %.*s%s",
                 (int)length, words,
                 words[length] == '"' ? " a certain place (not shown: it may be the password)" : "");
}

static bool parse_dsn(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct config_report *report = config_loader_report(loader);
    char *words = NULL;
    bool password = false;
    if (node->kind != NODE_SCALAR || node->text[0] == '\0') {
        config_error(report, node, "expected a URI (postgresql://user@host:5432/database) or key=value words");
        return false;
    }
    PQconninfoOption *options = PQconninfoParse(node->text, &words);
    if (options == NULL) {
        /* Nobody knows what part of it is a secret. */
        config_report_hide(report, node);
        report_dsn(report, node, words);
        PQfreemem(words);
        return false;
    }
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || option->val[0] == '\0' || option->dispchar[0] != '*')
            continue;
        password = true;
        config_report_hide_text(report, option->val);
    }
    PQconninfoFree(options);
    if (password) {
        config_report_hide(report, node);
        config_warn_secret(report, node);
    }
    *(const char **)ret = node->text;
    return true;
}

static void dsn_schema(FILE *out)
{
    fprintf(out, "{\"type\": \"string\", \"minLength\": 1}");
}

static const struct config_custom dsn_custom = {
    .name = "a connection string of libpq",
    .size = sizeof(const char *),
    .parse = parse_dsn,
    .schema = dsn_schema,
};

/* -- columns -- */

struct typed_column {
    struct config_head head;
    const struct config_node *from;
    const char *type;
};

static const struct config_field typed_fields[] = {
    {.name = "path",
     .help = "Where the value comes from: a path in the document or a template.",
     .kind = CONFIG_NODE,
     .offset = offsetof(struct typed_column, from),
     .required = true},
    {.name = "type",
     .help = "The column's type, as in SQL: bigint, numeric(12,2), timestamptz, text[] ... A table that is there must "
             "have just this type; one that is made has it.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct typed_column, type)},
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

static bool parse_type(struct config_loader *loader, const struct config_node *node, const char *text,
                       struct postgres_declared *ret)
{
    const char *why;
    char word[64], hint[CONFIG_HINT_SIZE];
    if (postgres_type_parse(text, ret, &why))
        return true;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(text, "([ "), text);
    config_error(config_loader_report(loader), node, "expected %s, found \"%s\"%s", why, text,
                 config_hint(word, postgres_type_names, hint));
    return false;
}

static bool parse_column(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct postgres_column column = {0};
    struct typed_column typed = {0};
    bool good = true;
    if (node->kind == NODE_MAP) {
        if (!config_parse(loader, &typed_field, node, &typed))
            return false;
        if (typed.type != NULL)
            good = parse_type(loader, config_tree_get(node, "type"), typed.type, &column.declared);
        node = typed.from;
    }
    if (!config_column_parse(loader, node, "{path: .order_id, type: bigint}", &column.from) || !good)
        return false;
    *(struct postgres_column *)ret = column;
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
    .size = sizeof(struct postgres_column),
    .parse = parse_column,
    .schema = column_schema,
};

static const struct config_field column_item = {
    .help = "A path (.order_id), a template (\"{{offset}}\") or {path: .order_id, type: bigint}.",
    .kind = CONFIG_CUSTOM,
    .custom = &column_custom,
};

static const struct config_field key_item = {.help = "A column's name.", .kind = CONFIG_STRING};

unsigned postgres_column_line(const struct postgres_config *config, uint32_t column)
{
    return config->columns.nodes != NULL && config->columns.nodes[column] != NULL
               ? config->columns.nodes[column]->key_line
               : 0;
}

/* -- rules -- */

/* The server cuts longer names off in silence (NAMEDATALEN), and none has a zero byte. */
enum { NAME_MAX_BYTES = 63 };

/* `orders`, `sales.orders`: split at the first dot. */
static bool parse_table(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct config_report *report = config_loader_report(loader);
    if (node->kind != NODE_SCALAR || node->text[0] == '\0') {
        config_error(report, node, "expected a table's name, as in orders or sales.orders");
        return false;
    }
    const char *dot = strchr(node->text, '.');
    size_t schema = dot != NULL ? (size_t)(dot - node->text) : 1, name = strlen(dot != NULL ? dot + 1 : node->text);
    if (schema == 0 || name == 0 || (dot != NULL && strchr(dot + 1, '.') != NULL)) {
        config_error(report, node, "expected a table's name, as in orders or sales.orders, found \"%s\"", node->text);
        return false;
    }
    if (strchr(node->text, '"') != NULL) {
        config_error(report, node,
                     "expected a table's name without quotes: it is taken as it stands, capital letters too, found %s",
                     node->text);
        return false;
    }
    if (schema > NAME_MAX_BYTES || name > NAME_MAX_BYTES) {
        config_error(report, node, "expected names of at most %d bytes, found \"%s\"", NAME_MAX_BYTES, node->text);
        return false;
    }
    *(const char **)ret = node->text;
    return true;
}

static void table_schema(FILE *out)
{
    fprintf(out, "{\"type\": \"string\", \"pattern\": \"^[^.\\\"]+([.][^.\\\"]+)?$\"}");
}

static const struct config_custom table_custom = {
    .name = "a table's name",
    .size = sizeof(const char *),
    .parse = parse_table,
    .schema = table_schema,
};

static void check_columns(const struct postgres_config *config, struct config_report *report)
{
    const struct postgres_column *columns = config->columns.values;
    for (uint32_t i = 0; i < config->columns.count; i++) {
        const char *name = config->columns.keys[i];
        if (strlen(name) > NAME_MAX_BYTES)
            config_error_key(report, config->columns.nodes[i], "expected a name of at most %d bytes, found \"%s\"",
                             NAME_MAX_BYTES, name);
        /* Zero: it was wrong in itself, and is told. */
        bool parsed = columns[i].from.template != NULL || columns[i].from.path.text != NULL;
        if (config->create && parsed && columns[i].declared.type == NULL)
            config_error(report, config->columns.nodes[i],
                         "`create: true` needs the type of each column: {path: ..., type: text}");
    }
}

static void check(const void *arg, struct config_report *report)
{
    const struct postgres_config *config = arg;
    config_column_check_key(config->head.node, config->mode == POSTGRES_UPSERT, &config->key, &config->columns, report);
    check_columns(config, report);
}

static const struct config_field fields[] = {
    {.name = "dsn",
     .help = "Where the database is, as a URI (postgresql://user@host:5432/database) or key=value words, with all that "
             "libpq knows: several hosts, sslmode, passfile, service ... What it leaves out comes from libpq's own "
             "places (PGHOST, PGPASSWORD, ~/.pgpass).",
     .kind = CONFIG_CUSTOM,
     .custom = &dsn_custom,
     .offset = offsetof(struct postgres_config, dsn),
     .required = true},
    {.name = "table",
     .help = "The table, with or without its schema (sales.orders); as it stands in the catalog, where capital letters "
             "matter.",
     .kind = CONFIG_CUSTOM,
     .custom = &table_custom,
     .offset = offsetof(struct postgres_config, table),
     .required = true},
    {.name = "mode",
     .help = "append copies a row for each record; upsert replaces the columns of the row that has the same key.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct postgres_config, mode),
     .fallback = "append",
     .choices = mode_names},
    {.name = "key",
     .help = "For upsert: the columns that tell rows apart; the table needs a PRIMARY KEY or UNIQUE index on just "
             "these.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct postgres_config, key),
     .item = &key_item},
    {.name = "columns",
     .help =
         "What goes into which column: a path (.order_id; . is the whole document), a template (\"{{offset}}\"), or "
         "{path, type}. The values are sent as the table's types want them; what is missing becomes NULL.",
     .kind = CONFIG_MAP,
     .offset = offsetof(struct postgres_config, columns),
     .required = true,
     .min = 1,
     .max = COLUMNS_MAX,
     .item = &column_item},
    {.name = "create",
     .help = "Make the table when it is missing: each column with its declared type, and `key` as its primary key.",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct postgres_config, create),
     .fallback = "false"},
    {.name = "timeout",
     .help = "How long a statement, or connecting, may take; then it is cancelled and tried again with backoff.",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct postgres_config, timeout),
     .fallback = "30s",
     .min = 100 * CLOCK_MS,
     .max = 24 * 3600 * CLOCK_SECOND},
    {.name = "limit",
     .help = "The most connections that the workers of this process may have to this dsn at once; the others wait. 0: "
             "as many as there are workers.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct postgres_config, limit),
     .fallback = "0",
     .max = 10000},
    {0},
};

static const struct config_table table = {
    .name = "postgres",
    .help = "Rows in a PostgreSQL table.",
    .size = sizeof(struct postgres_config),
    .fields = fields,
    .check = check,
};

const struct config_field postgres_config_field = {
    .name = "postgres", .help = "Rows in a PostgreSQL table.", .kind = CONFIG_OBJECT, .table = &table};
