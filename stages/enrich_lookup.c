/*
 * lookup: finds a row by a key from the document and adds columns of it, as an object under `into` or as top-level members.
 *
 * Memory: the table lies outside of the `memory` budget, see lookup_table.h. What a record takes from it is copied into the batch, which the budget pays for: views
 * into the table would keep each table that was replaced alive until the last batch with one is stored, and a blocked store would let them pile up.
 */
#include <stdlib.h>

#include "config/fields.h"
#include "config/probe.h"
#include "config/table.h"
#include "processor/metrics.h"
#include "processor/stage.h"
#include "stages/file.h"
#include "stages/lookup_live.h"
#include "stages/member.h"

enum on_missing { MISSING_FORWARD, MISSING_REJECT, MISSING_DROP };

static const char *const ON_MISSING[] = {"forward", "reject", "drop", NULL};

/* Of a key in a message. */
enum { SHOWN_KEY = 100 };

struct lookup_config {
    struct config_head head;
    const char *table, *column;
    struct path match, into;
    struct config_list fields; /* const char * */
    int on_missing;
    int64_t reload, max_size;
};

struct lookup {
    const struct lookup_config *config;
    struct lookup_shape shape;
    char *column;            /* made out of match's last name; NULL when the config gives it */
    struct path *paths;      /* where the values go: one, or one a field */
    struct path_step *steps; /* of these, without into */
    uint32_t value_count;
    struct lookup_live *live;
    struct metric *misses;
};

/* Records whose rows are looked up at once. */
struct asked {
    uint32_t count;
    struct record *records[LOOKUP_AT_ONCE];
    struct bytes keys[LOOKUP_AT_ONCE];
};

static void lookup_close(void *stage)
{
    struct lookup *lookup = stage;
    if (lookup == NULL)
        return;
    lookup_live_free(lookup->live);
    free(lookup->column);
    free(lookup->paths);
    free(lookup->steps);
    free(lookup);
}

static const struct path_step *last_step(const struct path *path)
{
    return path->count > 0 ? &path->steps[path->count - 1] : NULL;
}

/* Columns become members of their own name, whatever is in it: no path is read out of it. */
static bool make_paths(struct lookup *lookup)
{
    const struct lookup_config *config = lookup->config;
    const char *const *fields = config->fields.items;
    bool joined = config->into.count > 0;
    lookup->value_count = joined ? 1 : config->fields.count;
    lookup->paths = calloc(lookup->value_count, sizeof *lookup->paths);
    lookup->steps = calloc(lookup->value_count, sizeof *lookup->steps);
    if (lookup->paths == NULL || lookup->steps == NULL)
        return false;
    if (joined)
        lookup->paths[0] = config->into;
    for (uint32_t i = 0; i < lookup->value_count && !joined; i++) {
        lookup->steps[i].name = bytes_of_string(fields[i]);
        lookup->paths[i] = (struct path){.text = fields[i], .count = 1, .steps = &lookup->steps[i]};
    }
    return true;
}

static bool make_shape(struct lookup *lookup)
{
    const struct lookup_config *config = lookup->config;
    if (config->column == NULL) {
        struct bytes name = last_step(&config->match)->name;
        lookup->column = strndup((const char *)name.data, name.size);
        if (lookup->column == NULL)
            return false;
    }
    lookup->shape = (struct lookup_shape){
        .column = config->column != NULL ? config->column : lookup->column,
        .fields = config->fields.items,
        .field_count = config->fields.count,
        .joined = config->into.count > 0,
        .max_size = (size_t)config->max_size,
    };
    return true;
}

