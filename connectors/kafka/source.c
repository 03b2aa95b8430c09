/*
 * The run: one thread that serves the group (rebalances, errors, commits), pops the partitions round robin as long as there is room, and sleeps otherwise
 * until something wakes it: a queue of librdkafka's that has something, room in the pipeline, a stop, or the next tick.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connectors/kafka/dead_letter.h"
#include "connectors/kafka/lag.h"
#include "connectors/kafka/probe.h"
#include "connectors/kafka/source.h"
#include "connectors/kafka/stretch.h"
#include "connectors/kafka/store.h"
#include "processor/check.h"
#include "processor/log.h"

enum { SERVE_MAX = 100, PROBE_MS = 100 };
#define LEAVE_PATIENCE (5 * CLOCK_SECOND)
#define ABANDON_PATIENCE (2 * CLOCK_SECOND)
#define CLOSE_PATIENCE (5 * CLOCK_SECOND)
/* The new protocol's is the broker's setting (group.consumer.session.timeout.ms); this is its default. */
#define SESSION_DEFAULT (45 * CLOCK_SECOND)

/* -- waking -- */

void kafka_source_wake(struct kafka_source *source)
{
    uint64_t one = 1;
    if (!atomic_exchange(&source->woken, true))
        CHECK(write(source->wake_fd, &one, sizeof one) == (ssize_t)sizeof one);
}

static void wake(void *arg)
{
    kafka_source_wake(arg);
}

static void on_event(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    kafka_source_wake(opaque);
}

void kafka_source_wait(struct kafka_source *source, int64_t until)
{
    int64_t left = until - clock_now();
    struct pollfd fd = {.fd = source->wake_fd, .events = POLLIN};
    uint64_t count;
    /* Rounded up: half a millisecond left is not time to look again. */
    if (left > 0 && poll(&fd, 1, (int)(left / CLOCK_MS + 1)) <= 0)
        return;
    /* First the fd, then the flag: the other way round a write could be taken off whose flag stays, and nobody would write again. Who finds the flag set in
     * between has told us all the same, as we look at everything after this. */
    if (read(source->wake_fd, &count, sizeof count) < 0)
        CHECK(errno == EAGAIN);
    (void)atomic_exchange(&source->woken, false);
}

/* -- state -- */

void kafka_source_fail(struct kafka_source *source, enum error_class class, const char *format, ...)
{
    if (source->stopped)
        return;
    va_list args;
    va_start(args, format);
    (void)error_vset(&source->failure, class, format, args);
    va_end(args);
    source->stopped = true;
}

void kafka_source_tell_state(struct kafka_source *source)
{
    bool up = source->client.state == KAFKA_UP;
    const char *reason = !up                          ? source->client.reason
                         : source->topics_missing > 0 ? source->missing
                         : source->assigned           ? ""
                                                      : "waiting for the group to assign partitions";
    source->client.changed = false;
    intake_state(source->intake, up && source->topics_missing == 0, source->assigned ? (int)source->count : -1, reason);
}

/* -- the main queue -- */

static void on_message(struct kafka_source *source, const rd_kafka_message_t *message)
{
    const char *words = rd_kafka_message_errstr(message);
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        /* Partitions have queues of their own; a record here would be lost if we went on. But for those that come when a drain has begun: nothing is taken of them. */
        if (intake_draining(source->intake))
            break;
        kafka_source_fail(source, ERROR_RESTART, "%s/%d: a record came by the wrong queue",
                          rd_kafka_topic_name(message->rkt), (int)message->partition);
        break;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        break;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        /* A group that nothing is committed to is none that a right is needed for. */
        if (source->silent)
            break;
        /* fall through */
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        kafka_client_set_state(&source->client, KAFKA_DENIED, "%s", words);
        log_error(source->client.part, "%s: give the user the right to read topics and group", words);
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        /* A topic went, or one of those that are missing from the start is still. */
        log_warn(source->client.part, "%s", words);
        if (source->topics_missing == 0) {
            source->topics_missing = 1;
            source->topics_looked = 0;
            snprintf(source->missing, sizeof source->missing, "%s", words);
        }
        break;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        log_error(source->client.part, "%s", words);
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        break; /* asked for by kafka_client_fatal */
    default:
        log_warn(source->client.part, "%s", words);
    }
}

void kafka_source_serve(struct kafka_source *source)
{
    for (int i = 0; i < SERVE_MAX; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(source->client.rk, 0);
        if (message == NULL)
            return;
        on_message(source, message);
        rd_kafka_message_destroy(message);
    }
}

/* -- the tick -- */

static void look_after_partitions(struct kafka_source *source)
{
    for (unsigned i = 0; i < source->count; i++) {
        struct kafka_partition *partition = source->partitions[i];
        kafka_corrupt_tick(partition);
        kafka_partition_tell_position(partition);
        if (source->client.state == KAFKA_UP)
            kafka_end_note(partition);
        /* Should a wake-up ever get lost, this is how long it matters. */
        atomic_store(&partition->ready, true);
    }
}

