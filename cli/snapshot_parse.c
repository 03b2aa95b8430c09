#include "cli/snapshot_parse.h"

#include <string.h>

#include "cli/parsed_json.h"

/* What a double holds exactly is more than any service counts, and nothing that is made of two of them overflows. */
static int64_t clamp(int64_t number)
{
    static const int64_t MOST = (int64_t)1 << 53;
    return number < -MOST ? -MOST : number > MOST ? MOST : number;
}

static int64_t number(const struct value *object, const char *name)
{
    return clamp(parsed_json_number(object, name));
}

static void parse_times(const struct value *object, const char *name, struct snapshot_times *ret)
{
    struct value list = parsed_json_member(object, name), each;
    const uint8_t *cursor = NULL;
    unsigned count = 0;
    if (list.type != VALUE_ARRAY)
        return;
    while (count < METRIC_BUCKETS && json_next_element(list.text, &cursor, &each)) {
        int64_t times = 0;
        if (json_int64(&each, &times) && times > 0)
            ret->buckets[count] = (uint64_t)clamp(times);
        count++;
    }
}

static void parse_stage(const struct value *object, struct snapshot_stage *ret)
{
    struct value queue = parsed_json_member(object, "queue");
    *ret = (struct snapshot_stage){
        .store = parsed_json_bool(object, "store"),
        .blocking = parsed_json_bool(object, "blocking"),
        .stuck = number(object, "stuck_seconds"),
        .workers = number(object, "workers"),
        .records = number(&queue, "records"),
        .bytes = number(&queue, "bytes"),
        .record_capacity = number(&queue, "capacity_records"),
        .byte_capacity = number(&queue, "capacity_bytes"),
        .in = number(object, "in"),
        .out = number(object, "out"),
        .dropped = number(object, "dropped"),
        .rejected = number(object, "rejected"),
        .retries = number(object, "retries"),
    };
    parsed_json_text(object, "name", ret->name, sizeof ret->name);
    parse_times(object, "batch", &ret->batch);
    parse_times(object, "flush", &ret->flush);
    parse_times(object, "end_to_end", &ret->end_to_end);
}

static void parse_stages(const struct value *object, struct snapshot *ret)
{
    struct value list = parsed_json_member(object, "stages"), each;
    const uint8_t *cursor = NULL;
    if (list.type != VALUE_ARRAY)
        return;
    while (ret->stage_count < SNAPSHOT_STAGES && json_next_element(list.text, &cursor, &each))
        parse_stage(&each, &ret->stages[ret->stage_count++]);
}

static void parse_partition(const struct value *object, struct snapshot_partition *ret)
{
    *ret = (struct snapshot_partition){
        .partition = number(object, "partition"),
        .lag = number(object, "lag"),
        .position = number(object, "position"),
        .committed = number(object, "committed"),
        .paused = parsed_json_bool(object, "paused"),
        .stalled = parsed_json_bool(object, "stalled"),
    };
    parsed_json_text(object, "topic", ret->topic, sizeof ret->topic);
}

static void parse_partitions(const struct value *object, struct snapshot *ret)
{
    struct value partitions = parsed_json_member(object, "partitions"), list, each;
    const uint8_t *cursor = NULL;
    ret->partitions = number(&partitions, "count");
    ret->paused = number(&partitions, "paused");
    ret->stalled = number(&partitions, "stalled");
    list = parsed_json_member(&partitions, "worst");
    if (list.type != VALUE_ARRAY)
        return;
    while (ret->shown < SNAPSHOT_PARTITIONS && json_next_element(list.text, &cursor, &each))
        parse_partition(&each, &ret->worst[ret->shown++]);
}

static void parse_error(const struct value *object, struct log_entry *ret)
{
    char level[16];
    parsed_json_text(object, "level", level, sizeof level);
    *ret = (struct log_entry){
        .level = strcmp(level, "error") == 0 ? LOG_ERROR : LOG_WARN,
        .wall_ms = number(object, "at_ms"),
        .count = (unsigned)number(object, "count"),
    };
    parsed_json_text(object, "part", ret->part, sizeof ret->part);
    parsed_json_text(object, "text", ret->text, sizeof ret->text);
}

static void parse_errors(const struct value *object, struct snapshot *ret)
{
    struct value list = parsed_json_member(object, "errors"), each;
    const uint8_t *cursor = NULL;
    ret->errors_hidden = list.type != VALUE_ARRAY;
    while (!ret->errors_hidden && ret->error_count < LOG_RECENT && json_next_element(list.text, &cursor, &each))
        parse_error(&each, &ret->errors[ret->error_count++]);
}

static void parse_totals(const struct value *object, struct snapshot *ret)
{
    struct value records = parsed_json_member(object, "records"), memory = parsed_json_member(object, "memory");
    ret->consumed = number(&records, "consumed");
    ret->bytes = number(&records, "bytes");
    ret->stored = number(&records, "stored");
    ret->dropped = number(&records, "dropped");
    ret->dead_lettered = number(&records, "dead_lettered");
    ret->abandoned = number(&records, "abandoned");
    ret->in_flight = number(&records, "in_flight");
    ret->lag = number(&records, "lag");
    ret->budget_used = number(&memory, "used");
    ret->budget_size = number(&memory, "budget");
    ret->resident = number(&memory, "resident");
}

bool snapshot_parse(const struct value *object, struct snapshot *ret)
{
    if (parsed_json_member(object, "service").type != VALUE_STRING ||
        parsed_json_member(object, "stages").type != VALUE_ARRAY)
        return false;
    *ret = (struct snapshot){
        .at = number(object, "at_ms"),
        .uptime = number(object, "uptime_seconds"),
        .ready = parsed_json_bool(object, "ready"),
        .held_back = parsed_json_bool(object, "held_back"),
        .restarts = number(object, "restarts"),
        .threads = number(object, "threads"),
    };
    parsed_json_text(object, "service", ret->service, sizeof ret->service);
    parsed_json_text(object, "version", ret->version, sizeof ret->version);
    parsed_json_text(object, "problems", ret->problems, sizeof ret->problems);
    parse_totals(object, ret);
    parse_stages(object, ret);
    parse_partitions(object, ret);
    parse_errors(object, ret);
    return true;
}
