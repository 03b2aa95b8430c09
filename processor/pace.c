#include "processor/pace.h"

#include <math.h>

#include "processor/clock.h"

/* Let through in one go: what comes in so long. Less would wake the caller for every record, more would come in bursts. */
static const double GO = 0.02;
/* What was not used is kept for so long: a caller that came late catches up, but an hour's stop brings no flood. */
static const double KEEP = 0.2;

void pace_init(struct pace *pace, double rate, double speed, int64_t first_time)
{
    *pace = (struct pace){.rate = rate, .speed = speed, .first = first_time};
}

static double at_least_one(double records)
{
    return records > 1 ? records : 1;
}

unsigned pace_room(struct pace *pace, unsigned wanted, int64_t now, int64_t *ret_when)
{
    if (pace->rate <= 0 || wanted == 0)
        return wanted;
    double go = fmin(at_least_one(pace->rate * GO), wanted);
    if (pace->counted == 0)
        pace->credit = go;
    else if (now > pace->counted)
        pace->credit = fmin(pace->credit + pace->rate * (double)(now - pace->counted) / (double)CLOCK_SECOND,
                            at_least_one(pace->rate * KEEP));
    if (pace->counted < now)
        pace->counted = now;
    /* Sums of fractions fall short of whole records by less than this. */
    double credit = pace->credit + 1e-6;
    if (credit >= go)
        return credit < wanted ? (unsigned)credit : wanted;
    double wait = ceil((go - pace->credit) / pace->rate * (double)CLOCK_SECOND);
    *ret_when = wait < (double)(CLOCK_NEVER - now) ? now + (int64_t)wait : CLOCK_NEVER;
    return 0;
}

void pace_took(struct pace *pace, unsigned count)
{
    pace->credit -= count;
}

int64_t pace_due(struct pace *pace, int64_t timestamp, int64_t now)
{
    if (pace->speed <= 0 || timestamp < 0)
        return 0;
    if (pace->began == 0) {
        pace->began = now;
        pace->first = pace->first >= 0 ? pace->first : timestamp;
    }
    double wait = (double)(timestamp - pace->first) * (double)CLOCK_MS / pace->speed;
    if (wait <= (double)(now - pace->began))
        return 0;
    return wait < (double)(CLOCK_NEVER - pace->began) ? pace->began + (int64_t)wait : CLOCK_NEVER;
}
