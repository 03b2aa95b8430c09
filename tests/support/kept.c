#include "tests/support/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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
