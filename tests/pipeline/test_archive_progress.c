/* How far an archive was worked through: runs that go on where another one ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "connectors/archive/progress.h"
#include "tests/support/archive_scene.h"

static void a_run_goes_on_where_the_last_one_ended(void **state)
{
    (void)state;
    struct archive_scene scene;
    uint64_t stored = 0;
    archive_scene_init(&scene);
    scene.request.progress = "again/and again";
    scene.request.from = (struct stretch_bound){.kind = STRETCH_TIME, .time = 200000, .relative = true, .ago = 7200000};
    for (int i = 0; i < 4; i++) {
        archive_scene_must_find(&scene);
        assert_int_equal(scene.stretch->resumed, i > 0);
        assert_int_equal(stretch_left(scene.stretch), 9800 - (int64_t)stored);
        /* Said again later it is another time, and means the same. */
        scene.request.from.time += 100000;
        scene.stretch->max_records = i < 3 ? 1777 : 0;
        archive_scene_begin(&scene);
        assert_int_equal(running_run(&scene.running), STATUS_OK);
        struct memory_tally tally = memory_store_tally(scene.running.store);
        assert_true(tally.in_order && tally.rows == tally.distinct);
        assert_int_equal(tally.rows, i < 3 ? 1777 : 9800 - 3 * 1777);
        stored += tally.rows;
        running_fini(&scene.running);
    }
    archive_scene_must_find(&scene);
    assert_true(stretch_finished(scene.stretch));
    /* The name stands for that stretch and no other. */
    scene.request.from.ago = 3600000;
    archive_scene_assert_fatal(
        archive_scene_find(&scene), &scene.error,
        "the name again/and again stands for --from -2h --to now, not for --from -1h --to now (");
    scene.request.from.ago = 7200000;
    scene.request.to = (struct stretch_bound){.kind = STRETCH_TIME, .time = 300000};
    archive_scene_assert_fatal(archive_scene_find(&scene), &scene.error,
                               "not for --from -2h --to 1970-01-01T00:05:00.000Z");
    archive_scene_fini(&scene);
}

static void two_services_keep_progress_of_one_name_apart(void **state)
{
    (void)state;
    struct archive_scene scene;
    archive_scene_init(&scene);
    scene.request.progress = "fix";
    archive_scene_must_find(&scene);
    archive_scene_begin(&scene);
    assert_int_equal(running_run(&scene.running), STATUS_OK);
    running_fini(&scene.running);
    archive_scene_must_find(&scene);
    assert_true(stretch_finished(scene.stretch));
    scene.archived.env.service = "other.fix";
    archive_scene_must_find(&scene);
    assert_false(scene.stretch->resumed);
    assert_int_equal(stretch_left(scene.stretch), 10000);
    archive_scene_fini(&scene);
}

static void nobody_else_works_under_the_name_meanwhile(void **state)
{
    (void)state;
    struct archive_scene scene;
    struct error error;
    int lock;
    archive_scene_init(&scene);
    scene.request.progress = "fix";
    archive_scene_must_find(&scene);
    assert_int_equal(archive_progress_lock(scene.archived.dir, "test", &lock, &error), STATUS_OK);
    archive_scene_begin(&scene);
    scene.running.supervisor.restarts_max = 0;
    assert_int_equal(running_run(&scene.running), STATUS_FAILED);
    archive_scene_assert_fatal(STATUS_FAILED, &scene.running.error, "another process is at work under this name");
    assert_int_equal(memory_store_count(scene.running.store), 0);
    running_fini(&scene.running);
    close(lock);
    archive_scene_begin(&scene);
    assert_int_equal(running_run(&scene.running), STATUS_OK);
    assert_int_equal(memory_store_count(scene.running.store), 10000);
    running_fini(&scene.running);
    archive_scene_fini(&scene);
}

static void a_progress_that_is_not_as_it_was_written_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "weir progress 2\nrequest x\nwindow 0 1\nend\n",
        "weir progress 1\nrequest x\nwindow 0\nend\n",
        "weir progress 1\nrequest x\nwindow 0 1\n",
        "weir progress 1\nrequest x\nwindow 0 1\npart orders 0 1 5 9\nend\n",
        "weir progress 1\nrequest x\nwindow 0 1\npart orders 0 1 5 3 3\nend\n",
        "weir progress 1\nrequest x\nwindow 0 1\npart orders 0 1 5\nend\n",
        "weir progress 1\nrequest x\nwindow 0 1\npart orders 99999999999 1 5 3\nend\n",
        "weir progress 1\nrequest x\nwindow 0 1\nparts orders 0 1 5 3\nend\n",
    };
    struct archive_scene scene;
    char path[400];
    archive_scene_init(&scene);
    scene.request.progress = "x";
    snprintf(path, sizeof path, "%s/.weir-test.progress", scene.archived.dir);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        archived_save(path, (const uint8_t *)BAD[i], strlen(BAD[i]));
        archive_scene_assert_fatal(archive_scene_find(&scene), &scene.error, "is not as weir wrote it");
    }
    archive_scene_fini(&scene);
}

static void what_has_no_verdict_comes_again(void **state)
{
    (void)state;
    struct archive_scene scene;
    archive_scene_init(&scene);
    scene.request.progress = "x";
    archive_scene_must_find(&scene);
    archive_scene_begin(&scene);
    scene.running.supervisor.restarts_max = 0;
    memory_store_fail(scene.running.store, MEMORY_FLUSH, ERROR_FATAL, 1, 100);
    scene.running.stores[0].flush_records = 2000;
    assert_int_equal(running_run(&scene.running), STATUS_FAILED);
    size_t stored = memory_store_count(scene.running.store);
    assert_true(stored > 0 && stored < 10000);
    running_fini(&scene.running);
    archive_scene_must_find(&scene);
    assert_true(stretch_left(scene.stretch) >= 10000 - (int64_t)stored);
    archive_scene_fini(&scene);
}

static void offsets_in_the_store_without_any_progress_are_of_another_stretch(void **state)
{
    (void)state;
    struct archive_scene scene;
    archive_scene_init(&scene);
    scene.request.progress = "x";
    archive_scene_must_find(&scene);
    archive_scene_begin(&scene);
    scene.running.config.exactly_once = true;
    scene.running.stores[0].type = &memory_keeping_store_type;
    memory_store_set_offset(scene.running.store, 1, 200);
    archive_scene_assert_fatal(running_run(&scene.running), &scene.running.error,
                               "orders/1: the store keeps offset 200");
    running_fini(&scene.running);
    archive_scene_fini(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_where_the_last_one_ended),
        cmocka_unit_test(nobody_else_works_under_the_name_meanwhile),
        cmocka_unit_test(two_services_keep_progress_of_one_name_apart),
        cmocka_unit_test(a_progress_that_is_not_as_it_was_written_is_refused),
        cmocka_unit_test(what_has_no_verdict_comes_again),
        cmocka_unit_test(offsets_in_the_store_without_any_progress_are_of_another_stretch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
