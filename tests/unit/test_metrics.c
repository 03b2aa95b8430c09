#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"

static void one_name_and_labels_are_one_metric(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    char name[] = "weir_x_total";
    struct metric *metric = metrics_get(metrics, METRIC_COUNTER, "weir_x_total", "X.", "a=\"1\"");
    assert_ptr_equal(metrics_get(metrics, METRIC_COUNTER, name, "X.", "a=\"1\""), metric);
    assert_ptr_not_equal(metrics_get(metrics, METRIC_COUNTER, "weir_x_total", "X.", "a=\"2\""), metric);
    struct metric *bare = metrics_get(metrics, METRIC_COUNTER, "weir_x_total", "X.", NULL);
    assert_ptr_equal(metrics_get(metrics, METRIC_COUNTER, "weir_x_total", "X.", ""), bare);
    metric_add(metric, 5);
    metric_add(metric, 2);
    assert_int_equal(metric_get(metric), 7);
    assert_int_equal(metric_get(bare), 0);
    assert_true(metric->scale == 1);
    metrics_free(metrics);
    metrics_free(NULL);
}

static void labels_are_joined_and_escaped(void **state)
{
    (void)state;
    char text[100] = "";
    metrics_label(text, sizeof text, "a", "plain");
    metrics_label(text, sizeof text, "b", "q\"b\\n\nz");
    metrics_label(text, sizeof text, "c", "");
    assert_string_equal(text, "a=\"plain\",b=\"q\\\"b\\\\n\\nz\",c=\"\"");
}

static void a_label_that_does_not_fit_is_cut_and_stays_a_label(void **state)
{
    (void)state;
    for (size_t size = 1; size < 40; size++) {
        char text[64];
        memset(text, '#', sizeof text);
        text[0] = '\0';
        metrics_label(text, size, "ab", "\xc3\xa9\"\\\n\xe2\x82\xac\xf0\x9f\x90\x9fxyz");
        size_t used = strlen(text);
        assert_true(used < size);
        assert_int_equal(text[size], '#');
        if (used == 0)
            continue;
        assert_memory_equal(text, "ab=\"", 4);
        assert_int_equal(text[used - 1], '"');
        /* No half character: what begins one is followed by the rest of it. */
        static const char whole[] = "ab=\"\xc3\xa9\\\"\\\\\\n\xe2\x82\xac\xf0\x9f\x90\x9fxyz\"";
        assert_memory_equal(text, whole, used - 1);
        assert_true((whole[used - 1] & 0xc0) != 0x80);
        unsigned slashes = 0;
        while (text[used - 2 - slashes] == '\\')
            slashes++;
        assert_int_equal(slashes % 2, 0); /* the closing quote is none that is escaped */
    }
}

static void a_hidden_gauge_comes_back_when_it_is_set(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric = metrics_get(metrics, METRIC_GAUGE, "weir_lag", "Lag.", "partition=\"3\"");
    metric_set(metric, 9);
    metric_hide(metric);
    assert_true(metric->hidden);
    assert_ptr_equal(metrics_get(metrics, METRIC_GAUGE, "weir_lag", "Lag.", "partition=\"3\""), metric);
    assert_true(metric->hidden);
    metric_set(metric, 0);
    assert_false(metric->hidden);
    metrics_free(metrics);
}

static void bounds_go_from_a_microsecond_to_25_seconds(void **state)
{
    (void)state;
    assert_int_equal(metric_bound(0), 1000);
    assert_int_equal(metric_bound(1), 2500);
    assert_int_equal(metric_bound(2), 5000);
    assert_int_equal(metric_bound(18), CLOCK_SECOND);
    assert_int_equal(metric_bound(METRIC_BUCKETS - 2), 25 * CLOCK_SECOND);
    assert_int_equal(metric_bound(METRIC_BUCKETS - 1), INT64_MAX);
    for (unsigned i = 1; i < METRIC_BUCKETS; i++)
        assert_true(metric_bound(i) > metric_bound(i - 1));
}

static void each_observation_is_in_the_bucket_of_its_bound(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric = metrics_get(metrics, METRIC_HISTOGRAM, "weir_t_seconds", "T.", NULL);
    double sum = 0;
    for (unsigned i = 0; i < METRIC_BUCKETS - 1; i++) {
        metric_observe(metric, metric_bound(i), 1);         /* the bound itself belongs to it */
        metric_observe(metric, metric_bound(i) + 1, 10000); /* what is above does not */
        sum += (double)metric_bound(i) + 10000.0 * (double)(metric_bound(i) + 1);
    }
    assert_int_equal(metric->buckets[0], 1);
    for (unsigned i = 1; i < METRIC_BUCKETS - 1; i++)
        assert_int_equal(metric->buckets[i], 10001);
    assert_int_equal(metric->buckets[METRIC_BUCKETS - 1], 10000);
    assert_true(metric->sum > sum * 0.999999 && metric->sum < sum * 1.000001);
    metric_observe(metric, INT64_MAX, 1);
    assert_int_equal(metric->buckets[METRIC_BUCKETS - 1], 10001);
    metric_observe(metric, -5, 1); /* a clock that went back */
    assert_int_equal(metric->buckets[0], 2);
    metrics_free(metrics);
}

