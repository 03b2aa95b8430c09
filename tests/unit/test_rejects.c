#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "processor/clock.h"
#include "processor/ledger.h"
#include "processor/metrics.h"
#include "processor/rejects.h"
#include "tests/support/records.h"

/* A sink that notes what it is given, and acknowledges nothing by itself. */
struct sink {
    struct dead_letter contract;
    char text[512];
    unsigned left; /* writes that go well */
    enum status then;
    enum error_class class;
};

static enum status sink_write(struct dead_letter *contract, const struct batch *batch, const struct record *record,
                              bool all_branches, struct context *context, struct error *error)
{
    struct sink *sink = (struct sink *)contract;
    (void)batch;
    (void)context;
    if (sink->left == 0)
        return sink->then == STATUS_FAILED ? error_set(error, sink->class, "the sink is broken") : sink->then;
    sink->left--;
    size_t used = strlen(sink->text);
    snprintf(sink->text + used, sizeof sink->text - used, "%lld %s %s %s%s;", (long long)record->offset,
             record->failure->stage, record->failure->class, record->failure->message, all_branches ? "" : " (one)");
    return STATUS_OK;
}

struct fixture {
    struct records records;
    struct ledger *ledger;
    struct ledger_partition *partition;
    struct metrics *metrics;
    struct context *context;
    struct sink sink;
    struct rejects rejects;
    struct error error;
    struct batch *batch;
};

static void set_up(struct fixture *fixture, bool with_sink, bool all_branches, unsigned records)
{
    *fixture = (struct fixture){.sink = {.contract = {.write = sink_write}, .left = 1000}};
    records_init(&fixture->records);
    fixture->ledger = ledger_new(2, NULL);
    fixture->partition = ledger_assign(fixture->ledger, "orders", 0);
    fixture->metrics = metrics_new();
    fixture->context = context_new(NULL, CLOCK_NEVER);
    rejects_init(&fixture->rejects, "decode", with_sink ? &fixture->sink.contract : NULL, all_branches,
                 fixture->metrics);
    fixture->batch = records_batch(&fixture->records);
    for (unsigned i = 0; i < records; i++)
        records_add(fixture->batch, NULL, "x");
    assert_int_equal(ledger_issue(fixture->partition, fixture->batch), STATUS_OK);
}

static void tear_down(struct fixture *fixture)
{
    batch_free(fixture->batch);
    ledger_free(fixture->ledger);
    metrics_free(fixture->metrics);
    context_free(fixture->context);
    records_fini(&fixture->records);
}

static enum status settle(struct fixture *fixture)
{
    return rejects_settle(&fixture->rejects, fixture->batch, fixture->context, &fixture->error);
}

static int64_t counter(struct fixture *fixture, const char *name, const char *labels)
{
    return metric_get(metrics_get(fixture->metrics, METRIC_COUNTER, name, "", labels));
}

static void each_answer_becomes_its_verdict(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, true, true, 5);
    struct record *records = f.batch->records;
    batch_drop(&records[0]);
    batch_reject(f.batch, &records[1], "json", "no brace");
    batch_drop(&records[3]);
    batch_reject(f.batch, &records[4], "size", "too big");
    records[4].failure->stage = "inflate"; /* who has said so keeps it */
    assert_int_equal(settle(&f), STATUS_OK);
    assert_int_equal(records[0].answer, STAGE_SETTLED);
    assert_int_equal(records[1].answer, STAGE_SETTLED);
    assert_int_equal(records[2].answer, STAGE_FORWARD);
    assert_int_equal(records[3].answer, STAGE_SETTLED);
    assert_int_equal(records[4].answer, STAGE_SETTLED);
    assert_string_equal(f.sink.text, "1 decode json no brace;4 inflate size too big;");
    /* The dropped ones count for both branches; the dead letters only when the sink says so. */
    assert_int_equal(ledger_committable(f.partition), 1);
    ticket_settle_all_branches(f.batch->ticket, 1, 1, VERDICT_DEAD_LETTERED);
    assert_int_equal(ledger_committable(f.partition), 2);
    assert_int_equal(counter(&f, "weir_stage_answers_total", "stage=\"decode\",answer=\"drop\""), 2);
    assert_int_equal(counter(&f, "weir_stage_answers_total", "stage=\"decode\",answer=\"reject\""), 2);
    assert_int_equal(counter(&f, "weir_stage_errors_total", "stage=\"decode\",class=\"json\""), 1);
    assert_int_equal(settle(&f), STATUS_OK); /* nothing is done twice */
    assert_string_equal(f.sink.text, "1 decode json no brace;4 inflate size too big;");
    tear_down(&f);
}

