/* `weir tap` and `weir top` on a service that runs against a real broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processor/clock.h"
#include "tests/support/client.h"
#include "tests/support/kafka.h"
#include "tests/support/process.h"
#include "tests/support/scene.h"

/* A running service, ready, and a process beside it that has the same config. */
struct watched {
    struct process service, beside;
    unsigned port;
};

static const char *const RUN[] = {"run", "weir.yaml", "--receipt", "receipt.json", NULL};

static void watched_start(struct watched *w, const char *name)
{
    char config[1024], answer[4096], letters[64];
    w->port = process_free_port();
    process_init(&w->service, name);
    process_init(&w->beside, name);
    kafka_make_topic(scene_producer, name, 2);
    snprintf(letters, sizeof letters, "%s.dlq", name);
    kafka_make_topic(scene_producer, letters, 1);
    snprintf(
        config, sizeof config,
        "service: %s\nadmin: {listen: \"127.0.0.1:%u\"}\nsource:\n  kafka: {brokers: \"%s\", group: %s, topics: [%s], "
        "start: earliest}\nstages:\n  - decode: {}\n  - store: {sqlite: {path: orders.db, table: orders, columns: "
        "{order_id: .order_id}}}\nerrors: {dead_letter: {topic: %s}}\n",
        name, w->port, scene_broker, name, name, letters);
    process_file(&w->service, "weir.yaml", "%s", config);
    process_file(&w->beside, "weir.yaml", "%s", config);
    process_start(&w->service, RUN);
    for (int64_t began = clock_now(); process_get(w->port, "/readyz", answer, sizeof answer) != 200;)
        process_look_again(&w->service, began);
}

static void watched_stop(struct watched *w)
{
    process_signal(&w->service, SIGTERM);
    assert_int_equal(process_wait(&w->service), 0);
    process_fini(&w->service);
    process_fini(&w->beside);
}

static void wait_for_metric(struct watched *w, const char *line)
{
    static char answer[256 * 1024];
    for (int64_t began = clock_now();
         process_get(w->port, "/metrics", answer, sizeof answer) != 200 || strstr(answer, line) == NULL;)
        process_look_again(&w->service, began);
}

static void a_tap_shows_records_as_they_pass(void **state)
{
    (void)state;
    struct watched w;
    watched_start(&w, "tap-passes");
    process_start(&w.beside,
                  (const char *const[]){"tap", "weir.yaml", "--stage", "decode", "--where",
                                        "header.trace=t-1 && .order_id!=o-1", "--limit", "3", "--json", NULL});
    wait_for_metric(&w, "\nweir_taps_open 1\n");
    scene_send_orders("tap-passes", 1, 20);
    assert_int_equal(process_wait(&w.beside), 0);
    assert_holds(&w.beside, "stdout",
                 "{\"stage\":\"decode\",\"answer\":\"forwarded\",\"topic\":\"tap-passes\",\"partition\":0,"
                 "\"offset\":0,\"timestamp\":1700000000123,\"key\":\"k-0\",\"headers\":[{\"name\":"
                 "\"trace\",\"value\":\"t-1\"}],\"document\":{\"order_id\": \"o-0\", ");
    assert_holds(&w.beside, "stdout", "{\"end\":\"limit\",\"tap\":{\"passed\":");
    assert_holds(&w.beside, "stdout", ",\"dropped\":0,\"shown\":3}}\n");
    assert_true(process_said(&w.beside, "weir tap: 3 records shown of "));

    process_start(&w.beside, (const char *const[]){"tap", "weir.yaml", "--stage", "decode", "--answer", "rejected",
                                                   "--limit", "1", NULL});
    wait_for_metric(&w, "\nweir_taps_open 1\n");
    scene_send("tap-passes", 1, "bad", "{\"order_id\": ");
    scene_flush();
    assert_int_equal(process_wait(&w.beside), 0);
    assert_holds(&w.beside, "stdout", "tap-passes/1@0  2023-11-14T22:13:20.123Z  rejected json: ");
    assert_holds(&w.beside, "stdout", "  key \"bad\"  {\"trace\":\"t-1\"}  value \"{\\\"order_id\\\": \"\n");
    watched_stop(&w);
}

