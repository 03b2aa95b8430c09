/* The store as the framework runs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"

enum { FLUSH_RECORDS = 400 };

/* The offsets are the store's: it says where it stands. */
static void keep_offsets(struct subject *subject)
{
    struct storage *storage = &subject->storage;
    const struct stored *stored = &subject->stored;
    struct offset_start start = {.topic = CONFORMANCE_TOPIC, .partition = 0, .offset = -1};
    struct error error = {0};
    ledger_keep_in_store(storage->ledger);
    storage->config.exactly_once = true;
    storage->config.ledger = storage->ledger;
    if (stored->type->offsets->read == NULL)
        return; /* the source starts where it is, and moves from there */
    if (stored->type->offsets->read(parsed_config(stored->parsed), &stored->env, &start, 1, storage->context, &error) !=
        STATUS_OK)
        fail_msg("read: %s", error.text);
    ledger_set_stored(storage->partition, start.offset);
}

void subject_set_up(struct subject *subject)
{
    struct storage *storage = &subject->storage;
    storage_init(storage);
    if (subject->wishes.exactly_once)
        keep_offsets(subject);
    storage->config.type = subject->stored.type;
    storage->config.config = parsed_config(subject->stored.parsed);
    storage->config.env = &subject->stored.env;
    storage->config.flush_records = FLUSH_RECORDS;
    storage->config.flush_interval = 50 * CLOCK_MS;
    storage->config.backoff_least = 20 * CLOCK_MS;
    storage->config.backoff_most = 200 * CLOCK_MS;
}

void subject_start(struct subject *subject)
{
    subject_set_up(subject);
    storage_start(&subject->storage);
}

void subject_push_batch(struct subject *subject, struct batch *batch)
{
    struct storage *storage = &subject->storage;
    batch->entered = clock_now();
    assert_int_equal(ledger_issue(storage->partition, batch), STATUS_OK);
    assert_int_equal(queue_push(storage->input, batch, storage->context), STATUS_OK);
}

void subject_push(struct subject *subject, int64_t from, unsigned count)
{
    subject_push_batch(subject, conformance_batch(&subject->storage.records, from, count));
}

void subject_finish(struct subject *subject)
{
    storage_finish(&subject->storage);
    storage_fini(&subject->storage);
}

struct waiting {
    struct subject *subject;
    uint64_t records;
};

void subject_abort(struct subject *subject)
{
    struct storage *storage = &subject->storage;
    struct error error = {0};
    context_cancel(group_context(storage->group));
    enum status status = group_wait(storage->group, &error);
    if (status == STATUS_FAILED)
        fail_msg("it failed when it was cancelled: %s", error.text);
    ledger_revoke(storage->partition);
    storage_fini(storage);
}

static bool has_failed(const struct subject *subject)
{
    return context_status(group_context(subject->storage.group)) != STATUS_OK;
}

static bool is_done_or_failed(void *arg)
{
    const struct waiting *waiting = arg;
    return has_failed(waiting->subject) || storage_counts(&waiting->subject->storage).stored >= waiting->records;
}

/* What the supervisor does after ERROR_RESTART: all anew, from the offset that the store has. */
static void begin_anew(struct subject *subject, int64_t records)
{
    struct storage *storage = &subject->storage;
    struct error error = storage_fail(storage);
    if (error.class != ERROR_RESTART)
        fail_msg("%s: %s", error_class_name(error.class), error.text);
    print_message("built anew: %s\n", error.text);
    ledger_revoke(storage->partition);
    storage_fini(storage);
    subject_set_up(subject);
    int64_t from = conformance_offset(subject, CONFORMANCE_TOPIC, 0);
    for (from = from < 0 ? 0 : from; from < records; from += FLUSH_RECORDS)
        subject_push(subject, from, records - from < FLUSH_RECORDS ? (unsigned)(records - from) : FLUSH_RECORDS);
    storage_start(storage);
}

void subject_finish_exactly(struct subject *subject, int64_t records)
{
    int64_t first = 0;
    for (int tries = 0;; tries++) {
        struct waiting waiting = {subject, (uint64_t)(records - first)};
        assert_true(eventually(is_done_or_failed, &waiting));
        if (!has_failed(subject))
            break;
        assert_true(tries < 5);
        begin_anew(subject, records);
        first = records - (int64_t)storage_counts(&subject->storage).issued;
    }
    subject_finish(subject);
}

int64_t subject_retries(struct subject *subject)
{
    return storage_counter(&subject->storage, "weir_retries_total");
}
