#include "tests/support/counted.h"

#include <dirent.h>
#include <stddef.h>

#include "processor/check.h"

unsigned count_files(const char *folder)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    CHECK(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

unsigned count_threads(void)
{
    return count_files("/proc/self/task");
}

unsigned count_descriptors(void)
{
    return count_files("/proc/self/fd");
}
