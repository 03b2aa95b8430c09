/* Stretches of an archive, through whole pipelines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/archive_scene.h"
#include "tests/support/caught.h"

/* All of the stretch, into another archive; returns it. */
static void copy(struct archive_scene *scene, struct archived *other)
{
    archived_init(other);
    archive_scene_begin(scene);
    scene->running.stores[0] = (struct pipeline_store){
        .name = "other", .type = &archive_store, .config = &other->config, .workers = 1};
    enum status status = running_run(&scene->running);
    if (status != STATUS_OK)
        fail_msg("%s", scene->running.error.text);
    running_fini(&scene->running);
}

static void assert_part(const struct archive_scene *scene, unsigned at, int64_t first, int64_t next, int64_t end)
{
    const struct stretch_part *part = &scene->stretch->parts[at];
    assert_int_equal(part->first, first);
    assert_int_equal(part->next, next);
    assert_int_equal(part->end, end);
}

static void everything_comes_back_bit_for_bit(void **state)
{
    (void)state;
    struct archive_scene scene;
    struct archived other;
    archive_scene_init(&scene);
    archive_scene_must_find(&scene);
    assert_int_equal(scene.stretch->count, 2);
    assert_part(&scene, 0, 100, 100, 5100);
    assert_int_equal(scene.stretch->parts[0].first_time, 100000);
    assert_int_equal(scene.stretch->parts[0].last_time, 5099000);
    assert_true(scene.stretch->parts[0].bytes > 5000 * 10);
    copy(&scene, &other);
    assert_int_equal(archived_count(&other, 0), 5000);
    assert_int_equal(archived_count(&other, 1), 5000);
    archived_fini(&other);
    archive_scene_fini(&scene);
}

static void a_window_of_time_is_found_exactly(void **state)
{
    (void)state;
    struct archive_scene scene;
    struct archived other;
    archive_scene_init(&scene);
    scene.request.from = (struct stretch_bound){.kind = STRETCH_TIME, .time = 1234567};
    scene.request.to = (struct stretch_bound){.kind = STRETCH_TIME, .time = 2345000};
    archive_scene_must_find(&scene);
    assert_part(&scene, 0, 1235, 1235, 2345);
    assert_part(&scene, 1, 1235, 1235, 2345);
    assert_int_equal(scene.stretch->parts[1].first_time, 1235000);
    assert_int_equal(scene.stretch->parts[1].last_time, 2344000);
    copy(&scene, &other);
    assert_int_equal(archived_count(&other, 0), 1110);
    archived_fini(&other);
    scene.request.from.time = 90000000;
    scene.request.to.time = 99000000;
    archive_scene_must_find(&scene);
    assert_true(stretch_finished(scene.stretch));
    archive_scene_fini(&scene);
}

static void records_out_of_the_order_of_time_are_in_the_window_all_the_same(void **state)
{
    (void)state;
    static const int64_t TIMES[] = {50, 900, 10, 500, 100, -1, 499, 1000, 120, 2000};
    struct archive_scene scene;
    archive_scene_init(&scene);
    for (unsigned i = 0; i < 10; i++) { /* a frame each */
        assert_true(scene.archived.store != NULL || archived_open(&scene.archived) == STATUS_OK);
        struct batch *batch = records_batch(&scene.archived.records);
        batch->topic = "mixed";
        archived_record(batch, i, TIMES[i]);
        assert_int_equal(archive_store.write(scene.archived.store, batch, scene.archived.context, NULL), STATUS_OK);
        assert_int_equal(archive_store.flush(scene.archived.store, scene.archived.context, NULL), STATUS_OK);
        batch_free(batch);
    }
    archived_close(&scene.archived);
    scene.request.from = (struct stretch_bound){.kind = STRETCH_TIME, .time = 100};
    scene.request.to = (struct stretch_bound){.kind = STRETCH_TIME, .time = 500};
    const struct stretch_partition partitions[] = {{.topic = "mixed"}};
    scene.request.partitions = partitions;
    scene.request.partition_count = 1;
    archive_scene_must_find(&scene);
    assert_int_equal(scene.stretch->count, 1);
    assert_part(&scene, 0, 4, 4, 9);
    archive_scene_begin(&scene);
    assert_int_equal(running_run(&scene.running), STATUS_OK);
    assert_int_equal(memory_store_count(scene.running.store), 3);
    assert_int_equal(memory_store_row(scene.running.store, 0).offset, 4);
    assert_int_equal(memory_store_row(scene.running.store, 1).offset, 6);
    assert_int_equal(memory_store_row(scene.running.store, 2).offset, 8);
    running_fini(&scene.running);
    archive_scene_fini(&scene);
}

