#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/ledger.h"
#include "tests/support/records.h"

struct fixture {
    struct records records;
    struct ledger *ledger;
    struct ledger_partition *partition;
};

static void set_up(struct fixture *fixture, unsigned branches)
{
    records_init(&fixture->records);
    fixture->ledger = ledger_new(branches, fixture->records.budget);
    assert_non_null(fixture->ledger);
    fixture->partition = ledger_assign(fixture->ledger, "orders", 0);
    assert_non_null(fixture->partition);
}

static void tear_down(struct fixture *fixture)
{
    ledger_free(fixture->ledger);
    records_fini(&fixture->records);
}

/* `count` records from `offset` on, issued. */
static struct batch *issue(struct fixture *fixture, struct ledger_partition *partition, int64_t offset, unsigned count)
{
    struct batch *batch = records_batch(&fixture->records);
    for (unsigned i = 0; i < count; i++)
        records_add(batch, NULL, "x")->offset = offset + i;
    assert_int_equal(ledger_issue(partition, batch), STATUS_OK);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(batch->records[i].index, i);
    return batch;
}

static struct ledger_counts counts_of(struct fixture *fixture)
{
    struct ledger_counts counts;
    ledger_get_counts(fixture->ledger, &counts);
    return counts;
}

static void nothing_is_committable_before_something_is_settled(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    assert_int_equal(ledger_committable(f.partition), -1);
    struct batch *batch = issue(&f, f.partition, 100, 3);
    assert_int_equal(ledger_committable(f.partition), -1);
    assert_int_equal(ledger_partition_in_flight(f.partition), 3);
    ticket_settle(batch->ticket, 0, 3, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), 103);
    assert_int_equal(ledger_partition_in_flight(f.partition), 0);
    batch_free(batch);
    tear_down(&f);
}

static void the_tickets_behind_a_record_without_a_verdict_are_paid_for_until_it_comes(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    struct batch *stuck = issue(&f, f.partition, 0, 1);
    struct ticket *ticket = stuck->ticket;
    ticket_ref(ticket); /* as a dead letter under way does */
    batch_free(stuck);
    for (int64_t next = 1; next < 100001; next += 1000) {
        struct batch *batch = issue(&f, f.partition, next, 1000);
        ticket_settle(batch->ticket, 0, 1000, VERDICT_STORED);
        batch_free(batch);
    }
    size_t kept = budget_used(f.records.budget);
    ticket_settle(ticket, 0, 1, VERDICT_DEAD_LETTERED);
    ticket_unref(ticket);
    assert_int_equal(ledger_committable(f.partition), 100001);
    assert_true(kept - budget_used(f.records.budget) > 100000 * sizeof(int64_t));
    tear_down(&f); /* asserts that the budget is unused */
}

static void only_the_contiguous_prefix_is_committable(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    struct batch *first = issue(&f, f.partition, 0, 4), *second = issue(&f, f.partition, 4, 4);
    ticket_settle(second->ticket, 0, 4, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), -1);
    ticket_settle(first->ticket, 1, 1, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), -1);
    ticket_settle(first->ticket, 0, 1, VERDICT_DROPPED);
    assert_int_equal(ledger_committable(f.partition), 2); /* up to the very record */
    ticket_settle(first->ticket, 3, 1, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), 2);
    ticket_settle(first->ticket, 2, 1, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), 8);
    struct ledger_counts counts = counts_of(&f);
    assert_int_equal(counts.issued, 8);
    assert_int_equal(counts.stored, 7);
    assert_int_equal(counts.dropped, 1);
    assert_int_equal(counts.in_flight, 0);
    batch_free(first);
    batch_free(second);
    tear_down(&f);
}

static void gaps_between_offsets_are_no_gaps_in_the_prefix(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    struct batch *batch = records_batch(&f.records);
    static const int64_t offsets[] = {3, 10, 11, 500};
    for (unsigned i = 0; i < 4; i++)
        records_add(batch, NULL, "x")->offset = offsets[i];
    assert_int_equal(ledger_issue(f.partition, batch), STATUS_OK);
    ticket_settle(batch->ticket, 0, 2, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), 11);
    ticket_settle(batch->ticket, 2, 2, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), 501);
    batch_free(batch);
    tear_down(&f);
}

static void a_record_is_done_when_all_branches_are(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 3);
    struct batch *batch = issue(&f, f.partition, 0, 2);
    for (unsigned branch = 0; branch < 3; branch++) {
        assert_int_equal(ledger_committable(f.partition), -1);
        assert_int_equal(ledger_partition_in_flight(f.partition), 2);
        /* One of three stores rejects the second record: that is the record's verdict. */
        ticket_settle(batch->ticket, 0, 1, VERDICT_STORED);
        ticket_settle(batch->ticket, 1, 1, branch == 1 ? VERDICT_DEAD_LETTERED : VERDICT_STORED);
    }
    assert_int_equal(ledger_committable(f.partition), 2);
    struct ledger_counts counts = counts_of(&f);
    assert_int_equal(counts.stored, 1);
    assert_int_equal(counts.dead_lettered, 1);
    batch_free(batch);
    tear_down(&f);
}