static void a_store_settles_for_its_own_branch(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, true, false, 2);
    batch_drop(&f.batch->records[0]);
    batch_reject(f.batch, &f.batch->records[1], "constraint", "null");
    assert_int_equal(settle(&f), STATUS_OK);
    assert_string_equal(f.sink.text, "1 decode constraint null (one);");
    assert_int_equal(ledger_committable(f.partition), -1);
    ticket_settle(f.batch->ticket, 0, 1, VERDICT_STORED); /* the other store */
    assert_int_equal(ledger_committable(f.partition), 1);
    tear_down(&f);
}

static void without_a_dead_letter_the_first_reject_stops_the_service(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, false, true, 4);
    batch_drop(&f.batch->records[1]);
    batch_reject(f.batch, &f.batch->records[2], "json", "no brace");
    batch_reject(f.batch, &f.batch->records[3], "json", "another");
    assert_int_equal(settle(&f), STATUS_FAILED);
    assert_int_equal(f.error.class, ERROR_FATAL);
    assert_non_null(strstr(f.error.text, "decode: record orders/0@2: json: no brace"));
    assert_non_null(strstr(f.error.text, "errors.dead_letter.topic"));
    assert_int_equal(f.batch->records[1].answer, STAGE_SETTLED);
    assert_int_equal(f.batch->records[2].answer, STAGE_REJECT); /* stays as it is */
    tear_down(&f);
}

static void a_fatal_answer_stops_it_whatever_is_configured(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, true, true, 1);
    batch_fatal(f.batch, &f.batch->records[0], "schema", "unknown version");
    assert_int_equal(settle(&f), STATUS_FAILED);
    assert_int_equal(f.error.class, ERROR_FATAL);
    assert_non_null(strstr(f.error.text, "orders/0@0: schema: unknown version"));
    assert_null(strstr(f.error.text, "dead_letter"));
    assert_string_equal(f.sink.text, "");
    tear_down(&f);
}

static void what_the_sink_did_not_take_keeps_its_answer(void **state)
{
    (void)state;
    static const enum status statuses[] = {STATUS_FAILED, STATUS_CANCELLED, STATUS_DEADLINE};
    for (unsigned i = 0; i < 3; i++) {
        struct fixture f;
        set_up(&f, true, true, 3);
        f.sink.left = 1;
        f.sink.then = statuses[i];
        f.sink.class = ERROR_TRANSIENT;
        for (unsigned k = 0; k < 3; k++)
            batch_reject(f.batch, &f.batch->records[k], "json", "no");
        assert_int_equal(settle(&f), statuses[i]);
        assert_int_equal(f.batch->records[0].answer, STAGE_SETTLED);
        assert_int_equal(f.batch->records[1].answer, STAGE_REJECT);
        assert_int_equal(f.batch->records[2].answer, STAGE_REJECT);
        f.sink.left = 10;
        assert_int_equal(settle(&f), STATUS_OK); /* and goes on from there */
        assert_string_equal(f.sink.text, "0 decode json no;1 decode json no;2 decode json no;");
        tear_down(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_becomes_its_verdict),
        cmocka_unit_test(a_store_settles_for_its_own_branch),
        cmocka_unit_test(without_a_dead_letter_the_first_reject_stops_the_service),
        cmocka_unit_test(a_fatal_answer_stops_it_whatever_is_configured),
        cmocka_unit_test(what_the_sink_did_not_take_keeps_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
