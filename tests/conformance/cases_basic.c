/* What a store does when nothing goes wrong but what it was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "config/probe.h"
#include "tests/conformance/conformance.h"
#include "tests/support/counted.h"

void case_connects(struct subject *subject)
{
    subject_must_open(subject);
    stored_close(&subject->stored);
    if (subject->proxy == NULL)
        return;
    assert_true(proxy_count(subject->proxy, PROXY_ACCEPTED) > 0);
    assert_true(proxy_wait_closed(subject->proxy));
    /* Nobody there: that passes, and is told within a time that one can wait for. */
    proxy_refuse(subject->proxy);
    int64_t began = clock_now();
    assert_int_equal(subject_open(subject, 60 * CLOCK_SECOND), STATUS_FAILED);
    assert_int_equal(subject->stored.error.class, ERROR_TRANSIENT);
    assert_string_not_equal(subject->stored.error.text, "");
    assert_true(clock_now() - began < 20 * CLOCK_SECOND);
    proxy_pass(subject->proxy);
    subject_put_surely(subject, 0, 10);
    subject_assert_stored(subject, 10, 0);
}

void case_mistakes(struct subject *subject)
{
    const struct conformance_mistake *mistake = subject->store->mistakes;
    unsigned count = 0;
    for (; mistake->yaml != NULL; mistake++, count++) {
        char place[64];
        struct parsed *parsed = parsed_new(subject->stored.type->config, mistake->yaml);
        const char *report = parsed_report(parsed);
        snprintf(place, sizeof place, "test.yaml:%s:", mistake->place);
        if (parsed_config(parsed) != NULL)
            fail_msg("taken for good: %s", mistake->yaml);
        if (strstr(report, place) == NULL || strstr(report, mistake->words) == NULL)
            fail_msg("expected \"%s\" at %s in:\n%s", mistake->words, place, report);
        parsed_free(parsed);
    }
    assert_true(count >= 3);
}

void case_unfit(struct subject *subject)
{
    const char *words = subject->store->make_unfit(subject);
    assert_int_equal(subject_open(subject, 60 * CLOCK_SECOND), STATUS_FAILED);
    if (strstr(subject->stored.error.text, words) == NULL)
        fail_msg("expected \"%s\" in: %s", words, subject->stored.error.text);
}

/* `weir check --live` looks and changes nothing. */
void case_probe(struct subject *subject)
{
    struct stored *stored = &subject->stored;
    struct probe probe = {.report = config_report_new("test.yaml", "", 0)};
    uint64_t threads = count_threads();
    stored->env.probe = &probe;
    assert_int_equal(subject_open(subject, 20 * CLOCK_SECOND), STATUS_OK);
    stored_close(stored);
    assert_int_equal(probe.wrong + probe.unreachable, 0);
    assert_int_equal(count_threads(), threads);
    /* A target that was looked at can still be made unfit: nothing is there yet. */
    if (subject->store->make_unfit != NULL) {
        subject->store->make_unfit(subject);
        enum status status = subject_open(subject, 20 * CLOCK_SECOND);
        stored_close(stored);
        assert_true(status == STATUS_FAILED || probe.wrong > 0);
    }
    if (subject->proxy != NULL) {
        probe = (struct probe){.report = probe.report};
        proxy_refuse(subject->proxy);
        enum status status = subject_open(subject, 2 * CLOCK_SECOND);
        stored_close(stored);
        assert_true((status == STATUS_FAILED && stored->error.class == ERROR_TRANSIENT) || status == STATUS_DEADLINE ||
                    probe.unreachable > 0);
    }
    stored->env.probe = NULL;
    config_report_free(probe.report);
}

/* Each record has an answer already, or gets one, and only those that go forward are stored. */
void case_batch(struct subject *subject)
{
    enum { COUNT = 1000 };
    struct stored *stored = &subject->stored;
    struct tally tally;
    subject_must_open(subject);
    struct batch *batch = conformance_batch(&stored->records, 0, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        if (i % 5 == 1)
            batch_drop(&batch->records[i]);
        else if (i % 5 == 3)
            batch_reject(batch, &batch->records[i], "before", "by a stage before the store");
        else if (i % 50 == 4)
            batch->records[i].answer = STAGE_SETTLED;
    }
    struct batch *empty = records_batch(&stored->records);
    assert_int_equal(stored_flush(stored), STATUS_OK);
    assert_int_equal(stored_write(stored, empty), STATUS_OK);
    if (stored_write(stored, batch) != STATUS_OK || stored_flush(stored) != STATUS_OK)
        fail_msg("write or flush: %s", stored->error.text);
    assert_int_equal(stored_flush(stored), STATUS_OK);
    subject_tally(subject, COUNT, &tally);
    for (unsigned i = 0; i < COUNT; i++) {
        enum stage_answer expected = i % 5 == 1    ? STAGE_DROP
                                     : i % 5 == 3  ? STAGE_REJECT
                                     : i % 50 == 4 ? STAGE_SETTLED
                                                   : STAGE_FORWARD;
        assert_int_equal(batch->records[i].answer, expected);
        assert_int_equal(tally.times[i], expected == STAGE_FORWARD);
    }
    assert_int_equal(tally.corrupt + tally.spurious + tally.inversions, 0);
    tally_fini(&tally);
    batch_free(batch);
    batch_free(empty);
}

static struct batch *batch_with_bad_rows(struct subject *subject, int64_t from, const bool *bad, unsigned *kind)
{
    struct batch *batch = records_batch(&subject->storage.records);
    for (unsigned i = 0; i < 1000; i++) {
        if (bad[i])
            subject->store->add_bad(subject, batch, (*kind)++)->offset = from + i;
        else
            conformance_add(batch, from + i);
    }
    return batch;
}

/* One in the first thousand; the first, the last and two neighbours in the second; none in the third. */
void case_bad_rows(struct subject *subject)
{
    enum { COUNT = 3000, BAD = 5 };
    static const int64_t bad_ids[BAD] = {500, 1000, 1300, 1301, 1999};
    bool bad[COUNT] = {false};
    struct tally tally;
    unsigned kind = 0;
    for (unsigned i = 0; i < BAD; i++)
        bad[bad_ids[i]] = true;
    /* Makes what it needs; add_bad may change that. */
    subject_must_open(subject);
    stored_close(&subject->stored);
    subject_start(subject);
    for (int64_t from = 0; from < COUNT; from += 1000)
        subject_push_batch(subject, batch_with_bad_rows(subject, from, bad + from, &kind));
    assert_true(storage_wait_settled(&subject->storage, COUNT));
    struct ledger_counts counts = storage_counts(&subject->storage);
    assert_int_equal(counts.dead_lettered, BAD);
    assert_int_equal(counts.stored, COUNT - BAD);
    assert_int_equal(memory_letters_count(subject->storage.broker), BAD);
    for (unsigned i = 0; i < BAD; i++) {
        struct memory_letter letter = memory_letters_get(subject->storage.broker, i);
        assert_in_range(letter.offset, 0, COUNT - 1);
        assert_true(bad[letter.offset]);
        bad[letter.offset] = false;
        assert_string_not_equal(letter.class, "");
        assert_string_not_equal(letter.message, "");
    }
    subject_finish(subject);
    subject_tally(subject, COUNT, &tally);
    for (unsigned i = 0; i < BAD; i++)
        tally_excuse(&tally, bad_ids[i]);
    assert_int_equal(tally_missing(&tally), 0);
    assert_int_equal(tally_twice(&tally), 0);
    assert_int_equal(tally.corrupt + tally.spurious + tally.inversions, 0);
    tally_fini(&tally);
}
