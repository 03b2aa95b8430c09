#include "connectors/kafka/letter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/headers.h"
#include "processor/ledger.h"

enum { OUR_HEADERS = 10, RECORD_OVERHEAD = 128, HEADER_OVERHEAD = 16 };
static const char TRUNCATED[] = "weir.value.truncated";

static bool begins(struct bytes name, const char *prefix)
{
    size_t size = strlen(prefix);
    return name.size >= size && memcmp(name.data, prefix, size) == 0;
}

/* A dead letter that was sent back and failed again has these from the first time: they must not pile up. */
static bool is_ours(struct bytes name)
{
    return begins(name, "weir.error.") || begins(name, "weir.source.") || begins(name, "weir.attempts") ||
           begins(name, "weir.service") || begins(name, TRUNCATED);
}

static void add_number(rd_kafka_headers_t *headers, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    kafka_headers_add(headers, name, text);
}

static rd_kafka_headers_t *make_headers(const struct batch *batch, const struct record *record, const char *service)
{
    rd_kafka_headers_t *headers = kafka_headers_new(record->headers, OUR_HEADERS, is_ours);
    const struct failure *failure = record->failure;
    kafka_headers_add(headers, "weir.error.stage", failure->stage);
    kafka_headers_add(headers, "weir.error.class", failure->class);
    kafka_headers_add(headers, "weir.error.message", failure->message);
    kafka_headers_add(headers, "weir.source.topic", batch->topic);
    add_number(headers, "weir.source.partition", batch->partition);
    add_number(headers, "weir.source.offset", record->offset);
    add_number(headers, "weir.source.timestamp", record->timestamp);
    add_number(headers, "weir.attempts", record->attempts + 1);
    kafka_headers_add(headers, "weir.service", service);
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
    (void)rd_kafka_header_remove(letter->headers, TRUNCATED);
    add_number(letter->headers, TRUNCATED, (int64_t)letter->original_size);
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
