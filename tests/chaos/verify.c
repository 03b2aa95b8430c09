/*
 * The oracle: is every order that was produced in a store or in the dead-letter topic, as it was sent?
 *
 * missing     in neither: never allowed
 * spurious    what was not produced, or a broken order in a store, or a good one among the dead letters: never allowed
 * corrupted   there, but not as it was sent, or with a wrong place or wrong headers: never allowed
 * inversions  first deliveries of a partition that are not in the order of its offsets: never allowed
 * duplicates  counted; more than --duplicates (stores) or --dead-duplicates (dead letters) are not allowed
 * lag         between committed and end offsets of the group: must be 0
 *
 * The topic was filled by tests/bench/produce from id 0 on: the order `id` lies in partition id % partitions at offset id / partitions.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/kafka.h"
#include "tests/support/options.h"
#include "tests/support/orders.h"

static const char USAGE[] =
    "usage: verify --brokers B --topic T --group G --dead-letters T --records N [--broken PPM] [--partitions 6]\n"
    "              [--duplicates MAX] [--dead-duplicates MAX] STORE...\n"
    "STORE: an SQLite database, or NAME.tsv with order, customer, tier, total, partition and offset in each line\n";

enum { MAX_STORES = 16, MAX_PARTITIONS = 1024, EXAMPLES = 5 };

struct oracle {
    const char *brokers, *topic, *group, *dead_letters, *stores[MAX_STORES];
    unsigned store_count;
    uint64_t records, ppm, partitions, max_duplicates, max_dead_duplicates;
    uint8_t *seen; /* by id: how often, in stores and among the dead letters */
    int64_t last[MAX_PARTITIONS];
    uint64_t stored, dead, missing, spurious, corrupted, inversions, duplicates, dead_duplicates, lag, shown;
};

/* Counts it and, of the first few, says which. */
static void found(struct oracle *oracle, uint64_t *count, const char *what, const char *place, const char *text)
{
    (*count)++;
    if (oracle->shown++ < EXAMPLES)
        fprintf(stderr, "verify: %s in %s: %s\n", what, place, text);
}

static void note_seen(struct oracle *oracle, uint64_t id, uint64_t *duplicates)
{
    if (oracle->seen[id] > 0)
        (*duplicates)++;
    if (oracle->seen[id] < UINT8_MAX)
        oracle->seen[id]++;
}

/* -- stores -- */

/* A row as text, in the order of the usage. */
enum { ORDER, CUSTOMER, TIER, TOTAL, PARTITION, OFFSET, COLUMNS };

static void check_row(struct oracle *oracle, const char *path, const char *const row[COLUMNS])
{
    struct orders_fields fields;
    uint64_t id;
    if (!orders_parse_id(row[ORDER], strlen(row[ORDER]), &id) || id >= oracle->records ||
        orders_is_broken(id, (unsigned)oracle->ppm)) {
        found(oracle, &oracle->spurious, "spurious", path, row[ORDER]);
        return;
    }
    orders_get_fields(id, &fields);
    uint64_t partition = id % oracle->partitions;
    int64_t offset = (int64_t)(id / oracle->partitions);
    if (strcmp(row[CUSTOMER], fields.customer) != 0 || strcmp(row[TIER], fields.tier) != 0 ||
        strtod(row[TOTAL], NULL) != fields.total || strtoull(row[PARTITION], NULL, 10) != partition ||
        strtoll(row[OFFSET], NULL, 10) != offset)
        found(oracle, &oracle->corrupted, "corrupted", path, row[ORDER]);
    if (oracle->seen[id] == 0) {
        if (offset < oracle->last[partition])
            found(oracle, &oracle->inversions, "out of order", path, row[ORDER]);
        oracle->last[partition] = offset;
    }
    note_seen(oracle, id, &oracle->duplicates);
    oracle->stored++;
}

static void check_database_row(struct oracle *oracle, const char *path, sqlite3_stmt *statement)
{
    const char *row[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        const unsigned char *text = sqlite3_column_text(statement, i);
        row[i] = text != NULL ? (const char *)text : "";
    }
    check_row(oracle, path, row);
}