static void offsets_and_partitions_are_taken_at_their_word(void **state)
{
    (void)state;
    struct archive_scene scene;
    const struct stretch_offset from[] = {{.partition = 1, .offset = 50}}, to[] = {{.partition = 1, .offset = 777}};
    archive_scene_init(&scene);
    scene.request.from = (struct stretch_bound){.kind = STRETCH_OFFSETS, .offsets = from, .offset_count = 1};
    scene.request.to = (struct stretch_bound){.kind = STRETCH_OFFSETS, .offsets = to, .offset_count = 1};
    archive_scene_must_find(&scene);
    assert_int_equal(scene.stretch->count, 1);
    assert_part(&scene, 0, 100, 100, 777);
    assert_string_equal(scene.stretch->parts[0].note, "the archive begins at offset 100");
    const struct stretch_partition none[] = {{.partition = 9}};
    scene.request = (struct stretch_request){.to = {.kind = STRETCH_NOW}, .partitions = none, .partition_count = 1};
    archive_scene_assert_fatal(archive_scene_find(&scene), &scene.error, "nothing of 9");
    archive_scene_fini(&scene);
}

static void put_other_topic(struct archive_scene *scene, const char *topic)
{
    assert_int_equal(archived_open(&scene->archived), STATUS_OK);
    struct batch *batch = records_batch(&scene->archived.records);
    batch->topic = topic;
    archived_record(batch, 0, 1);
    assert_int_equal(archive_store.write(scene->archived.store, batch, scene->archived.context, NULL), STATUS_OK);
    batch_free(batch);
    assert_int_equal(archive_store.flush(scene->archived.store, scene->archived.context, NULL), STATUS_OK);
    archived_close(&scene->archived);
}

static void an_offset_names_its_topic_where_there_are_several(void **state)
{
    (void)state;
    struct archive_scene scene;
    const struct stretch_offset from[] = {{.partition = 1, .offset = 500}};
    archive_scene_init(&scene);
    put_other_topic(&scene, "payments");
    scene.request.from = (struct stretch_bound){.kind = STRETCH_OFFSETS, .offsets = from, .offset_count = 1};
    archive_scene_assert_fatal(archive_scene_find(&scene), &scene.error, "partition 1 of which topic?");
    archive_scene_fini(&scene);
}

static void the_filter_decides_what_enters(void **state)
{
    (void)state;
    struct archive_scene scene;
    archive_scene_init(&scene);
    archive_scene_must_find(&scene);
    scene.stretch->filter.key = bytes_of_string("{\"id\":103,\"words\":\"one and another\"}");
    archive_scene_begin(&scene);
    assert_int_equal(running_run(&scene.running), STATUS_OK);
    assert_int_equal(memory_store_count(scene.running.store), 2);
    assert_int_equal(memory_store_row(scene.running.store, 0).offset, 103);
    running_fini(&scene.running);
    archive_scene_fini(&scene);
}

static void no_more_than_are_wanted_come_when_the_pipeline_is_built_anew(void **state)
{
    (void)state;
    struct archive_scene scene;
    archive_scene_init(&scene);
    archive_scene_must_find(&scene);
    scene.stretch->max_records = 6000;
    archive_scene_begin(&scene);
    memory_store_fail(scene.running.store, MEMORY_FLUSH, ERROR_RESTART, 1, 1);
    scene.running.stores[0].flush_records = 1000;
    assert_int_equal(running_run(&scene.running), STATUS_OK);
    assert_int_equal(scene.running.result.restarts, 1);
    struct memory_tally tally = memory_store_tally(scene.running.store);
    assert_int_equal(tally.distinct, 6000);
    assert_int_equal(tally.rows, 6000);
    running_fini(&scene.running);
    archive_scene_fini(&scene);
}

