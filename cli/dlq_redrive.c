/* `weir dlq redrive`: puts dead letters through the pipeline once more, or back into the topics that they came from. */
#include <stdlib.h>
#include <string.h>

#include "cli/back.h"
#include "cli/dlq.h"
#include "cli/letter_tally.h"
#include "cli/load.h"
#include "cli/progress_name.h"
#include "cli/stretch_run.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "processor/clock.h"
#include "processor/log.h"
#include "stages/restore.h"

enum { ATTEMPTS_MOST = 5 };
#define TIMEOUT (30 * CLOCK_SECOND)

struct redrive {
    const struct command *command;
    const struct config *config;
    struct letter_reader reader;
    struct letter_filter filter;
};

/* -- the plan: which letters -- */

static bool tally(const struct batch *batch, const struct record *record, void *arg)
{
    letter_tally_add(arg, batch, record);
    return true;
}

static void show_letters(const struct redrive *redrive, const struct letter_tally *tally,
                         const struct letter_filter *filter)
{
    char number[TEXT_MAX];
    if (command_has(redrive->command, OPTION_JSON)) {
        putc('{', stdout);
        letter_counts_json(&filter->counts, stdout);
        letter_tally_json_groups(tally, redrive->reader.topic, stdout);
        fputs("}\n", stdout);
        return;
    }
    fprintf(stdout, "%s: %s dead letter%s to redrive\n", redrive->reader.topic,
            text_count(number, (int64_t)filter->counts.taken), filter->counts.taken == 1 ? "" : "s");
    if (tally->total > 0)
        letter_tally_groups(tally, redrive->reader.topic, text_wants_colour(stdout), stdout);
    letter_counts_tell(filter, "", stdout);
    putc('\n', stdout);
}

/* How many of it match, and what they are: by reading it, as fast as it goes and without a trace. */
static enum exit_code look_at_letters(const struct stretch *stretch, void *arg)
{
    struct redrive *redrive = arg;
    struct letter_filter filter = redrive->filter;
    struct letter_tally counted;
    struct stretch look = *stretch;
    look.progress = NULL;
    look.rate = look.speed = 0;
    look.filter.also_arg = &filter;
    letter_tally_init(&counted);
    enum exit_code code = letter_reader_read(&redrive->reader, &look, tally, &counted);
    letter_tally_sort(&counted);
    if (code == EXIT_OK)
        show_letters(redrive, &counted, &filter);
    letter_tally_fini(&counted);
    return code;
}

static uint64_t count_passed_over(void *arg)
{
    const struct redrive *redrive = arg;
    return letter_counts_passed_over(&redrive->filter.counts);
}

/* -- the run -- */

/* What makes other letters be taken, or go elsewhere. */
static const enum option_id ASKED[] = {OPTION_STAGE, OPTION_CLASS,     OPTION_FROM,         OPTION_TO,
                                       OPTION_KEY,   OPTION_WHERE,     OPTION_PARTITIONS,   OPTION_LATE,
                                       OPTION_STORE, OPTION_TO_SOURCE, OPTION_MAX_ATTEMPTS, OPTION_NONE};

static enum exit_code run(struct redrive *redrive, const struct pipeline_store *store)
{
    struct command command = dlq_command(redrive->command);
    const struct restore_config restore = {.keep_attempts = store != NULL};
    const struct transform_step first = {.type = &restore_stage, .config = &restore};
    char name[PROGRESS_NAME_SIZE];
    const char *given = redrive->command->values[OPTION_NAME];
    progress_name(redrive->command, given != NULL ? given : "redrive", ASKED, name);
    /* One that is no good is told as it was given. */
    if (command_has(&command, OPTION_NAME) && command.values[OPTION_NAME][0] != '\0')
        command.values[OPTION_NAME] = name;
    const struct stretch_job job = {
        .what = "redrive",
        .source_type = redrive->config->source_type,
        .source_config = redrive->reader.source_config,
        .first_steps = &first,
        .first_step_count = 1,
        .no_stages = store != NULL,
        .stores = store,
        .store_count = store != NULL,
        .also = letter_filter_takes,
        .also_arg = &redrive->filter,
        .onward = true,
        .config_name = name,
        .look = look_at_letters,
        .passed_over = count_passed_over,
        .arg = redrive,
    };
    enum exit_code code = stretch_run(&command, redrive->config, &job);
    if (!command_has(&command, OPTION_JSON) && !command_has(&command, OPTION_QUIET))
        letter_counts_tell(&redrive->filter, "", stderr);
    return code;
}

static enum exit_code run_to_source(struct redrive *redrive)
{
    struct pipeline_store store;
    if (command_has(redrive->command, OPTION_STORE)) {
        fprintf(stderr, "weir dlq redrive: --to-source, or --store: not both\n");
        return EXIT_USAGE;
    }
    struct back *back = back_new(redrive->config->source_type, &store);
    if (back == NULL) {
        fprintf(stderr, "weir dlq redrive: nothing can be brought back to the source %s\n",
                redrive->config->source_type->name);
        return EXIT_CONFIG;
    }
    enum exit_code code = run(redrive, &store);
    back_free(back);
    return code;
}

static enum exit_code redrive_config(const struct command *command, const struct config *config)
{
    const char *most = command->values[OPTION_MAX_ATTEMPTS];
    struct redrive redrive = {.command = command, .config = config, .filter = dlq_filter(command)};
    redrive.filter.redriven = true;
    /* The plan is the answer, and how the letters were read for it is of no interest. */
    if (!command_has(command, OPTION_EXECUTE) && !command_has(command, OPTION_VERBOSE))
        log_set(LOG_WARN, command_has(command, OPTION_JSON));
    redrive.filter.attempts_most = most != NULL ? (uint32_t)strtoul(most, NULL, 10) : ATTEMPTS_MOST;
    enum exit_code code = letter_reader_init(&redrive.reader, "dlq redrive", config, TIMEOUT);
    if (code == EXIT_OK)
        code = command_has(command, OPTION_TO_SOURCE) ? run_to_source(&redrive) : run(&redrive, NULL);
    log_flush();
    letter_reader_fini(&redrive.reader);
    return code;
}

enum exit_code verb_dlq_redrive(const struct command *command)
{
    const struct config *config = load_config(command->arguments[0], command);
    if (config == NULL)
        return EXIT_CONFIG;
    enum exit_code code = redrive_config(command, config);
    config_free(config);
    return code;
}
