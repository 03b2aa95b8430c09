#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"

extern const struct store_type file_store;

enum { FILES = 10000 };

static const char *folder_of(const struct subject *subject)
{
    return subject->wishes.on_disk ? "full" : "out";
}

/* Small files, so that each case has many. */
static void make_config(const struct subject *subject, char *yaml, size_t size)
{
    snprintf(yaml, size, "{path: '%s/%s-%%i.ndjson', frame: 4096, rotate: {size: 8KiB, every: 1h}}", folder_of(subject),
             subject->name);
}

static void collect_file(const char *path, struct tally *tally)
{
    char line[JSON_ROOM];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        size_t size = strlen(line);
        if (line[size - 1] == '\n')
            tally_json(tally, line, size - 1);
        else
            tally_corrupt(tally);
    }
    fclose(file);
}

/* By their numbers; the one that is being written is the last. */
static void collect(struct subject *subject, struct tally *tally)
{
    char path[PATH_MAX];
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s-%d.ndjson", folder_of(subject), subject->name, i);
        collect_file(path, tally);
        strcat(path, ".open");
        collect_file(path, tally);
    }
}

static const char *make_unfit(struct subject *subject)
{
    (void)subject;
    assert_int_equal(system("rm -rf out && touch out"), 0);
    return "out";
}

static struct record *add_bad(struct subject *subject, struct batch *batch, unsigned kind)
{
    static const char *const bad[] = {"two\nlines", "\n", "an end\n"};
    (void)subject;
    return records_add(batch, NULL, bad[kind % 3]);
}

/* No more files can be opened. */
static void take_descriptors(struct subject *subject, bool on)
{
    struct rlimit limit;
    static struct rlimit before;
    (void)subject;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (on)
        before = limit;
    limit.rlim_cur = on ? 0 : before.rlim_cur;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static bool disk(struct subject *subject, enum disk what)
{
    (void)subject;
    return conformance_disk("full", "64k", what);
}

static const struct conformance_mistake mistakes[] = {
    {"{path: 'out/%Q-%i'}", "1:13", "%Q"},
    {"{path: 'a-%i', compression: gzip}", "1:29", "zstd"},
    {"path: a-%i\nrotate: {size: many}\n", "2:16", "many"},
    {"path: a-%i\nrotat: {size: 1MiB}\n", "2:1", "did you mean `rotate`"},
    {"{compression: zstd}", "1:1", "path"},
    {NULL},
};

static const struct conformance_store store = {
    .name = "file",
    .type = &file_store,
    .config = make_config,
    .collect = collect,
    .mistakes = mistakes,
    .make_unfit = make_unfit,
    .add_bad = add_bad,
    .trouble = take_descriptors,
    .disk = disk,
    .atomic = true,
    .no_server = "there is no server between the store and its files",
    .no_hang = "a call of a local file system does not come back before it is done, and no deadline reaches it",
    .no_offsets = "it keeps none",
};

int main(int argc, char **argv)
{
    return conformance_main(&store, argc, argv);
}
