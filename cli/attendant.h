/*
 * The thread beside the pipeline: it takes the signals, and does what has to be done now and then.
 * First SIGTERM or SIGINT: `soft` is cancelled (drain). Second: `hard` (abandon).
 */
#ifndef WEIR_CLI_ATTENDANT_H
#define WEIR_CLI_ATTENDANT_H

#include <stdint.h>

#include "processor/context.h"
#include "processor/error.h"

struct attendant;

struct attendant_config {
    struct context *soft, *hard;
    void (*on_stop)(void *arg); /* after the first signal, in the attendant's thread */
    void (*tick)(void *arg);    /* every `interval` ns */
    void *arg;
    int64_t interval;
};

/* Before there is any other thread: SIGTERM and SIGINT wait until an attendant takes them, in whatever thread they come; SIGPIPE is ignored. */
void attendant_block_signals(void);
enum status attendant_start(const struct attendant_config *config, struct attendant **ret,
                            struct error *error) WARN_UNUSED;
/* Joins the thread. After it returned signals wait again. NULL is fine. */
void attendant_stop(struct attendant *attendant);

#endif
