/*
 * /tap: an answer that goes on until the limit, the time or the service ends, or the client goes. Lines come out of the tap's ring when the library asks for
 * more; when there are none it is told to leave the connection alone, and tapping_tick looks every TICK whether there are. So no worker ever wakes this thread.
 *
 * Every REPORT a line tells the counts, which also finds out whether the client is still there:
 *
 *     {"tap":{"passed":1000,"unlooked":0,"matched":10,"over_rate":0,"dropped":0,"shown":10}}
 *
 * and so does the last one, with "end": limit, time or stopping. A client that takes nothing for config.max_age is cut. What it holds until then is the tap's
 * ring and a small socket buffer.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "admin/state.h"
#include "admin/tap_request.h"
#include "processor/check.h"
#include "processor/log.h"
#include "processor/where.h"

#define TICK (50 * CLOCK_MS)
#define REPORT (500 * CLOCK_MS)
/* When nobody says how long. */
#define SPAN (600 * CLOCK_SECOND)
enum { BLOCK = 4 * 1024, SEND_BUFFER = 32 * 1024 };

struct tapping {
    struct admin *admin;
    struct connection *connection; /* NULL: gone */
    struct MHD_Connection *handle;
    struct tap *tap;
    char stage[64];
    uint64_t limit, shown;
    int64_t end_at, report_at;
    int64_t asked_at; /* when the library wanted more, or was left alone */
    const char *end;  /* why; NULL: it goes on */
    bool suspended, said_end;
    size_t size, sent; /* of text */
    char text[2 * TAP_LINE_MAX];
    struct tapping *next;
};

/* -- what is sent -- */

static size_t write_report(const struct tapping *tapping, char *out, size_t room)
{
    struct tap_counts counts;
    tap_get_counts(tapping->tap, &counts);
    int used = snprintf(out, room, "{");
    if (tapping->end != NULL)
        used += snprintf(out + used, room - (size_t)used, "\"end\":\"%s\",", tapping->end);
    used += snprintf(out + used, room - (size_t)used,
                     "\"tap\":{\"passed\":%" PRIu64 ",\"unlooked\":%" PRIu64 ",\"matched\":%" PRIu64
                     ",\"over_rate\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"shown\":%" PRIu64 "}}\n",
                     counts.passed, counts.unlooked, counts.matched, counts.over_rate, counts.dropped, tapping->shown);
    return (size_t)used;
}

static void look_for_end(struct tapping *tapping, int64_t now)
{
    struct tap_counts counts;
    if (tapping->end != NULL)
        return;
    if (tapping->shown >= tapping->limit)
        tapping->end = "limit";
    else if (now >= tapping->end_at)
        tapping->end = "time";
    else if (atomic_load(&tapping->admin->stopping))
        tapping->end = "stopping";
    if (tapping->end == NULL)
        return;
    /* What is in the ring by now is still shown. */
    tap_get_counts(tapping->tap, &counts);
    tapping->limit = counts.taken < tapping->limit ? counts.taken : tapping->limit;
}

/* The next lines into text. */
static void fill(struct tapping *tapping, int64_t now)
{
    uint64_t lines = 0;
    tapping->sent = 0;
    tapping->size = 0;
    if (tapping->said_end)
        return;
    look_for_end(tapping, now);
    bool more = tapping->end != NULL && tapping->shown < tapping->limit;
    if (more || (tapping->end == NULL && now < tapping->report_at)) {
        tapping->size = tap_read(tapping->tap, tapping->text, sizeof tapping->text, tapping->limit - tapping->shown,
                                 &lines);
        tapping->shown += lines;
        /* One that a worker has not finished yet comes later; at the end nobody waits for it. */
        if (lines > 0 || !more)
            return;
    }
    tapping->said_end = tapping->end != NULL;
    tapping->report_at = now + REPORT;
    tapping->size = write_report(tapping, tapping->text, sizeof tapping->text);
}

