/* `weir dlq redrive`: puts dead letters through the pipeline once more, or back into the topics that they came from. */
#include <stdlib.h>
#include <string.h>

#include "cli/back.h"
#include "cli/dlq.h"
#include "cli/letter_newest.h"
#include "cli/letter_tally.h"
#include "cli/load.h"
#include "cli/progress_name.h"
#include "cli/stretch_run.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "connectors/kafka/source.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/letter_headers.h"
#include "processor/log.h"
#include "stages/restore.h"

enum { ATTEMPTS_MOST = 5 };
#define TIMEOUT (30 * CLOCK_SECOND)

struct redrive {
    const struct command *command;
    const struct config *config;
    struct letter_reader reader;
    struct letter_filter filter;
    struct letter_newest *newest;
    char *passed_over_by;
    bool too_many; /* letters, to tell which are the newest */
    bool done;     /* earlier runs under the name have left nothing */
};

static bool consumes(const void *arg, const char *topic)
{
    const struct config *config = arg;
    return strcmp(config->source_type->name, "kafka") != 0 || kafka_source_consumes(config->source_config, topic);
}

/* -- the newest letter of each record -- */

static bool add_newest(const struct batch *batch, const struct record *record, void *arg)
{
    struct redrive *redrive = arg;
    struct letter_headers letter;
    if (letter_headers_read(record->headers, &letter) && letter_filter_consumes(&redrive->filter, letter.topic))
        redrive->too_many = !letter_newest_add(redrive->newest, &letter, batch->partition, record->offset);
    return !redrive->too_many;
}

/*
 * All of the stretch is read, and not only what is left of it: a run that goes on has to decide as the one did that was interrupted. All letters of a record have its key
 * and, in a header, its time, so that these may narrow it; anything else may be another in the newer one, the letter's own timestamp too.
 */
static enum exit_code find_newest(void *arg, const struct stretch *stretch)
{
    struct redrive *redrive = arg;
    struct stretch look = *stretch;
    redrive->done = (stretch->resumed || stretch->follows) && stretch_finished(stretch);
    if (stretch_finished(stretch))
        return EXIT_OK;
    look.parts = calloc(stretch->count + 1, sizeof *look.parts);
    CHECK(look.parts != NULL);
    for (unsigned i = 0; i < stretch->count; i++) {
        look.parts[i] = stretch->parts[i];
        look.parts[i].next = look.parts[i].first;
    }
    look.progress = NULL;
    look.rate = look.speed = 0;
    look.max_records = 0;
    look.filter.where = NULL;
    look.filter.also = NULL;
    log_info("service", "%s is read for which letter of each record is the newest", redrive->reader.topic);
    redrive->newest = letter_newest_new(LETTER_NEWEST_MOST);
    enum exit_code code = letter_reader_read(&redrive->reader, &look, add_newest, redrive);
    free(look.parts);
    redrive->filter.newest = redrive->newest;
    if (code != EXIT_OK || !redrive->too_many)
        return code;
    fprintf(stderr,
            "weir dlq redrive: there are letters of more than %d records, too many to tell which letter of each is the "
            "newest; take fewer at a time: --from and --to, or --partitions\n",
            LETTER_NEWEST_MOST);
    return EXIT_FAILED;
}

/* -- the plan: which letters -- */

static bool tally(const struct batch *batch, const struct record *record, void *arg)
{
    letter_tally_add(arg, batch, record);
    return true;
}

