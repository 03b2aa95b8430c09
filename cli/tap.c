/* `weir tap`: samples of records as they pass a running service, from its admin port. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/tap_request.h"
#include "cli/admin_url.h"
#include "cli/http.h"
#include "cli/parsed_json.h"
#include "cli/tap_view.h"
#include "cli/text.h"
#include "cli/verbs.h"

enum { LINE_MAX_SIZE = 2 * TAP_LINE_MAX, URL_MAX = 4096 };

struct tap_client {
    const struct command *command;
    bool json, colour;
    struct parsed_json *parsed;
    struct tap_view_counts counts; /* of the last report */
    int64_t shown;
    char end[32];             /* why it ended; "": not said */
    char line[LINE_MAX_SIZE]; /* what has come of one */
    size_t used;
    char refusal[512]; /* the body of an answer that is not 200 */
};

static void show_line(struct tap_client *client, const char *line, size_t size)
{
    struct value object;
    if (!parsed_json_read(client->parsed, line, size, &object))
        return;
    bool report = tap_view_counts(&object, &client->counts);
    if (report) {
        parsed_json_text(&object, "end", client->end, sizeof client->end);
        return;
    }
    client->shown++;
    if (client->json)
        printf("%.*s\n", (int)size, line);
    else
        tap_view_record(&object, client->colour, stdout);
}

static void keep_refusal(struct tap_client *client, const char *data, size_t size)
{
    size_t used = strlen(client->refusal), room = sizeof client->refusal - 1 - used;
    strncat(client->refusal, data, size < room ? size : room);
    client->refusal[strcspn(client->refusal, "\n")] = '\0';
}

static bool take(void *arg, long code, const char *data, size_t size)
{
    struct tap_client *client = arg;
    if (code != 200) {
        keep_refusal(client, data, size);
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            show_line(client, client->line, client->used);
            client->used = 0;
        } else if (client->used < sizeof client->line) {
            client->line[client->used++] = data[i];
        }
    }
    /* Who reads from a pipe sees a record when it has passed. */
    return fflush(stdout) == 0;
}

/* -- what is asked -- */

static const struct {
    enum option_id id;
    const char *name;
} ARGUMENTS[] = {
    {OPTION_STAGE, "stage"}, {OPTION_WHERE, "where"}, {OPTION_SAMPLE, "sample"},
    {OPTION_LIMIT, "limit"}, {OPTION_FOR, "for"},     {OPTION_ANSWER, "answer"},
};

/* Said here rather than by the service, as far as it can be told without one. */
static bool check_arguments(const struct command *command)
{
    struct tap_request request;
    struct error error;
    bool good = true;
    tap_request_init(&request);
    for (size_t i = 0; i < sizeof ARGUMENTS / sizeof ARGUMENTS[0] && good; i++) {
        const char *value = command->values[ARGUMENTS[i].id];
        good = value == NULL || tap_request_set(&request, ARGUMENTS[i].name, value, &error) == STATUS_OK;
    }
    if (!good)
        fprintf(stderr, "weir tap: --%s\n", error.text);
    else if (!command_has(command, OPTION_STAGE))
        fputs("weir tap: wants --stage NAME: a stage or store of the config, or intake\n", stderr);
    tap_request_fini(&request);
    return good && command_has(command, OPTION_STAGE);
}

static bool make_url(const struct command *command, const char *base, char url[URL_MAX])
{
    bool fits = snprintf(url, URL_MAX, "%s/tap", base) < URL_MAX;
    for (size_t i = 0; i < sizeof ARGUMENTS / sizeof ARGUMENTS[0]; i++) {
        const char *value = command->values[ARGUMENTS[i].id];
        if (value != NULL)
            fits = fits && http_add_argument(url, URL_MAX, ARGUMENTS[i].name, value);
    }
    if (!fits)
        fputs("weir tap: the arguments are too long\n", stderr);
    return fits;
}

/* -- how it ends -- */

static void report(struct tap_client *client)
{
    const char *stage = client->command->values[OPTION_STAGE];
    const struct tap_view_counts *counts = &client->counts;
    client->counts.shown = client->shown;
    if (client->json)
        printf("{\"end\":\"%s\",\"tap\":{\"passed\":%lld,\"unlooked\":%lld,\"matched\":%lld,\"over_rate\":%lld,"
               "\"dropped\":%lld,\"shown\":%lld}}\n",
               client->end, (long long)counts->passed, (long long)counts->unlooked, (long long)counts->matched,
               (long long)counts->over_rate, (long long)counts->dropped, (long long)counts->shown);
    fflush(stdout);
    fputs("weir tap: ", stderr);
    tap_view_report(counts, stage, stderr);
    if (strcmp(client->end, "stopping") == 0)
        fputs("weir tap: the service is stopping\n", stderr);
}

static enum exit_code refused(const struct tap_client *client, long code)
{
    fprintf(stderr, "weir tap: %s (HTTP status %ld)\n",
            client->refusal[0] != '\0' ? client->refusal : "no tap is to be had there", code);
    return code == 400 || code == 404 ? EXIT_USAGE : EXIT_UNAVAILABLE;
}

static enum exit_code finish(struct tap_client *client, enum status status, long code, const struct error *error)
{
    if (status == STATUS_OK && code != 200)
        return refused(client, code);
    bool interrupted = status == STATUS_CANCELLED, ended = client->end[0] != '\0';
    if (!ended)
        snprintf(client->end, sizeof client->end, "%s", interrupted ? "interrupted" : "lost");
    if (status == STATUS_FAILED && client->counts.passed == 0 && client->shown == 0) {
        fprintf(stderr, "weir tap: %s\n", error->text);
        return EXIT_UNAVAILABLE;
    }
    report(client);
    if (ended || interrupted)
        return EXIT_OK;
    fprintf(stderr, "weir tap: the service has gone, or has cut this tap off for reading too slowly%s%s\n",
            status == STATUS_FAILED ? ": " : "", status == STATUS_FAILED ? error->text : "");
    return EXIT_UNAVAILABLE;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum exit_code listen_to(struct tap_client *client, const char *url)
{
    struct error error = {0};
    long code = 0;
    int stop = open_signals();
    if (stop < 0) {
        fprintf(stderr, "weir tap: no file descriptor for signals: %s\n", strerror(errno));
        return EXIT_INTERNAL;
    }
    const struct http_request request = {.url = url, .stop = &stop, .stops = 1, .take = take, .arg = client};
    enum status status = http_get(&request, &code, &error);
    close(stop);
    return finish(client, status, code, &error);
}

enum exit_code verb_tap(const struct command *command)
{
    char base[ADMIN_URL_MAX], url[URL_MAX];
    if (!check_arguments(command))
        return EXIT_USAGE;
    enum exit_code code = admin_url(command, base);
    if (code != EXIT_OK)
        return code;
    if (!make_url(command, base, url))
        return EXIT_USAGE;
    struct tap_client *client = calloc(1, sizeof *client);
    struct parsed_json *parsed = parsed_json_new();
    code = EXIT_INTERNAL;
    if (client != NULL && parsed != NULL) {
        *client = (struct tap_client){.command = command, .parsed = parsed};
        client->json = command_has(command, OPTION_JSON);
        client->colour = text_wants_colour(stdout);
        code = listen_to(client, url);
    }
    parsed_json_free(parsed);
    free(client);
    return code;
}
