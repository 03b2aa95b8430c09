/*
 * Config as tables: one table describes an object's keys and drives parsing, validation, "did you mean", the JSON Schema and the reference in docs.
 * A table's struct begins with `struct config_head`, so that what is found wrong later (a column that the database does not have) still has its place.
 */
#ifndef WEIR_CONFIG_TABLE_H
#define WEIR_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "processor/arena.h"
#include "config/report.h"
#include "config/tree.h"

struct config_table;
struct config_loader;

enum config_kind {
    CONFIG_STRING = 1, /* const char * */
    CONFIG_SECRET,     /* const char *; never printed */
    CONFIG_BOOL,       /* bool */
    CONFIG_INT,        /* int64_t, min..max */
    CONFIG_NUMBER,     /* double */
    CONFIG_DURATION,   /* int64_t ns: 250us, 100ms, 10s, 5m, 1h, 7d; min..max */
    CONFIG_RANGE,      /* int64_t[2] ns: 100ms..30s */
    CONFIG_SIZE,       /* int64_t bytes: 65536, 64KiB, 16MiB, 1GiB (KB, MB, GB: powers of 1000); min..max */
    CONFIG_ENUM,       /* int: index into choices */
    CONFIG_OBJECT, /* the struct itself at offset, by `table` (which begins with struct config_head; head.node NULL: not given and not required; its fallbacks are set) */
    CONFIG_LIST,   /* struct config_list; a single value stands for a list of one */
    CONFIG_MAP,    /* struct config_map, in the file's order */
    CONFIG_CUSTOM, /* parsed by `custom` */
    CONFIG_NODE,   /* const struct config_node *: kept as it is */
};

struct config_head {
    const struct config_node *node; /* where it stands; NULL: not given */
};

struct config_list {
    uint32_t count;
    void *items; /* array of item->kind's C type (or of structs for objects) */
};

struct config_map {
    uint32_t count;
    const char **keys;
    const struct config_node **nodes;
    void *values; /* array as in config_list */
};

/* A field type of its own (a template, a path, a condition). */
struct config_custom {
    const char *name; /* for messages: "a template" */
    size_t size;      /* of what parse fills */
    bool (*parse)(struct config_loader *loader, const struct config_node *node,
                  void *ret);  /* false: reported. Allocates by config_loader_arena */
    void (*schema)(FILE *out); /* its JSON Schema, one object */
};

struct config_field {
    const char *name; /* NULL ends a table; ignored for list items and map values */
    const char *help; /* one sentence with units; goes into schema and docs */
    enum config_kind kind;
    bool required;
    size_t offset;
    const char *fallback;       /* default as it would be written in YAML (scalars only); NULL: zero */
    int64_t min, max;           /* INT, DURATION (ns), SIZE; max 0: no limit. LIST, MAP: least and most entries */
    const char *const *choices; /* ENUM, NULL-terminated */
    const struct config_table *table;
    const struct config_field *item; /* LIST and MAP */
    const struct config_custom *custom;
};

struct config_table {
    const char *name, *help;
    size_t size;
    const struct config_field *fields;
    /* Rules across fields; optional. Called when the object is given, even if some of it was wrong, so that all mistakes are told at once: what was missing or
     * wrong is zero then (NULL for a text; an entry of a list or map stays, with "" for a text). */
    void (*check)(const void *config, struct config_report *report);
};

/* Parses a node as field says into `ret` (of the kind's C type). node NULL: not given, the fallbacks. False when anything was reported. Fallbacks are
 * parsed by the same code. A text "" is no good for a required field. */
bool config_parse(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                  void *ret);
size_t config_kind_size(const struct config_field *field);
struct config_report *config_loader_report(struct config_loader *loader);
struct arena *config_loader_arena(struct config_loader *loader);
/* Runs `fini(arg)` when the config is freed: for what is not in the arena (a compiled regex). */
void config_loader_on_free(struct config_loader *loader, void (*fini)(void *arg), void *arg);

/* The JSON Schema (draft-07) of a field, written to out; indent in spaces. */
void config_schema_field(const struct config_field *field, FILE *out, int indent);

#endif
