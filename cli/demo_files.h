/* The demo's folder: a config, a table of customers and, later, a database; all of them to be looked at. */
#ifndef WEIR_CLI_DEMO_FILES_H
#define WEIR_CLI_DEMO_FILES_H

#include <limits.h>
#include <stdbool.h>

#include "processor/error.h"

struct demo_files {
    char dir[PATH_MAX / 2];
    char config[PATH_MAX], customers[PATH_MAX], database[PATH_MAX];
};

/* dir NULL: weir-demo-UID in $TMPDIR or /tmp. Makes the folder, and writes config and customers into it. Without keep the database of an earlier demo is
 * removed. */
enum status demo_files_write(struct demo_files *files, const char *dir, bool keep, const char *brokers,
                             struct error *error) WARN_UNUSED;

/* A query on the database: the one line that a user may type, and its result as a table on stdout. False: it can't be read. */
extern const char demo_query[];
bool demo_files_query(const struct demo_files *files);

#endif
