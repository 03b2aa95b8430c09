#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <glob.h>
#include <cmocka.h>

#include "cli/registry.h"
#include "config/cpus.h"
#include "processor/clock.h"
#include "processor/log.h"
#include "tests/support/load.h"

static void find_examples(glob_t *found)
{
    char pattern[512];
    snprintf(pattern, sizeof pattern, "%s/config/examples/*.yaml", load_root());
    assert_int_equal(glob(pattern, 0, NULL, found), 0);
    snprintf(pattern, sizeof pattern, "%s/deploy/compose-*.yaml", load_root());
    assert_int_equal(glob(pattern, GLOB_APPEND, NULL, found), 0);
    assert_true(found->gl_pathc >= 7);
}

/* What differs from a good file in one place each. %s: where it differs. */
static const char SMALL[] = "service: s\n"
                            "source: {kafka: {brokers: b, group: g, topics: [t]}}\n"
                            "stages:\n"
                            "  - decode: {}\n"
                            "  - store: {stdout: {}}\n"
                            "%s\n";

static void every_example_loads_without_a_warning(void **state)
{
    (void)state;
    glob_t found;
    find_examples(&found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct loaded_config loaded;
        load_file(&loaded, registry(), found.gl_pathv[i]);
        load_assert_good(&loaded);
        assert_string_equal(loaded.words, "");
        load_fini(&loaded);
    }
    globfree(&found);
}

static void every_example_begins_with_the_modeline_of_its_schema(void **state)
{
    (void)state;
    static const char MODELINE[] = "# yaml-language-server: $schema=weir.schema.json\n";
    glob_t found;
    char pattern[512], line[128];
    snprintf(pattern, sizeof pattern, "%s/config/examples/*.yaml", load_root());
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *file = fopen(found.gl_pathv[i], "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof line, file));
        assert_string_equal(line, MODELINE);
        fclose(file);
    }
    globfree(&found);
}

static void the_example_of_the_design_says_what_it_says(void **state)
{
    (void)state;
    struct loaded_config loaded;
    char file[1024], folder[512];
    snprintf(folder, sizeof folder, "%s/config/examples", load_root());
    snprintf(file, sizeof file, "%s/orders-to-sqlite.yaml", folder);
    load_file(&loaded, registry(), file);
    load_assert_good(&loaded);
    const struct config *config = loaded.config;
    assert_string_equal(config->file, file);
    assert_string_equal(config->dir, folder);
    assert_string_equal(config->service, "orders");
    assert_int_equal(config->memory, 256 << 20);
    assert_int_equal(config->order, ORDER_PARTITION);
    assert_int_equal(config->delivery, DELIVERY_AT_LEAST_ONCE);
    assert_string_equal(config->source_type->name, "kafka");
    assert_non_null(config->source_config);
    assert_int_equal(config->stage_count, 2);
    assert_string_equal(config->stages[0].name, "decode");
    assert_int_equal(config->stages[0].workers_min, 1);
    assert_true(config->stages[0].workers_max >= 1);
    const struct config_stage *enrich = &config->stages[1];
    assert_string_equal(enrich->name, "enrich");
    assert_int_equal(enrich->step_count, 3);
    assert_string_equal(enrich->steps[0].type->name, "set");
    assert_string_equal(enrich->steps[1].type->name, "lookup");
    assert_string_equal(enrich->steps[2].type->name, "filter");
    assert_non_null(enrich->steps[1].config);
    assert_int_equal(enrich->workers_max, 4);
    assert_int_equal(enrich->queue_records, 16384);
    assert_int_equal(enrich->queue_bytes, 32 << 20);
    assert_int_equal(config->store_count, 1);
    assert_string_equal(config->stores[0].name, "sqlite");
    assert_ptr_equal(config->stores[0].config != NULL, true);
    assert_int_equal(config->stores[0].workers, 1);
    assert_int_equal(config->stores[0].flush_records, 0);
    assert_int_equal(config->errors.retry_max, 5);
    assert_int_equal(config->errors.backoff[0], 100 * CLOCK_MS);
    assert_int_equal(config->errors.backoff[1], 30 * CLOCK_SECOND);
    assert_string_equal(config->errors.dead_letter.topic, "orders.dlq");
    assert_int_equal(config->errors.restarts_max, 5);
    assert_int_equal(config->errors.restarts_window, 600 * CLOCK_SECOND);
    assert_int_equal(config->shutdown, 30 * CLOCK_SECOND);
    assert_int_equal(config->watchdog, 60 * CLOCK_SECOND);
    assert_true(config->admin.enabled);
    assert_string_equal(config->admin.host, "127.0.0.1");
    assert_int_equal(config->admin.port, 8080);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_false(config->log_json);
    load_fini(&loaded);
}

