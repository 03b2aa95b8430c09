#include "processor/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what, int code)
{
    fprintf(stderr, "%s:%d: bug: %s%s%s\n", file, line, what, code != 0 ? ": " : "", code != 0 ? strerror(code) : "");
    abort();
}
