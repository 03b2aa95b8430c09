#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "config/units.h"

enum { NAMES_MAX = 16 };

const struct verb *command_find(const char *name)
{
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

/* -- what is wrong -- */

static const char *nearest_verb(const char *name)
{
    const char *names[NAMES_MAX + 1];
    unsigned count = 0;
    for (const struct verb *verb = command_verbs; verb->name != NULL && count < NAMES_MAX; verb++)
        names[count++] = verb->name;
    names[count] = NULL;
    return config_nearest(name, names);
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
    const char *near = nearest_verb(name);
    if (near != NULL)
        snprintf(message, size, "there is no verb \"%s\"; did you mean \"%s\"?", name, near);
    else
        snprintf(message, size, "there is no verb \"%s\"", name);
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
    if (option->choices == NULL)
        return true;
    int used = snprintf(message, size, "--%s takes ", option->name);
    for (const char *const *choice = option->choices; *choice != NULL; choice++) {
        if (strcmp(*choice, value) == 0)
            return true;
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

bool command_parse(int argc, char **argv, struct command *ret, char *message, size_t size)
{
    *ret = (struct command){0};
    if (argc < 2) {
        snprintf(message, size, "a verb is missing");
        return false;
    }
    ret->verb = command_find(verb_name(argv[1]));
    if (ret->verb == NULL)
        return unknown_verb(argv[1], message, size);
    char **next = argv + 2, **kept = next;
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
