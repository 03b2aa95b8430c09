/*
 * The ceiling that weir's Postgres store is measured against: a bare libpq client that makes the same rows out of nothing and has the server store as many of
 * them in one transaction, by the same means: COPY BINARY, for upsert into a temporary table and from there by INSERT ... ON CONFLICT.
 *
 *   postgres_ceiling CONNINFO TABLE append|upsert RECORDS FLUSH
 */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/kafka.h"
#include "tests/support/orders.h"

enum { CHUNK = 256 * 1024, ROW_ROOM = 256, PARTITIONS = 6, BATCH = 1024 };

static const char COPY_SIGNATURE[] =
    "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"; /* COPY's manual page: signature, flags, no header extension */

struct client {
    PGconn *connection;
    char chunk[CHUNK];
    size_t used;
};

static void run(struct client *client, const char *sql, ExecStatusType expected)
{
    PGresult *result = PQexec(client->connection, sql);
    if (PQresultStatus(result) != expected)
        kafka_die("postgres_ceiling: %s: %s", sql, PQerrorMessage(client->connection));
    PQclear(result);
}

static void put(struct client *client, const void *data, size_t size)
{
    memcpy(client->chunk + client->used, data, size);
    client->used += size;
}

static void put_number(struct client *client, uint64_t number, unsigned size)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
    put(client, bytes, size);
}

static void put_text(struct client *client, const char *text, size_t size)
{
    put_number(client, size, 4);
    put(client, text, size);
}

static void send_chunk(struct client *client)
{
    if (PQputCopyData(client->connection, client->chunk, (int)client->used) != 1)
        kafka_die("postgres_ceiling: %s", PQerrorMessage(client->connection));
    client->used = 0;
}

/* Which order comes at this place when a batch is taken from each partition in turn, as weir does: an index cares much about the order of its keys. The rest
 * that makes no whole turn comes as it is. */
static uint64_t id_at(uint64_t place, uint64_t records)
{
    uint64_t turn = place / (PARTITIONS * BATCH), in_turn = place % (PARTITIONS * BATCH);
    if ((turn + 1) * PARTITIONS * BATCH > records)
        return place;
    return (turn * BATCH + in_turn % BATCH) * PARTITIONS + in_turn / BATCH;
}

static void put_row(struct client *client, uint64_t id)
{
    struct orders_fields fields;
    char source[64];
    uint64_t total;
    orders_get_fields(id, &fields);
    memcpy(&total, &fields.total, sizeof total);
    int source_size = snprintf(source, sizeof source, "orders/%d/%llu", (int)(id % PARTITIONS),
                               (unsigned long long)(id / PARTITIONS));
    put_number(client, 4, 2);
    put_text(client, fields.id, ORDER_ID_SIZE);
    put_text(client, fields.tier, strlen(fields.tier));
    put_number(client, 8, 4);
    put_number(client, total, 8);
    put_text(client, source, (size_t)source_size);
    if (client->used > CHUNK - ROW_ROOM)
        send_chunk(client);
}

static void copy(struct client *client, const char *sql, uint64_t from, uint64_t to, uint64_t records)
{
    run(client, sql, PGRES_COPY_IN);
    put(client, COPY_SIGNATURE, 19);
    for (uint64_t place = from; place < to; place++)
        put_row(client, id_at(place, records));
    put_number(client, 0xffff, 2);
    send_chunk(client);
    if (PQputCopyEnd(client->connection, NULL) != 1)
        kafka_die("postgres_ceiling: %s", PQerrorMessage(client->connection));
    for (PGresult *result; (result = PQgetResult(client->connection)) != NULL; PQclear(result)) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            kafka_die("postgres_ceiling: %s", PQerrorMessage(client->connection));
    }
}

int main(int argc, char **argv)
{
    static struct client client;
    char into[256], merge[512];
    if (argc != 6)
        kafka_die("usage: postgres_ceiling CONNINFO TABLE append|upsert RECORDS FLUSH");
    bool upsert = strcmp(argv[3], "upsert") == 0;
    uint64_t records = strtoull(argv[4], NULL, 10), flush = strtoull(argv[5], NULL, 10);
    client.connection = PQconnectdb(argv[1]);
    if (PQstatus(client.connection) != CONNECTION_OK || flush == 0)
        kafka_die("postgres_ceiling: %s", PQerrorMessage(client.connection));
    snprintf(into, sizeof into, "COPY %s (order_id, tier, total, source) FROM STDIN (FORMAT binary)",
             upsert ? "rows" : argv[2]);
    snprintf(merge, sizeof merge,
             "INSERT INTO %s SELECT * FROM rows ON CONFLICT (order_id) DO UPDATE SET tier = excluded.tier, total = "
             "excluded.total, source = excluded.source",
             argv[2]);
    if (upsert)
        run(&client,
            "CREATE TEMPORARY TABLE rows (order_id text, tier text, total double precision, source text) ON COMMIT "
            "DELETE ROWS",
            PGRES_COMMAND_OK);
    for (uint64_t from = 0; from < records; from += flush) {
        run(&client, "BEGIN", PGRES_COMMAND_OK);
        copy(&client, into, from, from + flush < records ? from + flush : records, records);
        if (upsert)
            run(&client, merge, PGRES_COMMAND_OK);
        run(&client, "COMMIT", PGRES_COMMAND_OK);
    }
    PQfinish(client.connection);
    return 0;
}
