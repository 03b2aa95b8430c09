#include "tests/support/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "processor/check.h"

struct parsed {
    struct config_loader loader;
    struct config_known known; /* the field stands for the whole file */
    struct config_report *report;
    const void *config;
    char *words;
};

struct parsed *parsed_new(const struct config_field *field, const char *yaml)
{
    struct parsed *parsed = calloc(1, sizeof *parsed);
    size_t size = 0;
    CHECK(parsed != NULL);
    parsed->report = config_report_new("test.yaml", yaml, strlen(yaml));
    CHECK(parsed->report != NULL);
    config_loader_init(&parsed->loader, parsed->report);
    parsed->known = (struct config_known){"", NULL, field};
    parsed->loader.known = &parsed->known;
    parsed->loader.known_count = 1;
    const struct config_node *root = config_tree_parse("test.yaml", yaml, strlen(yaml), &parsed->loader.arena,
                                                       parsed->report);
    void *config = config_loader_alloc(&parsed->loader, 1, config_kind_size(field));
    CHECK(config != NULL);
    if (root != NULL)
        config_parse(&parsed->loader, field, root, config);
    if (config_report_errors(parsed->report) == 0)
        parsed->config = config;
    FILE *out = open_memstream(&parsed->words, &size);
    CHECK(out != NULL);
    config_report_print(parsed->report, out, false);
    CHECK(fclose(out) == 0);
    return parsed;
}

void parsed_free(struct parsed *parsed)
{
    if (parsed == NULL)
        return;
    config_loader_fini(&parsed->loader);
    config_report_free(parsed->report);
    free(parsed->words);
    free(parsed);
}

const void *parsed_config(const struct parsed *parsed)
{
    return parsed->config;
}

const char *parsed_report(const struct parsed *parsed)
{
    return parsed->words;
}