static void a_verdict_before_the_stores_counts_for_all_branches(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2);
    struct batch *batch = issue(&f, f.partition, 0, 2);
    ticket_settle_all_branches(batch->ticket, 0, 1, VERDICT_DROPPED);
    assert_int_equal(ledger_committable(f.partition), 1);
    ticket_settle_all_branches(batch->ticket, 1, 1, VERDICT_DEAD_LETTERED);
    assert_int_equal(ledger_committable(f.partition), 2);
    assert_int_equal(counts_of(&f).dropped, 1);
    assert_int_equal(counts_of(&f).dead_lettered, 1);
    batch_free(batch);
    tear_down(&f);
}

static void what_completes_after_a_revoke_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    struct batch *late = issue(&f, f.partition, 0, 5);
    ticket_settle(late->ticket, 0, 2, VERDICT_STORED);
    ledger_revoke(f.partition);
    assert_false(ledger_is_current(f.partition));
    assert_false(ticket_is_current(late->ticket));
    assert_int_equal(ledger_partition_in_flight(f.partition), 0);
    assert_ptr_equal(ledger_assign(f.ledger, "orders", 0), f.partition);
    assert_true(ledger_is_current(f.partition));
    assert_int_equal(ledger_committable(f.partition), -1); /* a new epoch */
    struct batch *again = issue(&f, f.partition, 2, 3);
    ticket_settle(late->ticket, 2, 3, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), -1);
    ticket_settle(again->ticket, 0, 3, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), 5);
    struct ledger_counts counts = counts_of(&f);
    assert_int_equal(counts.issued, 8);
    assert_int_equal(counts.stored, 5);
    assert_int_equal(counts.refused, 3);
    assert_int_equal(counts.abandoned, 3);
    assert_int_equal(counts.in_flight, 0);
    batch_free(late);
    batch_free(again);
    tear_down(&f);
}

static void an_assignment_without_a_revoke_fences_too(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    struct batch *late = issue(&f, f.partition, 0, 2);
    assert_ptr_equal(ledger_assign(f.ledger, "orders", 0), f.partition);
    assert_false(ticket_is_current(late->ticket));
    ticket_settle(late->ticket, 0, 2, VERDICT_STORED);
    assert_int_equal(ledger_committable(f.partition), -1);
    batch_free(late);
    tear_down(&f);
}

static void what_is_given_up_holds_the_commits_and_nobody_who_waits(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    struct context *context = context_new(NULL, clock_now() + 20 * CLOCK_SECOND);
    struct batch *first = issue(&f, f.partition, 0, 4), *second = issue(&f, f.partition, 4, 2);
    ticket_settle(first->ticket, 0, 2, VERDICT_STORED);
    ticket_abandon(first->ticket, 2, 1);
    ticket_abandon(first->ticket, 2, 1); /* once is enough */
    ticket_settle(first->ticket, 3, 1, VERDICT_STORED);
    ticket_settle(second->ticket, 0, 2, VERDICT_STORED);
    assert_int_equal(ledger_wait_idle(f.ledger, NULL, context, CLOCK_NEVER), STATUS_OK);
    assert_int_equal(ledger_committable(f.partition), 2);
    ticket_settle(first->ticket, 2, 1, VERDICT_STORED); /* too late: it is consumed again */
    assert_int_equal(ledger_committable(f.partition), 2);
    struct ledger_counts counts = counts_of(&f);
    assert_int_equal(counts.abandoned, 1);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(counts.stored, 5);
    ticket_abandon(first->ticket, 0, 2); /* what has its verdict keeps it */
    assert_int_equal(counts_of(&f).abandoned, 1);
    ledger_revoke(f.partition);
    assert_int_equal(counts_of(&f).abandoned, 1);
    ticket_abandon(first->ticket, 0, 4);
    batch_free(first);
    batch_free(second);
    context_free(context);
    tear_down(&f);
}

static void one_branch_that_gives_up_is_enough(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2);
    struct batch *batch = issue(&f, f.partition, 0, 1);
    ticket_settle(batch->ticket, 0, 1, VERDICT_STORED);
    ticket_abandon(batch->ticket, 0, 1);
    assert_int_equal(ledger_partition_in_flight(f.partition), 0);
    assert_int_equal(ledger_committable(f.partition), -1);
    batch_free(batch);
    tear_down(&f);
}

static void a_ticket_lives_as_long_as_somebody_holds_it(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    struct batch *batch = issue(&f, f.partition, 0, 2);
    struct ticket *ticket = batch->ticket;
    ticket_ref(ticket); /* a dead letter under way */
    ticket_settle(ticket, 0, 1, VERDICT_STORED);
    batch_free(batch);
    ledger_revoke(f.partition);
    ticket_settle(ticket, 1, 1, VERDICT_DEAD_LETTERED);
    assert_int_equal(counts_of(&f).refused, 1);
    ticket_unref(ticket);
    ticket_unref(NULL);
    tear_down(&f); /* asserts that no ticket is left */
}

