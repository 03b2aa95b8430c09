/* How far a store may move the offsets that it keeps (exactly once). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/connector.h"
#include "processor/ledger.h"
#include "tests/support/memory.h"
#include "tests/support/records.h"

struct fixture {
    struct records records;
    struct ledger *ledger;
    struct ledger_partition *partition;
    struct context *context;
};

static void set_up(struct fixture *f)
{
    records_init(&f->records);
    f->ledger = ledger_new(1, NULL);
    ledger_keep_in_store(f->ledger);
    f->partition = ledger_assign(f->ledger, "orders", 0);
    f->context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    assert_non_null(f->context);
}

static void tear_down(struct fixture *f)
{
    context_free(f->context);
    ledger_free(f->ledger);
    records_fini(&f->records);
}

static struct batch *issue(struct fixture *f, int64_t offset, unsigned count)
{
    struct batch *batch = records_batch(&f->records);
    for (unsigned i = 0; i < count; i++)
        records_add(batch, NULL, "x")->offset = offset + i;
    assert_int_equal(ledger_issue(f->partition, batch), STATUS_OK);
    return batch;
}

/* The partition's only move; to -1: there is none. */
static struct offset_move get_move(struct fixture *f, uint64_t expected_prepared)
{
    struct offset_move moves[4] = {{.to = -1}};
    uint64_t prepared = 0;
    assert_true(ledger_get_moves(f->ledger, moves, 4, &prepared) <= 1);
    assert_int_equal(prepared, expected_prepared);
    return moves[0];
}

static void what_is_prepared_is_moved_past(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    ledger_set_stored(f.partition, 100);
    struct batch *batch = issue(&f, 100, 10), *later = issue(&f, 110, 10);
    ledger_prepare(batch);
    assert_int_equal(ledger_await_prepared(f.ledger, f.context), STATUS_OK);
    struct offset_move move = get_move(&f, 10);
    assert_string_equal(move.topic, "orders");
    assert_int_equal(move.from, 100);
    assert_int_equal(move.to, 110);
    assert_true(ledger_holds_moves(f.ledger, 1, 10));
    ledger_moved(f.ledger);
    ticket_settle(batch->ticket, 0, 10, VERDICT_STORED);
    assert_int_equal(ledger_get_stored(f.partition), 110);
    assert_false(ledger_is_behind(f.ledger));
    assert_int_equal(get_move(&f, 0).to, -1);
    batch_free(batch);
    batch_abandon(later);
    tear_down(&f);
}

static void a_move_stays_the_same_until_it_is_made(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct batch *batch = issue(&f, 0, 10), *dropped = issue(&f, 10, 5);
    ledger_prepare(batch);
    assert_int_equal(get_move(&f, 10).to, 10);
    ticket_settle(dropped->ticket, 0, 5, VERDICT_DROPPED);
    assert_int_equal(get_move(&f, 10).to, 10);
    ledger_moved(f.ledger);
    ticket_settle(batch->ticket, 0, 10, VERDICT_STORED);
    assert_true(ledger_is_behind(f.ledger));
    struct offset_move move = get_move(&f, 0);
    assert_int_equal(move.from, 10);
    assert_int_equal(move.to, 15);
    ledger_moved(f.ledger);
    assert_false(ledger_is_behind(f.ledger));
    batch_free(batch);
    batch_free(dropped);
    tear_down(&f);
}

struct waiting {
    struct fixture *f;
    pthread_t thread;
    enum status status;
};

static void *wait_for_prepared(void *arg)
{
    struct waiting *waiting = arg;
    waiting->status = ledger_await_prepared(waiting->f->ledger, waiting->f->context);
    return NULL;
}

static void nothing_is_moved_past_a_dead_letter_that_is_not_acknowledged(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct waiting waiting = {.f = &f};
    struct batch *batch = issue(&f, 0, 10);
    batch->records[4].answer = STAGE_SETTLED; /* a dead letter under way */
    ledger_prepare(batch);
    assert_int_equal(get_move(&f, 4).to, 4);
    CHECK_CALL(pthread_create(&waiting.thread, NULL, wait_for_prepared, &waiting));
    ticket_settle(batch->ticket, 4, 1, VERDICT_DEAD_LETTERED);
    CHECK_CALL(pthread_join(waiting.thread, NULL));
    assert_int_equal(waiting.status, STATUS_OK);
    ledger_moved(f.ledger);
    assert_int_equal(get_move(&f, 9).to, 10);
    batch_abandon(batch);
    tear_down(&f);
}

