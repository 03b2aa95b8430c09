/* The program's verbs as a user types them: what they print, where, and how they end. The demo brings its own broker. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <pty.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/server.h"
#include "processor/health.h"
#include "processor/metrics.h"
#include "tests/support/process.h"

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char GOOD[] = "service: cli\nadmin: false\n"
                           "source: {kafka: {brokers: \"127.0.0.1:1\", group: cli, topics: [cli]}}\n"
                           "stages:\n  - decode: {format: json}\n  - enrich: [{set: {x: 1}}, {remove: [y]}]\n"
                           "  - store: {stdout: {}}\n";

static int set_up(void **state)
{
    struct process *process = calloc(1, sizeof *process);
    process_init(process, "cli");
    *state = process;
    return 0;
}

static int tear_down(void **state)
{
    process_fini(*state);
    free(*state);
    return 0;
}

static void assert_empty(const struct process *process, const char *file)
{
    char *whole = process_read(process, file);
    assert_non_null(whole);
    assert_string_equal(whole, "");
    free(whole);
}

/* Is the file what Python's parser takes for JSON, a document a line or one in all? */
static void assert_json(const struct process *process, const char *file, bool lines)
{
    char command[512];
    snprintf(command, sizeof command, "/usr/bin/python3 -c 'import json, sys; %s' <%s/%s",
             lines ? "[json.loads(line) for line in sys.stdin]" : "json.load(sys.stdin)", process->dir, file);
    assert_int_equal(system(command), 0);
}

/* -- usage -- */

static void what_is_not_understood_is_usage_and_says_where_help_is(void **state)
{
    struct process *process = *state;
    assert_int_equal(process_run(process, ARGUMENTS("rnu", "x.yaml")), 64);
    assert_holds(process, "stderr", "there is no verb \"rnu\"; did you mean \"run\"?");
    assert_holds(process, "stderr", "See `weir help`.");
    assert_int_equal(process_run(process, ARGUMENTS("run", "x.yaml", "--exit-at-ned")), 64);
    assert_holds(process, "stderr", "weir run: there is no option --exit-at-ned; did you mean --exit-at-end?");
    assert_holds(process, "stderr", "See `weir help run`.");
    assert_int_equal(process_run(process, (const char *const[]){NULL}), 64);
    assert_empty(process, "stdout");
}

static void help_is_what_was_asked_for_and_goes_to_stdout(void **state)
{
    struct process *process = *state;
    assert_int_equal(process_run(process, ARGUMENTS("help")), 0);
    assert_holds(process, "stdout", "weir check orders.yaml");
    assert_int_equal(process_run(process, ARGUMENTS("help", "run")), 0);
    assert_holds(process, "stdout", "--exit-at-end");
    assert_int_equal(process_run(process, ARGUMENTS("demo", "--help")), 0);
    assert_holds(process, "stdout", "--records N");
    assert_empty(process, "stderr");
    assert_int_equal(process_run(process, ARGUMENTS("help", "chekc")), 64);
    assert_holds(process, "stderr", "did you mean \"check\"?");
}

static void version_tells_what_is_inside(void **state)
{
    struct process *process = *state;
    assert_int_equal(process_run(process, ARGUMENTS("version", "--json")), 0);
    assert_json(process, "stdout", false);
    assert_holds(process, "stdout", "\"librdkafka\": \"2.");
    assert_int_equal(process_run(process, ARGUMENTS("--version")), 0);
    assert_holds(process, "stdout", "weir ");
}

