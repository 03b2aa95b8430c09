#include "cli/letter_filter.h"

#include <inttypes.h>

#include "cli/text.h"
#include "processor/batch.h"
#include "processor/letter_headers.h"

static bool is_wanted(const char *wanted, struct bytes text)
{
    return wanted == NULL || bytes_equal(bytes_of_string(wanted), text);
}

bool letter_filter_takes(const struct record *record, void *arg)
{
    struct letter_filter *filter = arg;
    struct letter_counts *counts = &filter->counts;
    struct letter_headers letter;
    bool any = filter->stage == NULL && filter->class == NULL;
    if (!letter_headers_read(record->headers, &letter)) {
        counts->foreign++;
        return any && !filter->redriven;
    }
    if (!is_wanted(filter->stage, letter.stage) || !is_wanted(filter->class, letter.class)) {
        counts->other++;
        return false;
    }
    if (filter->redriven && letter.truncated >= 0) {
        counts->truncated++;
        return false;
    }
    if (filter->redriven && letter.attempts >= filter->attempts_most) {
        counts->attempts++;
        return false;
    }
    counts->taken++;
    return true;
}

uint64_t letter_counts_passed_over(const struct letter_counts *counts)
{
    return counts->other + counts->attempts + counts->truncated + counts->foreign;
}

void letter_counts_tell(const struct letter_filter *filter, const char *prefix, FILE *out)
{
    const struct letter_counts *counts = &filter->counts;
    uint64_t all = letter_counts_passed_over(counts);
    const char *comma = " (";
    char number[TEXT_MAX];
    if (all == 0)
        return;
    fprintf(out, "%spassed over: %s", prefix, text_count(number, (int64_t)all));
    if (counts->other > 0) {
        fprintf(out, "%s%s of another stage or class", comma, text_count(number, (int64_t)counts->other));
        comma = ", ";
    }
    if (counts->attempts > 0) {
        fprintf(out, "%s%s refused %" PRIu32 " times or more: see --max-attempts", comma,
                text_count(number, (int64_t)counts->attempts), filter->attempts_most);
        comma = ", ";
    }
    if (counts->truncated > 0) {
        fprintf(out, "%s%s with a value that was cut", comma, text_count(number, (int64_t)counts->truncated));
        comma = ", ";
    }
    if (counts->foreign > 0)
        fprintf(out, "%s%s that are no dead letters of weir", comma, text_count(number, (int64_t)counts->foreign));
    fputs("); they stay in the topic\n", out);
}

void letter_counts_json(const struct letter_counts *counts, FILE *out)
{
    fprintf(out,
            "\"matching\": %" PRIu64 ", \"passed_over\": {\"other\": %" PRIu64 ", \"attempts\": %" PRIu64
            ", \"truncated\": %" PRIu64 ", \"foreign\": %" PRIu64 "}",
            counts->taken, counts->other, counts->attempts, counts->truncated, counts->foreign);
}
