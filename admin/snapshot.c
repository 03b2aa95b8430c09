#include "admin/snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admin/usage.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/json.h"

/* -- out of the metrics -- */

static struct snapshot_stage *stage_of(struct snapshot *snapshot, const struct metric *metric, const char *label,
                                       bool make)
{
    char name[sizeof snapshot->stages[0].name];
    if (!metric_label(metric, label, name, sizeof name))
        return NULL;
    for (unsigned i = 0; i < snapshot->stage_count; i++) {
        if (strcmp(snapshot->stages[i].name, name) == 0)
            return &snapshot->stages[i];
    }
    if (!make || snapshot->stage_count == SNAPSHOT_STAGES)
        return NULL;
    struct snapshot_stage *stage = &snapshot->stages[snapshot->stage_count++];
    memcpy(stage->name, name, sizeof stage->name);
    return stage;
}

static void read_times(const struct metric *metric, struct snapshot_times *ret)
{
    for (unsigned i = 0; i < METRIC_BUCKETS; i++)
        ret->buckets[i] = atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
}

/* Queues are made from front to back, and before anything else that has the name of a stage. */
static bool read_stage(struct snapshot *snapshot, const struct metric *metric)
{
#define FIELD(name, label, member)                                                                                     \
    {                                                                                                                  \
        name, label, offsetof(struct snapshot_stage, member)                                                           \
    }
    static const struct {
        const char *name, *label;
        size_t offset;
    } FIELDS[] = {
        FIELD("weir_queue_records", "queue", records),
        FIELD("weir_queue_bytes", "queue", bytes),
        FIELD("weir_queue_capacity_records", "queue", record_capacity),
        FIELD("weir_queue_capacity_bytes", "queue", byte_capacity),
        FIELD("weir_stage_workers", "stage", workers),
        FIELD("weir_stage_stuck_seconds", "stage", stuck),
        FIELD("weir_stage_records_in_total", "stage", in),
        FIELD("weir_stage_records_out_total", "stage", out),
        FIELD("weir_retries_total", "stage", retries),
        FIELD("weir_stage_duration_seconds", "stage", batch),
        FIELD("weir_store_flush_seconds", "stage", flush),
        FIELD("weir_end_to_end_seconds", "stage", end_to_end),
    };
#undef FIELD
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        if (strcmp(metric->name, FIELDS[i].name) != 0)
            continue;
        struct snapshot_stage *stage = stage_of(snapshot, metric, FIELDS[i].label, FIELDS[i].label[0] == 'q');
        if (stage == NULL)
            return true;
        void *field = (char *)stage + FIELDS[i].offset;
        if (metric->type == METRIC_HISTOGRAM)
            read_times(metric, field);
        else
            *(int64_t *)field = metric_get(metric);
        if (strcmp(metric->name, "weir_store_flush_seconds") == 0)
            stage->store = true;
        return true;
    }
    return false;
}

static void read_answers(struct snapshot *snapshot, const struct metric *metric)
{
    char answer[32];
    struct snapshot_stage *stage = stage_of(snapshot, metric, "stage", false);
    if (stage == NULL || !metric_label(metric, "answer", answer, sizeof answer))
        return;
    if (strcmp(answer, "drop") == 0)
        stage->dropped = metric_get(metric);
    else if (strcmp(answer, "reject") == 0)
        stage->rejected = metric_get(metric);
}

static void read_verdict(struct snapshot *snapshot, const struct metric *metric)
{
    char verdict[32];
    if (!metric_label(metric, "verdict", verdict, sizeof verdict))
        return;
    if (strcmp(verdict, "stored") == 0)
        snapshot->stored = metric_get(metric);
    else if (strcmp(verdict, "dropped") == 0)
        snapshot->dropped = metric_get(metric);
    else if (strcmp(verdict, "dead_lettered") == 0)
        snapshot->dead_lettered = metric_get(metric);
}

