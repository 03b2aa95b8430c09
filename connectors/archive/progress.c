/* See progress.h. */
#include "connectors/archive/progress.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "connectors/archive/format.h"
#include "processor/disk.h"

bool archive_progress_path(const char *dir, const char *service, char *ret, size_t size)
{
    char plain[NAME_MAX + 1];
    size_t used = 0;
    /* A name may have anything in it, a slash too. */
    for (; *service != '\0' && used + 4 < sizeof plain; service++) {
        bool good = isalnum((unsigned char)*service) || strchr("._-", *service) != NULL;
        used += (size_t)snprintf(plain + used, sizeof plain - used, good ? "%c" : "%%%02X", (unsigned char)*service);
    }
    return *service == '\0' && used > 0 && used < sizeof plain - 24 &&
           snprintf(ret, size, "%s/.weir-%s.progress", dir, plain) < (int)size;
}

static enum status no_name(const char *dir, const char *service, struct error *error)
{
    return error_set(error, ERROR_FATAL, "\"%s\" makes no good name of a file in %s", service, dir);
}

/* -- the request -- */

static void hash_text(XXH64_state_t *state, const char *text)
{
    text = text != NULL ? text : "";
    XXH64_update(state, text, strlen(text) + 1);
}

static void hash_number(XXH64_state_t *state, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    hash_text(state, text);
}

static void hash_bound(XXH64_state_t *state, const struct stretch_bound *bound)
{
    hash_number(state, bound->kind);
    if (bound->kind == STRETCH_TIME)
        hash_number(state, bound->relative ? -1 - bound->ago : bound->time);
    for (unsigned i = 0; bound->kind == STRETCH_OFFSETS && i < bound->offset_count; i++) {
        hash_text(state, bound->offsets[i].topic);
        hash_number(state, bound->offsets[i].partition);
        hash_number(state, bound->offsets[i].offset);
    }
}

void archive_progress_seal(const struct stretch_request *request, char *ret, size_t size)
{
    XXH64_state_t *state = XXH64_createState();
    uint64_t hash = 0;
    if (state != NULL) {
        XXH64_reset(state, 0);
        hash_bound(state, &request->from);
        hash_bound(state, &request->to);
        for (unsigned i = 0; i < request->partition_count; i++) {
            hash_text(state, request->partitions[i].topic);
            hash_number(state, request->partitions[i].partition);
        }
        hash = XXH64_digest(state);
    }
    XXH64_freeState(state);
    int length = snprintf(ret, size, "%016" PRIx64 " ", hash);
    stretch_request_words(request, ret + length, size - (size_t)length);
}

const char *archive_progress_words(const char *seal)
{
    const char *blank = strchr(seal, ' ');
    return blank != NULL ? blank + 1 : "other bounds or partitions";
}

bool archive_progress_same(const char *seal, const char *other)
{
    return strncmp(seal, other, ARCHIVE_HASH_SIZE) == 0;
}

/* -- who is at work -- */