/* Fetches tell the ends; of a partition that is not fetched (no first one yet, or held back) the broker is asked: one a turn, so that the others wait for no
 * more than that. */
static void ask_an_end(struct kafka_source *source)
{
    bool held = source->no_room_since != 0;
    if (source->client.state != KAFKA_UP || source->stretch != NULL)
        return;
    for (unsigned i = 0; i < source->count; i++) {
        struct kafka_partition *partition = source->partitions[source->asking++ % source->count];
        if (held || !kafka_partition_knows_end(partition)) {
            kafka_partition_ask_end(partition);
            return;
        }
    }
}

void kafka_source_tick(struct kafka_source *source)
{
    int64_t now = clock_now();
    struct error error = {0};
    if (now - source->looked < KAFKA_TICK)
        return;
    source->looked = now;
    if (kafka_client_fatal(&source->client, &error))
        kafka_source_fail(source, error.class, "%s", error.text);
    kafka_store_offsets(source);
    ask_an_end(source);
    look_after_partitions(source);
    if (!intake_draining(source->intake))
        kafka_fetch_tick(source);
    kafka_client_probe(&source->client, PROBE_MS);
    if (source->stretch != NULL)
        kafka_stretch_tick(source);
    kafka_topics_look(source);
    if (source->client.changed)
        kafka_source_tell_state(source);
}

/* -- the run -- */

static bool pop_round(struct kafka_source *source)
{
    unsigned count = source->count;
    bool popped = false;
    if (source->pacing.on)
        kafka_pacing_round(source);
    for (unsigned i = 0; i < count && !source->stopped; i++) {
        struct kafka_partition *partition = source->partitions[(source->turn + i) % count];
        if (!atomic_load_explicit(&partition->ready, memory_order_relaxed) || partition->ended)
            continue;
        if (!kafka_fetch_may(source))
            return popped;
        popped = (source->pacing.on ? kafka_pacing_pop(source, partition) : kafka_hand_pop(source, partition)) ||
                 popped;
    }
    /* Paced, many rounds pop nothing: counted as well, they could fall into step with the pace, and some partitions never come first. */
    if (popped || !source->pacing.on)
        source->turn++;
    return popped;
}

static int64_t next_look(const struct kafka_source *source)
{
    int64_t tick = source->looked + KAFKA_TICK;
    return source->pacing.on && source->pacing.until < tick ? source->pacing.until : tick;
}

static void consume(struct kafka_source *source)
{
    while (!source->stopped && !intake_draining(source->intake)) {
        kafka_source_serve(source);
        kafka_source_tick(source);
        if (source->paused)
            (void)kafka_fetch_may(source);
        bool popped = pop_round(source);
        if (kafka_end_reached(source))
            intake_finish(source->intake);
        else if (!popped && !source->stopped)
            kafka_source_wait(source, next_look(source));
        if (context_status(source->context) != STATUS_OK)
            kafka_source_fail(source, ERROR_NONE, "cancelled");
    }
}

static int64_t session_timeout(const rd_kafka_conf_t *conf)
{
    int64_t ms = kafka_conf_number(conf, "session.timeout.ms", 0);
    return ms > 0 ? ms * CLOCK_MS : SESSION_DEFAULT;
}

