/* What `weir test` says: a line for each scenario and below it what is not as expected, or JSON, and JUnit's XML for CI. */
#ifndef WEIR_CLI_TEST_VIEW_H
#define WEIR_CLI_TEST_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scenario/findings.h"

struct test_result {
    const char *file;
    const char *name; /* NULL: the file has mistakes, no scenario of it was run */
    unsigned line;    /* of the scenario */
    int64_t ns;
    struct findings findings;
    char *mistakes; /* as `weir check` tells them; NULL: none */
};

struct test_results {
    struct test_result *items;
    size_t count, room;
    unsigned files; /* that were looked at */
    unsigned passed, failed, wrong;
};

void test_view_text(const struct test_result *result, bool colour, FILE *out);
void test_view_summary(const struct test_results *results, FILE *out);
/* One object a line. */
void test_view_json(const struct test_result *result, FILE *out);
/* The format that CI servers read; there is no standard of it, this is what Jenkins and GitLab document. */
void test_view_junit(const struct test_results *results, FILE *out);

#endif
