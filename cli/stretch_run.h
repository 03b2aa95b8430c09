/*
 * What replay, archive and dlq redrive do alike: find the stretch that the options name, print the plan, and with --execute run it as a service does, with
 * progress, pace and a receipt.
 */
#ifndef WEIR_CLI_STRETCH_RUN_H
#define WEIR_CLI_STRETCH_RUN_H

#include <stdbool.h>

#include "cli/command.h"
#include "processor/pipeline.h"

struct config;
struct record;
struct stretch;

struct stretch_job {
    const char *what;                      /* the verb, in words: "replay", "archive", "redrive" */
    const struct source_type *source_type; /* NULL: the config's source */
    const void *source_config;
    const struct transform_step *first_steps; /* run before the config's stages, in a stage of their own */
    unsigned first_step_count;
    bool no_stages;                      /* nothing but first_steps: none of the config's */
    const struct pipeline_store *stores; /* NULL: the config's, or the one that --store names */
    unsigned store_count;
    const char *place; /* of `stores`, for the plan: a folder; NULL: their names say it */
    bool ids;          /* the store wants those of the topics, see struct stretch_request */
    bool passes_over;  /* `stores` leave records that are there already as they are */
    int64_t (*time)(
        const struct record *record); /* NULL: times are the source's; else see struct stretch_request's `anywhere` */
    bool (*also)(const struct record *record, int32_t partition, void *arg); /* see struct stretch_filter */
    void *also_arg;
    /* Asked when the stretch is found, before the plan is shown; not EXIT_OK: it has said why on stderr. NULL: nothing is to be asked. */
    enum exit_code (*check)(void *arg, const struct stretch *stretch);
    void *check_arg;
    bool onward; /* a finished stretch is followed by the next, see struct stretch_request */
    /* Without --execute, and where there is anything left: may say more of it, on stdout before the plan. Not EXIT_OK: said why not, and the plan is not
     * shown. NULL: nothing more. */
    enum exit_code (*look)(const struct stretch *stretch, void *arg);
    /* For the receipt: how many records `also` has not let through, or, with passes_over, `stores` have passed over; NULL: it tells of none. */
    uint64_t (*passed_over)(void *arg);
    const char *(*passed_over_by)(void *arg); /* a JSON object: for which reasons; NULL: it is not told */
    void *arg;                                /* of these three */
};

/*
 * Options, where the verb has them: --from --to --partitions --key --where --late --name --rate --speed --max-records --store --dry-run-store --execute
 * --admin --timeout --json --progress --receipt --quiet. Without --execute the plan goes to stdout, and nothing is done; with it to stderr.
 *
 * It runs as a service of its own: `<service>.<name>` (`<service>.<what>` without a name) is the name under which stores keep offsets, and dead letters and
 * log lines tell of it. It has no admin port but with --admin. A signal drains, and the answer is EXIT_NOT_DRAINED, as there is more to do.
 */
enum exit_code stretch_run(const struct command *command, const struct config *config, const struct stretch_job *job);

#endif
