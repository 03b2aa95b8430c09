#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "config/units.h"

enum { NAMES_MAX = 48, NAME_MAX_SIZE = 32 };

const struct verb *command_find(const char *name)
{
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

int64_t command_duration(const struct command *command, enum option_id id, int64_t otherwise)
{
    const char *text = command->values[id];
    /* It was looked at when it was parsed. */
    if (text != NULL)
        (void)units_duration(text, strlen(text), &otherwise);
    return otherwise;
}

const char *command_besides(const struct command *command, const enum option_id *these)
{
    for (const struct option *option = command->verb->options; option->id != OPTION_NONE; option++) {
        const enum option_id *at = these;
        while (*at != OPTION_NONE && *at != option->id)
            at++;
        if (*at == OPTION_NONE && command_has(command, option->id))
            return option->name;
    }
    return NULL;
}

/* -- verbs of two words -- */

size_t verb_word(const struct verb *verb)
{
    return strcspn(verb->name, " ");
}

const char *verb_second_word(const struct verb *verb)
{
    const char *behind = verb->name + verb_word(verb);
    return *behind != '\0' ? behind + 1 : NULL;
}

static bool has_word(const struct verb *verb, const char *word, size_t size)
{
    return verb_word(verb) == size && strncmp(verb->name, word, size) == 0;
}

bool verb_is_first_of_word(const struct verb *verb)
{
    return verb == command_verbs || !has_word(verb - 1, verb->name, verb_word(verb));
}

const struct verb *command_next_of(const char *word, const struct verb *from)
{
    for (const struct verb *verb = from != NULL ? from + 1 : command_verbs; verb->name != NULL; verb++) {
        if (has_word(verb, word, strlen(word)) && verb_second_word(verb) != NULL)
            return verb;
    }
    return NULL;
}

/* -- what is wrong -- */

/* word NULL: of all first words; else of the second ones that go with it. text: where the answer may stand. */
static const char *nearest_verb(const char *name, const char *word, char text[NAME_MAX_SIZE])
{
    char words[NAMES_MAX][NAME_MAX_SIZE];
    const char *names[NAMES_MAX + 1];
    unsigned count = 0;
    for (const struct verb *verb = command_verbs; verb->name != NULL && count < NAMES_MAX; verb++) {
        const char *second = verb_second_word(verb);
        if (word == NULL)
            snprintf(words[count], NAME_MAX_SIZE, "%.*s", (int)verb_word(verb), verb->name);
        else if (second != NULL && has_word(verb, word, strlen(word)))
            snprintf(words[count], NAME_MAX_SIZE, "%s", second);
        else
            continue;
        names[count] = words[count];
        count++;
    }
    names[count] = NULL;
    const char *near = config_nearest(name, names);
    if (near != NULL)
        memmove(text, near, strlen(near) + 1);
    return near != NULL ? text : NULL;
}

static const char *nearest_option(const struct verb *verb, const char *name)
{
    const char *names[NAMES_MAX + 1];
    unsigned count = 0;
    for (const struct option *option = verb->options; option->id != OPTION_NONE && count < NAMES_MAX; option++)
        names[count++] = option->name;
    names[count] = NULL;
    return config_nearest(name, names);
}

static bool unknown_verb(const char *name, char *message, size_t size)
{
    char text[NAME_MAX_SIZE];
    const char *near = nearest_verb(name, NULL, text);
    if (near != NULL)
        snprintf(message, size, "there is no verb \"%s\"; did you mean \"%s\"?", name, near);
    else
        snprintf(message, size, "there is no verb \"%s\"", name);
    return false;
}

/* Of a verb of two words the second is missing (NULL), or there is no such. */
static bool unknown_second(const char *word, const char *second, char *message, size_t size)
{
    char text[NAME_MAX_SIZE];
    const char *near = second != NULL ? nearest_verb(second, word, text) : NULL;
    if (near != NULL) {
        snprintf(message, size, "there is no verb \"%s %s\"; did you mean \"%s %s\"?", word, second, word, near);
        return false;
    }
    int used = snprintf(message, size, "%s wants one of ", word);
    for (const struct verb *verb = NULL; (verb = command_next_of(word, verb)) != NULL;) {
        if (used >= 0 && (size_t)used < size)
            used += snprintf(message + used, size - (size_t)used, "%s%s",
                             verb == command_next_of(word, NULL) ? "" : " | ", verb_second_word(verb));
    }
    if (second != NULL && used >= 0 && (size_t)used < size)
        snprintf(message + used, size - (size_t)used, ", not \"%s\"", second);
    return false;
}

static bool unknown_option(const struct verb *verb, const char *text, const char *name, char *message, size_t size)
{
    const char *near = nearest_option(verb, name);
    if (near != NULL)
        snprintf(message, size, "there is no option %s; did you mean --%s?", text, near);
    else
        snprintf(message, size, "there is no option %s", text);
    return false;
}

/* -- options -- */

static bool is_number(const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value > 0;
}

static bool is_duration(const char *text)
{
    int64_t value;
    return units_duration(text, strlen(text), &value) && value > 0;
}

static bool is_one_of(const char *const *choices, const char *value, size_t size)
{
    for (; *choices != NULL; choices++) {
        if (strlen(*choices) == size && memcmp(*choices, value, size) == 0)
            return true;
    }
    return false;
}

static bool is_choice(const struct option *option, const char *value)
{
    size_t size = option->several ? strcspn(value, ",") : strlen(value);
    while (is_one_of(option->choices, value, size)) {
        value += size;
        if (*value++ == '\0')
            return true;
        size = strcspn(value, ",");
    }
    return false;
}

static bool check_value(const struct option *option, const char *value, char *message, size_t size)
{
    if (option->number && !is_number(value)) {
        snprintf(message, size, "--%s takes a whole number from 1 on, not \"%s\"", option->name, value);
        return false;
    }
    if (option->duration && !is_duration(value)) {
        snprintf(message, size, "--%s takes a duration (500ms, 10s, 1m), not \"%s\"", option->name, value);
        return false;
    }
    if (option->choices == NULL || is_choice(option, value))
        return true;
    int used = snprintf(message, size, "--%s takes ", option->name);
    for (const char *const *choice = option->choices; *choice != NULL; choice++) {
        if (used >= 0 && (size_t)used < size)
            used += snprintf(message + used, size - (size_t)used, "%s%s", choice == option->choices ? "" : " | ",
                             *choice);
    }
    if (used >= 0 && (size_t)used < size)
        snprintf(message + used, size - (size_t)used, ", not \"%s\"", value);
    return false;
}

/* value NULL: none was given with the option; *next is then the next word, and taken by an option that wants one. */
static bool take_option(struct command *ret, const struct option *option, const char *value, char ***next,
                        char *message, size_t size)
{
    if (option->value == NULL) {
        if (value != NULL) {
            snprintf(message, size, "--%s takes no value", option->name);
            return false;
        }
        ret->values[option->id] = "";
        return true;
    }
    if (value == NULL && **next != NULL)
        value = *(*next)++;
    if (value == NULL) {
        snprintf(message, size, "--%s wants %s", option->name, option->value);
        return false;
    }
    ret->values[option->id] = value;
    return check_value(option, value, message, size);
}

static bool take_long(struct command *ret, char *text, char ***next, char *message, size_t size)
{
    const char *name = text + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    for (const struct option *option = ret->verb->options; option->id != OPTION_NONE; option++) {
        if (strncmp(option->name, name, length) == 0 && option->name[length] == '\0')
            return take_option(ret, option, equals != NULL ? equals + 1 : NULL, next, message, size);
    }
    if (equals != NULL)
        text[equals - text] = '\0';
    return unknown_option(ret->verb, text, name, message, size);
}

/* -v, -qv, -n5 and -n 5 */
static bool take_letters(struct command *ret, char *text, char ***next, char *message, size_t size)
{
    for (char *letter = text + 1; *letter != '\0'; letter++) {
        const struct option *option = ret->verb->options;
        while (option->id != OPTION_NONE && option->letter != *letter)
            option++;
        if (option->id == OPTION_NONE)
            return unknown_option(ret->verb, text, text + 1, message, size);
        const char *value = option->value != NULL && letter[1] != '\0' ? letter + 1 : NULL;
        if (!take_option(ret, option, value, next, message, size))
            return false;
        if (value != NULL)
            return true;
    }
    return true;
}

/* -- the whole line -- */

static bool check_count(const struct command *command, char *message, size_t size)
{
    const struct verb *verb = command->verb;
    if (command_has(command, OPTION_HELP) || (command->count >= verb->least && command->count <= verb->most))
        return true;
    if (command->count < verb->least)
        snprintf(message, size, "wants %s", verb->arguments);
    else if (verb->most == 0)
        snprintf(message, size, "takes no argument, not \"%s\"", command->arguments[0]);
    else
        snprintf(message, size, "takes %s only: \"%s\" is too much", verb->arguments, command->arguments[verb->most]);
    return false;
}

static const char *verb_name(const char *text)
{
    if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)
        return "help";
    if (strcmp(text, "--version") == 0 || strcmp(text, "-V") == 0)
        return "version";
    return text;
}

