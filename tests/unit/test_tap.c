/* Taps: what is shown of records that pass, what is counted of those that are not, and that nobody waits for who looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"
#include "processor/tap.h"
#include "processor/where.h"
#include "tests/support/memory.h"
#include "tests/support/records.h"

struct fixture {
    struct records records;
    struct metrics *metrics;
    struct taps *taps;
    struct tap_point *point;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    records_init(&f->records);
    f->metrics = metrics_new();
    f->taps = taps_new(f->metrics);
    f->point = taps_point(f->taps, "decode", TAP_STAGE);
    assert_non_null(f->point);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(atomic_load(&f->point->watched), 0);
    taps_free(f->taps);
    metrics_free(f->metrics);
    records_fini(&f->records);
    free(f);
    return 0;
}

static struct tap *open_tap(struct fixture *f, const char *stage, const struct tap_options *options)
{
    struct tap *tap;
    struct error error = {0};
    if (tap_open(f->taps, stage, options, &tap, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    return tap;
}

static struct where *where(const char *text)
{
    struct where *result;
    unsigned at;
    const char *why;
    assert_int_equal(where_parse(text, WHERE_ALLOW_PATHS, &result, &at, &why), STATUS_OK);
    return result;
}

/* All that is in the ring, zero-terminated; each line is asserted to be valid JSON. */
static const char *read_all(struct fixture *f, struct tap *tap)
{
    static char text[TAP_RING * 1024];
    uint64_t lines;
    size_t used = 0, size;
    while ((size = tap_read(tap, text + used, sizeof text - 1 - used, UINT64_MAX, &lines)) > 0)
        used += size;
    text[used] = '\0';
    struct batch *batch = records_batch(&f->records);
    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n") + 1) {
        char line[TAP_LINE_MAX + 1];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        records_add_json(batch, line);
    }
    batch_free(batch);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no %s in: %s", part, text);
}

static struct batch *orders(struct fixture *f, unsigned count)
{
    struct batch *batch = records_batch(&f->records);
    for (unsigned i = 0; i < count; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"id\": %u}", i);
        records_add_json(batch, json);
    }
    return batch;
}

/* -- what is shown -- */

static void a_record_is_shown_with_its_answer(void **state)
{
    struct fixture *f = *state;
    struct tap *tap = open_tap(f, "decode", &(struct tap_options){0});
    struct batch *batch = orders(f, 4);
    batch->records[0].key = bytes_of_string("k\"0");
    batch->records[0].timestamp = 1700000000123;
    records_header(batch, &batch->records[0], "tenant", "acme");
    records_header(batch, &batch->records[0], "none", NULL);
    batch_drop(&batch->records[1]);
    batch_reject(batch, &batch->records[2], "json", "expected a value at %d", 7);
    batch->records[3].answer = STAGE_SETTLED;
    tap_look(f->point, batch, TAP_ALL);
    batch_free(batch);
    assert_string_equal(
        read_all(f, tap),
        "{\"stage\":\"decode\",\"answer\":\"forwarded\",\"topic\":\"orders\",\"partition\":0,\"offset\":0,"
        "\"timestamp\":1700000000123,\"key\":\"k\\\"0\",\"headers\":[{\"name\":\"tenant\",\"value\":\"acme\"},{"
        "\"name\":\"none\",\"value\":null}],\"document\":{"
        "\"id\": 0}}\n"
        "{\"stage\":\"decode\",\"answer\":\"dropped\",\"topic\":\"orders\",\"partition\":0,\"offset\":1,\"key\":null,"
        "\"document\":{\"id\": 1}}\n"
        "{\"stage\":\"decode\",\"answer\":\"rejected\",\"class\":\"json\",\"message\":\"expected a value at 7\","
        "\"topic\":\"orders\",\"partition\":0,\"offset\":2,\"key\":null,\"document\":{\"id\": 2}}\n");
    tap_close(tap);
}

