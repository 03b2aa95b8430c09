#include "cli/columns.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"

void columns_init(struct columns *line, char *text, const struct columns_style *style)
{
    text[0] = '\0';
    *line = (struct columns){.text = text, .style = style};
}

static void put(struct columns *line, const char *text)
{
    size_t size = strlen(text);
    if (line->used + size + 1 > COLUMNS_LINE_MAX)
        return;
    memcpy(line->text + line->used, text, size + 1);
    line->used += size;
}

static void put_columns(struct columns *line, const char *text)
{
    char symbol[8];
    bool plain;
    for (size_t size, left = strlen(text); left > 0 && line->columns < line->style->width; text += size, left -= size) {
        size = text_symbol(text, left, &plain);
        snprintf(symbol, sizeof symbol, "%.*s", (int)size, text);
        put(line, plain ? symbol : " ");
        line->columns++;
    }
}

void columns_add(struct columns *line, enum columns_colour colour, const char *format, ...)
{
    static const char *const CODES[] = {[COLUMNS_DIM] = "\033[2m",
                                        [COLUMNS_BOLD] = "\033[1m",
                                        [COLUMNS_GREEN] = "\033[32m",
                                        [COLUMNS_YELLOW] = "\033[33m",
                                        [COLUMNS_RED] = "\033[31m"};
    char text[COLUMNS_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (colour == COLUMNS_PLAIN || !line->style->colour) {
        put_columns(line, text);
        return;
    }
    put(line, CODES[colour]);
    put_columns(line, text);
    put(line, "\033[0m");
}

void columns_add_whole(struct columns *line, const char *format, ...)
{
    char text[COLUMNS_LINE_MAX];
    unsigned columns = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (const char *at = text; *at != '\0'; at++)
        columns += (*at & 0xc0) != 0x80;
    if (columns <= line->style->width - line->columns)
        put_columns(line, text);
    else
        line->columns = line->style->width;
}

void columns_to(struct columns *line, unsigned column)
{
    while (line->columns < column && line->columns < line->style->width)
        put_columns(line, " ");
}

void columns_bar(struct columns *line, int percent, bool warns)
{
    enum { CELLS = 8 };
    int full = percent >= 100 ? CELLS : (percent * CELLS + 50) / 100;
    char bar[CELLS * 4 + 1];
    size_t used = 0;
    for (int i = 0; i < CELLS; i++) {
        const char *cell = line->style->unicode ? (i < full ? "█" : "░") : (i < full ? "#" : ".");
        used += (size_t)snprintf(bar + used, sizeof bar - used, "%s", cell);
    }
    columns_add(line, warns && percent >= 80 ? COLUMNS_YELLOW : COLUMNS_PLAIN, "%s", bar);
}

int columns_percent(int64_t used, int64_t capacity)
{
    int64_t percent = capacity > 0 ? (used * 100 + capacity / 2) / capacity : 0;
    return percent < 0 ? 0 : percent > 999 ? 999 : (int)percent;
}
