#include "connectors/postgres/slots.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"

struct postgres_slots {
    struct postgres_slots *next; /* the list's */
    unsigned refs;               /* the list's */
    char *dsn;
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    int64_t limit, taken; /* mutex */
};

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct postgres_slots *list; /* list_mutex */

static struct postgres_slots *make(const char *dsn, int64_t limit)
{
    struct postgres_slots *slots = calloc(1, sizeof *slots);
    if (slots == NULL)
        return NULL;
    slots->dsn = strdup(dsn);
    if (slots->dsn == NULL) {
        free(slots);
        return NULL;
    }
    slots->limit = limit;
    CHECK_CALL(pthread_mutex_init(&slots->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&slots->freed, NULL));
    return slots;
}

struct postgres_slots *postgres_slots_ref(const char *dsn, int64_t limit)
{
    CHECK_CALL(pthread_mutex_lock(&list_mutex));
    struct postgres_slots *slots = list;
    while (slots != NULL && strcmp(slots->dsn, dsn) != 0)
        slots = slots->next;
    if (slots == NULL && (slots = make(dsn, limit)) != NULL) {
        slots->next = list;
        list = slots;
    }
    if (slots != NULL) {
        slots->refs++;
        CHECK_CALL(pthread_mutex_lock(&slots->mutex));
        if (limit < slots->limit)
            slots->limit = limit;
        CHECK_CALL(pthread_mutex_unlock(&slots->mutex));
    }
    CHECK_CALL(pthread_mutex_unlock(&list_mutex));
    return slots;
}

void postgres_slots_unref(struct postgres_slots *slots)
{
    if (slots == NULL)
        return;
    CHECK_CALL(pthread_mutex_lock(&list_mutex));
    bool last = --slots->refs == 0;
    struct postgres_slots **link = &list;
    while (last && *link != slots)
        link = &(*link)->next;
    if (last)
        *link = slots->next;
    CHECK_CALL(pthread_mutex_unlock(&list_mutex));
    if (!last)
        return;
    CHECK(slots->taken == 0);
    CHECK_CALL(pthread_cond_destroy(&slots->freed));
    CHECK_CALL(pthread_mutex_destroy(&slots->mutex));
    free(slots->dsn);
    free(slots);
}

enum status postgres_slots_acquire(struct postgres_slots *slots, struct context *context, int64_t until)
{
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&slots->mutex));
    while (status == STATUS_OK && slots->taken >= slots->limit)
        status = context_wait(context, &slots->freed, &slots->mutex, until);
    if (status == STATUS_OK)
        slots->taken++;
    CHECK_CALL(pthread_mutex_unlock(&slots->mutex));
    return status;
}

void postgres_slots_release(struct postgres_slots *slots)
{
    CHECK_CALL(pthread_mutex_lock(&slots->mutex));
    CHECK(slots->taken > 0);
    slots->taken--;
    /* Not signal: who is woken may be leaving, and would take the news along. */
    CHECK_CALL(pthread_cond_broadcast(&slots->freed));
    CHECK_CALL(pthread_mutex_unlock(&slots->mutex));
}
