/* Where the admin port of a running service is: said by --admin, or found in the service's config. */
#ifndef WEIR_CLI_ADMIN_URL_H
#define WEIR_CLI_ADMIN_URL_H

#include <stddef.h>

#include "cli/command.h"

enum { ADMIN_URL_MAX = 256 };

/* `http://HOST:PORT`, without a slash behind it. Not EXIT_OK: said on stderr. */
enum exit_code admin_url(const struct command *command, char url[ADMIN_URL_MAX]);

#endif
