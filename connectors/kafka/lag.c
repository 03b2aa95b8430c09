/*
 * What a group has committed, where its topics end, and who has which partition: asked through a consumer that never subscribes, so it is no member. It has the source's own
 * settings, but commits nothing, and fetches as little as can be: one record of each partition, at the offset where the group would go on.
 */
#include "connectors/kafka/lag.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/ask.h"
#include "connectors/kafka/source.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/lag.h"

enum { POLL_MS = 100, EMPTY_MS = 2000 };
#define CLOSE_PATIENCE (2 * CLOCK_SECOND)

struct kafka_lag {
    struct kafka_client client;
    const struct kafka_source_config *config;
};

/* -- the handle -- */

static enum status open_client(struct kafka_lag *lag, struct error *error)
{
    static const struct kafka_setting OWN[] = {
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "error"},
        {"allow.auto.create.topics", "false"},
        /* A broker sends one batch at least, however large; no more is wanted. */
        {"fetch.message.max.bytes", "1"},
        {"queued.min.messages", "1"},
        {"fetch.wait.max.ms", "100"},
        {NULL, NULL},
    };
    lag->client = (struct kafka_client){.part = "lag", .owner = lag};
    rd_kafka_conf_t *conf = kafka_conf_with(kafka_source_conf(lag->config, error), OWN, error);
    return conf != NULL ? kafka_client_open(&lag->client, KAFKA_CONSUMER, conf, error) : STATUS_FAILED;
}

/* One look. The lists have the same partitions; `offset` is the answer. */
struct look {
    struct kafka_lag *lag;
    struct lag_report *report;
    struct context *context;
    rd_kafka_topic_partition_list_t *committed, *low, *end;
    rd_kafka_topic_partition_list_t *owned; /* what members have; `opaque`: NULL, or STATIC */
    bool knows_owners, nobody;              /* nobody: the group has no member at all */
};

static void tell(void *arg, const char *topic, const char *words)
{
    struct look *look = arg;
    CHECK(lag_add_problem(look->report, topic, "%s", words) == STATUS_OK);
}

static enum status answer(const struct look *look, rd_kafka_resp_err_t err, const char *what, struct error *error)
{
    return kafka_ask_judge(&look->lag->client, err, what, error);
}

/* -- which partitions there are -- */

static rd_kafka_resp_err_t find_partitions(struct look *look)
{
    return kafka_ask_partitions(&look->lag->client, look->context, &look->lag->config->topics, look->committed, tell,
                                look);
}

/* -- offsets -- */

/* spec: which end. */
static rd_kafka_resp_err_t ask_offsets(struct look *look, rd_kafka_topic_partition_list_t *list,
                                       rd_kafka_OffsetSpec_t spec)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = spec;
    /* Behind an open transaction nothing can be consumed. */
    return kafka_ask_offsets(&look->lag->client, look->context, list, RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED);
}

/* -- who has what -- */

static char STATIC;

static void note_member(struct look *look, const rd_kafka_MemberDescription_t *member)
{
    const char *instance = rd_kafka_MemberDescription_group_instance_id(member);
    const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(member);
    const rd_kafka_topic_partition_list_t *has = assignment != NULL ? rd_kafka_MemberAssignment_partitions(assignment)
                                                                    : NULL;
    for (int i = 0; has != NULL && i < has->cnt; i++)
        rd_kafka_topic_partition_list_add(look->owned, has->elems[i].topic, has->elems[i].partition)->opaque =
            instance != NULL && instance[0] != '\0' ? &STATIC : NULL;
}

static void note_members(struct look *look, const rd_kafka_ConsumerGroupDescription_t *group)
{
    size_t members = rd_kafka_ConsumerGroupDescription_member_count(group);
    rd_kafka_consumer_group_state_t state = rd_kafka_ConsumerGroupDescription_state(group);
    bool classic = look->lag->config->protocol == KAFKA_PROTOCOL_CLASSIC;
    /* To this question a broker calls a group of the new protocol dead, members or not: ask_empty asks another one. In the middle of a rebalance members have nothing, for a moment. */
    look->nobody = state == RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY ||
                   (state == RD_KAFKA_CONSUMER_GROUP_STATE_DEAD && classic);
    look->knows_owners = look->nobody || state == RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
    for (size_t i = 0; i < members; i++)
        note_member(look, rd_kafka_ConsumerGroupDescription_member(group, i));
}

/* That it can't be told is no failure: a user may have the right to commit and not to describe. */
static void ask_members(struct look *look)
{
    const char *names[] = {look->lag->config->group};
    rd_kafka_resp_err_t err;
    size_t count = 0;
    if (kafka_ask_left(look->context) == 0)
        return;
    rd_kafka_AdminOptions_t *options = kafka_ask_options(&look->lag->client, look->context,
                                                         RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(look->lag->client.rk);
    rd_kafka_DescribeConsumerGroups(look->lag->client.rk, names, 1, options, queue);
    rd_kafka_event_t *event = kafka_ask_wait(&look->lag->client, look->context, queue, &err);
    const rd_kafka_DescribeConsumerGroups_result_t *result = event != NULL
                                                                 ? rd_kafka_event_DescribeConsumerGroups_result(event)
                                                                 : NULL;
    const rd_kafka_ConsumerGroupDescription_t **groups = result != NULL ? rd_kafka_DescribeConsumerGroups_result_groups(
                                                                              result, &count)
                                                                        : NULL;
    if (count == 1 && rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(groups[0])) == 0)
        note_members(look, groups[0]);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
}

