/*
 * Who we are in the group, for a store in the same cluster that moves the group's offsets in its transactions (KIP-447): the coordinator takes offsets only of a member of the
 * current generation, and so a process that slept through its revocation commits nothing.
 *
 * It counts that whoever asks looks after it, once more, whether its records' partitions are still ours: a lost assignment is given up here (intake_revoke) before librdkafka joins
 * anew. So either that look finds them gone, or the generation is one in which they were ours; and once they are others' the coordinator refuses it.
 */
#include "connectors/kafka/source.h"
#include "processor/check.h"

void kafka_member_set(struct kafka_source *source, rd_kafka_t *rk)
{
    CHECK_CALL(pthread_mutex_lock(&source->member_mutex));
    source->member = rk;
    CHECK_CALL(pthread_mutex_unlock(&source->member_mutex));
}

/* librdkafka tells a member that was put out, and has not joined again, as one of no generation; the broker takes that for a client of before KIP-447, and lets it have its way. */
static bool is_of_a_generation(const rd_kafka_consumer_group_metadata_t *metadata)
{
    return rd_kafka_consumer_group_metadata_generation_id(metadata) >= 0 &&
           rd_kafka_consumer_group_metadata_member_id(metadata)[0] != '\0';
}

rd_kafka_consumer_group_metadata_t *kafka_member_metadata(struct kafka_source *source)
{
    rd_kafka_consumer_group_metadata_t *metadata = NULL;
    /* Under the lock, as the question is never answered once the consumer is closing. It is answered by a thread of librdkafka's, at once. */
    CHECK_CALL(pthread_mutex_lock(&source->member_mutex));
    if (source->member != NULL)
        metadata = rd_kafka_consumer_group_metadata(source->member);
    CHECK_CALL(pthread_mutex_unlock(&source->member_mutex));
    /* The group of a stretch has no generations. */
    if (metadata == NULL || source->stretch != NULL || is_of_a_generation(metadata))
        return metadata;
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return NULL;
}