static void a_store_shows_what_it_has_stored_until_it_is_interrupted(void **state)
{
    (void)state;
    struct watched w;
    watched_start(&w, "tap-store");
    process_start(&w.beside, (const char *const[]){"tap", "weir.yaml", "--stage", "sqlite", "--sample", "1/2", NULL});
    wait_for_metric(&w, "\nweir_taps_open 1\n");
    scene_send_orders("tap-store", 1, 10);
    for (int64_t began = clock_now();;) {
        char *shown = process_read(&w.beside, "stdout");
        bool last = shown != NULL && strstr(shown, "\"o-8\"") != NULL;
        free(shown);
        if (last)
            break;
        process_look_again(&w.beside, began);
    }
    process_signal(&w.beside, SIGINT);
    assert_int_equal(process_wait(&w.beside), 0);
    assert_holds(&w.beside, "stdout", "tap-store/0@8  2023-11-14T22:13:20.123Z  stored  key \"k-8\"");
    assert_true(process_said(&w.beside, "weir tap: 5 records shown of "));
    wait_for_metric(&w, "\nweir_taps_open 0\n");
    watched_stop(&w);
}

static void a_tap_that_nobody_reads_holds_no_record_up(void **state)
{
    (void)state;
    enum { RECORDS = 20000 };
    struct watched w;
    watched_start(&w, "tap-unread");
    int fd = client_connect((uint16_t)w.port, 4096);
    client_send(fd, "GET", "/tap?stage=decode", NULL);
    wait_for_metric(&w, "\nweir_taps_open 1\n");
    scene_send_orders("tap-unread", 2, RECORDS);
    scene_await_orders(&w.service, RECORDS);
    process_signal(&w.service, SIGTERM);
    assert_int_equal(process_wait(&w.service), 0);
    assert_true(process_said(&w.service, "tap: decode: no longer tapped: "));
    assert_true(process_said(&w.service, " of 20000 records shown, "));
    assert_int_equal(process_number(&w.service, "receipt.json", "stored"), RECORDS);
    close(fd);
    process_fini(&w.service);
    process_fini(&w.beside);
}

static void what_cannot_be_tapped_is_told(void **state)
{
    (void)state;
    struct watched w;
    watched_start(&w, "tap-wrong");
    struct process *p = &w.beside;
    assert_int_equal(process_run(p, (const char *const[]){"tap", "weir.yaml", NULL}), 64);
    assert_true(process_said(p, "weir tap: wants --stage NAME"));
    assert_int_equal(process_run(p, (const char *const[]){"tap", "--stage", "decode", NULL}), 64);
    assert_true(process_said(p, "weir tap: wants FILE or --admin URL"));
    assert_int_equal(process_run(p, (const char *const[]){"tap", "weir.yaml", "--stage", "decod", NULL}), 64);
    assert_true(process_said(p, "there is no stage `decod`; there is intake, decode, sqlite"));
    assert_int_equal(
        process_run(p, (const char *const[]){"tap", "weir.yaml", "--stage", "decode", "--where", "a", NULL}), 64);
    assert_true(process_said(p, "--where: expected header.NAME, key or .path"));
    assert_int_equal(
        process_run(p, (const char *const[]){"tap", "weir.yaml", "--stage", "intake", "--where", ".a=1", NULL}), 64);
    assert_true(process_said(p, "no document yet at the intake"));
    watched_stop(&w);

    process_init(p, "tap-nobody");
    process_file(p, "off.yaml",
                 "service: s\nadmin: false\nsource: {kafka: {brokers: \"127.0.0.1:1\", group: g, topics: [t]}}\n"
                 "stages: [{store: {stdout: {}}}]\n");
    assert_int_equal(process_run(p, (const char *const[]){"tap", "off.yaml", "--stage", "x", NULL}), 78);
    assert_true(process_said(p, "no admin port"));
    assert_int_equal(process_run(p, (const char *const[]){"tap", "--admin", "127.0.0.1:1", "--stage", "x", NULL}), 69);
    assert_int_equal(process_run(p, (const char *const[]){"top", "--admin", "127.0.0.1:1", "--once", NULL}), 69);
    assert_true(process_said(p, "weir top: http://127.0.0.1:1/status: "));
    process_fini(p);
}

static void top_draws_one_picture_for_a_log(void **state)
{
    (void)state;
    struct watched w;
    watched_start(&w, "top-once");
    scene_send_orders("top-once", 2, 100);
    wait_for_metric(&w, "\nweir_verdicts_total{verdict=\"stored\"} 100\n");
    assert_int_equal(
        process_run(&w.beside, (const char *const[]){"top", "weir.yaml", "--once", "--every", "100ms", NULL}), 0);
    assert_holds(&w.beside, "stdout", "top-once  ready  up ");
    assert_holds(&w.beside, "stdout", "consumed 100  in flight 0\n");
    assert_holds(&w.beside, "stdout", "  blocking   nothing: no queue is over half full, and no store fails\n");
    assert_holds(&w.beside, "stdout", "\ndecode ");
    assert_holds(&w.beside, "stdout", "\nsqlite ");
    assert_int_equal(process_run(&w.beside, (const char *const[]){"top", "weir.yaml", "--once", "--json", NULL}), 0);
    assert_holds(&w.beside, "stdout", "{\"service\": \"top-once\", ");
    assert_holds(&w.beside, "stdout", "\"records\": {\"consumed\": 100, ");
    watched_stop(&w);
}

