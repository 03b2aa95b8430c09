/* librdkafka's properties as weir judges them, and what `weir check` says of the source's and the store's config; all without a broker. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "connectors/kafka/connection.h"
#include "connectors/kafka/dead_letter.h"
#include "connectors/kafka/source.h"
#include "connectors/kafka/store.h"
#include "tests/support/parse.h"

#define HEAD "brokers: localhost:1\ngroup: g\ntopics: orders\n"

static enum kafka_property_verdict judge(enum kafka_role role, const char *name, const char *value)
{
    char text[640] = "";
    enum kafka_property_verdict verdict = kafka_property_check(role, name, value, text, sizeof text);
    assert_int_equal(verdict == KAFKA_PROPERTY_GOOD, text[0] == '\0');
    return verdict;
}

static void every_property_of_the_linked_library_is_known(void **state)
{
    (void)state;
    const char *const *names = kafka_property_names();
    bool found[3] = {false};
    size_t count = 0;
    for (; names[count] != NULL; count++) {
        found[0] |= strcmp(names[count], "fetch.min.bytes") == 0;
        found[1] |= strcmp(names[count], "linger.ms") == 0;
        found[2] |= strcmp(names[count], "error_cb") == 0;
    }
    assert_true(count > 150);
    assert_true(found[0]);
    assert_true(found[1]);
    assert_false(found[2]); /* not to be set by a text */
}

static void names_and_values_are_judged(void **state)
{
    (void)state;
    assert_int_equal(judge(KAFKA_CONSUMER, "fetch.min.bytes", "65536"), KAFKA_PROPERTY_GOOD);
    assert_int_equal(judge(KAFKA_CONSUMER, "fetch.min.byts", "65536"), KAFKA_PROPERTY_UNKNOWN);
    assert_int_equal(judge(KAFKA_CONSUMER, "fetch.min.bytes", "many"), KAFKA_PROPERTY_BAD_VALUE);
    assert_int_equal(judge(KAFKA_CONSUMER, "fetch.min.bytes", "-1"), KAFKA_PROPERTY_BAD_VALUE);
    assert_int_equal(judge(KAFKA_CONSUMER, "linger.ms", "5"), KAFKA_PROPERTY_OTHER_ROLE);
    assert_int_equal(judge(KAFKA_PRODUCER, "linger.ms", "5"), KAFKA_PROPERTY_GOOD);
    assert_int_equal(judge(KAFKA_PRODUCER, "compression.codec", "lz5"), KAFKA_PROPERTY_BAD_VALUE);
    assert_int_equal(judge(KAFKA_PRODUCER, "fetch.min.bytes", "1"), KAFKA_PROPERTY_OTHER_ROLE);
    assert_int_equal(judge(KAFKA_CONSUMER, "error_cb", "x"), KAFKA_PROPERTY_BAD_VALUE);
}

static void what_weir_sets_itself_is_said_with_what_to_use_instead(void **state)
{
    (void)state;
    char text[640];
    static const char *const names[][2] = {
        {"group.id", "`group`"},          {"bootstrap.servers", "`brokers`"},  {"group.protocol", "`protocol`"},
        {"auto.offset.reset", "`start`"}, {"group.instance.id", "`instance`"}, {"enable.auto.commit", "verdict"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(kafka_property_check(KAFKA_CONSUMER, names[i][0], "x", text, sizeof text),
                         KAFKA_PROPERTY_OWNED);
        assert_non_null(strstr(text, names[i][1]));
    }
    assert_int_equal(judge(KAFKA_PRODUCER, "acks", "1"), KAFKA_PROPERTY_OWNED);
    assert_int_equal(judge(KAFKA_PRODUCER, "enable.idempotence", "false"), KAFKA_PROPERTY_OWNED);
}

static void a_secret_is_never_in_the_words(void **state)
{
    (void)state;
    char text[640] = "";
    assert_true(kafka_property_is_secret("sasl.password"));
    assert_true(kafka_property_is_secret("ssl.key.pem"));
    assert_false(kafka_property_is_secret("sasl.username"));
    (void)kafka_property_check(KAFKA_CONSUMER, "sasl.oauthbearer.client.secret.x", "hunter2", text, sizeof text);
    assert_null(strstr(text, "hunter2"));
    struct parsed *parsed = parsed_new(&kafka_source_config_field,
                                       HEAD "properties:\n  sasl.password: hunter2\n  fetch.min.bytes: x\n");
    assert_null(parsed_config(parsed));
    assert_non_null(strstr(parsed_report(parsed), "fetch.min.bytes"));
    assert_null(strstr(parsed_report(parsed), "hunter2"));
    assert_non_null(strstr(parsed_report(parsed), "warning: properties.sasl.password: a secret stands in the file"));
    parsed_free(parsed);
}

static void a_missing_password_is_one_mistake(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&kafka_source_config_field, HEAD "sasl: {username: u}\n");
    assert_null(parsed_config(parsed));
    assert_non_null(strstr(parsed_report(parsed), "`password`"));
    assert_null(strstr(parsed_report(parsed), "together"));
    parsed_free(parsed);
}

