/*
 * The plan of a run over a stretch: what would be read, how long it takes, where it goes, and what becomes of records that are there already. As a table
 * for people and as JSON for machines.
 */
#ifndef WEIR_CLI_STRETCH_VIEW_H
#define WEIR_CLI_STRETCH_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "processor/stretch.h"

/* Records a second, when neither --rate nor --speed says how fast it goes: what a store in a database on the same machine takes. */
enum { STRETCH_VIEW_RATE = 50000 };

struct stretch_view_store {
    const char *name, *type;
    const char *place; /* where it is, if its name does not say it; NULL: it does */
    bool replaces;     /* see store_type.replaces */
    bool passes_over;  /* what is there already stays as it is */
};

struct stretch_view {
    const char *what;    /* "replay" */
    const char *service; /* of the run: orders.fix */
    const struct stretch *stretch;
    const char *key, *where; /* as they were given; NULL: they were not */
    const struct stretch_view_store *stores;
    unsigned store_count;
    bool exactly_once, dry_run, execute;
};

enum stretch_estimate { STRETCH_BY_RATE, STRETCH_BY_SPEED, STRETCH_ASSUMED };
/* Seconds that what is left takes, and by what that is told. */
double stretch_view_seconds(const struct stretch *stretch, enum stretch_estimate *ret_by);
bool stretch_view_is_empty(const struct stretch *stretch); /* there was nothing in it from the start */

void stretch_view_table(const struct stretch_view *view, FILE *out);
/* One object in one line. What is not known, or not there, is null. */
void stretch_view_json(const struct stretch_view *view, FILE *out);

#endif
