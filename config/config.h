/*
 * The whole config: loaded, typed, validated, const. What stages, sources and stores there are comes in as a registry (cli/ makes it out of stages/list.h and
 * connectors/list.h), so that config/ names none of them.
 */
#ifndef WEIR_CONFIG_CONFIG_H
#define WEIR_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/table.h"
#include "processor/connector.h"
#include "processor/stage.h"

struct config_registry {
    const struct stage_type *const *decoders;  /* NULL-terminated; today one: `decode` */
    const struct stage_type *const *enrichers; /* set, rename, remove, lookup, filter */
    const struct source_type *const *sources;
    const struct store_type *const *stores;
};

enum config_order { ORDER_PARTITION, ORDER_NONE };
enum config_delivery { DELIVERY_AT_LEAST_ONCE, DELIVERY_EXACTLY_ONCE };

/* One processing step inside a stage. */
struct config_step {
    const struct stage_type *type;
    const void *config;
    const struct config_node *node;
};

struct config_stage {
    struct config_head head;
    const char *name;          /* `name:`, or "decode", "enrich", "enrich-2" */
    struct config_step *steps; /* one for decode, several for enrich */
    uint32_t step_count;
    /* `workers: 4`, or {min, max}; default: min 1, max the CPUs that the cgroup allows */
    int64_t workers_min, workers_max;
    int64_t queue_records, queue_bytes; /* the queue before the stage; bytes 0: derived from memory */
};

struct config_store {
    struct config_head head;
    const char *name; /* `name:`, or the type's name, made unique */
    const struct store_type *type;
    const void *config;
    int64_t workers; /* 1, more only with order: none */
    int64_t queue_records, queue_bytes;
    /* `flush: {records, bytes, every}`; 0: the store's own default */
    int64_t flush_records, flush_bytes, flush_interval;
};

struct config_errors {
    struct config_head head;
    int64_t retry_max;  /* attempts for a record that a stage answers RETRY */
    int64_t backoff[2]; /* ns, least..most */
    struct {
        struct config_head head;
        const char *topic;            /* NULL: none: stop at a bad record */
        struct config_map properties; /* producer properties, strings */
    } dead_letter;
    int64_t restarts_max, restarts_window; /* restarts: {max: 5, within: 10m}: the supervisor's budget */
};

struct config_admin {
    struct config_head head;
    bool enabled; /* `admin: false` */
    const char *host;
    uint16_t port;
    bool tap; /* records may be shown to whoever reaches the port */
};

struct config {
    const char *file, *dir;
    const char *service;
    int64_t memory;
    enum config_order order;
    enum config_delivery delivery;
    const struct source_type *source_type;
    const void *source_config;
    const struct config_node *source_node;
    struct config_stage *stages; /* in order, without the stores */
    uint32_t stage_count;
    struct config_store *stores; /* `- store:` once (a single one or a list) at the end */
    uint32_t store_count;
    struct config_errors errors;
    int64_t shutdown; /* ns */
    int64_t watchdog; /* ns without progress until it is an incident; `watchdog: 60s` */
    struct config_admin admin;
    /* log: {level: info, format: text|json} */
    int log_level;
    bool log_json;
};

/* Reads and checks the file. NULL: see the report (which the caller frees in any case; it is made here). "-" is standard input. */
const struct config *config_load(const char *file, const struct config_registry *registry,
                                 struct config_report **ret_report);
const struct config *config_load_text(const char *name, const char *text, const struct config_registry *registry,
                                      struct config_report **ret_report);
/* A config that stands in another file, by that file's name and report: root's tree lives longer than the config. NULL: reported. */
const struct config *config_load_node(const char *name, const struct config_node *root,
                                      const struct config_registry *registry, struct config_report *report);
void config_free(const struct config *config);
/* The JSON Schema of the whole file, draft-07, one document. */
void config_schema(const struct config_registry *registry, FILE *out);

#endif