/* -- configs -- */

static void assert_says(const struct config_field *field, const char *yaml, const char *words)
{
    struct parsed *parsed = parsed_new(field, yaml);
    if (parsed_config(parsed) != NULL || strstr(parsed_report(parsed), words) == NULL)
        fail_msg("expected \"%s\" in the report of\n%s\nfound:\n%s", words, yaml, parsed_report(parsed));
    parsed_free(parsed);
}

static void assert_good(const struct config_field *field, const char *yaml)
{
    struct parsed *parsed = parsed_new(field, yaml);
    if (parsed_config(parsed) == NULL)
        fail_msg("%s", parsed_report(parsed));
    parsed_free(parsed);
}

static void a_source_has_good_defaults(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&kafka_source_config_field, HEAD);
    const struct kafka_source_config *config = parsed_config(parsed);
    struct error error = {0};
    char value[64];
    size_t size = sizeof value;
    assert_string_equal(parsed_report(parsed), "");
    rd_kafka_conf_t *conf = kafka_source_conf(config, &error);
    assert_non_null(conf);
    static const char *const wanted[][2] = {
        {"check.crcs", "true"},
        {"enable.auto.commit", "true"},
        {"enable.auto.offset.store", "false"},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"group.id", "g"},
        {"bootstrap.servers", "localhost:1"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++, size = sizeof value) {
        assert_int_equal(rd_kafka_conf_get(conf, wanted[i][0], value, &size), RD_KAFKA_CONF_OK);
        assert_string_equal(value, wanted[i][1]);
    }
    rd_kafka_conf_destroy(conf);
    parsed_free(parsed);
}

static void properties_are_stronger_than_weirs_defaults(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(
        &kafka_source_config_field,
        HEAD "protocol: consumer\nproperties: {check.crcs: false, fetch.wait.max.ms: 7, queued.min.messages: 99}\n");
    const struct kafka_source_config *config = parsed_config(parsed);
    struct error error = {0};
    assert_string_equal(parsed_report(parsed), "");
    rd_kafka_conf_t *conf = kafka_source_conf(config, &error);
    assert_non_null(conf);
    assert_int_equal(kafka_conf_number(conf, "fetch.wait.max.ms", 0), 7);
    assert_int_equal(kafka_fetch_limits(conf, &config->connection.properties, 64 << 20, 4, &error), STATUS_OK);
    assert_int_equal(kafka_conf_number(conf, "queued.min.messages", 0), 99);
    rd_kafka_conf_destroy(conf);
    parsed_free(parsed);
}

static void fetch_limits_are_shares_of_the_memory(void **state)
{
    (void)state;
    const struct config_map none = {0};
    struct error error = {0};
    for (unsigned partitions = 1; partitions <= 4096; partitions *= 4) {
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        assert_int_equal(kafka_fetch_limits(conf, &none, 256 << 20, partitions, &error), STATUS_OK);
        int64_t bytes = kafka_conf_number(conf, "queued.max.messages.kbytes", 0) * 1024;
        int64_t messages = kafka_conf_number(conf, "queued.min.messages", 0);
        int64_t fetch = kafka_conf_number(conf, "fetch.message.max.bytes", 0);
        assert_true((bytes + messages * 300 + fetch) * partitions <= 256 << 20);
        assert_true(bytes >= 16 * 1024 && messages >= 16 && fetch >= 16 * 1024);
        rd_kafka_conf_destroy(conf);
    }
}

