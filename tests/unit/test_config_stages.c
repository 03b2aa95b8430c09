#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/registry.h"
#include "processor/clock.h"
#include "tests/support/load.h"

static void refuse(const char *stages, const char *words)
{
    struct loaded_config loaded;
    char text[2048];
    snprintf(text, sizeof text, "service: s\nmemory: 64MiB\nsource: {kafka: {brokers: b, group: g, topics: [t]}}\n%s",
             stages);
    load_text(&loaded, registry(), text);
    if (loaded.config != NULL || strstr(loaded.words, words) == NULL)
        fail_msg("expected \"%s\" for:\n%s\nfound:\n%s", words, stages, loaded.words);
    load_fini(&loaded);
}

static void stages_have_a_closed_order(void **state)
{
    (void)state;
    refuse("stages: []", "stages: expected a list of 1 to 64 stages");
    refuse("stages: {decode: {}}", "stages: expected a list of 1 to 64 stages");
    refuse("stages:\n  - decode: {}", "4:1: stages: expected a `store` as the last stage, found none");
    refuse("stages:\n  - enrich: [set: {a: 1}]\n  - store: {stdout: {}}",
           "5:5: stages[0].enrich: expected a `decode` before `enrich`");
    refuse("stages:\n  - decode: {}\n  - decode: {}\n  - store: {stdout: {}}",
           "6:5: stages[1].decode: expected one `decode`");
    refuse("stages:\n  - store: {stdout: {}}\n  - store: {stdout: {}}", "expected one `store`, found another one");
    refuse("stages:\n  - decode: {}\n    enrich: [set: {a: 1}]\n  - store: {stdout: {}}",
           "6:5: stages[0].enrich: expected one of decode, enrich or store for a stage, found `enrich` beside `decode` "
           "(is a `- ` missing?)");
    refuse("stages:\n  - decod: {}\n  - store: {stdout: {}}", "did you mean `decode`?");
    refuse("stages:\n  - lookup: {}\n  - store: {stdout: {}}",
           "found `lookup`, which belongs under `stages[].enrich[]`");
    refuse("stages:\n  - decode\n  - store: {stdout: {}}", "found \"decode\"; write {decode: {}}");
    refuse("stages:\n  - decode: {}\n  - enrich: []\n  - store: {stdout: {}}", "expected a list of enrichers");
    refuse("stages:\n  - store: stdout", "found \"stdout\"; write {stdout: {}}");
    refuse("stages:\n  - store: []", "expected 1 to 15 stores, found none");
    refuse("stages:\n  - store: {stdout: {}, file: {path: x}}", "found `file` beside `stdout`");
}

/* A bracketed list of `count` of them. */
static void refuse_many(const char *before, const char *item, unsigned count, const char *after, const char *words)
{
    char text[1600];
    size_t used = (size_t)snprintf(text, sizeof text, "%s[%s", before, item);
    for (unsigned i = 1; i < count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, ", %s", item);
    assert_true(used + strlen(after) + 1 < sizeof text);
    snprintf(text + used, sizeof text - used, "]%s", after);
    refuse(text, words);
}

static void more_than_the_pipeline_can_hold_is_refused(void **state)
{
    (void)state;
    refuse_many("stages:\n  - decode: {}\n  - enrich: ", "set: {a: 1}", 33, "\n  - store: {stdout: {}}",
                "stages[1].enrich: expected at most 32 enrichers, found 33; a second `enrich` takes the others");
    refuse_many("stages:\n  - store: ", "stdout: {}", 16, "", "stages[0].store: expected 1 to 15 stores, found more");
}

static void what_stands_beside_a_stage_is_checked(void **state)
{
    (void)state;
    refuse("stages:\n  - store: {stdout: {}, workers: 2}",
           "stages[0].store.workers: expected 1 worker with `order: partition`, found 2");
    refuse("stages:\n  - store: {stdout: {}}\n    workers: 2",
           "6:14: stages[0].workers: expected 1 worker with `order: partition`");
    refuse("stages:\n  - decode: {}\n    workers: 0\n  - store: {stdout: {}}",
           "expected an integer from 1 to 1024, found \"0\"");
    refuse("stages:\n  - decode: {}\n    queue: {bytes: 65MiB}\n  - store: {stdout: {}}",
           "stages[0].queue.bytes: expected at most the whole `memory` (64MiB), found 65MiB");
    refuse("stages:\n  - decode: {}\n    name: a b\n  - store: {stdout: {}}",
           "stages[0].name: expected a name of 1 to 64 letters");
    refuse("stages:\n  - decode: {}\n    name: x\n  - store: {stdout: {}, name: x}",
           "store.name: expected a name that no other stage or store has, found \"x\" again");
    refuse("stages:\n  - store: [{stdout: {}}, {file: {path: x}}]\n    name: x",
           "expected no `name` for several stores at once");
    refuse("stages:\n  - store: {stdout: {}}\nerrors: {dead_letter: {topic: d, properties: {no.such: 1}}}",
           "errors.dead_letter.properties.no.such");
}

