#include "config/cpus.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned cpus_of_quota(const char *cpu_max)
{
    char *end;
    long long quota = strtoll(cpu_max, &end, 10);
    if (end == cpu_max || quota <= 0)
        return 0;
    long long period = strtoll(end, NULL, 10);
    if (period <= 0)
        return 0;
    return (unsigned)((quota + period - 1) / period);
}

/* The first line, "" when it can't be read. */
static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    line[0] = '\0';
    if (file == NULL)
        return false;
    bool good = fgets(line, (int)size, file) != NULL;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return good;
}

static unsigned lower(unsigned a, unsigned b)
{
    return b > 0 && b < a ? b : a;
}

/* The group's own folder and all above it; in a container with its own view the path may not be there, and the top is the group. */
static unsigned apply_groups(const char *mount, const char *group, bool unified, unsigned cpus)
{
    char path[1024], folder[512], line[64], period[64];
    snprintf(folder, sizeof folder, "%s", group);
    for (;;) {
        snprintf(path, sizeof path, "%s%s/%s", mount, folder, unified ? "cpu.max" : "cpu.cfs_quota_us");
        bool there = read_line(path, line, sizeof line);
        if (there && unified) {
            cpus = lower(cpus, cpus_of_quota(line));
        } else if (there) {
            char both[160];
            snprintf(path, sizeof path, "%s%s/cpu.cfs_period_us", mount, folder);
            read_line(path, period, sizeof period);
            snprintf(both, sizeof both, "%s %s", line, period);
            cpus = lower(cpus, cpus_of_quota(both));
        }
        char *slash = strrchr(folder, '/');
        if (slash == NULL)
            return cpus;
        *slash = '\0';
    }
}

/* A line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
static unsigned apply_line(char *line, unsigned cpus)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return cpus;
    *group++ = '\0';
    controllers++;
    group[strcspn(group, "\n")] = '\0';
    if (strcmp(controllers, "") == 0)
        return apply_groups("/sys/fs/cgroup", group, true, cpus);
    for (char *save = NULL, *name = strtok_r(controllers, ",", &save); name != NULL;
         name = strtok_r(NULL, ",", &save)) {
        if (strcmp(name, "cpu") == 0)
            return apply_groups("/sys/fs/cgroup/cpu", group, false, cpus);
    }
    return cpus;
}

unsigned cpus_allowed(void)
{
    cpu_set_t set;
    unsigned cpus = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        cpus = (unsigned)CPU_COUNT(&set);
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[512];
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        cpus = apply_line(line, cpus);
    if (file != NULL)
        fclose(file);
    return cpus;
}