static void mistakes_in_a_source_are_said_with_their_place(void **state)
{
    (void)state;
    const struct config_field *field = &kafka_source_config_field;
    assert_says(field, "group: g\ntopics: orders\n", "`brokers`");
    assert_says(field, HEAD "properties: {fetch.min.byts: 1}\n", "did you mean \"fetch.min.bytes\"");
    assert_says(field, HEAD "properties: {fetch.min.byts: 1}\n", "test.yaml:4:");
    assert_says(field, HEAD "start: beginning\n", "earliest");
    assert_says(field, "brokers: b\ngroup: g\ntopics: [a, b, a]\n", "twice");
    assert_says(field, "brokers: b\ngroup: g\ntopics: \"^a[\"\n", "regular expression");
    /* Each is good by itself. */
    assert_says(field, HEAD "properties: {session.timeout.ms: 60000, max.poll.interval.ms: 1000}\n",
                "max.poll.interval.ms");
    assert_says(field, HEAD "protocol: consumer\nproperties: {session.timeout.ms: 60000}\n", "session.timeout.ms");
}

static void files_of_certificates_are_not_looked_for_by_a_check(void **state)
{
    (void)state;
    assert_good(&kafka_source_config_field,
                HEAD "tls: {ca: /nowhere/ca.pem, cert: /nowhere/cert.pem, key: /nowhere/key.pem}\n"
                     "sasl: {username: u, password: p}\n");
    assert_good(&kafka_source_config_field,
                HEAD "properties: {security.protocol: ssl, ssl.ca.location: /nowhere/ca.pem}\n");
}

static void mistakes_in_a_store_are_said(void **state)
{
    (void)state;
    const struct config_field *field = &kafka_store_config_field;
    assert_good(field, "topic: out\n");
    assert_good(field, "topic: \"orders.{{.region}}\"\nkey: \"{{.id}}\"\nproperties: {compression.codec: lz4}\n");
    assert_says(field, "key: k\n", "`topic`");
    assert_says(field, "topic: \"{{nothing}}\"\n", "template");
    assert_says(field, "topic: out\nproperties: {acks: 1}\n", "always `all`");
    assert_says(field, "topic: out\nproperties: {max.in.flight: 100}\n", "max.in.flight");
}

static void a_source_knows_what_it_consumes(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&kafka_source_config_field,
                                       "brokers: b\ngroup: g\ntopics: [orders, ^ret.*s$]\n");
    const struct kafka_source_config *config = parsed_config(parsed);
    assert_non_null(config);
    assert_true(kafka_source_consumes(config, "orders"));
    assert_false(kafka_source_consumes(config, "orders.dlq"));
    assert_true(kafka_source_consumes(config, "returns"));
    assert_false(kafka_source_consumes(config, "returned"));
    parsed_free(parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_property_of_the_linked_library_is_known),
        cmocka_unit_test(names_and_values_are_judged),
        cmocka_unit_test(what_weir_sets_itself_is_said_with_what_to_use_instead),
        cmocka_unit_test(a_secret_is_never_in_the_words),
        cmocka_unit_test(a_missing_password_is_one_mistake),
        cmocka_unit_test(a_source_has_good_defaults),
        cmocka_unit_test(properties_are_stronger_than_weirs_defaults),
        cmocka_unit_test(fetch_limits_are_shares_of_the_memory),
        cmocka_unit_test(mistakes_in_a_source_are_said_with_their_place),
        cmocka_unit_test(files_of_certificates_are_not_looked_for_by_a_check),
        cmocka_unit_test(mistakes_in_a_store_are_said),
        cmocka_unit_test(a_source_knows_what_it_consumes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
