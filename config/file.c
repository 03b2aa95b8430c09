#include "config/file.h"

#include <string.h>

#include "config/found.h"
#include "config/loader.h"
#include "processor/clock.h"
#include "processor/log.h"

#define MINUTE (60 * CLOCK_SECOND)
#define HOUR (60 * MINUTE)
#define MIB (INT64_C(1024) * 1024)

/* In the order of enum config_order, enum config_delivery and enum log_level. */
static const char *const ORDERS[] = {"partition", "none", NULL};
static const char *const DELIVERIES[] = {"at_least_once", "exactly_once", NULL};
static const char *const LEVELS[] = {"error", "warn", "info", "debug", NULL};
static const char *const LOG_FORMATS[] = {"text", "json", NULL};
_Static_assert(ORDER_PARTITION == 0 && ORDER_NONE == 1 && DELIVERY_AT_LEAST_ONCE == 0 && DELIVERY_EXACTLY_ONCE == 1 &&
                   LOG_ERROR == 0 && LOG_DEBUG == 3,
               "as the lists");

/* An enum with a value that the documents of later versions know and this one does not. */
static bool parse_offered(struct config_loader *loader, const char *const *choices, const char *later,
                          const struct config_node *node, int *ret)
{
    const struct config_field field = {.kind = CONFIG_ENUM, .choices = choices};
    if (node->kind == NODE_SCALAR && strcmp(node->text, later) == 0) {
        char words[64];
        config_error(loader->report, node, "expected %s, found \"%s\", which this version of weir does not offer",
                     found_choices(choices, words, sizeof words), later);
        return false;
    }
    return config_parse(loader, &field, node, ret);
}

static bool parse_order(struct config_loader *loader, const struct config_node *node, void *ret)
{
    return parse_offered(loader, ORDERS, "key", node, ret);
}

static void order_schema(FILE *out)
{
    config_schema_field(&(const struct config_field){.kind = CONFIG_ENUM, .choices = ORDERS}, out, 0);
}

static const struct config_custom ORDER = {
    .name = "an order", .size = sizeof(int), .parse = parse_order, .schema = order_schema};

static const struct config_field RETRY_FIELDS[] = {
    {.name = "max",
     .help = "How often a record is tried when a stage asks for another attempt; then it is a record error.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct file_retry, max),
     .fallback = "5",
     .min = 1,
     .max = 1000000},
    {.name = "backoff",
     .help = "The wait between two attempts, of stages, stores and restarts: from the least, doubling with full "
             "jitter, to the most.",
     .kind = CONFIG_RANGE,
     .offset = offsetof(struct file_retry, backoff),
     .fallback = "100ms..30s",
     .min = CLOCK_MS,
     .max = HOUR},
    {0},
};

static const struct config_table RETRY = {.name = "retry",
                                          .help = "Attempts after errors that may pass.",
                                          .size = sizeof(struct file_retry),
                                          .fields = RETRY_FIELDS};

static const struct config_field RESTARTS_FIELDS[] = {
    {.name = "max",
     .help = "How many restarts of the pipeline are allowed within the window; one more ends the process. 0: none.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct file_restarts, max),
     .fallback = "5",
     .max = 1000000},
    {.name = "within",
     .help = "The window.",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct file_restarts, within),
     .fallback = "10m",
     .min = CLOCK_SECOND,
     .max = 24 * HOUR},
    {0},
};

static const struct config_table RESTARTS = {
    .name = "restarts",
    .help = "The pipeline is rebuilt whole from the committed offsets when it fails; this is how often.",
    .size = sizeof(struct file_restarts),
    .fields = RESTARTS_FIELDS};

static const struct config_field PROPERTY = {.kind = CONFIG_STRING, .help = "The property's value."};

static const struct config_field DEAD_LETTER_FIELDS[] = {
    {.name = "topic",
     .help =
         "Topic for records that can't be processed or stored, with key, value, headers and timestamp as they came.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct file_dead_letter, topic),
     .required = true},
    {.name = "properties",
     .help = "Properties of the producer of dead letters, by their librdkafka names; the connection is the source's.",
     .kind = CONFIG_MAP,
     .offset = offsetof(struct file_dead_letter, properties),
     .item = &PROPERTY},
    {0},
};

