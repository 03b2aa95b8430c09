#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "processor/clock.h"
#include "processor/context.h"
#include "processor/log.h"

enum { TEXT_MAX = 1 << 20 };

static int captured, real_stderr;
static char text[TEXT_MAX];

static int capture(void **state)
{
    (void)state;
    log_flush();
    captured = memfd_create("log", 0);
    real_stderr = dup(STDERR_FILENO);
    log_set(LOG_INFO, false);
    return captured >= 0 && dup2(captured, STDERR_FILENO) >= 0 ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    log_flush();
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(captured);
    return 0;
}

/* All that was logged in this test so far. */
static const char *logged(void)
{
    ssize_t size = pread(captured, text, sizeof text - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    return text;
}

static unsigned count_of(const char *where, const char *what)
{
    unsigned count = 0;
    for (const char *at = where; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

/* `when` is like 2026-01-02T03:04:05.678Z, and now. */
static void assert_time(const char *when)
{
    struct tm tm = {0};
    const char *rest = strptime(when, "%Y-%m-%dT%H:%M:%S", &tm);
    assert_non_null(rest);
    assert_int_equal(*rest, '.');
    int64_t ms = (int64_t)timegm(&tm) * 1000 + strtol(rest + 1, NULL, 10), now = clock_wall_ms();
    assert_int_equal(rest[4], 'Z');
    assert_true(ms <= now && ms > now - 60000);
}

static void a_line_tells_when_how_bad_who_and_what(void **state)
{
    (void)state;
    log_error("store orders", "%d records: %s", 3, "disk full");
    const char *line = logged();
    assert_time(line);
    assert_string_equal(line + 24, " ERROR store orders: 3 records: disk full\n");
}

static void levels_below_the_set_one_are_not_written(void **state)
{
    (void)state;
    log_debug("levels", "a");
    log_set(LOG_WARN, false);
    log_info("levels", "b");
    log_warn("levels", "c");
    assert_string_equal(logged() + 24, " WARN levels: c\n");
    log_set(LOG_DEBUG, false);
    log_debug("levels", "d");
    assert_non_null(strstr(logged(), " DEBUG levels: d\n"));
}

static void a_text_never_breaks_its_line(void **state)
{
    (void)state;
    log_info("odd\npart", "%s", "two\nlines\r\x1b[31m \"quoted\\\" \x7f \xff\xc3 caf\xc3\xa9 \xf0\x9f\x90\x9f");
    assert_string_equal(
        logged() + 24,
        " INFO odd\\npart: two\\nlines\\x0d\\x1b[31m \"quoted\\\" \\x7f \xef\xbf\xbd\xef\xbf\xbd caf\xc3\xa9 "
        "\xf0\x9f\x90\x9f\n");
}

static void json_is_json(void **state)
{
    (void)state;
    log_set(LOG_INFO, true);
    log_warn("a\"b", "%s", "x\\y \"z\"\n\t\x01 \x80 caf\xc3\xa9 \xed\xa0\x80");
    const char *line = logged();
    assert_memory_equal(line, "{\"time\":\"", 9);
    assert_time(line + 9);
    assert_string_equal(line + 33, "\",\"level\":\"warn\",\"part\":\"a\\\"b\",\"text\":\"x\\\\y "
                                   "\\\"z\\\"\\n\\u0009\\u0001 \xef\xbf\xbd caf\xc3\xa9 "
                                   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}\n");
}

static void the_longest_text_is_cut_and_fits(void **state)
{
    (void)state;
    char *longest = malloc(100001);
    assert_non_null(longest);
    memset(longest, 1, 100000); /* each byte takes six in JSON */
    longest[100000] = '\0';
    log_set(LOG_INFO, true);
    log_info(longest, "%s", longest);
    const char *line = logged();
    assert_true(strlen(line) > 6000 && strlen(line) < 8000);
    assert_string_equal(line + strlen(line) - 3, "\"}\n");
    free(longest);
}

static void say(const char *part, unsigned number)
{
    log_info(part, "number %u", number);
}

static void what_repeats_within_a_second_is_kept_back_and_counted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        say("repeat", i);
    assert_string_equal(logged() + 24, " INFO repeat: number 0\n");
    log_flush();
    const char *second = strchr(logged(), '\n') + 1;
    assert_time(second);
    assert_string_equal(second + 24, " INFO repeat: number 9 (and 8 more like this)\n"); /* the last word is said */
    log_flush();
    assert_int_equal(count_of(logged(), "\n"), 2);
}

static void json_has_the_number_as_a_member(void **state)
{
    (void)state;
    log_set(LOG_INFO, true);
    for (unsigned i = 0; i < 3; i++)
        say("repeat json", i);
    log_flush();
    assert_non_null(strstr(logged(), "\"text\":\"number 2\",\"more\":1}\n"));
}

static void debug_lines_are_all_said(void **state)
{
    (void)state;
    log_set(LOG_DEBUG, false);
    for (unsigned i = 0; i < 10; i++)
        log_debug("debug", "number %u", i);
    assert_int_equal(count_of(logged(), "\n"), 10);
}

static void other_places_and_other_parts_have_their_own_second(void **state)
{
    (void)state;
    say("one part", 1);
    say("other part", 2);
    log_info("one part", "another format %d", 3);
    assert_int_equal(count_of(logged(), "\n"), 3);
}

static void a_single_line_kept_back_has_no_number(void **state)
{
    (void)state;
    say("twice", 1);
    say("twice", 2);
    log_flush();
    assert_non_null(strstr(logged(), "INFO twice: number 2\n"));
}

static void the_part_may_be_gone_when_its_line_is_said(void **state)
{
    (void)state;
    char *part = strdup("store of a group that was rebuilt");
    say(part, 1);
    say(part, 2);
    memset(part, 'x', strlen(part));
    free(part);
    log_flush();
    assert_non_null(strstr(logged(), "store of a group that was rebuilt: number 2\n"));
}

static void after_a_second_it_is_said_by_the_tick_or_by_whoever_logs(void **state)
{
    (void)state;
    struct context *patience = context_new(NULL, clock_now() + 30 * CLOCK_SECOND);
    int64_t begin = clock_now();
    say("tick", 1);
    say("tick", 2);
    say("others", 1);
    say("others", 2);
    while (strstr(logged(), "tick: number 2\n") == NULL || strstr(logged(), "others: number 2\n") == NULL) {
        log_tick();
        assert_int_equal(context_sleep(patience, 10 * CLOCK_MS), STATUS_OK);
    }
    assert_true(clock_now() - begin >= CLOCK_SECOND);
    say("tick", 3);
    assert_null(strstr(logged(), "tick: number 3")); /* the second began anew */
    while (strstr(logged(), "tick: number 3") == NULL) {
        log_debug("nobody", "below the level, but a call all the same");
        assert_int_equal(context_sleep(patience, 10 * CLOCK_MS), STATUS_OK);
    }
    context_free(patience);
}

/* The number of lines that the log stands for: those it shows, and those it says it left out. */
static unsigned accounted(const char *log)
{
    unsigned sum = count_of(log, "\n");
    for (const char *at = log; (at = strstr(at, "(and ")) != NULL; at++)
        sum += (unsigned)strtoul(at + 5, NULL, 10);
    return sum;
}

static void no_line_is_lost_uncounted_when_there_are_more_places_than_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        char part[32];
        snprintf(part, sizeof part, "place %u", i * 7919 % 500);
        say(part, i);
    }
    log_flush();
    assert_int_equal(accounted(logged()), 3000);
}

