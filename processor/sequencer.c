#include "processor/sequencer.h"

#include <pthread.h>
#include <stdlib.h>

#include "processor/check.h"
#include "processor/clock.h"

struct sequencer {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    uint64_t next;    /* mutex */
    unsigned waiters; /* mutex */
};

struct sequencer *sequencer_new(void)
{
    struct sequencer *sequencer = calloc(1, sizeof *sequencer);
    if (sequencer == NULL)
        return NULL;
    CHECK_CALL(pthread_mutex_init(&sequencer->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&sequencer->moved, NULL));
    return sequencer;
}

void sequencer_free(struct sequencer *sequencer)
{
    if (sequencer == NULL)
        return;
    CHECK_CALL(pthread_cond_destroy(&sequencer->moved));
    CHECK_CALL(pthread_mutex_destroy(&sequencer->mutex));
    free(sequencer);
}

enum status sequencer_wait(struct sequencer *sequencer, uint64_t sequence, struct context *context)
{
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&sequencer->mutex));
    sequencer->waiters++;
    while (sequencer->next != sequence && status == STATUS_OK)
        status = context_wait(context, &sequencer->moved, &sequencer->mutex, CLOCK_NEVER);
    sequencer->waiters--;
    CHECK_CALL(pthread_mutex_unlock(&sequencer->mutex));
    return status;
}

void sequencer_done(struct sequencer *sequencer, uint64_t sequence)
{
    CHECK_CALL(pthread_mutex_lock(&sequencer->mutex));
    CHECK(sequencer->next == sequence);
    sequencer->next++;
    if (sequencer->waiters > 0)
        CHECK_CALL(pthread_cond_broadcast(&sequencer->moved));
    CHECK_CALL(pthread_mutex_unlock(&sequencer->mutex));
}
