/*
 * How what came differs from what was expected: JSON by its paths, other bytes as a whole. Members have no order; numbers are compared by their value, however
 * they are written and however long they are (1 equals 1.0 and 1e0, and 9007199254740993 is not 9007199254740992); texts by what they say, escapes or not.
 */
#ifndef WEIR_SCENARIO_DIFF_H
#define WEIR_SCENARIO_DIFF_H

#include <stdbool.h>

#include "processor/json.h"
#include "scenario/findings.h"
#include "scenario/given.h"

/* Finds and tells every difference. findings NULL: only whether there is one. what: which part it is about, before the paths ("" or "row"). part: members that
 * are not expected may be there. node: where `expected` stands, for the places. True: there is none. */
bool diff_json(const struct value *expected, const struct value *actual, bool part, const char *what,
               const struct config_node *node, struct findings *findings);
/* The same of a key, a header, a whole value; actual.data NULL: null. A text is compared byte by byte, or as JSON when both are JSON. part: of a text that is not
 * JSON, a piece of it. */
bool diff_given(const struct given *expected, struct bytes actual, bool part, const char *what,
                struct findings *findings);

/* Is it one JSON value (with white space around it)? Then *ret is it, without. */
bool diff_parse(struct bytes text, struct value *ret);
/* Bytes for a person: JSON as it is, other text in quotes, bytes in hexadecimal digits, all cut; null. */
enum { DIFF_SHOWN_MAX = 256 };
const char *diff_show(struct bytes bytes, char text[DIFF_SHOWN_MAX]);

#endif
