/* The offsets that memory_keeping_store_type keeps: moved by compare-and-swap as its rows become durable. */
#include "processor/check.h"
#include "tests/support/memory_store.h"

static enum status read_offsets(const void *config, const struct connector_env *env, struct offset_start *starts,
                                unsigned count, struct context *context, struct error *error)
{
    struct memory_store *store = (struct memory_store *)config;
    (void)env;
    enum status status = memory_store_pass(store, MEMORY_READ, context, error);
    memory_lock(&store->mutex);
    for (unsigned i = 0; i < count && status == STATUS_OK; i++)
        starts[i].offset = store->kept[starts[i].partition];
    memory_unlock(&store->mutex);
    return status;
}

static enum status move_offsets(void *arg, const struct offset_move *moves, unsigned count, struct context *context,
                                struct error *error)
{
    struct handle *handle = arg;
    struct memory_store *store = handle->store;
    unsigned fit = 0, there = 0;
    enum status status = memory_store_pass(store, MEMORY_MOVE, context, error);
    memory_lock(&store->mutex);
    for (unsigned i = 0; i < count; i++) {
        CHECK(moves[i].partition < MEMORY_KEPT && moves[i].from != moves[i].to);
        fit += store->kept[moves[i].partition] == moves[i].from;
        there += store->kept[moves[i].partition] == moves[i].to;
    }
    memory_unlock(&store->mutex);
    if (status == STATUS_OK && fit < count && there < count)
        status = error_set(error, ERROR_RESTART, "fenced: somebody else stores these partitions");
    if (status != STATUS_OK) {
        memory_store_forget(handle);
        return status;
    }
    for (unsigned i = 0; i < count; i++)
        handle->moves[moves[i].partition] = moves[i].to;
    handle->there_already = there == count;
    return STATUS_OK;
}

void memory_store_move_locked(struct handle *handle)
{
    for (unsigned i = 0; i < MEMORY_KEPT; i++) {
        if (handle->moves[i] >= 0)
            handle->store->kept[i] = handle->moves[i];
        handle->moves[i] = -1;
    }
}

static void discard(void *handle)
{
    memory_store_forget(handle);
}

const struct store_offsets memory_store_offsets = {.read = read_offsets, .move = move_offsets, .discard = discard};

int64_t memory_store_offset(struct memory_store *store, int32_t partition)
{
    memory_lock(&store->mutex);
    int64_t offset = store->kept[partition];
    memory_unlock(&store->mutex);
    return offset;
}

void memory_store_set_offset(struct memory_store *store, int32_t partition, int64_t offset)
{
    memory_lock(&store->mutex);
    store->kept[partition] = offset;
    memory_unlock(&store->mutex);
}

void memory_store_lose_answers(struct memory_store *store, unsigned times)
{
    memory_lock(&store->mutex);
    store->answers_lost = times;
    memory_unlock(&store->mutex);
}
