/*
 * Where a time comes first that a stretch goes up to. The brokers answer with an offset, and it need not be a record's: the marker of a transaction has a timestamp of its
 * own, that of its commit, and what was aborted is there with its timestamps. Records behind it may well be earlier, of a stretch that is all of it in the past for
 * instance, and would be missing. So we read from there to the first record that is late enough; mostly it is the one at that very offset.
 *
 * Where it is not found in time, or can't be read, the stretch goes up to the partition's end: the filter leaves out what is too late.
 */
#include "connectors/kafka/stretch_find.h"
#include "processor/clock.h"
#include "processor/log.h"

enum { POLL_MS = 100, MEMORY = 16 * 1024 * 1024 };
#define CLOSE_PATIENCE (2 * CLOCK_SECOND)

struct ending {
    struct find *find;
    struct kafka_client client; /* not find's: what it has fetched would be in the way of other questions */
    int64_t time;
    rd_kafka_topic_partition_list_t
        *left; /* the partitions that it is not known of yet, and where they are read from */
};

/* Where the brokers' answer is one behind the last record, or none, there is nothing to doubt. */
static rd_kafka_topic_partition_list_t *list_doubtful(const struct find *find)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(find->to->cnt);
    for (int i = 0; i < find->to->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &find->to->elems[i];
        if (entry->offset >= 0 && entry->offset < find->end->elems[i].offset)
            rd_kafka_topic_partition_list_add(list, entry->topic, entry->partition)->offset = entry->offset;
    }
    return list;
}

/* err: why it is not known. */
static void settle(struct ending *ending, const char *topic, int32_t partition, int64_t offset, rd_kafka_resp_err_t err)
{
    const struct find *find = ending->find;
    rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_find(find->to, topic, partition);
    const int64_t end = find->end->elems[entry - find->to->elems].offset;
    entry->offset = err == RD_KAFKA_RESP_ERR_NO_ERROR && offset < end ? offset : end;
    entry->err = err;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_warn(ending->client.part, "%s/%d: where its time ends was not found: %s", topic, (int)partition,
                 rd_kafka_err2str(err));
    (void)rd_kafka_topic_partition_list_del(ending->left, topic, partition);
}

static void take(struct ending *ending, const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    rd_kafka_timestamp_type_t type;
    if (rd_kafka_topic_partition_list_find(ending->left, topic, message->partition) == NULL)
        return;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        settle(ending, topic, message->partition, INT64_MAX, RD_KAFKA_RESP_ERR_NO_ERROR);
    else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || rd_kafka_message_timestamp(message, &type) >= ending->time)
        settle(ending, topic, message->partition, message->offset, message->err);
    else
        return;
    rd_kafka_topic_partition_list_t *done = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(done, topic, message->partition);
    rd_kafka_error_destroy(rd_kafka_incremental_unassign(ending->client.rk, done));
    rd_kafka_topic_partition_list_destroy(done);
}

static void read_on(struct ending *ending)
{
    struct context *context = ending->find->context;
    int64_t now = clock_now(), until = now + (context_deadline(context) - now) / 2;
    rd_kafka_error_t *failed = rd_kafka_incremental_assign(ending->client.rk, ending->left);
    if (failed == NULL)
        kafka_stretch_ask_leaders(&ending->client);
    while (failed == NULL && ending->left->cnt > 0 && clock_now() < until && context_status(context) == STATUS_OK) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(ending->client.rk, POLL_MS);
        if (message != NULL && message->rkt != NULL)
            take(ending, message);
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_error_destroy(failed);
    while (ending->left->cnt > 0)
        settle(ending, ending->left->elems[0].topic, ending->left->elems[0].partition, INT64_MAX,
               RD_KAFKA_RESP_ERR__TIMED_OUT);
}

static enum status open_client(struct ending *ending)
{
    const struct find *find = ending->find;
    rd_kafka_conf_t *conf = kafka_stretch_conf(find->config, NULL, find->error);
    if (conf == NULL)
        return STATUS_FAILED;
    if (kafka_fetch_limits(conf, &find->config->connection.properties, MEMORY, (unsigned)ending->left->cnt,
                           find->error) != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return STATUS_FAILED;
    }
    if (kafka_client_open(&ending->client, KAFKA_CONSUMER, conf, find->error) != STATUS_OK)
        return STATUS_FAILED;
    rd_kafka_poll_set_consumer(ending->client.rk);
    return STATUS_OK;
}

enum status kafka_find_ends(struct find *find, int64_t time)
{
    struct ending ending = {.find = find, .client = {.part = "stretch"}, .time = time, .left = list_doubtful(find)};
    enum status status = ending.left->cnt > 0 ? open_client(&ending) : STATUS_OK;
    if (status == STATUS_OK && ending.left->cnt > 0)
        read_on(&ending);
    rd_kafka_topic_partition_list_destroy(ending.left);
    (void)kafka_client_close(&ending.client, CLOSE_PATIENCE);
    return status;
}
