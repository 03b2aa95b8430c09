#include "connectors/file/manifest_state.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/file/manifest_line.h"

void manifest_state_fini(struct manifest_state *state)
{
    for (uint32_t i = 0; i < state->offset_count; i++)
        free(state->offsets[i].topic);
    for (uint32_t i = 0; i < state->file_count; i++)
        free(state->files[i].path);
    free(state->offsets);
    free(state->files);
    *state = (struct manifest_state){0};
}

static struct manifest_offset *find_offset(const struct manifest_state *state, const char *topic, int32_t partition)
{
    for (uint32_t i = 0; i < state->offset_count; i++)
        if (state->offsets[i].partition == partition && strcmp(state->offsets[i].topic, topic) == 0)
            return &state->offsets[i];
    return NULL;
}

static struct manifest_file *find_file(const struct manifest_state *state, const char *path)
{
    for (uint32_t i = 0; i < state->file_count; i++)
        if (strcmp(state->files[i].path, path) == 0)
            return &state->files[i];
    return NULL;
}

int64_t manifest_state_offset(const struct manifest_state *state, const char *topic, int32_t partition)
{
    const struct manifest_offset *offset = find_offset(state, topic, partition);
    return offset != NULL ? offset->offset : -1;
}

int64_t manifest_state_size(const struct manifest_state *state, const char *path)
{
    const struct manifest_file *file = find_file(state, path);
    return file != NULL ? file->size : -1;
}

/* Room for one more item. */
static bool grow(void **items, uint32_t *room, uint32_t count, size_t size)
{
    if (count < *room)
        return true;
    uint32_t more = *room != 0 ? *room * 2 : 16;
    void *grown = realloc(*items, more * size);
    if (grown == NULL)
        return false;
    *items = grown;
    *room = more;
    return true;
}

static enum status set_offset(struct manifest_state *state, const char *topic, int32_t partition, int64_t offset)
{
    struct manifest_offset *found = find_offset(state, topic, partition);
    void *offsets = state->offsets;
    if (found == NULL) {
        char *copy = strdup(topic);
        bool grown = grow(&offsets, &state->offset_room, state->offset_count, sizeof *state->offsets);
        state->offsets = offsets;
        if (copy == NULL || !grown) {
            free(copy);
            return STATUS_NO_MEMORY;
        }
        found = &state->offsets[state->offset_count++];
        *found = (struct manifest_offset){.topic = copy, .partition = partition};
    }
    found->offset = offset;
    return STATUS_OK;
}

static enum status set_file(struct manifest_state *state, const char *path, int64_t size)
{
    struct manifest_file *found = find_file(state, path);
    void *files = state->files;
    if (found == NULL) {
        char *copy = strdup(path);
        bool grown = grow(&files, &state->file_room, state->file_count, sizeof *state->files);
        state->files = files;
        if (copy == NULL || !grown) {
            free(copy);
            return STATUS_NO_MEMORY;
        }
        found = &state->files[state->file_count++];
        found->path = copy;
    }
    found->size = size;
    return STATUS_OK;
}

/* A number and the blank around it; false: there is none. */
static bool read_number(char **at, int64_t *ret)
{
    char *end;
    if ((*at)[0] != ' ')
        return false;
    *ret = strtoll(*at + 1, &end, 10);
    if (end == *at + 1 || *ret < 0)
        return false;
    *at = end;
    return true;
}

static enum status apply_entry(struct manifest_state *state, char *entry)
{
    char *at = entry + 1;
    int64_t number, offset;
    if (entry[0] == 0 || !read_number(&at, &number))
        return STATUS_FAILED;
    switch (entry[0]) {
    case 'v':
        return number == 1 ? STATUS_OK : STATUS_FAILED;
    case 'o':
        if (number > INT32_MAX || !read_number(&at, &offset) || at[0] != ' ')
            return STATUS_FAILED;
        return set_offset(state, at + 1, (int32_t)number, offset);
    case 'f':
        return at[0] == ' ' ? set_file(state, at + 1, number) : STATUS_FAILED;
    default:
        return STATUS_FAILED;
    }
}

enum status manifest_state_apply(struct manifest_state *state, char *line, size_t size)
{
    char *at = line + MANIFEST_LINE_HEAD, *end = line + size - 1;
    *end = 0;
    while (at < end) {
        char *next = memchr(at + 1, '\t', (size_t)(end - at - 1));
        if (next == NULL)
            next = end;
        *next = 0;
        enum status status = at[0] == '\t' || at[0] == 0 ? apply_entry(state, at + 1) : STATUS_FAILED;
        if (status != STATUS_OK)
            return status;
        at = next;
    }
    return STATUS_OK;
}
