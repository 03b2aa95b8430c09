/* A topic that was deleted and made anew, with as many records of the same times: neither an archive nor a replay takes it for the one before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/kafka.h"
#include "tests/support/process.h"
#include "tests/support/scene.h"

enum { ORDERS = 20 };

static const char TO_SQLITE[] =
    "stages:\n  - decode: {}\n  - store: {sqlite: {path: orders.db, table: orders, columns: "
    "{order_id: .order_id}}}\n";

static void make(const char *topic)
{
    kafka_make_topic(scene_producer, topic, 1);
    scene_send_orders(topic, 1, ORDERS);
}

static void set_up(struct process *process, const char *topic)
{
    process_init(process, topic);
    scene_config(process, topic, TO_SQLITE);
    make(topic);
}

static int archive(struct process *process, const char *dir)
{
    return process_run(process, (const char *const[]){"archive", "weir.yaml", "--dir", dir, "--quiet", "--receipt",
                                                      "receipt.json", "--execute", NULL});
}

static void an_archive_of_the_one_before_is_refused(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "anew-archive");
    assert_int_equal(archive(&process, "old"), 0);
    assert_int_equal(archive(&process, "old"), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 0);
    scene_delete_topic("anew-archive");
    make("anew-archive");
    assert_int_equal(archive(&process, "old"), 1);
    assert_holds(&process, "stderr", "has records of an earlier topic anew-archive: it was deleted and made anew");
    assert_int_equal(archive(&process, "new"), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), ORDERS);
    process_fini(&process);
}

/* The brokers forget the offsets of a deleted topic, those of a replay too. */
static void a_replay_of_the_one_before_is_forgotten(void **state)
{
    (void)state;
    static const char *const SOME[] = {"replay", "weir.yaml", "--name",    "x", "--max-records",
                                       "5",      "--quiet",   "--execute", NULL};
    static const char *const ALL[] = {"replay", "weir.yaml", "--name", "x", "--quiet", "--execute", NULL};
    struct process process;
    set_up(&process, "anew-replay");
    assert_int_equal(process_run(&process, SOME), 0);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), 5);
    scene_delete_topic("anew-replay");
    make("anew-replay");
    assert_int_equal(process_run(&process, ALL), 0);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), 5 + ORDERS);
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_archive_of_the_one_before_is_refused),
        cmocka_unit_test(a_replay_of_the_one_before_is_forgotten),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
