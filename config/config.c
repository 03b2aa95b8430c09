#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/delivery.h"
#include "config/file.h"
#include "config/found.h"
#include "config/loader.h"
#include "config/settings.h"
#include "config/stages.h"
#include "processor/check.h"

/* The public part and what keeps it alive. */
struct loaded {
    struct config config;
    struct config_loader loader;
};

static uint32_t count(const void *const *list)
{
    uint32_t number = 0;
    while (list[number] != NULL)
        number++;
    return number;
}

/* All keys that a file can have, for "belongs under". */
static bool make_known(struct config_loader *loader, const struct config_registry *registry)
{
    static const struct config_field ANY = {.kind = CONFIG_NODE};
    uint32_t room = 5 + count((const void *const *)registry->decoders) +
                    count((const void *const *)registry->enrichers) + count((const void *const *)registry->sources) +
                    count((const void *const *)registry->stores);
    struct config_known *known = config_loader_alloc(loader, room, sizeof *known), *next = known;
    if (known == NULL)
        return false;
    *next++ = (struct config_known){"", NULL, &file_field};
    *next++ = (struct config_known){"stages[]", NULL, &stage_settings_field};
    *next++ = (struct config_known){"stages[].store", NULL, &store_settings_field};
    *next++ = (struct config_known){"stages[]", "enrich", &ANY};
    *next++ = (struct config_known){"stages[]", "store", &ANY};
    for (uint32_t i = 0; registry->sources[i] != NULL; i++)
        *next++ = (struct config_known){"source", registry->sources[i]->name, registry->sources[i]->config};
    for (uint32_t i = 0; registry->decoders[i] != NULL; i++)
        *next++ = (struct config_known){"stages[]", registry->decoders[i]->name, registry->decoders[i]->config};
    for (uint32_t i = 0; registry->enrichers[i] != NULL; i++)
        *next++ = (struct config_known){"stages[].enrich[]", registry->enrichers[i]->name,
                                        registry->enrichers[i]->config};
    for (uint32_t i = 0; registry->stores[i] != NULL; i++)
        *next++ = (struct config_known){"stages[].store", registry->stores[i]->name, registry->stores[i]->config};
    CHECK(next == known + room);
    loader->known = known;
    loader->known_count = room;
    return true;
}

static void copy_file(const struct file *file, struct config *config)
{
    config->service = file->service;
    config->memory = file->memory;
    config->order = (enum config_order)file->order;
    config->delivery = (enum config_delivery)file->delivery;
    config->shutdown = file->shutdown;
    config->watchdog = file->watchdog;
    config->admin = file->admin;
    config->log_level = file->log.level;
    config->log_json = file->log.format == 1;
    config->errors.head = file->errors.head;
    config->errors.retry_max = file->errors.retry.max;
    config->errors.backoff[0] = file->errors.retry.backoff[0];
    config->errors.backoff[1] = file->errors.retry.backoff[1];
    config->errors.restarts_max = file->errors.restarts.max;
    config->errors.restarts_window = file->errors.restarts.within;
    config->errors.dead_letter.head = file->errors.dead_letter.head;
    config->errors.dead_letter.topic = file->errors.dead_letter.topic;
    config->errors.dead_letter.properties = file->errors.dead_letter.properties;
}

static void check_dead_letter(struct config_loader *loader, const struct config *config)
{
    const struct config_node *node = config->errors.dead_letter.head.node;
    const struct source_type *source = config->source_type;
    if (node == NULL || source == NULL)
        return;
    const struct dead_letter_config letters = {.topic = config->errors.dead_letter.topic,
                                               .properties = &config->errors.dead_letter.properties};
    if (source->open_dead_letter == NULL)
        config_error_key(loader->report, node,
                         "expected no dead letters with the source `%s`, which has no place for them", source->name);
    else if (source->check_dead_letter != NULL && config->source_config != NULL)
        source->check_dead_letter(&letters, config->source_config, node, loader->report);
}

static void check_behind(struct config_loader *loader, const struct config *config)
{
    for (uint32_t i = 0; i < config->store_count; i++) {
        const struct config_store *store = &config->stores[i];
        const struct config_node *node = store->head.node;
        const char *why = NULL;
        if (store->type->can_stand_behind != NULL &&
            !store->type->can_stand_behind(store->config, config->source_type->name, config->source_config, &node,
                                           &why))
            config_error(loader->report, node, "%s", why);
    }
}

static bool set_place(struct config_loader *loader, const char *name, struct config *config)
{
    const char *slash = strrchr(name, '/');
    config->file = arena_string(&loader->arena, name, strlen(name));
    config->dir = slash != NULL ? arena_string(&loader->arena, name, slash > name ? (size_t)(slash - name) : 1) : ".";
    return config->file != NULL && config->dir != NULL;
}

