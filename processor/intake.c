#include "processor/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/brake.h"
#include "processor/budget.h"
#include "processor/check.h"
#include "processor/health.h"
#include "processor/intake_state.h"
#include "processor/log.h"
#include "processor/metrics.h"
#include "processor/offsets.h"
#include "processor/queue.h"
#include "processor/tap.h"

/* Room for one more batch: what a full one of ordinary records comes to. */
enum { BATCH_ROOM = BATCH_BYTES + BATCH_RECORDS * (int)sizeof(struct record) };
enum { CLOSE_ABOVE_PERCENT = 80, OPEN_BELOW_PERCENT = 50 };

#define SETTLE_LOOK (100 * CLOCK_MS)

static void wake_source(void *arg)
{
    struct intake *intake = arg;
    CHECK_CALL(pthread_mutex_lock(&intake->wake_mutex));
    if (intake->wake != NULL)
        intake->wake(intake->wake_arg);
    CHECK_CALL(pthread_mutex_unlock(&intake->wake_mutex));
}

static void begin_drain(struct intake *intake, int64_t deadline)
{
    CHECK_CALL(pthread_mutex_lock(&intake->mutex));
    if (deadline < intake->deadline)
        intake->deadline = deadline;
    CHECK_CALL(pthread_mutex_unlock(&intake->mutex));
    if (!atomic_exchange(&intake->draining, true)) {
        health_problem(intake->config.health, "drain", "the service is stopping");
        intake->config.urge(intake->config.urge_arg, true);
    }
    wake_source(intake);
}

static void soft_stop(void *arg)
{
    struct intake *intake = arg;
    begin_drain(intake, clock_now() + intake->config.shutdown);
}

static void make_metrics(struct intake *intake)
{
    struct metrics *metrics = intake->config.metrics;
    intake->records = metrics_get(metrics, METRIC_COUNTER, "weir_records_consumed_total",
                                  "Records taken from the source.", NULL);
    intake->bytes = metrics_get(metrics, METRIC_COUNTER, "weir_bytes_consumed_total",
                                "Bytes of keys, values and headers taken from the source.", NULL);
    intake->rebalances = metrics_get(metrics, METRIC_COUNTER, "weir_rebalances_total", "Changes of the assignment.",
                                     NULL);
    intake->lost = metrics_get(metrics, METRIC_COUNTER, "weir_lost_offsets_total",
                               "Offsets that could never be read (corrupt batches, retention).", NULL);
    intake->lag_sum = metrics_get(metrics, METRIC_GAUGE, "weir_lag_records",
                                  "Records between what is settled and the end, over all assigned partitions.", NULL);
    intake->held_back = metrics_get(metrics, METRIC_GAUGE, "weir_intake_paused",
                                    "1 while the intake takes nothing because memory or queues are full.", NULL);
    intake->stalled_sum = metrics_get(metrics, METRIC_GAUGE, "weir_stalled",
                                      "Partitions with lag and without progress for longer than the watchdog's time.",
                                      NULL);
}

struct intake *intake_new(const struct intake_config *config)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (intake == NULL)
        return NULL;
    intake->config = *config;
    intake->deadline = CLOCK_NEVER;
    intake->assigned = -1;
    CHECK_CALL(pthread_mutex_init(&intake->mutex, NULL));
    CHECK_CALL(pthread_mutex_init(&intake->wake_mutex, NULL));
    make_metrics(intake);
    health_ok(config->health, "drain"); /* of the run before */
    budget_on_room(config->budget, wake_source, intake);
    queue_on_room(config->output, wake_source, intake);
    intake->soft_watch = (struct context_watch){.wake = soft_stop, .arg = intake};
    intake->hard_watch = (struct context_watch){.wake = wake_source, .arg = intake};
    context_watch(config->brake->soft, &intake->soft_watch);
    context_watch(config->context, &intake->hard_watch);
    health_problem(config->health, "source", "not connected yet");
    return intake;
}

