/* Stores that a test makes for itself: with a bug, or with an answer that the one in memory does not give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "tests/support/storage.h"

struct odd_store {
    enum status flush_status;
    enum error_class class;
    bool reject_when_acked;
    struct batch *batch;
    unsigned flushes, closes;
};

static enum status odd_open(const void *config, const struct connector_env *env, struct context *context, void **ret,
                            struct error *error)
{
    (void)env;
    (void)context;
    (void)error;
    *ret = (void *)config;
    return STATUS_OK;
}

static enum status odd_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    (void)context;
    (void)error;
    struct odd_store *odd = arg;
    odd->batch = batch;
    return STATUS_OK;
}

static enum status odd_flush(void *arg, struct context *context, struct error *error)
{
    (void)context;
    struct odd_store *odd = arg;
    odd->flushes++;
    return odd->flush_status == STATUS_FAILED ? error_set(error, odd->class, "something is wrong") : odd->flush_status;
}

static unsigned odd_acked(void *arg)
{
    struct odd_store *odd = arg;
    if (!odd->reject_when_acked || odd->batch == NULL)
        return 0;
    batch_reject(odd->batch, &odd->batch->records[0], "size", "the broker does not take it");
    odd->batch = NULL;
    return 1;
}

/* It pointed into the batch all the time: it must be there until here. */
static void odd_close(void *arg)
{
    struct odd_store *odd = arg;
    odd->closes++;
    CHECK(odd->batch == NULL || odd->batch->records[0].value.data[0] == 'v');
}

static const struct store_type odd_type = {
    .name = "odd", .open = odd_open, .write = odd_write, .flush = odd_flush, .close = odd_close};
static const struct store_type odd_acking_type = {
    .name = "odd", .open = odd_open, .write = odd_write, .flush = odd_flush, .acked = odd_acked, .close = odd_close};

/* A store that does not take the record with offset 0, or 1, while it is away. */
struct picky_store {
    _Atomic bool away[2];
    _Atomic unsigned attempts[2];
};

static enum status picky_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    (void)context;
    struct picky_store *picky = arg;
    int64_t offset = batch->records[0].offset;
    picky->attempts[offset]++;
    return picky->away[offset] ? error_set(error, ERROR_TRANSIENT, "away") : STATUS_OK;
}

static enum status picky_flush(void *arg, struct context *context, struct error *error)
{
    (void)arg;
    (void)error;
    return context_status(context);
}

static void picky_close(void *arg)
{
    (void)arg;
}

static bool both_were_tried(void *arg)
{
    struct picky_store *picky = arg;
    return picky->attempts[0] > 1 && picky->attempts[1] > 1;
}

static void one_worker_that_works_again_does_not_speak_for_the_others(void **state)
{
    (void)state;
    static const struct store_type type = {
        .name = "picky", .open = odd_open, .write = picky_write, .flush = picky_flush, .close = picky_close};
    struct storage s;
    struct picky_store picky = {.away = {true, true}};
    storage_init(&s);
    s.config.workers = 2;
    s.config.type = &type;
    s.config.config = &picky;
    storage_start(&s);
    storage_push(&s, 1);
    storage_push(&s, 1);
    storing_urge(s.storing);
    assert_true(eventually(both_were_tried, &picky));
    picky.away[1] = false;
    assert_true(storage_wait_settled(&s, 1));
    assert_false(health_ready(s.health, NULL, 0));
    picky.away[0] = false;
    assert_true(storage_wait_settled(&s, 2));
    assert_true(storage_wait_ready(&s, true));
    storage_finish(&s);
    storage_fini(&s);
}

static void start_odd(struct storage *s, const struct store_type *type, struct odd_store *odd)
{
    storage_init(s);
    s->config.type = type;
    s->config.config = odd;
    s->config.flush_records = 1;
    storage_start(s);
    storage_push(s, 3);
}

/* It was an endless loop. */
static void a_flush_that_blames_a_record_and_names_none_is_fatal(void **state)
{
    (void)state;
    struct storage s;
    struct odd_store odd = {.flush_status = STATUS_FAILED, .class = ERROR_RECORD};
    start_odd(&s, &odd_type, &odd);
    struct error error = storage_fail(&s);
    assert_int_equal(error.class, ERROR_FATAL);
    assert_int_equal(odd.flushes, 1);
    storage_fini(&s);
}

/* Its worker would end without a word, and its records would be waited for for ever. */
static void a_store_that_gives_up_though_nobody_asked_ends_the_group(void **state)
{
    (void)state;
    static const enum status statuses[] = {STATUS_CANCELLED, STATUS_DEADLINE, STATUS_NO_MEMORY};
    for (unsigned i = 0; i < 3; i++) {
        struct storage s;
        struct odd_store odd = {.flush_status = statuses[i]};
        start_odd(&s, &odd_type, &odd);
        struct error error = storage_fail(&s);
        assert_int_equal(error.class, ERROR_RESTART);
        assert_non_null(strstr(error.text, status_name(statuses[i])));
        assert_int_equal(odd.closes, 1);
        storage_fini(&s);
    }
}

static void a_dead_letter_that_fails_after_an_acknowledgement_is_not_passed_over(void **state)
{
    (void)state;
    struct storage s;
    struct odd_store odd = {.reject_when_acked = true};
    storage_init(&s);
    memory_letters_fail(s.broker, ERROR_RESTART);
    s.config.type = &odd_acking_type;
    s.config.config = &odd;
    storage_start(&s);
    storage_push(&s, 3);
    struct error error = storage_fail(&s);
    assert_int_equal(error.class, ERROR_RESTART);
    assert_non_null(strstr(error.text, "dead letter"));
    assert_int_equal(storage_counts(&s).dead_lettered, 0);
    assert_int_equal(ledger_committable(s.partition), -1);
    storage_fini(&s);
}

static enum status odd_write_and_reject(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    enum status status = odd_write(arg, batch, context, error);
    batch_reject(batch, &batch->records[1], "size", "too big");
    return status;
}

static void the_store_may_point_into_a_batch_until_it_is_closed(void **state)
{
    (void)state;
    static const struct store_type type = {
        .name = "odd", .open = odd_open, .write = odd_write_and_reject, .flush = odd_flush, .close = odd_close};
    struct storage s;
    struct odd_store odd = {0};
    storage_init(&s);
    memory_letters_hold(s.broker, 0); /* the write of the dead letter waits */
    s.config.type = &type;
    s.config.config = &odd;
    storage_start(&s);
    storage_push(&s, 3);
    assert_true(memory_letters_wait_blocked(s.broker));
    context_cancel(s.context);
    assert_int_equal(group_wait(s.group, NULL), STATUS_OK);
    assert_int_equal(odd.closes, 1);
    storage_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_worker_that_works_again_does_not_speak_for_the_others),
        cmocka_unit_test(a_flush_that_blames_a_record_and_names_none_is_fatal),
        cmocka_unit_test(a_store_that_gives_up_though_nobody_asked_ends_the_group),
        cmocka_unit_test(a_dead_letter_that_fails_after_an_acknowledgement_is_not_passed_over),
        cmocka_unit_test(the_store_may_point_into_a_batch_until_it_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
