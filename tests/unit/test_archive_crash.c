/* The archive's store on a disk where everything goes wrong that can, at every step: what was flushed is there, nothing is there twice, nothing is torn for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "processor/log.h"
#include "tests/support/archived.h"
#include "tests/support/faulty_disk.h"

enum { ALL = 60, DONE = 7, GAVE_UP = 8, ATTEMPTS = 5, STEPS_MAX = 1000 };

struct life {
    struct archived archived; /* its dir is the work folder or a copy */
    char base[320], durable[340], work[340], copy[340];
    int64_t acknowledged; /* all before it */
    unsigned steps;       /* of a life that was whole */
};

static void run_command(const char *format, const char *path)
{
    char command[800];
    snprintf(command, sizeof command, format, path, path);
    assert_int_equal(system(command), 0);
}

static void begin(struct life *life)
{
    *life = (struct life){0};
    archived_init(&life->archived);
    log_set(LOG_ERROR, false);
    snprintf(life->base, sizeof life->base, "%s", life->archived.dir);
    snprintf(life->durable, sizeof life->durable, "%s/durable", life->base);
    snprintf(life->work, sizeof life->work, "%s/work", life->base);
    snprintf(life->copy, sizeof life->copy, "%s/copy", life->base);
    life->archived.config.segment = 700;
}

static void end(struct life *life)
{
    snprintf(life->archived.dir, sizeof life->archived.dir, "%s", life->base);
    archived_fini(&life->archived);
}

static bool put(struct archived *archived, int64_t from, int64_t to)
{
    if (archived->store == NULL && archived_open(archived) != STATUS_OK)
        return false;
    int64_t middle = from + (to - from) / 2;
    struct batch *first = archived_batch(archived, 0, from, middle, 1);
    struct batch *second = archived_batch(archived, 0, middle, to, 1);
    bool good = archive_store.write(archived->store, first, archived->context, &archived->error) == STATUS_OK &&
                archive_store.write(archived->store, second, archived->context, &archived->error) == STATUS_OK &&
                archive_store.flush(archived->store, archived->context, &archived->error) == STATUS_OK;
    batch_free(first);
    batch_free(second);
    return good;
}

/* Archives all records, in flushes of different sizes, with a restart in the middle; says each offset that is flushed. Never returns. */
static void live(struct archived *archived, int out)
{
    static const int64_t STOPS[] = {5, 12, 14, 30, 32, 45, ALL};
    int64_t at = 0;
    for (size_t i = 0; i < sizeof STOPS / sizeof *STOPS; i++) {
        int attempts = 0;
        /* As the framework does: all since the last flush again. */
        while (!put(archived, at, STOPS[i])) {
            if (archived->error.class != ERROR_TRANSIENT || ++attempts == ATTEMPTS) {
                fprintf(stderr, "gave up: %s\n", archived->error.text);
                _exit(GAVE_UP);
            }
        }
        at = STOPS[i];
        if (write(out, &at, sizeof at) != sizeof at)
            _exit(1);
        if (i == 3)
            archived_close(archived);
    }
    archived_close(archived);
    at = -(int64_t)faulty_disk_steps();
    if (write(out, &at, sizeof at) != sizeof at)
        _exit(1);
    _exit(DONE);
}

static int run(struct life *life, unsigned step, enum disk_fault fault)
{
    int said[2], status;
    int64_t at;
    run_command("rm -rf %s && mkdir -p %s", life->work);
    run_command("rm -rf %s && mkdir -p %s", life->durable);
    life->acknowledged = 0;
    life->archived.config.dir = life->work;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        faulty_disk_begin(life->durable);
        if (step > 0)
            faulty_disk_at(step, fault);
        live(&life->archived, said[1]);
    }
    close(said[1]);
    while (read(said[0], &at, sizeof at) == sizeof at) {
        if (at >= 0)
            life->acknowledged = at;
        else
            life->steps = (unsigned)-at;
    }
    close(said[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The next life, in the folder as it may be found: all that was flushed is there, and all of it when the rest came again. */
static void go_on_as(struct life *life, enum disk_view view)
{
    char from[360], to[360];
    snprintf(from, sizeof from, "%s/orders", life->work);
    snprintf(to, sizeof to, "%s/orders", life->copy);
    run_command("rm -rf %s && mkdir -p %s", life->copy);
    if (access(from, F_OK) == 0) {
        assert_int_equal(mkdir(to, 0777), 0);
        faulty_disk_copy(life->durable, from, to, view, view);
    }
    life->archived.config.dir = life->copy;
    snprintf(life->archived.dir, sizeof life->archived.dir, "%.300s", life->copy);
    assert_true(archived_count(&life->archived, 0) >= life->acknowledged);
    if (!put(&life->archived, 0, ALL))
        fail_msg("%s", life->archived.error.text);
    archived_close(&life->archived);
    assert_int_equal(archived_count(&life->archived, 0), ALL);
}

static void a_call_that_fails_is_made_up_for(void **state)
{
    (void)state;
    struct life life;
    begin(&life);
    assert_int_equal(run(&life, 0, DISK_FAILS), DONE);
    unsigned steps = life.steps;
    assert_in_range(steps, 20, STEPS_MAX);
    for (unsigned step = 1; step <= steps; step++) {
        assert_int_equal(run(&life, step, DISK_FAILS), DONE);
        assert_int_equal(life.acknowledged, ALL);
        go_on_as(&life, DISK_DURABLE);
    }
    end(&life);
}

static void a_process_that_ends_anywhere_leaves_what_the_next_can_go_on_with(void **state)
{
    (void)state;
    struct life life;
    begin(&life);
    assert_int_equal(run(&life, 0, DISK_ENDS), DONE);
    unsigned steps = life.steps;
    for (unsigned step = 1; step <= steps; step++) {
        for (enum disk_fault fault = DISK_ENDS; fault <= DISK_TEARS; fault++) {
            assert_int_equal(run(&life, step, fault), DISK_END);
            go_on_as(&life, DISK_MEMORY);
            go_on_as(&life, DISK_DURABLE);
            go_on_as(&life, DISK_PARTLY);
        }
    }
    end(&life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_is_made_up_for),
        cmocka_unit_test(a_process_that_ends_anywhere_leaves_what_the_next_can_go_on_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
