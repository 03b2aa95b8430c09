/* Dead letters counted: by stage and class, by the topic that they came from, and by time. */
#ifndef WEIR_CLI_LETTER_TALLY_H
#define WEIR_CLI_LETTER_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/histogram.h"
#include "processor/batch.h"

enum { LETTER_TALLY_GROUPS = 200 };

struct letter_group {
    char *stage, *class;
    uint64_t count;
    int64_t oldest, newest; /* timestamps (ms); -1: none has one */
    uint32_t attempts;      /* the most */
    /* Of the newest, the one read last among equals. */
    char *message;
    int32_t partition;
    int64_t offset;
};

struct letter_origin {
    char *topic;
    uint64_t count;
};

/* All zero: nothing counted yet. */
struct letter_tally {
    struct letter_group *groups; /* the largest first, once sorted */
    unsigned group_count;
    struct letter_origin *origins;
    unsigned origin_count;
    uint64_t total;     /* letters */
    uint64_t truncated; /* of these: whose value was cut */
    uint64_t
        others; /* letters of another stage or class than was asked for: not in the total. Filled in by the caller */
    uint64_t foreign;   /* records that are no letters of weir: not in the total */
    uint64_t undated;   /* letters without a timestamp */
    uint64_t ungrouped; /* letters past LETTER_TALLY_GROUPS groups, or as many topics */
    int64_t oldest, newest;
    struct histogram times;
};

void letter_tally_init(struct letter_tally *tally);
void letter_tally_fini(struct letter_tally *tally);
void letter_tally_add(struct letter_tally *tally, const struct batch *batch, const struct record *record);
void letter_tally_sort(struct letter_tally *tally);

/* file: the config's, and topic the letters', for the hint how to see one. The tally has been sorted. */
void letter_tally_table(const struct letter_tally *tally, const char *file, const char *topic, bool colour, FILE *out);
/* Only what is told of stages and classes. */
void letter_tally_groups(const struct letter_tally *tally, const char *topic, bool colour, FILE *out);
void letter_tally_json_groups(const struct letter_tally *tally, const char *topic,
                              FILE *out); /* ", \"groups\": [...]" */
/* One object in one line. Times are RFC 3339; what is not known is null. */
void letter_tally_json(const struct letter_tally *tally, const char *service, const char *topic, FILE *out);

#endif
