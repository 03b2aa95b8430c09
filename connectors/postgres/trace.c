/*
 * libpq 15 keeps two things to itself: the key by which a statement is cancelled (PQcancel has it, and blocks), and the SQLSTATE by which the server refused
 * a connection. Both are in what PQtrace writes while connecting, one message a line:
 *
 *     B <TAB> 12 <TAB> BackendKeyData <TAB> " 17048 -542638049"
 *     B <TAB> 89 <TAB> ErrorResponse <TAB> " S "FATAL" V "FATAL" C "3D000" M ..."
 *
 * Nothing else is kept of it, and tracing ends before the first statement.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/connection.h"

enum { LINE_MAX_BYTES = 200 };

struct postgres_trace {
    FILE *file;
    struct postgres_backend *backend;
    char *state;
    char line[LINE_MAX_BYTES + 1];
    size_t size;
};

static void look_at(struct postgres_trace *trace)
{
    static const char key_name[] = "\tBackendKeyData\t", refusal_name[] = "\tErrorResponse\t";
    trace->line[trace->size] = '\0';
    const char *key = strstr(trace->line, key_name), *refusal = strstr(trace->line, refusal_name);
    if (key != NULL) {
        char *end;
        long pid = strtol(key + sizeof key_name - 1, &end, 10), secret = strtol(end, NULL, 10);
        *trace->backend = (struct postgres_backend){.pid = (int32_t)pid, .secret = (int32_t)secret, .known = pid != 0};
    }
    const char *code = refusal != NULL ? strstr(refusal, " C \"") : NULL;
    if (code != NULL && strlen(code) > 9)
        snprintf(trace->state, 6, "%.5s", code + 4);
}

static ssize_t take(void *cookie, const char *data, size_t size)
{
    struct postgres_trace *trace = cookie;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            look_at(trace);
            trace->size = 0;
        } else if (trace->size < LINE_MAX_BYTES) {
            trace->line[trace->size++] = data[i];
        }
    }
    return (ssize_t)size;
}

struct postgres_trace *postgres_trace_start(PGconn *pg, struct postgres_backend *backend, char state[6])
{
    struct postgres_trace *trace = calloc(1, sizeof *trace);
    if (trace == NULL)
        return NULL;
    *backend = (struct postgres_backend){0};
    state[0] = '\0';
    trace->backend = backend;
    trace->state = state;
    trace->file = fopencookie(trace, "w", (cookie_io_functions_t){.write = take});
    if (trace->file == NULL) {
        free(trace);
        return NULL;
    }
    /* Of what went through nothing stays in a buffer of stdio's. */
    (void)setvbuf(trace->file, NULL, _IONBF, 0);
    PQtrace(pg, trace->file);
    PQsetTraceFlags(pg, PQTRACE_SUPPRESS_TIMESTAMPS);
    return trace;
}

void postgres_trace_stop(PGconn *pg, struct postgres_trace *trace)
{
    if (trace == NULL)
        return;
    PQuntrace(pg);
    (void)fclose(trace->file);
    explicit_bzero(trace->line, sizeof trace->line);
    free(trace);
}
