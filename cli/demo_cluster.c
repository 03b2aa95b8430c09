#include "cli/demo_cluster.h"

#include <dirent.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "cli/demo_orders.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/context.h"
#include "processor/log.h"
#include "processor/metrics.h"

/* What may be produced and not consumed yet, in all: the mock's 5 MiB a partition less a batch, should it all be in one partition. */
enum { WINDOW_BYTES = 4 * 1024 * 1024, RECORD_OVERHEAD = 32, LEVEL = 1, THREADS_MAX = 32 };
enum { CONNECT_MS = 10000, FLUSH_MS = 30000, DEAD_LETTER_MS = 5000, POLL_EVERY = 256 };
#define WAIT (2 * CLOCK_MS)

struct demo_cluster {
    rd_kafka_t *client; /* the feeder's producer, with the cluster in it */
    rd_kafka_mock_cluster_t *mock;
    rd_kafka_topic_t *orders;
    pid_t threads[THREADS_MAX]; /* of client and cluster */
    unsigned thread_count;
    /* The feeding. */
    struct context *context;
    pthread_t feeder;
    bool feeding;
    uint64_t records;
    struct metric *consumed;
    void (*done)(void *arg);
    void *done_arg;
    int64_t feeder_cpu;
    rd_kafka_resp_err_t failure; /* the feeder's: an order can't be produced */
};

/* -- the cluster -- */

static void say_nothing(const rd_kafka_t *client, int level, const char *fac, const char *text)
{
    (void)client, (void)level, (void)fac, (void)text;
}

/* Only of what could not be delivered (delivery.report.only.error). */
static void note_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct demo_cluster *cluster = opaque;
    (void)client;
    cluster->failure = message->err;
}

/* Idempotent, and for as long as it takes: each order is to be there exactly once. */
static rd_kafka_t *new_client(struct demo_cluster *cluster, struct error *error)
{
    static const char *const SETTINGS[][2] = {
        {"test.mock.num.brokers", "1"},
        {"client.id", "weir-demo-feeder"},
        {"enable.idempotence", "true"},
        {"message.timeout.ms", "0"},
        {"linger.ms", "5"},
        {"batch.size", "262144"},
        {"queue.buffering.max.messages", "200000"},
        {"delivery.report.only.error", "true"},
    };
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, say_nothing);
    rd_kafka_conf_set_dr_msg_cb(conf, note_delivery);
    rd_kafka_conf_set_opaque(conf, cluster);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++)
        CHECK(rd_kafka_conf_set(conf, SETTINGS[i][0], SETTINGS[i][1], text, sizeof text) == RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (client == NULL) {
        rd_kafka_conf_destroy(conf);
        error_set(error, ERROR_FATAL, "the embedded Kafka cluster does not start: %s", text);
    }
    return client;
}

/* Connected to every broker, so that from here on the client starts no more threads: see note_threads. */
static bool connect_client(const struct demo_cluster *cluster)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(cluster->client, 1, NULL, &metadata, CONNECT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* All threads but this one are the cluster's now, before there is a service: what they cost is not weir's. */
static void note_threads(struct demo_cluster *cluster)
{
    DIR *dir = opendir("/proc/self/task");
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL && cluster->thread_count < THREADS_MAX) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (thread > 0 && thread != gettid())
            cluster->threads[cluster->thread_count++] = thread;
    }
    if (dir != NULL)
        closedir(dir);
}

struct demo_cluster *demo_cluster_new(struct error *error)
{
    struct demo_cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster == NULL) {
        error_set(error, ERROR_FATAL, "out of memory");
        return NULL;
    }
    cluster->context = context_new(NULL, CLOCK_NEVER);
    cluster->client = cluster->context != NULL ? new_client(cluster, error) : NULL;
    if (cluster->client == NULL) {
        demo_cluster_free(cluster);
        return NULL;
    }
    cluster->mock = rd_kafka_handle_mock_cluster(cluster->client);
    rd_kafka_mock_group_initial_rebalance_delay_ms(cluster->mock, 0);
    cluster->orders = rd_kafka_topic_new(cluster->client, "orders", NULL);
    if (rd_kafka_mock_topic_create(cluster->mock, "orders", DEMO_PARTITIONS, 1) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_mock_topic_create(cluster->mock, "orders.dlq", 1, 1) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        cluster->orders == NULL || !connect_client(cluster)) {
        error_set(error, ERROR_FATAL, "the embedded Kafka cluster does not answer");
        demo_cluster_free(cluster);
        return NULL;
    }
    note_threads(cluster);
    return cluster;
}

