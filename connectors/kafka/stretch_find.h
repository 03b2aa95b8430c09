/* What the files that find a stretch share: stretch_find.c asks the brokers, stretch_end.c makes sure of an end by time, stretch_bounds.c makes bounds and words of their
 * answers. */
#ifndef WEIR_CONNECTORS_KAFKA_STRETCH_FIND_H
#define WEIR_CONNECTORS_KAFKA_STRETCH_FIND_H

#include "connectors/kafka/stretch.h"

struct find {
    struct kafka_client client;
    const struct kafka_source_config *config;
    const struct stretch_request *request;
    struct context *context;
    struct error *error;
    rd_kafka_IsolationLevel_t isolation;
    char problem[200];                    /* the first with a topic */
    bool incomplete;                      /* a topic that the config names could not be looked at, or is not there */
    rd_kafka_topic_partition_list_t *all; /* of the topics; `offset` and `metadata`: what is kept under the name */
    /* Of the chosen partitions, in the order of the parts. Where they begin and end; where the times of the request are, NULL: none is asked for, or
     * they may be anywhere. */
    rd_kafka_topic_partition_list_t *low, *end, *from, *to;
    bool resumed;   /* the bounds come from the seals */
    bool onward;    /* what they tell of is finished: it begins where that ended */
    unsigned added; /* partitions since it was begun */
    struct stretch *stretch;
};

/* The offset that the bound names for the partition; NULL: none. */
const struct stretch_offset *kafka_find_named(const struct stretch_bound *bound,
                                              const rd_kafka_topic_partition_t *entry);
bool kafka_find_wants(const struct stretch_request *request, const rd_kafka_topic_partition_t *entry);

/* Makes of `to`, which the brokers have answered with for this time, the first record that has it or a later one; the partition's end where there is none, and where
 * that is not found (`err` tells why). Blocks for half of the time that is left. */
enum status kafka_find_ends(struct find *find, int64_t time);
/* Asks what is kept under the name, and compares it with the request. */
enum status kafka_find_progress(struct find *find);
/* Fills in the part whose partition is `at` in the lists. */
void kafka_find_new_part(struct find *find, struct stretch_part *part, int at);
void kafka_find_old_part(struct find *find, struct stretch_part *part, int at);
/* When all are there: does what was found first still fit? */
enum status kafka_find_check_old(struct find *find);
void kafka_find_filter(struct find *find);

#endif