static enum status subscribe(struct kafka_source *source, struct error *error)
{
    const struct config_list *topics = &source->config->topics;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)topics->count);
    for (uint32_t i = 0; i < topics->count; i++)
        rd_kafka_topic_partition_list_add(list, ((const char *const *)topics->items)[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(source->client.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_set(error, ERROR_FATAL, "could not subscribe: %s", rd_kafka_err2str(err));
    return STATUS_OK;
}

/* Nothing may be committed beside the store's transactions: the one that comes last would win. And an offset in a transaction that is not over must not be taken for no offset. */
static enum status leave_commits(const struct kafka_source *source, rd_kafka_conf_t *conf, struct error *error)
{
    char level[32] = "";
    size_t size = sizeof level;
    if (!source->elsewhere)
        return STATUS_OK;
    (void)rd_kafka_conf_get(conf, "isolation.level", level, &size);
    if (strcmp(level, "read_committed") != 0)
        return error_set(error, ERROR_FATAL,
                         "expected isolation.level read_committed, as the store moves the group's offsets in "
                         "transactions, found %s",
                         level);
    return kafka_conf_set(conf, "enable.auto.commit", "false", error);
}

static enum status connect_to(struct kafka_source *source, unsigned partitions, struct error *error)
{
    const struct kafka_source_config *config = source->config;
    rd_kafka_conf_t *conf = source->stretch != NULL ? kafka_stretch_conf(config, source->stretch->progress, error)
                                                    : kafka_source_conf(config, error);
    if (conf == NULL)
        return STATUS_FAILED;
    if (kafka_fetch_limits(conf, &config->connection.properties, source->env.fetch_bytes, partitions, error) !=
            STATUS_OK ||
        leave_commits(source, conf, error) != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return STATUS_FAILED;
    }
    source->planned = partitions;
    source->session = config->protocol == KAFKA_PROTOCOL_CLASSIC ? session_timeout(conf) : SESSION_DEFAULT;
    source->patience = kafka_conf_number(conf, "max.poll.interval.ms", 0) * CLOCK_MS / 2;
    rd_kafka_conf_set_rebalance_cb(conf, kafka_on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, kafka_on_commit);
    if (kafka_client_open(&source->client, KAFKA_CONSUMER, conf, error) != STATUS_OK)
        return STATUS_FAILED;
    rd_kafka_poll_set_consumer(source->client.rk);
    kafka_member_set(source, source->client.rk);
    source->events = rd_kafka_queue_get_consumer(source->client.rk);
    source->replies = rd_kafka_queue_new(source->client.rk);
    rd_kafka_queue_cb_event_enable(source->events, on_event, source);
    return STATUS_OK;
}

static enum status join_group(struct kafka_source *source, unsigned partitions, struct error *error)
{
    const struct kafka_source_config *config = source->config;
    log_info(source->client.part, "joining the group %s%s%s: %u partition%s in its topics", config->group,
             config->instance != NULL ? " as " : "", config->instance != NULL ? config->instance : "", partitions,
             partitions == 1 ? "" : "s");
    kafka_source_tell_state(source);
    return subscribe(source, error);
}

static enum status run_to_the_end(struct kafka_source *source, struct error *error)
{
    consume(source);
    enum status status = source->stopped ? STATUS_CANCELLED : kafka_drain(source);
    bool abandoned = status != STATUS_OK && status != STATUS_DEADLINE;
    /* What has its verdict need not come again. The close sends it. */
    if (abandoned)
        kafka_store_offsets(source);
    kafka_leave(source, abandoned ? ABANDON_PATIENCE : LEAVE_PATIENCE);
    if (!source->stopped || source->failure.class == ERROR_NONE)
        return status;
    *error = source->failure;
    return STATUS_FAILED;
}

static enum status kafka_run(void *arg, struct intake *intake, struct context *context, struct error *error)
{
    struct kafka_source *source = arg;
    unsigned partitions = 0;
    source->intake = intake;
    source->context = context;
    source->elsewhere = intake_commits_elsewhere(intake);
    intake_on_wake(intake, wake, source);
    enum status status = source->stretch == NULL ? kafka_topics_wait(source, &partitions, error) : STATUS_OK;
    if (source->stretch != NULL)
        partitions = source->stretch->count;
    if (status == STATUS_OK)
        status = connect_to(source, partitions, error);
    if (status == STATUS_OK)
        status = source->stretch != NULL ? kafka_stretch_begin(source, error) : join_group(source, partitions, error);
    if (status == STATUS_OK)
        status = run_to_the_end(source, error);
    else if (status == STATUS_CLOSED)
        status = STATUS_OK; /* stopped before there was anything to drain */
    intake_on_wake(intake, NULL, NULL);
    return status;
}

/* -- open and close -- */

static void kafka_close(void *arg)
{
    struct kafka_source *source = arg;
    if (source == NULL)
        return;
    if (source->events != NULL) {
        rd_kafka_queue_cb_event_enable(source->events, NULL, NULL);
        rd_kafka_queue_destroy(source->events);
    }
    if (source->replies != NULL)
        rd_kafka_queue_destroy(source->replies);
    if (source->rival.queue != NULL)
        rd_kafka_queue_destroy(source->rival.queue);
    (void)kafka_client_close(&source->client, CLOSE_PATIENCE);
    free(source->seals);
    free(source->partitions);
    if (source->wake_fd >= 0)
        close(source->wake_fd);
    CHECK_CALL(pthread_mutex_destroy(&source->member_mutex));
    free(source);
}

static enum status kafka_open(const void *config, const struct connector_env *env, struct context *context,
                              void **ret_source, struct error *error)
{
    struct kafka_source *source = calloc(1, sizeof *source);
    (void)context;
    if (source == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    source->config = config;
    source->env = *env;
    source->stretch = env->stretch;
    source->env.exit_at_end = env->exit_at_end || env->stretch != NULL;
    source->client = (struct kafka_client){.part = env->name, .owner = source};
    CHECK_CALL(pthread_mutex_init(&source->member_mutex, NULL));
    source->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (source->wake_fd < 0) {
        enum status status = error_set(error, ERROR_TRANSIENT, "could not make an eventfd: %s", strerror(errno));
        kafka_close(source);
        return status;
    }
    *ret_source = source;
    return STATUS_OK;
}

const struct source_type kafka_source = {
    .name = "kafka",
    .help = "Topics of a Kafka cluster, consumed as a member of a group.",
    .config = &kafka_source_config_field,
    .open = kafka_open,
    .run = kafka_run,
    .close = kafka_close,
    .probe = kafka_source_probe,
    .lag = &kafka_lag,
    .stretch = &kafka_stretch,
    .read_dead_letters = kafka_read_dead_letters,
    .back = &kafka_store,
    .back_config = "{topic: '{{topic}}', headers: true, timestamp: record}",
    .open_dead_letter = kafka_dead_letter_open,
    .check_dead_letter = kafka_dead_letter_check,
};