static const char MISTAKES[] = "service: orders\n"                                                        /* 1 */
                               "memory: 1MiB\n"                                                           /* 2 */
                               "order: key\n"                                                             /* 3 */
                               "delivery: exactly_onze\n"                                                 /* 4 */
                               "topics: [x]\n"                                                            /* 5 */
                               "source:\n"                                                                /* 6 */
                               "  kafka:\n"                                                               /* 7 */
                               "    brokrs: localhost\n"                                                  /* 8 */
                               "    topics: [a]\n"                                                        /* 9 */
                               "    start: earlist\n"                                                     /* 10 */
                               "    properties: {fetch.min.byte: 1, queued.min.messages: abc, acks: 1}\n" /* 11 */
                               "stages:\n"                                                                /* 12 */
                               "  - decode: {compression: zst}\n"                                         /* 13 */
                               "  - enrich:\n"                                                            /* 14 */
                               "      - set: {at: {{now}}, b: \"x {{nwo}}\"}\n"                           /* 15 */
                               "      - filtr: {}\n"                                                      /* 16 */
                               "      - filter: {drop_when: {path: .status, inn: [TEST]}}\n"              /* 17 */
                               "    workers: {min: 5, max: 4}\n"                                          /* 18 */
                               "    flush: {every: 1s}\n"                                                 /* 19 */
                               "  - store:\n"                                                             /* 20 */
                               "      sqlite:\n"                                                          /* 21 */
                               "        path: ${WEIR_TEST_NONE}\n"                                        /* 22 */
                               "        table: orders\n"                                                  /* 23 */
                               "        mode: upsert\n"                                                   /* 24 */
                               "        key: [order_idd]\n"                                               /* 25 */
                               "        columns: {order_id: .order_id}\n"                                 /* 26 */
                               "    queue: {bytes: 1GiB}\n"                                               /* 27 */
                               "  - decode: {}\n"                                                         /* 28 */
                               "errors:\n"                                                                /* 29 */
                               "  retry: {backoff: 100s..30s}\n"                                          /* 30 */
                               "  dead_letter: {topik: x}\n"                                              /* 31 */
                               "service: again\n"                                                         /* 32 */
                               "admin: {listen: 8080}\n";                                                 /* 33 */

static const char *const PLACES[] = {
    "2:9: memory: expected a size of at least 16MiB, found \"1MiB\"",
    "3:8: order: expected partition or none, found \"key\", which this version of weir does not offer",
    "4:11: delivery: expected at_least_once or exactly_once, found \"exactly_onze\"; did you mean exactly_once?",
    "5:1: topics: expected a key that is known here, found `topics`, which belongs under `source.kafka`",
    "7:3: source.kafka: expected the key `group`, found none",
    "8:5: source.kafka.brokrs: expected a key that is known here, found `brokrs`; did you mean `brokers`?",
    "10:12: source.kafka.start: expected earliest or latest, found \"earlist\"; did you mean earliest?",
    "11:18: source.kafka.properties.fetch.min.byte: ",
    "11:58: source.kafka.properties.queued.min.messages: ",
    "13:27: stages[0].decode.compression: ",
    "15:19: stages[1].enrich[0].set.at: a template needs quotes in YAML: expected \"{{now}}\", found {{now}}",
    "16:9: stages[1].enrich[1].filtr: expected a key that is known here, found `filtr`; did you mean `filter`?",
    "17:45: stages[1].enrich[2].filter.drop_when.inn: ",
    "18:28: stages[1].workers.max: expected at least `min` (5), found 4",
    "19:5: stages[1].flush: expected a key that is known here, found `flush`, which belongs under `stages[].store`",
    "22:15: stages[2].store.sqlite.path: expected the environment variable WEIR_TEST_NONE, which is not set",
    "25:15: stages[2].store.sqlite.key[0]: expected one of the names in `columns`, found \"order_idd\"",
    "28:5: stages[3].decode: expected nothing behind `store`, which is the last stage",
    "30:20: errors.retry.backoff: expected two durations (100ms..30s), the smaller one first",
    "31:17: errors.dead_letter.topik: expected a key that is known here, found `topik`; did you mean `topic`?",
    "32:1: service: expected each key once, found `service` again (first in line 1)",
    "33:17: admin.listen: expected address:port ",
};

