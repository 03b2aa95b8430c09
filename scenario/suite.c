#include "scenario/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "scenario/part.h"
#include "scenario/suite_state.h"

enum { PATH_SIZE_MAX = 4096 };

#define TIMEOUT (30 * CLOCK_SECOND)

/* -- the file -- */

/* A text on the heap, zero-terminated, of one byte more than a tree may have at most; NULL: errno says why. */
static char *read_file(const char *file, size_t *ret_size)
{
    FILE *in = fopen(file, "re");
    if (in == NULL)
        return NULL;
    char *text = malloc(TREE_MAX_BYTES + 2);
    CHECK(text != NULL);
    *ret_size = fread(text, 1, TREE_MAX_BYTES + 1, in);
    text[*ret_size] = '\0';
    int code = ferror(in) ? errno : 0;
    (void)fclose(in);
    if (code == 0)
        return text;
    free(text);
    errno = code;
    return NULL;
}

static bool begins_line(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += size) {
        const char *behind = at + size + strspn(at + size, " ");
        if ((at == text || at[-1] == '\n') && *behind == ':')
            return true;
    }
    return false;
}

bool suite_is_one(const char *file)
{
    static const char MARK[] = "\xef\xbb\xbf"; /* which some editors put before UTF-8, and YAML allows */
    struct stat info;
    size_t size;
    /* A pipe would be waited for. */
    if (stat(file, &info) == 0 && !S_ISREG(info.st_mode))
        return false;
    char *text = read_file(file, &size);
    if (text == NULL)
        return true;
    const char *begin = strncmp(text, MARK, strlen(MARK)) == 0 ? text + strlen(MARK) : text;
    bool is = begins_line(begin, "scenarios") || begins_line(begin, "input");
    free(text);
    return is;
}

/* -- configs -- */

enum { VARIABLES_MAX = 1000 }; /* what both maps may have together (spec.c) */

/* Variables as they were, to be put back. */
struct environment {
    const char *names[VARIABLES_MAX];
    char *values[VARIABLES_MAX]; /* NULL: there was none */
    unsigned count;
};

static void set_environment(struct environment *was, const struct config_map *variables)
{
    for (uint32_t i = 0; variables != NULL && i < variables->count && was->count < VARIABLES_MAX; i++) {
        const char *old = getenv(variables->keys[i]);
        was->names[was->count] = variables->keys[i];
        was->values[was->count++] = old != NULL ? strdup(old) : NULL;
        CHECK(setenv(variables->keys[i], ((const char *const *)variables->values)[i], 1) == 0);
    }
}

static void restore_environment(struct environment *was)
{
    while (was->count > 0) {
        was->count--;
        if (was->values[was->count] != NULL)
            CHECK(setenv(was->names[was->count], was->values[was->count], 1) == 0);
        else
            CHECK(unsetenv(was->names[was->count]) == 0);
        free(was->values[was->count]);
    }
}

/* Relative to the scenario file. */
static bool resolve_path(const struct suite_state *state, const struct config_node *node, char *path)
{
    const char *slash = strrchr(state->suite.file, '/');
    int folder = node->text[0] != '/' && slash != NULL ? (int)(slash - state->suite.file) + 1 : 0;
    int size = snprintf(path, PATH_SIZE_MAX, "%.*s%s", folder, state->suite.file, node->text);
    if (size < PATH_SIZE_MAX)
        return true;
    config_error(state->report, node, "expected a shorter path");
    return false;
}

static void load_file(struct suite_state *state, const struct config_registry *registry, struct suite_config *entry)
{
    char path[PATH_SIZE_MAX];
    struct environment was = {.count = 0};
    if (!resolve_path(state, entry->node, path))
        return;
    set_environment(&was, &state->spec.environment);
    set_environment(&was, entry->environment);
    entry->config = config_load(path, registry, &entry->report);
    restore_environment(&was);
    unsigned mistakes = config_report_errors(entry->report);
    if (entry->config == NULL)
        config_error(state->report, entry->node, "expected a config without mistakes, found %u in %s", mistakes, path);
}

static void load_inline(struct suite_state *state, const struct config_registry *registry, struct suite_config *entry)
{
    const struct config_node *whole = part_complete(&state->loader, entry->node);
    if (whole != NULL)
        entry->config = config_load_node(state->suite.file, whole, registry, state->report);
}

/* What stands in the scenario file was substituted when that was read. */
static void check_environment(const struct suite_state *state, const struct spec *spec, const struct config_node *node)
{
    const struct spec *with = spec->environment.count > 0 ? spec : &state->spec;
    if (with->environment.count > 0 && (with == spec || node == state->spec.config))
        config_error(
            state->report, config_tree_get(with->head.node, "environment"),
            "expected no variables for a config that stands in this file: its ${...} are those of the process");
}

