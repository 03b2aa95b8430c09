/* Exactly once: the offsets that a store keeps, moved in the transactions that store the records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"

int64_t conformance_offset(struct subject *subject, const char *topic, int32_t partition)
{
    struct stored *stored = &subject->stored;
    if (stored->type->offsets->read == NULL)
        return subject->store->read_offset(subject, topic, partition);
    struct offset_start starts[2] = {{.topic = topic, .partition = partition, .offset = 77},
                                     {.topic = "of nobody", .partition = 3, .offset = 77}};
    if (stored->type->offsets->read(parsed_config(stored->parsed), &stored->env, starts, 2, stored->context,
                                    &stored->error) != STATUS_OK)
        fail_msg("read: %s", stored->error.text);
    assert_int_equal(starts[1].offset, -1);
    return starts[0].offset;
}

static enum status move_to(struct subject *subject, void *store, int64_t from, int64_t to)
{
    struct stored *stored = &subject->stored;
    const struct offset_move move = {.topic = CONFORMANCE_TOPIC, .partition = 0, .from = from, .to = to};
    return stored->type->offsets->move(store, &move, 1, stored->context, &stored->error);
}

static enum status flush(struct subject *subject, void *store)
{
    return subject->stored.type->flush(store, subject->stored.context, &subject->stored.error);
}

/* Records `first` to `to - 1`, and the offset from `from` to `to`. */
static enum status try_store(struct subject *subject, void *store, int64_t first, int64_t from, int64_t to)
{
    struct stored *stored = &subject->stored;
    struct batch *batch = conformance_batch(&stored->records, first, (unsigned)(to - first));
    enum status status = stored->type->write(store, batch, stored->context, &stored->error);
    if (status == STATUS_OK)
        status = move_to(subject, store, from, to);
    if (status == STATUS_OK)
        status = flush(subject, store);
    if (status != STATUS_OK)
        stored->type->offsets->discard(store);
    batch_free(batch);
    return status;
}

static void must_store(struct subject *subject, int64_t first, int64_t from, int64_t to)
{
    if (subject->stored.store == NULL)
        subject_must_open(subject);
    if (try_store(subject, subject->stored.store, first, from, to) != STATUS_OK)
        fail_msg("%s", subject->stored.error.text);
}

void case_offsets_read(struct subject *subject)
{
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), -1);
    must_store(subject, 0, -1, 100);
    /* Also while it is open, and by whoever comes later. */
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 100);
    must_store(subject, 100, 100, 250);
    stored_close(&subject->stored);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 250);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 1), -1);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_OTHER_TOPIC, 0), -1);
    if (subject->stored.type->offsets->read != NULL) {
        subject->stored.env.service = "another";
        assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), -1);
        subject->stored.env.service = subject->name;
    }
    subject_assert_stored(subject, 250, 0);
}

void case_offsets_move(struct subject *subject)
{
    struct stored *stored = &subject->stored;
    const struct offset_move moves[] = {{CONFORMANCE_TOPIC, 0, -1, 50},
                                        {CONFORMANCE_TOPIC, 1, -1, 7},
                                        {CONFORMANCE_TOPIC, 12, -1, INT64_C(5000000000)},
                                        {CONFORMANCE_OTHER_TOPIC, 0, -1, 1}};
    enum { MOVES = sizeof moves / sizeof moves[0] };
    subject_must_open(subject);
    struct batch *batch = conformance_batch(&stored->records, 0, 50);
    assert_int_equal(stored_write(stored, batch), STATUS_OK);
    assert_int_equal(stored->type->offsets->move(stored->store, moves, MOVES, stored->context, &stored->error),
                     STATUS_OK);
    /* Nothing of it is there before the flush. (A group's offset in a transaction is waited for by whoever asks.) */
    if (stored->type->offsets->read != NULL)
        assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), -1);
    assert_int_equal(stored_flush(stored), STATUS_OK);
    batch_free(batch);
    for (int i = 0; i < MOVES; i++)
        assert_int_equal(conformance_offset(subject, moves[i].topic, moves[i].partition), moves[i].to);
    subject_assert_stored(subject, 50, 0);
}

