#include <stdio.h>

#include "cli/attendant.h"
#include "cli/load.h"
#include "cli/service.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "processor/log.h"

static enum exit_code close_run(const struct command *command, const struct receipt *receipt)
{
    enum exit_code code = service_exit_code(receipt);
    struct error error;
    const char *path = command->values[OPTION_RECEIPT];
    if (receipt->status == STATUS_FAILED)
        log_error("service", "%s", receipt->error.text);
    if (command_has(command, OPTION_JSON))
        receipt_json(receipt, stderr);
    else if (!command_has(command, OPTION_QUIET))
        receipt_print(receipt, stderr);
    if (path != NULL && receipt_write(receipt, path, &error) != STATUS_OK) {
        log_error("service", "%s", error.text);
        return code == EXIT_OK ? EXIT_FAILED : code;
    }
    return code;
}

static enum exit_code run_config(const struct command *command, const struct config *config)
{
    const struct service_options options = {
        .changes = {.exit_at_end = command_has(command, OPTION_EXIT_AT_END)},
        .progress = load_progress_mode(command),
    };
    struct service *service;
    struct receipt receipt;
    struct error error;
    const char *path = command->values[OPTION_RECEIPT];
    if (path != NULL && receipt_probe(path, &error) != STATUS_OK) {
        log_error("service", "%s", error.text);
        return EXIT_FAILED;
    }
    if (service_new(config, &options, &service, &error) != STATUS_OK) {
        log_error("service", "%s", error.text);
        return EXIT_UNAVAILABLE;
    }
    service_run(service, &receipt);
    enum exit_code code = close_run(command, &receipt);
    service_free(service);
    return code;
}

enum exit_code verb_run(const struct command *command)
{
    attendant_block_signals();
    const struct config *config = load_config(command->arguments[0], command);
    if (config == NULL)
        return EXIT_CONFIG;
    enum exit_code code = run_config(command, config);
    config_free(config);
    return code;
}
