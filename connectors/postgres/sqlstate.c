#include "connectors/postgres/sqlstate.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool in(const char *state, const char *const *classes)
{
    for (; *classes != NULL; classes++) {
        if (strncmp(state, *classes, strlen(*classes)) == 0)
            return true;
    }
    return false;
}

/*
 * What is neither listed here nor below is raised by somebody's trigger for a row (P0001, 23xxx, 22xxx, or any code of its own): the row is looked for, and
 * when every row of a flush fails so, every one has its dead letter.
 */
static const char *const transient[] = {
    "08", /* connection exceptions */
    "0B", /* invalid transaction initiation: a pooler's */
    "25", /* 25006: read-only, a standby after a failover; 25P02, 25P03: the transaction was ended by a time limit */
    "26", /* a prepared statement that is not there: a pooler's */
    "2D", /* invalid transaction termination */
    "40", /* serialization failures and deadlocks */
    "53", /* out of disk, memory or connections */
    "55", /* locks that were not to be had, objects in use */
    "57", /* cancelled by a time limit, shut down, starting up */
    "58", /* errors of the server's system */
    "72", /* snapshot too old */
    "XX", /* the server's own mistakes: nothing is lost by trying again, and the log says what it was */
    NULL,
};

static const char *const fatal[] = {
    "03",             /* the statement itself */
    "0A",             /* not supported: COPY into a table with row-level security */
    "0L", "0P", "28", /* roles and passwords: see postgres_connect for when they are not */
    "3D", "3F",       /* no such database or schema */
    "42",             /* no such table or column, no right to it, no index that fits the key */
    "F0",             /* the server's configuration */
    NULL,
};

enum error_class postgres_error_class(const char *state)
{
    if (state == NULL || state[0] == '\0' || in(state, transient))
        return ERROR_TRANSIENT;
    return in(state, fatal) ? ERROR_FATAL : ERROR_RECORD;
}

const char *postgres_reject_class(const char *state)
{
    static const char *const utf8[] = {"22021", "22P05", NULL}, *const size[] = {"22001", "54", NULL},
                             *const type[] = {"22", NULL};
    if (state == NULL)
        return "constraint";
    return in(state, utf8) ? "utf8" : in(state, size) ? "size" : in(state, type) ? "type" : "constraint";
}
