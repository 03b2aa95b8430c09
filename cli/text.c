#include "cli/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "processor/clock.h"
#include "processor/json.h"

const char *text_count(char text[TEXT_MAX], int64_t n)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, n < 0 ? -(uint64_t)n : (uint64_t)n);
    char *at = text;
    if (n < 0)
        *at++ = '-';
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

const char *text_bytes(char text[TEXT_MAX], int64_t bytes)
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 1023.95 && unit + 1 < sizeof UNITS / sizeof UNITS[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(text, TEXT_MAX, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, UNITS[unit]);
    return text;
}

const char *text_time(char text[TEXT_MAX], int64_t ns)
{
    int64_t seconds = ns / CLOCK_SECOND;
    if (seconds < 10)
        snprintf(text, TEXT_MAX, "%.2f s", (double)ns / (double)CLOCK_SECOND);
    else if (seconds < 60)
        snprintf(text, TEXT_MAX, "%.1f s", (double)ns / (double)CLOCK_SECOND);
    else if (seconds < 3600)
        snprintf(text, TEXT_MAX, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    else
        snprintf(text, TEXT_MAX, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds / 60 % 60);
    return text;
}

enum { UTF8_MOST = 4 };

/* The bytes of the UTF-8 sequence at text, 0 when there is none. size: of text. */
static unsigned sequence(const char *text, size_t size)
{
    for (unsigned count = 1; count <= UTF8_MOST && count <= size; count++) {
        if (utf8_valid((struct bytes){.data = (const uint8_t *)text, .size = count}))
            return count;
    }
    return 0;
}

void text_json(FILE *out, const char *text)
{
    putc('"', out);
    while (*text != '\0') {
        unsigned size = sequence(text, strnlen(text, UTF8_MOST));
        if (size == 0)
            fputs("\\ufffd", out);
        else if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\u%04x", (unsigned)*text);
        else
            fwrite(text, 1, size, out);
        text += size == 0 ? 1 : size;
    }
    putc('"', out);
}

unsigned text_symbol(const char *text, size_t size, bool *ret_plain)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned count = sequence(text, size);
    bool control = at[0] < 0x20 || at[0] == 0x7f || (count == 2 && at[0] == 0xc2 && at[1] < 0xa0);
    *ret_plain = count > 0 && !control;
    return count > 0 ? count : 1;
}

void text_plain(FILE *out, const char *text, size_t size)
{
    bool plain;
    for (size_t i = 0, count; i < size; i += count) {
        count = text_symbol(text + i, size - i, &plain);
        if (plain)
            fwrite(text + i, 1, count, out);
        else
            fprintf(out, "%*s", (int)count, "");
    }
}

bool text_wants_colour(FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    return isatty(fileno(out)) == 1 && (no_color == NULL || no_color[0] == '\0');
}