static void output_that_can_not_be_written_is_no_success(void **state)
{
    (void)state;
    char command[512];
    snprintf(command, sizeof command, "exec %s schema >/dev/full 2>/dev/null", getenv("WEIR_BIN"));
    int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

/* -- check and schema -- */

static void check_says_what_a_good_config_is(void **state)
{
    struct process *process = *state;
    process_file(process, "good.yaml", "%s", GOOD);
    assert_int_equal(process_run(process, ARGUMENTS("check", "good.yaml")), 0);
    assert_holds(process, "stdout", "good.yaml: good: cli: kafka -> decode -> enrich (set, remove) -> stdout\n");
    assert_empty(process, "stderr");
}

static void check_goes_on_to_the_last_file_and_counts(void **state)
{
    struct process *process = *state;
    process_file(process, "good.yaml", "%s", GOOD);
    process_file(process, "bad.yaml", "%smemry: 1\nwatchdog: soon\n", GOOD);
    assert_int_equal(process_run(process, ARGUMENTS("check", "bad.yaml", "missing.yaml", "good.yaml")), 78);
    assert_holds(process, "stdout", "bad.yaml:8:1: memry");
    assert_holds(process, "stdout", "bad.yaml: 2 mistakes\n");
    assert_holds(process, "stdout", "missing.yaml");
    assert_holds(process, "stdout", "good.yaml: good: cli");
}

static void a_topic_may_not_be_stored_into_itself(void **state)
{
    struct process *process = *state;
    static const char *const stores[] = {"{topic: other}", "{topic: clean}", "{topic: other, brokers: elsewhere:9092}"};
    for (unsigned i = 0; i < 3; i++) {
        process_file(process, "circle.yaml",
                     "service: circle\nsource:\n  kafka: {brokers: localhost:9092, group: g, topics: [orders, other]}\n"
                     "stages:\n  - store:\n      kafka: %s\n",
                     stores[i]);
        assert_int_equal(process_run(process, ARGUMENTS("check", "circle.yaml")), i == 0 ? 78 : 0);
        if (i == 0)
            assert_holds(
                process, "stdout",
                "circle.yaml:6:22: stages[0].store.kafka.topic: expected a topic that the source does not consume");
    }
}

static void check_speaks_json(void **state)
{
    struct process *process = *state;
    process_file(process, "good.yaml", "%s", GOOD);
    process_file(process, "bad.yaml", "%smemry: 1\n", GOOD);
    assert_int_equal(process_run(process, ARGUMENTS("check", "--json", "bad.yaml", "good.yaml")), 78);
    assert_json(process, "stdout", true);
    assert_holds(process, "stdout", "\"line\": 8");
    assert_holds(process, "stdout",
                 "{\"file\": \"good.yaml\", \"severity\": \"good\", \"service\": \"cli\", "
                 "\"pipeline\": \"kafka -> decode -> enrich (set, remove) -> stdout\"}\n");
}

static void schema_is_one_json_document(void **state)
{
    struct process *process = *state;
    assert_int_equal(process_run(process, ARGUMENTS("schema")), 0);
    assert_json(process, "stdout", false);
    assert_empty(process, "stderr");
}

/* -- run -- */

static void a_receipt_that_can_not_be_written_is_told_before_the_run(void **state)
{
    struct process *process = *state;
    process_file(process, "good.yaml", "%s", GOOD);
    assert_int_equal(process_run(process, ARGUMENTS("run", "good.yaml", "--receipt", "no/such/folder.json")), 1);
    assert_holds(process, "stderr", "receipt no/such/folder.json: No such file or directory");
}

static void an_admin_port_in_use_is_unavailable(void **state)
{
    struct process *process = *state;
    struct error error;
    struct admin *admin = NULL;
    struct health *health = health_new();
    struct metrics *metrics = metrics_new();
    const struct admin_config config = {
        .host = "127.0.0.1", .metrics = metrics, .health = health, .version_json = "{}"};
    assert_int_equal(admin_start(&config, &admin, &error), STATUS_OK);
    process_file(process, "busy.yaml",
                 "service: cli\nadmin: {listen: \"127.0.0.1:%u\"}\n"
                 "source: {kafka: {brokers: \"127.0.0.1:1\", group: cli, topics: [cli]}}\n"
                 "stages: [{store: {stdout: {}}}]\n",
                 admin_port(admin));
    assert_int_equal(process_run(process, ARGUMENTS("run", "busy.yaml")), 69);
    assert_holds(process, "stderr", "Address already in use");
    admin_stop(admin);
    metrics_free(metrics);
    health_free(health);
}

static void the_default_admin_port_in_use_is_a_warning(void **state)
{
    struct process *process = *state;
    struct error error;
    struct admin *admin = NULL;
    struct health *health = health_new();
    struct metrics *metrics = metrics_new();
    const struct admin_config config = {
        .host = "127.0.0.1", .port = 8080, .metrics = metrics, .health = health, .version_json = "{}"};
    /* If not by us then by somebody else: in use it is. */
    (void)!admin_start(&config, &admin, &error);
    process_file(process, "default.yaml",
                 "service: cli\nsource: {kafka: {brokers: \"127.0.0.1:1\", group: cli, topics: [cli]}}\n"
                 "stages: [{store: {stdout: {}}}]\n");
    process_start(process, ARGUMENTS("run", "default.yaml"));
    process_expect(process, "port 8080: Address already in use: going on without an admin port");
    process_expect(process, "cli: kafka -> stdout\n");
    process_signal(process, SIGTERM);
    assert_int_equal(process_wait(process), 0);
    admin_stop(admin);
    metrics_free(metrics);
    health_free(health);
}

static void json_makes_every_line_of_stderr_an_object(void **state)
{
    struct process *process = *state;
    process_file(process, "good.yaml", "%s", GOOD);
    process_start(process, ARGUMENTS("run", "good.yaml", "--json"));
    process_expect(process, "\"part\":\"service\"");
    process_signal(process, SIGINT);
    assert_int_equal(process_wait(process), 0);
    assert_json(process, "stderr", true);
    assert_holds(process, "stderr", "{\"consumed\": 0, ");
    assert_empty(process, "stdout");
}

/* -- demo -- */

static int64_t count_orders(const struct process *process, const char *sql)
{
    char path[256];
    sqlite3 *db;
    sqlite3_stmt *statement;
    snprintf(path, sizeof path, "%s/demo/orders.db", process->dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

/* Of 20,000 orders 19 are broken, 3 unreadable and 100 tests (cli/demo_orders.c: every 1009th, 5003rd, 199th). */
static void the_demo_gives_each_order_its_verdict_and_leaves_all_to_look_at(void **state)
{
    struct process *process = *state;
    assert_int_equal(process_run(process, ARGUMENTS("demo", "--records", "20000", "--dir", "demo")), 0);
    assert_holds(process, "stdout", "demo: drained\n");
    assert_holds(process, "stdout", "consumed                20,000  in ");
    assert_holds(process, "stdout", "dead-lettered               22\n");
    assert_holds(process, "stdout", "dropped                    100\n");
    assert_holds(process, "stdout", "A dead letter, as orders.dlq has it:\n  orders/");
    assert_holds(process, "stdout", "SELECT tier, count(*) AS orders");
    assert_int_equal(count_orders(process, "select count(*) from orders"), 20000 - 22 - 100);
    assert_int_equal(count_orders(process, "select count(*) from orders where customer is null or tier is null or "
                                           "source not like 'orders/%' or received_at is null"),
                     0);
    /* The config is as good as any other. */
    assert_int_equal(process_run(process, ARGUMENTS("check", "demo/weir.yaml")), 0);

    /* Again on the same database: the same orders, updated. */
    assert_int_equal(process_run(process, ARGUMENTS("demo", "-q", "-n", "20000", "--dir", "demo", "--keep")), 0);
    assert_int_equal(count_orders(process, "select count(*) from orders"), 20000 - 22 - 100);
}

static void a_demo_can_be_stopped_at_any_time(void **state)
{
    struct process *process = *state;
    process_start(process, ARGUMENTS("demo", "--records", "1000000000", "--dir", "demo"));
    process_expect(process, "assigned 6 partitions");
    process_signal(process, SIGINT);
    assert_int_equal(process_wait(process), 0);
    assert_holds(process, "stdout", "demo: drained\n");
}

/* What the demo writes to a terminal of 100 columns. */
static char *run_on_terminal(const struct process *process, const char *term, const char *no_color)
{
    enum { SIZE = 1 << 20 };
    const struct winsize window = {.ws_row = 40, .ws_col = 100};
    char *text = calloc(1, SIZE);
    int fd;
    pid_t pid = forkpty(&fd, NULL, NULL, &window);
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("TERM", term, 1);
        setenv("NO_COLOR", no_color, 1);
        if (chdir(process->dir) == 0)
            execl(getenv("WEIR_BIN"), "weir", "demo", "--records", "20000", "--dir", "demo", (char *)NULL);
        _exit(127);
    }
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, text + used, SIZE - 1 - used)) > 0 || (n < 0 && errno == EINTR))
        used += n > 0 ? (size_t)n : 0;
    close(fd);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return text;
}

