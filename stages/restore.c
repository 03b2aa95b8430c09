#include "stages/restore.h"

#include "processor/headers.h"
#include "processor/letter_headers.h"

static enum status restore_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    (void)env, (void)error;
    *ret_stage = (void *)config;
    return STATUS_OK;
}

static bool stays(const struct restore_config *config, struct bytes name)
{
    return !letter_headers_is_ours(name) ||
           (config->keep_attempts && bytes_equal(name, bytes_of_string(LETTER_ATTEMPTS)));
}

/* In place: the arena's text is the batch's own, and what stays only gets nearer to the beginning. */
static void restore_headers(const struct restore_config *config, struct record *record)
{
    size_t cursor = 0;
    struct bytes name, value;
    uint8_t *begin = (uint8_t *)record->headers.data, *out = begin;
    for (size_t from = 0; headers_next(record->headers, &cursor, &name, &value); from = cursor) {
        if (!stays(config, name))
            continue;
        memmove(out, begin + from, cursor - from);
        out += cursor - from;
    }
    record->headers.size = (uint32_t)(out - begin);
}

/* Neighbours mostly come from one topic: `last` is the origin before, and its text is used again. NULL: no memory. */
static const struct origin *make_origin(struct batch *batch, const struct letter_headers *letter,
                                        const struct origin *last)
{
    struct origin *origin = arena_alloc(&batch->arena, sizeof *origin);
    const char *topic = last != NULL && bytes_equal(bytes_of_string(last->topic), letter->topic)
                            ? last->topic
                            : arena_string(&batch->arena, (const char *)letter->topic.data, letter->topic.size);
    if (origin == NULL || topic == NULL)
        return NULL;
    *origin = (struct origin){.topic = topic,
                              .partition = (int32_t)letter->partition,
                              .attempts = letter->attempts,
                              .offset = letter->offset};
    return origin;
}

static void restore_process(void *stage, void *worker, struct batch *batch)
{
    const struct restore_config *config = stage;
    const struct origin *last = NULL;
    struct letter_headers letter;
    (void)worker;
    BATCH_EACH(batch, record)
    {
        if (!letter_headers_read(record->headers, &letter)) {
            batch_reject(batch, record, "letter", "this is no dead letter of weir");
            continue;
        }
        if (letter.truncated >= 0) {
            batch_reject(batch, record, "letter", "the value was cut: it had %lld bytes", (long long)letter.truncated);
            continue;
        }
        const struct origin *origin = make_origin(batch, &letter, last);
        if (origin == NULL) {
            batch_retry(batch, record, "memory", "no memory for where the record came from");
            continue;
        }
        record->timestamp = letter.timestamp;
        restore_headers(config, record);
        record->origin = last = origin;
    }
}

const struct stage_type restore_stage = {
    .name = "restore",
    .help = "makes dead letters the records that they were",
    .init = restore_init,
    .process = restore_process,
};
