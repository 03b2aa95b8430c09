/* The file store with exactly-once delivery, on a disk where everything goes wrong that can, at every step: no record is missing, none is there twice, none is torn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "processor/log.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/kept.h"

extern const struct store_type file_store;

enum { ALL = 60, DONE = 7, GAVE_UP = 8, ATTEMPTS = 20, STEPS_MAX = 1000 };

struct life {
    struct stored stored;
    char durable[256], work[256], copy[256];
    int64_t acknowledged; /* -1: nothing */
    char trouble[64];     /* for who reads of a failure */
    bool impatient;       /* closes the store after whatever failure, instead of trying again */
};

static const char BIG[] = "{path: 'a-%i.ndjson'}";
static const char SMALL[] = "{path: 'a-%i.ndjson', frame: 4096, rotate: {size: 700, every: 1h}}";

static void make_folder(char *path, size_t room, const char *dir, const char *name)
{
    snprintf(path, room, "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

static void begin(struct life *life, const char *yaml)
{
    *life = (struct life){.acknowledged = -1};
    stored_init(&life->stored, &file_store, yaml);
    life->stored.env.exactly_once = true;
    log_set(LOG_ERROR, false);
    make_folder(life->durable, sizeof life->durable, life->stored.dir, "durable");
    make_folder(life->work, sizeof life->work, life->stored.dir, "work");
    make_folder(life->copy, sizeof life->copy, life->stored.dir, "copy");
}

static void empty_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

/* As the framework does: again after what passes, anew after a restart. False: it does not pass. ret_flushed: that said so, and not the offset that is read again. */
static bool put_stubbornly(struct life *life, int64_t *at, int64_t to, bool *ret_flushed)
{
    struct stored *stored = &life->stored;
    for (int i = 0; i < ATTEMPTS; i++) {
        if (stored->store == NULL && stored_open(stored) != STATUS_OK)
            continue;
        enum status status = kept_try(stored, *at, *at < 0 ? 0 : *at, to);
        if (status == STATUS_OK) {
            *at = to;
            *ret_flushed = true;
            return true;
        }
        if (stored->error.class != ERROR_TRANSIENT && stored->error.class != ERROR_RESTART)
            return false;
        if (stored->error.class == ERROR_TRANSIENT && !life->impatient)
            continue;
        stored_close(stored);
        *at = kept_offset(stored);
        if (*at >= to)
            return true;
    }
    return false;
}

/* Stores all orders, in flushes of different sizes, with a restart in the middle; says each offset that is acknowledged. Never returns. */
static void live(struct life *life, int out)
{
    static const int64_t STOPS[] = {5, 12, 13, 30, 31, 45, ALL};
    struct stored *stored = &life->stored;
    int64_t at = kept_offset(stored);
    for (size_t i = 0; i < sizeof STOPS / sizeof *STOPS; i++) {
        if (STOPS[i] <= at)
            continue;
        bool flushed = false;
        if (!put_stubbornly(life, &at, STOPS[i], &flushed)) {
            fprintf(stderr, "gave up: %s\n", stored->error.text);
            _exit(GAVE_UP);
        }
        if (flushed && write(out, &at, sizeof at) != sizeof at)
            _exit(1);
        if (i == 3)
            stored_close(stored);
    }
    stored_close(stored);
    unsigned steps = faulty_disk_steps();
    if (write(out, &steps, sizeof steps) != sizeof steps)
        _exit(1);
    _exit(DONE);
}

struct trouble {
    unsigned step;
    enum disk_fault fault;
};

/* One more life in the folder, with these troubles. Returns how it ended; *ret_steps: how many steps it took, when it was whole. */
static int run_again(struct life *life, const struct trouble *troubles, unsigned count, unsigned *ret_steps)
{
    int said[2], status;
    int64_t at;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (chdir(life->work) != 0)
            _exit(1);
        faulty_disk_begin(life->durable);
        for (unsigned i = 0; i < count; i++)
            faulty_disk_at(troubles[i].step, troubles[i].fault);
        live(life, said[1]);
    }
    close(said[1]);
    while (read(said[0], &at, sizeof at) == sizeof at)
        life->acknowledged = at;
    if (ret_steps != NULL)
        *ret_steps = (unsigned)at;
    close(said[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run(struct life *life, const struct trouble *troubles, unsigned count, unsigned *ret_steps)
{
    empty_folder(life->work);
    empty_folder(life->durable);
    life->acknowledged = -1;
    snprintf(life->trouble, sizeof life->trouble, "step %u, then %u", count > 0 ? troubles[0].step : 0,
             count > 1 ? troubles[1].step : 0);
    return run_again(life, troubles, count, ret_steps);
}

static void count_lines(const char *path, unsigned *times)
{
    char line[96], expected[96];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        int id = -1;
        assert_int_equal(sscanf(line, "{\"id\":%d", &id), 1);
        snprintf(expected, sizeof expected, "{\"id\":%d,\"name\":\"n-%d\"}\n", id, id);
        assert_string_equal(line, expected);
        assert_in_range(id, 0, ALL - 1);
        times[id]++;
    }
    fclose(file);
}

/* Goes on in a folder as a crash left it, to the end; then each order is there once. */
static void go_on(struct life *life, const char *folder)
{
    unsigned times[ALL] = {0};
    struct dirent *entry;
    assert_int_equal(chdir(folder), 0);
    int64_t at = kept_offset(&life->stored);
    assert_true(at >= life->acknowledged);
    assert_int_equal(stored_open(&life->stored), STATUS_OK);
    assert_int_equal(kept_offset(&life->stored), at);
    if (at < ALL)
        kept_put(&life->stored, at, ALL);
    stored_close(&life->stored);
    assert_int_equal(kept_offset(&life->stored), ALL);
    DIR *dir = opendir(".");
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        assert_null(strstr(entry->d_name, ".open"));
        if (entry->d_name[0] != '.')
            count_lines(entry->d_name, times);
    }
    closedir(dir);
    for (int i = 0; i < ALL; i++)
        if (times[i] != 1)
            fail_msg("order %d is there %u times (%s)", i, times[i], life->trouble);
    assert_int_equal(chdir(life->stored.dir), 0);
}

/* What may be found after the life ended: it and the machine went on, or the machine went down, and part of what was not synced reached the disk. */
static void go_on_as(struct life *life, enum disk_view hidden, enum disk_view plain)
{
    size_t used = strcspn(life->trouble, ";");
    snprintf(life->trouble + used, sizeof life->trouble - used, "; as seen by %d and %d", (int)hidden, (int)plain);
    empty_folder(life->copy);
    faulty_disk_copy(life->durable, life->work, life->copy, hidden, plain);
    go_on(life, life->copy);
}

static void go_on_everywhere(struct life *life)
{
    for (enum disk_view hidden = DISK_MEMORY; hidden <= DISK_PARTLY; hidden++)
        for (enum disk_view plain = DISK_MEMORY; plain <= DISK_PARTLY; plain++)
            go_on_as(life, hidden, plain);
}

/* For many troubles: the worst of it. */
static void go_on_at_the_ends(struct life *life)
{
    go_on_as(life, DISK_MEMORY, DISK_MEMORY);
    go_on_as(life, DISK_DURABLE, DISK_DURABLE);
    go_on_as(life, DISK_MEMORY, DISK_DURABLE);
    go_on_as(life, DISK_DURABLE, DISK_MEMORY);
}

static unsigned count_steps(struct life *life)
{
    unsigned steps = 0;
    assert_int_equal(run(life, NULL, 0, &steps), DONE);
    assert_in_range(steps, 50, STEPS_MAX);
    go_on_everywhere(life);
    return steps;
}

static void a_crash_at_any_step_neither_loses_nor_doubles(void **state)
{
    (void)state;
    struct life life;
    begin(&life, SMALL);
    unsigned steps = count_steps(&life);
    for (unsigned step = 1; step <= steps; step++) {
        for (enum disk_fault fault = DISK_ENDS; fault <= DISK_TEARS; fault++) {
            const struct trouble trouble = {step, fault};
            assert_int_equal(run(&life, &trouble, 1, NULL), DISK_END);
            go_on_everywhere(&life);
        }
    }
    stored_fini(&life.stored);
}

static void a_crash_at_any_step_neither_loses_nor_doubles_in_a_file_that_stays_open(void **state)
{
    (void)state;
    struct life life;
    begin(&life, BIG);
    unsigned steps = count_steps(&life);
    for (unsigned step = 1; step <= steps; step++) {
        const struct trouble trouble = {step, DISK_TEARS};
        assert_int_equal(run(&life, &trouble, 1, NULL), DISK_END);
        go_on_at_the_ends(&life);
    }
    stored_fini(&life.stored);
}

static void a_call_that_fails_at_any_step_is_made_up_for(void **state)
{
    (void)state;
    struct life life;
    begin(&life, SMALL);
    unsigned steps = count_steps(&life);
    for (unsigned step = 1; step <= steps; step++) {
        const struct trouble trouble = {step, DISK_FAILS};
        assert_int_equal(run(&life, &trouble, 1, NULL), DONE);
        assert_int_equal(life.acknowledged, ALL);
        go_on_everywhere(&life);
    }
    stored_fini(&life.stored);
}

static void a_store_that_is_closed_after_a_failure_leaves_no_more_than_was_stored(void **state)
{
    (void)state;
    struct life life;
    begin(&life, SMALL);
    life.impatient = true;
    unsigned steps = count_steps(&life);
    for (unsigned step = 1; step <= steps; step++) {
        const struct trouble trouble = {step, DISK_FAILS};
        assert_int_equal(run(&life, &trouble, 1, NULL), DONE);
        go_on_everywhere(&life);
        for (unsigned later = 1; later <= 2; later++) {
            const struct trouble twice[] = {{step, DISK_FAILS}, {step + later, DISK_FAILS}};
            assert_int_equal(run(&life, twice, 2, NULL), DONE);
            go_on_at_the_ends(&life);
        }
    }
    stored_fini(&life.stored);
}

/* The kernel shows what a failed sync did not write: who believes it loses it with the power. */
static void a_crash_soon_after_a_call_that_failed_neither_loses_nor_doubles(void **state)
{
    (void)state;
    struct life life;
    begin(&life, SMALL);
    unsigned steps = count_steps(&life);
    for (unsigned step = 1; step <= steps; step++) {
        for (unsigned later = 1; later <= 6; later++) {
            const struct trouble troubles[] = {{step, DISK_FAILS}, {step + later, DISK_ENDS}};
            int end = run(&life, troubles, 2, NULL);
            assert_true(end == DISK_END || end == DONE);
            go_on_at_the_ends(&life);
        }
    }
    stored_fini(&life.stored);
}

/* What the first crash left in the system's memory alone is acted on only when it is on the disk, before the second takes it. */
static void a_crash_soon_after_a_crash_neither_loses_nor_doubles(void **state)
{
    (void)state;
    struct life life;
    begin(&life, SMALL);
    unsigned steps = count_steps(&life);
    for (unsigned step = 1; step <= steps; step++) {
        for (unsigned later = 1; later <= 8; later++) {
            const struct trouble first = {step, DISK_ENDS}, second = {later, DISK_ENDS};
            assert_int_equal(run(&life, &first, 1, NULL), DISK_END);
            int end = run_again(&life, &second, 1, NULL);
            assert_true(end == DISK_END || end == DONE);
            go_on_at_the_ends(&life);
        }
    }
    stored_fini(&life.stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_at_any_step_neither_loses_nor_doubles),
        cmocka_unit_test(a_crash_at_any_step_neither_loses_nor_doubles_in_a_file_that_stays_open),
        cmocka_unit_test(a_call_that_fails_at_any_step_is_made_up_for),
        cmocka_unit_test(a_store_that_is_closed_after_a_failure_leaves_no_more_than_was_stored),
        cmocka_unit_test(a_crash_soon_after_a_call_that_failed_neither_loses_nor_doubles),
        cmocka_unit_test(a_crash_soon_after_a_crash_neither_loses_nor_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
