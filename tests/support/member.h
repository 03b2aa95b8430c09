/* A member of a Kafka group, without the pipeline around it: for tests that call the Kafka store as the framework does, with exactly-once delivery. */
#ifndef WEIR_TESTS_SUPPORT_MEMBER_H
#define WEIR_TESTS_SUPPORT_MEMBER_H

#include "connectors/kafka/source.h"
#include "tests/support/parse.h"

struct member {
    struct parsed *parsed;
    struct kafka_source source; /* only what member.c needs of it */
    void *slot;                 /* what env->source points to */
    rd_kafka_t *rk;
};

/* yaml: what stands under the source's `kafka:`, with one topic. Fills in what a store finds of the source in its env. Returns when it has all `partitions`; it never polls again. */
void member_init(struct member *member, const char *yaml, int partitions, struct connector_env *env);
void member_fini(struct member *member);

#endif
