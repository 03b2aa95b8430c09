#include <stdio.h>

#include "cli/command.h"

/* What was asked for may have got stuck in a full disk or a closed pipe: no success then. */
static enum exit_code close_output(enum exit_code code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    perror("weir: stdout");
    return code == EXIT_OK ? EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
    struct command command;
    char message[512];
    if (argc < 2) {
        command_help(NULL, stderr);
        return EXIT_USAGE;
    }
    if (!command_parse(argc, argv, &command, message, sizeof message)) {
        const char *verb = command.verb != NULL ? command.verb->name : "";
        fprintf(stderr, "weir%s%s: %s\n", verb[0] != '\0' ? " " : "", verb, message);
        fprintf(stderr, "See `weir help%s%s`.\n", verb[0] != '\0' ? " " : "", verb);
        return EXIT_USAGE;
    }
    if (command_has(&command, OPTION_HELP)) {
        command_help(command.verb, stdout);
        return close_output(EXIT_OK);
    }
    return close_output(command.verb->run(&command));
}