static void read_total(struct snapshot *snapshot, const struct metric *metric)
{
    static const struct {
        const char *name;
        size_t offset;
    } FIELDS[] = {
        {"weir_records_consumed_total", offsetof(struct snapshot, consumed)},
        {"weir_bytes_consumed_total", offsetof(struct snapshot, bytes)},
        {"weir_records_abandoned_total", offsetof(struct snapshot, abandoned)},
        {"weir_records_in_flight", offsetof(struct snapshot, in_flight)},
        {"weir_lag_records", offsetof(struct snapshot, lag)},
        {"weir_restarts_total", offsetof(struct snapshot, restarts)},
        {"weir_budget_used_bytes", offsetof(struct snapshot, budget_used)},
        {"weir_budget_size_bytes", offsetof(struct snapshot, budget_size)},
    };
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        if (strcmp(metric->name, FIELDS[i].name) == 0)
            *(int64_t *)((char *)snapshot + FIELDS[i].offset) = metric_get(metric);
    }
    if (strcmp(metric->name, "weir_intake_paused") == 0)
        snapshot->held_back = metric_get(metric) != 0;
}

/* -- partitions -- */

/* What is known of one is in several metrics, so all are gathered before any is left out. Those of each name come in the same order: `next` is the one that is
 * probably meant. */
struct gathering {
    struct snapshot *snapshot;
    struct snapshot_partition *partitions;
    size_t count, room, next;
};

static struct snapshot_partition *add_partition(struct gathering *gathering)
{
    if (gathering->count == gathering->room) {
        size_t room = gathering->room > 0 ? gathering->room * 2 : SNAPSHOT_PARTITIONS;
        struct snapshot_partition *more = realloc(gathering->partitions, room * sizeof *more);
        if (more == NULL)
            return NULL;
        gathering->partitions = more;
        gathering->room = room;
    }
    struct snapshot_partition *partition = &gathering->partitions[gathering->count++];
    *partition = (struct snapshot_partition){.position = -1, .committed = -1};
    return partition;
}

static struct snapshot_partition *find_partition(struct gathering *gathering, const char *topic, int64_t number)
{
    for (size_t i = 0; i < gathering->count; i++) {
        size_t at = (gathering->next + i) % gathering->count;
        struct snapshot_partition *partition = &gathering->partitions[at];
        if (partition->partition == number && strcmp(partition->topic, topic) == 0) {
            gathering->next = at + 1;
            return partition;
        }
    }
    return NULL;
}

/* The first of the family: makes the partition. */
static void read_lag(struct gathering *gathering, const struct metric *metric, const char *topic, int64_t number)
{
    struct snapshot_partition *partition = add_partition(gathering);
    if (partition == NULL)
        return;
    snprintf(partition->topic, sizeof partition->topic, "%s", topic);
    partition->partition = number;
    partition->lag = metric_get(metric);
}

/* False: the metric is not about a partition. */
static bool read_partition(struct gathering *gathering, const struct metric *metric)
{
    char topic[sizeof gathering->partitions[0].topic], number[16];
    if (!metric_label(metric, "topic", topic, sizeof topic) ||
        !metric_label(metric, "partition", number, sizeof number))
        return false;
    if (strcmp(metric->name, "weir_kafka_lag_records") == 0) {
        read_lag(gathering, metric, topic, strtoll(number, NULL, 10));
        return true;
    }
    struct snapshot_partition *partition = find_partition(gathering, topic, strtoll(number, NULL, 10));
    if (partition == NULL)
        return true;
    if (strcmp(metric->name, "weir_kafka_position") == 0)
        partition->position = metric_get(metric);
    else if (strcmp(metric->name, "weir_kafka_committed") == 0)
        partition->committed = metric_get(metric);
    else if (strcmp(metric->name, "weir_kafka_partition_paused") == 0)
        partition->paused = metric_get(metric) != 0;
    else if (strcmp(metric->name, "weir_kafka_partition_stalled") == 0)
        partition->stalled = metric_get(metric) != 0;
    return true;
}

static int by_trouble(const void *left, const void *right)
{
    const struct snapshot_partition *a = left, *b = right;
    if (a->stalled != b->stalled)
        return a->stalled ? -1 : 1;
    if (a->paused != b->paused)
        return a->paused ? -1 : 1;
    if (a->lag != b->lag)
        return a->lag > b->lag ? -1 : 1;
    int topics = strcmp(a->topic, b->topic);
    return topics != 0 ? topics : (a->partition > b->partition) - (a->partition < b->partition);
}

static void take_worst(struct gathering *gathering)
{
    struct snapshot *snapshot = gathering->snapshot;
    for (size_t i = 0; i < gathering->count; i++) {
        snapshot->paused += gathering->partitions[i].paused;
        snapshot->stalled += gathering->partitions[i].stalled;
    }
    snapshot->partitions = (int64_t)gathering->count;
    snapshot->shown = gathering->count < SNAPSHOT_PARTITIONS ? (unsigned)gathering->count : SNAPSHOT_PARTITIONS;
    if (gathering->count == 0)
        return;
    qsort(gathering->partitions, gathering->count, sizeof *gathering->partitions, by_trouble);
    memcpy(snapshot->worst, gathering->partitions, snapshot->shown * sizeof *snapshot->worst);
}

