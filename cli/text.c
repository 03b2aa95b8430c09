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

/* The bytes of the UTF-8 sequence at text, 0 when there is none. */
static unsigned sequence(const char *text)
{
    for (unsigned size = 1; size <= 4 && text[size - 1] != '\0'; size++) {
        if (utf8_valid((struct bytes){.data = (const uint8_t *)text, .size = size}))
            return size;
    }
    return 0;
}

void text_json(FILE *out, const char *text)
{
    putc('"', out);
    while (*text != '\0') {
        unsigned size = sequence(text);
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

unsigned text_control(const char *text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x20 || at[0] == 0x7f)
        return 1;
    return size > 1 && at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
}

void text_plain(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0, control; i<size; i += control> 0 ? control : 1) {
        control = text_control(text + i, size - i);
        if (control > 0)
            fprintf(out, "%*s", (int)control, "");
        else
            putc(text[i], out);
    }
}

bool text_wants_colour(FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    return isatty(fileno(out)) == 1 && (no_color == NULL || no_color[0] == '\0');
}