static void a_store_says_stored(void **state)
{
    struct fixture *f = *state;
    struct tap_point *store = taps_point(f->taps, "sqlite", TAP_STORE);
    struct tap *tap = open_tap(f, "sqlite", &(struct tap_options){0});
    struct batch *batch = orders(f, 2);
    batch_reject(batch, &batch->records[1], "constraint", "not unique");
    tap_look(store, batch, TAP_STOPPED);
    assert_has(read_all(f, tap), "\"answer\":\"rejected\",\"class\":\"constraint\"");
    tap_look(store, batch, TAP_FORWARD);
    const char *text = read_all(f, tap);
    assert_has(text, "\"answer\":\"stored\"");
    assert_null(strstr(text, "rejected"));
    batch_free(batch);
    tap_close(tap);
}

/* -- which are shown -- */

static void only_what_is_asked_for_is_shown(void **state)
{
    struct fixture *f = *state;
    struct tap_counts counts;
    struct tap *tap = open_tap(f, "decode", &(struct tap_options){.where = where(".id=3"), .answers = TAP_FORWARDED});
    struct batch *batch = orders(f, 5);
    tap_look(f->point, batch, TAP_ALL);
    batch_drop(&batch->records[3]);
    tap_look(f->point, batch, TAP_ALL);
    batch_free(batch);
    const char *text = read_all(f, tap);
    assert_has(text, "\"document\":{\"id\": 3}}\n");
    assert_int_equal(strcspn(text, "\n") + 1, strlen(text));
    tap_get_counts(tap, &counts);
    assert_int_equal(counts.passed, 10);
    assert_int_equal(counts.matched, 1);
    assert_int_equal(counts.taken, 1);
    tap_close(tap);
}

static void each_so_many_th_is_shown_across_batches(void **state)
{
    struct fixture *f = *state;
    struct tap_counts counts;
    struct tap *tap = open_tap(f, "decode", &(struct tap_options){.every = 100});
    for (int i = 0; i < 35; i++) {
        struct batch *batch = orders(f, 10);
        tap_look(f->point, batch, TAP_ALL);
        batch_free(batch);
    }
    tap_get_counts(tap, &counts);
    assert_int_equal(counts.passed, 350);
    assert_int_equal(counts.matched, 350);
    assert_int_equal(counts.taken, 4);
    assert_int_equal(counts.over_rate, 0);
    tap_close(tap);
}

static void no_more_than_the_rate_is_shown(void **state)
{
    struct fixture *f = *state;
    struct tap_counts counts;
    struct tap *tap = open_tap(f, "decode", &(struct tap_options){.rate = 1});
    int64_t began = clock_now();
    for (int i = 0; i < 10; i++) {
        struct batch *batch = orders(f, 100);
        tap_look(f->point, batch, TAP_ALL);
        batch_free(batch);
    }
    int64_t seconds = (clock_now() - began) / CLOCK_SECOND;
    tap_get_counts(tap, &counts);
    assert_in_range(counts.taken, 1, 1 + seconds);
    assert_int_equal(counts.taken + counts.over_rate, 1000);
    tap_close(tap);
}

static void no_more_than_the_limit_are_looked_at(void **state)
{
    struct fixture *f = *state;
    struct tap_counts counts;
    struct tap *tap = open_tap(f, "decode", &(struct tap_options){.where = where("key=nothing")});
    struct batch *batch = orders(f, 1000);
    int64_t began = clock_now();
    for (int i = 0; i < 200; i++)
        tap_look(f->point, batch, TAP_ALL);
    int64_t took = clock_now() - began;
    batch_free(batch);
    tap_get_counts(tap, &counts);
    assert_int_equal(counts.passed, 200000);
    assert_true(counts.unlooked > 0);
    assert_true((int64_t)(counts.passed - counts.unlooked) <= (took + 200 * CLOCK_MS) / (CLOCK_SECOND / TAP_LOOKS));
    assert_int_equal(counts.matched, 0);
    tap_close(tap);
}

