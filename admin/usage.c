#include "admin/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "processor/clock.h"

/* The number behind `name` in a "name: value unit" file. */
static int64_t read_field(FILE *file, const char *name)
{
    char line[256];
    size_t size = strlen(name);
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, size) == 0)
            return strtoll(line + size, NULL, 10);
    }
    return 0;
}

static void read_status(struct usage *usage)
{
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL)
        return;
    usage->resident_bytes = read_field(file, "VmRSS:") * 1024;
    usage->virtual_bytes = read_field(file, "VmSize:") * 1024;
    usage->peak_resident_bytes = read_field(file, "VmHWM:") * 1024;
    usage->threads = read_field(file, "Threads:");
    fclose(file);
}

static int64_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    int64_t count = -1; /* its own */
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* starttime of proc(5), in clock ticks since boot: the 22nd field; the 2nd, the name, may have blanks in it. */
static double read_start_ticks(void)
{
    enum { FIELDS_BETWEEN = 20 };
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return 0;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *at = strrchr(text, ')');
    for (int i = 0; i < FIELDS_BETWEEN && at != NULL; i++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtod(at, NULL) : 0;
}

static double read_start(void)
{
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return 0;
    int64_t boot = read_field(file, "btime");
    fclose(file);
    return (double)boot + read_start_ticks() / (double)sysconf(_SC_CLK_TCK);
}

struct usage usage_read(void)
{
    struct usage usage = {.open_fds = count_fds(), .cpu = clock_process_cpu(), .started = read_start()};
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        usage.max_fds = (int64_t)limit.rlim_cur;
    read_status(&usage);
    return usage;
}
