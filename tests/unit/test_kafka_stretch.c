/* What is kept beside the offsets of a stretch, and the handle that reads one. The rest needs a broker: tests/integration/test_stretch_*.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/stretch.h"
#include "tests/support/parse.h"

extern const struct source_type kafka_source;

static bool read_back(const char *text, struct kafka_seal *ret)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(list, "t", 0);
    if (text != NULL)
        kafka_seal_put(entry, text);
    bool good = kafka_seal_read(entry, ret);
    rd_kafka_topic_partition_list_destroy(list);
    return good;
}

static void a_seal_is_read_as_it_was_written_and_the_longest_has_room(void **state)
{
    (void)state;
    const struct kafka_seal seals[] = {
        {.first = 0, .end = 0, .parts = 1, .named = 'a', .from = {'b', 0}, .to = {'n', 0}, .to_time = INT64_MAX},
        {.first = 12,
         .end = 4711,
         .parts = 6,
         .named = 'n',
         .from = {'t', 1700000000000},
         .to = {'r', 0},
         .from_time = 1700000000000,
         .to_time = 1700000600000},
        {.first = INT64_MAX,
         .end = INT64_MAX,
         .parts = UINT32_MAX,
         .named = 'a',
         .from = {'o', INT64_MIN},
         .to = {'o', INT64_MIN},
         .from_time = INT64_MIN,
         .to_time = INT64_MIN},
    };
    for (size_t i = 0; i < sizeof seals / sizeof seals[0]; i++) {
        struct stretch_part part;
        struct kafka_seal back;
        kafka_seal_write(&seals[i], part.seal, sizeof part.seal);
        assert_true(read_back(part.seal, &back));
        assert_int_equal(back.first, seals[i].first);
        assert_int_equal(back.end, seals[i].end);
        assert_int_equal(back.parts, seals[i].parts);
        assert_int_equal(back.named, seals[i].named);
        assert_int_equal(back.from.kind, seals[i].from.kind);
        assert_int_equal(back.from.value, seals[i].from.value);
        assert_int_equal(back.to.kind, seals[i].to.kind);
        assert_int_equal(back.to.value, seals[i].to.value);
        assert_int_equal(back.from_time, seals[i].from_time);
        assert_int_equal(back.to_time, seals[i].to_time);
    }
}

static void what_others_keep_beside_their_offsets_is_no_seal(void **state)
{
    (void)state;
    static char longest[5000];
    memset(longest, '1', sizeof longest - 1);
    const char *const others[] = {
        NULL,
        "",
        "consumer-1",
        "weir/1",
        "weir/2 0 10 1a b0 n0 0 0",
        "weir/1 10 0 1a b0 n0 0 0",
        "weir/1 -5 0 1a b0 n0 0 0",
        "weir/1 0 10 1a b0 n0 0 0 and more",
        longest,
    };
    struct kafka_seal seal;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(read_back(others[i], &seal));
    assert_true(read_back("weir/1 0 10 1a b0 n0 0 0", &seal));
}

static void a_seal_tells_the_run_that_wrote_it(void **state)
{
    (void)state;
    struct stretch_part part = {.seal = "weir/1 0 10 1a b0 n0 0 0"};
    char text[KAFKA_SEAL];
    struct kafka_seal seal;
    kafka_seal_of_run(&part, 1700000000000, text);
    assert_true(read_back(text, &seal));
    assert_int_equal(seal.run, 1700000000000);
    assert_int_equal(seal.end, 10);
    assert_true(read_back(part.seal, &seal));
    assert_int_equal(seal.run, 0);
    assert_false(read_back("weir/1 0 10 1a b0 n0 0 0 r", &seal));
    assert_false(read_back("weir/1 0 10 1a b0 n0 0 0 r5 6", &seal));
}

static void bounds_are_told_as_people_write_them(void **state)
{
    (void)state;
    char words[64];
    assert_string_equal(kafka_seal_words((struct kafka_seal_bound){'t', 1700000000000}, words),
                        "2023-11-14T22:13:20.000Z");
    assert_string_equal(kafka_seal_words((struct kafka_seal_bound){'o', 12}, words), "offset 12");
    assert_string_equal(kafka_seal_words((struct kafka_seal_bound){'b', 0}, words), "the beginning");
    assert_string_equal(kafka_seal_words((struct kafka_seal_bound){'r', 5400000}, words), "-1h30m");
}

static void assert_property(const rd_kafka_conf_t *conf, const char *name, const char *expected)
{
    char value[256] = "";
    size_t size = sizeof value;
    rd_kafka_conf_res_t result = rd_kafka_conf_get(conf, name, value, &size);
    if (expected == NULL) {
        assert_true(result != RD_KAFKA_CONF_OK || value[0] == '\0');
        return;
    }
    assert_string_equal(value, expected);
}

/* Whatever the live service's settings are: its handle must start, and be no member of its group. */
static void the_handle_is_in_a_group_of_its_own_and_no_member(void **state)
{
    (void)state;
    static const char *const configs[] = {
        "brokers: b\ngroup: orders\ntopics: [t]\ninstance: one\nproperties: {session.timeout.ms: 300000}\n",
        "brokers: b\ngroup: orders\ntopics: [t]\nprotocol: consumer\n"
        "properties: {group.remote.assignor: range, max.poll.interval.ms: 20000}\n",
        "brokers: b\ngroup: orders\ntopics: ['^t.*']\n"
        "properties: {partition.assignment.strategy: range, auto.commit.interval.ms: 100}\n",
    };
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        struct parsed *parsed = parsed_new(kafka_source.config, configs[i]);
        struct error error = {0};
        char words[256];
        assert_non_null(parsed_config(parsed));
        rd_kafka_conf_t *conf = kafka_stretch_conf(parsed_config(parsed), "fix", &error);
        assert_non_null(conf);
        assert_property(conf, "group.id", "orders.fix");
        assert_property(conf, "group.instance.id", NULL);
        assert_property(conf, "enable.auto.commit", "true");
        assert_property(conf, "enable.auto.offset.store", "false");
        assert_property(conf, "enable.partition.eof", "true");
        rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, words, sizeof words);
        if (rk == NULL)
            fail_msg("%s", words);
        rd_kafka_destroy(rk);
        conf = kafka_stretch_conf(parsed_config(parsed), NULL, &error);
        assert_property(conf, "group.id", "orders.unnamed-replay");
        assert_property(conf, "enable.auto.commit", "false");
        rd_kafka_conf_destroy(conf);
        parsed_free(parsed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seal_is_read_as_it_was_written_and_the_longest_has_room),
        cmocka_unit_test(what_others_keep_beside_their_offsets_is_no_seal),
        cmocka_unit_test(a_seal_tells_the_run_that_wrote_it),
        cmocka_unit_test(bounds_are_told_as_people_write_them),
        cmocka_unit_test(the_handle_is_in_a_group_of_its_own_and_no_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