static void a_damaged_frame_stops_the_run_and_nothing_is_passed_over(void **state)
{
    (void)state;
    struct archive_scene scene;
    struct archive_segment segment;
    size_t size;
    archive_scene_init(&scene);
    char path[512];
    snprintf(path, sizeof path, "%.*s", (int)strcspn(archived_files(&scene.archived, 1), "\n"),
             archived_files(&scene.archived, 1));
    archive_scene_must_find(&scene);
    assert_int_equal(archive_segment_read(path, &segment, &scene.error), STATUS_OK);
    uint8_t *data = archived_load(path, &size);
    data[segment.frames[0].position + ARCHIVE_FRAME_SIZE + 10] ^= 4;
    archived_save(path, data, size);
    archive_scene_begin(&scene);
    archive_scene_assert_fatal(running_run(&scene.running), &scene.running.error, "offsets 100 to");
    running_fini(&scene.running);
    free(data);
    archive_segment_fini(&segment);
    archive_scene_fini(&scene);
}

static void last_file(const struct archive_scene *scene, char path[512])
{
    const char *files = archived_files(&scene->archived, 1);
    snprintf(path, 512, "%.*s", (int)strlen(files) - 1, files);
    memmove(path, strrchr(path, '\n') + 1, strlen(strrchr(path, '\n')));
}

static void a_torn_tail_is_told_when_it_runs(void **state)
{
    (void)state;
    struct archive_scene scene;
    struct archive_segment segment;
    struct caught caught;
    char path[512];
    size_t size;
    archive_scene_init(&scene);
    last_file(&scene, path);
    assert_int_equal(archive_segment_read(path, &segment, &scene.error), STATUS_OK);
    uint8_t *data = archived_load(path, &size);
    archived_save(path, data, (size_t)segment.whole + 9);
    archive_scene_must_find(&scene);
    assert_non_null(strstr(scene.stretch->parts[1].note, "torn tail of 9 bytes"));
    caught_begin(&caught);
    archive_scene_begin(&scene);
    enum status status = running_run(&scene.running);
    caught_end(&caught);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(memory_store_count(scene.running.store), 10000);
    assert_non_null(strstr(caught.text, "the last 9 bytes are torn"));
    running_fini(&scene.running);
    free(data);
    archive_segment_fini(&segment);
    archive_scene_fini(&scene);
}

static void records_come_as_fast_as_they_may(void **state)
{
    (void)state;
    struct archive_scene scene;
    archive_scene_init(&scene);
    scene.request.from = (struct stretch_bound){.kind = STRETCH_TIME, .time = 1000000};
    scene.request.to = (struct stretch_bound){.kind = STRETCH_TIME, .time = 1200000};
    archive_scene_must_find(&scene);
    scene.stretch->rate = 1000; /* 400 records: 0.4 s */
    int64_t began = clock_now();
    archive_scene_begin(&scene);
    assert_int_equal(running_run(&scene.running), STATUS_OK);
    assert_int_equal(memory_store_count(scene.running.store), 400);
    assert_true(clock_now() - began >= 300 * CLOCK_MS);
    running_fini(&scene.running);
    scene.stretch->rate = 0;
    scene.stretch->speed = 500; /* 200 s: 0.4 s */
    began = clock_now();
    archive_scene_begin(&scene);
    assert_int_equal(running_run(&scene.running), STATUS_OK);
    assert_int_equal(memory_store_count(scene.running.store), 400);
    assert_true(clock_now() - began >= 390 * CLOCK_MS);
    running_fini(&scene.running);
    archive_scene_fini(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back_bit_for_bit),
        cmocka_unit_test(a_window_of_time_is_found_exactly),
        cmocka_unit_test(records_out_of_the_order_of_time_are_in_the_window_all_the_same),
        cmocka_unit_test(offsets_and_partitions_are_taken_at_their_word),
        cmocka_unit_test(an_offset_names_its_topic_where_there_are_several),
        cmocka_unit_test(the_filter_decides_what_enters),
        cmocka_unit_test(no_more_than_are_wanted_come_when_the_pipeline_is_built_anew),
        cmocka_unit_test(a_damaged_frame_stops_the_run_and_nothing_is_passed_over),
        cmocka_unit_test(a_torn_tail_is_told_when_it_runs),
        cmocka_unit_test(records_come_as_fast_as_they_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