static void free_partition(struct intake_partition *partition)
{
    metric_hide(partition->lag_metric);
    metric_hide(partition->paused_metric);
    metric_hide(partition->position_metric);
    metric_hide(partition->committed_metric);
    metric_hide(partition->stalled_metric);
    free(partition);
}

void intake_free(struct intake *intake)
{
    if (intake == NULL)
        return;
    context_unwatch(intake->config.brake->soft, &intake->soft_watch);
    context_unwatch(intake->config.context, &intake->hard_watch);
    budget_on_room(intake->config.budget, NULL, NULL);
    queue_on_room(intake->config.output, NULL, NULL);
    while (intake->partitions != NULL) {
        struct intake_partition *partition = intake->partitions;
        intake->partitions = partition->next;
        ledger_revoke(partition->ledger);
        free_partition(partition);
    }
    while (intake->topics != NULL) {
        struct topic_name *name = intake->topics;
        intake->topics = name->next;
        free(name);
    }
    CHECK_CALL(pthread_mutex_destroy(&intake->wake_mutex));
    CHECK_CALL(pthread_mutex_destroy(&intake->mutex));
    free(intake);
}

void intake_on_wake(struct intake *intake, void (*wake)(void *arg), void *arg)
{
    CHECK_CALL(pthread_mutex_lock(&intake->wake_mutex));
    intake->wake = wake;
    intake->wake_arg = arg;
    CHECK_CALL(pthread_mutex_unlock(&intake->wake_mutex));
}

/* -- assignment -- */

static char *topic_name_locked(struct intake *intake, const char *topic)
{
    for (struct topic_name *name = intake->topics; name != NULL; name = name->next) {
        if (strcmp(name->text, topic) == 0)
            return name->text;
    }
    size_t size = strlen(topic) + 1;
    struct topic_name *name = malloc(sizeof *name + size);
    if (name == NULL)
        return NULL;
    memcpy(name->text, topic, size);
    name->next = intake->topics;
    intake->topics = name;
    return name->text;
}

static void make_partition_metrics(struct intake_partition *partition)
{
    struct metrics *metrics = partition->intake->config.metrics;
    char number[16], labels[512] = "";
    snprintf(number, sizeof number, "%d", partition->partition);
    metrics_label(labels, sizeof labels, "topic", partition->topic);
    metrics_label(labels, sizeof labels, "partition", number);
    partition->lag_metric = metrics_get(metrics, METRIC_GAUGE, "weir_kafka_lag_records",
                                        "Records between what is settled and the partition's end.", labels);
    partition->paused_metric = metrics_get(metrics, METRIC_GAUGE, "weir_kafka_partition_paused",
                                           "1 while the partition is paused at the broker.", labels);
    partition->position_metric = metrics_get(metrics, METRIC_GAUGE, "weir_kafka_position",
                                             "The next offset to be consumed.", labels);
    partition->committed_metric = metrics_get(metrics, METRIC_GAUGE, "weir_kafka_committed",
                                              "The last offset committed.", labels);
    partition->stalled_metric = metrics_get(metrics, METRIC_GAUGE, "weir_kafka_partition_stalled",
                                            "1 while the partition has lag and makes no progress.", labels);
    metric_set(partition->paused_metric, 0);
    metric_set(partition->stalled_metric, 0);
}

struct intake_partition *intake_assign(struct intake *intake, const char *topic, int32_t number, int64_t next)
{
    struct intake_partition *partition = calloc(1, sizeof *partition);
    if (partition == NULL)
        return NULL;
    CHECK_CALL(pthread_mutex_lock(&intake->mutex));
    partition->intake = intake;
    partition->topic = topic_name_locked(intake, topic);
    partition->partition = number;
    partition->ledger = partition->topic != NULL ? ledger_assign(intake->config.ledger, topic, number) : NULL;
    if (partition->ledger == NULL) {
        CHECK_CALL(pthread_mutex_unlock(&intake->mutex));
        free(partition);
        return NULL;
    }
    atomic_init(&partition->start, next);
    partition->progress_at = clock_now();
    atomic_init(&partition->position, next);
    atomic_init(&partition->end, -1);
    make_partition_metrics(partition);
    partition->next = intake->partitions;
    intake->partitions = partition;
    CHECK_CALL(pthread_mutex_unlock(&intake->mutex));
    return partition;
}