static void progress_is_drawn_anew_on_a_terminal_and_taken_away_at_the_end(void **state)
{
    char *text = run_on_terminal(*state, "xterm", "");
    char *drawn = strstr(text, "  queues    ");
    assert_non_null(strstr(text, "\033[1mdemo\033[0m"));
    assert_non_null(drawn);
    char *erased = strstr(text, "\033[4A\r\033[J");
    char *receipt = strstr(text, "demo: drained");
    assert_non_null(erased);
    assert_non_null(receipt);
    assert_null(strstr(receipt, "  queues    "));
    free(text);
}

static void no_color_and_dumb_terminals_are_honoured(void **state)
{
    char *text = run_on_terminal(*state, "xterm", "1");
    assert_non_null(strstr(text, "  queues    "));
    assert_null(strstr(text, "\033[1m"));
    assert_null(strstr(text, "\033[2m"));
    assert_null(strstr(text, "\033[33m"));
    free(text);
    text = run_on_terminal(*state, "dumb", "");
    assert_non_null(strstr(text, "demo: drained"));
    assert_null(strchr(text, '\033'));
    free(text);
}

static void without_a_terminal_there_is_no_progress_unless_asked_for(void **state)
{
    struct process *process = *state;
    assert_int_equal(process_run(process, ARGUMENTS("demo", "--records", "5000", "--dir", "demo")), 0);
    char *text = process_read(process, "stderr");
    assert_null(strstr(text, "in flight"));
    assert_null(strchr(text, '\033'));
    free(text);
    process_start(process, ARGUMENTS("demo", "--records", "1000000000", "--dir", "demo", "--progress", "always"));
    process_expect(process, "consumed ");
    process_signal(process, SIGTERM);
    assert_int_equal(process_wait(process), 0);
    text = process_read(process, "stderr");
    assert_null(strchr(text, '\033'));
    free(text);
}

