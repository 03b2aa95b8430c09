/* "Did you mean": the name that is the fewest slips away. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/report.h"

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned low = a < b ? a : b;
    return low < c ? low : c;
}

static bool same(char a, char b)
{
    /* Kafka writes dots, YAML underscores, command lines dashes. */
    a = a == '-' || a == '.' ? '_' : (char)tolower((unsigned char)a);
    b = b == '-' || b == '.' ? '_' : (char)tolower((unsigned char)b);
    return a == b;
}

/* Optimal string alignment: letters added, left out, changed, or two neighbours swapped. */
static unsigned distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][CONFIG_NEAR_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            row[j] = least(last[j] + 1, row[j - 1] + 1, last[j - 1] + !same(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_size];
}

const char *config_nearest(const char *name, const char *const *names)
{
    size_t size = strlen(name);
    const char *nearest = NULL;
    /* A third of the letters may be wrong, one at least. */
    unsigned best = size / 3 > 1 ? (unsigned)(size / 3) + 1 : 2;
    if (size == 0 || size > CONFIG_NEAR_MAX)
        return NULL;
    for (; *names != NULL; names++) {
        size_t other = strlen(*names);
        if (other > CONFIG_NEAR_MAX || other + best <= size || size + best <= other)
            continue;
        unsigned now = distance(name, size, *names, other);
        if (now < best && now < other) {
            best = now;
            nearest = *names;
        }
    }
    return nearest;
}

static const char *write_hint(const char *name, const char *const *names, char quote, char ret[CONFIG_HINT_SIZE])
{
    static const char FORMAT[] = "; did you mean %c%s%c?";
    _Static_assert(sizeof FORMAT + CONFIG_NEAR_MAX <= CONFIG_HINT_SIZE, "the longest name that can be near fits");
    const char *nearest = config_nearest(name, names);
    ret[0] = '\0';
    if (nearest != NULL)
        snprintf(ret, CONFIG_HINT_SIZE, FORMAT, quote, nearest, quote);
    return ret;
}

const char *config_hint(const char *name, const char *const *names, char ret[CONFIG_HINT_SIZE])
{
    return write_hint(name, names, '"', ret);
}

const char *config_hint_key(const char *name, const char *const *names, char ret[CONFIG_HINT_SIZE])
{
    return write_hint(name, names, '`', ret);
}