void intake_revoke(struct intake_partition *partition)
{
    struct intake *intake = partition->intake;
    CHECK_CALL(pthread_mutex_lock(&intake->mutex));
    struct intake_partition **at = &intake->partitions;
    while (*at != partition)
        at = &(*at)->next;
    *at = partition->next;
    CHECK_CALL(pthread_mutex_unlock(&intake->mutex));
    ledger_revoke(partition->ledger);
    free_partition(partition);
}

int64_t intake_committable(const struct intake_partition *partition)
{
    if (partition->intake->config.commits_elsewhere)
        return ledger_get_stored(partition->ledger);
    return ledger_committable(partition->ledger);
}

uint64_t intake_in_flight(const struct intake_partition *partition)
{
    return ledger_partition_in_flight(partition->ledger);
}

/* A stop that is asked for while we wait sets a deadline, which an exit at the end did not have: so we look at it now and then. */
enum status intake_settle(struct intake *intake, struct intake_partition *partition, struct context *context,
                          int64_t until)
{
    struct ledger_partition *ledger = partition != NULL ? partition->ledger : NULL;
    enum status status;
    int64_t now, limit;
    intake->config.urge(intake->config.urge_arg, true);
    do {
        int64_t deadline = intake_drain_deadline(intake);
        limit = until < deadline ? until : deadline;
        now = clock_now();
        int64_t look = limit - now < SETTLE_LOOK ? limit : now + SETTLE_LOOK;
        status = ledger_wait_idle(intake->config.ledger, ledger, context, look);
    } while (status == STATUS_DEADLINE && context_status(context) == STATUS_OK && clock_now() < limit);
    intake->config.urge(intake->config.urge_arg, false);
    return status;
}

/* -- records -- */

/* Where lag is counted from until something is settled. */
static void note_start(struct intake_partition *partition, int64_t position)
{
    int64_t none = -1;
    atomic_compare_exchange_strong(&partition->start, &none, position);
}

static const char *lacks_room(struct intake *intake)
{
    const struct intake_config *config = &intake->config;
    unsigned percent = intake->closed ? OPEN_BELOW_PERCENT : CLOSE_ABOVE_PERCENT;
    size_t room = intake->closed ? budget_size(config->budget) / 4 + BATCH_ROOM : BATCH_ROOM;
    if (!budget_has_room(config->budget, room))
        return "the memory budget is in use";
    if (queue_is_above(config->output, percent))
        return "the first queue is full";
    return NULL;
}

bool intake_has_room(struct intake *intake, const char **ret_reason)
{
    const char *reason = lacks_room(intake);
    bool closed = reason != NULL;
    if (closed != intake->closed)
        metric_set(intake->held_back, closed);
    intake->closed = closed;
    atomic_store_explicit(&intake->closed_reason, reason, memory_order_relaxed);
    if (ret_reason != NULL)
        *ret_reason = reason;
    return !closed;
}

struct batch *intake_begin(struct intake_partition *partition)
{
    struct batch *batch = batch_new(partition->intake->config.batches, partition->topic, partition->partition);
    if (batch != NULL)
        batch->entered = clock_now();
    return batch;
}

static int64_t count_bytes(const struct batch *batch)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct record *record = &batch->records[i];
        bytes += (int64_t)record->key.size + record->value.size + record->headers.size;
    }
    return bytes;
}

