#include "connectors/kafka/ask.h"

#include <regex.h>
#include <string.h>

#include "connectors/kafka/source.h"
#include "processor/clock.h"

enum { ANSWER_MS = 1000, POLL_MS = 100, HOUR_MS = 3600 * 1000 };
#define LONGEST (60 * CLOCK_SECOND)

int kafka_ask_patience(const struct context *context)
{
    int64_t left = context_deadline(context) - clock_now();
    if (context_status(context) != STATUS_OK || left <= 0)
        return 0;
    return left / CLOCK_MS < ANSWER_MS ? (int)(left / CLOCK_MS) + 1 : ANSWER_MS;
}

rd_kafka_resp_err_t kafka_ask_metadata(struct kafka_client *client, struct context *context, bool all,
                                       rd_kafka_topic_t *rkt, const struct rd_kafka_metadata **ret)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int ms;
    *ret = NULL;
    while ((ms = kafka_ask_patience(context)) > 0) {
        int64_t began = clock_now();
        err = rd_kafka_metadata(client->rk, all, rkt, ret, ms);
        (void)rd_kafka_poll(client->rk, 0); /* for the error callback's words */
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
            return err;
        if (clock_now() - began < 100 * CLOCK_MS)
            (void)context_sleep(context, 100 * CLOCK_MS);
    }
    return err;
}

const char *kafka_ask_why(const struct kafka_client *client, rd_kafka_resp_err_t err)
{
    if (client->state != KAFKA_UP)
        return client->reason;
    return client->last_words[0] != '\0' ? client->last_words : rd_kafka_err2str(err);
}

enum status kafka_ask_judge(const struct kafka_client *client, rd_kafka_resp_err_t err, const char *what,
                            struct error *error)
{
    bool denied = err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
                  err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                  err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return STATUS_OK;
    return error_set(error, denied ? ERROR_FATAL : ERROR_TRANSIENT, "expected %s: %s", what,
                     denied ? rd_kafka_err2str(err) : kafka_ask_why(client, err));
}

bool kafka_ask_is_missing(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

/* -- which partitions there are -- */

struct search {
    struct kafka_client *client;
    struct context *context;
    rd_kafka_topic_partition_list_t *list;
    void (*tell)(void *arg, const char *topic, const char *words);
    void *arg;
};

static void add_topic(struct search *search, const struct rd_kafka_metadata_topic *topic)
{
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        search->tell(search->arg, topic->topic,
                     kafka_ask_is_missing(topic->err) ? "there is no such topic" : rd_kafka_err2str(topic->err));
        return;
    }
    for (int i = 0; i < topic->partition_cnt; i++) {
        int32_t id = topic->partitions[i].id;
        if (rd_kafka_topic_partition_list_find(search->list, topic->topic, id) == NULL)
            rd_kafka_topic_partition_list_add(search->list, topic->topic, id);
    }
}

static rd_kafka_resp_err_t find_name(struct search *search, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(search->client->rk, topic, NULL);
    if (rkt == NULL) {
        search->tell(search->arg, topic, "this can't be the name of a topic");
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t err = kafka_ask_metadata(search->client, search->context, false, rkt, &metadata);
    if (metadata != NULL && metadata->topic_cnt == 1)
        add_topic(search, &metadata->topics[0]);
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
    return err;
}

static rd_kafka_resp_err_t find_pattern(struct search *search, const char *pattern)
{
    const struct rd_kafka_metadata *metadata;
    unsigned matches = 0;
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        search->tell(search->arg, pattern, "only the broker understands this pattern: name the topics");
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t err = kafka_ask_metadata(search->client, search->context, true, NULL, &metadata);
    for (int i = 0; metadata != NULL && i < metadata->topic_cnt; i++) {
        /* As when consuming: a pattern does not mean the broker's internal topics. */
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (strncmp(topic->topic, "__", 2) == 0 || regexec(&regex, topic->topic, 0, NULL, 0) != 0)
            continue;
        matches++;
        add_topic(search, topic);
    }
    if (metadata != NULL && matches == 0)
        search->tell(search->arg, pattern, "no topic matches");
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    regfree(&regex);
    return err;
}

rd_kafka_resp_err_t kafka_ask_partitions(struct kafka_client *client, struct context *context,
                                         const struct config_list *topics, rd_kafka_topic_partition_list_t *list,
                                         void (*tell)(void *arg, const char *topic, const char *words), void *arg)
{
    struct search search = {client, context, list, tell, arg};
    const char *const *names = topics->items;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (uint32_t i = 0; i < topics->count && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        err = kafka_topic_is_pattern(names[i]) ? find_pattern(&search, names[i]) : find_name(&search, names[i]);
    return err;
}

/* -- offsets -- */

int kafka_ask_left(const struct context *context)
{
    int64_t left = context_deadline(context) - clock_now();
    if (left > LONGEST)
        left = LONGEST;
    return left > 0 && context_status(context) == STATUS_OK ? (int)(left / CLOCK_MS) + 1 : 0;
}

rd_kafka_event_t *kafka_ask_wait(struct kafka_client *client, struct context *context, rd_kafka_queue_t *queue,
                                 rd_kafka_resp_err_t *ret)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, kafka_ask_left(context) + POLL_MS);
    (void)rd_kafka_poll(client->rk, 0);
    *ret = event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    client->left_asking = client->left_asking || event == NULL;
    return event;
}

