/* The inside of memory.h's broker, shared by memory_broker.c (what tests ask for), memory_source.c (the source) and memory_letters.c (the dead letters). */
#ifndef WEIR_TESTS_SUPPORT_MEMORY_BROKER_H
#define WEIR_TESTS_SUPPORT_MEMORY_BROKER_H

#include <pthread.h>

#include "tests/support/memory.h"

struct memory_partition {
    int64_t end;
    int64_t committed; /* -1: never */
    int64_t gap_from, gap_to;
    bool taken;  /* not assigned to the source */
    bool paused; /* by the source */
};

enum memory_request { MEMORY_NOTHING, MEMORY_REVOKE, MEMORY_ASSIGN };

struct memory_waiting_letter {
    struct memory_letter letter;
    struct ticket *ticket;
    uint32_t index;
    bool all_branches;
    struct memory_waiting_letter *next;
};

/* Everything under the one mutex, but for the constants. */
struct memory_broker {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char *topic;              /* const */
    unsigned partition_count; /* const */
    struct memory_partition *partitions;
    size_t value_room;
    int (*make)(void *arg, int32_t partition, int64_t offset, char *out, size_t room);
    void *make_arg;
    uint32_t batch_records;
    unsigned runs;
    bool woken, held, away;
    struct {
        enum memory_request what;
        int32_t partition;
        bool lost;
        int64_t patience;
    } request;
    enum error_class open_failure, run_failure;
    unsigned open_failures;
    struct {
        struct memory_letter *done;
        size_t count, room;
        struct memory_waiting_letter *first, **last;
        unsigned waiting, most, blocked;
        bool at_once;
        enum error_class failure;
    } letters;
};

void memory_lock(pthread_mutex_t *mutex);
void memory_unlock(pthread_mutex_t *mutex);
/* Waits for a change (the mutex is held) for at most MEMORY_PATIENCE after *until was 0. False: that is over. */
bool memory_wait(pthread_cond_t *changed, pthread_mutex_t *mutex, int64_t *until);

enum status memory_letters_open(const struct dead_letter_config *config, const struct connector_env *env,
                                struct context *context, struct dead_letter **ret, struct error *error);

#endif
