/*
 * The options that say which stretch is meant. A time is RFC 3339 ("2026-11-25T10:00:00Z"), a date, "-2h" (before now), "beginning", "now", or
 * "topic/partition@offset" with more of them after commas ("partition@offset" where there is one topic).
 */
#ifndef WEIR_CLI_STRETCH_OPTIONS_H
#define WEIR_CLI_STRETCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/command.h"
#include "processor/stretch.h"

struct stretch_options;

/* now: ms since 1970. NULL: message says what is wrong, with the option, the position in it and what was expected. Lives no longer than the command. */
struct stretch_options *stretch_options_read(const struct command *command, int64_t now, char *message,
                                             size_t size) WARN_UNUSED;
void stretch_options_free(struct stretch_options *options); /* NULL is fine */
const struct stretch_request *stretch_options_request(const struct stretch_options *options);
/* Puts key, where and the limits into it; they point into the options. */
void stretch_options_apply(const struct stretch_options *options, struct stretch *stretch);

#endif
