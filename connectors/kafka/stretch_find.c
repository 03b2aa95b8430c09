/*
 * What a request comes to. The ends are asked once and then stand: what is produced later is not in the stretch. Under a name that was used before, the bounds come
 * from the seals, and the request is only compared with them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "connectors/kafka/ask.h"
#include "connectors/kafka/stretch.h"
#include "connectors/kafka/stretch_find.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/log.h"

#define CLOSE_PATIENCE (2 * CLOCK_SECOND)

static enum status no_memory(struct find *find)
{
    return error_set(find->error, ERROR_FATAL, "out of memory");
}

/* -- which partitions -- */

/* The first may come to be the error; it is logged when it does not. */
static void tell(void *arg, const char *topic, const char *words)
{
    struct find *find = arg;
    if (find->problem[0] == '\0')
        snprintf(find->problem, sizeof find->problem, "%s: %s", topic, words);
    else
        log_warn(find->client.part, "%s: %s", topic, words);
    /* A pattern may well match nothing. */
    find->incomplete = find->incomplete || !kafka_topic_is_pattern(topic);
}

static bool has_topic(const struct find *find, const char *topic)
{
    for (int i = 0; i < find->all->cnt; i++) {
        if (strcmp(find->all->elems[i].topic, topic) == 0)
            return true;
    }
    return false;
}

/* Topics: `all` is in their order. */
static bool has_several(const struct find *find)
{
    return strcmp(find->all->elems[0].topic, find->all->elems[find->all->cnt - 1].topic) != 0;
}

/* in: the part of the request that names it. */
static enum status unknown_topic(struct find *find, const char *in, const char *topic)
{
    char hint[CONFIG_HINT_SIZE];
    const char **names = calloc((size_t)find->all->cnt + 1, sizeof *names);
    if (names == NULL)
        return no_memory(find);
    for (int i = 0; i < find->all->cnt; i++)
        names[i] = find->all->elems[i].topic;
    (void)error_set(find->error, ERROR_FATAL, "%s: expected one of the source's topics (%s%s), found \"%s\"%s", in,
                    names[0], has_several(find) ? ", ..." : "", topic, config_hint(topic, names, hint));
    free(names);
    return STATUS_FAILED;
}

/* topic NULL: in any. */
static enum status check_name(struct find *find, const char *in, const char *topic, int32_t partition)
{
    int32_t most = -1;
    if (topic != NULL && !has_topic(find, topic))
        return unknown_topic(find, in, topic);
    for (int i = 0; i < find->all->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &find->all->elems[i];
        if (topic != NULL && strcmp(entry->topic, topic) != 0)
            continue;
        if (entry->partition == partition)
            return STATUS_OK;
        most = entry->partition > most ? entry->partition : most;
    }
    return error_set(find->error, ERROR_FATAL, "%s: there is no partition %d%s%s: they are 0 to %d", in, (int)partition,
                     topic != NULL ? " in " : "", topic != NULL ? topic : "", (int)most);
}

static enum status check_bound(struct find *find, const char *in, const struct stretch_bound *bound)
{
    enum status status = STATUS_OK;
    if (bound->kind != STRETCH_OFFSETS)
        return STATUS_OK;
    for (unsigned i = 0; i < bound->offset_count && status == STATUS_OK; i++) {
        const struct stretch_offset *offset = &bound->offsets[i];
        if (offset->topic == NULL && has_several(find))
            return error_set(find->error, ERROR_FATAL,
                             "%s: expected a topic before %d@%lld, as the source has several, like %s/%d@%lld", in,
                             (int)offset->partition, (long long)offset->offset, find->all->elems[0].topic,
                             (int)offset->partition, (long long)offset->offset);
        status = check_name(find, in, offset->topic, offset->partition);
    }
    return status;
}

static enum status check_names(struct find *find)
{
    const struct stretch_request *request = find->request;
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < request->partition_count && status == STATUS_OK; i++)
        status = check_name(find, "partitions", request->partitions[i].topic, request->partitions[i].partition);
    if (status == STATUS_OK)
        status = check_bound(find, "from", &request->from);
    return status == STATUS_OK ? check_bound(find, "to", &request->to) : status;
}

/* Does the request say itself which topics it is about? Else a topic that cannot be read would be missing without anybody noticing. */
static bool names_topics(const struct stretch_request *request)
{
    bool named = request->partition_count > 0;
    if (request->from.kind == STRETCH_OFFSETS || request->to.kind == STRETCH_OFFSETS)
        return true;
    for (unsigned i = 0; i < request->partition_count && named; i++)
        named = request->partitions[i].topic != NULL;
    return named;
}