enum status intake_push(struct intake_partition *partition, struct batch *batch, struct context *context)
{
    struct intake *intake = partition->intake;
    if (batch->count == 0) {
        batch_free(batch);
        return STATUS_OK;
    }
    int64_t records = batch->count, bytes = count_bytes(batch);
    int64_t next = batch->records[batch->count - 1].offset + 1;
    note_start(partition, batch->records[0].offset);
    tap_look(intake->config.tap, batch, TAP_ALL);
    enum status status = ledger_issue(partition->ledger, batch);
    if (status == STATUS_OK)
        status = queue_push(intake->config.output, batch, context);
    if (status != STATUS_OK) {
        /* The ticket, if there is one, stays open: nothing behind it can be committed in this epoch. */
        if (batch->ticket != NULL)
            ticket_abandon(batch->ticket, 0, batch->count);
        batch_free(batch);
        return status;
    }
    metric_add(intake->records, records);
    metric_add(intake->bytes, bytes);
    atomic_store_explicit(&partition->position, next, memory_order_relaxed);
    return STATUS_OK;
}

enum status intake_try_push(struct intake_partition *partition, struct batch *batch, struct context *context)
{
    /* No one else pushes into this queue, so what fits now is not waited for. */
    if (batch->count > 0 && !queue_fits(partition->intake->config.output, batch))
        return STATUS_FULL;
    return intake_push(partition, batch, context);
}

/* -- what the source tells -- */

void intake_position(struct intake_partition *partition, int64_t position, int64_t end)
{
    if (position >= 0) {
        note_start(partition, position);
        atomic_store_explicit(&partition->position, position, memory_order_relaxed);
    }
    atomic_store_explicit(&partition->end, end, memory_order_relaxed);
}

void intake_paused(struct intake_partition *partition, bool paused)
{
    atomic_store(&partition->paused, paused);
    metric_set(partition->paused_metric, paused);
}

void intake_waits(struct intake_partition *partition, bool waits)
{
    atomic_store_explicit(&partition->waits, waits, memory_order_relaxed);
}

void intake_state(struct intake *intake, bool connected, int assigned, const char *reason)
{
    CHECK_CALL(pthread_mutex_lock(&intake->mutex));
    intake->connected = connected;
    intake->assigned = assigned;
    snprintf(intake->state_reason, sizeof intake->state_reason, "%s", reason != NULL ? reason : "");
    CHECK_CALL(pthread_mutex_unlock(&intake->mutex));
    if (connected && assigned >= 0)
        health_ok(intake->config.health, "source");
    else
        health_problem(intake->config.health, "source", "%s",
                       reason != NULL && reason[0] != '\0' ? reason
                       : connected                         ? "no partitions assigned yet"
                                                           : "not connected");
}

void intake_lost_range(struct intake_partition *partition, int64_t from, int64_t to, const char *reason)
{
    metric_add(partition->intake->lost, to - from);
    log_error("source", "%s/%d: offsets %lld to %lld (%lld) can't be read and are lost: %s", partition->topic,
              partition->partition, (long long)from, (long long)(to - 1), (long long)(to - from), reason);
}

void intake_rebalanced(struct intake *intake)
{
    metric_add(intake->rebalances, 1);
}

bool intake_draining(const struct intake *intake)
{
    return atomic_load_explicit(&intake->draining, memory_order_acquire);
}

int64_t intake_drain_deadline(struct intake *intake)
{
    CHECK_CALL(pthread_mutex_lock(&intake->mutex));
    int64_t deadline = intake->deadline;
    CHECK_CALL(pthread_mutex_unlock(&intake->mutex));
    return deadline;
}

void intake_finish(struct intake *intake)
{
    begin_drain(intake, CLOCK_NEVER);
}

void intake_committed(struct intake_partition *partition, int64_t offset)
{
    metric_set(partition->committed_metric, offset);
    offsets_set(partition->intake->config.offsets, partition->topic, partition->partition, offset);
}