static void stores_that_would_write_the_same_are_refused(void **state)
{
    (void)state;
    static const char SAME_FILES[] = "expected a path that no other store has";
    static const char SAME_TABLE[] = "6:39: stages[0].store[1].sqlite.table: expected a table that no other store";
    struct loaded_config loaded;
    refuse("stages:\n  - store: [{file: {path: o-%i}}, {stdout: {}}, {file: {path: o-%i}}]", SAME_FILES);
    refuse("stages:\n  - store: [{file: {path: out/o-%i}}, {file: {path: ./out//./o-%i}}]", SAME_FILES);
    refuse("stages:\n  - store: [{file: {path: /out/o-%i}}, {file: {path: /./out/o-%i}}]", SAME_FILES);
    refuse("stages:\n  - store: [{sqlite: {path: x, table: t, columns: {a: .a}}},\n"
           "            {sqlite: {path: x, table: T, columns: {a: .a}}}]",
           SAME_TABLE);
    load_text(&loaded, registry(),
              "service: s\nsource: {kafka: {brokers: b, group: g, topics: [t]}}\nstages:\n  - store:\n"
              "      - file: {path: o-%i}\n      - file: {path: /o-%i}\n      - file: {path: out/o-%i}\n"
              "      - sqlite: {path: x, table: t, columns: {a: .a}}\n"
              "      - sqlite: {path: x, table: t2, columns: {a: .a}}\n"
              "      - sqlite: {path: y, table: t, columns: {a: .a}}\n"
              "      - sqlite: {path: z, table: t, mode: upsert, key: [a], columns: {a: .a, b: .b}}\n"
              "      - sqlite: {path: z, table: t, mode: upsert, key: [a], columns: {a: .a, c: .c}}\n");
    load_assert_good(&loaded);
    load_fini(&loaded);
}

static void names_are_made_unique(void **state)
{
    (void)state;
    struct loaded_config loaded;
    load_text(&loaded, registry(),
              "service: s\norder: none\nsource: {kafka: {brokers: b, group: g, topics: [t]}}\n"
              "stages:\n  - decode: {}\n  - enrich: {set: {a: 1}}\n  - enrich: {set: {b: 1}}\n    name: file\n"
              "  - enrich: {set: {c: 1}}\n"
              "  - store:\n      - file: {path: x}\n        workers: 3\n      - file: {path: y}\n        name: other\n"
              "      - stdout: {}\n        flush: {records: 5}\n    workers: 2\n    flush: {every: 2s, bytes: 1MiB}\n");
    load_assert_good(&loaded);
    const struct config *config = loaded.config;
    assert_string_equal(config->stages[1].name, "enrich");
    assert_string_equal(config->stages[2].name, "file");
    assert_string_equal(config->stages[3].name, "enrich-2");
    assert_string_equal(config->stores[0].name, "file-2");
    assert_string_equal(config->stores[1].name, "other");
    assert_string_equal(config->stores[2].name, "stdout");
    /* What stands beside `store` holds for all of its stores, but for those that say so themselves. */
    assert_int_equal(config->stores[0].workers, 3);
    assert_int_equal(config->stores[1].workers, 2);
    assert_int_equal(config->stores[0].flush_interval, 2 * CLOCK_SECOND);
    assert_int_equal(config->stores[0].flush_bytes, 1 << 20);
    assert_int_equal(config->stores[2].flush_records, 5);
    assert_int_equal(config->stores[2].flush_interval, 0);
    load_fini(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_have_a_closed_order),
        cmocka_unit_test(more_than_the_pipeline_can_hold_is_refused),
        cmocka_unit_test(what_stands_beside_a_stage_is_checked),
        cmocka_unit_test(stores_that_would_write_the_same_are_refused),
        cmocka_unit_test(names_are_made_unique),
    };
    return cmocka_run_group_tests(tests, load_environment, NULL);
}
