#include "tests/support/looked_up.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

const char LOOKED_UP_TABLE[] = "customer_id,name,tier,\"odd.name\"\nc-1,Anna,gold,1\n42,Ben,,2\n";

int looked_up_set_up(void **state)
{
    struct looked_up *looked_up = calloc(1, sizeof *looked_up);
    assert_non_null(looked_up);
    strcpy(looked_up->dir, "/tmp/weir-lookup-XXXXXX");
    assert_non_null(mkdtemp(looked_up->dir));
    snprintf(looked_up->path, sizeof looked_up->path, "%s/t.csv", looked_up->dir);
    *state = looked_up;
    return 0;
}

int looked_up_tear_down(void **state)
{
    struct looked_up *looked_up = *state;
    unlink(looked_up->path);
    rmdir(looked_up->dir);
    free(looked_up);
    return 0;
}

void looked_up_replace(const struct looked_up *looked_up, const char *text)
{
    char beside[80];
    snprintf(beside, sizeof beside, "%s.new", looked_up->path);
    FILE *file = fopen(beside, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(beside, looked_up->path), 0);
}

void looked_up_begin(struct looked_up *looked_up, const char *yaml)
{
    looked_up_replace(looked_up, LOOKED_UP_TABLE);
    staged_init(&looked_up->staged, &lookup_stage, looked_up->dir, yaml);
}

void looked_up_ask(struct looked_up *looked_up, const char *json, const char *expected)
{
    assert_string_equal(staged_ask(&looked_up->staged, json), expected);
}

int64_t looked_up_metric(struct looked_up *looked_up, enum metric_type type, const char *name)
{
    return metric_get(metrics_get(looked_up->staged.metrics, type, name, "", "stage=\"lookup\",table=\"t.csv\""));
}

int64_t looked_up_misses(struct looked_up *looked_up)
{
    return looked_up_metric(looked_up, METRIC_COUNTER, "weir_lookup_misses_total");
}
