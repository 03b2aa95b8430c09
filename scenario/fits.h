/* Is one thing that came what one item of a scenario says? Each tells every difference; findings NULL: only whether there is one. */
#ifndef WEIR_SCENARIO_FITS_H
#define WEIR_SCENARIO_FITS_H

#include <stdbool.h>

#include "scenario/findings.h"
#include "scenario/trial.h"

bool fits_output(const struct trial_store *store, const struct spec_output *expected, const struct trial_output *actual,
                 struct findings *findings);
bool fits_letter(const struct trial *trial, const struct spec_letter *expected, const struct trial_letter *actual,
                 struct findings *findings);
bool fits_drop(const struct trial *trial, const struct spec_drop *expected, const struct trial_record *actual,
               struct findings *findings);
/* Is it the text, or (part) does it have it in it? expected NULL: nobody asks. what: the key of node (a map) that expected stands at. */
bool fits_text(const char *expected, const char *actual, bool part, const char *what, const struct config_node *node,
               struct findings *findings);

#endif
