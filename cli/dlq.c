/* `weir dlq list` and `weir dlq show`: look at the dead letters of a service. Both only read. */
#include "cli/dlq.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/letter_show.h"
#include "cli/letter_tally.h"
#include "cli/registry.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "processor/clock.h"
#include "processor/log.h"

#define TIMEOUT (10 * CLOCK_SECOND)

/* -- alike -- */

struct letter_filter dlq_filter(const struct command *command)
{
    return (struct letter_filter){.stage = command->values[OPTION_STAGE], .class = command->values[OPTION_CLASS]};
}

static const struct config *load(const struct command *command)
{
    struct config_report *report;
    const struct config *config = config_load(command->arguments[0], registry(), &report);
    if (config == NULL || config_report_errors(report) > 0)
        config_report_print(report, stderr, text_wants_colour(stderr));
    config_report_free(report);
    return config;
}

enum exit_code dlq_with_letters(const struct command *command, const char *what,
                                enum exit_code (*with)(const struct command *command,
                                                       const struct letter_reader *reader))
{
    const struct config *config = load(command);
    struct letter_reader reader;
    if (config == NULL)
        return EXIT_CONFIG;
    log_set(command_has(command, OPTION_VERBOSE) ? LOG_DEBUG : LOG_WARN, false);
    enum exit_code code = letter_reader_init(&reader, what, config, command_duration(command, OPTION_TIMEOUT, TIMEOUT));
    if (code == EXIT_OK)
        code = with(command, &reader);
    log_flush();
    letter_reader_fini(&reader);
    config_free(config);
    return code;
}

static enum exit_code read_found(const struct letter_reader *reader, const struct stretch_options *options,
                                 struct stretch *stretch, struct letter_filter *filter,
                                 bool (*visit)(const struct batch *batch, const struct record *record, void *arg),
                                 void *arg)
{
    if (options != NULL)
        stretch_options_apply(options, stretch);
    stretch->filter.time = letter_filter_time;
    stretch->filter.also = letter_filter_takes;
    stretch->filter.also_arg = filter;
    return letter_reader_read(reader, stretch, visit, arg);
}

enum exit_code dlq_read(const struct letter_reader *reader, const struct stretch_options *options,
                        struct letter_filter *filter,
                        bool (*visit)(const struct batch *batch, const struct record *record, void *arg), void *arg)
{
    struct stretch *stretch = NULL;
    struct stretch_request request = *stretch_options_request(options);
    request.anywhere = true;
    enum exit_code code = letter_reader_find(reader, &request, &stretch);
    if (code == EXIT_OK)
        code = read_found(reader, options, stretch, filter, visit, arg);
    stretch_free(stretch);
    return code;
}

/* NULL: said on stderr. */
static struct stretch_options *read_options(const struct command *command, const char *what)
{
    char message[512];
    struct stretch_options *options = stretch_options_read(command, clock_wall_ms(), message, sizeof message);
    if (options == NULL)
        fprintf(stderr, "weir %s: %s\n", what, message);
    return options;
}

/* -- list -- */

static bool count(const struct batch *batch, const struct record *record, void *arg)
{
    letter_tally_add(arg, batch, record);
    return true;
}

static enum exit_code list(const struct command *command, const struct letter_reader *reader)
{
    struct letter_filter filter = dlq_filter(command);
    struct letter_tally tally;
    struct stretch_options *options = read_options(command, reader->what);
    if (options == NULL)
        return EXIT_USAGE;
    letter_tally_init(&tally);
    enum exit_code code = dlq_read(reader, options, &filter, count, &tally);
    letter_tally_sort(&tally);
    tally.others = filter.counts.other;
    if (code == EXIT_OK && command_has(command, OPTION_JSON))
        letter_tally_json(&tally, reader->config->service, reader->topic, stdout);
    else if (code == EXIT_OK)
        letter_tally_table(&tally, command->arguments[0], reader->topic, text_wants_colour(stdout), stdout);
    letter_tally_fini(&tally);
    stretch_options_free(options);
    return code;
}

enum exit_code verb_dlq_list(const struct command *command)
{
    return dlq_with_letters(command, "dlq list", list);
}

/* -- show -- */

struct showing {
    const struct command *command;
    uint64_t found;
    /* --last: the one that is shown in the end, printed already. */
    char *text;
    size_t size;
    int64_t timestamp;
};

static void print(const struct command *command, const struct batch *batch, const struct record *record, FILE *out)
{
    if (command_has(command, OPTION_RAW) && record->value.size > 0)
        fwrite(record->value.data, 1, record->value.size, out);
    else if (command_has(command, OPTION_JSON))
        letter_show_json(batch, record, out);
    else if (!command_has(command, OPTION_RAW))
        letter_show(batch, record, command_has(command, OPTION_HEX), out);
}

static bool show_first(const struct batch *batch, const struct record *record, void *arg)
{
    struct showing *showing = arg;
    showing->found++;
    print(showing->command, batch, record, stdout);
    return false;
}