/* -- deploy/alerts.yaml -- */

/* The port out of "admin at http://127.0.0.1:PORT". */
static unsigned admin_port_said(const struct process *process)
{
    process_expect(process, "admin at http://");
    char *text = process_read(process, "stderr");
    const char *at = strstr(text, "admin at http://127.0.0.1:");
    assert_non_null(at);
    unsigned port = (unsigned)strtoul(at + strlen("admin at http://127.0.0.1:"), NULL, 10);
    free(text);
    return port;
}

static void every_metric_that_an_alert_looks_at_is_there(void **state)
{
    struct process *process = *state;
    static char metrics[1 << 20];
    char path[512], name[128], line[160];
    process_start(process, ARGUMENTS("demo", "--records", "1000000000", "--dir", "demo"));
    unsigned port = admin_port_said(process);
    process_expect(process, "assigned 6 partitions");
    assert_int_equal(process_get(port, "/metrics", metrics, sizeof metrics), 200);
    process_signal(process, SIGTERM);
    assert_int_equal(process_wait(process), 0);
    snprintf(path, sizeof path, "%s/deploy/alerts.yaml", getenv("WEIR_ROOT"));
    char *alerts = process_read(process, path);
    assert_non_null(alerts);
    unsigned found = 0;
    for (const char *at = alerts; (at = strstr(at, "weir_")) != NULL; found++) {
        size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        snprintf(name, sizeof name, "%.*s", (int)size, at);
        snprintf(line, sizeof line, "# TYPE %s ", name);
        if (strstr(metrics, line) == NULL && strcmp(name, "weir_stage_errors_total") != 0)
            fail_msg("an alert looks at %s, which is not in:\n%s", name, metrics);
        at += size;
    }
    assert_true(found > 10);
    free(alerts);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_understood_is_usage_and_says_where_help_is),
        TEST(help_is_what_was_asked_for_and_goes_to_stdout),
        TEST(version_tells_what_is_inside),
        TEST(output_that_can_not_be_written_is_no_success),
        TEST(check_says_what_a_good_config_is),
        TEST(check_goes_on_to_the_last_file_and_counts),
        TEST(a_topic_may_not_be_stored_into_itself),
        TEST(check_speaks_json),
        TEST(schema_is_one_json_document),
        TEST(a_receipt_that_can_not_be_written_is_told_before_the_run),
        TEST(an_admin_port_in_use_is_unavailable),
        TEST(the_default_admin_port_in_use_is_a_warning),
        TEST(json_makes_every_line_of_stderr_an_object),
        TEST(the_demo_gives_each_order_its_verdict_and_leaves_all_to_look_at),
        TEST(a_demo_can_be_stopped_at_any_time),
        TEST(progress_is_drawn_anew_on_a_terminal_and_taken_away_at_the_end),
        TEST(no_color_and_dumb_terminals_are_honoured),
        TEST(without_a_terminal_there_is_no_progress_unless_asked_for),
        TEST(every_metric_that_an_alert_looks_at_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
