/*
 * One mutex a tree (the root's) guards links, children and watches of all its contexts; `ended` is atomic so that context_status takes no lock.
 * A watch is taken off its list before its wake runs, marked busy, and runs without the mutex: context_unwatch waits for it.
 */
#include "processor/context.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "processor/check.h"
#include "processor/clock.h"

struct tree {
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* a watch stopped being busy */
};

struct context {
    struct context *parent;
    struct tree *tree; /* owned by the root */
    int64_t deadline;
    _Atomic bool ended;
    struct context *children, *next, **link; /* tree->mutex */
    struct context_watch *watches;           /* tree->mutex */
};

static struct tree *tree_new(void)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (tree != NULL) {
        CHECK_CALL(pthread_mutex_init(&tree->mutex, NULL));
        CHECK_CALL(pthread_cond_init(&tree->idle, NULL));
    }
    return tree;
}

static void attach_locked(struct context *context, struct context *parent)
{
    context->next = parent->children;
    context->link = &parent->children;
    if (context->next != NULL)
        context->next->link = &context->next;
    parent->children = context;
    if (atomic_load(&parent->ended))
        atomic_store(&context->ended, true);
}

struct context *context_new(struct context *parent, int64_t deadline)
{
    struct context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return NULL;
    context->parent = parent;
    context->deadline = parent != NULL && parent->deadline < deadline ? parent->deadline : deadline;
    context->tree = parent != NULL ? parent->tree : tree_new();
    if (context->tree == NULL) {
        free(context);
        return NULL;
    }
    if (parent != NULL) {
        CHECK_CALL(pthread_mutex_lock(&context->tree->mutex));
        attach_locked(context, parent);
        CHECK_CALL(pthread_mutex_unlock(&context->tree->mutex));
    }
    return context;
}

void context_free(struct context *context)
{
    if (context == NULL)
        return;
    CHECK(context->children == NULL && context->watches == NULL);
    struct tree *tree = context->tree;
    if (context->parent != NULL) {
        CHECK_CALL(pthread_mutex_lock(&tree->mutex));
        *context->link = context->next;
        if (context->next != NULL)
            context->next->link = context->link;
        CHECK_CALL(pthread_mutex_unlock(&tree->mutex));
    } else {
        CHECK_CALL(pthread_cond_destroy(&tree->idle));
        CHECK_CALL(pthread_mutex_destroy(&tree->mutex));
        free(tree);
    }
    free(context);
}

static void unlink_watch_locked(struct context_watch *watch)
{
    if (watch->link == NULL)
        return;
    *watch->link = watch->next;
    if (watch->next != NULL)
        watch->next->link = watch->link;
    watch->link = NULL;
}

static void end_all_locked(struct context *context)
{
    atomic_store(&context->ended, true);
    for (struct context *child = context->children; child != NULL; child = child->next)
        end_all_locked(child);
}

/* Depth of a tree is the depth of our calls: a handful. */
static struct context_watch *any_watch_locked(struct context *context)
{
    if (context->watches != NULL)
        return context->watches;
    for (struct context *child = context->children; child != NULL; child = child->next) {
        struct context_watch *watch = any_watch_locked(child);
        if (watch != NULL)
            return watch;
    }
    return NULL;
}

static void fire(struct tree *tree, struct context_watch *watch)
{
    unlink_watch_locked(watch);
    watch->busy = 1;
    CHECK_CALL(pthread_mutex_unlock(&tree->mutex));
    watch->wake(watch->arg);
    CHECK_CALL(pthread_mutex_lock(&tree->mutex));
    watch->busy = 0;
    CHECK_CALL(pthread_cond_broadcast(&tree->idle));
}

void context_cancel(struct context *context)
{
    struct tree *tree = context->tree;
    CHECK_CALL(pthread_mutex_lock(&tree->mutex));
    end_all_locked(context);
    struct context_watch *watch;
    while ((watch = any_watch_locked(context)) != NULL)
        fire(tree, watch);
    CHECK_CALL(pthread_mutex_unlock(&tree->mutex));
}

