#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "processor/log.h"
#include "tests/support/counted.h"
#include "tests/support/looked_up.h"

static int64_t reloads(struct looked_up *fixture)
{
    return looked_up_metric(fixture, METRIC_COUNTER, "weir_lookup_reloads_total");
}

static int64_t failures(struct looked_up *fixture)
{
    return looked_up_metric(fixture, METRIC_COUNTER, "weir_lookup_reload_failures_total");
}

static void wait_until(int64_t (*count)(struct looked_up *fixture), struct looked_up *fixture, int64_t least)
{
    int64_t deadline = clock_now() + 20 * CLOCK_SECOND;
    while (count(fixture) < least) {
        assert_true(clock_now() < deadline);
        usleep(1000);
    }
}

static const char LIVE[] = "{table: t.csv, match: customer_id, fields: [name], reload: 5ms}";

static void a_replaced_file_is_loaded_and_older_batches_keep_what_they_have(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, LIVE);
    struct batch *before = records_batch(&fixture->staged.records);
    struct record *record = records_add_json(before, "{\"customer_id\": \"c-1\"}");
    staged_process(&fixture->staged, before);
    looked_up_replace(fixture, "customer_id,name\nc-1,Anna Lena\nc-2,Carl\nc-3,Dora\n");
    wait_until(reloads, fixture, 1);
    looked_up_ask(fixture, "{\"customer_id\": \"c-1\"}", "{\"customer_id\": \"c-1\",\"name\":\"Anna Lena\"}");
    assert_int_equal(looked_up_metric(fixture, METRIC_GAUGE, "weir_lookup_rows"), 3);
    assert_string_equal(staged_answer(&fixture->staged, before, record),
                        "{\"customer_id\": \"c-1\",\"name\":\"Anna\"}");
    batch_free(before);
    assert_int_equal(failures(fixture), 0);
    staged_fini(&fixture->staged);
}

static void a_file_that_is_written_in_place_is_loaded_too(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, LIVE);
    /* Of the same size, in the same inode. */
    FILE *file = fopen(fixture->path, "r+");
    assert_non_null(file);
    assert_true(fputs("customer_id,name,tier,\"odd.name\"\nc-1,Emma", file) >= 0);
    assert_int_equal(fclose(file), 0);
    wait_until(reloads, fixture, 1);
    looked_up_ask(fixture, "{\"customer_id\": \"c-1\"}", "{\"customer_id\": \"c-1\",\"name\":\"Emma\"}");
    staged_fini(&fixture->staged);
}

static void a_broken_file_leaves_the_old_table_in_use_until_it_is_mended(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, LIVE);
    looked_up_replace(fixture, "customer_id,name\nc-1,\"Anna\n");
    wait_until(failures, fixture, 1);
    looked_up_ask(fixture, "{\"customer_id\": \"c-1\"}", "{\"customer_id\": \"c-1\",\"name\":\"Anna\"}");
    assert_int_equal(reloads(fixture), 0);
    assert_int_equal(looked_up_metric(fixture, METRIC_GAUGE, "weir_lookup_rows"), 2);
    looked_up_replace(fixture, "customer_id,name\nc-1,Frida\n");
    wait_until(reloads, fixture, 1);
    looked_up_ask(fixture, "{\"customer_id\": \"c-1\"}", "{\"customer_id\": \"c-1\",\"name\":\"Frida\"}");
    assert_int_equal(failures(fixture), 1); /* a broken file is read once */
    staged_fini(&fixture->staged);
}

static void a_file_that_is_gone_leaves_the_old_table_in_use_until_it_is_back(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, LIVE);
    assert_int_equal(unlink(fixture->path), 0);
    wait_until(failures, fixture, 2);
    looked_up_ask(fixture, "{\"customer_id\": 42}", "{\"customer_id\": 42,\"name\":\"Ben\"}");
    looked_up_replace(fixture, "customer_id,name\n42,Gustav\n");
    wait_until(reloads, fixture, 1);
    looked_up_ask(fixture, "{\"customer_id\": 42}", "{\"customer_id\": 42,\"name\":\"Gustav\"}");
    staged_fini(&fixture->staged);
}

