#include "admin/tap_request.h"

#include <stdio.h>
#include <string.h>

#include "config/units.h"
#include "processor/where.h"

void tap_request_init(struct tap_request *request)
{
    *request = (struct tap_request){.limit = UINT64_MAX};
}

void tap_request_fini(struct tap_request *request)
{
    where_free(request->options.where);
    request->options.where = NULL;
}

/* A whole number from 1 on; *ret_rest: behind it. */
static bool parse_count(const char *text, uint64_t most, uint64_t *ret, const char **ret_rest)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value <= most; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *ret = value;
    *ret_rest = at;
    return at > text && value > 0 && value <= most;
}

static enum status set_stage(struct tap_request *request, const char *value, struct error *error)
{
    if (value[0] == '\0' || strlen(value) >= sizeof request->stage)
        return error_set(error, ERROR_FATAL, "stage: expected the name of a stage or store, or intake");
    snprintf(request->stage, sizeof request->stage, "%s", value);
    return STATUS_OK;
}

static enum status set_where(struct tap_request *request, const char *value, struct error *error)
{
    unsigned at = 0;
    const char *why = "out of memory";
    struct where *where = NULL;
    enum status status = where_parse(value, WHERE_ALLOW_PATHS, &where, &at, &why);
    if (status != STATUS_OK)
        return error_set(error, ERROR_FATAL, "where: %s, at \"%.40s\" (character %u)", why, value + at, at + 1);
    where_free(request->options.where);
    request->options.where = where;
    return STATUS_OK;
}

static enum status set_sample(struct tap_request *request, const char *value, struct error *error)
{
    const char *rest;
    uint64_t count;
    bool each = strncmp(value, "1/", 2) == 0 && value[2] != 's';
    if (parse_count(each ? value + 2 : value, UINT32_MAX, &count, &rest)) {
        if (each && *rest == '\0') {
            request->options.every = count;
            return STATUS_OK;
        }
        if (!each && strcmp(rest, "/s") == 0) {
            request->options.rate = (uint32_t)count;
            return STATUS_OK;
        }
    }
    return error_set(error, ERROR_FATAL,
                     "sample: expected 1/100 (each hundredth) or 5/s (five a second), found \"%.40s\"", value);
}

static enum status set_limit(struct tap_request *request, const char *value, struct error *error)
{
    const char *rest;
    uint64_t limit;
    if (!parse_count(value, UINT32_MAX, &limit, &rest) || *rest != '\0')
        return error_set(error, ERROR_FATAL, "limit: expected a number of records, found \"%.40s\"", value);
    request->limit = limit;
    return STATUS_OK;
}

static enum status set_span(struct tap_request *request, const char *value, struct error *error)
{
    int64_t span = 0;
    if (!units_duration(value, strlen(value), &span) || span == 0)
        return error_set(error, ERROR_FATAL, "for: expected a duration (30s, 5m), found \"%.40s\"", value);
    request->span = span;
    return STATUS_OK;
}

static enum status set_answer(struct tap_request *request, const char *value, struct error *error)
{
    static const enum tap_answer ANSWERS[] = {TAP_FORWARDED, TAP_STORED, TAP_DROPPED, TAP_REJECTED};
    unsigned answers = 0;
    for (const char *at = value;; at += strcspn(at, ",") + 1) {
        size_t size = strcspn(at, ",");
        unsigned found = 0;
        for (size_t i = 0; i < sizeof ANSWERS / sizeof ANSWERS[0]; i++) {
            const char *name = tap_answer_name(ANSWERS[i]);
            if (strlen(name) == size && memcmp(name, at, size) == 0)
                found = ANSWERS[i];
        }
        if (found == 0)
            return error_set(error, ERROR_FATAL,
                             "answer: expected forwarded, stored, dropped or rejected, found \"%.40s\"", at);
        answers |= found;
        if (at[size] == '\0')
            break;
    }
    request->options.answers = answers;
    return STATUS_OK;
}

enum status tap_request_set(struct tap_request *request, const char *name, const char *value, struct error *error)
{
    static const struct {
        const char *name;
        enum status (*set)(struct tap_request *request, const char *value, struct error *error);
    } ARGUMENTS[] = {
        {"stage", set_stage}, {"where", set_where}, {"sample", set_sample},
        {"limit", set_limit}, {"for", set_span},    {"answer", set_answer},
    };
    for (size_t i = 0; i < sizeof ARGUMENTS / sizeof ARGUMENTS[0]; i++) {
        if (strcmp(ARGUMENTS[i].name, name) == 0)
            return ARGUMENTS[i].set(request, value, error);
    }
    return error_set(error, ERROR_FATAL,
                     "there is no argument %.40s: expected stage, where, sample, limit, for or answer", name);
}
