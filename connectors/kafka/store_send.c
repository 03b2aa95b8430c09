/* See store.h. librdkafka copies the text, so that nothing of ours has to live until the report comes; 200 bytes cost it some ten nanoseconds. */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/headers.h"
#include "connectors/kafka/store.h"

/* Topics chosen by a template are kept open, up to a number that no sane config comes to. */
enum { TOPICS_MAX = 10000, WAIT_MS = 20, SCRATCH_MAX = 1024 * 1024 };

/* -- topics -- */

void kafka_store_forget_topics(struct kafka_store *store)
{
    while (store->topics != NULL) {
        struct kafka_store_topic *topic = store->topics;
        store->topics = topic->next;
        if (topic->rkt != NULL)
            rd_kafka_topic_destroy(topic->rkt);
        free(topic);
    }
    store->last_topic = NULL;
    store->topic_count = 0;
    store->constant = false;
}

static bool is_named(const struct kafka_store_topic *topic, struct bytes name)
{
    return strncmp(topic->name, (const char *)name.data, name.size) == 0 && topic->name[name.size] == '\0';
}

/* NULL: no such topic can be. */
static struct kafka_store_topic *topic_new(struct kafka_store *store, struct bytes name)
{
    struct kafka_store_topic *topic = malloc(sizeof *topic + name.size + 1);
    if (topic == NULL)
        return NULL;
    memcpy(topic->name, name.data, name.size);
    topic->name[name.size] = '\0';
    topic->rkt = rd_kafka_topic_new(store->client.rk, topic->name, NULL);
    if (topic->rkt == NULL) {
        free(topic);
        return NULL;
    }
    topic->next = store->topics;
    store->topics = topic;
    store->topic_count++;
    return topic;
}

static struct kafka_store_topic *topic_find(struct kafka_store *store, struct bytes name)
{
    struct kafka_store_topic *topic = store->last_topic;
    if (topic != NULL && is_named(topic, name))
        return topic;
    for (topic = store->topics; topic != NULL && !is_named(topic, name); topic = topic->next)
        continue;
    if (topic == NULL && store->topic_count < TOPICS_MAX && memchr(name.data, '\0', name.size) == NULL)
        topic = topic_new(store, name);
    store->last_topic = topic;
    return topic;
}

bool kafka_store_fix_topic(struct kafka_store *store, const char *name)
{
    store->constant = topic_find(store, bytes_of_string(name)) != NULL;
    return store->constant;
}

/* -- what is in a message -- */

static bool grow(struct kafka_store *store, size_t size)
{
    if (size <= store->room)
        return true;
    uint8_t *bigger = realloc(store->buffer, size);
    if (bigger == NULL)
        return false;
    store->buffer = bigger;
    store->room = size;
    return true;
}

/* data NULL: a tombstone, which no bytes are not. False: out of memory. */
static bool make_value(struct kafka_store *store, const struct record *record, struct bytes *ret)
{
    const struct document *document = &record->document;
    if (document->kind == DOCUMENT_NONE) {
        *ret = record->value;
        return true;
    }
    if (document->kind == DOCUMENT_NULL || document->change_count == 0) {
        *ret = document->text;
        return true;
    }
    if (!grow(store, document_encoded_max(document)))
        return false;
    *ret = bytes_of(store->buffer, (uint32_t)document_encode(document, store->buffer));
    return true;
}

struct message {
    struct kafka_store_topic *topic;
    struct bytes key, value;
    int32_t partition;
};

static rd_kafka_resp_err_t produce(struct kafka_store *store, struct kafka_handed *handed, const struct record *record,
                                   const struct message *message)
{
    rd_kafka_headers_t *headers = NULL;
    int64_t timestamp = store->config->timestamp == KAFKA_TIMESTAMP_RECORD && record->timestamp > 0 ? record->timestamp
                                                                                                    : 0;
    rd_kafka_vu_t args[8] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = message->topic->rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = message->partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)message->key.data, message->key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)message->value.data, message->value.size}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = timestamp},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = handed},
    };
    size_t count = 7;
    if (store->config->headers && record->headers.size > 0) {
        headers = kafka_headers_new(record->headers, 0, NULL);
        args[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
    }
    rd_kafka_error_t *error = rd_kafka_produceva(store->client.rk, args, count);
    if (error == NULL)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t err = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers != NULL)
        rd_kafka_headers_destroy(headers);
    return err;
}

/* -- a record -- */

static enum kafka_sent no_memory(struct kafka_store *store)
{
    kafka_store_lose(store, ERROR_TRANSIENT, "out of memory");
    return KAFKA_SENT_LOST;
}

static void reject_topic(struct batch *batch, struct record *record, struct bytes name)
{
    batch_reject(batch, record, "topic", "expected the name of a topic, found \"%.*s\"", (int)name.size,
                 (const char *)name.data);
}

