/* Calls of the store, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"
#include "processor/check.h"

enum { TRIES = 200 };

enum status subject_open(struct subject *subject, int64_t deadline)
{
    struct stored *stored = &subject->stored;
    struct context *context = context_new(NULL, deadline == CLOCK_NEVER ? CLOCK_NEVER : clock_now() + deadline);
    enum status status = stored->type->open(parsed_config(stored->parsed), &stored->env, context, &stored->store,
                                            &stored->error);
    context_free(context);
    if (status != STATUS_OK)
        stored->store = NULL;
    return status;
}

static bool passes(const struct subject *subject, enum status status)
{
    return status == STATUS_FAILED && subject->stored.error.class == ERROR_TRANSIENT;
}

static void wait_a_little(struct subject *subject)
{
    assert_int_equal(context_sleep(subject->stored.context, 100 * CLOCK_MS), STATUS_OK);
}

void subject_must_open(struct subject *subject)
{
    enum status status = subject_open(subject, 60 * CLOCK_SECOND);
    for (int i = 0; i < TRIES && passes(subject, status); i++) {
        wait_a_little(subject);
        status = subject_open(subject, 60 * CLOCK_SECOND);
    }
    if (status != STATUS_OK)
        fail_msg("open: %s: %s", status_name(status), subject->stored.error.text);
}

enum status subject_put(struct subject *subject, struct batch *batch, struct context *context)
{
    struct stored *stored = &subject->stored;
    enum status status = stored->type->write(stored->store, batch, context, &stored->error);
    if (status == STATUS_OK)
        status = stored->type->flush(stored->store, context, &stored->error);
    return status;
}

void subject_put_surely(struct subject *subject, int64_t from, unsigned count)
{
    struct context *context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    struct batch *batch = conformance_batch(&subject->stored.records, from, count);
    if (subject->stored.store == NULL)
        subject_must_open(subject);
    enum status status = subject_put(subject, batch, context);
    for (int i = 0; i < TRIES && passes(subject, status); i++) {
        wait_a_little(subject);
        status = subject_put(subject, batch, context);
    }
    if (status != STATUS_OK)
        fail_msg("write or flush: %s: %s", status_name(status), subject->stored.error.text);
    batch_free(batch);
    context_free(context);
}

void subject_assert_passing(const struct subject *subject, enum status status)
{
    if (status != STATUS_DEADLINE && !passes(subject, status))
        fail_msg("expected a failure that passes, or the deadline, found %s (%s: %s)", status_name(status),
                 error_class_name(subject->stored.error.class), subject->stored.error.text);
}

void subject_trouble(struct subject *subject, bool on)
{
    if (subject->store->trouble != NULL)
        subject->store->trouble(subject, on);
    else if (on)
        proxy_refuse(subject->proxy);
    else
        proxy_pass(subject->proxy);
}

void subject_hang(struct subject *subject, bool on)
{
    if (subject->store->hang != NULL)
        subject->store->hang(subject, on);
    else
        proxy_rule(subject->proxy, PROXY_BOTH, (struct proxy_rules){.held = on});
}

static void *call(void *arg)
{
    struct calling *calling = arg;
    calling->status = calling->call(calling->subject, calling->context);
    return NULL;
}

void calling_start(struct calling *calling, struct subject *subject, struct context *context,
                   enum status (*function)(struct subject *subject, struct context *context))
{
    *calling = (struct calling){.subject = subject, .context = context, .call = function};
    CHECK_CALL(pthread_create(&calling->thread, NULL, call, calling));
}

enum status calling_join(struct calling *calling)
{
    CHECK_CALL(pthread_join(calling->thread, NULL));
    return calling->status;
}
