/* An archive, a stretch of it, and a pipeline that reads that. */
#ifndef WEIR_TESTS_SUPPORT_ARCHIVE_SCENE_H
#define WEIR_TESTS_SUPPORT_ARCHIVE_SCENE_H

#include "connectors/archive/source.h"
#include "processor/stretch.h"
#include "tests/support/archived.h"
#include "tests/support/running.h"

struct archive_scene {
    struct archived archived;
    struct archive_source_config source;
    struct running running;
    struct stretch_request request;
    struct stretch *stretch;
    struct error error;
};

/* Partitions 0 and 1 of "orders" with the offsets 100 to 5100, with the timestamps 1000 * offset, in several frames. The request: all of it. */
void archive_scene_init(struct archive_scene *scene);
void archive_scene_fini(struct archive_scene *scene);
/* What the request comes to, in place of the stretch that there was. */
enum status archive_scene_find(struct archive_scene *scene);
void archive_scene_must_find(struct archive_scene *scene);
/* `running` is made ready for the stretch: one store, no stage, no dead letters. */
void archive_scene_begin(struct archive_scene *scene);

void archive_scene_assert_fatal(enum status status, const struct error *error, const char *said);

#endif
