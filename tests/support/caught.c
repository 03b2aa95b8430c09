#include "tests/support/caught.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "processor/log.h"

void caught_begin(struct caught *caught)
{
    log_flush();
    caught->file = tmpfile();
    caught->before = dup(STDERR_FILENO);
    assert_true(caught->file != NULL && caught->before >= 0);
    assert_true(dup2(fileno(caught->file), STDERR_FILENO) >= 0);
}

void caught_end(struct caught *caught)
{
    log_flush();
    assert_true(dup2(caught->before, STDERR_FILENO) >= 0);
    close(caught->before);
    rewind(caught->file);
    caught->text[fread(caught->text, 1, sizeof caught->text - 1, caught->file)] = '\0';
    fclose(caught->file);
}
