#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "processor/budget.h"
#include "processor/ledger.h"
#include "tests/support/records.h"

static void a_new_record_is_zeroed_also_in_a_recycled_batch(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    for (unsigned round = 0; round < 2; round++) {
        struct batch *batch = records_batch(&records);
        assert_int_equal(batch->count, 0);
        for (unsigned i = 0; i < 3000; i++) {
            struct record *record = batch_add(batch);
            struct record zero = {0};
            assert_memory_equal(record, &zero, sizeof zero);
            memset(record, 0xff, sizeof *record);
        }
        assert_int_equal(batch->count, 3000);
        batch_free(batch);
    }
    records_fini(&records);
}

static void a_batch_that_comes_back_is_used_again(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *first = records_batch(&records);
    first->cut = 7;
    assert_non_null(arena_text(&first->arena, 1000));
    assert_int_equal(batch_pool_out(records.pool), 1);
    batch_free(first);
    assert_int_equal(batch_pool_out(records.pool), 0);
    size_t used = budget_used(records.budget);
    assert_true(used > 0); /* idle ones are paid for */
    struct batch *second = batch_new(records.pool, "other", 3);
    assert_ptr_equal(first, second);
    assert_int_equal(second->cut, 0);
    assert_string_equal(second->topic, "other");
    assert_int_equal(second->partition, 3);
    assert_int_equal(budget_used(records.budget), used);
    batch_free(second);
    records_fini(&records);
}

static void no_more_are_kept_than_the_pool_may(void **state)
{
    (void)state;
    struct budget *budget = budget_new(1 << 30);
    struct batch_pool *pool = batch_pool_new(budget, 2);
    struct batch *batches[5];
    for (unsigned i = 0; i < 5; i++) {
        batches[i] = batch_new(pool, "t", 0);
        assert_non_null(arena_text(&batches[i]->arena, 1));
    }
    size_t one = batches[0]->arena.held;
    assert_int_equal(budget_used(budget), 5 * one);
    for (unsigned i = 0; i < 5; i++)
        batch_free(batches[i]);
    assert_int_equal(budget_used(budget), 2 * one);
    batch_pool_free(pool);
    assert_int_equal(budget_used(budget), 0);
    budget_free(budget);
}

static void each_passes_over_what_goes_no_further(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    for (unsigned i = 0; i < 6; i++)
        records_add(batch, NULL, "x");
    batch_drop(&batch->records[0]);
    batch_reject(batch, &batch->records[2], "json", "no");
    batch->records[5].answer = STAGE_SETTLED;
    int64_t seen[6];
    unsigned count = 0;
    BATCH_EACH(batch, record)
    {
        seen[count++] = record->offset;
        if (record->offset == 3)
            batch_retry(batch, record, "away", "later"); /* does not end the loop */
    }
    assert_int_equal(count, 3);
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 3);
    assert_int_equal(seen[2], 4);
    batch_free(batch);
    records_fini(&records);
}

static void an_answer_says_why(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    for (unsigned i = 0; i < 3; i++)
        records_add(batch, NULL, "x");
    batch_reject(batch, &batch->records[0], "size", "%d bytes are more than %s", 20, "ten");
    batch_retry(batch, &batch->records[1], "away", "ask later");
    batch_fatal(batch, &batch->records[2], "bug", "stop");
    assert_int_equal(batch->records[0].answer, STAGE_REJECT);
    assert_string_equal(batch->records[0].failure->class, "size");
    assert_string_equal(batch->records[0].failure->message, "20 bytes are more than ten");
    assert_string_equal(batch->records[0].failure->stage, "");
    assert_int_equal(batch->records[1].answer, STAGE_RETRY);
    assert_int_equal(batch->records[2].answer, STAGE_FATAL);
    batch_free(batch);
    records_fini(&records);
}

static const char *message_of(struct batch *batch, const char *text)
{
    struct record *record = records_add(batch, NULL, "x");
    batch_reject(batch, record, "x", "%s", text);
    return record->failure->message;
}

static void a_long_message_is_cut_between_two_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x9f"};
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    for (unsigned kind = 0; kind < 4; kind++) {
        for (unsigned shift = 0; shift < 4; shift++) {
            char text[2000] = "";
            for (unsigned i = 0; i < shift; i++)
                strcat(text, "a");
            while (strlen(text) < 1000)
                strcat(text, characters[kind]);
            const char *message = message_of(batch, text);
            size_t size = strlen(message);
            assert_in_range(size, 496, 499);
            assert_int_equal((size - shift) % (kind + 1), 0);
            assert_memory_equal(message, text, size);
        }
    }
    /* No UTF-8 at all: cut anywhere, but not longer and not lost. */
    char odd[2000];
    memset(odd, 0x80, sizeof odd);
    odd[sizeof odd - 1] = '\0';
    assert_in_range(strlen(message_of(batch, odd)), 490, 499);
    batch_free(batch);
    records_fini(&records);
}

