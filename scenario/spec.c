#include "scenario/spec.h"

#include "scenario/spec_rows.h"

#include <string.h>

#include "config/condition.h"
#include "config/fields.h"
#include "config/found.h"
#include "config/loader.h"
#include "processor/batch.h"
#include "processor/clock.h"
#include "processor/timestamp.h"

enum { INPUT_MAX = 100000, SCENARIOS_MAX = 10000, VARIABLES_MAX = 500 };

/* -- field types of their own -- */

static bool parse_moment(struct config_loader *loader, const struct config_node *node, void *ret)
{
    static const struct config_field MS = {.kind = CONFIG_INT, .min = -1};
    char found[FOUND_MAX];
    if (node->kind == NODE_SCALAR && timestamp_read(node->text, ret))
        return true;
    const char *digits = node->kind == NODE_SCALAR ? node->text + (node->text[0] == '-') : "";
    if (digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0')
        return config_parse(loader, &MS, node, ret);
    config_error(loader->report, node, "expected a time (2026-01-02T03:04:05Z) or milliseconds since 1970, found %s",
                 found_words(node, found));
    return false;
}

static void moment_schema(FILE *out)
{
    given_schema(out); /* YAML 1.1 has a type of its own for times without quotes */
}

static const struct config_custom MOMENT = {
    .name = "a time", .size = sizeof(int64_t), .parse = parse_moment, .schema = moment_schema};

static const struct config_field GIVEN = {
    .help = "A text, null, or bytes as {base64: ...} or {hex: ...}.", .kind = CONFIG_CUSTOM, .custom = &given_custom};

/* -- input -- */

static void check_record(const void *arg, struct config_report *report)
{
    const struct spec_record *record = arg;
    if (config_tree_get(record->head.node, "value") == NULL)
        config_error(report, record->head.node, "expected the key `value` (null for a tombstone), found none");
}

static const struct config_field RECORD_ROWS[] = {
    TEXT_ROW("topic", "Its topic; default: the first one that the config consumes.", struct spec_record, topic),
    PARTITION_ROW(struct spec_record, partition, "Its partition.", "0", 0),
    OFFSET_ROW(struct spec_record, offset, "Its offset; default: one behind the partition's last."),
    GIVEN_ROW("key", "Its key; default: null.", struct spec_record, key),
    {.name = "headers",
     .help = "Its headers.",
     .kind = CONFIG_MAP,
     .offset = offsetof(struct spec_record, headers),
     .item = &GIVEN},
    {.name = "timestamp",
     .help = "Its timestamp, as 2026-01-02T03:04:05Z or in milliseconds; default: none.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct spec_record, timestamp),
     .fallback = "-1",
     .custom = &MOMENT},
    GIVEN_ROW("value", "Its value: a text is taken as it is, a map or list is written as JSON, null is a tombstone.",
              struct spec_record, value),
    {0},
};
ITEM(RECORD, "A record of the input.", struct spec_record, RECORD_ROWS, check_record);

/* -- what is expected -- */

/* Kept as they are: what they mean depends on the config (resolve.c). */
static bool keep_node(struct config_loader *loader, const struct config_node *node, void *ret)
{
    (void)loader;
    *(const struct config_node **)ret = node;
    return true;
}

static const struct config_field ABSENT = {
    .help = "A path that leads nowhere.", .kind = CONFIG_CUSTOM, .custom = &config_path};

static void check_output(const void *arg, struct config_report *report)
{
    const struct spec_output *output = arg;
    const struct config_node *node = output->head.node;
    if (node->count == 0)
        config_error(report, node, "expected what to look at (value, row, contains, key ...), found nothing");
}

static const struct config_field OUTPUT_ROWS[] = {
    PARTITION_ROW(struct spec_output, partition, "The partition of the record that it comes from.", "-1", -1),
    OFFSET_ROW(struct spec_output, offset, "The offset of the record that it comes from."),
    TEXT_ROW("topic", "Stores of messages: the topic that it goes to.", struct spec_output, topic),
    GIVEN_ROW("key", "Stores of messages: its key.", struct spec_output, key),
    {.name = "headers",
     .help = "Stores of messages: all of its headers.",
     .kind = CONFIG_MAP,
     .offset = offsetof(struct spec_output, headers),
     .item = &GIVEN},
    GIVEN_ROW("value",
              "The whole document: a map or list as JSON, a text byte by byte (or as JSON, when both are), null.",
              struct spec_output, value),
    {.name = "row",
     .help = "Stores of rows: the whole row, as a map of columns.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct spec_output, row),
     .custom = &given_json_custom},
    GIVEN_ROW("contains", "A part of the row, or else of the document; of a text that is not JSON, a piece of it.",
              struct spec_output, contains),
    {.name = "absent",
     .help = "Paths that lead nowhere in the row, or else in the document.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct spec_output, absent),
     .item = &ABSENT},
    {0},
};
ITEM(OUTPUT, "What is stored for a record.", struct spec_output, OUTPUT_ROWS, check_output);

const struct config_field spec_outputs_field = {
    .help = "What is stored, in the order of the input.", .kind = CONFIG_LIST, .max = INPUT_MAX, .item = &OUTPUT};

static void outputs_schema(FILE *out)
{
    fputs("{\"anyOf\": [", out);
    config_schema_field(&spec_outputs_field, out, 0);
    fputs(", {\"type\": \"object\", \"additionalProperties\": ", out);
    config_schema_field(&spec_outputs_field, out, 0);
    fputs("}]}", out);
}

static const struct config_custom OUTPUTS = {
    .name = "outputs", .size = sizeof(const struct config_node *), .parse = keep_node, .schema = outputs_schema};

static const struct config_field LETTER_ROWS[] = {
    PARTITION_ROW(struct spec_letter, partition, "The record's partition.", "-1", -1),
    OFFSET_ROW(struct spec_letter, offset, "The record's offset."),
    GIVEN_ROW("key", "The record's key.", struct spec_letter, key),
    GIVEN_ROW("value", "The record's value, as it came.", struct spec_letter, value),
    TEXT_ROW("stage", "The stage or store that refused it.", struct spec_letter, stage),
    TEXT_ROW("class", "The class of the error.", struct spec_letter, class),
    TEXT_ROW("message", "A part of the message.", struct spec_letter, message),
    {0},
};
ITEM(LETTER, "A dead letter.", struct spec_letter, LETTER_ROWS, NULL);

static const struct config_field DROP_ROWS[] = {
    PARTITION_ROW(struct spec_drop, partition, "The record's partition.", "-1", -1),
    OFFSET_ROW(struct spec_drop, offset, "The record's offset."),
    GIVEN_ROW("key", "The record's key.", struct spec_drop, key),
    TEXT_ROW("stage", "The stage that dropped it.", struct spec_drop, stage),
    {0},
};
ITEM(DROP, "A record that is dropped.", struct spec_drop, DROP_ROWS, NULL);

const struct config_field spec_drops_field = {
    .help = "The records that are dropped.", .kind = CONFIG_LIST, .max = INPUT_MAX, .item = &DROP};
const struct config_field spec_count_field = {.kind = CONFIG_INT, .max = INPUT_MAX};

static void drops_schema(FILE *out)
{
    fputs("{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, ", out);
    config_schema_field(&spec_drops_field, out, 0);
    fputs("]}", out);
}

static const struct config_custom DROPS = {
    .name = "drops", .size = sizeof(const struct config_node *), .parse = keep_node, .schema = drops_schema};

/* -- scenarios -- */

static void config_node_schema(FILE *out)
{
    fputs("{\"type\": [\"string\", \"object\"], \"minLength\": 1}", out);
}

static const struct config_custom CONFIG = {
    .name = "a config", .size = sizeof(const struct config_node *), .parse = keep_node, .schema = config_node_schema};

static const struct config_field VARIABLE = {.help = "Its value.", .kind = CONFIG_STRING};

#define SHARED_ROWS                                                                                                    \
    {.name = "config",                                                                                                 \
     .help = "The config: a file's path, or the config itself or a part of it.",                                       \
     .kind = CONFIG_CUSTOM,                                                                                            \
     .offset = offsetof(struct spec, config),                                                                          \
     .custom = &CONFIG},                                                                                               \
        {.name = "environment",                                                                                        \
         .help = "Variables for ${...} in the config's file.",                                                         \
         .kind = CONFIG_MAP,                                                                                           \
         .max = VARIABLES_MAX,                                                                                         \
         .offset = offsetof(struct spec, environment),                                                                 \
         .item = &VARIABLE},                                                                                           \
        {.name = "now",                                                                                                \
         .help = "What {{now}} is; default: the clock.",                                                               \
         .kind = CONFIG_CUSTOM,                                                                                        \
         .offset = offsetof(struct spec, now),                                                                         \
         .fallback = "-1",                                                                                             \
         .custom = &MOMENT},                                                                                           \
        {.name = "timeout",                                                                                            \
         .help = "How long a scenario may take; default: 30s.",                                                        \
         .kind = CONFIG_DURATION,                                                                                      \
         .offset = offsetof(struct spec, timeout),                                                                     \
         .max = 3600 * CLOCK_SECOND},                                                                                  \
        {.name = "stages",                                                                                             \
         .help = "Answers of stages, by the name of a stage or of one of its steps: they take its place.",             \
         .kind = CONFIG_MAP,                                                                                           \
         .offset = offsetof(struct spec, stages),                                                                      \
         .item = &spec_stage_answers_field},                                                                           \
    {                                                                                                                  \
        .name = "stores", .help = "Answers of stores, by their names: what they refuse.", .kind = CONFIG_MAP,          \
        .offset = offsetof(struct spec, stores), .item = &spec_store_answers_field                                     \
    }

static const struct config_field SCENARIO_ROWS[] = {
    {.name = "name",
     .help = "What it shows, as a sentence.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct spec, name),
     .required = true},
    SHARED_ROWS,
    {.name = "batch",
     .help = "Records that travel together at most; default: all that stand side by side.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct spec, batch),
     .max = BATCH_RECORDS},
    {.name = "input",
     .help = "The records that are consumed.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct spec, input),
     .required = true,
     .min = 1,
     .max = INPUT_MAX,
     .item = &RECORD},
    {.name = "output",
     .help = "What is stored, in the order of the input; with several stores a map of lists, by their names. Default: "
             "nothing.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct spec, output),
     .custom = &OUTPUTS},
    {.name = "dead_letters",
     .help = "The records that are rejected, in the order of the input. Default: none.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct spec, dead_letters),
     .item = &LETTER},
    {.name = "drops",
     .help = "The records that are dropped, in the order of the input, or only how many. Default: none.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct spec, drops),
     .custom = &DROPS},
    {.name = "stops",
     .help = "The service stops by itself, and says this (or a text that has this in it).",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct spec, stops)},
    {0},
};
ITEM(SCENARIO, "A scenario.", struct spec, SCENARIO_ROWS, NULL);

