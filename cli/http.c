#include "cli/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "processor/check.h"

enum { STOPS_MAX = 4, POLL_MS = 1000 };

/* One request under way. */
struct transfer {
    const struct http_request *request;
    CURL *curl;
    bool enough;
    char why[CURL_ERROR_SIZE];
};

static size_t take(char *data, size_t one, size_t size, void *arg)
{
    struct transfer *transfer = arg;
    long code = 0;
    (void)one;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &code);
    if (transfer->request->take(transfer->request->arg, code, data, size))
        return size;
    transfer->enough = true;
    return 0;
}

static void set_up(struct transfer *transfer)
{
    CURL *curl = transfer->curl;
    const struct http_request *request = transfer->request;
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, request->url);
    CHECK(code == CURLE_OK);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "weir");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(HTTP_CONNECT / CLOCK_MS));
    if (request->timeout > 0) {
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(request->timeout / CLOCK_MS));
    } else {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)(HTTP_SILENCE / CLOCK_SECOND));
    }
}

static bool is_stopped(const struct curl_waitfd *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (fds[i].revents != 0)
            return true;
    }
    return false;
}

/* STATUS_OK: the transfer ended, *ret_result says how. */
static enum status drive(CURLM *multi, const struct http_request *request, CURLcode *ret_result)
{
    struct curl_waitfd fds[STOPS_MAX] = {{0}};
    CHECK(request->stops <= STOPS_MAX);
    for (unsigned i = 0; i < request->stops; i++)
        fds[i] = (struct curl_waitfd){.fd = request->stop[i], .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running = 0, left = 0;
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return STATUS_FAILED;
        const CURLMsg *message = curl_multi_info_read(multi, &left);
        if (message != NULL) {
            *ret_result = message->data.result;
            return STATUS_OK;
        }
        if (curl_multi_poll(multi, fds, request->stops, POLL_MS, NULL) != CURLM_OK)
            return STATUS_FAILED;
        if (is_stopped(fds, request->stops))
            return STATUS_CANCELLED;
    }
}

static enum status judge(const struct transfer *transfer, CURLcode result, long *ret_code, struct error *error)
{
    if (result == CURLE_OK || transfer->enough) {
        curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, ret_code);
        return STATUS_OK;
    }
    return error_set(error, ERROR_TRANSIENT, "%s: %s", transfer->request->url,
                     transfer->why[0] != '\0' ? transfer->why : curl_easy_strerror(result));
}

enum status http_get(const struct http_request *request, long *ret_code, struct error *error)
{
    struct transfer transfer = {.request = request};
    CURLcode result = CURLE_FAILED_INIT;
    /* Counts: the first initialises the library. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(error, ERROR_TRANSIENT, "libcurl does not start");
    CURLM *multi = curl_multi_init();
    transfer.curl = curl_easy_init();
    enum status status = STATUS_FAILED;
    if (multi != NULL && transfer.curl != NULL) {
        set_up(&transfer);
        if (curl_multi_add_handle(multi, transfer.curl) == CURLM_OK)
            status = drive(multi, request, &result);
    }
    if (status == STATUS_OK)
        status = judge(&transfer, result, ret_code, error);
    else if (status == STATUS_FAILED)
        status = error_set(error, ERROR_TRANSIENT, "%s: libcurl has no memory", request->url);
    if (multi != NULL && transfer.curl != NULL)
        curl_multi_remove_handle(multi, transfer.curl);
    curl_easy_cleanup(transfer.curl);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    return status;
}

bool http_add_argument(char *url, size_t size, const char *name, const char *value)
{
    size_t used = strlen(url);
    int n = snprintf(url + used, size - used, "%c%s=", strchr(url, '?') != NULL ? '&' : '?', name);
    used += (size_t)n;
    for (; *value != '\0' && used + 4 <= size; value++) {
        char byte = *value;
        bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     strchr("-._~", byte) != NULL; /* RFC 3986: unreserved */
        used += (size_t)snprintf(url + used, size - used, plain ? "%c" : "%%%02X", (unsigned char)byte);
    }
    return *value == '\0' && used < size;
}
