#include "processor/lost.h"

#include <stddef.h>

enum status lost_end_write(struct error *lost, bool first, enum status status, const struct error *why,
                           struct error *error)
{
    if (!first && status == STATUS_FAILED && why->class == ERROR_TRANSIENT) {
        *lost = *why;
        return STATUS_OK;
    }
    if (error != NULL)
        *error = *why;
    return status;
}

enum status lost_tell(struct error *lost, struct error *error)
{
    enum error_class class = lost->class;
    lost->class = ERROR_NONE;
    return error_set(error, class, "%s", lost->text);
}
