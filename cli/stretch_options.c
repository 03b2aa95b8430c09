#include "cli/stretch_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/stretch_time.h"
#include "config/units.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/where.h"

/* What is later than the window's end by more than this is not waited for, when nobody says. */
#define LATE_MS (60 * INT64_C(1000))
enum { PARTITIONS_MAX = 10000, NAME_SIZE_MAX = 64 };

struct bound_texts {
    char *text; /* the option's, in which the topics' names are ended */
    struct stretch_offset *offsets;
};

struct stretch_options {
    struct stretch_request request;
    struct bytes key;
    struct where *where;
    double rate, speed;
    int64_t max_records;
    struct bound_texts from, to;
    char *partition_text;
    struct stretch_partition *partitions;
};

/* Where the reading of one option is, and where to say what is wrong. */
struct reading {
    const struct command *command;
    char *message;
    size_t size;
};

static bool wrong(const struct reading *reading, const char *option, const struct cursor *cursor)
{
    snprintf(reading->message, reading->size, "--%s \"%s\": at position %d: expected %s, not %s%.20s%s", option,
             cursor->text, (int)(cursor->at - cursor->text) + 1, cursor->expected, *cursor->at != '\0' ? "\"" : "",
             *cursor->at != '\0' ? cursor->at : "the end", *cursor->at != '\0' ? "\"" : "");
    return false;
}

static const char NO_MEMORY[] = "less (out of memory)";

/* -- offsets and partitions -- */

/* What may stand before a partition: a topic's name. */
static size_t topic_size(const char *text)
{
    size_t size = strcspn(text, "/,@");
    return text[size] == '/' ? size : 0;
}

static bool read_topic(struct cursor *cursor, char *copy, const char **ret)
{
    size_t size = topic_size(cursor->at);
    *ret = NULL;
    if (size == 0)
        return *cursor->at != '/' || cursor_expected(cursor, "a topic's name");
    char *name = copy + (cursor->at - cursor->text);
    name[size] = '\0';
    *ret = name;
    cursor->at += size + 1;
    return true;
}

static bool read_partition(struct cursor *cursor, int32_t *ret)
{
    const char *begin = cursor->at;
    int64_t number;
    if (!cursor_whole(cursor, &number, "a partition's number"))
        return false;
    if (number > INT32_MAX) {
        cursor->at = begin;
        return cursor_expected(cursor, "a partition's number");
    }
    *ret = (int32_t)number;
    return true;
}

static bool is_same(const char *a, int32_t partition, const char *b, int32_t other)
{
    return partition == other && (a == b || (a != NULL && b != NULL && strcmp(a, b) == 0));
}

static bool read_offset(struct cursor *cursor, char *copy, struct stretch_bound *bound, struct stretch_offset *offset)
{
    const char *begin = cursor->at;
    if (!read_topic(cursor, copy, &offset->topic) || !read_partition(cursor, &offset->partition) ||
        !cursor_sign(cursor, '@', "\"@\" and an offset") || !cursor_whole(cursor, &offset->offset, "an offset"))
        return false;
    for (unsigned i = 0; i < bound->offset_count; i++) {
        const struct stretch_offset *other = &bound->offsets[i];
        if (is_same(offset->topic, offset->partition, other->topic, other->partition)) {
            cursor->at = begin;
            return cursor_expected(cursor, "each partition once");
        }
    }
    bound->offset_count++;
    return true;
}

static size_t count_items(const char *text)
{
    size_t count = 1;
    for (; *text != '\0'; text++)
        count += *text == ',';
    return count;
}

static bool read_offsets(struct cursor *cursor, struct stretch_bound *ret, struct bound_texts *texts)
{
    texts->text = strdup(cursor->text);
    texts->offsets = calloc(count_items(cursor->text), sizeof *texts->offsets);
    if (texts->text == NULL || texts->offsets == NULL)
        return cursor_expected(cursor, NO_MEMORY);
    *ret = (struct stretch_bound){.kind = STRETCH_OFFSETS, .offsets = texts->offsets};
    for (;;) {
        if (!read_offset(cursor, texts->text, ret, &texts->offsets[ret->offset_count]))
            return false;
        if (*cursor->at == '\0')
            return true;
        if (!cursor_sign(cursor, ',', "\",\" or the end"))
            return false;
    }
}

static bool add_partition(struct stretch_options *options, const char *topic, int32_t partition)
{
    struct stretch_request *request = &options->request;
    for (unsigned i = 0; i < request->partition_count; i++) {
        if (is_same(topic, partition, options->partitions[i].topic, options->partitions[i].partition))
            return true;
    }
    if (request->partition_count == PARTITIONS_MAX)
        return false;
    options->partitions[request->partition_count++] = (struct stretch_partition){topic, partition};
    return true;
}

