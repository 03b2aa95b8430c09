/* What a manifest's lines say: where each partition stands, and how much of each open file is stored. */
#ifndef WEIR_CONNECTORS_FILE_MANIFEST_STATE_H
#define WEIR_CONNECTORS_FILE_MANIFEST_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/status.h"

struct manifest_offset {
    char *topic;
    int32_t partition;
    int64_t offset;
};

struct manifest_file {
    char *path; /* below the manifest's folder */
    int64_t size;
};

/* Zeroed is empty. */
struct manifest_state {
    struct manifest_offset *offsets;
    struct manifest_file *files;
    uint32_t offset_count, offset_room, file_count, file_room;
};

void manifest_state_fini(struct manifest_state *state);
/* Takes over what a whole line says, which is changed on the way. STATUS_FAILED: it says what this version does not know. */
enum status manifest_state_apply(struct manifest_state *state, char *line, size_t size) WARN_UNUSED;
int64_t manifest_state_offset(const struct manifest_state *state, const char *topic, int32_t partition); /* -1: none */
int64_t manifest_state_size(const struct manifest_state *state, const char *path);                       /* -1: none */

#endif
