/* See name.h. A pattern is normalised first: where %i is missing in the last part, `%I` (ours) is put before the extension. */
#include "connectors/file/name.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What may stand behind %, and how many digits it makes; 0: other text, -1: one digit or more. */
static const struct conversion {
    char letter;
    int digits;
} conversions[] = {
    {'Y', 4}, {'m', 2}, {'d', 2}, {'H', 2}, {'M', 2},  {'S', 2},  {'y', 2},  {'j', 3},  {'F', 0}, {'G', 4},
    {'V', 2}, {'u', 1}, {'b', 0}, {'a', 0}, {'s', -1}, {'i', -1}, {'p', -1}, {'o', -1}, {'I', 0},
};

static const struct conversion *find_conversion(char letter)
{
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++)
        if (conversions[i].letter == letter)
            return &conversions[i];
    return NULL;
}

static bool complain(unsigned at, const char *why, unsigned *ret_at, const char **ret_why)
{
    *ret_at = at;
    *ret_why = why;
    return false;
}

static bool has(const char *pattern, char letter)
{
    for (; *pattern; pattern++)
        if (*pattern == '%' && *++pattern == letter)
            return true;
    return false;
}

bool file_pattern_check(const char *pattern, unsigned *ret_at, const char **ret_why)
{
    const char *slash = strrchr(pattern, '/');
    size_t size = strlen(pattern);
    unsigned numbers = 0;
    if (size == 0 || pattern[size - 1] == '/')
        return complain((unsigned)size, "expected a file's name", ret_at, ret_why);
    for (size_t i = 0; i < size; i++) {
        char letter = pattern[i + 1];
        unsigned at = (unsigned)i;
        if ((unsigned char)pattern[i] < ' ')
            return complain(at, "expected a file's name, found a control character", ret_at, ret_why);
        if (pattern[i] != '%')
            continue;
        i++;
        if (letter == '%')
            continue;
        if (find_conversion(letter) == NULL || letter == 'I')
            return complain(at,
                            "expected one of %Y %m %d %H %M %S %y %j %F %G %V %u %b %a %s, %i (running number), %p "
                            "(partition), %o (first offset) or %%",
                            ret_at, ret_why);
        if (letter == 'i' && slash != NULL && pattern + at < slash)
            return complain(at, "expected %i in the file's name, found it in the name of a folder", ret_at, ret_why);
        if (letter == 'i' && ++numbers > 1)
            return complain(at, "expected %i once, found it a second time", ret_at, ret_why);
        if (letter == 'o' && !has(pattern, 'p'))
            return complain(at, "expected %p beside %o: an offset says little without its partition", ret_at, ret_why);
    }
    return true;
}

bool file_pattern_has_partition(const char *pattern)
{
    return has(pattern, 'p');
}

bool file_pattern_has_offset(const char *pattern)
{
    return has(pattern, 'o');
}

enum status file_pattern_folder(const char *pattern, char *ret, size_t size)
{
    size_t used = 0, folder = 0;
    for (; *pattern != 0 && (*pattern != '%' || pattern[1] == '%'); pattern++) {
        if (*pattern == '/')
            folder = used > 0 ? used : 1; /* the root is a folder, too */
        if (used + 1 >= size)
            return STATUS_FAILED;
        ret[used++] = *pattern;
        pattern += *pattern == '%';
    }
    if (folder == 0)
        ret[folder++] = '.';
    ret[folder] = 0;
    return STATUS_OK;
}

/* Copies the pattern, with %I put in where %i is missing. */
static enum status normalise(const char *pattern, char *out, size_t size)
{
    const char *slash = strrchr(pattern, '/');
    const char *name = slash != NULL ? slash + 1 : pattern;
    const char *dot = strchr(*name == '.' ? name + 1 : name, '.');
    int head = (int)((dot != NULL ? dot : name + strlen(name)) - pattern);
    int n;
    if (has(pattern, 'i'))
        n = snprintf(out, size, "%s", pattern);
    else
        n = snprintf(out, size, "%.*s%%I%s", head, pattern, pattern + head);
    return n > 0 && (size_t)n < size ? STATUS_OK : STATUS_FAILED;
}

