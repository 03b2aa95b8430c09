/* What the live progress shows, taken out of the metrics, and how it looks: without a terminal, so that tests can read it. */
#ifndef WEIR_CLI_PROGRESS_VIEW_H
#define WEIR_CLI_PROGRESS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/columns.h"

struct metrics;

enum { VIEW_QUEUES = 12, VIEW_LINES = 4, VIEW_LINE_MAX = COLUMNS_LINE_MAX };

struct view_queue {
    char name[32];
    int64_t records, bytes, record_capacity, byte_capacity;
    int64_t workers; /* of the stage behind it; 0: not known */
};

struct view {
    const char *service;
    int64_t elapsed; /* ns */
    int64_t total;   /* records to come in all; 0: not known */
    int64_t offsets; /* of a stretch: to be read in all; 0: there is no end */
    int64_t offsets_done;
    bool ended;                /* see view_end */
    bool lagged;               /* lag has been told: before that there seems to be none */
    int64_t rate, offset_rate; /* records, and offsets, a second, of late */
    int64_t consumed, stored, dead_lettered, dropped, in_flight, lag;
    int64_t budget_used, budget_size;
    int64_t partitions, paused;
    bool held_back;
    unsigned queue_count;
    struct view_queue queues[VIEW_QUEUES]; /* from front to back */
};

/* Fills all but service, elapsed, total, offsets and the rates. */
void view_read(struct view *view, struct metrics *metrics);

/* All there was to do is done: of a stretch all, or as many records as were wanted. */
void view_end(struct view *view);

/* For a terminal: up to VIEW_LINES lines, each at most `width` columns, without line breaks. Returns how many. */
unsigned view_lines(const struct view *view, const struct columns_style *style, char lines[VIEW_LINES][VIEW_LINE_MAX]);
/* How much of it is done, 0 to 100, and how many seconds the rest will take; -1: not known. */
int view_percent(const struct view *view);
int64_t view_seconds_to_go(const struct view *view);
/* One object in one line, without its end. */
void view_json(const struct view *view, char *text, size_t size);
/* For a log: one line with all of it. */
void view_plain(const struct view *view, char *text, size_t size);

#endif
