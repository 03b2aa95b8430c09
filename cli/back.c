#include "cli/back.h"

#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "processor/check.h"

struct back {
    struct config_loader loader;
    struct config_report *report;
};

/* By the table that a config is read by, so it says what it would say there. */
static const void *parse(struct back *back, const struct config_field *field, const char *yaml)
{
    static const char NAME[] = "--to-source";
    back->report = config_report_new(NAME, yaml, strlen(yaml));
    CHECK(back->report != NULL);
    config_loader_init(&back->loader, back->report);
    const struct config_node *root = config_tree_parse(NAME, yaml, strlen(yaml), &back->loader.arena, back->report);
    void *config = config_loader_alloc(&back->loader, 1, config_kind_size(field));
    CHECK(root != NULL && config != NULL && config_parse(&back->loader, field, root, config));
    return config;
}

struct back *back_new(const struct source_type *type, struct pipeline_store *ret_store)
{
    if (type->back == NULL)
        return NULL;
    struct back *back = calloc(1, sizeof *back);
    CHECK(back != NULL);
    *ret_store = (struct pipeline_store){
        .name = "source",
        .type = type->back,
        .config = parse(back, type->back->config, type->back_config),
        .workers = 1,
    };
    return back;
}

void back_free(struct back *back)
{
    if (back == NULL)
        return;
    config_loader_fini(&back->loader);
    config_report_free(back->report);
    free(back);
}