/* The text of a conversion; the number's place is kept as the letter behind a byte that no checked pattern has. */
static void convert(char letter, const struct tm *time, const struct file_name_parts *parts, char *out, size_t size)
{
    char format[3] = {'%', letter, 0};
    switch (letter) {
    case '%':
        snprintf(out, size, "%%");
        break;
    case 'i':
    case 'I':
        snprintf(out, size, "\1%c", letter);
        break;
    case 'p':
        snprintf(out, size, "%" PRId32, parts->partition);
        break;
    case 'o':
        snprintf(out, size, "%020" PRId64, parts->offset);
        break;
    default:
        if (strftime(out, size, format, time) == 0)
            out[0] = 0;
    }
}

static enum status expand(const char *pattern, const struct file_name_parts *parts, char *out, size_t room)
{
    struct tm time;
    size_t used = 0;
    gmtime_r(&parts->now, &time);
    for (; *pattern; pattern++) {
        char part[64] = {*pattern, 0};
        size_t size;
        if (*pattern == '%' && pattern[1])
            convert(*++pattern, &time, parts, part, sizeof part);
        size = strlen(part);
        if (used + size + 1 > room)
            return STATUS_FAILED;
        memcpy(out + used, part, size + 1);
        used += size;
    }
    return used ? STATUS_OK : STATUS_FAILED;
}

static bool copy(char *out, size_t room, const char *text, size_t size)
{
    if (size + 1 > room)
        return false;
    memcpy(out, text, size);
    out[size] = 0;
    return true;
}

enum status file_name_expand(const char *pattern, const struct file_name_parts *parts, struct file_name *ret)
{
    char normal[PATH_MAX], path[PATH_MAX];
    char *slash, *name, *mark;
    bool fits;
    if (normalise(pattern, normal, sizeof normal) != STATUS_OK || expand(normal, parts, path, sizeof path) != STATUS_OK)
        return STATUS_FAILED;
    slash = strrchr(path, '/');
    name = slash != NULL ? slash + 1 : path;
    mark = strchr(name, '\1');
    if (mark == NULL)
        return STATUS_FAILED;
    ret->dashed = mark[1] == 'I';
    if (slash == NULL)
        fits = copy(ret->folder, sizeof ret->folder, ".", 1);
    else
        fits = copy(ret->folder, sizeof ret->folder, path, slash == path ? 1 : (size_t)(slash - path));
    fits = fits && copy(ret->before, sizeof ret->before, name, (size_t)(mark - name)) &&
           copy(ret->after, sizeof ret->after, mark + 2, strlen(mark + 2));
    return fits ? STATUS_OK : STATUS_FAILED;
}

enum status file_name_path(const struct file_name *name, uint64_t number, char *ret, size_t size)
{
    char text[32] = "";
    int n;
    if (number || !name->dashed)
        snprintf(text, sizeof text, "%s%llu", name->dashed ? "-" : "", (unsigned long long)number);
    n = snprintf(ret, size, "%s/%s%s%s", name->folder, name->before, text, name->after);
    return n > 0 && (size_t)n < size ? STATUS_OK : STATUS_FAILED;
}

/* False: the entry is none of this name's. */
static bool read_number(const struct file_name *name, const char *entry, uint64_t *ret)
{
    size_t before = strlen(name->before), after = strlen(name->after);
    char *end;
    if (strncmp(entry, name->before, before) != 0)
        return false;
    entry += before;
    *ret = 0;
    if (isdigit((unsigned char)entry[name->dashed && entry[0] == '-'])) {
        *ret = strtoull(entry + (name->dashed && entry[0] == '-'), &end, 10);
        if (name->dashed && entry[0] != '-')
            return false;
        entry = end;
    } else if (!name->dashed) {
        return false;
    }
    if (strncmp(entry, name->after, after) != 0)
        return false;
    entry += after;
    return !*entry || !strcmp(entry, FILE_OPEN_SUFFIX);
}

