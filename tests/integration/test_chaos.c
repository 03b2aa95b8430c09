/*
 * The scripts of tests/chaos in their small form: the same runs and the same oracle as in `make soak`, with less of everything. What a script prints is shown when it fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_S = 150, MERCY_S = 20, SETTINGS = 6 };

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Waits for the end; false: `seconds` passed first. */
static bool wait_for(pid_t pid, int seconds, int *ret_status)
{
    for (int64_t until = now_ms() + seconds * 1000; now_ms() < until;) {
        pid_t ended = waitpid(pid, ret_status, WNOHANG);
        assert_int_not_equal(ended, -1);
        if (ended == pid)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return false;
}

static pid_t start(const char *script, const char *const *settings, const char *log)
{
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid != 0)
        return pid;
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(126);
    for (; *settings != NULL; settings++)
        putenv((char *)*settings);
    execlp("bash", "bash", script, (char *)NULL);
    _exit(127);
}

static void show(const char *log)
{
    char line[512];
    FILE *file = fopen(log, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        print_message("%s", line);
    if (file != NULL)
        fclose(file);
}

/* settings: NAME=value, NULL-terminated. */
static void run(const char *name, const char *const *settings)
{
    char script[512], log[512];
    const char *root = getenv("WEIR_ROOT"), *dir = getenv("TMPDIR");
    int status = 0;
    assert_non_null(root);
    snprintf(script, sizeof script, "%s/tests/chaos/%s.sh", root, name);
    snprintf(log, sizeof log, "%s/chaos-%s.log", dir != NULL ? dir : "/tmp", name);
    pid_t pid = start(script, settings, log);
    bool in_time = wait_for(pid, DEADLINE_S, &status);
    if (!in_time) {
        /* Asked first: it stops what it started. */
        kill(pid, SIGTERM);
        if (!wait_for(pid, MERCY_S, &status)) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
        }
    }
    bool good = in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good)
        show(log);
    unlink(log);
    if (!in_time)
        fail_msg("%s.sh did not end within %d s", name, DEADLINE_S);
    if (!good)
        fail_msg("%s.sh failed", name);
}

static void test_killed_at_random_moments_it_loses_nothing(void **state)
{
    (void)state;
    run("kill", (const char *[SETTINGS]){"RECORDS=300000", "KILLS=3", "RATE=40000", NULL});
}

static void test_members_join_and_leave_without_a_loss_or_a_duplicate(void **state)
{
    (void)state;
    run("rebalance", (const char *[SETTINGS]){"RECORDS=150000", "RATE=10000", "PROTOCOLS=classic", NULL});
}

static void test_a_blocked_store_pauses_the_source_within_its_memory(void **state)
{
    (void)state;
    run("blocked-store", (const char *[SETTINGS]){"RECORDS=1600000", "BLOCK=12", "MEMORY=32MiB", NULL});
}

static void test_a_static_member_has_its_partitions_back_at_once(void **state)
{
    (void)state;
    run("static", (const char *[SETTINGS]){"RECORDS=300000", "CONTROL=0", NULL});
}

static void test_a_broker_that_dies_and_comes_back_is_waited_for(void **state)
{
    (void)state;
    run("broker-kill", (const char *[SETTINGS]){"RECORDS=120000", "RATE=10000", "KILLS=1", NULL});
}

static void test_signals_drain_or_say_that_they_did_not(void **state)
{
    (void)state;
    run("sigterm", (const char *[SETTINGS]){"RECORDS=600000", NULL});
}

static void test_exactly_once_into_a_database_that_dies_under_way(void **state)
{
    (void)state;
    run("exactly-once",
        (const char *[SETTINGS]){"STORE=postgres", "RECORDS=75000", "KILLS=1", "MEMBERS=2", "RESTARTS=1", NULL});
}

static void test_exactly_once_into_a_topic_by_transactions(void **state)
{
    (void)state;
    run("exactly-once",
        (const char *[SETTINGS]){"STORE=kafka", "RECORDS=75000", "KILLS=1", "MEMBERS=2", "RESTARTS=0", NULL});
}

static void test_a_zombie_writes_nothing(void **state)
{
    (void)state;
    run("zombie", (const char *[SETTINGS]){"STORE=postgres", "RECORDS=200000", NULL});
}

static void test_a_window_is_replayed_exactly_beside_a_live_group(void **state)
{
    (void)state;
    run("replay", (const char *[SETTINGS]){"RECORDS=300000", NULL});
}

static void test_dead_letters_are_redriven_and_none_is_stored_twice(void **state)
{
    (void)state;
    run("dlq", (const char *[SETTINGS]){"RECORDS=60000", NULL});
}

static void test_an_archive_brings_a_deleted_topic_back_bit_for_bit(void **state)
{
    (void)state;
    run("archive", (const char *[SETTINGS]){"RECORDS=60000", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_at_random_moments_it_loses_nothing),
        cmocka_unit_test(test_members_join_and_leave_without_a_loss_or_a_duplicate),
        cmocka_unit_test(test_a_blocked_store_pauses_the_source_within_its_memory),
        cmocka_unit_test(test_a_static_member_has_its_partitions_back_at_once),
        cmocka_unit_test(test_a_broker_that_dies_and_comes_back_is_waited_for),
        cmocka_unit_test(test_signals_drain_or_say_that_they_did_not),
        cmocka_unit_test(test_exactly_once_into_a_database_that_dies_under_way),
        cmocka_unit_test(test_exactly_once_into_a_topic_by_transactions),
        cmocka_unit_test(test_a_zombie_writes_nothing),
        cmocka_unit_test(test_a_window_is_replayed_exactly_beside_a_live_group),
        cmocka_unit_test(test_dead_letters_are_redriven_and_none_is_stored_twice),
        cmocka_unit_test(test_an_archive_brings_a_deleted_topic_back_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