static const struct config_field FILE_ROWS[] = {
    SHARED_ROWS,
    {.name = "scenarios",
     .help = "The scenarios; what stands beside them holds for each that has nothing else.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct spec, scenarios),
     .required = true,
     .min = 1,
     .max = SCENARIOS_MAX,
     .item = &SCENARIO},
    {0},
};
static const struct config_table FILE_TABLE = {
    .name = "scenarios", .help = "A file of scenarios.", .size = sizeof(struct spec), .fields = FILE_ROWS};

const struct config_field spec_scenario_field = {
    .help = "A scenario.", .kind = CONFIG_OBJECT, .table = &SCENARIO_TABLE};
const struct config_field spec_file_field = {
    .help = "A file of scenarios.", .kind = CONFIG_OBJECT, .table = &FILE_TABLE};

void spec_schema(FILE *out)
{
    fputs(
        "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  \"title\": \"weir scenarios\",\n"
        "  \"description\": \"Records, and what a config makes of them: for `weir test`.\",\n  \"if\": {\"required\": "
        "[\"input\"]},\n  \"then\": ",
        out);
    config_schema_field(&spec_scenario_field, out, 2);
    fputs(",\n  \"else\": ", out);
    config_schema_field(&spec_file_field, out, 2);
    fputs(",\n  \"definitions\": {\n    ", out);
    condition_definitions(out);
    fputs("\n  }\n}\n", out);
}
