/* `delivery: exactly_once` against stores that can keep offsets and such that can't; the stores are made up here, so that what is built in may change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/plan.h"
#include "cli/registry.h"
#include "tests/support/load.h"

struct settings {
    struct config_head head;
    const char *path;
};

static const struct config_field FIELDS[] = {
    {.name = "path", .kind = CONFIG_STRING, .offset = offsetof(struct settings, path), .required = true},
    {0},
};
static const struct config_table TABLE = {
    .name = "made up", .help = "Made up.", .size = sizeof(struct settings), .fields = FIELDS};
static const struct config_field FIELD = {.help = "Made up.", .kind = CONFIG_OBJECT, .table = &TABLE};

static bool can_keep(const void *config, const struct config_node **ret_node, const char **ret_why)
{
    const struct settings *settings = config;
    if (strcmp(settings->path, "/dev/null") != 0)
        return true;
    *ret_node = config_tree_get(settings->head.node, "path");
    *ret_why = "expected a file that keeps what is written";
    return false;
}

static const struct store_offsets OFFSETS = {0};
static const struct store_type BANK = {
    .name = "bank", .help = "", .config = &FIELD, .offsets = &OFFSETS, .can_keep_offsets = can_keep};
static const struct store_type SAFE = {.name = "safe", .help = "", .config = &FIELD, .offsets = &OFFSETS};
static const struct store_type SIEVE = {.name = "sieve", .help = "", .config = &FIELD};
static const struct store_type *const STORES[] = {&BANK, &SAFE, &SIEVE, NULL};
static const struct store_type *const SIEVES[] = {&SIEVE, NULL};

static void load(struct loaded_config *loaded, const struct store_type *const *stores, const char *rest)
{
    struct config_registry made = *registry();
    char text[1024];
    made.stores = stores;
    snprintf(text, sizeof text,
             "service: s\nsource: {kafka: {brokers: b, group: g, topics: [t]}}\ndelivery: exactly_once\n%s\n", rest);
    load_text(loaded, &made, text);
}

static void refuse(const char *rest, unsigned mistakes, const char *const *places)
{
    struct loaded_config loaded;
    load(&loaded, STORES, rest);
    assert_null(loaded.config);
    for (; *places != NULL; places++)
        load_assert_place(&loaded, *places);
    if (config_report_errors(loaded.report) != mistakes)
        fail_msg("expected %u mistakes, found:\n%s", mistakes, loaded.words);
    load_fini(&loaded);
}
#define REFUSE(rest, mistakes, ...) refuse(rest, mistakes, (const char *const[]){__VA_ARGS__, NULL})

static void a_store_that_keeps_offsets_is_good(void **state)
{
    (void)state;
    static const char *const good[] = {"stages:\n  - store: {bank: {path: x}}", "stages:\n  - store: {safe: {path: x}}",
                                       "stages:\n  - decode: {}\n    workers: 8\n  - store: [{bank: {path: x}}]"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct loaded_config loaded;
        load(&loaded, STORES, good[i]);
        load_assert_good(&loaded);
        assert_int_equal(loaded.config->delivery, DELIVERY_EXACTLY_ONCE);
        struct plan *plan = plan_new(loaded.config, &(struct plan_changes){0});
        assert_non_null(plan);
        assert_true(plan_pipeline(plan)->exactly_once);
        plan_free(plan);
        load_fini(&loaded);
    }
}

static void a_store_that_keeps_none_is_refused_and_those_that_do_are_named(void **state)
{
    (void)state;
    REFUSE("stages:\n  - store: {sieve: {path: x}}", 1,
           "5:13: stages[0].store.sieve: expected a store that can keep offsets with `delivery: exactly_once` (bank or "
           "safe), found `sieve`");
    struct loaded_config loaded;
    load(&loaded, SIEVES, "stages:\n  - store: {sieve: {path: x}}");
    load_assert_place(&loaded, "5:13: stages[0].store.sieve: expected a store that can keep offsets with `delivery: "
                               "exactly_once` (none that is built in), found `sieve`");
    load_fini(&loaded);
}

static void a_config_that_keeps_none_is_refused_at_its_place(void **state)
{
    (void)state;
    REFUSE("stages:\n  - store: {bank: {path: /dev/null}}", 1,
           "5:26: stages[0].store.bank.path: expected what allows to keep offsets with `delivery: exactly_once`: "
           "expected a file that keeps what is written");
    /* A path that is not there is not looked at. */
    REFUSE("stages:\n  - store: {bank: {}}", 1, "5:13: stages[0].store.bank: expected the key `path`, found none");
}

static void two_stores_workers_and_no_order_are_refused(void **state)
{
    (void)state;
    REFUSE("stages:\n  - store: [{bank: {path: x}}, {safe: {path: y}}]", 1,
           "5:32: stages[0].store[1]: expected one store with `delivery: exactly_once`, found 2: ");
    REFUSE("stages:\n  - store: {bank: {path: x}, workers: 2}", 1,
           "5:39: stages[0].store.workers: expected 1 worker with `delivery: exactly_once`, found 2");
    REFUSE("order: none\nstages:\n  - store: {bank: {path: x}}\n    workers: 3", 2,
           "4:8: order: expected `order: partition` with `delivery: exactly_once`, found \"none\"",
           "7:14: stages[0].workers: expected 1 worker with `delivery: exactly_once`, found 3");
    REFUSE("order: none\nstages:\n  - store: [{sieve: {path: x}}, {sieve: {path: y}}]", 4, "4:8: order: ",
           "6:14: stages[0].store[0].sieve: ", "6:34: stages[0].store[1].sieve: ", "6:33: stages[0].store[1]: ");
}

static void other_deliveries_take_any_store(void **state)
{
    (void)state;
    struct loaded_config loaded;
    struct config_registry made = *registry();
    made.stores = STORES;
    load_text(&loaded, &made,
              "service: s\nsource: {kafka: {brokers: b, group: g, topics: [t]}}\norder: none\n"
              "stages:\n  - store: [{sieve: {path: x}}, {bank: {path: /dev/null}}]\n    workers: 2\n");
    load_assert_good(&loaded);
    assert_int_equal(loaded.config->delivery, DELIVERY_AT_LEAST_ONCE);
    load_fini(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_keeps_offsets_is_good),
        cmocka_unit_test(a_store_that_keeps_none_is_refused_and_those_that_do_are_named),
        cmocka_unit_test(a_config_that_keeps_none_is_refused_at_its_place),
        cmocka_unit_test(two_stores_workers_and_no_order_are_refused),
        cmocka_unit_test(other_deliveries_take_any_store),
    };
    return cmocka_run_group_tests(tests, load_environment, NULL);
}
