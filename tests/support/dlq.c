#include "tests/support/dlq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/support/scene.h"

const char *const DLQ_RUN[] = {"run", "weir.yaml", "--exit-at-end", "--receipt", "receipt.json", NULL};

void dlq_configure(const struct process *process, const char *name, const char *letters, const char *more)
{
    char rest[2048];
    snprintf(
        rest, sizeof rest,
        "%sadmin: false\n"
        "stages:\n"
        "  - decode: {format: json}\n"
        "  - enrich:\n"
        "      - lookup: {table: customers.csv, match: customer_id, column: id, fields: [name], on_missing: reject}\n"
        "  - store:\n"
        "      sqlite: {path: orders.db, table: orders, mode: upsert, key: [order_id],\n"
        "               columns: {order_id: .order_id, name: .name, total: .total,\n"
        "                         source: \"{{topic}}/{{partition}}/{{offset}}\", trace: \"{{header.trace}}\",\n"
        "                         failed: \"{{header.weir.error.class}}\", at: \"{{timestamp}}\"}}\n"
        "errors:\n"
        "  dead_letter: {topic: %s.dlq}\n",
        more, letters);
    scene_config(process, name, rest);
}

static void send_orders(const char *topic)
{
    for (int i = 0; i < DLQ_ORDERS; i++) {
        char value[128], key[32];
        snprintf(key, sizeof key, "k-%d", i);
        snprintf(value, sizeof value, "{\"order_id\": \"o-%d\", \"customer_id\": \"c-%d\", \"total\": %d.5}", i,
                 i % DLQ_EVERY == 7 ? 2 : i % 2, i);
        scene_send(topic, i % 3, key, value);
    }
    scene_flush();
}

void dlq_fix_table(const struct process *process)
{
    process_file(process, "customers.csv", "id,name,tier\nc-0,Ada,gold\nc-1,Bo,silver\nc-2,Cy,iron\n");
}

void dlq_begin(struct process *process, const char *name, const char *more)
{
    char letters[64];
    process_init(process, name);
    snprintf(letters, sizeof letters, "%s.dlq", name);
    kafka_make_topic(scene_producer, name, 3);
    kafka_make_topic(scene_producer, letters, 2);
    send_orders(name);
    dlq_configure(process, name, name, more);
    assert_int_equal(process_run(process, DLQ_RUN), 0);
    assert_int_equal(process_number(process, "receipt.json", "dead_lettered"), DLQ_BAD);
    assert_int_equal(scene_query(process, "select count(*) from orders", NULL, 0), DLQ_ORDERS - DLQ_BAD);
}

void dlq_assert_all_stored(const struct process *process, const char *topic)
{
    char sql[256];
    assert_int_equal(scene_query(process, "select count(*) from orders", NULL, 0), DLQ_ORDERS);
    assert_int_equal(scene_query(process, "select count(distinct source) from orders", NULL, 0), DLQ_ORDERS);
    snprintf(sql, sizeof sql,
             "select count(*) from orders where source like '%s/_/%%' and trace = 't-1' and failed is null and "
             "at = '2023-11-14T22:13:20.123Z'",
             topic);
    assert_int_equal(scene_query(process, sql, NULL, 0), DLQ_ORDERS);
    assert_int_equal(scene_query(process, "select count(*) from orders where name = 'Cy'", NULL, 0), DLQ_BAD);
}
