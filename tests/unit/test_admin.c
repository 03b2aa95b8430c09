/* Real sockets: what a probe, a scraper and a hostile client see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/usage.h"
#include "admin/server.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/metrics.h"
#include "tests/support/client.h"

enum { ANSWER_MAX = 64 * 1024, SLOW_CLIENTS = 200 };
#define MAX_AGE (2 * CLOCK_SECOND)
#define MAX_SILENCE (CLOCK_SECOND / 2)

struct fixture {
    struct metrics *metrics;
    struct health *health;
    struct admin *admin;
    char answer[ANSWER_MAX];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct error error = {0};
    fixture->metrics = metrics_new();
    fixture->health = health_new();
    const struct admin_config config = {
        .host = "127.0.0.1",
        .metrics = fixture->metrics,
        .health = fixture->health,
        .version_json = "{\"version\": \"1.2.3\"}\n",
        .max_age = MAX_AGE,
        .max_silence = MAX_SILENCE,
    };
    if (admin_start(&config, &fixture->admin, &error) != STATUS_OK)
        print_error("%s\n", error.text);
    *state = fixture;
    return fixture->admin != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    admin_stop(fixture->admin);
    health_free(fixture->health);
    metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

/* Sends the request and answers the status code; the answer's body is in fixture->answer, its head before it. */
static int ask(struct fixture *fixture, const char *method, const char *path)
{
    int fd = client_connect(admin_port(fixture->admin), 0);
    client_send(fd, method, path, "x");
    client_read_all(fd, fixture->answer, sizeof fixture->answer);
    close(fd);
    int code = 0;
    assert_int_equal(sscanf(fixture->answer, "HTTP/1.1 %d ", &code), 1);
    return code;
}

static const char *body(const struct fixture *fixture)
{
    const char *at = strstr(fixture->answer, "\r\n\r\n");
    assert_non_null(at);
    return at + 4;
}

static void healthz_is_good_while_the_heart_beats_whatever_the_parts_say(void **state)
{
    struct fixture *fixture = *state;
    health_problem(fixture->health, "kafka", "all brokers down");
    health_beat(fixture->health);
    assert_int_equal(ask(fixture, "GET", "/healthz"), 200);
    assert_string_equal(body(fixture), "ok\n");
}

static void healthz_is_bad_when_the_heart_is_silent_and_good_when_it_beats_again(void **state)
{
    struct fixture *fixture = *state;
    int64_t until = clock_now() + CLIENT_DEADLINE;
    health_beat(fixture->health);
    while (ask(fixture, "GET", "/healthz") == 200)
        assert_true(clock_now() < until);
    assert_true(health_silence(fixture->health) > MAX_SILENCE);
    assert_non_null(strstr(fixture->answer, "HTTP/1.1 503 "));
    assert_non_null(strstr(body(fixture), "no heartbeat"));
    health_beat(fixture->health);
    assert_int_equal(ask(fixture, "GET", "/healthz"), 200);
}

static void readyz_is_good_when_no_part_has_a_problem(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "GET", "/readyz"), 200);
    assert_string_equal(body(fixture), "ready\n");
}

static void readyz_says_each_reason_and_forgets_those_that_passed(void **state)
{
    struct fixture *fixture = *state;
    health_problem(fixture->health, "kafka", "%d brokers down", 3);
    health_problem(fixture->health, "store orders", "disk full");
    assert_int_equal(ask(fixture, "GET", "/readyz"), 503);
    assert_string_equal(body(fixture), "kafka: 3 brokers down\nstore orders: disk full\n");
    health_ok(fixture->health, "kafka");
    assert_int_equal(ask(fixture, "GET", "/readyz"), 503);
    assert_string_equal(body(fixture), "store orders: disk full\n");
    health_ok(fixture->health, "store orders");
    assert_int_equal(ask(fixture, "GET", "/readyz"), 200);
}