enum status context_status(const struct context *context)
{
    if (atomic_load_explicit(&context->ended, memory_order_acquire))
        return STATUS_CANCELLED;
    if (context->deadline != CLOCK_NEVER && clock_now() >= context->deadline)
        return STATUS_DEADLINE;
    return STATUS_OK;
}

int64_t context_deadline(const struct context *context)
{
    return context->deadline;
}

/* False: the context has ended already, nothing was registered. */
static bool add_watch_locked(struct context *context, struct context_watch *watch)
{
    watch->busy = 0;
    watch->link = NULL;
    if (atomic_load(&context->ended))
        return false;
    watch->next = context->watches;
    watch->link = &context->watches;
    if (watch->next != NULL)
        watch->next->link = &watch->next;
    context->watches = watch;
    return true;
}

void context_watch(struct context *context, struct context_watch *watch)
{
    struct tree *tree = context->tree;
    CHECK_CALL(pthread_mutex_lock(&tree->mutex));
    if (!add_watch_locked(context, watch))
        fire(tree, watch);
    CHECK_CALL(pthread_mutex_unlock(&tree->mutex));
}

void context_unwatch(struct context *context, struct context_watch *watch)
{
    struct tree *tree = context->tree;
    CHECK_CALL(pthread_mutex_lock(&tree->mutex));
    while (watch->busy)
        CHECK_CALL(pthread_cond_wait(&tree->idle, &tree->mutex));
    unlink_watch_locked(watch);
    CHECK_CALL(pthread_mutex_unlock(&tree->mutex));
}

struct waiter {
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
};

static void wake_waiter(void *arg)
{
    struct waiter *waiter = arg;
    CHECK_CALL(pthread_mutex_lock(waiter->mutex));
    CHECK_CALL(pthread_cond_broadcast(waiter->cond));
    CHECK_CALL(pthread_mutex_unlock(waiter->mutex));
}

static int timed_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until)
{
    if (until == CLOCK_NEVER)
        return pthread_cond_wait(cond, mutex);
    struct timespec at = clock_timespec(until);
    return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &at);
}

/* The order of locks is the waiter's mutex, then the tree's. wake runs without the tree's and takes the waiter's, so the watch is taken off without the
 * waiter's mutex held; a signal lost meanwhile does not matter, as the caller looks at its predicate next. */
enum status context_wait(struct context *context, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until)
{
    struct waiter waiter = {cond, mutex};
    struct context_watch watch = {.wake = wake_waiter, .arg = &waiter};
    enum status status = context_status(context);
    if (status != STATUS_OK)
        return status;

    CHECK_CALL(pthread_mutex_lock(&context->tree->mutex));
    bool added = add_watch_locked(context, &watch);
    CHECK_CALL(pthread_mutex_unlock(&context->tree->mutex));
    if (!added)
        return STATUS_CANCELLED;

    int64_t limit = until < context->deadline ? until : context->deadline;
    if (timed_wait(cond, mutex, limit) == ETIMEDOUT)
        status = until <= context->deadline ? STATUS_EMPTY : STATUS_DEADLINE;
    CHECK_CALL(pthread_mutex_unlock(mutex));
    context_unwatch(context, &watch);
    CHECK_CALL(pthread_mutex_lock(mutex));
    return atomic_load(&context->ended) ? STATUS_CANCELLED : status;
}

enum status context_sleep(struct context *context, int64_t ns)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    int64_t now = clock_now();
    int64_t until = ns < CLOCK_NEVER - now ? now + ns : CLOCK_NEVER;
    CHECK_CALL(pthread_mutex_lock(&mutex));
    enum status status = STATUS_OK;
    while (status == STATUS_OK)
        status = context_wait(context, &cond, &mutex, until);
    CHECK_CALL(pthread_mutex_unlock(&mutex));
    return status == STATUS_EMPTY ? STATUS_OK : status;
}
