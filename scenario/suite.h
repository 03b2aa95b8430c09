/*
 * A scenario file, loaded: every scenario with its config, and what is declared and expected by name found in it. Const once it is loaded.
 */
#ifndef WEIR_SCENARIO_SUITE_H
#define WEIR_SCENARIO_SUITE_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"
#include "scenario/spec.h"

struct scenario_store {
    struct config_list outputs;        /* struct spec_output */
    const struct config_list *answers; /* struct spec_answer; NULL: it stores all */
};

struct scenario_step {
    const struct config_list *answers; /* NULL: the step itself is run */
    const char *name;                  /* as the answers were declared for it */
};

struct scenario {
    const struct spec *spec;
    const struct config *config;
    const char *topic;             /* of records that have none */
    int64_t now;                   /* ms, -1: the clock */
    int64_t timeout;               /* ns */
    struct scenario_store *stores; /* as many as the config has */
    struct scenario_step *steps;   /* of all stages, one after the other */
    bool drops_listed;             /* else only their number counts */
    struct config_list drops;      /* struct spec_drop */
    int64_t drop_count;
};

struct suite {
    const char *file;
    struct scenario *scenarios;
    uint32_t count;
};

/* Has the file scenarios in it (`scenarios:` or `input:` at the beginning of a line)? So that a folder may have configs beside them. One that can't be read
 * may have: loading it tells why it can't. What is no regular file has none. */
bool suite_is_one(const char *file);
/* Never NULL. What is wrong is in its report; only a good one may be run. */
struct suite *suite_load(const char *file, const struct config_registry *registry) WARN_UNUSED;
void suite_free(struct suite *suite);
bool suite_is_good(const struct suite *suite);
/* Of the file, and of the configs that it names. */
unsigned suite_mistakes(const struct suite *suite);
void suite_print(const struct suite *suite, FILE *out, bool colour);
void suite_print_json(const struct suite *suite, FILE *out);

#endif