/* "orders/3", "0", "2-5" */
static bool read_range(struct cursor *cursor, struct stretch_options *options)
{
    const char *topic, *begin;
    int32_t first = 0, last;
    if (!read_topic(cursor, options->partition_text, &topic))
        return false;
    begin = cursor->at;
    if (!read_partition(cursor, &first))
        return false;
    last = first;
    if (*cursor->at == '-') {
        cursor->at++;
        if (!read_partition(cursor, &last))
            return false;
    }
    if (last < first) {
        cursor->at = begin;
        return cursor_expected(cursor, "a range that ends behind where it begins");
    }
    for (int64_t i = first; i <= last; i++) {
        if (!add_partition(options, topic, (int32_t)i)) {
            cursor->at = begin;
            return cursor_expected(cursor, "no more than 10000 partitions");
        }
    }
    return true;
}

static bool read_partitions(struct stretch_options *options, const struct reading *reading)
{
    const char *text = reading->command->values[OPTION_PARTITIONS];
    if (text == NULL)
        return true;
    struct cursor cursor = cursor_at(text);
    options->partition_text = strdup(text);
    options->partitions = calloc(PARTITIONS_MAX, sizeof *options->partitions);
    options->request.partitions = options->partitions;
    bool good = options->partition_text != NULL && options->partitions != NULL;
    if (!good)
        (void)cursor_expected(&cursor, NO_MEMORY);
    while (good) {
        good = read_range(&cursor, options);
        if (!good || *cursor.at == '\0')
            break;
        good = cursor_sign(&cursor, ',', "\",\", \"-\" or the end");
    }
    return good || wrong(reading, "partitions", &cursor);
}

/* -- the two ends -- */

static bool read_bound(const struct reading *reading, const char *option, const char *text, int64_t now,
                       struct stretch_bound *ret, struct bound_texts *texts)
{
    struct cursor cursor = cursor_at(text);
    struct stretch_bound bound = {.kind = STRETCH_TIME};
    bool good = true;
    if (strcmp(text, "beginning") == 0)
        bound.kind = STRETCH_BEGINNING;
    else if (strcmp(text, "now") == 0)
        bound.kind = STRETCH_NOW;
    else if (strchr(text, '@') != NULL || topic_size(text) > 0)
        good = read_offsets(&cursor, &bound, texts);
    else if (text[0] == '-')
        good = bound.relative = stretch_time_ago(&cursor, &bound.ago);
    else
        good = stretch_time_read(&cursor, &bound.time);
    if (bound.relative)
        bound.time = now - bound.ago;
    if (good)
        *ret = bound;
    return good || wrong(reading, option, &cursor);
}

/* For one partition: a topic that is not named may be any. */
static bool is_offset_later(const struct stretch_offset *from, const struct stretch_offset *to)
{
    bool same = from->topic == NULL || to->topic == NULL || strcmp(from->topic, to->topic) == 0;
    return same && from->partition == to->partition && from->offset > to->offset;
}

/* As far as it can be told. Records may be from the future, so nothing is later than the log's end. named: the bounds are those of the first start, when a time before now
 * was an earlier one. */
static bool is_later(const struct stretch_bound *from, const struct stretch_bound *to, bool named)
{
    if (from->kind == STRETCH_NOW || to->kind == STRETCH_BEGINNING)
        return from->kind != to->kind;
    if (from->kind == STRETCH_TIME && to->kind == STRETCH_TIME)
        return from->time > to->time && (from->relative == to->relative || !named);
    for (unsigned i = 0; i < from->offset_count * to->offset_count; i++) {
        if (is_offset_later(&from->offsets[i / to->offset_count], &to->offsets[i % to->offset_count]))
            return true;
    }
    return false;
}

static bool read_bounds(struct stretch_options *options, int64_t now, const struct reading *reading)
{
    const char *from = reading->command->values[OPTION_FROM], *to = reading->command->values[OPTION_TO];
    struct stretch_request *request = &options->request;
    if (!read_bound(reading, "from", from != NULL ? from : "beginning", now, &request->from, &options->from) ||
        !read_bound(reading, "to", to != NULL ? to : "now", now, &request->to, &options->to))
        return false;
    if (!is_later(&request->from, &request->to, command_has(reading->command, OPTION_NAME)))
        return true;
    snprintf(reading->message, reading->size, "--from \"%s\" is later than --to \"%s\"",
             from != NULL ? from : "beginning", to != NULL ? to : "now");
    return false;
}

/* -- the rest -- */