static const struct config *find_config(struct suite_state *state, const struct config_registry *registry,
                                        const struct spec *spec)
{
    const struct config_node *node = spec->config != NULL ? spec->config : state->spec.config;
    const struct config_map *environment = spec != &state->spec && spec->environment.count > 0 ? &spec->environment
                                                                                               : NULL;
    if (node == NULL) {
        config_error(state->report, spec->head.node, "expected the key `config`, found none");
        return NULL;
    }
    for (struct suite_config *entry = state->configs; entry != NULL; entry = entry->next) {
        if (entry->node == node && entry->environment == environment)
            return entry->config;
    }
    struct suite_config *entry = config_loader_alloc(&state->loader, 1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    *entry = (struct suite_config){.node = node, .environment = environment, .next = state->configs};
    state->configs = entry;
    if (node->kind == NODE_MAP)
        check_environment(state, spec, node);
    if (node->kind == NODE_MAP)
        load_inline(state, registry, entry);
    else if (node->kind == NODE_SCALAR && !config_tree_is_null(node))
        load_file(state, registry, entry);
    else
        config_error(state->report, node, "expected the path of a config, or a map with a config or a part of it");
    return entry->config;
}

/* -- the whole -- */

static void load_scenario(struct suite_state *state, const struct config_registry *registry, const struct spec *spec,
                          struct scenario *scenario)
{
    const struct spec *shared = spec != &state->spec ? &state->spec : NULL;
    scenario->spec = spec;
    scenario->now = spec->now != -1 || shared == NULL ? spec->now : shared->now;
    scenario->timeout = spec->timeout != 0 || shared == NULL ? spec->timeout : shared->timeout;
    if (scenario->timeout == 0)
        scenario->timeout = TIMEOUT;
    scenario->config = find_config(state, registry, spec);
    if (scenario->config != NULL)
        (void)resolve(&state->loader, shared, scenario);
    else
        resolve_without_config(&state->loader, scenario);
}

static void check_names(const struct suite_state *state, const struct spec *specs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < i && specs[i].name != NULL; k++) {
            if (specs[k].name == NULL || strcmp(specs[i].name, specs[k].name) != 0)
                continue;
            config_error(state->report, config_tree_get(specs[i].head.node, "name"),
                         "expected a name that no other scenario of this file has, found \"%.64s\" again",
                         specs[i].name);
            break;
        }
    }
}

static void parse(struct suite_state *state, const struct config_registry *registry, const char *text, size_t size)
{
    const struct config_node *root = config_tree_parse(state->suite.file, text, size, &state->loader.arena,
                                                       state->report);
    if (root == NULL)
        return;
    bool several = config_tree_get(root, "scenarios") != NULL || config_tree_get(root, "input") == NULL;
    if (several && config_tree_get(root, "service") != NULL) {
        config_error(state->report, NULL,
                     "expected `scenarios`, or `input` of a single one, and found a config: `weir check` is for these");
        return;
    }
    const struct config_field *field = several ? &spec_file_field : &spec_scenario_field;
    state->known = (struct config_known){"", NULL, field};
    state->loader.known = &state->known;
    state->loader.known_count = 1;
    (void)config_parse(&state->loader, field, root, &state->spec);
    const struct spec *specs = several ? state->spec.scenarios.items : &state->spec;
    uint32_t count = several ? state->spec.scenarios.count : 1;
    state->suite.scenarios = config_loader_alloc(&state->loader, count, sizeof *state->suite.scenarios);
    if (state->suite.scenarios == NULL)
        return;
    state->suite.count = count;
    check_names(state, specs, count);
    for (uint32_t i = 0; i < count; i++)
        load_scenario(state, registry, &specs[i], &state->suite.scenarios[i]);
}

struct suite *suite_load(const char *file, const struct config_registry *registry)
{
    struct suite_state *state = calloc(1, sizeof *state);
    CHECK(state != NULL);
    size_t size = 0;
    char *text = read_file(file, &size);
    state->report = config_report_new(file, text != NULL ? text : "", size);
    CHECK(state->report != NULL);
    config_loader_init(&state->loader, state->report);
    state->suite.file = arena_string(&state->loader.arena, file, strlen(file));
    CHECK(state->suite.file != NULL);
    if (text != NULL)
        parse(state, registry, text, size);
    else
        config_error(state->report, NULL, "expected a readable file: %s", strerror(errno));
    free(text);
    return &state->suite;
}

void suite_free(struct suite *suite)
{
    struct suite_state *state = (struct suite_state *)suite;
    if (state == NULL)
        return;
    for (struct suite_config *entry = state->configs; entry != NULL; entry = entry->next) {
        config_free(entry->config);
        config_report_free(entry->report);
    }
    config_loader_fini(&state->loader);
    config_report_free(state->report);
    free(state);
}

unsigned suite_mistakes(const struct suite *suite)
{
    const struct suite_state *state = (const struct suite_state *)suite;
    unsigned mistakes = config_report_errors(state->report);
    for (const struct suite_config *entry = state->configs; entry != NULL; entry = entry->next)
        mistakes += entry->report != NULL ? config_report_errors(entry->report) : 0;
    return mistakes;
}

bool suite_is_good(const struct suite *suite)
{
    return suite_mistakes(suite) == 0;
}

/* Only what stands against running them: the warnings of a config are `weir check`'s. */
static bool is_told(const struct suite_config *entry)
{
    return entry->report != NULL && config_report_errors(entry->report) > 0;
}

void suite_print(const struct suite *suite, FILE *out, bool colour)
{
    const struct suite_state *state = (const struct suite_state *)suite;
    config_report_print(state->report, out, colour);
    for (const struct suite_config *entry = state->configs; entry != NULL; entry = entry->next) {
        if (is_told(entry))
            config_report_print(entry->report, out, colour);
    }
}

void suite_print_json(const struct suite *suite, FILE *out)
{
    const struct suite_state *state = (const struct suite_state *)suite;
    config_report_print_json(state->report, out);
    for (const struct suite_config *entry = state->configs; entry != NULL; entry = entry->next) {
        if (is_told(entry))
            config_report_print_json(entry->report, out);
    }
}
