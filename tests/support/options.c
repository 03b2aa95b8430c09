#include "tests/support/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTIONS_MAX = 32 };

_Noreturn static void refuse(const char *usage)
{
    fputs(usage, stderr);
    exit(64);
}

int options_parse(int argc, char **argv, const struct option_target *targets, const char *usage)
{
    struct option options[OPTIONS_MAX + 1] = {0};
    int which = 0;
    for (int i = 0; targets[i].name != NULL && i < OPTIONS_MAX; i++)
        options[i] = (struct option){targets[i].name, required_argument, NULL, 0};
    for (int answer; (answer = getopt_long(argc, argv, "", options, &which)) != -1;) {
        const struct option_target *target = &targets[which];
        char *end = "";
        if (answer != 0)
            refuse(usage);
        if (target->text != NULL)
            *target->text = optarg;
        else
            *target->number = strtoull(optarg, &end, 10);
        if (*optarg == '\0' || *end != '\0')
            refuse(usage);
    }
    return optind;
}
