/* What is asked of /tap, from its arguments; the command line checks them by the same code before it asks. */
#ifndef WEIR_ADMIN_TAP_REQUEST_H
#define WEIR_ADMIN_TAP_REQUEST_H

#include "processor/tap.h"

struct tap_request {
    char stage[64];
    struct tap_options options; /* where: the request's until tap_open takes it */
    uint64_t limit;             /* lines; UINT64_MAX: any number */
    int64_t span;               /* ns; 0: not said */
};

void tap_request_init(struct tap_request *request);
void tap_request_fini(struct tap_request *request);
/* name: stage, where, sample (1/100, 5/s), limit, for (30s), answer (forwarded, stored, dropped, rejected; joined by commas). On failure error says what was
 * expected; a part of `where` is pointed to by its position. */
enum status tap_request_set(struct tap_request *request, const char *name, const char *value,
                            struct error *error) WARN_UNUSED;

#endif