static void check_database(struct oracle *oracle, const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *rows = NULL;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    /* A member that never had a partition has no table. */
    bool empty = code == SQLITE_OK &&
                 sqlite3_table_column_metadata(db, NULL, "orders", NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_ERROR;
    if (code == SQLITE_OK && !empty)
        code = sqlite3_prepare_v2(
            db, "SELECT order_id, customer_id, tier, total, partition, offset FROM orders ORDER BY rowid", -1, &rows,
            NULL);
    while (code == SQLITE_OK && !empty) {
        code = sqlite3_step(rows);
        if (code == SQLITE_ROW) {
            check_database_row(oracle, path, rows);
            code = SQLITE_OK;
        }
    }
    if (code != SQLITE_DONE && !empty)
        kafka_die("verify: %s: %s", path, sqlite3_errmsg(db));
    sqlite3_finalize(rows);
    sqlite3_close(db);
}

static void check_text(struct oracle *oracle, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[4096];
    if (file == NULL)
        kafka_die("verify: cannot read %s", path);
    while (fgets(line, sizeof line, file) != NULL) {
        const char *row[COLUMNS];
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < COLUMNS; i++) {
            const char *column = strsep(&rest, "\t");
            row[i] = column != NULL ? column : "";
        }
        check_row(oracle, path, row);
    }
    if (ferror(file))
        kafka_die("verify: cannot read %s to its end", path);
    fclose(file);
}

static void check_store(struct oracle *oracle, const char *path)
{
    const char *dot = strrchr(path, '.');
    /* In one store a partition may go away and come back, never run backwards. */
    memset(oracle->last, 0xff, sizeof oracle->last);
    if (dot != NULL && strcmp(dot, ".tsv") == 0)
        check_text(oracle, path);
    else
        check_database(oracle, path);
}

/* -- dead letters -- */

static bool header_is(const rd_kafka_headers_t *headers, const char *name, const char *expected)
{
    const void *value;
    size_t size;
    return !rd_kafka_header_get_last(headers, name, &value, &size) && value != NULL &&
           (expected == NULL ? size > 0 : size == strlen(expected) && memcmp(value, expected, size) == 0);
}

static bool headers_are_right(const struct oracle *oracle, const rd_kafka_message_t *message, uint64_t id)
{
    rd_kafka_headers_t *headers;
    char partition[24], offset[24];
    if (rd_kafka_message_headers(message, &headers))
        return false;
    snprintf(partition, sizeof partition, "%llu", (unsigned long long)(id % oracle->partitions));
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)(id / oracle->partitions));
    return header_is(headers, "weir.error.stage", "decode") && header_is(headers, "weir.error.class", "json") &&
           header_is(headers, "weir.error.message", NULL) && header_is(headers, "weir.source.topic", oracle->topic) &&
           header_is(headers, "weir.source.partition", partition) && header_is(headers, "weir.source.offset", offset) &&
           header_is(headers, "weir.source.timestamp", NULL) && header_is(headers, "weir.service", NULL);
}

static void check_dead_letter(const rd_kafka_message_t *message, void *arg)
{
    struct oracle *oracle = arg;
    uint8_t expected[ORDER_SIZE];
    uint64_t id;
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)message->key_len, message->key != NULL ? (const char *)message->key : "");
    if (!orders_parse_id(key, strlen(key), &id) || id >= oracle->records ||
        !orders_is_broken(id, (unsigned)oracle->ppm)) {
        found(oracle, &oracle->spurious, "spurious", oracle->dead_letters, key);
        return;
    }
    size_t size = orders_write(id, true, expected);
    if (message->len != size || memcmp(message->payload, expected, size) != 0 ||
        !headers_are_right(oracle, message, id))
        found(oracle, &oracle->corrupted, "corrupted", oracle->dead_letters, key);
    note_seen(oracle, id, &oracle->dead_duplicates);
    oracle->dead++;
}

/* -- all of it -- */

