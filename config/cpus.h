/* How many CPUs this process may use: its affinity, and what its control groups allow (v2 and v1), rounded up. */
#ifndef WEIR_CONFIG_CPUS_H
#define WEIR_CONFIG_CPUS_H

/* At least 1. */
unsigned cpus_allowed(void);

/* What a cgroup's quota makes of it; both as the files have them. "max 100000" or "200000 100000" (v2). 0: no limit. */
unsigned cpus_of_quota(const char *cpu_max);

#endif