static bool read_rate(struct stretch_options *options, const struct reading *reading)
{
    static const char EXPECTED[] = "records a second or a minute: \"5000/s\", \"5000/m\", or a number";
    const char *text = reading->command->values[OPTION_RATE];
    if (text == NULL)
        return true;
    struct cursor cursor = cursor_at(text);
    bool good = cursor_decimal(&cursor, &options->rate, EXPECTED);
    if (good && strcmp(cursor.at, "/m") == 0)
        options->rate /= 60;
    else if (good && *cursor.at != '\0' && strcmp(cursor.at, "/s") != 0)
        good = cursor_expected(&cursor, "\"/s\", \"/m\" or the end");
    return good || wrong(reading, "rate", &cursor);
}

static bool read_speed(struct stretch_options *options, const struct reading *reading)
{
    const char *text = reading->command->values[OPTION_SPEED];
    if (text == NULL)
        return true;
    struct cursor cursor = cursor_at(text);
    bool good = cursor_decimal(&cursor, &options->speed,
                               "how many times as fast as the records came: \"10x\", \"0.5x\"");
    if (good && *cursor.at == 'x')
        cursor.at++;
    good = good && cursor_end(&cursor, "\"x\" or the end");
    return good || wrong(reading, "speed", &cursor);
}

static bool read_late(struct stretch_options *options, const struct reading *reading)
{
    const char *text = reading->command->values[OPTION_LATE];
    int64_t ns;
    options->request.late = LATE_MS;
    if (text == NULL)
        return true;
    struct cursor cursor = cursor_at(text);
    if (!units_duration(text, strlen(text), &ns)) {
        (void)cursor_expected(&cursor, "a duration: \"0\", \"30s\", \"5m\"");
        return wrong(reading, "late", &cursor);
    }
    options->request.late = ns / CLOCK_MS;
    return true;
}

static bool is_name_sign(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

/* It becomes a part of the names of groups, transactions and rows. */
static bool read_name(struct stretch_options *options, const struct reading *reading)
{
    const char *text = reading->command->values[OPTION_NAME];
    options->request.progress = text;
    if (text == NULL)
        return true;
    struct cursor cursor = cursor_at(text);
    while (is_name_sign(*cursor.at))
        cursor.at++;
    if (*cursor.at != '\0' || cursor.at == text)
        (void)cursor_expected(&cursor, "letters, digits, \"-\", \"_\" and \".\"");
    else if (cursor.at - text > NAME_SIZE_MAX)
        (void)cursor_expected(&cursor, "at most 64 letters");
    return cursor.expected == NULL || wrong(reading, "name", &cursor);
}

static bool read_where(struct stretch_options *options, const struct reading *reading)
{
    static const char EXPECTED[] = "expected "; /* which `wrong` says for all */
    const char *text = reading->command->values[OPTION_WHERE];
    unsigned at = 0;
    struct cursor cursor;
    if (text == NULL)
        return true;
    cursor = cursor_at(text);
    cursor.expected = NO_MEMORY;
    /* Records are looked at before anything is decoded. */
    enum status status = where_parse(text, 0, &options->where, &at, &cursor.expected);
    cursor.at += at;
    if (strncmp(cursor.expected, EXPECTED, strlen(EXPECTED)) == 0)
        cursor.expected += strlen(EXPECTED);
    return status == STATUS_OK || wrong(reading, "where", &cursor);
}

static void read_plain(struct stretch_options *options, const struct command *command)
{
    const char *key = command->values[OPTION_KEY], *most = command->values[OPTION_MAX_RECORDS];
    if (key != NULL)
        options->key = bytes_of_string(key);
    if (most != NULL)
        options->max_records = strtoll(most, NULL, 10);
}

struct stretch_options *stretch_options_read(const struct command *command, int64_t now, char *message, size_t size)
{
    const struct reading reading = {.command = command, .message = message, .size = size};
    struct stretch_options *options = calloc(1, sizeof *options);
    if (options == NULL) {
        snprintf(message, size, "out of memory");
        return NULL;
    }
    read_plain(options, command);
    if (read_bounds(options, now, &reading) && read_partitions(options, &reading) && read_rate(options, &reading) &&
        read_speed(options, &reading) && read_late(options, &reading) && read_name(options, &reading) &&
        read_where(options, &reading))
        return options;
    stretch_options_free(options);
    return NULL;
}

void stretch_options_free(struct stretch_options *options)
{
    if (options == NULL)
        return;
    where_free(options->where);
    free(options->from.text);
    free(options->from.offsets);
    free(options->to.text);
    free(options->to.offsets);
    free(options->partition_text);
    free(options->partitions);
    free(options);
}

const struct stretch_request *stretch_options_request(const struct stretch_options *options)
{
    return &options->request;
}

void stretch_options_apply(const struct stretch_options *options, struct stretch *stretch)
{
    stretch->filter.key = options->key;
    stretch->filter.where = options->where;
    stretch->max_records = options->max_records;
    stretch->rate = options->rate;
    stretch->speed = options->speed;
}