static const struct config_table DEAD_LETTER = {
    .name = "dead_letter",
    .help = "Where records go that can't be processed; without it weir stops at the first one.",
    .size = sizeof(struct file_dead_letter),
    .fields = DEAD_LETTER_FIELDS};

static const struct config_field ERRORS_FIELDS[] = {
    {.name = "retry",
     .help = "Attempts after errors that may pass.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct file_errors, retry),
     .table = &RETRY},
    {.name = "dead_letter",
     .help = "Where records go that can't be processed; without it weir stops at the first one.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct file_errors, dead_letter),
     .table = &DEAD_LETTER},
    {.name = "restarts",
     .help = "How often the pipeline may fail and be rebuilt.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct file_errors, restarts),
     .table = &RESTARTS},
    {0},
};

static const struct config_table ERRORS = {.name = "errors",
                                           .help = "What happens when something goes wrong.",
                                           .size = sizeof(struct file_errors),
                                           .fields = ERRORS_FIELDS};

static const struct config_field LOG_FIELDS[] = {
    {.name = "level",
     .help = "The least important lines that are written.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct file_log, level),
     .fallback = "info",
     .choices = LEVELS},
    {.name = "format",
     .help = "Lines for people, or a JSON object a line.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct file_log, format),
     .fallback = "text",
     .choices = LOG_FORMATS},
    {0},
};

static const struct config_table LOG = {
    .name = "log", .help = "The log on standard error.", .size = sizeof(struct file_log), .fields = LOG_FIELDS};

static const struct config_field FILE_FIELDS[] = {
    {.name = "service",
     .help = "This service's name, for logs, metrics and the headers of dead letters.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct file, service),
     .required = true},
    {.name = "memory",
     .help = "The one budget that every record in flight is paid from; past it the source is held back.",
     .kind = CONFIG_SIZE,
     .offset = offsetof(struct file, memory),
     .fallback = "256MiB",
     .min = 16 * MIB},
    {.name = "order",
     .help = "partition: records of a partition are stored in their order, also with many workers; none: no promise.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct file, order),
     .fallback = "partition",
     .custom = &ORDER},
    {.name = "delivery",
     .help = "at_least_once: no record is lost; after a crash some may be stored twice. exactly_once: the store keeps "
             "the offsets, in the transactions that store the records; with one store of a kind that can, and `order: "
             "partition`.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct file, delivery),
     .fallback = "at_least_once",
     .choices = DELIVERIES},
    {.name = "source",
     .help = "Where records come from: one of these.",
     .kind = CONFIG_NODE,
     .offset = offsetof(struct file, source),
     .required = true},
    {.name = "stages",
     .help = "What is done with each record, in this order: decode, enrich, and store at the end.",
     .kind = CONFIG_NODE,
     .offset = offsetof(struct file, stages),
     .required = true},
    {.name = "errors",
     .help = "What happens when something goes wrong.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct file, errors),
     .table = &ERRORS},
    {.name = "shutdown",
     .help = "How long records in flight may take to be stored after SIGTERM; then they are left for the next start.",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct file, shutdown),
     .fallback = "30s",
     .max = 24 * HOUR},
    {.name = "watchdog",
     .help = "So long without progress while there is work is an incident: it is logged with its reason, and the "
             "service is not ready.",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct file, watchdog),
     .fallback = "60s",
     .min = CLOCK_SECOND,
     .max = 24 * HOUR},
    {.name = "admin",
     .help = "The port for health, readiness and metrics; false: none.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct file, admin),
     .fallback = "true",
     .custom = &admin_custom},
    {.name = "log",
     .help = "The log on standard error.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct file, log),
     .table = &LOG},
    {0},
};

static const struct config_table FILE_TABLE = {
    .name = "weir",
    .help = "A weir service: where records come from, what is done with them, where they go.",
    .size = sizeof(struct file),
    .fields = FILE_FIELDS};

const struct config_field file_field = {.help = "A weir service.", .kind = CONFIG_OBJECT, .table = &FILE_TABLE};
