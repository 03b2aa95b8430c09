/*
 * Stretches of topics that the broker has really compacted: gaps at their start, within them and at their end.
 *
 * A segment is rolled when a record is a minute younger than its first one, by the records' own timestamps; the last segment is never compacted. So a block of
 * records that lies ten minutes behind the one before makes that one ready.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "tests/support/scene.h"
#include "tests/support/sought.h"

#define T INT64_C(1700000000000)
#define BLOCK INT64_C(600000)
#define PATIENCE (20 * CLOCK_SECOND)

struct replay {
    struct kafka_running running;
    struct stretch *stretch;
};

static void begin(struct replay *replay, const char *topic, const struct stretch_request *request)
{
    char yaml[256];
    struct error error;
    snprintf(yaml, sizeof yaml, "group: %s\ntopics: [%s]\n", topic, topic);
    replay->stretch = sought_find(yaml, request, &error);
    if (replay->stretch == NULL)
        fail_msg("%s", error.text);
    kafka_running_init(&replay->running, scene_broker, yaml);
    replay->running.config.stretch = replay->stretch;
}

static void end(struct replay *replay)
{
    kafka_running_fini(&replay->running);
    stretch_free(replay->stretch);
}

/* Just these offsets are stored, each once (-1 ends them), and nothing is counted as lost. */
static void run(struct replay *replay, const int64_t *offsets)
{
    size_t count = 0;
    kafka_running_start(&replay->running);
    enum status status = kafka_running_wait(&replay->running);
    if (status != STATUS_OK)
        fail_msg("%s", replay->running.error.text);
    for (; offsets[count] >= 0; count++)
        assert_int_equal(memory_store_times(replay->running.store, 0, offsets[count]), 1);
    assert_int_equal(memory_store_count(replay->running.store), count);
    assert_int_equal(kafka_running_metric(&replay->running, METRIC_COUNTER, "weir_lost_offsets_total", NULL), 0);
}

/* -- compaction -- */

static void make(const char *topic)
{
    static const struct kafka_property PROPERTIES[] = {
        {"cleanup.policy", "compact"},
        {"segment.ms", "60000"},
        {"min.cleanable.dirty.ratio", "0"},
        {"min.compaction.lag.ms", "0"},
        {NULL, NULL},
    };
    scene_make_topic(topic, 1, PROPERTIES);
}

/* A record of each key, a letter; the first is in the given block. */
static void send_block(const char *topic, int block, const char *keys)
{
    for (int i = 0; keys[i] != '\0'; i++)
        sought_send(topic, 0, (const char[]){keys[i], '\0'}, T + block * BLOCK + i);
    /* Not in one batch with the next block: a segment begins with a batch. */
    scene_flush();
}

static void count_offset(const rd_kafka_message_t *message, void *arg)
{
    (void)message;
    ++*(unsigned *)arg;
}

/* Until so many records are left of the topic. */
static void wait_compacted(const char *topic, unsigned left)
{
    unsigned count = 0;
    for (int64_t until = clock_now() + PATIENCE; clock_now() < until;) {
        count = 0;
        kafka_read_topic(scene_broker, topic, count_offset, &count);
        if (count <= left)
            break;
    }
    assert_int_equal(count, left);
}

static const struct stretch_bound BEGINNING = {.kind = STRETCH_BEGINNING}, NOW = {.kind = STRETCH_NOW};

static struct stretch_bound at_block(int block)
{
    return (struct stretch_bound){.kind = STRETCH_TIME, .time = T + block * BLOCK};
}

/* -- */