static unsigned befores, afters;

static void before(void)
{
    befores++;
    (void)!write(STDERR_FILENO, "<", 1);
}

static void after(void)
{
    afters++;
    (void)!write(STDERR_FILENO, ">", 1);
}

static void something_may_get_out_of_the_way_of_each_line(void **state)
{
    (void)state;
    befores = afters = 0;
    log_on_line(before, after);
    say("progress", 1);
    say("progress", 2);
    log_flush();
    log_on_line(NULL, NULL);
    log_info("progress", "no more");
    assert_int_equal(befores, 2);
    assert_int_equal(afters, 2);
    assert_int_equal(logged()[0], '<');
    assert_int_equal(count_of(logged(), "\n><"), 1);
}

static void errno_is_left_alone(void **state)
{
    (void)state;
    errno = ENOSPC;
    log_info("errno", "%m");
    assert_int_equal(errno, ENOSPC);
    assert_non_null(strstr(logged(), "No space left on device\n"));
}

enum { THREADS = 4, LINES = 500 };

static void the_latest_warnings_are_remembered_one_a_place(void **state)
{
    (void)state;
    struct log_entry entries[LOG_RECENT];
    for (int i = 0; i < LOG_RECENT; i++) {
        char part[32];
        snprintf(part, sizeof part, "old-%d", i);
        log_warn(part, "pushes out what was there");
    }
    log_info("part", "an info is none");
    for (int i = 0; i < 5; i++)
        log_remember("other", "only remembered %d", i);
    for (int i = 1; i < 3; i++)
        log_error("part", "error %d", i);
    for (int i = 3; i < 6; i++)
        log_warn("part", "warning %d", i);
    assert_int_equal(log_recent(entries), LOG_RECENT);
    static const struct {
        const char *text;
        unsigned count;
        enum log_level level;
    } expected[] = {{"warning 5", 3, LOG_WARN},
                    {"error 2", 2, LOG_ERROR},
                    {"only remembered 4", 5, LOG_WARN},
                    {"pushes out what was there", 1, LOG_WARN}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_string_equal(entries[i].text, expected[i].text);
        assert_int_equal(entries[i].count, expected[i].count);
        assert_int_equal(entries[i].level, expected[i].level);
        assert_true(clock_wall_ms() - entries[i].wall_ms < 60000);
    }
    assert_string_equal(entries[0].part, "part");
    assert_string_equal(entries[3].part, "old-15");
    log_flush();
    assert_null(strstr(logged(), "only remembered"));
}

