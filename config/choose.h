/* Maps in which one key says the kind and the others are settings beside it: `{enrich: [...], workers: 4}`, `{sqlite: {...}, name: orders}`. */
#ifndef WEIR_CONFIG_CHOOSE_H
#define WEIR_CONFIG_CHOOSE_H

#include "config/loader.h"

struct choice {
    const struct config_node *node; /* what stands under the key */
    int kind;                       /* index into kinds; -1: none or wrong, reported */
    struct config_node *settings;   /* a map of the keys beside it, for config_parse */
};

/* kinds: NULL-terminated. beside: the fields of the settings, may be NULL. what: "a stage". False: reported; settings may still be good then (NULL: no). */
bool choose(struct config_loader *loader, const struct config_node *node, const char *const *kinds,
            const struct config_field *beside, const char *what, struct choice *ret);

#endif
