#include "tests/support/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "tests/support/kafka.h"

extern const struct source_type kafka_source;

/* Only in a poll: who never polls never gives up what the group has taken away. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    (void)opaque;
    rd_kafka_assign(rk, err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? list : NULL);
}

static void join(struct member *member, const struct kafka_source_config *config)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, *(const char *const *)config->topics.items, RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_subscribe(member->rk, topics), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(topics);
}

static int count_assigned(struct member *member)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_message_t *message = rd_kafka_consumer_poll(member->rk, 50);
    if (message != NULL)
        rd_kafka_message_destroy(message);
    assert_int_equal(rd_kafka_assignment(member->rk, &list), RD_KAFKA_RESP_ERR_NO_ERROR);
    int count = list->cnt;
    rd_kafka_topic_partition_list_destroy(list);
    return count;
}

void member_init(struct member *member, const char *yaml, int partitions, struct connector_env *env)
{
    struct error error;
    char words[256];
    *member = (struct member){.parsed = parsed_new(kafka_source.config, yaml)};
    assert_string_equal(parsed_report(member->parsed), "");
    const struct kafka_source_config *config = parsed_config(member->parsed);
    rd_kafka_conf_t *conf = kafka_source_conf(config, &error);
    assert_non_null(conf);
    assert_int_equal(kafka_conf_set(conf, "enable.auto.commit", "false", &error), STATUS_OK);
    assert_int_equal(kafka_conf_set(conf, "partition.assignment.strategy", "range", &error), STATUS_OK);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    member->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, words, sizeof words);
    assert_non_null(member->rk);
    rd_kafka_poll_set_consumer(member->rk);
    join(member, config);
    for (int64_t until = clock_now() + KAFKA_WAIT_MS * CLOCK_MS; count_assigned(member) < partitions;)
        assert_true(clock_now() < until);
    CHECK_CALL(pthread_mutex_init(&member->source.member_mutex, NULL));
    kafka_member_set(&member->source, member->rk);
    member->slot = &member->source;
    env->source_name = "kafka";
    env->source_config = config;
    env->source = &member->slot;
}

void member_fini(struct member *member)
{
    rd_kafka_consumer_close(member->rk);
    rd_kafka_destroy(member->rk);
    CHECK_CALL(pthread_mutex_destroy(&member->source.member_mutex));
    parsed_free(member->parsed);
}