static void *write_lines(void *arg)
{
    char part[32];
    for (unsigned i = 0; i < LINES; i++) {
        snprintf(part, sizeof part, "thread %u.%u", *(unsigned *)arg, i % 50);
        log_info(part, "begin %0200u end", i);
    }
    return NULL;
}

static void lines_of_many_threads_do_not_mix(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    log_flush();
    const char *log = logged();
    assert_int_equal(accounted(log), THREADS * LINES);
    for (const char *line = log; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line + 24, " INFO thread ", 13);
        const char *begin = strstr(line, "begin "), *end = strchr(line, '\n');
        assert_true(begin != NULL && begin < end);
        assert_memory_equal(begin + 206, " end", 4);
    }
}

int main(void)
{
#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, capture, release)
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_tells_when_how_bad_who_and_what),
        LOG_TEST(levels_below_the_set_one_are_not_written),
        LOG_TEST(a_text_never_breaks_its_line),
        LOG_TEST(json_is_json),
        LOG_TEST(the_longest_text_is_cut_and_fits),
        LOG_TEST(what_repeats_within_a_second_is_kept_back_and_counted),
        LOG_TEST(json_has_the_number_as_a_member),
        LOG_TEST(debug_lines_are_all_said),
        LOG_TEST(other_places_and_other_parts_have_their_own_second),
        LOG_TEST(a_single_line_kept_back_has_no_number),
        LOG_TEST(the_part_may_be_gone_when_its_line_is_said),
        LOG_TEST(after_a_second_it_is_said_by_the_tick_or_by_whoever_logs),
        LOG_TEST(no_line_is_lost_uncounted_when_there_are_more_places_than_room),
        LOG_TEST(something_may_get_out_of_the_way_of_each_line),
        LOG_TEST(errno_is_left_alone),
        LOG_TEST(the_latest_warnings_are_remembered_one_a_place),
        LOG_TEST(lines_of_many_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