/* -- all of it -- */

static void read_metric(const struct metric *metric, void *arg)
{
    struct gathering *gathering = arg;
    struct snapshot *snapshot = gathering->snapshot;
    if (atomic_load_explicit(&metric->hidden, memory_order_relaxed) || read_stage(snapshot, metric) ||
        read_partition(gathering, metric))
        return;
    if (strcmp(metric->name, "weir_verdicts_total") == 0) {
        read_verdict(snapshot, metric);
    } else if (strcmp(metric->name, "weir_stage_answers_total") == 0) {
        read_answers(snapshot, metric);
    } else if (strcmp(metric->name, "weir_stage_blocking") == 0) {
        struct snapshot_stage *stage = stage_of(snapshot, metric, "stage", false);
        if (stage != NULL)
            stage->blocking = metric_get(metric) != 0;
    } else if (strcmp(metric->name, "weir_build_info") == 0) {
        (void)metric_label(metric, "version", snapshot->version, sizeof snapshot->version);
    } else {
        read_total(snapshot, metric);
    }
}

void snapshot_read(const struct snapshot_sources *sources, struct snapshot *ret)
{
    struct gathering gathering = {.snapshot = ret};
    struct usage usage = usage_read();
    *ret = (struct snapshot){.at = clock_wall_ms(), .resident = usage.resident_bytes, .threads = usage.threads};
    snprintf(ret->service, sizeof ret->service, "%s", sources->service != NULL ? sources->service : "");
    int64_t started = (int64_t)(usage.started * 1000);
    ret->uptime = ret->at > started ? (ret->at - started) / 1000 : 0;
    ret->ready = health_ready(sources->health, ret->problems, sizeof ret->problems);
    metrics_each(sources->metrics, read_metric, &gathering);
    take_worst(&gathering);
    free(gathering.partitions);
    ret->errors_hidden = !sources->with_errors;
    if (sources->with_errors)
        ret->error_count = log_recent(ret->errors);
}

/* -- as JSON -- */

/* Texts that were cut may end within a character. */
static void write_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\": \"", name);
    for (; *text != '\0'; text++) {
        uint8_t escaped[8] = {0};
        size_t size = 1;
        while (size < 4 && ((uint8_t)text[size] & 0xc0) == 0x80)
            size++;
        if ((uint8_t)*text >= 0x80 && utf8_valid(bytes_of(text, (uint32_t)size))) {
            fwrite(text, 1, size, out);
            text += size - 1;
        } else if ((uint8_t)*text >= 0x80) {
            fputs("\\ufffd", out);
        } else {
            size_t written = json_escape(escaped, bytes_of(text, 1));
            fwrite(escaped, 1, written, out);
        }
    }
    putc('"', out);
}

static const char *bool_text(bool value)
{
    return value ? "true" : "false";
}

static void write_times(FILE *out, const char *name, const struct snapshot_times *times)
{
    fprintf(out, ", \"%s\": [", name);
    for (unsigned i = 0; i < METRIC_BUCKETS; i++)
        fprintf(out, "%s%" PRIu64, i > 0 ? "," : "", times->buckets[i]);
    putc(']', out);
}

static void write_stage(FILE *out, const struct snapshot_stage *stage)
{
    putc('{', out);
    write_text(out, "name", stage->name);
    fprintf(out,
            ", \"store\": %s, \"blocking\": %s, \"stuck_seconds\": %" PRId64 ", \"workers\": %" PRId64
            ", \"queue\": {\"records\": %" PRId64 ", \"bytes\": %" PRId64 ", \"capacity_records\": %" PRId64
            ", \"capacity_bytes\": %" PRId64 "}, \"in\": %" PRId64 ", \"out\": %" PRId64 ", \"dropped\": %" PRId64
            ", \"rejected\": %" PRId64 ", \"retries\": %" PRId64,
            bool_text(stage->store), bool_text(stage->blocking), stage->stuck, stage->workers, stage->records,
            stage->bytes, stage->record_capacity, stage->byte_capacity, stage->in, stage->out, stage->dropped,
            stage->rejected, stage->retries);
    write_times(out, "batch", &stage->batch);
    if (stage->store) {
        write_times(out, "flush", &stage->flush);
        write_times(out, "end_to_end", &stage->end_to_end);
    }
    putc('}', out);
}

