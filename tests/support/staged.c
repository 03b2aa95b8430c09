#include "tests/support/staged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/support/parse.h"

static enum status open_stage(struct staged *staged, const struct stage_type *type, const char *dir, const char *yaml,
                              struct error *error)
{
    *staged = (struct staged){.type = type};
    staged->parsed = parsed_new(type->config, yaml);
    const void *config = parsed_config(staged->parsed);
    if (config == NULL)
        fail_msg("%s", parsed_report(staged->parsed));
    staged->metrics = metrics_new();
    assert_non_null(staged->metrics);
    records_init(&staged->records);
    const struct stage_env env = {
        .name = type->name, .metrics = staged->metrics, .config_dir = dir, .budget = staged->records.budget};
    return type->init != NULL ? type->init(config, &env, &staged->stage, error) : STATUS_OK;
}

void staged_init(struct staged *staged, const struct stage_type *type, const char *dir, const char *yaml)
{
    struct error error = {0};
    enum status status = open_stage(staged, type, dir, yaml, &error);
    if (status == STATUS_OK && type->start != NULL)
        status = type->start(staged->stage, &staged->worker, &error);
    if (status != STATUS_OK)
        fail_msg("%s: %s: %s", type->name, status_name(status), error.text);
}

void staged_fini(struct staged *staged)
{
    if (staged->type->stop != NULL)
        staged->type->stop(staged->worker);
    if (staged->type->close != NULL)
        staged->type->close(staged->stage);
    records_fini(&staged->records);
    metrics_free(staged->metrics);
    parsed_free(staged->parsed);
}

void staged_refuse(struct staged *staged, const struct stage_type *type, const char *dir, const char *yaml)
{
    struct error error = {0};
    assert_int_equal(open_stage(staged, type, dir, yaml, &error), STATUS_FAILED);
    snprintf(staged->answer, sizeof staged->answer, "%s", error.text);
    records_fini(&staged->records);
    metrics_free(staged->metrics);
    parsed_free(staged->parsed);
}

void staged_expect_mistake(const struct stage_type *type, const char *yaml, const char *expected)
{
    struct parsed *parsed = parsed_new(type->config, yaml);
    if (parsed_config(parsed) != NULL)
        fail_msg("no mistake was found in\n%s", yaml);
    if (strstr(parsed_report(parsed), expected) == NULL)
        fail_msg("expected '%s', found\n%s", expected, parsed_report(parsed));
    parsed_free(parsed);
}

void staged_process(struct staged *staged, struct batch *batch)
{
    staged->type->process(staged->stage, staged->worker, batch);
}

const char *staged_answer(struct staged *staged, struct batch *batch, const struct record *record)
{
    static const char *const NAMES[] = {
        [STAGE_DROP] = "drop",   [STAGE_RETRY] = "retry",     [STAGE_REJECT] = "reject",
        [STAGE_FATAL] = "fatal", [STAGE_SETTLED] = "settled",
    };
    char *text = staged->answer;
    if (record->answer == STAGE_FORWARD)
        snprintf(text, sizeof staged->answer, "%s", records_encode(batch, record));
    else if (record->failure == NULL)
        snprintf(text, sizeof staged->answer, "%s", NAMES[record->answer]);
    else
        snprintf(text, sizeof staged->answer, "%s %s: %s", NAMES[record->answer], record->failure->class,
                 record->failure->message);
    return text;
}

const char *staged_ask(struct staged *staged, const char *json)
{
    struct batch *batch = records_batch(&staged->records);
    struct record *record = records_add_json(batch, json);
    staged_process(staged, batch);
    const char *answer = staged_answer(staged, batch, record);
    batch_free(batch);
    return answer;
}
