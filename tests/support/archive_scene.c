#include "tests/support/archive_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

void archive_scene_init(struct archive_scene *scene)
{
    *scene = (struct archive_scene){0};
    archived_init(&scene->archived);
    scene->archived.config.segment = 30000;
    for (int i = 0; i < 10; i++) {
        archived_put(&scene->archived, 0, 100 + i * 500, 600 + i * 500, 1);
        archived_put(&scene->archived, 1, 100 + i * 500, 600 + i * 500, 1);
    }
    archived_close(&scene->archived);
    scene->source.dir = scene->archived.dir;
    scene->request.to.kind = STRETCH_NOW;
}

enum status archive_scene_find(struct archive_scene *scene)
{
    stretch_free(scene->stretch);
    scene->stretch = NULL;
    return archive_source.stretch->find(&scene->source, &scene->archived.env, &scene->request, &scene->stretch,
                                        scene->archived.context, &scene->error);
}

void archive_scene_must_find(struct archive_scene *scene)
{
    if (archive_scene_find(scene) != STATUS_OK)
        fail_msg("%s", scene->error.text);
}

void archive_scene_assert_fatal(enum status status, const struct error *error, const char *said)
{
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(error->class, ERROR_FATAL);
    assert_non_null(strstr(error->text, said));
}

void archive_scene_fini(struct archive_scene *scene)
{
    stretch_free(scene->stretch);
    archived_fini(&scene->archived);
}

void archive_scene_begin(struct archive_scene *scene)
{
    running_init(&scene->running, 1);
    scene->running.config.stage_count = 0;
    scene->running.config.source_type = &archive_source;
    scene->running.config.source_config = &scene->source;
    scene->running.config.dead_letter.topic = NULL;
    scene->running.config.stretch = scene->stretch;
}