static void every_mistake_is_found_at_once_with_its_place(void **state)
{
    (void)state;
    struct loaded_config loaded;
    unsetenv("WEIR_TEST_NONE");
    load_text(&loaded, registry(), MISTAKES);
    assert_null(loaded.config);
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++)
        load_assert_place(&loaded, PLACES[i]);
    load_assert_place(&loaded, "15:"); /* the template in quotes has a column of its own choice */
    load_fini(&loaded);
}

static void the_smallest_file_has_every_default(void **state)
{
    (void)state;
    struct loaded_config loaded;
    load_text(&loaded, registry(),
              "service: s\nsource: {kafka: {brokers: b, group: g, topics: t}}\nstages:\n  - store: {stdout: }\n");
    load_assert_good(&loaded);
    const struct config *config = loaded.config;
    assert_string_equal(config->dir, ".");
    assert_int_equal(config->stage_count, 0);
    assert_int_equal(config->memory, 256 << 20);
    assert_null(config->errors.dead_letter.topic);
    assert_int_equal(config->errors.dead_letter.properties.count, 0);
    assert_true(config->admin.enabled);
    assert_int_equal(config->admin.port, 8080);
    assert_int_equal(config->stores[0].queue_records, 16384);
    assert_int_equal(config->stores[0].queue_bytes, 0);
    load_fini(&loaded);
}

static void the_admin_port_takes_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *listen, *host;
        uint16_t port;
    } cases[] = {{"\"[::1]:9000\"", "::1", 9000}, {"localhost:0", "localhost", 0}, {"0.0.0.0:65535", "0.0.0.0", 65535}};
    static const char *const wrong[] = {"example.com:80", "127.0.0.1",   "127.0.0.1:65536", ":8080",
                                        "::1:80",         "127.0.0.1:x", "[127.0.0.1]:80"};
    char text[512], line[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded_config loaded;
        snprintf(line, sizeof line, "admin: {listen: %s}", cases[i].listen);
        snprintf(text, sizeof text, SMALL, line);
        load_text(&loaded, registry(), text);
        load_assert_good(&loaded);
        assert_string_equal(loaded.config->admin.host, cases[i].host);
        assert_int_equal(loaded.config->admin.port, cases[i].port);
        load_fini(&loaded);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct loaded_config loaded;
        snprintf(line, sizeof line, "admin: {listen: \"%s\"}", wrong[i]);
        snprintf(text, sizeof text, SMALL, line);
        load_text(&loaded, registry(), text);
        assert_null(loaded.config);
        load_assert_place(&loaded, "6:17: admin.listen: expected address:port");
        load_fini(&loaded);
    }
}

/* They hold personal data as likely as not. */
static void records_are_shown_only_on_this_machine_unless_the_config_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool tap;
    } cases[] = {{"", true},
                 {"admin: {listen: \"127.0.0.2:1\"}", true},
                 {"admin: {listen: \"localhost:1\"}", true},
                 {"admin: {listen: \"[::1]:1\"}", true},
                 {"admin: {listen: \"0.0.0.0:1\"}", false},
                 {"admin: {listen: \"[::]:1\"}", false},
                 {"admin: {listen: \"10.0.0.1:1\"}", false},
                 {"admin: {listen: \"0.0.0.0:1\", tap: always}", true},
                 {"admin: {tap: never}", false}};
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded_config loaded;
        snprintf(text, sizeof text, SMALL, cases[i].line);
        load_text(&loaded, registry(), text);
        load_assert_good(&loaded);
        assert_int_equal(loaded.config->admin.tap, cases[i].tap);
        load_fini(&loaded);
    }
}

