#include "connectors/kafka/letter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/headers.h"
#include "processor/ledger.h"
#include "processor/letter_headers.h"

enum { RECORD_OVERHEAD = 128, HEADER_OVERHEAD = 16 };

static void add_number(rd_kafka_headers_t *headers, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    kafka_headers_add(headers, name, text);
}

static rd_kafka_headers_t *make_headers(const struct batch *batch, const struct record *record, const char *service)
{
    /* A dead letter that was sent back and failed again has ours from the first time: they must not pile up. */
    rd_kafka_headers_t *headers = kafka_headers_new(record->headers, LETTER_HEADERS, letter_headers_is_ours);
    const struct failure *failure = record->failure;
    const struct origin *origin = record_origin(batch, record);
    uint32_t attempts = origin != NULL ? origin->attempts : letter_headers_attempts(record->headers);
    kafka_headers_add(headers, LETTER_STAGE, failure->stage);
    kafka_headers_add(headers, LETTER_CLASS, failure->class);
    kafka_headers_add(headers, LETTER_MESSAGE, failure->message);
    kafka_headers_add(headers, LETTER_TOPIC, record_topic(batch, record));
    add_number(headers, LETTER_PARTITION, record_partition(batch, record));
    add_number(headers, LETTER_OFFSET, record_offset(batch, record));
    add_number(headers, LETTER_TIMESTAMP, record->timestamp);
    add_number(headers, LETTER_ATTEMPTS, (int64_t)attempts + 1);
    if (record->attempts > 0)
        add_number(headers, LETTER_RETRIES, record->attempts);
    kafka_headers_add(headers, LETTER_SERVICE, service);
    return headers;
}

static struct bytes copy(struct bytes from, uint8_t *to)
{
    if (from.data == NULL)
        return from;
    memcpy(to, from.data, from.size);
    return bytes_of(to, from.size);
}

struct letter *letter_new(const struct batch *batch, const struct record *record, const char *service)
{
    size_t size = (size_t)record->key.size + record->value.size;
    struct letter *letter = malloc(sizeof *letter + size);
    if (letter == NULL)
        return NULL;
    *letter = (struct letter){
        .ticket = batch->ticket,
        .index = record->index,
        .timestamp = record->timestamp,
        .headers = make_headers(batch, record, service),
        .size = sizeof *letter + size + record->headers.size,
        .original_size = record->value.size,
    };
    uint8_t *text = (uint8_t *)(letter + 1);
    letter->key = copy(record->key, text);
    letter->value = copy(record->value, text + record->key.size);
    if (letter->ticket != NULL)
        ticket_ref(letter->ticket);
    return letter;
}

void letter_free(struct letter *letter)
{
    if (letter == NULL)
        return;
    if (letter->headers != NULL)
        rd_kafka_headers_destroy(letter->headers);
    ticket_unref(letter->ticket);
    free(letter);
}

void letter_settle(struct letter *letter)
{
    if (letter->ticket == NULL)
        return;
    if (letter->all_branches)
        ticket_settle_all_branches(letter->ticket, letter->index, 1, VERDICT_DEAD_LETTERED);
    else
        ticket_settle(letter->ticket, letter->index, 1, VERDICT_DEAD_LETTERED);
}

bool letter_cut(struct letter *letter, size_t size)
{
    if (letter->value.data == NULL || size >= letter->value.size)
        return false;
    letter->value.size = (uint32_t)size;
    (void)rd_kafka_header_remove(letter->headers, LETTER_TRUNCATED);
    add_number(letter->headers, LETTER_TRUNCATED, (int64_t)letter->original_size);
    return true;
}

size_t letter_overhead(const struct letter *letter)
{
    size_t size = RECORD_OVERHEAD + letter->key.size, value_size;
    const char *name;
    const void *value;
    for (size_t i = 0;
         rd_kafka_header_get_all(letter->headers, i, &name, &value, &value_size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        size += HEADER_OVERHEAD + strlen(name) + value_size;
    return size;
}

void letters_init(struct letters *letters)
{
    letters->first = NULL;
    letters->last = &letters->first;
}

void letters_push(struct letters *letters, struct letter *letter)
{
    letter->next = NULL;
    *letters->last = letter;
    letters->last = &letter->next;
}

struct letter *letters_pop(struct letters *letters)
{
    struct letter *letter = letters->first;
    if (letter == NULL)
        return NULL;
    letters->first = letter->next;
    if (letters->first == NULL)
        letters->last = &letters->first;
    return letter;
}