static void branches_answer_each_for_itself_and_share_the_bytes(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    records_add(batch, "k", "v");
    records_add(batch, "l", "w");
    batch->entered = 42;
    struct batch *one = batch_branch(batch), *other = batch_branch(batch);
    assert_int_equal(one->count, 2);
    assert_int_equal(one->entered, 42);
    assert_ptr_equal(one->records[0].value.data, batch->records[0].value.data);
    batch_reject(one, &one->records[0], "x", "no");
    assert_int_equal(other->records[0].answer, STAGE_FORWARD);
    assert_int_equal(batch->records[0].answer, STAGE_FORWARD);
    batch_free(batch);
    assert_int_equal(batch_pool_out(records.pool), 3);
    batch_free(one);
    assert_true(bytes_equal(other->records[1].value, bytes_of_string("w"))); /* lives until the last branch is back */
    batch_free(other);
    assert_int_equal(batch_pool_out(records.pool), 0);
    records_fini(&records);
}

static void a_branch_weighs_what_it_keeps_alive(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    records_add(batch, NULL, "v");
    assert_non_null(arena_text(&batch->arena, 3 * 1024 * 1024));
    size_t whole = batch_bytes(batch);
    assert_true(whole > 3 * 1024 * 1024);
    struct batch *branch = batch_branch(batch);
    batch_free(batch);
    assert_true(batch_bytes(branch) >= whole);
    batch_free(branch);
    records_fini(&records);
}

static void a_split_part_stands_alone(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct ledger *ledger = ledger_new(1, NULL);
    struct ledger_partition *partition = ledger_assign(ledger, "orders", 0);
    struct batch *batch = records_batch(&records);
    for (unsigned i = 0; i < 10; i++) {
        char text[16];
        snprintf(text, sizeof text, "value %u", i);
        struct record *record = records_add(batch, i % 2 == 0 ? NULL : "", i == 7 ? NULL : text);
        if (i == 8)
            records_header(batch, record, "h", "1");
    }
    batch->entered = 42;
    batch->cut = 6;
    assert_int_equal(ledger_issue(partition, batch), STATUS_OK);
    struct batch *rest = batch_split(batch, batch->cut);
    assert_int_equal(batch->count, 6);
    assert_int_equal(batch->cut, 0);
    assert_int_equal(rest->count, 4);
    assert_int_equal(rest->entered, 42);
    ticket_settle(batch->ticket, 0, 6, VERDICT_STORED);
    batch_free(batch); /* what it held is used again and written over */
    struct batch *again = records_batch(&records);
    memset(arena_text(&again->arena, 60000), 0xee, 60000);
    assert_true(bytes_equal(rest->records[0].value, bytes_of_string("value 6")));
    assert_int_equal(rest->records[0].offset, 6);
    assert_int_equal(rest->records[0].index, 6); /* in the ticket, which is the same */
    assert_null(rest->records[0].key.data);
    assert_non_null(rest->records[1].key.data);
    assert_null(rest->records[1].value.data);
    assert_true(rest->records[2].headers.size > 0);
    ticket_settle(rest->ticket, 6, 4, VERDICT_STORED);
    assert_int_equal(ledger_committable(partition), 10);
    batch_free(again);
    batch_free(rest);
    ledger_free(ledger); /* asserts that all tickets are back */
    records_fini(&records);
}

static void abandoning_gives_up_what_has_no_verdict(void **state)
{
    (void)state;
    struct records records;
    struct ledger_counts counts;
    records_init(&records);
    struct ledger *ledger = ledger_new(1, NULL);
    struct ledger_partition *partition = ledger_assign(ledger, "orders", 0);
    struct batch *batch = records_batch(&records);
    for (unsigned i = 0; i < 4; i++)
        records_add(batch, NULL, "x");
    assert_int_equal(ledger_issue(partition, batch), STATUS_OK);
    ticket_settle(batch->ticket, 1, 1, VERDICT_STORED);
    batch->records[1].answer = STAGE_SETTLED;
    batch_drop(&batch->records[2]); /* said, but not settled */
    batch_abandon(batch);
    ledger_get_counts(ledger, &counts);
    assert_int_equal(counts.abandoned, 3);
    assert_int_equal(counts.in_flight, 0);
    ledger_free(ledger);
    records_fini(&records);
}

static void nothing_is_fine_to_free(void **state)
{
    (void)state;
    batch_free(NULL);
    batch_abandon(NULL);
    batch_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_record_is_zeroed_also_in_a_recycled_batch),
        cmocka_unit_test(a_batch_that_comes_back_is_used_again),
        cmocka_unit_test(no_more_are_kept_than_the_pool_may),
        cmocka_unit_test(each_passes_over_what_goes_no_further),
        cmocka_unit_test(an_answer_says_why),
        cmocka_unit_test(a_long_message_is_cut_between_two_characters),
        cmocka_unit_test(branches_answer_each_for_itself_and_share_the_bytes),
        cmocka_unit_test(a_branch_weighs_what_it_keeps_alive),
        cmocka_unit_test(a_split_part_stands_alone),
        cmocka_unit_test(abandoning_gives_up_what_has_no_verdict),
        cmocka_unit_test(nothing_is_fine_to_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