rd_kafka_AdminOptions_t *kafka_ask_options(struct kafka_client *client, struct context *context, rd_kafka_admin_op_t op)
{
    char words[256];
    const bool coordinator = op == RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS ||
                             op == RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client->rk, op);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, coordinator ? HOUR_MS : kafka_ask_left(context), words,
                                                    sizeof words);
    return options;
}

static void take_offsets(rd_kafka_topic_partition_list_t *list, const rd_kafka_event_t *event)
{
    size_t count = 0;
    const rd_kafka_ListOffsets_result_t *result = rd_kafka_event_ListOffsets_result((rd_kafka_event_t *)event);
    const rd_kafka_ListOffsetsResultInfo_t **infos = result != NULL ? rd_kafka_ListOffsets_result_infos(result, &count)
                                                                    : NULL;
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *info = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        rd_kafka_topic_partition_t *place = rd_kafka_topic_partition_list_find(list, info->topic, info->partition);
        if (place == NULL)
            continue;
        place->offset = info->offset;
        place->err = info->err;
    }
}

static rd_kafka_resp_err_t ask_offsets(struct kafka_client *client, struct context *context,
                                       const rd_kafka_topic_partition_list_t *specs,
                                       rd_kafka_topic_partition_list_t *list, rd_kafka_IsolationLevel_t isolation)
{
    rd_kafka_resp_err_t err;
    rd_kafka_AdminOptions_t *options = kafka_ask_options(client, context, RD_KAFKA_ADMIN_OP_LISTOFFSETS);
    rd_kafka_error_destroy(rd_kafka_AdminOptions_set_isolation_level(options, isolation));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_ListOffsets(client->rk, (rd_kafka_topic_partition_list_t *)specs, options, queue);
    rd_kafka_event_t *event = kafka_ask_wait(client, context, queue, &err);
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (event != NULL)
        take_offsets(list, event);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return err;
}

/* Its leader has moved, is not ready, or has gone with the question: librdkafka asks anew who it is. One that there is none of is not waited for. */
static bool has_moved(const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        switch (list->elems[i].err) {
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
        case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
        case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
        case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
            return true;
        default:
            break;
        }
    }
    return false;
}

rd_kafka_resp_err_t kafka_ask_offsets(struct kafka_client *client, struct context *context,
                                      rd_kafka_topic_partition_list_t *list, rd_kafka_IsolationLevel_t isolation)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_topic_partition_list_t *specs = rd_kafka_topic_partition_list_copy(list);
    while (kafka_ask_left(context) > 0) {
        err = ask_offsets(client, context, specs, list, isolation);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR || !has_moved(list))
            break;
        (void)context_sleep(context, 100 * CLOCK_MS);
    }
    rd_kafka_topic_partition_list_destroy(specs);
    return err;
}

static bool will_pass(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
        return true;
    default:
        return false;
    }
}

rd_kafka_resp_err_t kafka_ask_committed(struct kafka_client *client, struct context *context,
                                        rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int ms;
    while ((ms = kafka_ask_patience(context)) > 0) {
        err = rd_kafka_committed(client->rk, list, ms);
        (void)rd_kafka_poll(client->rk, 0); /* for the error callback's words */
        for (int i = 0; i < list->cnt && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
            err = will_pass(list->elems[i].err) ? list->elems[i].err : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (!will_pass(err))
            break;
        (void)context_sleep(context, 100 * CLOCK_MS);
    }
    return err;
}

static rd_kafka_resp_err_t take_committed(rd_kafka_topic_partition_list_t *list, const rd_kafka_event_t *event)
{
    size_t count = 0;
    const rd_kafka_ListConsumerGroupOffsets_result_t *result = rd_kafka_event_ListConsumerGroupOffsets_result(
        (rd_kafka_event_t *)event);
    const rd_kafka_group_result_t **groups = result != NULL
                                                 ? rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count)
                                                 : NULL;
    const rd_kafka_topic_partition_list_t *told = count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    rd_kafka_resp_err_t err = count == 1 ? rd_kafka_error_code(rd_kafka_group_result_error(groups[0]))
                                         : RD_KAFKA_RESP_ERR__BAD_MSG;
    for (int i = 0; told != NULL && i < told->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &told->elems[i];
        rd_kafka_topic_partition_t *place = rd_kafka_topic_partition_list_find(list, entry->topic, entry->partition);
        if (place == NULL)
            continue;
        place->offset = entry->offset;
        place->err = entry->err;
        err = err == RD_KAFKA_RESP_ERR_NO_ERROR && will_pass(entry->err) ? entry->err : err;
    }
    return err;
}