void demo_cluster_free(struct demo_cluster *cluster)
{
    if (cluster == NULL)
        return;
    if (cluster->orders != NULL)
        rd_kafka_topic_destroy(cluster->orders);
    if (cluster->client != NULL) {
        rd_kafka_purge(cluster->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(cluster->client);
    }
    context_free(cluster->context);
    free(cluster);
}

const char *demo_cluster_brokers(const struct demo_cluster *cluster)
{
    return rd_kafka_mock_cluster_bootstraps(cluster->mock);
}

/* -- the feeder -- */

struct parcel {
    ZSTD_CCtx *compressor;
    struct order order;
    uint8_t value[ZSTD_COMPRESSBOUND(ORDER_MAX)];
    size_t size, largest;
};

static void pack(struct parcel *parcel, uint64_t number)
{
    order_make(number, &parcel->order);
    parcel->size = ZSTD_compressCCtx(parcel->compressor, parcel->value, sizeof parcel->value, parcel->order.json,
                                     parcel->order.size, LEVEL);
    CHECK(!ZSTD_isError(parcel->size));
    if (parcel->order.kind == ORDER_UNREADABLE)
        parcel->size /= 2;
    if (parcel->size > parcel->largest)
        parcel->largest = parcel->size;
}

/* A little, and looks what became of what was produced before. */
static enum status rest(struct demo_cluster *cluster)
{
    rd_kafka_poll(cluster->client, 0);
    return cluster->failure != RD_KAFKA_RESP_ERR_NO_ERROR ? STATUS_FAILED : context_sleep(cluster->context, WAIT);
}

/* Until the order of this number fits into what the mock keeps. */
static enum status wait_for_room(struct demo_cluster *cluster, const struct parcel *parcel, uint64_t number)
{
    uint64_t window = WINDOW_BYTES / (parcel->largest + sizeof parcel->order.id + RECORD_OVERHEAD);
    enum status status = context_status(cluster->context);
    while (status == STATUS_OK && number >= (uint64_t)metric_get(cluster->consumed) + window)
        status = rest(cluster);
    return status;
}

static enum status produce(struct demo_cluster *cluster, struct parcel *parcel, uint64_t number)
{
    while (rd_kafka_produce(cluster->orders, (int32_t)(number % DEMO_PARTITIONS), RD_KAFKA_MSG_F_COPY, parcel->value,
                            parcel->size, parcel->order.id, strlen(parcel->order.id), NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            cluster->failure = rd_kafka_last_error();
            return STATUS_FAILED;
        }
        enum status status = rest(cluster);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status feed_all(struct demo_cluster *cluster, struct parcel *parcel)
{
    enum status status = STATUS_OK;
    for (uint64_t number = 0; number < cluster->records && status == STATUS_OK; number++) {
        pack(parcel, number);
        if (number % POLL_EVERY == 0) {
            rd_kafka_poll(cluster->client, 0);
            status = wait_for_room(cluster, parcel, number + POLL_EVERY);
        }
        if (status == STATUS_OK)
            status = produce(cluster, parcel, number);
    }
    while (status == STATUS_OK && (uint64_t)metric_get(cluster->consumed) < cluster->records)
        status = rest(cluster);
    return status;
}

static void *feed(void *arg)
{
    struct demo_cluster *cluster = arg;
    struct parcel *parcel = calloc(1, sizeof *parcel);
    struct timespec cpu;
    if (parcel != NULL)
        parcel->compressor = ZSTD_createCCtx();
    if (parcel == NULL || parcel->compressor == NULL)
        cluster->failure = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    else
        (void)feed_all(cluster, parcel);
    if (cluster->failure != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_error("demo", "no more orders can be produced: %s", rd_kafka_err2str(cluster->failure));
    cluster->done(cluster->done_arg);
    if (parcel != NULL)
        ZSTD_freeCCtx(parcel->compressor);
    free(parcel);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    cluster->feeder_cpu = (int64_t)cpu.tv_sec * CLOCK_SECOND + cpu.tv_nsec;
    return NULL;
}

enum status demo_cluster_feed(struct demo_cluster *cluster, uint64_t records, struct metrics *metrics,
                              void (*done)(void *arg), void *arg, struct error *error)
{
    cluster->records = records;
    cluster->consumed = metrics_get(metrics, METRIC_COUNTER, "weir_records_consumed_total",
                                    "Records taken from the source.", NULL);
    cluster->done = done;
    cluster->done_arg = arg;
    int code = pthread_create(&cluster->feeder, NULL, feed, cluster);
    if (code != 0)
        return error_set(error, ERROR_FATAL, "no thread for the feeder: %s", strerror(code));
    pthread_setname_np(cluster->feeder, "demo-feeder");
    cluster->feeding = true;
    return STATUS_OK;
}

bool demo_cluster_join(struct demo_cluster *cluster)
{
    context_cancel(cluster->context);
    if (cluster->feeding)
        CHECK_CALL(pthread_join(cluster->feeder, NULL));
    cluster->feeding = false;
    return cluster->failure == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* -- what it cost -- */

/* The first field is the time on a CPU in ns (the kernel's Documentation/scheduler/sched-stats.rst). */
static int64_t thread_cpu(pid_t thread)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", (int)thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    int64_t cpu = fgets(text, sizeof text, file) != NULL ? strtoll(text, NULL, 10) : 0;
    fclose(file);
    return cpu;
}

int64_t demo_cluster_cpu(const struct demo_cluster *cluster)
{
    int64_t cpu = cluster->feeder_cpu;
    for (unsigned i = 0; i < cluster->thread_count; i++)
        cpu += thread_cpu(cluster->threads[i]);
    return cpu;
}

/* -- a dead letter -- */

static rd_kafka_t *new_reader(const struct demo_cluster *cluster)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, say_nothing);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", demo_cluster_brokers(cluster), text, sizeof text) !=
            RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "group.id", "weir-demo-reader", text, sizeof text) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (reader == NULL)
        rd_kafka_conf_destroy(conf);
    return reader;
}

static const char *header_of(const rd_kafka_message_t *message, const char *name, char *text, size_t size)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t length;
    text[0] = '\0';
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR)
        snprintf(text, size, "%.*s", (int)length, (const char *)value);
    return text;
}

static void describe(const rd_kafka_message_t *message, char *text, size_t size)
{
    char topic[64], partition[16], offset[24], stage[64], why[256];
    snprintf(text, size, "%s/%s@%s, key %.*s: %s: %s", header_of(message, "weir.source.topic", topic, sizeof topic),
             header_of(message, "weir.source.partition", partition, sizeof partition),
             header_of(message, "weir.source.offset", offset, sizeof offset), (int)message->key_len,
             (const char *)message->key, header_of(message, "weir.error.stage", stage, sizeof stage),
             header_of(message, "weir.error.message", why, sizeof why));
}

bool demo_cluster_dead_letter(const struct demo_cluster *cluster, char *text, size_t size)
{
    rd_kafka_t *reader = new_reader(cluster);
    if (reader == NULL)
        return false;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "orders.dlq", 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    bool found = false;
    int64_t until = clock_now() + DEAD_LETTER_MS * CLOCK_MS;
    while (!found && clock_now() < until) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 100);
        if (message == NULL)
            continue;
        found = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (found)
            describe(message, text, size);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy_flags(reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return found;
}
