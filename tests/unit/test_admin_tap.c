/* GET /tap over real sockets: what is streamed, what is refused, and that nobody who taps holds anything up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/server.h"
#include "admin/usage.h"
#include "processor/health.h"
#include "processor/metrics.h"
#include "processor/tap.h"
#include "tests/support/client.h"
#include "tests/support/memory.h"
#include "tests/support/records.h"

enum { ANSWER_MAX = 256 * 1024 };
#define MAX_AGE (300 * CLOCK_MS)

struct fixture {
    struct records records;
    struct metrics *metrics;
    struct health *health;
    struct taps *taps;
    struct tap_point *point;
    struct admin *admin;
    struct batch *batch; /* what passes */
    char answer[ANSWER_MAX];
};

static void start(struct fixture *f, bool show_records)
{
    struct error error = {0};
    const struct admin_config config = {
        .host = "127.0.0.1",
        .metrics = f->metrics,
        .health = f->health,
        .taps = f->taps,
        .show_records = show_records,
        .version_json = "{}",
        .max_age = MAX_AGE,
    };
    if (admin_start(&config, &f->admin, &error) != STATUS_OK)
        fail_msg("%s", error.text);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    records_init(&f->records);
    f->metrics = metrics_new();
    f->health = health_new();
    f->taps = taps_new(f->metrics);
    f->point = taps_point(f->taps, "decode", TAP_STAGE);
    f->batch = records_batch(&f->records);
    records_add_json(f->batch, "{\"id\": 1}");
    records_add_json(f->batch, "{\"id\": 2}");
    start(f, true);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    admin_stop(f->admin);
    batch_free(f->batch);
    taps_free(f->taps);
    health_free(f->health);
    metrics_free(f->metrics);
    records_fini(&f->records);
    free(f);
    return 0;
}

static int64_t open_now(struct fixture *f)
{
    return metric_get(metrics_get(f->metrics, METRIC_GAUGE, "weir_taps_open", "", NULL));
}

static bool nobody_taps(void *arg)
{
    return open_now(arg) == 0;
}

static void ask(struct fixture *f, const char *path, const char *host, const char *status, const char *words)
{
    int fd = client_connect(admin_port(f->admin), 0);
    client_send(fd, "GET", path, host);
    client_read_all(fd, f->answer, sizeof f->answer);
    close(fd);
    if (strncmp(f->answer, status, strlen(status)) != 0 || strstr(f->answer, words) == NULL)
        fail_msg("%s: expected %s and %s, found: %s", path, status, words, f->answer);
}

/* An open tap, from which the first report has come. */
static int tap(struct fixture *f, const char *path, int receive)
{
    int fd = client_connect(admin_port(f->admin), receive);
    client_send(fd, "GET", path, NULL);
    client_read_until(fd, f->answer, sizeof f->answer, "\"tap\":");
    return fd;
}

static void what_passes_is_streamed_until_the_limit(void **state)
{
    struct fixture *f = *state;
    int fd = tap(f, "/tap?stage=decode&limit=3", 0);
    assert_non_null(strstr(f->answer, "Content-Type: application/x-ndjson\r\n"));
    tap_look(f->point, f->batch, TAP_ALL);
    client_read_until(fd, f->answer, sizeof f->answer, "\"document\":{\"id\": 2}}\n");
    tap_look(f->point, f->batch, TAP_ALL);
    client_read_all(fd, f->answer, sizeof f->answer);
    assert_non_null(strstr(f->answer, "\"document\":{\"id\": 1}}\n"));
    assert_null(strstr(f->answer, "\"document\":{\"id\": 2}}\n"));
    assert_non_null(strstr(f->answer,
                           "{\"end\":\"limit\",\"tap\":{\"passed\":4,\"unlooked\":0,\"matched\":4,\"over_rate\":0,"
                           "\"dropped\":0,\"shown\":3}}\n"));
    close(fd);
    assert_true(eventually(nobody_taps, f));
}

static void only_what_is_asked_for_is_streamed(void **state)
{
    struct fixture *f = *state;
    batch_drop(&f->batch->records[1]);
    int fd = tap(f, "/tap?stage=decode&limit=1&where=.id!%3D1+%26%26+key%3Dnull&answer=dropped,rejected&sample=1/1", 0);
    tap_look(f->point, f->batch, TAP_ALL);
    client_read_all(fd, f->answer, sizeof f->answer);
    assert_non_null(strstr(f->answer, "\"answer\":\"dropped\""));
    assert_null(strstr(f->answer, "\"forwarded\""));
    close(fd);
}

static void one_that_reads_lives_longer_than_other_connections_and_ends_at_its_time(void **state)
{
    struct fixture *f = *state;
    int64_t began = clock_now();
    int fd = tap(f, "/tap?stage=decode&for=700ms", 0);
    client_read_all(fd, f->answer, sizeof f->answer);
    assert_true(clock_now() - began >= 700 * CLOCK_MS);
    assert_non_null(strstr(f->answer, "{\"end\":\"time\","));
    close(fd);
}