enum status archive_progress_lock(const char *dir, const char *service, int *ret_fd, struct error *error)
{
    char path[PATH_MAX], lock[PATH_MAX];
    if (!archive_progress_path(dir, service, path, sizeof path) ||
        snprintf(lock, sizeof lock, "%s.lock", path) >= (int)sizeof lock)
        return no_name(dir, service, error);
    *ret_fd = open(lock, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (*ret_fd < 0)
        return disk_failed("write", lock, error);
    if (!disk_lock(*ret_fd))
        return error_set(error, ERROR_FATAL, "another process is at work under this name: it has locked %s", lock);
    return STATUS_OK;
}

/* -- reading -- */

static unsigned count_lines(const char *text)
{
    unsigned count = 1;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

/* The next word of the line; NULL: there is none. */
static char *take_word(char **rest)
{
    char *word = strsep(rest, " ");
    return word != NULL && word[0] != '\0' ? word : NULL;
}

static bool take_number(char **rest, int64_t *ret)
{
    const char *word = take_word(rest);
    char *end;
    if (word == NULL)
        return false;
    errno = 0;
    *ret = strtoll(word, &end, 10);
    return errno == 0 && *end == '\0';
}

/* What stands behind `name` and a blank; NULL: another line, or none. */
static char *line_of(char **rest, const char *name)
{
    char *line = strsep(rest, "\n");
    size_t size = strlen(name);
    return line != NULL && strncmp(line, name, size) == 0 && line[size] == ' ' ? line + size + 1 : NULL;
}

static bool take_part(struct stretch *stretch, char *line, const char *seal)
{
    int64_t partition, first, end, next;
    const char *word = take_word(&line), *topic = word != NULL && strcmp(word, "part") == 0 ? take_word(&line) : NULL;
    if (topic == NULL || !take_number(&line, &partition) || !take_number(&line, &first) || !take_number(&line, &end) ||
        !take_number(&line, &next) || line != NULL || partition < 0 || partition > INT32_MAX || first < 0 ||
        first > next || next > end)
        return false;
    struct stretch_part *part = stretch_add(stretch, topic, (int32_t)partition);
    if (part == NULL)
        return false;
    part->first = first;
    part->end = end;
    part->next = next;
    snprintf(part->seal, sizeof part->seal, "%s", seal);
    return true;
}

/* All but the head. */
static bool take_parts(struct stretch *stretch, char *rest, const char *seal)
{
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (strcmp(line, "end") == 0)
            return true;
        if (!take_part(stretch, line, seal))
            return false;
    }
    return false;
}

/* NULL: it is not as it should be. Changes the text. */
static struct stretch *parse(char *text)
{
    struct stretch *stretch = stretch_new(count_lines(text));
    char *rest = text;
    const char *version = line_of(&rest, "weir progress"), *seal = line_of(&rest, "request");
    char *window = line_of(&rest, "window");
    if (stretch != NULL && version != NULL && strcmp(version, "1") == 0 && seal != NULL && window != NULL &&
        take_number(&window, &stretch->filter.from_time) && take_number(&window, &stretch->filter.to_time) &&
        take_parts(stretch, rest, seal)) {
        stretch->resumed = true;
        return stretch;
    }
    stretch_free(stretch);
    return NULL;
}

static enum status load(const char *path, char **ret, struct error *error)
{
    FILE *file = fopen(path, "re");
    size_t size = 0;
    *ret = NULL;
    if (file == NULL)
        return errno == ENOENT ? STATUS_OK : disk_failed("read", path, error);
    errno = 0;
    if (getdelim(ret, &size, '\0', file) < 0) {
        free(*ret);
        *ret = errno == 0 ? strdup("") : NULL;
    }
    enum status status = *ret == NULL ? disk_failed("read", path, error) : STATUS_OK;
    fclose(file);
    return status;
}

enum status archive_progress_read(const char *dir, const char *service, struct stretch **ret, struct error *error)
{
    char path[PATH_MAX], *text;
    *ret = NULL;
    if (!archive_progress_path(dir, service, path, sizeof path))
        return no_name(dir, service, error);
    enum status status = load(path, &text, error);
    if (status != STATUS_OK || text == NULL)
        return status;
    *ret = parse(text);
    free(text);
    if (*ret == NULL)
        return error_set(error, ERROR_FATAL, "%s is not as weir wrote it: remove it to begin again", path);
    snprintf((*ret)->kept, sizeof(*ret)->kept, "%.*s", (int)sizeof(*ret)->kept - 1, path);
    return STATUS_OK;
}

/* -- writing -- */

static bool print(FILE *file, const struct stretch *stretch, const int64_t *nexts)
{
    fprintf(file, "weir progress 1\nrequest %s\nwindow %" PRId64 " %" PRId64 "\n",
            stretch->count > 0 ? stretch->parts[0].seal : "-", stretch->filter.from_time, stretch->filter.to_time);
    for (unsigned i = 0; i < stretch->count; i++) {
        const struct stretch_part *part = &stretch->parts[i];
        fprintf(file, "part %s %d %" PRId64 " %" PRId64 " %" PRId64 "\n", part->topic, part->partition, part->first,
                part->end, nexts[i]);
    }
    fprintf(file, "end\n");
    return fflush(file) == 0 && ferror(file) == 0 && fsync(fileno(file)) == 0;
}

enum status archive_progress_write(const char *dir, const char *service, const struct stretch *stretch,
                                   const int64_t *nexts, struct error *error)
{
    char path[PATH_MAX], new_path[PATH_MAX];
    if (!archive_progress_path(dir, service, path, sizeof path) ||
        snprintf(new_path, sizeof new_path, "%s.new", path) >= (int)sizeof new_path)
        return no_name(dir, service, error);
    FILE *file = fopen(new_path, "we");
    if (file == NULL)
        return disk_failed("write", new_path, error);
    bool good = print(file, stretch, nexts);
    enum status status = good ? STATUS_OK : disk_failed("write", new_path, error);
    if (fclose(file) != 0 && status == STATUS_OK)
        status = disk_failed("write", new_path, error);
    if (status == STATUS_OK && rename(new_path, path) != 0)
        status = disk_failed("rename", new_path, error);
    if (status == STATUS_OK)
        return disk_sync_folder(dir, error);
    (void)unlink(new_path);
    return status;
}