static enum status find_all(struct find *find)
{
    rd_kafka_resp_err_t err = kafka_ask_partitions(&find->client, find->context, &find->config->topics, find->all, tell,
                                                   find);
    enum status status = kafka_ask_judge(&find->client, err, "a broker that answers in time", find->error);
    if (status != STATUS_OK)
        return status;
    if (find->all->cnt == 0)
        return error_set(find->error, ERROR_FATAL, "%s",
                         find->problem[0] != '\0' ? find->problem : "the source's topics have no partitions");
    if (find->incomplete && !names_topics(find->request))
        return error_set(find->error, ERROR_FATAL, "%s; name the partitions that are meant to go on without it",
                         find->problem);
    if (find->problem[0] != '\0')
        log_warn(find->client.part, "%s", find->problem);
    rd_kafka_topic_partition_list_sort(find->all, NULL, NULL);
    for (int i = 0; i < find->all->cnt; i++)
        find->all->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    return check_names(find);
}

const struct stretch_offset *kafka_find_named(const struct stretch_bound *bound,
                                              const rd_kafka_topic_partition_t *entry)
{
    for (unsigned i = 0; i < bound->offset_count; i++) {
        const struct stretch_offset *offset = &bound->offsets[i];
        if (offset->partition == entry->partition &&
            (offset->topic == NULL || strcmp(offset->topic, entry->topic) == 0))
            return offset;
    }
    return NULL;
}

bool kafka_find_wants(const struct stretch_request *request, const rd_kafka_topic_partition_t *entry)
{
    bool wanted = request->partition_count == 0;
    for (unsigned i = 0; i < request->partition_count && !wanted; i++) {
        const struct stretch_partition *partition = &request->partitions[i];
        wanted = partition->partition == entry->partition &&
                 (partition->topic == NULL || strcmp(partition->topic, entry->topic) == 0);
    }
    return wanted && (request->from.kind != STRETCH_OFFSETS || kafka_find_named(&request->from, entry) != NULL) &&
           (request->to.kind != STRETCH_OFFSETS || kafka_find_named(&request->to, entry) != NULL);
}

static enum status choose(struct find *find)
{
    for (int i = 0; i < find->all->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &find->all->elems[i];
        if (find->resumed ? entry->offset >= 0 : kafka_find_wants(find->request, entry))
            rd_kafka_topic_partition_list_add(find->low, entry->topic, entry->partition);
    }
    if (find->low->cnt == 0)
        return error_set(find->error, ERROR_FATAL,
                         "no partition is in both: expected the same ones at the start, at the "
                         "end and among the partitions that are asked for");
    return STATUS_OK;
}

/* -- offsets -- */

/* spec: which end, or a time. */
static enum status ask(struct find *find, rd_kafka_topic_partition_list_t **ret, int64_t spec)
{
    *ret = rd_kafka_topic_partition_list_copy(find->low);
    for (int i = 0; i < (*ret)->cnt; i++)
        (*ret)->elems[i].offset = spec;
    rd_kafka_resp_err_t err = kafka_ask_offsets(&find->client, find->context, *ret, find->isolation);
    for (int i = 0; i < (*ret)->cnt && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        const rd_kafka_topic_partition_t *entry = &(*ret)->elems[i];
        err = entry->err == 0 && entry->offset < -1 ? RD_KAFKA_RESP_ERR__TIMED_OUT : entry->err;
    }
    return kafka_ask_judge(&find->client, err, "the offsets of all partitions", find->error);
}

static enum status ask_offsets(struct find *find)
{
    const struct stretch_request *request = find->request;
    rd_kafka_topic_partition_list_t *low = NULL;
    enum status status = ask(find, &low, RD_KAFKA_OFFSET_SPEC_EARLIEST);
    rd_kafka_topic_partition_list_destroy(find->low);
    find->low = low;
    if (status == STATUS_OK)
        status = ask(find, &find->end, RD_KAFKA_OFFSET_SPEC_LATEST);
    if (request->anywhere)
        return status;
    if (status == STATUS_OK && !find->resumed && request->from.kind == STRETCH_TIME)
        status = ask(find, &find->from, request->from.time > 0 ? request->from.time : 0);
    if (status == STATUS_OK && !find->resumed && request->to.kind == STRETCH_TIME) {
        int64_t to = request->to.time > 0 ? request->to.time : 0;
        to = to < INT64_MAX - request->late ? to + request->late : INT64_MAX;
        status = ask(find, &find->to, to);
        if (status == STATUS_OK)
            status = kafka_find_ends(find, to);
    }
    return status;
}

/* -- the parts -- */

static bool add_part(struct find *find, int at)
{
    const rd_kafka_topic_partition_t *entry = &find->low->elems[at];
    struct stretch_part *part = stretch_add(find->stretch, entry->topic, entry->partition);
    if (part == NULL)
        return false;
    if (find->resumed)
        kafka_find_old_part(find, part, at);
    else
        kafka_find_new_part(find, part, at);
    return true;
}

/* Retention may have taken the beginning of the time that is asked for: then the first record there is lies in it. */
static void look_at_starts(struct find *find)
{
    int64_t from = find->stretch->filter.from_time;
    for (unsigned i = 0; i < find->stretch->count && !find->resumed; i++) {
        struct stretch_part *part = &find->stretch->parts[i];
        if (from != INT64_MIN && find->low->elems[i].offset > 0 && part->first == find->low->elems[i].offset &&
            part->first_time > from && part->note[0] == '\0')
            snprintf(part->note, sizeof part->note,
                     "retention has removed what was before offset %lld: it may have begun earlier",
                     (long long)part->first);
    }
}

