/*
 * What `make gate` counts instructions of, in process and without a broker:
 *
 *   hot_path   decode(json) -> lookup -> set -> encode: what every record costs in the stages and in a store of lines
 *   hop        a recycled batch -> ticket in the ledger -> through a queue -> settled -> given back: what the engine adds
 *
 * Under callgrind only what stands between `begin` and `end` is collected; gate.sh reads the dumps. Run by itself it prints CPU nanoseconds a record, for
 * looking at; nobody asserts on these.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/ledger.h"
#include "processor/line.h"
#include "processor/log.h"
#include "processor/metrics.h"
#include "processor/queue.h"
#include "processor/stage.h"
#include "tests/support/orders.h"
#include "tests/support/parse.h"
#include "tests/support/records.h"

extern const struct stage_type decode_stage, lookup_stage, set_stage;

enum { STEPS = 3, WARM_UP = 8, BATCHES = 64 };

struct step {
    const struct stage_type *type;
    struct parsed *parsed;
    void *stage, *worker;
};

struct bench {
    struct records records;
    struct metrics *metrics;
    struct step steps[STEPS];
    struct context *context;
    struct queue *queue;
    struct ledger *ledger;
    struct ledger_partition *partition;
    uint8_t *lines;
    uint64_t next; /* id, and offset, of the next order */
    int64_t began, spent;
};

static void open_step(struct bench *bench, struct step *step, const struct stage_type *type, const char *yaml)
{
    const struct stage_env env = {.name = type->name, .metrics = bench->metrics, .config_dir = "."};
    struct error error = {0};
    step->type = type;
    step->parsed = parsed_new(type->config, yaml);
    if (parsed_config(step->parsed) == NULL) {
        fputs(parsed_report(step->parsed), stderr);
        exit(1);
    }
    if (type->init != NULL && type->init(parsed_config(step->parsed), &env, &step->stage, &error) != STATUS_OK) {
        fprintf(stderr, "gate: %s: %s\n", type->name, error.text);
        exit(1);
    }
    if (type->start != NULL)
        CHECK(type->start(step->stage, &step->worker, &error) == STATUS_OK);
}

static void close_step(struct step *step)
{
    if (step->type->stop != NULL)
        step->type->stop(step->worker);
    if (step->type->close != NULL)
        step->type->close(step->stage);
    parsed_free(step->parsed);
}

static void open_steps(struct bench *bench)
{
    char path[] = "/tmp/weir-gate.XXXXXX", yaml[128];
    int fd = mkstemp(path);
    FILE *table = fd < 0 ? NULL : fdopen(fd, "w");
    CHECK(table != NULL);
    orders_write_customers(table);
    CHECK(fclose(table) == 0);
    snprintf(yaml, sizeof yaml, "{table: %s, match: customer_id, fields: [tier]}", path);
    open_step(bench, &bench->steps[0], &decode_stage, "{format: json}");
    open_step(bench, &bench->steps[1], &lookup_stage, yaml);
    open_step(bench, &bench->steps[2], &set_stage,
              "{received_at: \"{{now}}\", source: \"{{topic}}/{{partition}}/{{offset}}\"}");
    unlink(path);
}

static void open_bench(struct bench *bench)
{
    const struct queue_config queue = {.name = "gate", .records = 1 << 20, .bytes = UINT64_C(1) << 30};
    records_init(&bench->records);
    bench->metrics = metrics_new();
    bench->context = context_new(NULL, CLOCK_NEVER);
    bench->queue = queue_new(&queue, bench->metrics);
    bench->ledger = ledger_new(1, NULL);
    bench->lines = malloc((size_t)BATCH_RECORDS * 4096);
    CHECK(bench->metrics != NULL && bench->context != NULL && bench->queue != NULL && bench->ledger != NULL &&
          bench->lines != NULL);
    bench->partition = ledger_assign(bench->ledger, "orders", 0);
    CHECK(bench->partition != NULL);
    open_steps(bench);
}

