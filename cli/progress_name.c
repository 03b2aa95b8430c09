#include "cli/progress_name.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

void progress_name(const struct command *command, const char *given, const enum option_id *asked,
                   char name[PROGRESS_NAME_SIZE])
{
    uint32_t hash = 2166136261; /* FNV-1a */
    bool any = false;
    for (unsigned i = 0; asked[i] != OPTION_NONE; i++) {
        const char *value = command->values[asked[i]];
        any = any || value != NULL;
        hash = (hash ^ (i + (value != NULL ? 128 : 0))) * 16777619;
        for (; value != NULL && *value != '\0'; value++)
            hash = (hash ^ (uint8_t)*value) * 16777619;
    }
    int size = snprintf(name, PROGRESS_NAME_SIZE, "%s", given);
    if (any && size < PROGRESS_NAME_SIZE)
        snprintf(name + size, PROGRESS_NAME_SIZE - (size_t)size, "-%08" PRIx32, hash);
}