enum status file_name_next(const struct file_name *name, uint64_t *ret)
{
    DIR *folder = opendir(name->folder);
    uint64_t next = name->dashed ? 0 : 1;
    struct dirent *entry;
    uint64_t number;
    if (folder == NULL)
        return STATUS_FAILED;
    while ((entry = readdir(folder)) != NULL)
        if (read_number(name, entry->d_name, &number) && number >= next && number < UINT64_MAX)
            next = number + 1;
    closedir(folder);
    *ret = next;
    return STATUS_OK;
}

/* -- finding what a crash left -- */

static bool match(const char *pattern, const char *pattern_end, const char *name);

/* One conversion against the beginning of name, and the rest of the pattern behind it: the longest that fits. */
static bool match_conversion(const struct conversion *conversion, const char *rest, const char *pattern_end,
                             const char *name)
{
    size_t least = 1, most = 0;
    if (conversion->letter == 'I') {
        if (match(rest, pattern_end, name))
            return true;
        if (*name++ != '-')
            return false;
    }
    if (conversion->digits || conversion->letter == 'I')
        while (isdigit((unsigned char)name[most]))
            most++;
    else
        most = strlen(name);
    if (conversion->digits > 0) {
        least = (size_t)conversion->digits;
        most = most < least ? most : least;
    }
    for (size_t n = most; n >= least; n--)
        if (match(rest, pattern_end, name + n))
            return true;
    return false;
}

static bool match(const char *pattern, const char *pattern_end, const char *name)
{
    while (pattern < pattern_end) {
        const struct conversion *conversion;
        if (*pattern != '%') {
            if (*pattern++ != *name++)
                return false;
            continue;
        }
        conversion = find_conversion(pattern[1]);
        pattern += 2;
        if (conversion != NULL)
            return match_conversion(conversion, pattern, pattern_end, name);
        if (*name++ != '%')
            return false;
    }
    return !strcmp(name, "") || !strcmp(name, FILE_OPEN_SUFFIX);
}

struct search {
    void (*visit)(const char *path, void *arg);
    void *arg;
};

static void search_folder(const struct search *search, const char *folder, const char *pattern);

static void search_entry(const struct search *search, const char *path, const char *rest)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return;
    if (*rest)
        search_folder(search, path, rest + 1);
    else if (S_ISREG(info.st_mode))
        search->visit(path, search->arg);
}

static bool is_open_name(const char *name)
{
    size_t size = strlen(name), suffix = strlen(FILE_OPEN_SUFFIX);
    return size > suffix && !strcmp(name + size - suffix, FILE_OPEN_SUFFIX);
}

/* pattern: what is left of it below the folder ("" for the root). */
static void search_folder(const struct search *search, const char *folder, const char *pattern)
{
    const char *end = pattern + strcspn(pattern, "/");
    DIR *dir = opendir(*folder ? folder : "/");
    char path[PATH_MAX];
    struct dirent *entry;
    if (dir == NULL)
        return;
    if (*end && (end == pattern || memchr(pattern, '%', (size_t)(end - pattern)) == NULL)) {
        if (snprintf(path, sizeof path, "%s/%.*s", folder, (int)(end - pattern), pattern) < (int)sizeof path)
            search_entry(search, path, end);
        closedir(dir);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        bool wanted = match(pattern, end, entry->d_name) && is_open_name(entry->d_name) == !*end;
        if (wanted && snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path)
            search_entry(search, path, end);
    }
    closedir(dir);
}

void file_pattern_each_open(const char *pattern, void (*visit)(const char *path, void *arg), void *arg)
{
    struct search search = {.visit = visit, .arg = arg};
    char normal[PATH_MAX];
    if (normalise(pattern, normal, sizeof normal) != STATUS_OK)
        return;
    if (normal[0] == '/')
        search_folder(&search, "", normal + 1);
    else
        search_folder(&search, ".", normal);
}
