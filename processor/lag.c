#include "processor/lag.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/clock.h"

/* -- the report -- */

static int compare(const struct lag_partition *partition, const char *topic, int32_t number)
{
    int order = strcmp(partition->topic, topic);
    if (order != 0)
        return order;
    return (partition->partition > number) - (partition->partition < number);
}

/* Where the partition is, or belongs. */
static unsigned place_of(const struct lag_report *report, const char *topic, int32_t number)
{
    unsigned low = 0, high = report->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (compare(&report->partitions[middle], topic, number) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The items with room for one more than `count`, perhaps elsewhere. NULL: no memory, and they stay where they are. */
static void *with_room(void *items, unsigned count, unsigned *room, size_t size)
{
    if (count < *room)
        return items;
    unsigned more = *room == 0 ? 16 : *room * 2;
    void *grown = realloc(items, more * size);
    if (grown != NULL)
        *room = more;
    return grown;
}

static enum status insert(struct lag_report *report, unsigned at, const char *topic, int32_t number)
{
    struct lag_partition *partition = with_room(report->partitions, report->count, &report->room, sizeof *partition);
    if (partition == NULL)
        return STATUS_NO_MEMORY;
    report->partitions = partition;
    char *name = strdup(topic);
    if (name == NULL)
        return STATUS_NO_MEMORY;
    partition += at;
    memmove(partition + 1, partition, (report->count - at) * sizeof *partition);
    *partition = (struct lag_partition){.topic = name, .partition = number};
    report->count++;
    return STATUS_OK;
}

static int64_t lag_of(const struct lag_sample *sample)
{
    return sample->end > sample->position ? sample->end - sample->position : 0;
}

static void note_change(struct lag_partition *partition, const struct lag_sample *sample)
{
    const struct lag_sample *before = &partition->latest;
    if (sample->committed < before->committed && before->committed - sample->committed > partition->went_back)
        partition->went_back = before->committed - sample->committed;
    /* Where nothing is committed the log's beginning is the position: that it moves is the broker's doing. */
    if (sample->committed != before->committed)
        partition->moved_at = sample->at;
    if (lag_of(sample) < lag_of(before) && sample->committed != before->committed)
        partition->shrank = true;
}

enum status lag_add(struct lag_report *report, const char *topic, int32_t number, const struct lag_sample *sample)
{
    unsigned at = place_of(report, topic, number);
    if (at == report->count || compare(&report->partitions[at], topic, number) != 0) {
        enum status status = insert(report, at, topic, number);
        if (status != STATUS_OK)
            return status;
    }
    struct lag_partition *partition = &report->partitions[at];
    if (partition->samples++ == 0) {
        partition->first = *sample;
        partition->moved_at = sample->at;
    } else {
        note_change(partition, sample);
    }
    partition->latest = *sample;
    partition->caught_up = partition->caught_up || lag_of(sample) == 0;
    partition->nothing_there = false;
    partition->oldest = -1;
    return STATUS_OK;
}

enum status lag_add_problem(struct lag_report *report, const char *topic, const char *format, ...)
{
    va_list args;
    struct lag_problem *problem = with_room(report->problems, report->problem_count, &report->problem_room,
                                            sizeof *problem);
    if (problem == NULL)
        return STATUS_NO_MEMORY;
    report->problems = problem;
    problem += report->problem_count;
    *problem = (struct lag_problem){.topic = topic != NULL ? strdup(topic) : NULL};
    if (topic != NULL && problem->topic == NULL)
        return STATUS_NO_MEMORY;
    va_start(args, format);
    vsnprintf(problem->text, sizeof problem->text, format, args);
    va_end(args);
    report->problem_count++;
    return STATUS_OK;
}

void lag_clear_problems(struct lag_report *report)
{
    for (unsigned i = 0; i < report->problem_count; i++)
        free(report->problems[i].topic);
    report->problem_count = 0;
}

void lag_fini(struct lag_report *report)
{
    lag_clear_problems(report);
    for (unsigned i = 0; i < report->count; i++)
        free(report->partitions[i].topic);
    free(report->partitions);
    free(report->problems);
    *report = (struct lag_report){0};
}

/* -- judging -- */

int64_t lag_records(const struct lag_partition *partition)
{
    return partition->nothing_there ? 0 : lag_of(&partition->latest);
}

int64_t lag_age(const struct lag_partition *partition, int64_t now_wall_ms)
{
    if (partition->oldest < 0 || lag_records(partition) == 0)
        return -1;
    /* Timestamps are another clock's, or what the producer likes. */
    return now_wall_ms > partition->oldest ? now_wall_ms - partition->oldest : 0;
}

static enum lag_state __attribute__((format(printf, 3, 4)))
because(char reason[LAG_REASON_MAX], enum lag_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, LAG_REASON_MAX, format, args);
    va_end(args);
    return state;
}

static double seconds(int64_t ns)
{
    return (double)ns / (double)CLOCK_SECOND;
}

/* It has not moved, or not for long. */
static bool stands_still(const struct lag_partition *partition)
{
    int64_t moving = partition->moved_at - partition->first.at, standing = partition->latest.at - partition->moved_at;
    return partition->samples > 1 && standing > moving;
}

static enum lag_state judge_standing(const struct lag_partition *partition, char reason[LAG_REASON_MAX])
{
    const struct lag_sample *latest = &partition->latest;
    static const char *const OWNERS[] = {
        [LAG_OWNER_UNKNOWN] = "the group does not say who has it",
        [LAG_OWNER_NONE] = "no member of the group has it",
        [LAG_OWNER_MEMBER] = "a member has it",
        [LAG_OWNER_STATIC] = "a static member has it, or stopped less than its session timeout ago",
    };
    const char *what = latest->committed < 0 ? "nothing was committed yet" : "the committed offset does not move";
    double standing = seconds(latest->at - partition->moved_at);
    bool nobody = latest->owner == LAG_OWNER_NONE;
    return because(reason, nobody ? LAG_STOP : LAG_STALL, "%s%s %s (for %.0f s now)", OWNERS[latest->owner],
                   nobody ? ";" : ":", what, standing);
}

static enum lag_state judge_once(const struct lag_partition *partition, char reason[LAG_REASON_MAX])
{
    const struct lag_sample *latest = &partition->latest;
    const char *nothing = latest->committed < 0 ? "; nothing was committed yet" : "";
    if (latest->owner == LAG_OWNER_NONE)
        return because(reason, LAG_STOP, "no member of the group has it%s", nothing);
    return because(reason, LAG_UNKNOWN, "it is behind; one look does not tell whether it moves%s", nothing);
}

/* True: the offset itself is odd, whatever the lag. */
static bool is_odd(const struct lag_partition *partition, char reason[LAG_REASON_MAX])
{
    const struct lag_sample *latest = &partition->latest;
    if (latest->committed >= 0 && latest->committed < latest->low)
        (void)because(reason, LAG_WARN,
                      "offsets %" PRId64 " to %" PRId64 " were never consumed, and the log does not have them any more",
                      latest->committed, latest->low - 1);
    else if (latest->committed > latest->end)
        (void)because(reason, LAG_WARN,
                      "the committed offset is behind the end of the log, which was cut off or made anew");
    else if (partition->went_back > 0)
        (void)because(reason, LAG_WARN, "the committed offset went back by %" PRId64, partition->went_back);
    else
        return false;
    return true;
}

enum lag_state lag_judge(const struct lag_partition *partition, char reason[LAG_REASON_MAX])
{
    int64_t lag = lag_records(partition);
    bool behind = lag > 0 && !partition->caught_up;
    /* The worst first. */
    if (behind && partition->samples == 1 && partition->latest.owner == LAG_OWNER_NONE)
        return judge_once(partition, reason);
    if (behind && partition->went_back == 0 && stands_still(partition))
        return judge_standing(partition, reason);
    if (is_odd(partition, reason))
        return LAG_WARN;
    if (partition->nothing_there)
        return because(reason, LAG_OK, "caught up: what is left are no records");
    if (lag == 0)
        return because(reason, LAG_OK,
                       partition->latest.end == partition->latest.low ? "caught up: it is empty" : "caught up");
    if (partition->caught_up)
        return because(reason, LAG_OK, "it had caught up meanwhile");
    if (partition->samples == 1)
        return judge_once(partition, reason);
    if (!partition->shrank)
        return because(reason, LAG_WARN, "it moves, but the lag does not shrink: %" PRId64 " at the first look",
                       lag_of(&partition->first));
    return because(reason, LAG_OK, "it is behind and moves on: %" PRId64 " at the first look",
                   lag_of(&partition->first));
}

const char *lag_state_name(enum lag_state state)
{
    static const char *const NAMES[] = {"OK", "UNKNOWN", "WARN", "STALL", "STOP"};
    return NAMES[state];
}
