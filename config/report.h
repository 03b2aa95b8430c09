/*
 * Mistakes in a config, all of them, each with its place: `file:line:col: path: what was expected, what was found`, the source line and a caret.
 */
#ifndef WEIR_CONFIG_REPORT_H
#define WEIR_CONFIG_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "processor/status.h"

struct config_node;
struct config_report;

struct config_report *config_report_new(const char *file, const char *text, size_t size) WARN_UNUSED;
void config_report_free(struct config_report *report);
/* At the node's value. node NULL: of the whole file. `at` (config_error_at): an offset into the scalar's text. Only the first error of a scalar is kept:
 * what follows from it (an undefined variable is no number either) is dropped. */
void config_error(struct config_report *report, const struct config_node *node, const char *format, ...)
    PRINTF_LIKE(3, 4);
void config_error_at(struct config_report *report, const struct config_node *node, unsigned at, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* As config_error_at, and kept beside other errors of the same scalar. */
void config_error_also(struct config_report *report, const struct config_node *node, unsigned at, const char *format,
                       ...) PRINTF_LIKE(4, 5);
/* At the node's key: unknown and duplicate keys. */
void config_error_key(struct config_report *report, const struct config_node *node, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* A line and column alone (YAML syntax). */
void config_error_place(struct config_report *report, unsigned line, unsigned column, const char *format, ...)
    PRINTF_LIKE(4, 5);
void config_warn(struct config_report *report, const struct config_node *node, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Of a secret that stands in the file itself, and came out of no variable or other file. */
void config_warn_secret(struct config_report *report, const struct config_node *node);
/* Keeps a secret out of all that is printed: the place in the file where node's text (or the texts below it) stands, and the text itself in messages. */
void config_report_hide(struct config_report *report, const struct config_node *node);
void config_report_hide_text(struct config_report *report, const char *text);
unsigned config_report_errors(const struct config_report *report);
unsigned config_report_warnings(const struct config_report *report);
/* Sorted by place, with the source line and a caret; colour: with ANSI colours. */
void config_report_print(const struct config_report *report, FILE *out, bool colour);
/* One JSON object a line: file, line, column (0: the whole file), path, severity (error, warning), message. */
void config_report_print_json(const struct config_report *report, FILE *out);
enum { CONFIG_NEAR_MAX = 64, CONFIG_HINT_SIZE = CONFIG_NEAR_MAX + 32 };

/* The nearest of `names` (NULL-terminated) to `name`, or NULL when none is near: for "did you mean". No name of more than CONFIG_NEAR_MAX bytes is. */
const char *config_nearest(const char *name, const char *const *names);
/* For the end of a message: `; did you mean "NAME"?`, or nothing when none is near. Returns ret. */
const char *config_hint(const char *name, const char *const *names, char ret[CONFIG_HINT_SIZE]);
/* The same for a key, which messages write in backticks. */
const char *config_hint_key(const char *name, const char *const *names, char ret[CONFIG_HINT_SIZE]);

#endif