static void metrics_are_served_in_the_text_format(void **state)
{
    struct fixture *fixture = *state;
    metric_set(metrics_get(fixture->metrics, METRIC_GAUGE, "weir_x", "X.", NULL), 5);
    assert_int_equal(ask(fixture, "GET", "/metrics"), 200);
    assert_non_null(strstr(fixture->answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(body(fixture), "\nweir_x 5\n"));
    assert_non_null(strstr(body(fixture), "\nweir_ready 1\n"));
    health_problem(fixture->health, "kafka", "away");
    assert_int_equal(ask(fixture, "GET", "/metrics"), 200);
    assert_non_null(strstr(body(fixture), "\nweir_ready 0\n"));
}

static void version_is_json(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "GET", "/version"), 200);
    assert_non_null(strstr(fixture->answer, "Content-Type: application/json\r\n"));
    assert_string_equal(body(fixture), "{\"version\": \"1.2.3\"}\n");
}

static void status_is_json_of_what_the_metrics_say(void **state)
{
    struct fixture *fixture = *state;
    char labels[64] = "";
    metrics_label(labels, sizeof labels, "queue", "decode");
    metric_set(metrics_get(fixture->metrics, METRIC_GAUGE, "weir_queue_records", "Q.", labels), 7);
    health_problem(fixture->health, "kafka", "away");
    assert_int_equal(ask(fixture, "GET", "/status"), 200);
    assert_non_null(strstr(fixture->answer, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(body(fixture), "\"ready\": false"));
    assert_non_null(strstr(body(fixture), "\"problems\": \"kafka: away\\n\""));
    assert_non_null(strstr(body(fixture), "\"stages\": [{\"name\": \"decode\", \"store\": false, \"blocking\": false, "
                                          "\"stuck_seconds\": 0, \"workers\": 0, "
                                          "\"queue\": {\"records\": 7, "));
    assert_non_null(strstr(body(fixture), "\"errors\": null}\n"));
}

static void a_query_does_not_change_the_page(void **state)
{
    assert_int_equal(ask(*state, "GET", "/healthz?verbose=1"), 200);
}

static void head_is_get_without_the_body(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "HEAD", "/readyz"), 200);
    assert_string_equal(body(fixture), "");
    assert_non_null(strstr(fixture->answer, "Content-Length: 6\r\n"));
}

static void an_unknown_path_is_404(void **state)
{
    assert_int_equal(ask(*state, "GET", "/"), 404);
    assert_int_equal(ask(*state, "GET", "/healthz/x"), 404);
    assert_int_equal(ask(*state, "GET", "/../etc/passwd"), 404);
}

static void another_method_is_405_and_says_which_there_are(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "POST", "/healthz"), 405);
    assert_non_null(strstr(fixture->answer, "Allow: GET, HEAD\r\n"));
    assert_int_equal(ask(fixture, "DELETE", "/nothing"), 405);
}

static void each_answer_closes_its_connection(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "GET", "/healthz"), 200); /* read_all returned: it was closed */
    assert_non_null(strstr(fixture->answer, "Connection: close\r\n"));
}

/* Sends a byte of a header now and then, so that it is never inactive, until it is cut. Returns how long that took. */
static int64_t drip(int fd)
{
    int64_t began = clock_now(), until = began + CLIENT_DEADLINE;
    assert_int_equal(send(fd, "GET /healthz HTTP/1.1\r\n", 23, MSG_NOSIGNAL), 23);
    while (clock_now() < until) {
        if (client_is_readable(fd, clock_now() + 100 * CLOCK_MS))
            break;
        if (send(fd, "X", 1, MSG_NOSIGNAL) != 1)
            break;
    }
    return clock_now() - began;
}

static void a_client_that_drips_is_cut_at_the_absolute_age(void **state)
{
    struct fixture *fixture = *state;
    int fd = client_connect(admin_port(fixture->admin), 0);
    int64_t age = drip(fd);
    assert_true(age > MAX_AGE - CLOCK_SECOND / 2);
    assert_true(age < MAX_AGE + 5 * CLOCK_SECOND);
    close(fd);
}

static void many_silent_clients_keep_nobody_out(void **state)
{
    struct fixture *fixture = *state;
    const struct admin_config config = {.host = "127.0.0.1",
                                        .metrics = fixture->metrics,
                                        .health = fixture->health,
                                        .version_json = "{}",
                                        .max_age = 10 * CLIENT_DEADLINE}; /* age alone would let them stay */
    struct error error = {0};
    int fds[SLOW_CLIENTS];
    admin_stop(fixture->admin);
    fixture->admin = NULL;
    assert_int_equal(admin_start(&config, &fixture->admin, &error), STATUS_OK);
    for (unsigned i = 0; i < SLOW_CLIENTS; i++) {
        fds[i] = client_connect(admin_port(fixture->admin), 0);
        if (i % 2 == 0)
            assert_int_equal(send(fds[i], "GET /me", 7, MSG_NOSIGNAL), 7);
    }
    assert_int_equal(ask(fixture, "GET", "/healthz"), 200);
    for (unsigned i = 0; i < SLOW_CLIENTS; i++)
        close(fds[i]);
}