static bool keep_last(const struct batch *batch, const struct record *record, void *arg)
{
    struct showing *showing = arg;
    int64_t time = letter_filter_time(record);
    FILE *out;
    if (showing->found > 0 && time < showing->timestamp)
        return true;
    free(showing->text);
    showing->text = NULL;
    out = open_memstream(&showing->text, &showing->size);
    if (out == NULL)
        return false;
    print(showing->command, batch, record, out);
    showing->timestamp = time;
    showing->found++;
    return fclose(out) == 0;
}

static enum exit_code show_last(const struct command *command, const struct letter_reader *reader)
{
    struct letter_filter filter = dlq_filter(command);
    struct showing showing = {.command = command};
    struct stretch_options *options = read_options(command, reader->what);
    if (options == NULL)
        return EXIT_USAGE;
    enum exit_code code = dlq_read(reader, options, &filter, keep_last, &showing);
    if (code == EXIT_OK && showing.found > 0)
        fwrite(showing.text, 1, showing.size, stdout);
    if (code == EXIT_OK && showing.found == 0) {
        fprintf(stderr, "weir %s: %s has no such letter\n", reader->what, reader->topic);
        code = EXIT_FAILED;
    }
    free(showing.text);
    stretch_options_free(options);
    return code;
}

static bool read_whole(const char **text, int64_t most, int64_t *ret)
{
    char *end;
    *ret = strtoll(*text, &end, 10);
    bool good = **text >= '0' && **text <= '9' && *ret >= 0 && *ret < most;
    *text = end;
    return good;
}

/* "0@17", "orders.dlq/0@17" */
static bool read_place(const char *text, const char *topic, struct stretch_offset *ret)
{
    const char *slash = strrchr(text, '/');
    int64_t partition;
    if (slash != NULL && (strncmp(text, topic, strlen(topic)) != 0 || text + strlen(topic) != slash))
        return false;
    text = slash != NULL ? slash + 1 : text;
    *ret = (struct stretch_offset){.topic = topic};
    if (!read_whole(&text, INT32_MAX, &partition) || *text++ != '@' || !read_whole(&text, INT64_MAX, &ret->offset))
        return false;
    ret->partition = (int32_t)partition;
    return *text == '\0';
}

/* Leaves nothing but that record of the stretch. */
static void narrow(struct stretch *stretch, const struct stretch_offset *place)
{
    for (unsigned i = 0; i < stretch->count; i++) {
        struct stretch_part *part = &stretch->parts[i];
        bool here = part->partition == place->partition && part->first <= place->offset && place->offset < part->end;
        part->next = here ? place->offset : part->end;
        part->end = here ? place->offset + 1 : part->end;
    }
}

static enum exit_code show_one(const struct command *command, const struct letter_reader *reader)
{
    const struct stretch_request all = {.from = {.kind = STRETCH_BEGINNING}, .to = {.kind = STRETCH_NOW}};
    struct stretch_offset place;
    struct letter_filter filter = {0};
    struct showing showing = {.command = command};
    struct stretch *stretch = NULL;
    if (!read_place(command->arguments[1], reader->topic, &place)) {
        fprintf(stderr, "weir %s: expected PARTITION@OFFSET of %s, as `weir dlq list` tells it, not \"%s\"\n",
                reader->what, reader->topic, command->arguments[1]);
        return EXIT_USAGE;
    }
    enum exit_code code = letter_reader_find(reader, &all, &stretch);
    if (code == EXIT_OK) {
        narrow(stretch, &place);
        code = read_found(reader, NULL, stretch, &filter, show_first, &showing);
    }
    if (code == EXIT_OK && showing.found == 0) {
        fprintf(stderr,
                "weir %s: there is no record %s/%" PRId32 "@%" PRId64 "; `weir dlq list` tells where letters are\n",
                reader->what, reader->topic, place.partition, place.offset);
        code = EXIT_FAILED;
    }
    stretch_free(stretch);
    return code;
}

static enum exit_code show(const struct command *command, const struct letter_reader *reader)
{
    static const enum option_id OF_ONE[] = {OPTION_HEX,     OPTION_RAW,     OPTION_JSON,
                                            OPTION_TIMEOUT, OPTION_VERBOSE, OPTION_NONE};
    bool last = command_has(command, OPTION_LAST);
    const char *other = last ? NULL : command_besides(command, OF_ONE);
    if (last == (command->count == 2)) {
        fprintf(stderr, "weir %s: %s\n", reader->what,
                last ? "--last, or the place of a letter: not both" : "wants PARTITION@OFFSET, or --last");
        return EXIT_USAGE;
    }
    if (command_has(command, OPTION_RAW) && (command_has(command, OPTION_HEX) || command_has(command, OPTION_JSON))) {
        fprintf(stderr, "weir %s: --raw, --hex, --json: one of them\n", reader->what);
        return EXIT_USAGE;
    }
    if (other != NULL) {
        fprintf(stderr, "weir %s: --%s chooses among letters for --last: the place says which one\n", reader->what,
                other);
        return EXIT_USAGE;
    }
    return last ? show_last(command, reader) : show_one(command, reader);
}

enum exit_code verb_dlq_show(const struct command *command)
{
    return dlq_with_letters(command, "dlq show", show);
}
