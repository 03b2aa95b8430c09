#include "config/loader.h"

#include <string.h>

struct config_fini {
    struct config_fini *next;
    void (*fini)(void *arg);
    void *arg;
};

void config_loader_init(struct config_loader *loader, struct config_report *report)
{
    *loader = (struct config_loader){.report = report};
    arena_init(&loader->arena, NULL);
}

void config_loader_fini(struct config_loader *loader)
{
    for (struct config_fini *fini = loader->finis; fini != NULL; fini = fini->next)
        fini->fini(fini->arg);
    loader->finis = NULL;
    arena_fini(&loader->arena);
}

void *config_loader_alloc(struct config_loader *loader, size_t count, size_t size)
{
    void *place = arena_alloc(&loader->arena, count * size);
    if (place == NULL)
        config_error(loader->report, NULL, "no memory");
    else
        memset(place, 0, count * size);
    return place;
}

struct config_report *config_loader_report(struct config_loader *loader)
{
    return loader->report;
}

struct arena *config_loader_arena(struct config_loader *loader)
{
    return &loader->arena;
}

void config_loader_on_free(struct config_loader *loader, void (*fini)(void *arg), void *arg)
{
    struct config_fini *entry = config_loader_alloc(loader, 1, sizeof *entry);
    if (entry == NULL) {
        fini(arg);
        return;
    }
    *entry = (struct config_fini){.next = loader->finis, .fini = fini, .arg = arg};
    loader->finis = entry;
}
