#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/prometheus.h"
#include "admin/state.h"
#include "admin/snapshot.h"
#include "processor/health.h"
#include "processor/metrics.h"

enum { WHY_MAX = 4096 };

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *type, char *body,
                              size_t size, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(size, body, mode);
    if (response == NULL) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result pages_text(struct MHD_Connection *connection, unsigned code, const char *text)
{
    return answer(connection, code, "text/plain; charset=utf-8", (char *)text, strlen(text), MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result get_healthz(struct admin *admin, struct MHD_Connection *connection)
{
    int64_t silence = health_silence(admin->config.health);
    if (silence <= admin->config.max_silence)
        return pages_text(connection, MHD_HTTP_OK, "ok\n");
    char text[80];
    snprintf(text, sizeof text, "no heartbeat for %lld s\n", (long long)(silence / CLOCK_SECOND));
    return pages_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static enum MHD_Result get_readyz(struct admin *admin, struct MHD_Connection *connection)
{
    char why[WHY_MAX];
    if (health_ready(admin->config.health, why, sizeof why))
        return pages_text(connection, MHD_HTTP_OK, "ready\n");
    return pages_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

static enum MHD_Result answer_made(struct MHD_Connection *connection, const char *type, char *text, size_t size)
{
    if (text == NULL)
        return pages_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    return answer(connection, MHD_HTTP_OK, type, text, size, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result get_metrics(struct admin *admin, struct MHD_Connection *connection)
{
    size_t size = 0;
    struct metric *ready = metrics_get(admin->config.metrics, METRIC_GAUGE, "weir_ready", "1 when /readyz answers 200.",
                                       NULL);
    metric_set(ready, health_ready(admin->config.health, NULL, 0));
    char *text = prometheus_render(admin->config.metrics, &size);
    return answer_made(connection, PROMETHEUS_CONTENT_TYPE, text, size);
}

static enum MHD_Result get_status(struct admin *admin, struct MHD_Connection *connection)
{
    size_t size = 0;
    const struct snapshot_sources sources = {
        .service = admin->config.service,
        .metrics = admin->config.metrics,
        .health = admin->config.health,
        .with_errors = admin->config.show_records && !tapping_may_come_from_elsewhere(admin, connection),
    };
    char *text = snapshot_render(&sources, &size);
    return answer_made(connection, "application/json", text, size);
}

static enum MHD_Result get_version(struct admin *admin, struct MHD_Connection *connection)
{
    const char *text = admin->config.version_json;
    return answer(connection, MHD_HTTP_OK, "application/json", (char *)text, strlen(text), MHD_RESPMEM_PERSISTENT);
}

static const struct page {
    const char *path;
    enum MHD_Result (*get)(struct admin *admin, struct MHD_Connection *connection);
} PAGES[] = {
    {"/healthz", get_healthz}, {"/readyz", get_readyz},   {"/metrics", get_metrics},
    {"/status", get_status},   {"/version", get_version}, {"/tap", tapping_get},
};

enum MHD_Result pages_handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)version, (void)upload, (void)upload_size, (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return pages_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    for (size_t i = 0; i < sizeof PAGES / sizeof PAGES[0]; i++) {
        if (strcmp(url, PAGES[i].path) == 0)
            return PAGES[i].get(arg, connection);
    }
    return pages_text(connection, MHD_HTTP_NOT_FOUND,
                      "there is /healthz, /readyz, /metrics, /status, /version and /tap\n");
}