/* The biggest is looked at as well, but less often. */
static void big_records_count_for_several(void **state)
{
    struct fixture *f = *state;
    struct tap_counts counts = {0};
    struct tap *tap = open_tap(f, "decode", &(struct tap_options){.where = where(".id=1")});
    struct batch *batch = records_batch(&f->records);
    enum { SIZE = 1024 * TAP_LOOK_BYTES };
    char *json = malloc(SIZE);
    memset(json, ' ', SIZE);
    memcpy(json, "{\"id\": 1", 8);
    memcpy(json + SIZE - 2, "}", 2);
    for (int i = 0; i < 20; i++)
        records_add_json(batch, json);
    free(json);
    int64_t began = clock_now();
    tap_look(f->point, batch, TAP_ALL);
    tap_get_counts(tap, &counts);
    assert_int_equal(counts.passed, 20);
    assert_in_range(counts.matched, 1, 10 + (clock_now() - began) / (10 * CLOCK_MS));
    assert_int_equal(counts.matched + counts.unlooked, 20);
    batch_free(batch);
    tap_close(tap);
}

/* -- who looks -- */

static void without_a_tap_nothing_is_looked_at(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = orders(f, 3);
    tap_look(f->point, batch, TAP_ALL);
    tap_look(NULL, batch, TAP_ALL);
    struct tap *tap = open_tap(f, "decode", &(struct tap_options){0});
    struct tap_counts counts;
    tap_get_counts(tap, &counts);
    assert_int_equal(counts.passed, 0);
    assert_true(tap_is_empty(tap));
    tap_close(tap);
    tap_look(f->point, batch, TAP_ALL);
    batch_free(batch);
    assert_null(taps_point(NULL, "decode", TAP_STAGE));
}

static void several_see_the_same_and_no_more_than_so_many(void **state)
{
    struct fixture *f = *state;
    struct tap *taps[TAPS_MAX], *more;
    struct error error = {0};
    for (unsigned i = 0; i < TAPS_MAX; i++)
        taps[i] = open_tap(f, "decode", &(struct tap_options){0});
    assert_int_equal(tap_open(f->taps, "decode", &(struct tap_options){.where = where("key=1")}, &more, &error),
                     STATUS_FULL);
    struct batch *batch = orders(f, 3);
    tap_look(f->point, batch, TAP_ALL);
    batch_free(batch);
    for (unsigned i = 0; i < TAPS_MAX; i++) {
        struct tap_counts counts;
        tap_get_counts(taps[i], &counts);
        assert_int_equal(counts.taken, 3);
        tap_close(taps[i]);
    }
    tap_close(open_tap(f, "decode", &(struct tap_options){0}));
}

static void an_unknown_stage_is_told_with_those_that_there_are(void **state)
{
    struct fixture *f = *state;
    struct tap *tap;
    struct error error = {0};
    assert_ptr_equal(taps_point(f->taps, "decode", TAP_STAGE), f->point);
    assert_int_equal(tap_open(f->taps, "decod", &(struct tap_options){.where = where("key=1")}, &tap, &error),
                     STATUS_FAILED);
    assert_string_equal(error.text, "there is no stage `decod`; there is intake, decode");
    assert_true(taps_have_documents(f->taps, "decode"));
    assert_false(taps_have_documents(f->taps, "intake"));
}

/* -- who does not read -- */

/* Every record that matched is accounted for. */
static void assert_all_accounted_for(const struct tap_counts *counts, uint64_t passed)
{
    assert_int_equal(counts->passed, passed);
    assert_int_equal(counts->matched, passed - counts->unlooked);
    assert_int_equal(counts->taken + counts->dropped + counts->over_rate, counts->matched);
}

