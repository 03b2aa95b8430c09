/* See catalog.h. */
#include "connectors/archive/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/archive/format.h"
#include "processor/disk.h"

enum { PARTITION_DIGITS = 5, OFFSET_DIGITS = 20 };

static bool number(const char **at, size_t least, int64_t most, int64_t *ret)
{
    size_t digits = strspn(*at, "0123456789");
    char *end;
    errno = 0;
    intmax_t value = strtoimax(*at, &end, 10);
    if (digits < least || errno != 0 || value > most)
        return false;
    *at = end;
    *ret = value;
    return true;
}

static bool parse(const char *name, int32_t *ret_partition, int64_t *ret_first)
{
    int64_t partition, first;
    const char *at = name;
    if (!number(&at, PARTITION_DIGITS, INT32_MAX, &partition) || *at++ != '-' ||
        !number(&at, OFFSET_DIGITS, INT64_MAX - 1, &first) || strcmp(at, ".weir") != 0)
        return false;
    *ret_partition = (int32_t)partition;
    *ret_first = first;
    return true;
}

static bool add(struct archive_catalog *catalog, const char *path, const char *topic, int32_t partition, int64_t first)
{
    if (catalog->count == catalog->room) {
        unsigned room = catalog->room > 0 ? catalog->room * 2 : 16;
        struct archive_name *names = realloc(catalog->names, room * sizeof *names);
        if (names == NULL)
            return false;
        catalog->names = names;
        catalog->room = room;
    }
    struct archive_name *name = &catalog->names[catalog->count];
    *name = (struct archive_name){.path = strdup(path), .topic = strdup(topic), .partition = partition, .first = first};
    catalog->count++; /* half made is freed as well */
    return name->path != NULL && name->topic != NULL;
}

static DIR *open_folder(const char *path, enum status *ret_status, struct error *error)
{
    DIR *folder = opendir(path);
    *ret_status = STATUS_OK;
    /* ENOTDIR: a file beside the topics' folders. */
    if (folder == NULL && errno != ENOENT && errno != ENOTDIR)
        *ret_status = disk_failed("open folder", path, error);
    return folder;
}

static enum status read_topic(const char *dir, const char *topic, int32_t wanted, struct archive_catalog *catalog,
                              struct error *error)
{
    char path[PATH_MAX], file[PATH_MAX];
    enum status status;
    const struct dirent *entry;
    int32_t partition;
    int64_t first;
    if (snprintf(path, sizeof path, "%s/%s", dir, topic) >= (int)sizeof path)
        return error_set(error, ERROR_FATAL, "the name of the folder %s is too long", dir);
    DIR *folder = open_folder(path, &status, error);
    while (folder != NULL && status == STATUS_OK && (errno = 0, entry = readdir(folder)) != NULL) {
        if (!parse(entry->d_name, &partition, &first) || (wanted >= 0 && partition != wanted))
            continue;
        if (snprintf(file, sizeof file, "%s/%s", path, entry->d_name) >= (int)sizeof file ||
            !add(catalog, file, topic, partition, first))
            status = error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    if (folder != NULL && status == STATUS_OK && errno != 0)
        status = disk_failed("read folder", path, error);
    if (folder != NULL)
        closedir(folder);
    return status;
}

static enum status read_all(const char *dir, int32_t partition, struct archive_catalog *catalog, struct error *error)
{
    enum status status;
    const struct dirent *entry;
    DIR *folder = open_folder(dir, &status, error);
    while (folder != NULL && status == STATUS_OK && (errno = 0, entry = readdir(folder)) != NULL) {
        if (archive_topic_good(entry->d_name))
            status = read_topic(dir, entry->d_name, partition, catalog, error);
    }
    if (folder != NULL && status == STATUS_OK && errno != 0)
        status = disk_failed("read folder", dir, error);
    if (folder != NULL)
        closedir(folder);
    return status;
}

static int compare(const void *left, const void *right)
{
    const struct archive_name *a = left, *b = right;
    int order = strcmp(a->topic, b->topic);
    if (order == 0)
        order = (a->partition > b->partition) - (a->partition < b->partition);
    return order != 0 ? order : (a->first > b->first) - (a->first < b->first);
}

enum status archive_catalog_read(const char *dir, const char *topic, int32_t partition, struct archive_catalog *ret,
                                 struct error *error)
{
    *ret = (struct archive_catalog){0};
    enum status status = topic != NULL ? read_topic(dir, topic, partition, ret, error)
                                       : read_all(dir, partition, ret, error);
    if (status != STATUS_OK) {
        archive_catalog_fini(ret);
        return status;
    }
    if (ret->count > 1)
        qsort(ret->names, ret->count, sizeof *ret->names, compare);
    return STATUS_OK;
}

void archive_catalog_fini(struct archive_catalog *catalog)
{
    for (unsigned i = 0; i < catalog->count; i++) {
        free(catalog->names[i].path);
        free(catalog->names[i].topic);
    }
    free(catalog->names);
    *catalog = (struct archive_catalog){0};
}
