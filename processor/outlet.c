#include "processor/outlet.h"

enum status outlet_push(const struct outlet *outlet, struct batch *batch, struct context *context)
{
    enum status status = STATUS_OK;
    if (outlet->count == 1) {
        status = queue_push(outlet->queues[0], batch, context);
        if (status != STATUS_OK)
            batch_free(batch);
        return status;
    }
    for (unsigned i = 0; i < outlet->count && status == STATUS_OK; i++) {
        struct batch *branch = batch_branch(batch);
        if (branch == NULL) {
            status = STATUS_NO_MEMORY;
        } else {
            status = queue_push(outlet->queues[i], branch, context);
            if (status != STATUS_OK)
                batch_free(branch);
        }
    }
    batch_free(batch);
    return status;
}
