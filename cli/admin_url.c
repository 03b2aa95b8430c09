#include "cli/admin_url.h"

#include <stdio.h>
#include <string.h>

#include "cli/registry.h"
#include "cli/text.h"
#include "config/config.h"

static enum exit_code given(const struct command *command, const char *text, char url[ADMIN_URL_MAX])
{
    bool whole = strstr(text, "://") != NULL;
    int size = snprintf(url, ADMIN_URL_MAX, "%s%s", whole ? "" : "http://", text);
    if (text[0] == '\0' || size < 0 || size >= ADMIN_URL_MAX) {
        fprintf(stderr, "weir %s: --admin wants a URL such as http://127.0.0.1:8080\n", command->verb->name);
        return EXIT_USAGE;
    }
    while (size > 0 && url[size - 1] == '/')
        url[--size] = '\0';
    return EXIT_OK;
}

/* Who listens on all addresses is found at this machine's own. */
static const char *reachable(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(host, "::") == 0 ? "::1" : host;
}

static enum exit_code of_config(const struct command *command, const struct config *config, char url[ADMIN_URL_MAX])
{
    const struct config_admin *admin = &config->admin;
    const char *host = reachable(admin->host), *file = command->arguments[0];
    if (!admin->enabled || admin->port == 0) {
        fprintf(stderr, "weir %s: %s: the service has %s\n", command->verb->name, file,
                admin->enabled ? "an admin port that is any free one: say which by --admin (it is in the first line of "
                                 "its log)"
                               : "no admin port (`admin: false`)");
        return EXIT_CONFIG;
    }
    bool v6 = strchr(host, ':') != NULL;
    snprintf(url, ADMIN_URL_MAX, "http://%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", admin->port);
    return EXIT_OK;
}

enum exit_code admin_url(const struct command *command, char url[ADMIN_URL_MAX])
{
    struct config_report *report;
    bool has_url = command_has(command, OPTION_ADMIN);
    if (has_url == (command->count > 0)) {
        fprintf(stderr, "weir %s: wants FILE or --admin URL%s\n", command->verb->name, has_url ? ", not both" : "");
        return EXIT_USAGE;
    }
    if (has_url)
        return given(command, command->values[OPTION_ADMIN], url);
    const struct config *config = config_load(command->arguments[0], registry(), &report);
    if (config == NULL || config_report_errors(report) > 0)
        config_report_print(report, stderr, text_wants_colour(stderr));
    enum exit_code code = config != NULL ? of_config(command, config, url) : EXIT_CONFIG;
    config_report_free(report);
    config_free(config);
    return code;
}
