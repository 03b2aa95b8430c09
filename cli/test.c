/* `weir test`: runs scenario files, each scenario through the pipeline of its config, without any broker or store. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/plan.h"
#include "cli/registry.h"
#include "cli/test_view.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "processor/check.h"
#include "processor/log.h"
#include "scenario/judge.h"
#include "scenario/suite.h"

/* -- files -- */

struct files {
    char **paths;
    size_t count, room;
    unsigned others; /* YAML that has no scenarios in it */
};

static void add_file(struct files *files, const char *path)
{
    if (files->count == files->room) {
        files->room = files->room > 0 ? files->room * 2 : 16;
        files->paths = realloc(files->paths, files->room * sizeof *files->paths);
        CHECK(files->paths != NULL);
    }
    files->paths[files->count] = strdup(path);
    CHECK(files->paths[files->count++] != NULL);
}

static void free_files(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t size = strlen(name), suffix_size = strlen(suffix);
    return size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0;
}

/* In the order of their names, the same in every locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_folder(struct files *files, const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_visible, by_name);
    if (count < 0)
        add_file(files, folder); /* which can't be read: told where it is */
    for (int i = 0; i < count; i++) {
        struct stat info;
        char *path = NULL;
        size_t size = strlen(folder);
        CHECK(asprintf(&path, "%s%s%s", folder, size > 0 && folder[size - 1] == '/' ? "" : "/", entries[i]->d_name) >
              0);
        /* Links are not followed into folders: they may lead in circles. */
        bool yaml = has_suffix(path, ".yaml") || has_suffix(path, ".yml");
        if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
            add_folder(files, path);
        else if (yaml && suite_is_one(path))
            add_file(files, path);
        else
            files->others += yaml;
        free(path);
        free(entries[i]);
    }
    free(entries);
}

static void add_path(struct files *files, const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        add_folder(files, path);
    else
        add_file(files, path);
}

/* -- running -- */

struct test {
    bool json, quiet, colour;
    const char *filter; /* NULL: all */
    struct test_results results;
};

/* Takes the result. */
static void tell(struct test *test, struct test_result *result)
{
    struct test_results *results = &test->results;
    bool passed = result->name != NULL && result->findings.count == 0;
    results->passed += passed;
    results->failed += result->findings.count > 0;
    results->wrong += result->name == NULL;
    if (test->json)
        test_view_json(result, stdout);
    else if (!test->quiet || !passed)
        test_view_text(result, test->colour, stdout);
    fflush(stdout);
    if (results->count == results->room) {
        results->room = results->room > 0 ? results->room * 2 : 64;
        results->items = realloc(results->items, results->room * sizeof *results->items);
        CHECK(results->items != NULL);
    }
    results->items[results->count++] = *result;
}

static const char *keep_text(const char *text)
{
    char *copy = strdup(text);
    CHECK(copy != NULL);
    return copy;
}

static void run_scenario(struct test *test, const struct suite *suite, const struct scenario *scenario)
{
    struct test_result result = {.file = keep_text(suite->file),
                                 .name = keep_text(scenario->spec->name),
                                 .line = scenario->spec->head.node->line};
    struct plan *plan = plan_new(scenario->config, &(struct plan_changes){.exit_at_end = true});
    CHECK(plan != NULL);
    struct trial *trial = trial_new(scenario, plan_pipeline(plan));
    trial_run(trial);
    judge(trial, &result.findings);
    result.ns = trial->ns;
    trial_free(trial);
    plan_free(plan);
    log_flush();
    tell(test, &result);
}

static void tell_mistakes(struct test *test, const struct suite *suite)
{
    struct test_result result = {.file = keep_text(suite->file)};
    size_t size = 0;
    FILE *out = open_memstream(&result.mistakes, &size);
    CHECK(out != NULL);
    suite_print(suite, out, test->colour && !test->json);
    CHECK(fclose(out) == 0);
    if (test->json)
        suite_print_json(suite, stdout);
    tell(test, &result);
}

static void run_file(struct test *test, const char *file)
{
    struct suite *suite = suite_load(file, registry());
    test->results.files++;
    if (!suite_is_good(suite))
        tell_mistakes(test, suite);
    for (uint32_t i = 0; i < suite->count && suite_is_good(suite); i++) {
        const struct scenario *scenario = &suite->scenarios[i];
        if (test->filter == NULL || strstr(scenario->spec->name, test->filter) != NULL)
            run_scenario(test, suite, scenario);
    }
    suite_free(suite);
}

/* -- the end -- */

static bool write_junit(const struct test_results *results, const char *path)
{
    FILE *out = fopen(path, "we");
    bool good = out != NULL;
    if (good) {
        test_view_junit(results, out);
        good = !ferror(out);
        good = fclose(out) == 0 && good;
    }
    if (!good)
        fprintf(stderr, "weir test: cannot write %s: %s\n", path, strerror(errno));
    return good;
}

static enum exit_code close_test(const struct test *test, const struct command *command, const struct files *files)
{
    const struct test_results *results = &test->results;
    const char *junit = command->values[OPTION_JUNIT];
    bool written = junit == NULL || write_junit(results, junit);
    if (!test->json) {
        test_view_summary(results, stdout);
        if (files->others > 0 && !test->quiet)
            printf("%u other YAML file%s: no `scenarios:` or `input:` at the beginning of a line\n", files->others,
                   files->others == 1 ? "" : "s");
    }
    if (results->wrong > 0)
        return EXIT_CONFIG;
    if (results->count == 0) {
        fprintf(stderr, "weir test: there is no scenario%s%s%s\n", test->filter != NULL ? " whose name has \"" : "",
                test->filter != NULL ? test->filter : "", test->filter != NULL ? "\" in it" : "");
        return EXIT_USAGE;
    }
    return results->failed > 0 || !written ? EXIT_FAILED : EXIT_OK;
}

static void free_results(struct test_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        findings_fini(&results->items[i].findings);
        free(results->items[i].mistakes);
        free((char *)results->items[i].file);
        free((char *)results->items[i].name);
    }
    free(results->items);
}

enum exit_code verb_test(const struct command *command)
{
    struct test test = {
        .json = command_has(command, OPTION_JSON),
        .quiet = command_has(command, OPTION_QUIET),
        .colour = text_wants_colour(stdout),
        .filter = command->values[OPTION_FILTER],
    };
    struct files files = {0};
    if (command_has(command, OPTION_JUNIT) && strcmp(command->values[OPTION_JUNIT], "-") == 0) {
        fputs("weir test: --junit \"-\": expected a file, as the report goes to stdout\n", stderr);
        return EXIT_USAGE;
    }
    log_set(command_has(command, OPTION_VERBOSE) ? LOG_DEBUG : LOG_ERROR, false);
    for (unsigned i = 0; i < command->count; i++)
        add_path(&files, command->arguments[i]);
    for (size_t i = 0; i < files.count; i++)
        run_file(&test, files.paths[i]);
    enum exit_code code = close_test(&test, command, &files);
    free_results(&test.results);
    free_files(&files);
    return code;
}