/* All records were dropped by a rule: the offset moves without any. */
void case_offsets_alone(struct subject *subject)
{
    subject_must_open(subject);
    void *store = subject->stored.store;
    assert_int_equal(move_to(subject, store, -1, 10), STATUS_OK);
    assert_int_equal(flush(subject, store), STATUS_OK);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 10);
    assert_int_equal(move_to(subject, store, 10, 20), STATUS_OK);
    assert_int_equal(flush(subject, store), STATUS_OK);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 20);
    assert_int_equal(subject_rows(subject), 0);
}

/* Another one of the same service has moved on meanwhile: nothing of what the first one has is stored. */
void case_offsets_zombie(struct subject *subject)
{
    struct stored *stored = &subject->stored;
    must_store(subject, 0, -1, 100);
    void *zombie = stored->store;
    stored->store = NULL;
    must_store(subject, 100, 100, 200);
    enum status status = try_store(subject, zombie, 100, 100, 150);
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(stored->error.class, ERROR_RESTART);
    assert_string_not_equal(stored->error.text, "");
    /* And as one that thinks it is the first of all. */
    status = try_store(subject, zombie, 0, -1, 50);
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(stored->error.class, ERROR_RESTART);
    stored->type->close(zombie);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 200);
    must_store(subject, 200, 200, 300);
    subject_assert_stored(subject, 300, 0);
}

/* The flush before came through although it seemed to fail. */
void case_offsets_already(struct subject *subject)
{
    must_store(subject, 0, -1, 100);
    must_store(subject, 0, -1, 100);
    must_store(subject, 100, 100, 200);
    must_store(subject, 100, 100, 200);
    stored_close(&subject->stored);
    must_store(subject, 100, 100, 200);
    must_store(subject, 200, 200, 300);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 300);
    subject_assert_stored(subject, 300, 0);
}

void case_offsets_discard(struct subject *subject)
{
    struct stored *stored = &subject->stored;
    subject_must_open(subject);
    stored->type->offsets->discard(stored->store);
    struct batch *batch = conformance_batch(&stored->records, 500, 1500);
    assert_int_equal(stored_write(stored, batch), STATUS_OK);
    stored->type->offsets->discard(stored->store);
    must_store(subject, 0, -1, 100);
    /* Also what was moved already. */
    assert_int_equal(stored_write(stored, batch), STATUS_OK);
    assert_int_equal(move_to(subject, stored->store, 100, 2000), STATUS_OK);
    stored->type->offsets->discard(stored->store);
    assert_int_equal(stored_flush(stored), STATUS_OK);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 100);
    must_store(subject, 100, 100, 200);
    batch_free(batch);
    subject_assert_stored(subject, 200, 0);
}

/* Neither the rows nor the offset. */
void case_offsets_crash(struct subject *subject)
{
    struct stored *stored = &subject->stored;
    must_store(subject, 0, -1, 100);
    struct batch *batch = conformance_batch(&stored->records, 100, 1000);
    assert_int_equal(stored_write(stored, batch), STATUS_OK);
    stored_close(stored);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 100);
    subject_must_open(subject);
    assert_int_equal(stored_write(stored, batch), STATUS_OK);
    assert_int_equal(move_to(subject, stored->store, 100, 1100), STATUS_OK);
    stored_close(stored);
    assert_int_equal(conformance_offset(subject, CONFORMANCE_TOPIC, 0), 100);
    batch_free(batch);
    subject_assert_stored(subject, 100, 0);
    must_store(subject, 100, 100, 200);
    subject_assert_stored(subject, 200, 0);
}

void case_offsets_process_killed(struct subject *subject)
{
    enum { SIZE = 50, ROUNDS = 8 };
    int64_t durable = 0, end = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        durable = end + (int64_t)subject_store_until_killed(subject, 0, SIZE, 1 + 2 * round) * SIZE;
        end = conformance_offset(subject, CONFORMANCE_TOPIC, 0);
        assert_true(end == durable || end == durable + SIZE);
    }
    must_store(subject, end, end, end + 10);
    stored_close(&subject->stored);
    subject_assert_stored(subject, end + 10, 0);
}