static void reject_key(struct batch *batch, struct record *record)
{
    batch_reject(batch, record, "key", "no key can be made of this record: it is not valid UTF-8");
}

static enum kafka_sent find_topic(struct kafka_store *store, struct batch *batch, struct record *record)
{
    struct bytes name;
    enum status status = template_text(store->config->topic, batch, record, &store->scratch, &name);
    if (status == STATUS_NO_MEMORY)
        return no_memory(store);
    if (status == STATUS_OK && name.size > 0 && topic_find(store, name) != NULL)
        return KAFKA_SENT;
    reject_topic(batch, record, status == STATUS_OK ? name : bytes_of("", 0));
    return KAFKA_SENT_REJECTED;
}

/* A number from 0 on, and nothing else. */
static bool parse_partition(struct bytes text, int32_t *ret)
{
    int64_t number = 0;
    for (uint32_t i = 0; i < text.size && number <= INT32_MAX; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (text.data[i] - '0');
    }
    *ret = (int32_t)number;
    return text.size > 0 && number <= INT32_MAX;
}

static enum kafka_sent choose_partition(struct kafka_store *store, struct batch *batch, struct record *record,
                                        int32_t *ret)
{
    struct bytes text = {0};
    *ret = RD_KAFKA_PARTITION_UA;
    if (store->config->partition == NULL)
        return KAFKA_SENT;
    enum status status = template_text(store->config->partition, batch, record, &store->scratch, &text);
    if (status == STATUS_NO_MEMORY)
        return no_memory(store);
    if (status == STATUS_OK && parse_partition(text, ret))
        return KAFKA_SENT;
    batch_reject(batch, record, "partition", "expected the number of a partition, found \"%.*s\"",
                 status == STATUS_OK ? (int)text.size : 0, (const char *)text.data);
    return KAFKA_SENT_REJECTED;
}

static enum kafka_sent make(struct kafka_store *store, struct batch *batch, struct record *record, struct message *ret)
{
    const struct kafka_store_config *config = store->config;
    enum status status = STATUS_OK;
    enum kafka_sent sent = store->constant ? KAFKA_SENT : find_topic(store, batch, record);
    if (sent == KAFKA_SENT)
        sent = choose_partition(store, batch, record, &ret->partition);
    if (sent != KAFKA_SENT)
        return sent;
    ret->topic = store->last_topic;
    ret->key = record->key;
    if (config->key != NULL)
        status = template_text(config->key, batch, record, &store->scratch, &ret->key);
    if (status == STATUS_NO_MEMORY || !make_value(store, record, &ret->value))
        return no_memory(store);
    if (status == STATUS_OK)
        return KAFKA_SENT;
    reject_key(batch, record);
    return KAFKA_SENT_REJECTED;
}

static enum kafka_sent send_message(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch,
                                    struct record *record, const struct message *message)
{
    for (;;) {
        rd_kafka_resp_err_t err = produce(store, handed, record, message);
        switch (err) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            handed->open++;
            store->open++;
            return KAFKA_SENT;
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            if (!kafka_store_wait(store, WAIT_MS))
                return store->lost ? KAFKA_SENT_LOST : KAFKA_SENT_ENDED;
            break;
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            batch_reject(batch, record, "size",
                         "%u bytes of value are more than the producer may send (message.max.bytes)",
                         message->value.size);
            return KAFKA_SENT_REJECTED;
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            batch_reject(batch, record, "partition", "the topic %s has no partition %d", message->topic->name,
                         message->partition);
            return KAFKA_SENT_REJECTED;
        default:
            kafka_store_fail(store, err);
            return KAFKA_SENT_LOST;
        }
    }
}

enum kafka_sent kafka_store_send(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch,
                                 struct record *record)
{
    struct message message;
    enum kafka_sent sent = make(store, batch, record, &message);
    if (sent == KAFKA_SENT)
        sent = send_message(store, handed, batch, record, &message);
    if (store->scratch.held > SCRATCH_MAX)
        arena_reset(&store->scratch);
    return sent;
}

enum status kafka_store_preview(const void *arg, struct batch *batch, struct record *record, struct arena *arena,
                                struct store_preview *ret)
{
    const struct kafka_store_config *config = arg;
    enum status status = template_text(config->topic, batch, record, arena, &ret->topic);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK || ret->topic.size == 0) {
        reject_topic(batch, record, bytes_of("", 0));
        return STATUS_OK;
    }
    ret->key = record->key;
    ret->headers = config->headers ? record->headers : (struct bytes){0};
    status = config->key != NULL ? template_text(config->key, batch, record, arena, &ret->key) : STATUS_OK;
    if (status == STATUS_FAILED)
        reject_key(batch, record);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}