/* *next: at the verb, and then behind it. `weir dlq --help` is `weir help dlq`. */
static bool take_verb(struct command *ret, char ***next, char *message, size_t size)
{
    const char *word = *(*next)++, *second = **next;
    char name[NAME_MAX_SIZE];
    ret->verb = command_find(verb_name(word));
    if (ret->verb != NULL)
        return true;
    if (command_next_of(word, NULL) == NULL)
        return unknown_verb(word, message, size);
    if (second != NULL && strcmp(verb_name(second), "help") == 0) {
        ret->verb = command_find("help");
        *(*next)-- = (char *)"--";
        return true;
    }
    if (second == NULL || second[0] == '-')
        return unknown_second(word, NULL, message, size);
    snprintf(name, sizeof name, "%s %s", word, second);
    ret->verb = command_find(name);
    if (ret->verb == NULL)
        return unknown_second(word, second, message, size);
    (*next)++;
    return true;
}

bool command_parse(int argc, char **argv, struct command *ret, char *message, size_t size)
{
    *ret = (struct command){0};
    if (argc < 2) {
        snprintf(message, size, "a verb is missing");
        return false;
    }
    char **next = argv + 1;
    if (!take_verb(ret, &next, message, size))
        return false;
    char **kept = next;
    ret->arguments = kept;
    bool options = true;
    while (*next != NULL) {
        char *text = *next++;
        bool good = true;
        if (!options || text[0] != '-' || text[1] == '\0')
            *kept++ = text;
        else if (strcmp(text, "--") == 0)
            options = false;
        else if (text[1] == '-')
            good = take_long(ret, text, &next, message, size);
        else
            good = take_letters(ret, text, &next, message, size);
        if (!good)
            return false;
    }
    ret->count = (unsigned)(kept - ret->arguments);
    return check_count(ret, message, size);
}