static void no_secret_is_ever_printed(void **state)
{
    (void)state;
    static const char *const sasl[] = {
        "{username: u, password: canary-literal, mechanism: PLAINN}",
        "{username: u, password: \"${KAFKA_PASSWORD}\", mechanism: [canary]}",
        "{username: u, pasword: canary-misspelt}",
        "{username: u, password: [canary-in-a-list]}",
        "{username: u, password: \"canary-broken}",
        "{username: u, password: {{canary}}}",
    };
    static const char *const properties[] = {
        "{sasl.password: canary-property, nosuch: 1}", "{ssl.key.pem: \"${KAFKA_PASSWORD}\"}",
        "{fetch.min.bytes: \"${KAFKA_PASSWORD}\"}", "{sasl.jaas.config: canary-jaas}"};
    for (size_t i = 0; i < sizeof sasl / sizeof sasl[0]; i++) {
        for (size_t j = 0; j < sizeof properties / sizeof properties[0]; j++) {
            struct loaded_config loaded;
            char text[1024];
            snprintf(text, sizeof text,
                     "service: s\nsource:\n  kafka: {brokers: b, group: g, topics: [t], nosuch: 1, properties: %s, "
                     "sasl: %s}\n"
                     "stages:\n  - store: {stdout: {}}\n",
                     properties[j], i == 1 ? "{username: u, password: \"${KAFKA_PASSWORD}\", mechanism: X}" : sasl[i]);
            load_text(&loaded, registry(), text);
            assert_null(loaded.config);
            if (strstr(loaded.words, "canary-") != NULL)
                fail_msg("expected no secret, found it in:\n%s", loaded.words);
            load_fini(&loaded);
        }
    }
}

static void hostile_files_end_in_a_message(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "expected a YAML map, found an empty file"},
        {"just words\n", "1:1: expected a map of settings, found \"just words\""},
        {"- a\n- b\n", "1:1: expected a map of settings, found a list"},
        {"service: s\n\tsource: x\n", "2:1: expected spaces, found a tab"},
        {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
         "expected at most 10000 values out of aliases"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded_config loaded;
        load_text(&loaded, registry(), cases[i].text);
        assert_null(loaded.config);
        if (strstr(loaded.words, cases[i].words) == NULL)
            fail_msg("expected \"%s\", found:\n%s", cases[i].words, loaded.words);
        load_fini(&loaded);
    }
}

static void files_that_can_not_be_read_are_named(void **state)
{
    (void)state;
    struct loaded_config loaded;
    load_file(&loaded, registry(), "/nowhere/weir.yaml");
    assert_null(loaded.config);
    assert_string_equal(loaded.words, "/nowhere/weir.yaml: expected a readable file: No such file or directory\n");
    load_fini(&loaded);
    load_file(&loaded, registry(), "/tmp");
    assert_null(loaded.config);
    assert_string_equal(loaded.words, "/tmp: expected a readable file: Is a directory\n");
    load_fini(&loaded);
    load_file(&loaded, registry(), "/dev/zero");
    assert_null(loaded.config);
    assert_string_equal(loaded.words, "/dev/zero: expected a file of at most 1 MiB, found a larger one\n");
    load_fini(&loaded);
}

static void cgroup_quotas_are_rounded_up_to_cpus(void **state)
{
    (void)state;
    assert_int_equal(cpus_of_quota("max 100000"), 0);
    assert_int_equal(cpus_of_quota("200000 100000"), 2);
    assert_int_equal(cpus_of_quota("150000 100000"), 2);
    assert_int_equal(cpus_of_quota("50000 100000"), 1);
    assert_int_equal(cpus_of_quota("-1 100000"), 0);
    assert_int_equal(cpus_of_quota("100000 0"), 0);
    assert_int_equal(cpus_of_quota(""), 0);
    assert_true(cpus_allowed() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_loads_without_a_warning),
        cmocka_unit_test(every_example_begins_with_the_modeline_of_its_schema),
        cmocka_unit_test(the_example_of_the_design_says_what_it_says),
        cmocka_unit_test(every_mistake_is_found_at_once_with_its_place),
        cmocka_unit_test(the_smallest_file_has_every_default),
        cmocka_unit_test(the_admin_port_takes_addresses),
        cmocka_unit_test(records_are_shown_only_on_this_machine_unless_the_config_says_so),
        cmocka_unit_test(no_secret_is_ever_printed),
        cmocka_unit_test(hostile_files_end_in_a_message),
        cmocka_unit_test(files_that_can_not_be_read_are_named),
        cmocka_unit_test(cgroup_quotas_are_rounded_up_to_cpus),
    };
    return cmocka_run_group_tests(tests, load_environment, NULL);
}
