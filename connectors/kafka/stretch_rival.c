/*
 * Nobody is a member of a stretch's group, so no coordinator keeps two processes apart that run under the same name. But each commits with its seals when it began, and all write that
 * before they read: so who finds the seal of a run that began later ends, within
 * seconds (a commit of its own may cover the other's for a while). What both stored until then came twice, as after a kill. (A store that keeps offsets
 * refuses the second one's itself.)
 */
#include "connectors/kafka/ask.h"
#include "connectors/kafka/stretch.h"

#define EVERY (2 * CLOCK_SECOND)
/* While the coordinator can't be reached there is one question, for which librdkafka has an hour (kafka_ask_options). */
#define LONGEST (50 * 60 * CLOCK_SECOND)

static void ask(struct kafka_source *source)
{
    char group[KAFKA_STRETCH_GROUP];
    rd_kafka_t *rk = source->client.rk;
    if (source->rival.queue == NULL)
        source->rival.queue = rd_kafka_queue_new(rk);
    source->rival.asked_at = clock_now();
    source->rival.asking = true;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)source->count);
    for (unsigned i = 0; i < source->count; i++)
        rd_kafka_topic_partition_list_add(list, source->partitions[i]->topic, source->partitions[i]->id);
    kafka_stretch_group(source->config, source->stretch->progress, group);
    rd_kafka_ListConsumerGroupOffsets_t *question = rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_AdminOptions_t *options = kafka_ask_options(&source->client, source->context,
                                                         RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets(rk, &question, 1, options, source->rival.queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
    rd_kafka_topic_partition_list_destroy(list);
}

static void look(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_seal seal;
        if (!kafka_seal_read(&list->elems[i], &seal) || seal.run <= source->run)
            continue;
        kafka_source_fail(source, ERROR_FATAL,
                          "another process began to run under the name \"%s\", and goes on with it: this one ends",
                          source->stretch->progress);
        return;
    }
}

/* That there is no answer, or no right to ask, stops nothing. */
static void take(struct kafka_source *source, rd_kafka_event_t *event)
{
    size_t count = 0;
    const rd_kafka_ListConsumerGroupOffsets_result_t *result = rd_kafka_event_ListConsumerGroupOffsets_result(event);
    const rd_kafka_group_result_t **groups = result != NULL
                                                 ? rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count)
                                                 : NULL;
    const rd_kafka_topic_partition_list_t *list = count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    if (list != NULL)
        look(source, list);
    rd_kafka_event_destroy(event);
}

void kafka_rival_tick(struct kafka_source *source)
{
    const int64_t since = clock_now() - source->rival.asked_at;
    rd_kafka_event_t *event = source->rival.asking ? rd_kafka_queue_poll(source->rival.queue, 0) : NULL;
    if (event != NULL) {
        source->rival.asking = false;
        take(source, event);
    }
    if (source->rival.asking && since > LONGEST)
        kafka_source_fail(source, ERROR_TRANSIENT, "nobody has answered for the group of \"%s\" for %lld minutes",
                          source->stretch->progress, (long long)(since / (60 * CLOCK_SECOND)));
    if (!source->rival.asking && source->count > 0 && source->client.state == KAFKA_UP && since > EVERY)
        ask(source);
}
