/*
 * How much librdkafka fetches ahead, and when it is to stop.
 *
 * Split queues make its limits count per partition, so they are shares of our memory. A message in a queue costs some 300 bytes beside its text that no limit
 * counts, and a partition just below its limits may still get a whole response: hence half of the memory for texts, a quarter for what messages cost, and the rest for the
 * responses.
 *
 * When there is no room in the pipeline we just do not pop: the queues fill up and fetching stops by itself. Only a long stop really pauses the partitions,
 * which gives back the queues' memory; what was in them is fetched again.
 */
#include <stdio.h>

#include "connectors/kafka/source.h"
#include "processor/log.h"

enum { MESSAGE_COST = 300, MEMORY_UNTOLD = 64 * 1024 * 1024, KIB = 1024, MIB = 1024 * 1024 };
enum { QUERY_MS = 200 };

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

enum status kafka_fetch_limits(rd_kafka_conf_t *conf, const struct config_map *properties, int64_t memory,
                               unsigned partitions, struct error *error)
{
    int64_t all = memory > 0 ? memory : MEMORY_UNTOLD, share = all / (partitions > 0 ? partitions : 1);
    const struct {
        const char *name, *alias;
        int64_t value;
    } limits[] = {
        {"queued.max.messages.kbytes", NULL, clamp(share / 2, 16 * KIB, 64 * MIB) / KIB},
        {"queued.min.messages", NULL, clamp(share / 4 / MESSAGE_COST, 16, 100000)},
        {"fetch.message.max.bytes", "max.partition.fetch.bytes", clamp(share / 8, 16 * KIB, MIB)},
        {"fetch.max.bytes", NULL, clamp(all / 8, MIB, 16 * MIB)},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        char text[24];
        if (kafka_properties_have(properties, limits[i].name) ||
            (limits[i].alias != NULL && kafka_properties_have(properties, limits[i].alias)))
            continue;
        snprintf(text, sizeof text, "%lld", (long long)limits[i].value);
        if (kafka_conf_set(conf, limits[i].name, text, error) != STATUS_OK)
            return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* -- pause and resume -- */

static void note_paused(struct kafka_partition *partition, bool paused)
{
    if (partition == NULL || partition->paused == paused)
        return;
    partition->paused = paused;
    intake_paused(partition->intake, paused);
}

static rd_kafka_topic_partition_list_t *list_all(const struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)source->count);
    for (unsigned i = 0; i < source->count; i++) {
        if (!source->partitions[i]->done)
            rd_kafka_topic_partition_list_add(list, source->partitions[i]->topic, source->partitions[i]->id);
    }
    return list;
}

static void say_failed(const struct kafka_source *source, const char *what, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            log_warn(source->client.part, "could not %s %s/%d: %s", what, list->elems[i].topic,
                     (int)list->elems[i].partition, rd_kafka_err2str(list->elems[i].err));
    }
}

static void pause_all(struct kafka_source *source, const char *reason)
{
    rd_kafka_topic_partition_list_t *list = list_all(source);
    (void)rd_kafka_pause_partitions(source->client.rk, list);
    say_failed(source, "pause", list);
    for (unsigned i = 0; i < source->count; i++)
        note_paused(source->partitions[i], true);
    rd_kafka_topic_partition_list_destroy(list);
    source->paused = true;
    log_info(source->client.part, "paused: %s", reason != NULL ? reason : "the first queue has no room");
}

/* librdkafka does not wake its broker threads at a resume, and they sleep for up to a second. A question about the partition's offsets does. */
static void query(struct kafka_source *source, const struct kafka_partition *partition)
{
    int64_t low, high;
    (void)rd_kafka_query_watermark_offsets(source->client.rk, partition->topic, partition->id, &low, &high, QUERY_MS);
}

static void resume_all(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = list_all(source);
    int64_t until = clock_now() + CLOCK_SECOND;
    (void)rd_kafka_resume_partitions(source->client.rk, list);
    say_failed(source, "resume", list);
    for (unsigned i = 0; i < source->count; i++)
        note_paused(source->partitions[i], false);
    rd_kafka_topic_partition_list_destroy(list);
    source->paused = false;
    log_info(source->client.part, "resumed");
    for (unsigned i = 0; i < source->count && source->client.state == KAFKA_UP && clock_now() < until; i++)
        query(source, source->partitions[i]);
}

bool kafka_fetch_may(struct kafka_source *source)
{
    bool room = kafka_hand_empty(source) && intake_has_room(source->intake, NULL);
    if (!room) {
        if (source->no_room_since == 0)
            source->no_room_since = clock_now();
        return false;
    }
    source->no_room_since = 0;
    if (source->paused)
        resume_all(source);
    return true;
}

void kafka_fetch_tick(struct kafka_source *source)
{
    const char *reason = NULL;
    if (kafka_fetch_may(source) || source->count == 0)
        return;
    (void)intake_has_room(source->intake, &reason);
    if (!source->paused && clock_now() - source->no_room_since >= INTAKE_PAUSE_AFTER)
        pause_all(source, reason);
    /* Nothing is fetched, so nothing tells where the partitions end by now, and their lag would stand still. */
    else if (source->paused && source->client.state == KAFKA_UP)
        query(source, source->partitions[source->turn++ % source->count]);
}

void kafka_fetch_pause_new(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list)
{
    if (!source->paused || list->cnt == 0)
        return;
    rd_kafka_topic_partition_list_t *copy = rd_kafka_topic_partition_list_copy(list);
    (void)rd_kafka_pause_partitions(source->client.rk, copy);
    say_failed(source, "pause", copy);
    for (int i = 0; i < copy->cnt; i++)
        note_paused(kafka_partition_find(source, copy->elems[i].topic, copy->elems[i].partition), true);
    rd_kafka_topic_partition_list_destroy(copy);
}
