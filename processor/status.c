#include "processor/status.h"

const char *status_name(enum status status)
{
    static const char *const names[] = {
        [STATUS_OK] = "ok",
        [STATUS_FULL] = "full",
        [STATUS_EMPTY] = "empty",
        [STATUS_CLOSED] = "closed",
        [STATUS_CANCELLED] = "cancelled",
        [STATUS_DEADLINE] = "deadline passed",
        [STATUS_NO_MEMORY] = "out of memory",
        [STATUS_FAILED] = "failed",
    };
    return names[status];
}
