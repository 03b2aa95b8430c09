/* The tables of what stages and stores answer. */
#include <string.h>

#include "config/fields.h"
#include "config/loader.h"
#include "scenario/spec_rows.h"
#include "stages/member.h"

static bool parse_set(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct spec_set set = {0};
    if (!member_map_begin(loader, node, "a map of paths and values"))
        return false;
    set.paths = config_loader_alloc(loader, node->count, sizeof *set.paths);
    set.values = config_loader_alloc(loader, node->count, sizeof *set.values);
    if (set.paths == NULL || set.values == NULL)
        return false;
    bool good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        good &= member_path_of_key(loader, &node->children[i], &set.paths[i]);
        good &= given_json_custom.parse(loader, &node->children[i], &set.values[i]);
    }
    set.count = node->count;
    *(struct spec_set *)ret = set;
    return good;
}

static void set_schema(FILE *out)
{
    fputs("{\"type\": \"object\", \"minProperties\": 1}", out);
}

static const struct config_custom SET = {
    .name = "a map of paths and values", .size = sizeof(struct spec_set), .parse = parse_set, .schema = set_schema};

static const char *const POINTS[] = {"write", "flush", NULL};

static const struct config_field STORE_FAIL_ROWS[] = {
    {.name = "times",
     .help = "How often.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct spec_fail, times),
     .fallback = "1",
     .min = 1,
     .max = 1000000},
    {.name = "at",
     .help = "When the record is written, or when what was written is made durable.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct spec_fail, at),
     .fallback = "write",
     .choices = POINTS},
    TEXT_ROW("message", "What it says then.", struct spec_fail, message),
    {0},
};
TABLE(STORE_FAIL, "The other side is away for a while.", struct spec_fail, STORE_FAIL_ROWS, NULL);

static const struct config_field STAGE_FAIL_ROWS[] = {
    {.name = "times",
     .help = "How often.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct spec_fail, times),
     .fallback = "1",
     .min = 1,
     .max = 1000000},
    {.name = "class",
     .help = "The class of the error, when attempts run out.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct spec_fail, class),
     .fallback = "unavailable"},
    TEXT_ROW("message", "What it says then.", struct spec_fail, message),
    {0},
};
TABLE(STAGE_FAIL, "It can't be told now: the record is tried again.", struct spec_fail, STAGE_FAIL_ROWS, NULL);

static const struct config_field REJECT_ROWS[] = {
    {.name = "class",
     .help = "The class of the error.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct spec_reject, class),
     .required = true},
    TEXT_ROW("message", "What it says.", struct spec_reject, message),
    {0},
};
TABLE(REJECT, "The record is wrong: a dead letter.", struct spec_reject, REJECT_ROWS, NULL);

static void check_answer(const void *arg, struct config_report *report)
{
    static const char *const ENDS[] = {"reject", "drop", "document", "set", NULL};
    const struct spec_answer *answer = arg;
    const struct config_node *first = NULL;
    for (const char *const *end = ENDS; *end != NULL; end++) {
        const struct config_node *node = config_tree_get(answer->head.node, *end);
        bool both = first != NULL && strcmp(first->key, "document") == 0; /* and set: in that order */
        if (node != NULL && first != NULL && !both)
            config_error_key(report, node, "expected one answer, found `%s` beside `%s`", node->key, first->key);
        first = first == NULL ? node : first;
    }
}

#define WHICH_ROWS                                                                                                     \
    PARTITION_ROW(struct spec_answer, which.partition, "Only for records of this partition.", "-1", -1),               \
        OFFSET_ROW(struct spec_answer, which.offset, "Only for the record at this offset."),                           \
        GIVEN_ROW("key", "Only for records with this key.", struct spec_answer, which.key),                            \
    {                                                                                                                  \
        .name = "when", .help = "Only for records whose document satisfies this condition.", .kind = CONFIG_CUSTOM,    \
        .offset = offsetof(struct spec_answer, which.when), .custom = &config_condition                                \
    }

static const struct config_field STORE_ANSWER_ROWS[] = {
    WHICH_ROWS,
    {.name = "fail",
     .help = "Fails that often before it goes on.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct spec_answer, fail),
     .table = &STORE_FAIL_TABLE},
    {.name = "reject",
     .help = "Refuses the record for good.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct spec_answer, reject),
     .table = &REJECT_TABLE},
    {0},
};
ITEM(STORE_ANSWER, "What the store answers; the first that is for the record counts.", struct spec_answer,
     STORE_ANSWER_ROWS, check_answer);

static const struct config_field STAGE_ANSWER_ROWS[] = {
    WHICH_ROWS,
    {.name = "fail",
     .help = "Fails that often before it goes on.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct spec_answer, fail),
     .table = &STAGE_FAIL_TABLE},
    {.name = "reject",
     .help = "Refuses the record for good.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct spec_answer, reject),
     .table = &REJECT_TABLE},
    {.name = "drop",
     .help = "Drops the record.",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct spec_answer, drop),
     .fallback = "false"},
    {.name = "document",
     .help = "The whole document from now on, as a decoder makes it.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct spec_answer, document),
     .custom = &given_json_custom},
    {.name = "set",
     .help = "Members of the document and their values, by path.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct spec_answer, set),
     .custom = &SET},
    {0},
};
ITEM(STAGE_ANSWER, "What the stage answers; the first that is for the record counts.", struct spec_answer,
     STAGE_ANSWER_ROWS, check_answer);

const struct config_field spec_store_answers_field = {
    .help = "The store's answers; records that none is for are stored.", .kind = CONFIG_LIST, .item = &STORE_ANSWER};
const struct config_field spec_stage_answers_field = {
    .help = "The stage's answers; a record that none is for is rejected.", .kind = CONFIG_LIST, .item = &STAGE_ANSWER};