static rd_kafka_resp_err_t ask_unsettled(struct kafka_client *client, struct context *context, const char *group,
                                         rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t err;
    rd_kafka_AdminOptions_t *options = kafka_ask_options(client, context, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_error_destroy(rd_kafka_AdminOptions_set_require_stable_offsets(options, 0));
    rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_ListConsumerGroupOffsets(client->rk, &request, 1, options, queue);
    rd_kafka_event_t *event = kafka_ask_wait(client, context, queue, &err);
    if (event != NULL) {
        err = err == RD_KAFKA_RESP_ERR_NO_ERROR ? take_committed(list, event) : err;
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_AdminOptions_destroy(options);
    return err;
}

rd_kafka_resp_err_t kafka_ask_unsettled(struct kafka_client *client, struct context *context, const char *group,
                                        rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    while (kafka_ask_left(context) > 0) {
        err = ask_unsettled(client, context, group, list);
        if (!will_pass(err))
            break;
        (void)context_sleep(context, 100 * CLOCK_MS);
    }
    return err;
}

/* -- ids -- */

/* The first error of a topic. */
static rd_kafka_resp_err_t take_ids(const rd_kafka_event_t *event, const char **topics, size_t count,
                                    struct topic_id *ret)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    size_t told = 0;
    const rd_kafka_DescribeTopics_result_t *result = rd_kafka_event_DescribeTopics_result((rd_kafka_event_t *)event);
    const rd_kafka_TopicDescription_t **found = result != NULL ? rd_kafka_DescribeTopics_result_topics(result, &told)
                                                               : NULL;
    for (size_t i = 0; i < told * count; i++) {
        const rd_kafka_TopicDescription_t *topic = found[i / count];
        const rd_kafka_Uuid_t *id = rd_kafka_TopicDescription_topic_id(topic);
        const rd_kafka_error_t *refused = rd_kafka_TopicDescription_error(topic);
        if (refused != NULL && err == RD_KAFKA_RESP_ERR_NO_ERROR)
            err = rd_kafka_error_code(refused);
        if (id == NULL || strcmp(rd_kafka_TopicDescription_name(topic), topics[i % count]) != 0)
            continue;
        ret[i % count] = (struct topic_id){.high = (uint64_t)rd_kafka_Uuid_most_significant_bits(id),
                                           .low = (uint64_t)rd_kafka_Uuid_least_significant_bits(id)};
    }
    return err;
}

static rd_kafka_resp_err_t ask_ids(struct kafka_client *client, struct context *context,
                                   const rd_kafka_TopicCollection_t *names, const char **topics, size_t count,
                                   struct topic_id *ret)
{
    char words[256];
    rd_kafka_resp_err_t err;
    rd_kafka_AdminOptions_t *options = kafka_ask_options(client, context, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    /* Not all of the time that is left: the next broker may answer. */
    (void)rd_kafka_AdminOptions_set_request_timeout(options, kafka_ask_patience(context), words, sizeof words);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_DescribeTopics(client->rk, names, options, queue);
    rd_kafka_event_t *event = kafka_ask_wait(client, context, queue, &err);
    memset(ret, 0, count * sizeof *ret);
    if (event != NULL && err == RD_KAFKA_RESP_ERR_NO_ERROR)
        err = take_ids(event, topics, count, ret);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return err;
}

static bool knows_no_ids(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE || err == RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION;
}

rd_kafka_resp_err_t kafka_ask_topic_ids(struct kafka_client *client, struct context *context, const char **topics,
                                        size_t count, struct topic_id *ret)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    memset(ret, 0, count * sizeof *ret);
    if (count == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_TopicCollection_t *names = rd_kafka_TopicCollection_of_topic_names(topics, count);
    while (kafka_ask_patience(context) > 0) {
        err = ask_ids(client, context, names, topics, count, ret);
        if (!will_pass(err))
            break;
        (void)context_sleep(context, 100 * CLOCK_MS);
    }
    rd_kafka_TopicCollection_destroy(names);
    return knows_no_ids(err) ? RD_KAFKA_RESP_ERR_NO_ERROR : err;
}
