#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "processor/ledger.h"
#include "processor/outlet.h"
#include "tests/support/records.h"

enum { QUEUES = 3 };

struct fixture {
    struct records records;
    struct context *context;
    struct queue *queues[QUEUES];
    struct outlet outlet;
};

static void set_up(struct fixture *fixture, unsigned count, uint64_t room)
{
    const struct queue_config config = {.name = "store", .records = room, .bytes = 1 << 30};
    records_init(&fixture->records);
    fixture->context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    for (unsigned i = 0; i < count; i++)
        fixture->queues[i] = queue_new(&config, NULL);
    fixture->outlet = (struct outlet){.queues = fixture->queues, .count = count};
}

static void tear_down(struct fixture *fixture)
{
    for (unsigned i = 0; i < fixture->outlet.count; i++)
        queue_free(fixture->queues[i]);
    context_free(fixture->context);
    records_fini(&fixture->records); /* asserts that every batch came back */
}

static struct batch *batch_of(struct fixture *fixture)
{
    struct batch *batch = records_batch(&fixture->records);
    records_add(batch, "k", "v");
    return batch;
}

static struct batch *pop(struct fixture *fixture, unsigned at)
{
    struct batch *batch = NULL;
    assert_int_equal(queue_pop(fixture->queues[at], fixture->context, CLOCK_NEVER, &batch), STATUS_OK);
    return batch;
}

static void to_one_queue_goes_the_batch_itself(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1, 10);
    struct batch *batch = batch_of(&f);
    assert_int_equal(outlet_push(&f.outlet, batch, f.context), STATUS_OK);
    assert_ptr_equal(pop(&f, 0), batch);
    batch_free(batch);
    tear_down(&f);
}

static void each_of_several_queues_gets_a_branch(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, QUEUES, 10);
    struct ledger *ledger = ledger_new(QUEUES, NULL);
    struct ledger_partition *partition = ledger_assign(ledger, "orders", 0);
    struct batch *batch = batch_of(&f);
    assert_int_equal(ledger_issue(partition, batch), STATUS_OK);
    assert_int_equal(outlet_push(&f.outlet, batch, f.context), STATUS_OK);
    for (unsigned i = 0; i < QUEUES; i++) {
        assert_int_equal(ledger_committable(partition), -1);
        struct batch *branch = pop(&f, i);
        assert_true(bytes_equal(branch->records[0].value, bytes_of_string("v")));
        ticket_settle(branch->ticket, 0, 1, VERDICT_STORED);
        batch_free(branch);
    }
    assert_int_equal(ledger_committable(partition), 1);
    assert_int_equal(batch_pool_out(f.records.pool), 0);
    ledger_free(ledger);
    tear_down(&f);
}

static void what_can_not_be_pushed_is_freed(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= QUEUES; count++) {
        struct fixture f;
        set_up(&f, count, 1);
        assert_int_equal(outlet_push(&f.outlet, batch_of(&f), f.context), STATUS_OK);
        queue_close(f.queues[count - 1]); /* the last: the ones before it have their branch */
        for (unsigned i = 0; i + 1 < count; i++)
            batch_free(pop(&f, i));
        assert_int_equal(outlet_push(&f.outlet, batch_of(&f), f.context), STATUS_CLOSED);
        for (unsigned i = 0; i + 1 < count; i++)
            batch_free(pop(&f, i));
        tear_down(&f);

        set_up(&f, count, 1);
        assert_int_equal(outlet_push(&f.outlet, batch_of(&f), f.context), STATUS_OK);
        context_cancel(f.context);
        assert_int_equal(outlet_push(&f.outlet, batch_of(&f), f.context), STATUS_CANCELLED);
        tear_down(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_one_queue_goes_the_batch_itself),
        cmocka_unit_test(each_of_several_queues_gets_a_branch),
        cmocka_unit_test(what_can_not_be_pushed_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