static void write_partition(FILE *out, const struct snapshot_partition *partition)
{
    putc('{', out);
    write_text(out, "topic", partition->topic);
    fprintf(out,
            ", \"partition\": %" PRId64 ", \"lag\": %" PRId64 ", \"position\": %" PRId64 ", \"committed\": %" PRId64
            ", \"paused\": %s, \"stalled\": %s}",
            partition->partition, partition->lag, partition->position, partition->committed,
            bool_text(partition->paused), bool_text(partition->stalled));
}

static void write_error(FILE *out, const struct log_entry *entry)
{
    fprintf(out, "{\"at_ms\": %" PRId64 ", \"level\": \"%s\", \"count\": %u, ", entry->wall_ms,
            entry->level == LOG_ERROR ? "error" : "warn", entry->count);
    write_text(out, "part", entry->part);
    fputs(", ", out);
    write_text(out, "text", entry->text);
    putc('}', out);
}

static void write_bounds(FILE *out)
{
    fputs(", \"bounds_seconds\": [", out);
    for (unsigned i = 0; i + 1 < METRIC_BUCKETS; i++)
        fprintf(out, "%s%g", i > 0 ? "," : "", (double)metric_bound(i) / (double)CLOCK_SECOND);
    fputs("]", out);
}

static void write_totals(FILE *out, const struct snapshot *snapshot)
{
    fprintf(out,
            ", \"records\": {\"consumed\": %" PRId64 ", \"bytes\": %" PRId64 ", \"stored\": %" PRId64
            ", \"dropped\": %" PRId64 ", \"dead_lettered\": %" PRId64 ", \"abandoned\": %" PRId64
            ", \"in_flight\": %" PRId64 ", \"lag\": %" PRId64 "}, \"restarts\": %" PRId64,
            snapshot->consumed, snapshot->bytes, snapshot->stored, snapshot->dropped, snapshot->dead_lettered,
            snapshot->abandoned, snapshot->in_flight, snapshot->lag, snapshot->restarts);
    fprintf(out,
            ", \"memory\": {\"used\": %" PRId64 ", \"budget\": %" PRId64 ", \"resident\": %" PRId64
            "}, \"threads\": %" PRId64,
            snapshot->budget_used, snapshot->budget_size, snapshot->resident, snapshot->threads);
}

void snapshot_write(const struct snapshot *snapshot, FILE *out)
{
    putc('{', out);
    write_text(out, "service", snapshot->service);
    fputs(", ", out);
    write_text(out, "version", snapshot->version);
    fprintf(out, ", \"at_ms\": %" PRId64 ", \"uptime_seconds\": %" PRId64 ", \"ready\": %s, \"held_back\": %s, ",
            snapshot->at, snapshot->uptime, bool_text(snapshot->ready), bool_text(snapshot->held_back));
    write_text(out, "problems", snapshot->problems);
    write_totals(out, snapshot);
    fputs(", \"stages\": [", out);
    for (unsigned i = 0; i < snapshot->stage_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        write_stage(out, &snapshot->stages[i]);
    }
    fputc(']', out);
    write_bounds(out);
    fprintf(out,
            ", \"partitions\": {\"count\": %" PRId64 ", \"paused\": %" PRId64 ", \"stalled\": %" PRId64
            ", \"worst\": [",
            snapshot->partitions, snapshot->paused, snapshot->stalled);
    for (unsigned i = 0; i < snapshot->shown; i++) {
        fputs(i > 0 ? ", " : "", out);
        write_partition(out, &snapshot->worst[i]);
    }
    fputs(snapshot->errors_hidden ? "]}, \"errors\": null" : "]}, \"errors\": [", out);
    for (unsigned i = 0; i < snapshot->error_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        write_error(out, &snapshot->errors[i]);
    }
    fputs(snapshot->errors_hidden ? "}\n" : "]}\n", out);
}

char *snapshot_render(const struct snapshot_sources *sources, size_t *ret_size)
{
    char *text = NULL;
    struct snapshot *snapshot = malloc(sizeof *snapshot);
    FILE *out = snapshot != NULL ? open_memstream(&text, ret_size) : NULL;
    if (out != NULL) {
        snapshot_read(sources, snapshot);
        snapshot_write(snapshot, out);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    free(snapshot);
    return text;
}