static void check_missing(struct oracle *oracle)
{
    for (uint64_t id = 0; id < oracle->records; id++) {
        struct orders_fields fields;
        if (oracle->seen[id] > 0)
            continue;
        orders_get_fields(id, &fields);
        found(oracle, &oracle->missing, "missing",
              orders_is_broken(id, (unsigned)oracle->ppm) ? "dead letters" : "stores", fields.id);
    }
}

static void check_offsets(struct oracle *oracle)
{
    const struct kafka_property properties[] = {{"group.id", oracle->group}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_CONSUMER, oracle->brokers, properties, NULL);
    uint64_t produced = 0;
    for (uint64_t i = 0; i < oracle->partitions; i++) {
        int64_t first, end, committed = kafka_committed(rk, oracle->topic, (int32_t)i);
        kafka_ends(rk, oracle->topic, (int32_t)i, &first, &end);
        produced += (uint64_t)end;
        if (committed != end)
            fprintf(stderr, "verify: %s/%llu: committed %lld, the end is %lld\n", oracle->topic, (unsigned long long)i,
                    (long long)committed, (long long)end);
        oracle->lag += (uint64_t)(end > committed ? end - committed : committed - end);
    }
    rd_kafka_destroy(rk);
    if (produced != oracle->records)
        kafka_die("verify: %s has %llu records, not %llu: the run does not count", oracle->topic,
                  (unsigned long long)produced, (unsigned long long)oracle->records);
}

static bool report(const struct oracle *oracle)
{
    bool good = oracle->missing == 0 && oracle->spurious == 0 && oracle->corrupted == 0 && oracle->inversions == 0 &&
                oracle->lag == 0 && oracle->duplicates <= oracle->max_duplicates &&
                oracle->dead_duplicates <= oracle->max_dead_duplicates;
    printf("verify: %s: produced=%llu stored=%llu dead_lettered=%llu missing=%llu spurious=%llu corrupted=%llu "
           "inversions=%llu "
           "duplicates=%llu dead_duplicates=%llu lag=%llu\n",
           good ? "good" : "NOT GOOD", (unsigned long long)oracle->records, (unsigned long long)oracle->stored,
           (unsigned long long)oracle->dead, (unsigned long long)oracle->missing, (unsigned long long)oracle->spurious,
           (unsigned long long)oracle->corrupted, (unsigned long long)oracle->inversions,
           (unsigned long long)oracle->duplicates, (unsigned long long)oracle->dead_duplicates,
           (unsigned long long)oracle->lag);
    return good;
}

static void parse(int argc, char **argv, struct oracle *oracle)
{
    const struct option_target targets[] = {
        {"brokers", &oracle->brokers, NULL},
        {"topic", &oracle->topic, NULL},
        {"group", &oracle->group, NULL},
        {"dead-letters", &oracle->dead_letters, NULL},
        {"records", NULL, &oracle->records},
        {"broken", NULL, &oracle->ppm},
        {"partitions", NULL, &oracle->partitions},
        {"duplicates", NULL, &oracle->max_duplicates},
        {"dead-duplicates", NULL, &oracle->max_dead_duplicates},
        {NULL, NULL, NULL},
    };
    for (int i = options_parse(argc, argv, targets, USAGE); i < argc && oracle->store_count < MAX_STORES; i++)
        oracle->stores[oracle->store_count++] = argv[i];
    if (oracle->brokers == NULL || oracle->topic == NULL || oracle->group == NULL || oracle->dead_letters == NULL ||
        oracle->records == 0 || oracle->partitions == 0 || oracle->partitions > MAX_PARTITIONS ||
        oracle->store_count == 0)
        kafka_die("%s", USAGE);
}

int main(int argc, char **argv)
{
    struct oracle oracle = {.partitions = 6};
    parse(argc, argv, &oracle);
    oracle.seen = calloc(oracle.records, 1);
    if (oracle.seen == NULL)
        kafka_die("verify: no memory");
    for (unsigned i = 0; i < oracle.store_count; i++)
        check_store(&oracle, oracle.stores[i]);
    kafka_read_topic(oracle.brokers, oracle.dead_letters, check_dead_letter, &oracle);
    check_missing(&oracle);
    check_offsets(&oracle);
    free(oracle.seen);
    return report(&oracle) ? 0 : 1;
}