/* Each part on its own, so that all mistakes are found at once. */
static bool parse_tree(struct config_loader *loader, const struct config_registry *registry,
                       const struct config_node *root, struct config *config)
{
    struct file file;
    unsigned before = config_report_errors(loader->report);
    config_parse(loader, &file_field, root, &file);
    copy_file(&file, config);
    if (file.source != NULL)
        source_parse(loader, registry, file.source, config);
    bool good = file.stages != NULL && stages_parse(loader, registry, file.stages, config);
    delivery_check(loader, registry, root, config, good);
    check_dead_letter(loader, config);
    if (good && config->source_config != NULL)
        check_behind(loader, config);
    return config_report_errors(loader->report) == before;
}

static bool parse_file(struct config_loader *loader, const struct config_registry *registry, const char *name,
                       const char *text, size_t size, struct config *config)
{
    if (!set_place(loader, name, config) || !make_known(loader, registry))
        return false;
    const struct config_node *root = config_tree_parse(name, text, size, &loader->arena, loader->report);
    return root != NULL && parse_tree(loader, registry, root, config) && config_report_errors(loader->report) == 0;
}

static const struct config *load(const char *name, const char *text, size_t size,
                                 const struct config_registry *registry, struct config_report *report)
{
    struct loaded *loaded = calloc(1, sizeof *loaded);
    if (loaded == NULL) {
        config_error(report, NULL, "no memory");
        return NULL;
    }
    config_loader_init(&loaded->loader, report);
    bool good = parse_file(&loaded->loader, registry, name, text, size, &loaded->config);
    /* The report may be freed before the config. */
    loaded->loader.report = NULL;
    if (good)
        return &loaded->config;
    config_free(&loaded->config);
    return NULL;
}

/* 0, or an errno. *ret_size: one byte more than is allowed when there is more. */
static int read_all(int fd, char *text, size_t *ret_size)
{
    size_t size = 0;
    while (size <= TREE_MAX_BYTES) {
        ssize_t got = read(fd, text + size, TREE_MAX_BYTES + 1 - size);
        if (got < 0 && errno != EINTR)
            return errno;
        if (got == 0)
            break;
        size += got > 0 ? (size_t)got : 0;
    }
    *ret_size = size;
    return 0;
}

static int read_file(const char *file, char *text, size_t *ret_size)
{
    if (strcmp(file, "-") == 0)
        return read_all(STDIN_FILENO, text, ret_size);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = read_all(fd, text, ret_size);
    close(fd);
    return code;
}

static struct config_report *new_report(const char *name, const char *text, size_t size)
{
    struct config_report *report = config_report_new(name, text, size);
    CHECK(report != NULL);
    return report;
}

const struct config *config_load(const char *file, const struct config_registry *registry,
                                 struct config_report **ret_report)
{
    const char *name = strcmp(file, "-") == 0 ? "stdin" : file;
    const struct config *config = NULL;
    size_t size = 0;
    char *text = malloc(TREE_MAX_BYTES + 1);
    CHECK(text != NULL);
    int code = read_file(file, text, &size);
    *ret_report = new_report(name, text, size);
    if (code == 0)
        config = load(name, text, size, registry, *ret_report);
    else
        config_error(*ret_report, NULL, "expected a readable file: %s", strerror(code));
    explicit_bzero(text, size);
    free(text);
    return config;
}

const struct config *config_load_text(const char *name, const char *text, const struct config_registry *registry,
                                      struct config_report **ret_report)
{
    *ret_report = new_report(name, text, strlen(text));
    return load(name, text, strlen(text), registry, *ret_report);
}

const struct config *config_load_node(const char *name, const struct config_node *root,
                                      const struct config_registry *registry, struct config_report *report)
{
    struct loaded *loaded = calloc(1, sizeof *loaded);
    CHECK(loaded != NULL);
    config_loader_init(&loaded->loader, report);
    bool good = set_place(&loaded->loader, name, &loaded->config) && make_known(&loaded->loader, registry) &&
                parse_tree(&loaded->loader, registry, root, &loaded->config);
    loaded->loader.report = NULL;
    if (good)
        return &loaded->config;
    config_free(&loaded->config);
    return NULL;
}

void config_free(const struct config *config)
{
    if (config == NULL)
        return;
    struct loaded *loaded = (struct loaded *)((char *)config - offsetof(struct loaded, config));
    config_loader_fini(&loaded->loader);
    free(loaded);
}