static void note_empty(struct look *look, const rd_kafka_event_t *event)
{
    size_t count = 0;
    const rd_kafka_ListConsumerGroups_result_t *result = rd_kafka_event_ListConsumerGroups_result(
        (rd_kafka_event_t *)event);
    const rd_kafka_ConsumerGroupListing_t **groups = result != NULL
                                                         ? rd_kafka_ListConsumerGroups_result_valid(result, &count)
                                                         : NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rd_kafka_ConsumerGroupListing_group_id(groups[i]), look->lag->config->group) == 0 &&
            rd_kafka_ConsumerGroupListing_state(groups[i]) == RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY)
            look->nobody = look->knows_owners = true;
    }
}

/* Of a group of the new protocol its members are not told, but that it has none. librdkafka asks every broker, and answers when all of them have or their time is over: one that
 * can't be reached must not hold the look. The coordinator, whose word counts, has just answered other questions. */
static void ask_empty(struct look *look)
{
    static const rd_kafka_consumer_group_type_t TYPES[] = {RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER};
    rd_kafka_resp_err_t err;
    char words[256];
    if (kafka_ask_left(look->context) == 0)
        return;
    rd_kafka_AdminOptions_t *options = kafka_ask_options(&look->lag->client, look->context,
                                                         RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    if (kafka_ask_left(look->context) > EMPTY_MS)
        (void)rd_kafka_AdminOptions_set_request_timeout(options, EMPTY_MS, words, sizeof words);
    rd_kafka_error_destroy(rd_kafka_AdminOptions_set_match_consumer_group_types(options, TYPES, 1));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(look->lag->client.rk);
    rd_kafka_ListConsumerGroups(look->lag->client.rk, options, queue);
    rd_kafka_event_t *event = kafka_ask_wait(&look->lag->client, look->context, queue, &err);
    if (event != NULL) {
        note_empty(look, event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
}

static enum lag_owner owner_of(const struct look *look, const rd_kafka_topic_partition_t *partition)
{
    const rd_kafka_topic_partition_t *owned = rd_kafka_topic_partition_list_find(look->owned, partition->topic,
                                                                                 partition->partition);
    if (owned != NULL)
        return owned->opaque != NULL ? LAG_OWNER_STATIC : LAG_OWNER_MEMBER;
    return look->knows_owners ? LAG_OWNER_NONE : LAG_OWNER_UNKNOWN;
}

/* -- a look -- */

static int64_t position(const struct look *look, int64_t committed, int64_t low, int64_t end)
{
    if (committed < 0)
        return look->lag->config->start == KAFKA_START_LATEST ? end : low;
    /* An offset that the log does not have is none: the source then begins at the first record there is. */
    return committed < low || committed > end ? low : committed;
}

static enum status add_sample(struct look *look, int at, int64_t now)
{
    const rd_kafka_topic_partition_t *committed = &look->committed->elems[at], *low = &look->low->elems[at],
                                     *end = &look->end->elems[at];
    rd_kafka_resp_err_t err = committed->err != 0 ? committed->err : low->err != 0 ? low->err : end->err;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return lag_add_problem(look->report, committed->topic, "partition %d: %s", (int)committed->partition,
                               rd_kafka_err2str(err));
    if (low->offset < 0 || end->offset < 0)
        return lag_add_problem(look->report, committed->topic, "partition %d: its leader did not answer",
                               (int)committed->partition);
    struct lag_sample sample = {
        .at = now,
        .committed = committed->offset >= 0 ? committed->offset : -1,
        .position = position(look, committed->offset >= 0 ? committed->offset : -1, low->offset, end->offset),
        .low = low->offset,
        .end = end->offset,
        .owner = owner_of(look, committed),
    };
    return lag_add(look->report, committed->topic, committed->partition, &sample);
}

static enum status ask_all(struct look *look, struct error *error)
{
    struct kafka_lag *lag = look->lag;
    enum status status = answer(look, find_partitions(look), "a broker that answers in time", error);
    if (status != STATUS_OK || look->committed->cnt == 0)
        return status;
    rd_kafka_topic_partition_list_sort(look->committed, NULL, NULL);
    look->low = rd_kafka_topic_partition_list_copy(look->committed);
    look->end = rd_kafka_topic_partition_list_copy(look->committed);
    /* The commits before the ends: what is committed meanwhile must not look like more than there is. A transaction that stays open is what one looks for: it is not waited for. */
    rd_kafka_resp_err_t err = kafka_ask_unsettled(&lag->client, look->context, lag->config->group, look->committed);
    for (int i = 0; i < look->committed->cnt && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        if (look->committed->elems[i].err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
            err = look->committed->elems[i].err;
    }
    status = answer(look, err, "the committed offsets of the group", error);
    if (status == STATUS_OK)
        status = answer(look, ask_offsets(look, look->low, RD_KAFKA_OFFSET_SPEC_EARLIEST), "the ends of the partitions",
                        error);
    if (status == STATUS_OK)
        status = answer(look, ask_offsets(look, look->end, RD_KAFKA_OFFSET_SPEC_LATEST), "the ends of the partitions",
                        error);
    if (status == STATUS_OK)
        ask_members(look);
    if (status == STATUS_OK && !look->knows_owners && lag->config->protocol == KAFKA_PROTOCOL_CONSUMER)
        ask_empty(look);
    for (int i = 0; i < look->committed->cnt && status == STATUS_OK; i++)
        status = add_sample(look, i, clock_now());
    return status;
}

static enum status lag_look(void *arg, struct lag_report *report, struct context *context, struct error *error)
{
    struct kafka_lag *lag = arg;
    /* A question that is left from an earlier look, maybe of long ago: see kafka_ask_options. */
    if (lag->client.left_asking) {
        (void)kafka_client_close(&lag->client, CLOSE_PATIENCE);
        if (open_client(lag, error) != STATUS_OK)
            return STATUS_FAILED;
    }
    struct look look = {
        .lag = lag,
        .report = report,
        .context = context,
        .committed = rd_kafka_topic_partition_list_new(16),
        .owned = rd_kafka_topic_partition_list_new(16),
    };
    lag_clear_problems(report);
    enum status status = ask_all(&look, error);
    if (status == STATUS_NO_MEMORY)
        status = error_set(error, ERROR_FATAL, "out of memory");
    rd_kafka_topic_partition_list_destroy(look.committed);
    rd_kafka_topic_partition_list_destroy(look.owned);
    if (look.low != NULL) {
        rd_kafka_topic_partition_list_destroy(look.low);
        rd_kafka_topic_partition_list_destroy(look.end);
    }
    return status;
}

/* -- how old -- */

static struct lag_partition *find(struct lag_report *report, const char *topic, int32_t id)
{
    for (unsigned i = 0; i < report->count; i++) {
        struct lag_partition *partition = &report->partitions[i];
        if (partition->partition == id && strcmp(partition->topic, topic) == 0)
            return partition;
    }
    return NULL;
}

static void take(struct lag_partition *partition, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        partition->nothing_there = message->offset >= partition->latest.end;
        return;
    }
    /* A record that can't be read, or a right that is missing: the age stays unknown. */
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    /* Past what was the end at the look: until there, no record is left. */
    partition->nothing_there = message->offset >= partition->latest.end;
    partition->oldest = rd_kafka_message_timestamp(message, &type);
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
        partition->oldest = -1;
}

static void fetch_one_each(struct kafka_lag *lag, struct lag_report *report, int wanted, struct context *context)
{
    while (wanted > 0 && context_status(context) == STATUS_OK) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(lag->client.rk, POLL_MS);
        if (message == NULL)
            continue;
        const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "";
        struct lag_partition *partition = find(report, topic, message->partition);
        if (partition != NULL) {
            take(partition, message);
            /* Nothing more of it: what was fetched beside the record is dropped. */
            rd_kafka_topic_partition_list_t *done = rd_kafka_topic_partition_list_new(1);
            rd_kafka_topic_partition_list_add(done, topic, message->partition);
            rd_kafka_error_t *gone = rd_kafka_incremental_unassign(lag->client.rk, done);
            wanted -= gone == NULL;
            rd_kafka_error_destroy(gone);
            rd_kafka_topic_partition_list_destroy(done);
        }
        rd_kafka_message_destroy(message);
    }
}

static void lag_date(void *arg, struct lag_report *report, struct context *context)
{
    struct kafka_lag *lag = arg;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (unsigned i = 0; i < report->count; i++) {
        struct lag_partition *partition = &report->partitions[i];
        if (lag_records(partition) > 0)
            rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition)->offset =
                partition->latest.position;
    }
    if (list->cnt > 0) {
        rd_kafka_error_t *failed = rd_kafka_incremental_assign(lag->client.rk, list);
        if (failed == NULL)
            fetch_one_each(lag, report, list->cnt, context);
        rd_kafka_error_destroy(failed);
        (void)rd_kafka_assign(lag->client.rk, NULL);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void lag_close(void *arg)
{
    struct kafka_lag *lag = arg;
    if (lag == NULL)
        return;
    (void)kafka_client_close(&lag->client, CLOSE_PATIENCE);
    free(lag);
}

static enum status lag_open(const void *config, const struct connector_env *env, void **ret, struct error *error)
{
    (void)env;
    struct kafka_lag *lag = calloc(1, sizeof *lag);
    if (lag == NULL)
        return error_set(error, ERROR_FATAL, "out of memory");
    lag->config = config;
    if (open_client(lag, error) != STATUS_OK) {
        free(lag);
        return STATUS_FAILED;
    }
    *ret = lag;
    return STATUS_OK;
}

const struct source_lag kafka_lag = {.open = lag_open, .look = lag_look, .date = lag_date, .close = lag_close};
