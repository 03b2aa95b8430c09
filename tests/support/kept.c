#include "tests/support/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

int64_t kept_offset(struct stored *stored)
{
    struct offset_start start = {.topic = "orders", .partition = 0, .offset = -2};
    enum status status = stored->type->offsets->read(parsed_config(stored->parsed), &stored->env, &start, 1,
                                                     stored->context, &stored->error);
    if (status != STATUS_OK)
        fail_msg("read: %s", stored->error.text);
    return start.offset;
}

enum status kept_move(struct stored *stored, int64_t from, int64_t to)
{
    const struct offset_move move = {.topic = "orders", .partition = 0, .from = from, .to = to};
    return stored->type->offsets->move(stored->store, &move, 1, stored->context, &stored->error);
}

enum status kept_try(struct stored *stored, int64_t was, int64_t from, int64_t to)
{
    if (stored->store == NULL && stored_open(stored) != STATUS_OK)
        fail_msg("open: %s", stored->error.text);
    struct batch *batch = stored_batch(stored, (int)from, (unsigned)(to - from));
    for (uint32_t i = 0; i < batch->count; i++)
        batch->records[i].offset = from + i;
    enum status status = stored_write(stored, batch);
    if (status == STATUS_OK)
        status = kept_move(stored, was, to);
    if (status == STATUS_OK)
        status = stored_flush(stored);
    batch_free(batch);
    return status;
}

void kept_put(struct stored *stored, int64_t was, int64_t to)
{
    if (kept_try(stored, was, was < 0 ? 0 : was, to) != STATUS_OK)
        fail_msg("write, move or flush: %s", stored->error.text);
}

/* In the child. Says of each flush that it went well. */
_Noreturn static void put_on_and_on(struct stored *stored, int said)
{
    int64_t at = kept_offset(stored);
    for (int i = 0; i < 100000; i++) {
        int64_t to = (at < 0 ? 0 : at) + 50 + i % 7;
        kept_put(stored, at, to);
        at = to;
        if (write(said, &i, sizeof i) != sizeof i)
            _exit(1);
    }
    _exit(0);
}

void kept_kill(struct stored *stored, int flushes)
{
    int said[2], number, seen = 0;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        put_on_and_on(stored, said[1]);
    close(said[1]);
    while (seen < flushes && read(said[0], &number, sizeof number) == sizeof number)
        seen++;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(said[0]);
}