static enum status open_table(struct lookup *lookup, const struct stage_env *env, struct error *error)
{
    char labels[512] = "";
    metrics_label(labels, sizeof labels, "stage", env->name);
    metrics_label(labels, sizeof labels, "table", lookup->config->table);
    lookup->misses = metrics_get(env->metrics, METRIC_COUNTER, "weir_lookup_misses_total",
                                 "Records for which the lookup table has no row.", labels);
    char *path = file_resolve(env->config_dir, lookup->config->table);
    if (path == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    const struct lookup_live_config config = {
        .stage = env->name,
        .path = path,
        .shape = &lookup->shape,
        .every = lookup->config->reload,
        .metrics = env->metrics,
        .labels = labels,
    };
    enum status status = lookup_live_new(&config, &lookup->live, error);
    free(path);
    return status;
}

/* -- weir check -- */

/* Is the table good for this column alone? absent: no row has it, which NDJSON allows. */
static enum status try_column(const struct lookup *lookup, const char *path, const char *const *field, bool *ret_absent,
                              struct error *error)
{
    struct lookup_shape shape = lookup->shape;
    struct lookup_table *table = NULL;
    struct stat stat;
    shape.fields = field;
    shape.field_count = 1;
    enum status status = lookup_table_load(path, &shape, &table, &stat, error);
    if (status == STATUS_OK)
        *ret_absent = lookup_table_counts(table)->absent != NULL;
    lookup_table_unref(table);
    return status;
}

/* Each column by itself, so that all that are missing are told, each at its place. */
static void probe_columns(const struct lookup *lookup, const char *path, struct probe *probe)
{
    const struct config_node *node = lookup->config->head.node, *list = config_tree_get(node, "fields");
    const char *const *fields = lookup->config->fields.items;
    struct error error = {0};
    bool absent = false;
    if (try_column(lookup, path, &lookup->shape.column, &absent, &error) != STATUS_OK) {
        probe_tell(probe, error.class, config_tree_get(node, "table"), "%s", error.text);
        return;
    }
    for (uint32_t i = 0; i < lookup->config->fields.count; i++) {
        const struct config_node *place = list != NULL && list->kind == NODE_LIST ? &list->children[i] : list;
        absent = false;
        if (try_column(lookup, path, &fields[i], &absent, &error) != STATUS_OK)
            probe_tell(probe, error.class, place, "%s", error.text);
        else if (absent)
            probe_warn(probe, place, "%s: no row has the field '%s'", path, fields[i]);
    }
}

static enum status probe_table(const struct lookup *lookup, const struct stage_env *env, struct error *error)
{
    struct lookup_table *table = NULL;
    struct stat stat;
    char *path = file_resolve(env->config_dir, lookup->config->table);
    if (path == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    if (lookup_table_load(path, &lookup->shape, &table, &stat, error) != STATUS_OK ||
        lookup_table_counts(table)->absent != NULL)
        probe_columns(lookup, path, env->probe);
    lookup_table_unref(table);
    free(path);
    return STATUS_OK;
}

/* -- the contract -- */

static enum status lookup_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    lookup->config = config;
    enum status status = STATUS_OK;
    if (!make_paths(lookup) || !make_shape(lookup))
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    else
        status = env->probe != NULL ? probe_table(lookup, env, error) : open_table(lookup, env, error);
    if (status == STATUS_OK)
        *ret_stage = lookup;
    else
        lookup_close(lookup);
    return status;
}

/* The record's key, empty when it has none: no row has an empty one. false: the record is answered. */
static bool read_key(const struct lookup *lookup, struct batch *batch, struct record *record, struct bytes *ret)
{
    struct value value = document_get(&record->document, &lookup->config->match, &batch->arena);
    *ret = (struct bytes){0};
    if (value.type == VALUE_MISSING || json_text(&value, &batch->arena, ret))
        return true;
    batch_retry(batch, record, "memory", "no memory to read %s", lookup->config->match.text);
    return false;
}

static void answer_missing(const struct lookup *lookup, struct batch *batch, struct record *record, struct bytes key)
{
    const struct lookup_config *config = lookup->config;
    if (config->on_missing == MISSING_DROP)
        batch_drop(record);
    else if (config->on_missing == MISSING_REJECT && key.size == 0)
        batch_reject(batch, record, "lookup", "nothing at %s to look up in %s", config->match.text, config->table);
    else if (config->on_missing == MISSING_REJECT)
        batch_reject(batch, record, "lookup", "%s has no row for %s '%.*s'", config->table, config->match.text,
                     (int)(key.size < SHOWN_KEY ? key.size : SHOWN_KEY), (const char *)key.data);
}

static void add_row(const struct lookup *lookup, const struct lookup_table *table, const struct lookup_row *row,
                    struct batch *batch, struct record *record)
{
    struct bytes values[LOOKUP_MAX_FIELDS];
    if (!lookup_row_copy(table, row, &batch->arena, values)) {
        batch_retry(batch, record, "memory", "no memory for a row of %s", lookup->config->table);
        return;
    }
    for (uint32_t i = 0; i < lookup->value_count; i++) {
        if (values[i].data != NULL && !member_set(batch, record, &lookup->paths[i], values[i]))
            return;
    }
}

/* Returns how many have no row. */
static uint32_t answer_asked(const struct lookup *lookup, const struct lookup_table *table, struct batch *batch,
                             struct asked *asked)
{
    const struct lookup_row *rows[LOOKUP_AT_ONCE];
    uint32_t missing = 0;
    lookup_table_find(table, asked->keys, asked->count, rows);
    for (uint32_t i = 0; i < asked->count; i++) {
        if (rows[i] != NULL) {
            add_row(lookup, table, rows[i], batch, asked->records[i]);
        } else {
            missing++;
            answer_missing(lookup, batch, asked->records[i], asked->keys[i]);
        }
    }
    asked->count = 0;
    return missing;
}

static void lookup_process(void *stage, void *worker, struct batch *batch)
{
    (void)worker;
    const struct lookup *lookup = stage;
    struct lookup_table *table = lookup_live_get(lookup->live);
    struct asked asked = {.count = 0};
    uint32_t missing = 0;
    BATCH_EACH(batch, record)
    {
        if (!member_wanted(batch, record) || !read_key(lookup, batch, record, &asked.keys[asked.count]))
            continue;
        asked.records[asked.count++] = record;
        if (asked.count == LOOKUP_AT_ONCE)
            missing += answer_asked(lookup, table, batch, &asked);
    }
    missing += answer_asked(lookup, table, batch, &asked);
    lookup_table_unref(table);
    if (missing > 0)
        metric_add(lookup->misses, missing);
}

static void lookup_check(const void *arg, struct config_report *report)
{
    const struct lookup_config *config = arg;
    const struct config_node *node = config->head.node;
    const struct path_step *step = last_step(&config->match);
    bool nameless = config->match.text != NULL && (step == NULL || step->name.data == NULL);
    if (config->column == NULL && nameless)
        config_error(report, config_tree_get(node, "match"),
                     "expected a path that ends in a name, or `column:` beside it: which column has the key?");
    const char *const *fields = config->fields.items;
    for (uint32_t i = 0; i < config->fields.count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (fields[i][0] != '\0' && strcmp(fields[i], fields[k]) == 0)
                config_error(report, config_tree_get(node, "fields"), "'%s' is named twice", fields[i]);
        }
    }
}

