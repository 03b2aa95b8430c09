/*
 * The key by which a statement is cancelled is libpq's own secret up to version 16: PQcancel has it, and blocks. It is in what PQtrace writes while connecting, one message
 * a line:
 *
 *     B <TAB> 12 <TAB> BackendKeyData <TAB> " 17048 -542638049"
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
    char line[LINE_MAX_BYTES + 1];
    size_t size;
};

static void look_at(struct postgres_trace *trace)
{
    static const char name[] = "\tBackendKeyData\t";
    trace->line[trace->size] = '\0';
    const char *key = strstr(trace->line, name);
    if (key == NULL)
        return;
    char *end;
    long pid = strtol(key + sizeof name - 1, &end, 10), secret = strtol(end, NULL, 10);
    *trace->backend = (struct postgres_backend){.pid = (int32_t)pid, .secret = (int32_t)secret, .known = pid != 0};
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

struct postgres_trace *postgres_trace_start(PGconn *pg, struct postgres_backend *backend)
{
    struct postgres_trace *trace = calloc(1, sizeof *trace);
    if (trace == NULL)
        return NULL;
    *backend = (struct postgres_backend){0};
    trace->backend = backend;
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