/* Parts of a topic lie next to each other. Asked before samples are taken: after that their queue has records in it, and nothing else may be served. */
static enum status find_ids(struct find *find)
{
    struct stretch *stretch = find->stretch;
    const char **topics = calloc(stretch->count + 1, sizeof *topics);
    struct topic_id *ids = calloc(stretch->count + 1, sizeof *ids);
    if (topics == NULL || ids == NULL) {
        free(topics);
        free(ids);
        return no_memory(find);
    }
    size_t count = 0;
    for (unsigned i = 0; i < stretch->count; i++) {
        if (count == 0 || strcmp(topics[count - 1], stretch->parts[i].topic) != 0)
            topics[count++] = stretch->parts[i].topic;
    }
    enum status status = kafka_ask_judge(&find->client,
                                         kafka_ask_topic_ids(&find->client, find->context, topics, count, ids),
                                         "the ids of the topics", find->error);
    for (unsigned i = 0, at = 0; i < stretch->count && status == STATUS_OK; i++) {
        at += strcmp(topics[at], stretch->parts[i].topic) != 0;
        stretch->parts[i].id = ids[at];
    }
    free(topics);
    free(ids);
    return status;
}

static enum status add_parts(struct find *find)
{
    int64_t *low = calloc((size_t)find->low->cnt, sizeof *low);
    find->stretch = stretch_new((unsigned)find->low->cnt);
    bool added = low != NULL && find->stretch != NULL;
    for (int i = 0; i < find->low->cnt && added; i++) {
        low[i] = find->low->elems[i].offset;
        added = add_part(find, i);
    }
    if (!added) {
        free(low);
        return no_memory(find);
    }
    enum status status = find->resumed ? kafka_find_check_old(find) : STATUS_OK;
    if (status == STATUS_OK && find->request->ids)
        status = find_ids(find);
    if (status == STATUS_OK) {
        kafka_find_filter(find);
        kafka_stretch_sample(&find->client, find->stretch, low, find->context);
        look_at_starts(find);
    }
    free(low);
    return status;
}

/* -- all of it -- */

static enum status find_out(struct find *find)
{
    enum status status = find_all(find);
    if (status == STATUS_OK && find->request->progress != NULL)
        status = kafka_find_progress(find);
    if (status == STATUS_OK)
        status = choose(find);
    if (status == STATUS_OK)
        status = ask_offsets(find);
    if (status == STATUS_OK)
        status = add_parts(find);
    if (status != STATUS_OK || find->request->progress == NULL)
        return status;
    char group[KAFKA_STRETCH_GROUP];
    kafka_stretch_group(find->config, find->request->progress, group);
    snprintf(find->stretch->kept, sizeof find->stretch->kept, "the group %.*s", (int)sizeof find->stretch->kept - 11,
             group);
    find->stretch->progress = find->request->progress;
    find->stretch->resumed = find->resumed;
    find->stretch->follows = find->onward;
    return status;
}

static enum status open_client(struct find *find)
{
    char level[32] = "";
    size_t size = sizeof level;
    rd_kafka_conf_t *conf = kafka_stretch_conf(find->config, find->request->progress, find->error);
    conf = kafka_stretch_sample_conf(conf, find->error);
    if (conf == NULL)
        return STATUS_FAILED;
    (void)rd_kafka_conf_get(conf, "isolation.level", level, &size);
    /* Behind an open transaction nothing can be consumed. */
    find->isolation = strcmp(level, "read_committed") == 0 ? RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
                                                           : RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED;
    if (kafka_client_open(&find->client, KAFKA_CONSUMER, conf, find->error) != STATUS_OK)
        return STATUS_FAILED;
    rd_kafka_poll_set_consumer(find->client.rk);
    return STATUS_OK;
}

static void destroy_list(rd_kafka_topic_partition_list_t *list)
{
    if (list != NULL)
        rd_kafka_topic_partition_list_destroy(list);
}

static enum status kafka_find(const void *config, const struct connector_env *env,
                              const struct stretch_request *request, struct stretch **ret, struct context *context,
                              struct error *error)
{
    (void)env;
    struct find find = {
        .client = {.part = "stretch"},
        .config = config,
        .request = request,
        .context = context,
        .error = error,
    };
    enum status status = open_client(&find);
    if (status != STATUS_OK)
        return status;
    find.all = rd_kafka_topic_partition_list_new(16);
    find.low = rd_kafka_topic_partition_list_new(16);
    status = find_out(&find);
    destroy_list(find.all);
    destroy_list(find.low);
    destroy_list(find.end);
    destroy_list(find.from);
    destroy_list(find.to);
    (void)kafka_client_close(&find.client, CLOSE_PATIENCE);
    if (status == STATUS_OK)
        *ret = find.stretch;
    else
        stretch_free(find.stretch);
    return status;
}

const struct source_stretch kafka_stretch = {.find = kafka_find};
