/* Which dead letters are meant: by stage and class, and for a redrive only those that can be. Says how many it passed over, and why. */
#ifndef WEIR_CLI_LETTER_FILTER_H
#define WEIR_CLI_LETTER_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "processor/bytes.h"

struct letter_newest;
struct record;

struct letter_counts {
    uint64_t taken;
    uint64_t other;      /* of another stage or class */
    uint64_t elsewhere;  /* of a topic that is not consumed */
    uint64_t superseded; /* there is a newer letter of the same record */
    uint64_t attempts;   /* refused as often as may be */
    uint64_t truncated;  /* the value was cut */
    uint64_t foreign;    /* no letters of weir */
};

struct letter_filter {
    const char *stage, *class; /* NULL: any */
    bool redriven;             /* only what can be redriven */
    uint32_t attempts_most;    /* with `redriven`: not those that were refused so often */
    /* With `redriven`: only letters from topics of which this is true; NULL: of any. */
    bool (*consumes)(const void *arg, const char *topic);
    const void *consumes_arg;
    const char *file;                   /* whose `consumes` it is, in words */
    const struct letter_newest *newest; /* with `redriven`: only these; NULL: any */
    char last_topic[256]; /* what `consumes` was asked last, and what it said: neighbours mostly come from one topic */
    bool last_consumed;
    struct letter_counts counts;
};

/* For struct stretch_filter's `also`: arg is the filter, and partition where the letter lies. */
bool letter_filter_takes(const struct record *record, int32_t partition, void *arg);
/* For struct stretch_filter's `time`: that of the record, as its letter keeps it; -1: it had none. Of what is no letter of weir, its own. */
int64_t letter_filter_time(const struct record *record);
/* May a letter from there be redriven, as far as its topic goes? */
bool letter_filter_consumes(struct letter_filter *filter, struct bytes topic);
uint64_t letter_counts_passed_over(const struct letter_counts *counts);
/* What was passed over, in a line, where anything was: "passed over: 4 (3 refused 5 times or more: see --max-attempts, 1 with a value that was cut); they stay in the topic". prefix: before it. */
void letter_counts_tell(const struct letter_filter *filter, const char *prefix, FILE *out);
/* "{\"other\": 2, ...}" */
void letter_counts_json_passed_over(const struct letter_counts *counts, FILE *out);
/* "\"matching\": 7, ..." */
void letter_counts_json(const struct letter_counts *counts, FILE *out);

#endif