static void show_letters(const struct redrive *redrive, const struct letter_tally *tally,
                         const struct letter_filter *filter)
{
    char number[TEXT_MAX], all[TEXT_MAX];
    uint64_t passed_over = letter_counts_passed_over(&filter->counts);
    if (command_has(redrive->command, OPTION_JSON)) {
        putc('{', stdout);
        letter_counts_json(&filter->counts, stdout);
        letter_tally_json_groups(tally, redrive->reader.topic, stdout);
        fputs("}\n", stdout);
        return;
    }
    fprintf(stdout, "%s: %s dead letter%s to redrive", redrive->reader.topic,
            text_count(number, (int64_t)filter->counts.taken), filter->counts.taken == 1 ? "" : "s");
    if (passed_over > 0)
        fprintf(stdout, ", of %s that were looked at", text_count(all, (int64_t)(filter->counts.taken + passed_over)));
    putc('\n', stdout);
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

static const char *count_passed_over_by(void *arg)
{
    struct redrive *redrive = arg;
    size_t size;
    free(redrive->passed_over_by);
    redrive->passed_over_by = NULL;
    FILE *out = open_memstream(&redrive->passed_over_by, &size);
    CHECK(out != NULL);
    letter_counts_json_passed_over(&redrive->filter.counts, out);
    CHECK(fclose(out) == 0);
    return redrive->passed_over_by;
}

/* -- the run -- */

/* What makes other letters be taken, or go elsewhere. */
static const enum option_id ASKED[] = {OPTION_STAGE, OPTION_CLASS,     OPTION_FROM,         OPTION_TO,
                                       OPTION_KEY,   OPTION_WHERE,     OPTION_PARTITIONS,   OPTION_LATE,
                                       OPTION_STORE, OPTION_TO_SOURCE, OPTION_MAX_ATTEMPTS, OPTION_NONE};

static enum exit_code run(struct redrive *redrive, const struct pipeline_store *store)
{
    struct command command = *redrive->command;
    const struct restore_config restore = {.keep_attempts = store != NULL};
    const struct transform_step first = {.type = &restore_stage, .config = &restore};
    char name[PROGRESS_NAME_SIZE], message[1024];
    if (!command_has(&command, OPTION_NAME)) {
        progress_name(&command, "redrive", ASKED, name);
    } else if (!progress_name_given(&command, "", &command, ASKED, name, message, sizeof message)) {
        fprintf(stderr, "weir dlq redrive: %s\n", message);
        return EXIT_USAGE;
    }
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
        .time = letter_filter_time,
        .also = letter_filter_takes,
        .also_arg = &redrive->filter,
        .onward = true,
        .check = find_newest,
        .check_arg = redrive,
        .look = look_at_letters,
        .passed_over = count_passed_over,
        .passed_over_by = count_passed_over_by,
        .arg = redrive,
    };
    enum exit_code code = stretch_run(&command, redrive->config, &job);
    if (command_has(&command, OPTION_JSON) || command_has(&command, OPTION_QUIET))
        return code;
    letter_counts_tell(&redrive->filter, "", stderr);
    if (code == EXIT_OK && redrive->done)
        fprintf(command_has(&command, OPTION_EXECUTE) ? stderr : stdout,
                "letters that an earlier run passed over, as they were refused %" PRIu32
                " times or more, are not taken up again by themselves; take them with --max-attempts N\n",
                redrive->filter.attempts_most);
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

static uint32_t at_most(unsigned long long number)
{
    return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static enum exit_code redrive_config(const struct command *command, const struct config *config)
{
    const char *most = command->values[OPTION_MAX_ATTEMPTS];
    struct redrive redrive = {.command = command, .config = config, .filter = dlq_filter(command)};
    redrive.filter.redriven = true;
    redrive.filter.consumes = consumes;
    redrive.filter.consumes_arg = config;
    redrive.filter.file = command->arguments[0];
    /* The plan is the answer, and how the letters were read for it is of no interest. */
    if (!command_has(command, OPTION_EXECUTE) && !command_has(command, OPTION_VERBOSE))
        log_set(LOG_WARN, command_has(command, OPTION_JSON));
    redrive.filter.attempts_most = most != NULL ? at_most(strtoull(most, NULL, 10)) : ATTEMPTS_MOST;
    enum exit_code code = letter_reader_init(&redrive.reader, "dlq redrive", config, TIMEOUT);
    if (code == EXIT_OK)
        code = command_has(command, OPTION_TO_SOURCE) ? run_to_source(&redrive) : run(&redrive, NULL);
    log_flush();
    letter_newest_free(redrive.newest);
    free(redrive.passed_over_by);
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
