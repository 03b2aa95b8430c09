/* `weir replay`: a stretch of the config's topics through its pipeline once more. */
#include "cli/load.h"
#include "cli/stretch_run.h"
#include "cli/verbs.h"
#include "config/config.h"

static enum exit_code replay(const struct command *command, const struct config *config)
{
    const struct stretch_job job = {.what = "replay"};
    return stretch_run(command, config, &job);
}

enum exit_code verb_replay(const struct command *command)
{
    const struct config *config = load_config(command->arguments[0], command);
    if (config == NULL)
        return EXIT_CONFIG;
    enum exit_code code = replay(command, config);
    config_free(config);
    return code;
}
