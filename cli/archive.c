/* `weir archive`: a stretch of the config's topics into files, bit for bit or for people. */
#include "cli/archive.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/load.h"
#include "cli/progress_name.h"
#include "cli/stretch_run.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "config/units.h"
#include "connectors/archive/store.h"
#include "connectors/file/config.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/disk.h"
#include "stages/envelope.h"

#define SEGMENT (INT64_C(256) * 1024 * 1024)

enum { LEVEL = 3, LEVEL_MOST = 19, LINES_FRAME = 1024 * 1024 };

extern const struct store_type file_store;

struct options {
    const char *dir;
    int64_t segment;
    int level;
    bool lines; /* NDJSON */
};

static bool say(const char *text)
{
    fprintf(stderr, "weir archive: %s\n", text);
    return false;
}

/* False: said. */
static bool read_options(const struct command *command, struct options *ret)
{
    const char *segment = command->values[OPTION_SEGMENT], *level = command->values[OPTION_LEVEL];
    const char *format = command->values[OPTION_FORMAT];
    *ret = (struct options){.dir = command->values[OPTION_DIR], .segment = SEGMENT, .level = LEVEL};
    if (ret->dir == NULL || ret->dir[0] == '\0')
        return say("--dir DIR says where to");
    if (segment != NULL && (!units_size(segment, strlen(segment), &ret->segment) || ret->segment <= 0))
        return say("--segment takes a size (16MiB, 1GiB)");
    if (level != NULL)
        ret->level = strlen(level) < 3 ? (int)strtol(level, NULL, 10) : LEVEL_MOST + 1;
    if (ret->level > LEVEL_MOST)
        return say("--level takes a number from 1 to 19");
    ret->lines = format != NULL && strcmp(format, "ndjson") == 0;
    return true;
}

static uint64_t count_passed_over(void *arg)
{
    return atomic_load((_Atomic uint64_t *)arg);
}

static enum exit_code note_stretch(void *arg, const struct stretch *stretch)
{
    struct archive_store_config *store = arg;
    store->stretch = stretch;
    return EXIT_OK;
}

static enum exit_code archive_frames(const struct command *command, const struct config *config,
                                     const struct options *options)
{
    _Atomic uint64_t passed_over = 0;
    struct archive_store_config store = {
        .dir = options->dir, .segment = options->segment, .level = options->level, .passed_over = &passed_over};
    const struct pipeline_store stores[] = {
        {.name = "archive", .type = &archive_store, .config = &store, .workers = 1}};
    const struct stretch_job job = {.what = "archive",
                                    .no_stages = true,
                                    .stores = stores,
                                    .store_count = 1,
                                    .place = options->dir,
                                    .check = note_stretch,
                                    .check_arg = &store,
                                    .ids = true,
                                    .passes_over = true,
                                    .passed_over = count_passed_over,
                                    .arg = &passed_over};
    return stretch_run(command, config, &job);
}

static enum exit_code archive_lines(const struct command *command, const struct config *config,
                                    const struct options *options)
{
    char path[PATH_MAX];
    size_t used = 0;
    /* What stands for itself in a folder's name does not in a pattern. */
    for (const char *at = options->dir; *at != '\0' && used + 64 < sizeof path; at++) {
        path[used++] = *at;
        if (*at == '%')
            path[used++] = '%';
    }
    snprintf(path + used, sizeof path - used, "/%%p-%%o.ndjson.zst");
    const struct file_config store = {.path = path,
                                      .compression = COMPRESSION_ZSTD,
                                      .level = options->level,
                                      .frame = LINES_FRAME,
                                      .rotate = {.size = options->segment, .every = CLOCK_NEVER}};
    const struct pipeline_store stores[] = {{.name = "archive", .type = &file_store, .config = &store, .workers = 1}};
    const struct transform_step steps[] = {{.type = &envelope_stage}};
    const struct stretch_job job = {.what = "archive",
                                    .first_steps = steps,
                                    .first_step_count = 1,
                                    .no_stages = true,
                                    .stores = stores,
                                    .store_count = 1,
                                    .place = options->dir};
    return stretch_run(command, config, &job);
}

/* What makes other records be written, or to another place: who is done with the one has nothing of the other. */
static const enum option_id ASKED[] = {OPTION_KEY, OPTION_WHERE, OPTION_DIR, OPTION_FORMAT, OPTION_NONE};

/* False: said. */
static bool name_progress(const struct command *command, const struct options *options, char name[PROGRESS_NAME_SIZE])
{
    char dir[PATH_MAX], message[1024];
    struct command asking = *command;
    if (disk_resolve(options->dir, dir, sizeof dir))
        asking.values[OPTION_DIR] = dir;
    asking.values[OPTION_FORMAT] = options->lines ? "ndjson" : NULL;
    /* A replay of that name has a progress of its own. */
    return progress_name_given(command, "archive.", &asking, ASKED, name, message, sizeof message) || say(message);
}

static enum exit_code archive_config(const struct command *command, const struct config *config,
                                     const struct options *options)
{
    struct error error;
    char name[PROGRESS_NAME_SIZE];
    struct command named = *command;
    /* The plan says it already, and makes nothing. */
    if (disk_may_make_folder(options->dir, &error) != STATUS_OK) {
        (void)say(error.text);
        return EXIT_CONFIG;
    }
    if (command_has(command, OPTION_NAME)) {
        if (!name_progress(command, options, name))
            return EXIT_USAGE;
        named.values[OPTION_NAME] = name;
    }
    return options->lines ? archive_lines(&named, config, options) : archive_frames(&named, config, options);
}

static enum exit_code archive(const struct command *command, const struct options *options)
{
    const struct config *config = load_config(command->arguments[0], command);
    if (config == NULL)
        return EXIT_CONFIG;
    enum exit_code code = archive_config(command, config, options);
    config_free(config);
    return code;
}

static enum exit_code look(const struct command *command, const struct options *options)
{
    static const enum option_id USED[] = {OPTION_DIR,   OPTION_LIST,    OPTION_VERIFY, OPTION_JSON,
                                          OPTION_QUIET, OPTION_VERBOSE, OPTION_NONE};
    const char *other = command_besides(command, USED);
    if (command->count > 0 || other != NULL) {
        fprintf(stderr, "weir archive: --list and --verify look at all of DIR, and take no %s%s\n",
                other != NULL ? "--" : "", other != NULL ? other : "FILE");
        return EXIT_USAGE;
    }
    return archive_list(options->dir, command_has(command, OPTION_VERIFY), command_has(command, OPTION_JSON), stdout);
}

enum exit_code verb_archive(const struct command *command)
{
    struct options options;
    if (!read_options(command, &options))
        return EXIT_USAGE;
    if (command_has(command, OPTION_LIST) || command_has(command, OPTION_VERIFY))
        return look(command, &options);
    if (command->count > 0)
        return archive(command, &options);
    (void)say("wants FILE, or --list or --verify");
    return EXIT_USAGE;
}