static void a_record_found_wrong_later_is_waited_for_though_it_is_the_last(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct batch *batch = issue(&f, 0, 10);
    ledger_prepare(batch);
    assert_int_equal(get_move(&f, 10).to, 10);
    batch->records[9].answer = STAGE_SETTLED;
    ledger_prepare(batch);
    struct context *soon = context_new(f.context, clock_now() + 20 * CLOCK_MS);
    assert_int_equal(ledger_await_prepared(f.ledger, soon), STATUS_DEADLINE);
    context_free(soon);
    ticket_settle(batch->ticket, 9, 1, VERDICT_DEAD_LETTERED);
    assert_int_equal(ledger_await_prepared(f.ledger, f.context), STATUS_OK);
    assert_int_equal(get_move(&f, 9).to, 10);
    batch_abandon(batch);
    tear_down(&f);
}

static void the_end_of_an_epoch_ends_its_move(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct batch *batch = issue(&f, 0, 10);
    ledger_prepare(batch);
    assert_int_equal(get_move(&f, 10).to, 10);
    assert_true(ledger_admits(batch));
    ledger_revoke(f.partition);
    assert_false(ledger_admits(batch));
    assert_false(ledger_holds_moves(f.ledger, 1, 10));
    assert_int_equal(get_move(&f, 0).to, -1);
    assert_ptr_equal(ledger_assign(f.ledger, "orders", 0), f.partition);
    assert_int_equal(ledger_get_stored(f.partition), -1);
    assert_int_equal(get_move(&f, 0).to, -1);
    batch_free(batch);
    tear_down(&f);
}

static void what_stands_behind_a_record_that_was_given_up_is_not_admitted(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct batch *batch = issue(&f, 0, 10), *behind = issue(&f, 10, 10);
    ledger_prepare(batch);
    ledger_prepare(behind);
    assert_int_equal(get_move(&f, 20).to, 20);
    ticket_abandon(batch->ticket, 6, 4);
    for (unsigned i = 6; i < 10; i++)
        batch->records[i].answer = STAGE_SETTLED;
    assert_int_equal(ledger_await_prepared(f.ledger, f.context), STATUS_OK);
    assert_true(ledger_admits(batch));
    assert_false(ledger_admits(behind));
    /* Who has not looked yet learns that not all it holds can be stored. */
    assert_int_equal(get_move(&f, 6).to, 6);
    batch_abandon(behind);
    assert_int_equal(get_move(&f, 6).to, 6);
    batch_abandon(batch);
    tear_down(&f);
}

static void idle_means_that_the_store_has_the_offsets_too(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct batch *dropped = issue(&f, 0, 5);
    ticket_settle(dropped->ticket, 0, 5, VERDICT_DROPPED);
    assert_int_equal(ledger_partition_in_flight(f.partition), 0);
    assert_int_equal(ledger_wait_idle(f.ledger, f.partition, f.context, clock_now()), STATUS_DEADLINE);
    assert_int_equal(ledger_wait_idle(f.ledger, NULL, f.context, clock_now()), STATUS_DEADLINE);
    assert_int_equal(get_move(&f, 0).to, 5);
    ledger_moved(f.ledger);
    assert_int_equal(ledger_wait_idle(f.ledger, f.partition, f.context, clock_now()), STATUS_OK);
    assert_int_equal(ledger_wait_idle(f.ledger, NULL, f.context, clock_now()), STATUS_OK);
    batch_free(dropped);
    tear_down(&f);
}

static void too_little_room_tells_how_much_is_needed(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct ledger_partition *other = ledger_assign(f.ledger, "orders", 1);
    struct batch *batch = issue(&f, 0, 3);
    struct batch *second = records_batch(&f.records);
    records_add(second, NULL, "x")->offset = 7;
    assert_int_equal(ledger_issue(other, second), STATUS_OK);
    ledger_prepare(batch);
    ledger_prepare(second);
    struct offset_move moves[2];
    uint64_t prepared;
    assert_int_equal(ledger_get_moves(f.ledger, moves, 1, &prepared), 2);
    assert_int_equal(ledger_get_moves(f.ledger, moves, 2, &prepared), 2);
    assert_int_equal(prepared, 4);
    assert_int_equal(moves[0].to + moves[1].to, 3 + 8);
    batch_abandon(batch);
    batch_abandon(second);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_prepared_is_moved_past),
        cmocka_unit_test(a_move_stays_the_same_until_it_is_made),
        cmocka_unit_test(nothing_is_moved_past_a_dead_letter_that_is_not_acknowledged),
        cmocka_unit_test(a_record_found_wrong_later_is_waited_for_though_it_is_the_last),
        cmocka_unit_test(the_end_of_an_epoch_ends_its_move),
        cmocka_unit_test(what_stands_behind_a_record_that_was_given_up_is_not_admitted),
        cmocka_unit_test(idle_means_that_the_store_has_the_offsets_too),
        cmocka_unit_test(too_little_room_tells_how_much_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
