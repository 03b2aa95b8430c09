/* What `weir archive` has beside the writing: looking at a folder. */
#ifndef WEIR_CLI_ARCHIVE_H
#define WEIR_CLI_ARCHIVE_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/exit.h"

/* A line for each partition; verify: every frame is inflated and every record looked at. json: objects, a line each. EXIT_FAILED: something is damaged. */
enum exit_code archive_list(const char *dir, bool verify, bool json, FILE *out);

#endif