static void the_thread_ends_with_the_stage_and_reload_0s_needs_none(void **state)
{
    struct looked_up *fixture = *state;
    unsigned before = count_threads();
    looked_up_begin(fixture, LIVE);
    assert_int_equal(count_threads(), before + 1);
    staged_fini(&fixture->staged);
    /* A joined thread's entry may outlive the join by a moment. */
    int64_t deadline = clock_now() + 10 * CLOCK_SECOND;
    while (count_threads() > before)
        assert_true(clock_now() < deadline);
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [name], reload: 0s}");
    assert_int_equal(count_threads(), before);
    staged_fini(&fixture->staged);
}

static void a_long_interval_does_not_delay_the_end(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [name], reload: 1h}");
    int64_t start = clock_now();
    staged_fini(&fixture->staged);
    assert_true(clock_now() - start < 30 * CLOCK_SECOND);
}

enum { READERS = 3, ROWS = 200, VERSIONS = 8 };

struct reader {
    pthread_t thread;
    struct looked_up *fixture;
    struct records records;
    atomic_bool *stop;
    unsigned batches;
    bool mixed; /* rows of two tables in one batch */
};

static void *read_on(void *arg)
{
    struct reader *reader = arg;
    while (!atomic_load(reader->stop)) {
        struct batch *batch = records_batch(&reader->records);
        for (int i = 0; i < ROWS; i++) {
            char json[32];
            snprintf(json, sizeof json, "{\"customer_id\":\"%d\"}", i);
            records_add_json(batch, json);
        }
        lookup_stage.process(reader->fixture->staged.stage, NULL, batch);
        const char *first = strstr(records_encode(batch, &batch->records[0]), "\"name\"");
        for (uint32_t i = 0; i < batch->count; i++) {
            const char *name = strstr(records_encode(batch, &batch->records[i]), "\"name\"");
            reader->mixed |= name == NULL || first == NULL || strcmp(name, first) != 0;
        }
        reader->batches++;
        batch_free(batch);
    }
    return NULL;
}

/* All rows say which version they are of. */
static void write_version(const struct looked_up *fixture, unsigned version)
{
    char text[ROWS * 16 + 64];
    size_t used = (size_t)sprintf(text, "customer_id,name\n");
    for (int i = 0; i < ROWS; i++)
        used += (size_t)sprintf(text + used, "%d,v%u\n", i, version);
    looked_up_replace(fixture, text);
}

static void workers_see_one_table_a_batch_while_it_is_replaced_again_and_again(void **state)
{
    struct looked_up *fixture = *state;
    write_version(fixture, 0);
    staged_init(&fixture->staged, &lookup_stage, fixture->dir,
                "{table: t.csv, match: customer_id, fields: [name], on_missing: reject, reload: 2ms}");
    struct reader readers[READERS];
    atomic_bool stop = false;
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.fixture = fixture, .stop = &stop};
        records_init(&readers[i].records);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (unsigned version = 1; version <= VERSIONS; version++) {
        write_version(fixture, version);
        wait_until(reloads, fixture, version);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_false(readers[i].mixed);
        assert_true(readers[i].batches > 0);
        records_fini(&readers[i].records);
    }
    assert_int_equal(looked_up_misses(fixture), 0);
    assert_int_equal(failures(fixture), 0);
    staged_fini(&fixture->staged);
}

int main(void)
{
    log_set(LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_replaced_file_is_loaded_and_older_batches_keep_what_they_have,
                                        looked_up_set_up, looked_up_tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_written_in_place_is_loaded_too, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(a_broken_file_leaves_the_old_table_in_use_until_it_is_mended, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_gone_leaves_the_old_table_in_use_until_it_is_back,
                                        looked_up_set_up, looked_up_tear_down),
        cmocka_unit_test_setup_teardown(the_thread_ends_with_the_stage_and_reload_0s_needs_none, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(a_long_interval_does_not_delay_the_end, looked_up_set_up, looked_up_tear_down),
        cmocka_unit_test_setup_teardown(workers_see_one_table_a_batch_while_it_is_replaced_again_and_again,
                                        looked_up_set_up, looked_up_tear_down),
    };
    return cmocka_run_group_tests_name("lookup_live", tests, NULL, NULL);
}