static void what_cannot_be_is_refused_with_its_reason(void **state)
{
    struct fixture *f = *state;
    ask(f, "/tap", NULL, "HTTP/1.1 400 ", "expected stage=NAME");
    ask(f, "/tap?stage=nope", NULL, "HTTP/1.1 404 ", "there is no stage `nope`; there is intake, decode");
    ask(f, "/tap?stage=decode&where=x", NULL, "HTTP/1.1 400 ", "expected header.NAME, key or .path");
    ask(f, "/tap?stage=intake&where=.id=1", NULL, "HTTP/1.1 400 ", "no document yet");
    ask(f, "/tap?stage=decode&sample=1", NULL, "HTTP/1.1 400 ", "expected 1/100");
    ask(f, "/tap?stage=decode&sample=1/0", NULL, "HTTP/1.1 400 ", "expected 1/100");
    ask(f, "/tap?stage=decode&limit=0", NULL, "HTTP/1.1 400 ", "expected a number of records");
    ask(f, "/tap?stage=decode&for=5", NULL, "HTTP/1.1 400 ", "expected a duration");
    ask(f, "/tap?stage=decode&answer=lost", NULL, "HTTP/1.1 400 ", "expected forwarded, stored, dropped or rejected");
    ask(f, "/tap?stage=decode&x=1", NULL, "HTTP/1.1 400 ", "there is no argument x");
    ask(f, "/tap?stage=decode", "evil.example:8080", "HTTP/1.1 403 ", "localhost or an address");
    assert_int_equal(open_now(f), 0);
}

static void hosts_that_mean_this_machine_are_good(void **state)
{
    struct fixture *f = *state;
    static const char *const hosts[] = {"localhost:8080", "127.0.0.1", "[::1]:8080", "10.0.0.1:1"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        ask(f, "/tap?stage=decode&for=1ms", hosts[i], "HTTP/1.1 200 ", "\"end\":\"time\"");
}

static void errors_are_not_shown_to_a_name_that_may_mean_another_machine(void **state)
{
    struct fixture *f = *state;
    ask(f, "/status", "localhost:8080", "HTTP/1.1 200 ", "\"errors\": [");
    ask(f, "/status", "evil.example:8080", "HTTP/1.1 200 ", "\"errors\": null");
}

static void without_leave_nobody_taps_and_errors_are_not_shown(void **state)
{
    struct fixture *f = *state;
    admin_stop(f->admin);
    start(f, false);
    ask(f, "/tap?stage=decode", NULL, "HTTP/1.1 403 ", "`admin: {tap: always}` allows it");
    ask(f, "/status", NULL, "HTTP/1.1 200 ", "\"errors\": null");
}

static void no_more_than_so_many_tap_and_a_place_comes_free(void **state)
{
    struct fixture *f = *state;
    int fds[TAPS_MAX];
    for (unsigned i = 0; i < TAPS_MAX; i++)
        fds[i] = tap(f, "/tap?stage=decode", 0);
    ask(f, "/tap?stage=decode", NULL, "HTTP/1.1 503 ", "as many taps as there can be");
    ask(f, "/healthz", NULL, "HTTP/1.1 200 ", "ok");
    for (unsigned i = 0; i < TAPS_MAX; i++)
        close(fds[i]);
    assert_true(eventually(nobody_taps, f));
    close(tap(f, "/tap?stage=decode", 0));
}

/* All that passes goes by at once, and the one that reads nothing is cut off. */
static void one_that_does_not_read_holds_nobody_up_and_is_cut_off(void **state)
{
    struct fixture *f = *state;
    uint64_t passed = 0;
    for (int i = 0; i < 60; i++) {
        struct record *record = records_add(f->batch, "a key", NULL);
        record->value = bytes_of_string(
            "a value that is long enough to fill the buffers of a socket rather soon, as it stands in every record");
    }
    int fd = tap(f, "/tap?stage=decode", 4096);
    for (int64_t began = clock_now(); open_now(f) > 0; passed += f->batch->count) {
        assert_true(clock_now() - began < CLIENT_DEADLINE);
        tap_look(f->point, f->batch, TAP_ALL);
    }
    assert_true(passed > 0);
    ask(f, "/healthz", NULL, "HTTP/1.1 200 ", "ok");
    close(fd);
}

static void a_stop_says_goodbye_and_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    admin_stop(f->admin);
    f->admin = NULL;
    struct usage before = usage_read();
    start(f, true);
    int fds[2] = {tap(f, "/tap?stage=decode", 0), tap(f, "/tap?stage=intake", 0)};
    admin_stop(f->admin);
    f->admin = NULL;
    assert_int_equal(open_now(f), 0);
    for (int i = 0; i < 2; i++) {
        client_read_all(fds[i], f->answer, sizeof f->answer);
        assert_non_null(strstr(f->answer, "{\"end\":\"stopping\","));
        close(fds[i]);
    }
    struct usage after = usage_read();
    assert_int_equal(after.open_fds, before.open_fds);
    assert_int_equal(after.threads, before.threads);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_passes_is_streamed_until_the_limit),
        TEST(only_what_is_asked_for_is_streamed),
        TEST(one_that_reads_lives_longer_than_other_connections_and_ends_at_its_time),
        TEST(what_cannot_be_is_refused_with_its_reason),
        TEST(hosts_that_mean_this_machine_are_good),
        TEST(errors_are_not_shown_to_a_name_that_may_mean_another_machine),
        TEST(without_leave_nobody_taps_and_errors_are_not_shown),
        TEST(no_more_than_so_many_tap_and_a_place_comes_free),
        TEST(one_that_does_not_read_holds_nobody_up_and_is_cut_off),
        TEST(a_stop_says_goodbye_and_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
