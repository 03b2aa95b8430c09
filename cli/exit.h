/* Exit codes, as sysexits(3) numbers them where it has a number. Scripts and orchestrators decide by these: they do not change. */
#ifndef WEIR_CLI_EXIT_H
#define WEIR_CLI_EXIT_H

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 64,
    EXIT_UNAVAILABLE = 69, /* the other side, or the admin port, can't be had: trying again later may help */
    EXIT_INTERNAL = 70,
    EXIT_NOT_DRAINED = 75, /* stopped with records in flight: they are consumed again */
    EXIT_CONFIG = 78,
};

#endif