static void its_gaps_are_no_loss_and_its_end_is_met_in_one(void **state)
{
    (void)state;
    static const char TOPIC[] = "compacted-gaps";
    struct replay replay;
    make(TOPIC);
    send_block(TOPIC, 0, "aaaab"); /* 0 to 4: nothing is left but 4 */
    send_block(TOPIC, 1, "aacaa"); /* 5 to 9: 7 */
    send_block(TOPIC, 2, "aaaad"); /* 10 to 14: 13 and 14 */
    send_block(TOPIC, 3, "e");     /* 15, and it stays, being the last */
    wait_compacted(TOPIC, 5);
    struct stretch_request request = {.from = BEGINNING, .to = NOW, .progress = "all"};
    begin(&replay, TOPIC, &request);
    assert_int_equal(replay.stretch->parts[0].first, 0);
    assert_int_equal(replay.stretch->parts[0].end, 16);
    assert_int_equal(replay.stretch->parts[0].first_time, T + 4);
    assert_int_equal(replay.stretch->parts[0].last_time, T + 3 * BLOCK);
    run(&replay, (const int64_t[]){4, 7, 13, 14, 15, -1});
    end(&replay);
    assert_int_equal(scene_committed("compacted-gaps.all", TOPIC, 0), 16);
    /* From a gap into a gap. */
    static const struct stretch_offset one = {NULL, 0, 1}, twelve = {NULL, 0, 12}, five = {NULL, 0, 5},
                                       seven = {NULL, 0, 7};
    request = (struct stretch_request){.from = {.kind = STRETCH_OFFSETS, .offsets = &one, .offset_count = 1},
                                       .to = {.kind = STRETCH_OFFSETS, .offsets = &twelve, .offset_count = 1},
                                       .progress = "inner"};
    begin(&replay, TOPIC, &request);
    run(&replay, (const int64_t[]){4, 7, -1});
    end(&replay);
    assert_int_equal(scene_committed("compacted-gaps.inner", TOPIC, 0), 12);
    /* Nothing but a gap. */
    request.from.offsets = &five;
    request.to.offsets = &seven;
    request.progress = "none";
    begin(&replay, TOPIC, &request);
    run(&replay, (const int64_t[]){-1});
    end(&replay);
    assert_int_equal(scene_committed("compacted-gaps.none", TOPIC, 0), 7);
    begin(&replay, TOPIC, &request);
    assert_true(stretch_finished(replay.stretch));
    end(&replay);
    /* A window of time whose first and last records are gone. */
    request = (struct stretch_request){.from = at_block(1), .to = at_block(2), .progress = "window"};
    begin(&replay, TOPIC, &request);
    run(&replay, (const int64_t[]){7, -1});
    end(&replay);
    begin(&replay, TOPIC, &request);
    assert_true(stretch_finished(replay.stretch));
    end(&replay);
}

static void what_is_compacted_away_half_way_is_not_waited_for(void **state)
{
    (void)state;
    static const char TOPIC[] = "compacted-meanwhile";
    struct replay replay;
    const struct stretch_request request = {.from = BEGINNING, .to = NOW, .progress = "fix"};
    make(TOPIC);
    send_block(TOPIC, 0, "abcdefghij");
    begin(&replay, TOPIC, &request);
    replay.stretch->max_records = 3;
    run(&replay, (const int64_t[]){0, 1, 2, -1});
    end(&replay);
    assert_int_equal(scene_committed("compacted-meanwhile.fix", TOPIC, 0), 3);
    /* All that is left of it goes, but one in its middle, and what lies behind its end. */
    send_block(TOPIC, 1, "abcdeghij");
    send_block(TOPIC, 2, "abcdeghij");
    send_block(TOPIC, 3, "z");
    wait_compacted(TOPIC, 11);
    begin(&replay, TOPIC, &request);
    assert_true(replay.stretch->resumed);
    assert_int_equal(replay.stretch->parts[0].next, 3);
    assert_int_equal(replay.stretch->parts[0].end, 10);
    run(&replay, (const int64_t[]){5, -1});
    end(&replay);
    assert_int_equal(scene_committed("compacted-meanwhile.fix", TOPIC, 0), 10);
    begin(&replay, TOPIC, &request);
    assert_true(stretch_finished(replay.stretch));
    end(&replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_gaps_are_no_loss_and_its_end_is_met_in_one),
        cmocka_unit_test(what_is_compacted_away_half_way_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
