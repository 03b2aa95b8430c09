#include "processor/group.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"

struct member {
    struct group *group;
    pthread_t thread;
    group_run *run;
    void *arg;
    char name[16];
    bool ended; /* group->mutex: its thread does nothing more but return */
    struct member *next;
};

struct group {
    struct context *context;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct member *members; /* mutex */
    unsigned running;       /* mutex */
    unsigned joining;       /* mutex: off the list, their threads not joined yet */
    bool failed;            /* mutex */
    struct error error;     /* mutex: the first */
};

struct group *group_new(struct context *parent)
{
    struct group *group = calloc(1, sizeof *group);
    if (group == NULL)
        return NULL;
    group->context = context_new(parent, CLOCK_NEVER);
    if (group->context == NULL) {
        free(group);
        return NULL;
    }
    CHECK_CALL(pthread_mutex_init(&group->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&group->changed, NULL));
    return group;
}

void group_free(struct group *group)
{
    if (group == NULL)
        return;
    CHECK(group->members == NULL);
    context_free(group->context);
    CHECK_CALL(pthread_cond_destroy(&group->changed));
    CHECK_CALL(pthread_mutex_destroy(&group->mutex));
    free(group);
}

struct context *group_context(struct group *group)
{
    return group->context;
}

void group_fail(struct group *group, const struct error *error)
{
    CHECK_CALL(pthread_mutex_lock(&group->mutex));
    bool first = !group->failed;
    if (first) {
        group->failed = true;
        group->error = *error;
    }
    CHECK_CALL(pthread_mutex_unlock(&group->mutex));
    if (first)
        context_cancel(group->context);
}

static void *member_main(void *arg)
{
    struct member *member = arg;
    struct group *group = member->group;
    struct error error = {.class = ERROR_FATAL, .text = "a member failed without saying why"};
    pthread_setname_np(pthread_self(), member->name);
    if (member->run(member->arg, group->context, &error) == STATUS_FAILED)
        group_fail(group, &error);
    CHECK_CALL(pthread_mutex_lock(&group->mutex));
    member->ended = true;
    group->running--;
    CHECK_CALL(pthread_cond_broadcast(&group->changed));
    CHECK_CALL(pthread_mutex_unlock(&group->mutex));
    return NULL;
}

static struct member *take_ended_locked(struct group *group)
{
    for (struct member **at = &group->members; *at != NULL; at = &(*at)->next) {
        struct member *member = *at;
        if (member->ended) {
            *at = member->next;
            group->joining++;
            return member;
        }
    }
    return NULL;
}

void group_reap(struct group *group)
{
    for (;;) {
        CHECK_CALL(pthread_mutex_lock(&group->mutex));
        struct member *member = take_ended_locked(group);
        CHECK_CALL(pthread_mutex_unlock(&group->mutex));
        if (member == NULL)
            return;
        CHECK_CALL(pthread_join(member->thread, NULL));
        free(member);
        CHECK_CALL(pthread_mutex_lock(&group->mutex));
        group->joining--;
        CHECK_CALL(pthread_cond_broadcast(&group->changed));
        CHECK_CALL(pthread_mutex_unlock(&group->mutex));
    }
}

enum status group_go(struct group *group, const char *name, group_run *run, void *arg, struct error *error)
{
    struct member *member = calloc(1, sizeof *member);
    if (member == NULL)
        return error_set(error, ERROR_TRANSIENT, "no memory for the thread %s", name);
    *member = (struct member){.group = group, .run = run, .arg = arg};
    snprintf(member->name, sizeof member->name, "%s", name);
    CHECK_CALL(pthread_mutex_lock(&group->mutex));
    int code = pthread_create(&member->thread, NULL, member_main, member);
    if (code == 0) {
        member->next = group->members;
        group->members = member;
        group->running++;
    }
    CHECK_CALL(pthread_mutex_unlock(&group->mutex));
    if (code != 0) {
        free(member);
        return error_set(error, ERROR_TRANSIENT, "no thread for %s: %s", name, strerror(code));
    }
    return STATUS_OK;
}

enum status group_wait(struct group *group, struct error *error)
{
    CHECK_CALL(pthread_mutex_lock(&group->mutex));
    while (group->running > 0)
        CHECK_CALL(pthread_cond_wait(&group->changed, &group->mutex));
    CHECK_CALL(pthread_mutex_unlock(&group->mutex));
    group_reap(group);
    CHECK_CALL(pthread_mutex_lock(&group->mutex));
    while (group->joining > 0)
        CHECK_CALL(pthread_cond_wait(&group->changed, &group->mutex));
    bool failed = group->failed;
    if (failed && error != NULL)
        *error = group->error;
    CHECK_CALL(pthread_mutex_unlock(&group->mutex));
    return failed ? STATUS_FAILED : STATUS_OK;
}

unsigned group_running(struct group *group)
{
    CHECK_CALL(pthread_mutex_lock(&group->mutex));
    unsigned running = group->running;
    CHECK_CALL(pthread_mutex_unlock(&group->mutex));
    return running;
}
