/* A whole config, as the program loads it, with what is reported about it. */
#ifndef WEIR_TESTS_SUPPORT_LOAD_H
#define WEIR_TESTS_SUPPORT_LOAD_H

#include "config/config.h"

struct loaded_config {
    const struct config *config; /* NULL: it has mistakes */
    struct config_report *report;
    char *words; /* the report as printed */
};

/* registry: a parameter, so that tests of the inner folders can link this file without the outer ones. */
void load_text(struct loaded_config *loaded, const struct config_registry *registry,
               const char *text); /* as "test.yaml" */
void load_file(struct loaded_config *loaded, const struct config_registry *registry, const char *file);
void load_fini(struct loaded_config *loaded);
/* cmocka's asserts: no error; the report has "test.yaml:" and then these words. */
void load_assert_good(const struct loaded_config *loaded);
void load_assert_place(const struct loaded_config *loaded, const char *words);
/* The checkout's folder. */
const char *load_root(void);
/* cmocka's group setup: what the examples want from the environment. */
int load_environment(void **state);

#endif
