#include "connectors/file/probe.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Cuts the path to the nearest folder above that is there; missing ones would be made in it. */
static void cut_to_what_is_there(char *path)
{
    struct stat info;
    while (stat(path, &info) != 0 && errno == ENOENT && strcmp(path, ".") != 0 && strcmp(path, "/") != 0) {
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            memcpy(path, ".", sizeof ".");
        else
            slash[slash == path] = '\0';
    }
}

/* What all names of the pattern have in common, up to a folder. */
static void constant_folder(const char *pattern, char *ret, size_t size)
{
    size_t constant = strcspn(pattern, "%"), folder = 0;
    for (size_t i = 0; i < constant; i++)
        folder = pattern[i] == '/' ? (i > 0 ? i : 1) : folder;
    snprintf(ret, size, "%.*s", folder > 0 ? (int)folder : 1, folder > 0 ? pattern : ".");
}

void file_probe(const struct file_config *config, struct probe *probe)
{
    const struct config_node *node = config_tree_get(config->head.node, "path");
    char folder[PATH_MAX];
    struct stat info;
    constant_folder(config->path, folder, sizeof folder);
    cut_to_what_is_there(folder);
    if (stat(folder, &info) != 0)
        probe_tell(probe, ERROR_FATAL, node, "expected a folder for the files at %s: %s", folder, strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        probe_tell(probe, ERROR_FATAL, node, "expected a folder for the files, and %s is none", folder);
    else if (access(folder, W_OK | X_OK) != 0)
        probe_tell(probe, ERROR_FATAL, node, "expected a folder that weir may write to at %s: %s", folder,
                   strerror(errno));
}

/* The same name, but for "./" and doubled slashes. */
static bool same_path(const char *a, const char *b)
{
    bool begin = true; /* of a folder's name */
    for (;; a++, b++) {
        while (begin && (a[0] == '/' || (a[0] == '.' && a[1] == '/')))
            a += a[0] == '.' ? 2 : 1;
        while (begin && (b[0] == '/' || (b[0] == '.' && b[1] == '/')))
            b += b[0] == '.' ? 2 : 1;
        if (*a != *b || *a == '\0')
            return *a == *b;
        begin = *a == '/';
    }
}

bool file_can_stand_beside(const void *arg, const void *other_arg, const struct config_node **ret_node,
                           const char **ret_why)
{
    const struct file_config *config = arg, *other = other_arg;
    if ((config->path[0] == '/') != (other->path[0] == '/') || !same_path(config->path, other->path))
        return true;
    *ret_node = config_tree_get(config->head.node, "path");
    *ret_why = "expected a path that no other store has: they would write the same files";
    return false;
}