static void partitions_do_not_mind_each_other(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1);
    struct ledger_partition *other = ledger_assign(f.ledger, "orders", 1),
                            *topic = ledger_assign(f.ledger, "others", 0);
    struct context *context = context_new(NULL, clock_now() + 20 * CLOCK_SECOND);
    struct batch *one = issue(&f, f.partition, 0, 2), *two = issue(&f, other, 50, 2);
    assert_ptr_not_equal(other, topic);
    ticket_settle(two->ticket, 0, 2, VERDICT_STORED);
    assert_int_equal(ledger_committable(other), 52);
    assert_int_equal(ledger_committable(f.partition), -1);
    assert_int_equal(ledger_committable(topic), -1);
    assert_int_equal(ledger_wait_idle(f.ledger, other, context, CLOCK_NEVER), STATUS_OK);
    assert_int_equal(ledger_wait_idle(f.ledger, NULL, context, clock_now() + CLOCK_MS), STATUS_DEADLINE);
    ledger_revoke(other);
    assert_int_equal(ledger_partition_in_flight(f.partition), 2);
    ticket_settle(one->ticket, 0, 2, VERDICT_STORED);
    batch_free(one);
    batch_free(two);
    context_free(context);
    tear_down(&f);
}

struct waiting {
    struct fixture *fixture;
    struct context *context;
    enum status status;
};

static void *wait_idle(void *arg)
{
    struct waiting *waiting = arg;
    waiting->status = ledger_wait_idle(waiting->fixture->ledger, waiting->fixture->partition, waiting->context,
                                       CLOCK_NEVER);
    return NULL;
}

enum how { BY_VERDICT, BY_GIVING_UP, BY_REVOKE, BY_CANCELLING };

static void who_waits_is_woken(void **state)
{
    (void)state;
    for (enum how how = BY_VERDICT; how <= BY_CANCELLING; how++) {
        struct fixture f;
        set_up(&f, 1);
        pthread_t thread;
        struct waiting waiting = {.fixture = &f, .context = context_new(NULL, clock_now() + 30 * CLOCK_SECOND)};
        struct batch *batch = issue(&f, f.partition, 0, 2);
        assert_int_equal(pthread_create(&thread, NULL, wait_idle, &waiting), 0);
        if (how == BY_VERDICT)
            ticket_settle(batch->ticket, 0, 2, VERDICT_STORED);
        else if (how == BY_GIVING_UP)
            ticket_abandon(batch->ticket, 0, 2);
        else if (how == BY_REVOKE)
            ledger_revoke(f.partition);
        else
            context_cancel(waiting.context);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(waiting.status, how == BY_CANCELLING ? STATUS_CANCELLED : STATUS_OK);
        batch_free(batch);
        context_free(waiting.context);
        tear_down(&f);
    }
}

enum { TICKETS = 400, EACH = 16, SETTLERS = 3 };

struct race {
    struct batch *batches[TICKETS];
    _Atomic unsigned next;
};

static void *settle_backwards(void *arg)
{
    struct race *race = arg;
    for (;;) {
        unsigned at = atomic_fetch_add(&race->next, 1);
        if (at >= TICKETS)
            return NULL;
        struct batch *batch = race->batches[at];
        for (uint32_t i = EACH; i > 0; i--)
            ticket_settle(batch->ticket, i - 1, 1, VERDICT_STORED);
        batch_free(batch);
    }
}

static void the_committable_offset_only_grows_while_many_settle(void **state)
{
    (void)state;
    struct fixture f;
    struct race race = {.next = 0};
    pthread_t threads[SETTLERS];
    set_up(&f, 1);
    for (unsigned i = 0; i < TICKETS; i++)
        race.batches[i] = issue(&f, f.partition, i * EACH, EACH);
    for (unsigned i = 0; i < SETTLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, settle_backwards, &race), 0);
    int64_t before = -1, end = TICKETS * EACH;
    while (before < end) {
        int64_t now = ledger_committable(f.partition);
        assert_true(now >= before && now <= end);
        before = now;
    }
    for (unsigned i = 0; i < SETTLERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(counts_of(&f).stored, end);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_committable_before_something_is_settled),
        cmocka_unit_test(the_tickets_behind_a_record_without_a_verdict_are_paid_for_until_it_comes),
        cmocka_unit_test(only_the_contiguous_prefix_is_committable),
        cmocka_unit_test(gaps_between_offsets_are_no_gaps_in_the_prefix),
        cmocka_unit_test(a_record_is_done_when_all_branches_are),
        cmocka_unit_test(a_verdict_before_the_stores_counts_for_all_branches),
        cmocka_unit_test(what_completes_after_a_revoke_is_refused),
        cmocka_unit_test(an_assignment_without_a_revoke_fences_too),
        cmocka_unit_test(what_is_given_up_holds_the_commits_and_nobody_who_waits),
        cmocka_unit_test(one_branch_that_gives_up_is_enough),
        cmocka_unit_test(a_ticket_lives_as_long_as_somebody_holds_it),
        cmocka_unit_test(partitions_do_not_mind_each_other),
        cmocka_unit_test(who_waits_is_woken),
        cmocka_unit_test(the_committable_offset_only_grows_while_many_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