/* -- on a terminal -- */

struct terminal {
    pid_t pid;
    int fd;
    char text[512 * 1024];
    size_t used;
};

static void terminal_start(struct terminal *terminal, const char *url)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 100};
    terminal->used = 0;
    terminal->pid = forkpty(&terminal->fd, NULL, NULL, &size);
    assert_true(terminal->pid >= 0);
    if (terminal->pid > 0)
        return;
    setenv("TERM", "xterm", 1);
    const char *weir = getenv("WEIR_BIN");
    execl(weir, weir, "top", "--admin", url, "--every", "100ms", (char *)NULL);
    _exit(127);
}

/* What was drawn so far; false: it ended. */
static bool terminal_read(struct terminal *terminal, int ms)
{
    struct pollfd fd = {.fd = terminal->fd, .events = POLLIN};
    if (poll(&fd, 1, ms) != 1)
        return true;
    /* Only what is new counts. */
    if (terminal->used > sizeof terminal->text / 2)
        terminal->used = 0;
    ssize_t n = read(terminal->fd, terminal->text + terminal->used, sizeof terminal->text - 1 - terminal->used);
    if (n <= 0)
        return false;
    terminal->used += (size_t)n;
    terminal->text[terminal->used] = '\0';
    return true;
}

static void terminal_expect(struct terminal *terminal, const char *text)
{
    int64_t until = clock_now() + PROCESS_PATIENCE_S * CLOCK_SECOND;
    while (terminal->used == 0 || strstr(terminal->text, text) == NULL) {
        if (clock_now() > until || !terminal_read(terminal, 100))
            fail_msg("no \"%s\" on the screen: %s", text, terminal->used > 0 ? terminal->text : "");
    }
    terminal->used = 0;
}

/* It ends well, and the terminal has its own screen and cursor back. */
static void terminal_end(struct terminal *terminal)
{
    int status = 0;
    terminal_expect(terminal, "\033[?25h\033[?1049l");
    while (terminal_read(terminal, 100) && waitpid(terminal->pid, &status, WNOHANG) == 0) {
    }
    close(terminal->fd);
    (void)waitpid(terminal->pid, &status, 0);
    assert_int_equal(status, 0);
}

static void top_lives_on_a_terminal_through_the_absence_of_its_service(void **state)
{
    (void)state;
    static struct terminal terminal;
    struct watched w;
    char url[64];
    watched_start(&w, "top-live");
    snprintf(url, sizeof url, "127.0.0.1:%u", w.port);
    terminal_start(&terminal, url);
    terminal_expect(&terminal, "\033[?1049h\033[?25l");
    terminal_expect(&terminal, "top-live");
    terminal_expect(&terminal, "sqlite");
    process_signal(&w.service, SIGTERM);
    assert_int_equal(process_wait(&w.service), 0);
    terminal_expect(&terminal, "no answer for ");
    process_start(&w.service, RUN);
    terminal_expect(&terminal, "  blocking   ");
    terminal_expect(&terminal, "\033[32mready");
    const struct winsize small = {.ws_row = 3, .ws_col = 20};
    assert_int_equal(ioctl(terminal.fd, TIOCSWINSZ, &small), 0);
    assert_int_equal(write(terminal.fd, "q", 1), 1);
    terminal_end(&terminal);

    terminal_start(&terminal, url);
    terminal_expect(&terminal, "sqlite");
    assert_int_equal(kill(terminal.pid, SIGTERM), 0);
    terminal_end(&terminal);

    terminal_start(&terminal, url);
    terminal_expect(&terminal, "sqlite");
    assert_int_equal(write(terminal.fd, "\003", 1), 1); /* Ctrl-C */
    terminal_end(&terminal);
    watched_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tap_shows_records_as_they_pass),
        cmocka_unit_test(a_store_shows_what_it_has_stored_until_it_is_interrupted),
        cmocka_unit_test(a_tap_that_nobody_reads_holds_no_record_up),
        cmocka_unit_test(what_cannot_be_tapped_is_told),
        cmocka_unit_test(top_draws_one_picture_for_a_log),
        cmocka_unit_test(top_lives_on_a_terminal_through_the_absence_of_its_service),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
