/*
 * What the kernel says about this process, read out of /proc (proc(5)) at the moment of asking.
 * Threads: any. What can't be read is 0.
 */
#ifndef WEIR_ADMIN_USAGE_H
#define WEIR_ADMIN_USAGE_H

#include <stdint.h>

struct usage {
    int64_t resident_bytes, virtual_bytes;
    /* Highest resident_bytes so far. Out of VmHWM: getrusage's maximum has in it what ran in this process before exec. */
    int64_t peak_resident_bytes;
    int64_t threads;
    int64_t open_fds, max_fds;
    int64_t cpu;    /* ns, user and system, all threads */
    double started; /* Unix time in seconds */
};

struct usage usage_read(void);

#endif
