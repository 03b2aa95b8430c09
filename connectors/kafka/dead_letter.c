/*
 * The dead-letter topic. write sends at once; a thread of its own serves the answers, so that they come in when nobody writes, and sends again what failed.
 *
 * Memory: at most so many letters and bytes are under way, wherever they are; then write blocks.
 */
#include "connectors/kafka/dead_letter.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/sink.h"
#include "processor/ledger.h"
#include "processor/log.h"

enum { LETTERS_MAX = 4096, BYTES_MAX = 8 * 1024 * 1024 };

/* -- the books, and the thread -- */

void sink_take_off_locked(struct kafka_dead_letter *sink, struct letter *letter)
{
    *letter->older = letter->newer;
    if (letter->newer != NULL)
        letter->newer->older = letter->older;
    sink->count--;
    sink->bytes -= letter->size;
    CHECK_CALL(pthread_cond_broadcast(&sink->answered_cond));
}

void sink_set_dead_locked(struct kafka_dead_letter *sink, const struct error *error)
{
    if (sink->dead.class == ERROR_NONE)
        sink->dead = *error;
    log_error("dead letters", "%s", error->text);
    CHECK_CALL(pthread_cond_broadcast(&sink->answered_cond));
}

static bool is_closing(struct kafka_dead_letter *sink)
{
    sink_lock(sink);
    bool closing = sink->closing;
    sink_unlock(sink);
    return closing;
}

static void *thread_main(void *arg)
{
    struct kafka_dead_letter *sink = arg;
    while (!is_closing(sink))
        sink_deliver(sink);
    return NULL;
}

/* -- the contract -- */

static bool has_room_locked(const struct kafka_dead_letter *sink, const struct letter *letter)
{
    return sink->count == 0 || (sink->count < LETTERS_MAX && sink->bytes + letter->size <= BYTES_MAX);
}

static void put_under_way_locked(struct kafka_dead_letter *sink, struct letter *letter)
{
    letter->newer = sink->under_way;
    letter->older = &sink->under_way;
    if (letter->newer != NULL)
        letter->newer->older = &letter->newer;
    sink->under_way = letter;
    sink->count++;
    sink->bytes += letter->size;
}

static enum status kafka_dead_letter_write(struct dead_letter *arg, const struct batch *batch,
                                           const struct record *record, bool all_branches, struct context *context,
                                           struct error *error)
{
    struct kafka_dead_letter *sink = (struct kafka_dead_letter *)arg;
    struct letter *letter = letter_new(batch, record, sink->service);
    enum status status = STATUS_OK;
    if (letter == NULL)
        return error_set(error, ERROR_RESTART, "out of memory for a dead letter");
    letter->all_branches = all_branches;
    sink_lock(sink);
    while (sink->dead.class == ERROR_NONE && !has_room_locked(sink, letter) && status == STATUS_OK)
        status = context_wait(context, &sink->answered_cond, &sink->mutex, CLOCK_NEVER);
    if (sink->dead.class != ERROR_NONE)
        status = error_set(error, sink->dead.class, "%s", sink->dead.text);
    if (status == STATUS_OK) {
        put_under_way_locked(sink, letter);
        sink_send_locked(sink, letter);
    }
    sink_unlock(sink);
    if (status != STATUS_OK)
        letter_free(letter);
    return status;
}

static enum status kafka_dead_letter_flush(struct dead_letter *arg, struct context *context, struct error *error)
{
    struct kafka_dead_letter *sink = (struct kafka_dead_letter *)arg;
    enum status status = STATUS_OK;
    sink_lock(sink);
    while (sink->dead.class == ERROR_NONE && sink->count > 0 && status == STATUS_OK)
        status = context_wait(context, &sink->answered_cond, &sink->mutex, CLOCK_NEVER);
    if (sink->dead.class != ERROR_NONE)
        status = error_set(error, sink->dead.class, "%s", sink->dead.text);
    sink_unlock(sink);
    return status;
}

/* What is not acknowledged is given up; the ledger knows that these records have no verdict. */
static void free_letters(struct kafka_dead_letter *sink)
{
    struct letter *letter = sink->under_way;
    while (letter != NULL) {
        struct letter *newer = letter->newer;
        /* librdkafka may still read it, when it did not come back. */
        if (letter->sent)
            ticket_unref(letter->ticket);
        else
            letter_free(letter);
        letter = newer;
    }
}

static void kafka_dead_letter_close(struct dead_letter *arg)
{
    struct kafka_dead_letter *sink = (struct kafka_dead_letter *)arg;
    if (sink == NULL)
        return;
    if (sink->started) {
        sink_lock(sink);
        sink->closing = true;
        sink_unlock(sink);
        CHECK_CALL(pthread_join(sink->thread, NULL));
    }
    (void)sink_close_producer_locked(sink);
    sink_is_well(sink); /* what comes next begins anew */
    free_letters(sink);
    CHECK_CALL(pthread_cond_destroy(&sink->answered_cond));
    CHECK_CALL(pthread_mutex_destroy(&sink->mutex));
    free(sink->topic);
    free(sink->service);
    free(sink);
}

static struct kafka_dead_letter *sink_new(const struct dead_letter_config *config, const struct connector_env *env)
{
    struct kafka_dead_letter *sink = calloc(1, sizeof *sink);
    if (sink == NULL)
        return NULL;
    sink->sink = (struct dead_letter){
        .write = kafka_dead_letter_write, .flush = kafka_dead_letter_flush, .close = kafka_dead_letter_close};
    sink->source = env->source_config;
    if (config->properties != NULL)
        sink->own.properties = *config->properties;
    sink->topic = strdup(config->topic);
    sink->service = strdup(env->service);
    sink->health = env->health;
    CHECK_CALL(pthread_mutex_init(&sink->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&sink->answered_cond, NULL));
    letters_init(&sink->again);
    letters_init(&sink->suspects);
    letters_init(&sink->answers);
    backoff_init(&sink->backoff, CLOCK_SECOND, 30 * CLOCK_SECOND);
    return sink;
}

enum status kafka_dead_letter_open(const struct dead_letter_config *config, const struct connector_env *env,
                                   struct context *context, struct dead_letter **ret, struct error *error)
{
    enum status status = STATUS_OK;
    (void)context;
    /* A stretch has its end before anything of this run can come into it. */
    if (env->stretch == NULL && kafka_source_consumes(env->source_config, config->topic))
        return error_set(error, ERROR_FATAL,
                         "errors.dead_letter.topic: the source consumes %s itself: its dead letters would go round",
                         config->topic);
    struct kafka_dead_letter *sink = sink_new(config, env);
    if (sink == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    if (sink->topic == NULL || sink->service == NULL)
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    if (status == STATUS_OK)
        status = sink_open_producer(sink, error);
    if (status == STATUS_OK && pthread_create(&sink->thread, NULL, thread_main, sink) != 0)
        status = error_set(error, ERROR_TRANSIENT, "could not start a thread for the dead letters");
    if (status != STATUS_OK) {
        kafka_dead_letter_close(&sink->sink);
        return status;
    }
    sink->started = true;
    *ret = &sink->sink;
    return STATUS_OK;
}