static void a_full_tap_drops_and_counts(void **state)
{
    struct fixture *f = *state;
    struct tap_counts counts = {0};
    struct tap *tap = open_tap(f, "decode", &(struct tap_options){0});
    struct batch *batch = orders(f, 50);
    uint64_t passed = 0, lines = 0, all = 0;
    char text[2 * TAP_LINE_MAX];
    for (int64_t began = clock_now(); counts.dropped < 10; passed += 50) {
        assert_true(clock_now() - began < MEMORY_PATIENCE);
        tap_look(f->point, batch, TAP_ALL);
        tap_get_counts(tap, &counts);
    }
    assert_all_accounted_for(&counts, passed);
    assert_int_equal(counts.taken, TAP_RING);
    while (tap_read(tap, text, sizeof text, UINT64_MAX, &lines) > 0)
        all += lines;
    assert_int_equal(all, TAP_RING);
    assert_true(tap_is_empty(tap));
    for (int64_t began = clock_now(); tap_is_empty(tap);) {
        assert_true(clock_now() - began < MEMORY_PATIENCE);
        tap_look(f->point, batch, TAP_ALL);
    }
    assert_true(tap_read(tap, text, sizeof text, 1, &lines) > 0);
    assert_int_equal(lines, 1);
    batch_free(batch);
    tap_close(tap);
}

enum { WORKERS = 3 };

struct crowd {
    struct tap_point *point;
    struct batch *batches[WORKERS];
    _Atomic unsigned next;
    _Atomic bool stop;
    _Atomic uint64_t passed;
};

static void *look_and_look(void *arg)
{
    struct crowd *crowd = arg;
    const struct batch *batch = crowd->batches[atomic_fetch_add(&crowd->next, 1)];
    while (!atomic_load(&crowd->stop)) {
        tap_look(crowd->point, batch, TAP_ALL);
        atomic_fetch_add(&crowd->passed, batch->count);
    }
    return NULL;
}

static bool drops(void *arg)
{
    struct tap_counts counts;
    tap_get_counts(arg, &counts);
    return counts.dropped > 0;
}

/* The workers go on whatever the reader does, and a tap can be closed and opened while they look. */
static void workers_pass_a_reader_that_stands_still_and_taps_that_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd = {.point = f->point};
    pthread_t threads[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++)
        crowd.batches[i] = orders(f, 20);
    struct tap *stalled = open_tap(f, "decode", &(struct tap_options){0});
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_and_look, &crowd), 0);
    assert_true(eventually(drops, stalled));
    uint64_t before = atomic_load(&crowd.passed), read = 0;
    for (int round = 0; round < 50; round++) {
        struct tap *tap = open_tap(f, "decode", &(struct tap_options){.where = where(".id!=7"), .every = 3});
        char text[TAP_LINE_MAX];
        uint64_t lines = 0;
        for (int64_t began = clock_now(); lines == 0;) {
            assert_true(clock_now() - began < MEMORY_PATIENCE);
            (void)tap_read(tap, text, sizeof text, UINT64_MAX, &lines);
        }
        read += lines;
        tap_close(tap);
    }
    assert_true(read >= 50);
    assert_true(atomic_load(&crowd.passed) > before);
    atomic_store(&crowd.stop, true);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    struct tap_counts counts;
    tap_get_counts(stalled, &counts);
    assert_all_accounted_for(&counts, atomic_load(&crowd.passed));
    assert_int_equal(counts.taken, TAP_RING);
    tap_close(stalled);
    for (unsigned i = 0; i < WORKERS; i++)
        batch_free(crowd.batches[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_is_shown_with_its_answer),
        TEST(a_store_says_stored),
        TEST(only_what_is_asked_for_is_shown),
        TEST(each_so_many_th_is_shown_across_batches),
        TEST(no_more_than_the_rate_is_shown),
        TEST(no_more_than_the_limit_are_looked_at),
        TEST(big_records_count_for_several),
        TEST(without_a_tap_nothing_is_looked_at),
        TEST(several_see_the_same_and_no_more_than_so_many),
        TEST(an_unknown_stage_is_told_with_those_that_there_are),
        TEST(a_full_tap_drops_and_counts),
        TEST(workers_pass_a_reader_that_stands_still_and_taps_that_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