static const struct config_field LOOKUP_FIELD = {.help = "A column's name.", .kind = CONFIG_STRING};

static const struct config_field LOOKUP_FIELDS[] = {
    {.name = "table",
     .help = "The file with the table: CSV whose first row names the columns, or NDJSON; by its suffix, else by its "
             "first byte. It is held in memory as a whole, outside of the `memory` budget.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct lookup_config, table),
     .required = true},
    {.name = "match",
     .help = "Path of the value in the document that is looked up; a number is compared by its text.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct lookup_config, match),
     .required = true,
     .custom = &config_path},
    {.name = "column",
     .help = "The table's column with the keys; by default called like the last name in match.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct lookup_config, column)},
    {.name = "fields",
     .help = "The columns to add, under their own names.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct lookup_config, fields),
     .required = true,
     .min = 1,
     .max = LOOKUP_MAX_FIELDS,
     .item = &LOOKUP_FIELD},
    {.name = "into",
     .help = "Path of the object that is made of them; without it they become top-level members.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct lookup_config, into),
     .custom = &member_path},
    {.name = "on_missing",
     .help = "A record without a row: forwarded as it is, a record error of class lookup, or dropped. Each counts in "
             "weir_lookup_misses_total.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct lookup_config, on_missing),
     .fallback = "forward",
     .choices = ON_MISSING},
    {.name = "reload",
     .help = "How often to look whether the file was changed and is to be loaded again (replace it by rename); 0s: "
             "never.",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct lookup_config, reload),
     .fallback = "5s"},
    {.name = "max_size",
     .help = "The largest file, in bytes; a larger one is not loaded.",
     .kind = CONFIG_SIZE,
     .offset = offsetof(struct lookup_config, max_size),
     .fallback = "256MiB",
     .min = 1,
     .max = INT64_C(2) * 1024 * 1024 * 1024},
    {0},
};

static const struct config_table LOOKUP_TABLE = {
    .name = "lookup",
    .help = "Adds columns of a table's row to the document.",
    .size = sizeof(struct lookup_config),
    .fields = LOOKUP_FIELDS,
    .check = lookup_check,
};

static const struct config_field LOOKUP_CONFIG = {
    .name = "lookup",
    .help = "Adds columns of a table's row to the document; the table is a CSV or NDJSON file.",
    .kind = CONFIG_OBJECT,
    .table = &LOOKUP_TABLE,
};

const struct stage_type lookup_stage = {
    .name = "lookup",
    .help = "adds columns of a table's row",
    .config = &LOOKUP_CONFIG,
    .init = lookup_init,
    .process = lookup_process,
    .close = lookup_close,
};