static void a_head_that_is_too_large_is_refused(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 256 * 1024 };
    int fd = client_connect(admin_port(fixture->admin), 0);
    char *junk = malloc(SIZE);
    memset(junk, 'x', SIZE);
    memcpy(junk, "GET /", 5);
    /* Refused while it is still being sent: the rest finds the connection closed. */
    size_t sent = 0;
    ssize_t n;
    while (sent < SIZE && (n = send(fd, junk + sent, SIZE - sent, MSG_NOSIGNAL)) > 0)
        sent += (size_t)n;
    free(junk);
    assert_true(client_is_readable(fd, clock_now() + CLIENT_DEADLINE));
    close(fd);
    assert_int_equal(ask(fixture, "GET", "/healthz"), 200);
}

static void stopping_ends_open_connections_and_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    struct usage before = usage_read();
    const struct admin_config config = {
        .host = "localhost", .metrics = fixture->metrics, .health = fixture->health, .version_json = "{}"};
    struct admin *admin = NULL;
    struct error error = {0};
    assert_int_equal(admin_start(&config, &admin, &error), STATUS_OK);
    int fd = client_connect(admin_port(admin), 0);
    assert_int_equal(send(fd, "GET", 3, MSG_NOSIGNAL), 3);
    admin_stop(admin);
    assert_true(client_is_readable(fd, clock_now() + CLIENT_DEADLINE));
    char byte;
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    struct usage after = usage_read();
    assert_int_equal(after.open_fds, before.open_fds);
    assert_int_equal(after.threads, before.threads);
}

static void a_port_in_use_is_an_error_that_names_it(void **state)
{
    struct fixture *fixture = *state;
    const struct admin_config config = {.host = "127.0.0.1",
                                        .port = admin_port(fixture->admin),
                                        .metrics = fixture->metrics,
                                        .health = fixture->health,
                                        .version_json = "{}"};
    struct admin *admin = NULL;
    struct error error = {0};
    char port[16];
    assert_int_equal(admin_start(&config, &admin, &error), STATUS_FAILED);
    assert_null(admin);
    assert_int_equal(error.class, ERROR_FATAL);
    snprintf(port, sizeof port, "%u", admin_port(fixture->admin));
    assert_non_null(strstr(error.text, port));
    assert_non_null(strstr(error.text, strerror(EADDRINUSE)));
}

static void a_host_that_is_no_address_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    const struct admin_config config = {.host = "example.org", .metrics = fixture->metrics, .health = fixture->health};
    struct admin *admin = NULL;
    struct error error = {0};
    assert_int_equal(admin_start(&config, &admin, &error), STATUS_FAILED);
    assert_non_null(strstr(error.text, "example.org"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(healthz_is_good_while_the_heart_beats_whatever_the_parts_say),
        TEST(healthz_is_bad_when_the_heart_is_silent_and_good_when_it_beats_again),
        TEST(readyz_is_good_when_no_part_has_a_problem),
        TEST(readyz_says_each_reason_and_forgets_those_that_passed),
        TEST(metrics_are_served_in_the_text_format),
        TEST(version_is_json),
        TEST(status_is_json_of_what_the_metrics_say),
        TEST(a_query_does_not_change_the_page),
        TEST(head_is_get_without_the_body),
        TEST(an_unknown_path_is_404),
        TEST(another_method_is_405_and_says_which_there_are),
        TEST(each_answer_closes_its_connection),
        TEST(a_client_that_drips_is_cut_at_the_absolute_age),
        TEST(many_silent_clients_keep_nobody_out),
        TEST(a_head_that_is_too_large_is_refused),
        TEST(stopping_ends_open_connections_and_leaves_nothing_behind),
        TEST(a_port_in_use_is_an_error_that_names_it),
        TEST(a_host_that_is_no_address_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
