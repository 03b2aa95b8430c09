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

/* Neighbours mostly come from one topic: *last is the name of the one before, and used again. False: no memory. */
static bool set_origin(struct batch *batch, const struct record *record, const struct letter_headers *letter,
                       const char **last)
{
    const char *topic = *last != NULL && bytes_equal(bytes_of_string(*last), letter->topic)
                            ? *last
                            : arena_string(&batch->arena, (const char *)letter->topic.data, letter->topic.size);
    if (topic == NULL)
        return false;
    batch->origins[record->index] = (struct origin){.topic = topic,
                                                    .partition = (int32_t)letter->partition,
                                                    .attempts = letter->attempts,
                                                    .offset = letter->offset};
    *last = topic;
    return true;
}

static void restore_record(const struct restore_config *config, struct batch *batch, struct record *record,
                           const char **last)
{
    struct letter_headers letter;
    if (!letter_headers_read(record->headers, &letter)) {
        batch_reject(batch, record, "letter", "this is no dead letter of weir");
    } else if (letter.truncated >= 0) {
        batch_reject(batch, record, "letter", "the value was cut: it had %lld bytes", (long long)letter.truncated);
    } else if (batch->origins == NULL || !set_origin(batch, record, &letter, last)) {
        batch_retry(batch, record, "memory", "no memory for where the record came from");
    } else {
        record->timestamp = letter.timestamp;
        restore_headers(config, record);
    }
}

static void restore_process(void *stage, void *worker, struct batch *batch)
{
    const struct restore_config *config = stage;
    const char *last = NULL;
    (void)worker;
    /* Without memory each record says so, and is asked for again. */
    if (batch->origins == NULL)
        (void)!batch_make_origins(batch);
    BATCH_EACH(batch, record)
    {
        restore_record(config, batch, record, &last);
    }
}

const struct stage_type restore_stage = {
    .name = "restore",
    .help = "makes dead letters the records that they were",
    .init = restore_init,
    .process = restore_process,
};
