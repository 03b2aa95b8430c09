/* `weir replay`: a stretch of the config's topics, or of an archive of them, through its pipeline once more; or into another topic as it is. */
#include <stdio.h>
#include <string.h>

#include "cli/load.h"
#include "cli/progress_name.h"
#include "cli/stretch_run.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "connectors/archive/source.h"
#include "connectors/kafka/into.h"
#include "connectors/kafka/source.h"
#include "connectors/kafka/store.h"
#include "processor/check.h"
#include "processor/clock.h"

#define TIMEOUT (30 * CLOCK_SECOND)

struct replay {
    const struct command *command;
    const struct config *config;
    const char *topic; /* --into-topic */
};

static bool is_kafka(const struct config *config)
{
    return strcmp(config->source_type->name, "kafka") == 0;
}

static bool consumes(const void *arg, const char *topic)
{
    const struct config *config = arg;
    return !is_kafka(config) || kafka_source_consumes(config->source_config, topic);
}

static enum exit_code say(const char *text, enum exit_code code)
{
    fprintf(stderr, "weir replay: %s\n", text);
    return code;
}

/* -- into a topic -- */

static enum exit_code check_topic(void *arg, const struct stretch *stretch)
{
    const struct replay *replay = arg;
    struct error error = {0};
    struct context *context = context_new(NULL,
                                          clock_now() + command_duration(replay->command, OPTION_TIMEOUT, TIMEOUT));
    CHECK(context != NULL);
    enum status status = kafka_into_check(replay->config->source_config, replay->topic, stretch, context, &error);
    context_free(context);
    if (status == STATUS_OK)
        return EXIT_OK;
    return say(error.text, error.class == ERROR_FATAL ? EXIT_CONFIG : EXIT_UNAVAILABLE);
}

static enum exit_code into_topic(struct replay *replay, struct stretch_job *job)
{
    char message[512];
    const struct command *command = replay->command;
    if (command_has(command, OPTION_STORE))
        return say("--store and --into-topic: one of them", EXIT_USAGE);
    if (!is_kafka(replay->config))
        return say("--into-topic: the source of FILE is not Kafka", EXIT_CONFIG);
    if (consumes(replay->config, replay->topic) && !command_has(command, OPTION_SAME_TOPIC)) {
        snprintf(message, sizeof message,
                 "--into-topic: the service of FILE consumes %s itself, and would have all these records once more; if "
                 "that is meant, say --same-topic",
                 replay->topic);
        return say(message, EXIT_USAGE);
    }
    struct kafka_into *into = kafka_into_new(replay->topic);
    CHECK(into != NULL);
    const struct pipeline_store stores[] = {
        {.name = replay->topic, .type = &kafka_store, .config = kafka_into_config(into), .workers = 1}};
    job->no_stages = true;
    job->stores = stores;
    job->store_count = 1;
    job->check = check_topic;
    job->check_arg = replay;
    enum exit_code code = stretch_run(command, replay->config, job);
    kafka_into_free(into);
    return code;
}

/* -- out of an archive -- */

static enum exit_code replay_config(const struct command *command, const struct config *config)
{
    struct replay replay = {.command = command, .config = config, .topic = command->values[OPTION_INTO_TOPIC]};
    const struct archive_source_config archive = {
        .dir = command->values[OPTION_FROM_ARCHIVE], .wants = consumes, .wants_arg = config};
    struct stretch_job job = {.what = "replay"};
    if (archive.dir != NULL) {
        job.source_type = &archive_source;
        job.source_config = &archive;
    }
    return replay.topic != NULL ? into_topic(&replay, &job) : stretch_run(command, config, &job);
}

/* What makes other records be taken, or go elsewhere. Other bounds and partitions are refused under one name: who gives them sees that they differ. */
static const enum option_id ASKED[] = {OPTION_KEY, OPTION_WHERE, OPTION_STORE, OPTION_INTO_TOPIC, OPTION_NONE};

static enum exit_code replay_named(const struct command *command, const struct config *config)
{
    struct command named = *command;
    char name[PROGRESS_NAME_SIZE], message[1024];
    if (command_has(command, OPTION_NAME)) {
        if (!progress_name_given(command, "", command, ASKED, name, message, sizeof message))
            return say(message, EXIT_USAGE);
        named.values[OPTION_NAME] = name;
    }
    return replay_config(&named, config);
}

enum exit_code verb_replay(const struct command *command)
{
    if (command_has(command, OPTION_SAME_TOPIC) && !command_has(command, OPTION_INTO_TOPIC))
        return say("--same-topic is for --into-topic, which is not given", EXIT_USAGE);
    const struct config *config = load_config(command->arguments[0], command);
    if (config == NULL)
        return EXIT_CONFIG;
    enum exit_code code = replay_named(command, config);
    config_free(config);
    return code;
}
