/* Exactly once: where a partition starts says the store. */
#include "processor/backoff.h"
#include "processor/connector.h"
#include "processor/health.h"
#include "processor/intake_state.h"
#include "processor/log.h"

#define LOOK (100 * CLOCK_MS)
#define BACKOFF_LEAST (100 * CLOCK_MS)
#define BACKOFF_MOST (5 * CLOCK_SECOND)

/* STATUS_CLOSED: a drain began. */
static enum status wait_for_turn(struct intake *intake, struct context *context, int64_t ns)
{
    int64_t until = clock_now() + ns;
    enum status status = context_status(context);
    while (status == STATUS_OK && !intake_draining(intake) && clock_now() < until)
        status = context_sleep(context, LOOK);
    return status == STATUS_OK && intake_draining(intake) ? STATUS_CLOSED : status;
}

enum status intake_find_starts(struct intake *intake, struct offset_start *starts, unsigned count,
                               struct context *context, int64_t until, struct error *error)
{
    for (unsigned i = 0; i < count; i++)
        starts[i].offset = -1;
    if (intake->config.find_starts == NULL || count == 0)
        return STATUS_OK;
    struct backoff backoff;
    backoff_init(&backoff, BACKOFF_LEAST, BACKOFF_MOST);
    for (;;) {
        enum status status = intake->config.find_starts(intake->config.find_starts_arg, starts, count, context, error);
        if (status == STATUS_OK && backoff.attempt > 0)
            health_ok(intake->config.health, "offsets");
        if (status != STATUS_FAILED || error->class != ERROR_TRANSIENT || clock_now() >= until)
            return status;
        health_problem(intake->config.health, "offsets", "%s", error->text);
        if (backoff.attempt % 8 == 0)
            log_warn("offsets", "%s; trying again", error->text);
        status = wait_for_turn(intake, context, backoff_next(&backoff));
        if (status != STATUS_OK)
            return status;
    }
}

void intake_set_stored(struct intake_partition *partition, int64_t offset)
{
    ledger_set_stored(partition->ledger, offset);
}

int64_t intake_get_stored(const struct intake_partition *partition)
{
    return ledger_get_stored(partition->ledger);
}

bool intake_commits_elsewhere(const struct intake *intake)
{
    return intake->config.commits_elsewhere;
}