static void the_sum_does_not_overflow_within_a_day(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric = metrics_get(metrics, METRIC_HISTOGRAM, "weir_t_seconds", "T.", NULL);
    /* Two million records a second that each took ten minutes. */
    for (unsigned second = 0; second < 86400; second++)
        metric_observe(metric, 600 * CLOCK_SECOND, 2000000);
    double seconds = metric->sum * metric->scale, expected = 600.0 * 2e6 * 86400;
    assert_true(seconds > expected * 0.999 && seconds < expected * 1.001);
    metrics_free(metrics);
}

static void a_quantile_lies_within_its_bucket(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric = metrics_get(metrics, METRIC_HISTOGRAM, "weir_t_seconds", "T.", NULL);
    assert_int_equal(metric_quantile(metric, 0.5), 0);
    metric_observe(metric, 3 * CLOCK_MS, 90); /* between 2.5 and 5 ms */
    metric_observe(metric, 70 * CLOCK_MS, 10);
    assert_in_range(metric_quantile(metric, 0.5), 2500000, 5000000);
    assert_in_range(metric_quantile(metric, 0.9), 4999000, 5000000);
    assert_in_range(metric_quantile(metric, 0.99), 50 * CLOCK_MS, 100 * CLOCK_MS);
    assert_in_range(metric_quantile(metric, 0), 0, 2500000);
    assert_int_equal(metric_quantile(metric, 1), 100 * CLOCK_MS);
    metric_observe(metric, 500 * CLOCK_SECOND, 1000000);
    assert_int_equal(metric_quantile(metric, 0.99), metric_bound(METRIC_BUCKETS - 2));
    metrics_free(metrics);
}

struct walk {
    unsigned count, changes;
    const char *name;
    struct metrics *metrics;
};

static void visit(const struct metric *metric, void *arg)
{
    struct walk *walk = arg;
    walk->count++;
    walk->changes += metric->name != walk->name;
    walk->name = metric->name;
    if (walk->metrics != NULL) /* a visit may make metrics */
        (void)metrics_get(walk->metrics, METRIC_GAUGE, "weir_visits", "Visits.", NULL);
}

static void all_are_visited_grouped_by_name(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    char other[] = "weir_a";
    struct walk walk = {0};
    metrics_each(metrics, visit, &walk);
    assert_int_equal(walk.count, 0);
    (void)metrics_get(metrics, METRIC_GAUGE, "weir_a", "A.", "n=\"1\"");
    (void)metrics_get(metrics, METRIC_GAUGE, "weir_b", "B.", "n=\"1\"");
    (void)metrics_get(metrics, METRIC_GAUGE, other, "A.", "n=\"2\"");
    metric_hide(metrics_get(metrics, METRIC_GAUGE, "weir_b", "B.", "n=\"2\""));
    (void)metrics_get(metrics, METRIC_GAUGE, "weir_a", "A.", "n=\"3\"");
    metrics_each(metrics, visit, &walk);
    assert_int_equal(walk.count, 5);
    assert_int_equal(walk.changes, 2);
    walk = (struct walk){.metrics = metrics};
    metrics_each(metrics, visit, &walk);
    assert_int_equal(walk.count, 6);
    metrics_free(metrics);
}

enum { THREADS = 4, ROUNDS = 3000 };

static void *use(void *arg)
{
    struct metrics *metrics = arg;
    struct metric *time = metrics_get(metrics, METRIC_HISTOGRAM, "weir_t_seconds", "T.", NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char labels[32] = "", number[16];
        snprintf(number, sizeof number, "%u", i % 100);
        metrics_label(labels, sizeof labels, "n", number);
        metric_add(metrics_get(metrics, METRIC_COUNTER, "weir_x_total", "X.", labels), 1);
        metric_observe(time, 1000, 2);
        if (i % 500 == 0) {
            struct walk walk = {0};
            metrics_each(metrics, visit, &walk);
            CHECK(walk.changes == 2);
        }
    }
    return NULL;
}

static void sum_up(const struct metric *metric, void *arg)
{
    if (metric->type == METRIC_COUNTER)
        *(int64_t *)arg += metric_get(metric);
}

static void many_threads_lose_no_count(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    pthread_t threads[THREADS];
    int64_t sum = 0;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, metrics), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    metrics_each(metrics, sum_up, &sum);
    assert_int_equal(sum, THREADS * ROUNDS);
    struct metric *time = metrics_get(metrics, METRIC_HISTOGRAM, "weir_t_seconds", "T.", NULL);
    assert_int_equal(time->buckets[0], THREADS * ROUNDS * 2);
    assert_true(time->sum == THREADS * ROUNDS * 2 * 1000.0);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_name_and_labels_are_one_metric),
        cmocka_unit_test(labels_are_joined_and_escaped),
        cmocka_unit_test(a_label_that_does_not_fit_is_cut_and_stays_a_label),
        cmocka_unit_test(a_hidden_gauge_comes_back_when_it_is_set),
        cmocka_unit_test(bounds_go_from_a_microsecond_to_25_seconds),
        cmocka_unit_test(each_observation_is_in_the_bucket_of_its_bound),
        cmocka_unit_test(the_sum_does_not_overflow_within_a_day),
        cmocka_unit_test(a_quantile_lies_within_its_bucket),
        cmocka_unit_test(all_are_visited_grouped_by_name),
        cmocka_unit_test(many_threads_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