/* MHD_ContentReaderCallback. */
static ssize_t read_more(void *arg, uint64_t position, char *out, size_t room)
{
    struct tapping *tapping = arg;
    (void)position;
    tapping->asked_at = clock_now();
    if (tapping->sent == tapping->size)
        fill(tapping, tapping->asked_at);
    if (tapping->size == 0 && tapping->said_end)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (tapping->size == 0) {
        tapping->suspended = true;
        MHD_suspend_connection(tapping->handle);
        return 0;
    }
    size_t left = tapping->size - tapping->sent, size = left < room ? left : room;
    memcpy(out, tapping->text + tapping->sent, size);
    tapping->sent += size;
    return (ssize_t)size;
}

/* -- time -- */

static void resume(struct tapping *tapping)
{
    if (!tapping->suspended)
        return;
    tapping->suspended = false;
    tapping->asked_at = clock_now();
    MHD_resume_connection(tapping->handle);
}

void tapping_tick(struct admin *admin)
{
    int64_t now = clock_now();
    for (struct tapping *tapping = admin->tappings; tapping != NULL; tapping = tapping->next) {
        bool gone = tapping->connection == NULL || tapping->connection->cut;
        if (gone || !tap_is_empty(tapping->tap) || now >= tapping->report_at || now >= tapping->end_at)
            resume(tapping);
        if (!gone && !tapping->suspended && now - tapping->asked_at >= admin->config.max_age) {
            log_warn("tap", "who taps %s reads nothing: cut off", tapping->stage);
            connection_cut(admin, tapping->connection);
        }
    }
}

int64_t tapping_wait(const struct admin *admin)
{
    return admin->tappings != NULL ? TICK : CLOCK_NEVER;
}

void tapping_end_all(struct admin *admin)
{
    for (struct tapping *tapping = admin->tappings; tapping != NULL; tapping = tapping->next)
        resume(tapping);
}

void tapping_closed(struct tapping *tapping)
{
    tapping->connection = NULL;
}

/* -- beginning and end -- */

/* MHD_ContentReaderFreeCallback. */
static void tapping_free(void *arg)
{
    struct tapping *tapping = arg;
    struct tap_counts counts;
    struct tapping **at = &tapping->admin->tappings;
    while (*at != tapping)
        at = &(*at)->next;
    *at = tapping->next;
    if (tapping->connection != NULL)
        tapping->connection->tapping = NULL;
    tap_get_counts(tapping->tap, &counts);
    log_info("tap", "%s: no longer tapped: %" PRIu64 " of %" PRIu64 " records shown, %" PRIu64 " dropped",
             tapping->stage, tapping->shown, counts.passed, counts.dropped);
    tap_close(tapping->tap);
    free(tapping);
}

static struct connection *connection_of(struct MHD_Connection *handle)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static struct tapping *begin(struct admin *admin, struct MHD_Connection *handle, struct connection *connection,
                             const struct tap_request *request, struct tap *tap)
{
    struct tapping *tapping = calloc(1, sizeof *tapping);
    if (tapping == NULL)
        return NULL;
    const int size = SEND_BUFFER;
    int64_t now = clock_now(), span = request->span > 0 ? request->span : SPAN;
    *tapping = (struct tapping){
        .admin = admin,
        .connection = connection,
        .handle = handle,
        .tap = tap,
        .limit = request->limit,
        .end_at = now + (span < ADMIN_TAP_MAX ? span : ADMIN_TAP_MAX),
        .report_at = now, /* the first line says at once that it works */
        .asked_at = now,
        .next = admin->tappings,
    };
    snprintf(tapping->stage, sizeof tapping->stage, "%s", request->stage);
    (void)setsockopt(connection->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    connection->tapping = tapping;
    admin->tappings = tapping;
    return tapping;
}

static enum MHD_Result stream(struct MHD_Connection *handle, struct tapping *tapping)
{
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_more, tapping,
                                                                      tapping_free);
    if (response == NULL) {
        tapping_free(tapping);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/x-ndjson");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(handle, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* -- may it be, and what is asked -- */

/*
 * Against DNS rebinding: a page from elsewhere, in a browser on this machine, may have had its name changed to mean 127.0.0.1, and would then be let read the
 * answer. The browser still says that name; who means this machine says localhost or an address.
 */
static bool is_host_local(const char *host)
{
    char name[64];
    struct in6_addr address;
    bool brackets = host[0] == '[';
    size_t size = strcspn(host + brackets, brackets ? "]" : ":");
    if (size >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)size, host + brackets);
    return strcmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &address) == 1 ||
           inet_pton(AF_INET6, name, &address) == 1;
}

