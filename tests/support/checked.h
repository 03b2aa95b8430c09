/* A whole config as `weir check --live` takes it: loaded, its stages' files read, its source and stores asked. */
#ifndef WEIR_TESTS_SUPPORT_CHECKED_H
#define WEIR_TESTS_SUPPORT_CHECKED_H

#include <stdint.h>

#include "config/probe.h"

struct checked {
    const struct config *config;
    struct config_report *report;
    struct probe probe;
    char *words; /* the report as printed; the file is test.yaml in the working folder */
};

/* Asserts that the config is good without being live. timeout: ns for each of the others; 0: they are not asked. */
void checked_init(struct checked *checked, const char *yaml, int64_t timeout);
void checked_fini(struct checked *checked);
/* The report has "test.yaml:" and then these words. */
void checked_assert_place(const struct checked *checked, const char *words);
/* So many problems of either kind. */
void checked_assert_counts(const struct checked *checked, unsigned wrong, unsigned unreachable);

#endif
