#include "cli/progress_name.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/stretch_options.h"
#include "processor/clock.h"

/* stretch_options takes no longer ones. */
enum { LONGEST = 64 };

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

bool progress_name_given(const struct command *command, const char *prefix, const struct command *asking,
                         const enum option_id *asked, char name[PROGRESS_NAME_SIZE], char *message, size_t size)
{
    const char *given = command->values[OPTION_NAME];
    char own[PROGRESS_NAME_SIZE];
    struct stretch_options *options = stretch_options_read(command, clock_wall_ms(), message, size);
    if (options == NULL)
        return false;
    stretch_options_free(options);
    progress_name(asking, "", asked, own);
    size_t most = LONGEST - strlen(prefix) - strlen(own);
    if (strlen(given) > most) {
        snprintf(message, size, "--name \"%s\": expected at most %zu letters here, not %zu", given, most,
                 strlen(given));
        return false;
    }
    snprintf(own, sizeof own, "%s%s", prefix, given);
    progress_name(asking, own, asked, name);
    return true;
}