bool tapping_may_come_from_elsewhere(const struct admin *admin, struct MHD_Connection *handle)
{
    const char *host = MHD_lookup_connection_value(handle, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return admin->loopback && host != NULL && !is_host_local(host);
}

static const char *forbidden(const struct admin *admin, struct MHD_Connection *handle)
{
    if (admin->config.taps == NULL || !admin->config.show_records)
        return "tapping is not allowed: it shows records to whoever reaches this port; `admin: {tap: always}` allows "
               "it\n";
    if (tapping_may_come_from_elsewhere(admin, handle))
        return "the Host of a request to tap must be localhost or an address\n";
    return NULL;
}

struct arguments {
    struct tap_request request;
    struct error error;
};

static enum MHD_Result take_argument(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct arguments *arguments = arg;
    (void)kind;
    enum status status = tap_request_set(&arguments->request, name, value != NULL ? value : "", &arguments->error);
    return status == STATUS_OK ? MHD_YES : MHD_NO;
}

static enum MHD_Result refuse(struct MHD_Connection *handle, unsigned code, const char *why)
{
    char text[ERROR_TEXT_MAX + 1];
    snprintf(text, sizeof text, "%s\n", why);
    return pages_text(handle, code, text);
}

static enum MHD_Result open_and_stream(struct admin *admin, struct MHD_Connection *handle, struct arguments *arguments)
{
    struct tap_request *request = &arguments->request;
    struct connection *connection = connection_of(handle);
    struct tap *tap;
    if (connection == NULL)
        return MHD_NO;
    if (request->options.where != NULL && where_has_paths(request->options.where) &&
        !taps_have_documents(admin->config.taps, request->stage))
        return refuse(handle, MHD_HTTP_BAD_REQUEST,
                      "where: records have no document yet at the intake: expected header.NAME or key");
    const struct tap_options options = request->options;
    request->options.where = NULL;
    enum status status = tap_open(admin->config.taps, request->stage, &options, &tap, &arguments->error);
    if (status == STATUS_FULL)
        return refuse(handle, MHD_HTTP_SERVICE_UNAVAILABLE, "as many taps as there can be are open");
    if (status != STATUS_OK)
        return status == STATUS_FAILED ? refuse(handle, MHD_HTTP_NOT_FOUND, arguments->error.text)
                                       : refuse(handle, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    struct tapping *tapping = begin(admin, handle, connection, request, tap);
    if (tapping == NULL) {
        tap_close(tap);
        return refuse(handle, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    }
    log_info("tap", "%s: tapped", request->stage);
    return stream(handle, tapping);
}

enum MHD_Result tapping_get(struct admin *admin, struct MHD_Connection *handle)
{
    struct arguments arguments;
    const char *why = forbidden(admin, handle);
    if (why != NULL)
        return pages_text(handle, MHD_HTTP_FORBIDDEN, why);
    arguments.error = (struct error){0};
    tap_request_init(&arguments.request);
    (void)MHD_get_connection_values(handle, MHD_GET_ARGUMENT_KIND, take_argument, &arguments);
    if (arguments.error.class == ERROR_NONE && arguments.request.stage[0] == '\0')
        (void)error_set(&arguments.error, ERROR_FATAL, "expected stage=NAME: a stage, a store, or intake");
    enum MHD_Result result = arguments.error.class != ERROR_NONE
                                 ? refuse(handle, MHD_HTTP_BAD_REQUEST, arguments.error.text)
                                 : open_and_stream(admin, handle, &arguments);
    tap_request_fini(&arguments.request);
    return result;
}
