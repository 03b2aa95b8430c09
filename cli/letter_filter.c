#include "cli/letter_filter.h"

#include <inttypes.h>
#include <string.h>

#include "cli/letter_newest.h"
#include "cli/text.h"
#include "processor/batch.h"
#include "processor/letter_headers.h"

static bool is_wanted(const char *wanted, struct bytes text)
{
    return wanted == NULL || bytes_equal(bytes_of_string(wanted), text);
}

bool letter_filter_consumes(struct letter_filter *filter, struct bytes topic)
{
    if (filter->consumes == NULL)
        return true;
    if (topic.size == 0 || topic.size >= sizeof filter->last_topic || memchr(topic.data, '\0', topic.size) != NULL)
        return false;
    if (!bytes_equal(bytes_of_string(filter->last_topic), topic)) {
        memcpy(filter->last_topic, topic.data, topic.size);
        filter->last_topic[topic.size] = '\0';
        filter->last_consumed = filter->consumes(filter->consumes_arg, filter->last_topic);
    }
    return filter->last_consumed;
}

/* Why it can't be redriven, or is not to be; NULL: nothing. */
static uint64_t *hindrance(struct letter_filter *filter, const struct letter_headers *letter, int32_t partition,
                           int64_t offset)
{
    struct letter_counts *counts = &filter->counts;
    if (!letter_filter_consumes(filter, letter->topic))
        return &counts->elsewhere;
    if (!is_wanted(filter->stage, letter->stage) || !is_wanted(filter->class, letter->class))
        return &counts->other;
    /* Before what speaks against this one: the record is as its newest letter says, whether that one is taken or not. */
    if (filter->newest != NULL && !letter_newest_is(filter->newest, letter, partition, offset))
        return &counts->superseded;
    if (letter->truncated >= 0)
        return &counts->truncated;
    return letter->attempts >= filter->attempts_most ? &counts->attempts : NULL;
}

bool letter_filter_takes(const struct record *record, int32_t partition, void *arg)
{
    struct letter_filter *filter = arg;
    struct letter_counts *counts = &filter->counts;
    struct letter_headers letter;
    bool any = filter->stage == NULL && filter->class == NULL;
    if (!letter_headers_read(record->headers, &letter)) {
        counts->foreign++;
        return any && !filter->redriven;
    }
    uint64_t *why = filter->redriven ? hindrance(filter, &letter, partition, record->offset)
                    : is_wanted(filter->stage, letter.stage) && is_wanted(filter->class, letter.class) ? NULL
                                                                                                       : &counts->other;
    ++*(why != NULL ? why : &counts->taken);
    return why == NULL;
}

int64_t letter_filter_time(const struct record *record)
{
    struct letter_headers letter;
    return letter_headers_read(record->headers, &letter) ? letter.timestamp : record->timestamp;
}

uint64_t letter_counts_passed_over(const struct letter_counts *counts)
{
    return counts->other + counts->elsewhere + counts->superseded + counts->attempts + counts->truncated +
           counts->foreign;
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
    if (counts->elsewhere > 0) {
        fprintf(out, "%s%s from topics that %s does not consume", comma, text_count(number, (int64_t)counts->elsewhere),
                filter->file);
        comma = ", ";
    }
    if (counts->superseded > 0) {
        fprintf(out, "%s%s superseded by a newer letter", comma, text_count(number, (int64_t)counts->superseded));
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

void letter_counts_json_passed_over(const struct letter_counts *counts, FILE *out)
{
    fprintf(out,
            "{\"other\": %" PRIu64 ", \"elsewhere\": %" PRIu64 ", \"superseded\": %" PRIu64 ", \"attempts\": %" PRIu64
            ", \"truncated\": %" PRIu64 ", \"foreign\": %" PRIu64 "}",
            counts->other, counts->elsewhere, counts->superseded, counts->attempts, counts->truncated, counts->foreign);
}

void letter_counts_json(const struct letter_counts *counts, FILE *out)
{
    fprintf(out, "\"matching\": %" PRIu64 ", \"passed_over\": ", counts->taken);
    letter_counts_json_passed_over(counts, out);
}