static void close_bench(struct bench *bench)
{
    for (unsigned i = 0; i < STEPS; i++)
        close_step(&bench->steps[i]);
    ledger_revoke(bench->partition);
    ledger_free(bench->ledger);
    queue_free(bench->queue);
    context_free(bench->context);
    metrics_free(bench->metrics);
    free(bench->lines);
    records_fini(&bench->records);
}

static void begin(struct bench *bench)
{
    bench->began = clock_process_cpu();
    CALLGRIND_TOGGLE_COLLECT;
}

static void end(struct bench *bench)
{
    CALLGRIND_TOGGLE_COLLECT;
    bench->spent += clock_process_cpu() - bench->began;
}

/* As the intake does. */
static void fill(struct bench *bench, struct batch *batch)
{
    uint8_t text[ORDER_SIZE];
    for (unsigned i = 0; i < BATCH_RECORDS; i++) {
        struct record *record = batch_add(batch);
        CHECK(record != NULL);
        orders_write(bench->next, false, text);
        record->value = arena_copy(&batch->arena, bytes_of(text, ORDER_SIZE));
        record->offset = (int64_t)bench->next++;
        record->timestamp = 1767312000000;
        CHECK(record->value.data != NULL);
    }
}

static void run_hot_path(struct bench *bench)
{
    struct batch *batch = records_batch(&bench->records);
    uint32_t lines = 0;
    size_t used = 0;
    fill(bench, batch);
    begin(bench);
    for (unsigned i = 0; i < STEPS; i++)
        bench->steps[i].type->process(bench->steps[i].stage, bench->steps[i].worker, batch);
    BATCH_EACH(batch, record)
    {
        used += line_encode(record, bench->lines + used);
        lines++;
    }
    end(bench);
    /* Something that stopped working would look like something that became fast. */
    CHECK(lines == BATCH_RECORDS && memmem(bench->lines, used, "\"tier\":\"", 8) != NULL &&
          memmem(bench->lines, used, "\"source\":\"orders/0/", 19) != NULL);
    batch_free(batch);
}

static void run_hop(struct bench *bench)
{
    begin(bench);
    struct batch *batch = records_batch(&bench->records);
    end(bench);
    fill(bench, batch);
    begin(bench);
    CHECK(ledger_issue(bench->partition, batch) == STATUS_OK);
    CHECK(queue_push(bench->queue, batch, bench->context) == STATUS_OK);
    CHECK(queue_pop(bench->queue, bench->context, CLOCK_NEVER, &batch) == STATUS_OK);
    ticket_settle(batch->ticket, 0, batch->count, VERDICT_STORED);
    batch_free(batch);
    end(bench);
    CHECK(ledger_committable(bench->partition) == (int64_t)bench->next);
}

/* A macro: the dump's name must be a constant. */
#define MEASURE(bench, run, name)                                                                                      \
    do {                                                                                                               \
        for (unsigned i_ = 0; i_ < WARM_UP; i_++)                                                                      \
            run(bench);                                                                                                \
        CALLGRIND_ZERO_STATS;                                                                                          \
        (bench)->spent = 0;                                                                                            \
        for (unsigned i_ = 0; i_ < BATCHES; i_++)                                                                      \
            run(bench);                                                                                                \
        CALLGRIND_DUMP_STATS_AT(name);                                                                                 \
        if (!RUNNING_ON_VALGRIND)                                                                                      \
            printf("%-10s %8.1f ns a record\n", name, (double)(bench)->spent / ((double)BATCHES * BATCH_RECORDS));     \
    } while (0)

int main(void)
{
    struct bench bench = {0};
    log_set(LOG_WARN, false);
    open_bench(&bench);
    MEASURE(&bench, run_hot_path, "hot_path");
    MEASURE(&bench, run_hop, "hop");
    close_bench(&bench);
    printf("records %d\n", BATCHES * BATCH_RECORDS);
    return 0;
}
