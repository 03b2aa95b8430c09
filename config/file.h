/* The top level of the file as a table, and the tables of what every stage and store has beside its own settings. */
#ifndef WEIR_CONFIG_FILE_H
#define WEIR_CONFIG_FILE_H

#include "config/config.h"

struct file_retry {
    struct config_head head;
    int64_t max;
    int64_t backoff[2];
};

struct file_restarts {
    struct config_head head;
    int64_t max, within;
};

struct file_dead_letter {
    struct config_head head;
    const char *topic;
    struct config_map properties;
};

struct file_errors {
    struct config_head head;
    struct file_retry retry;
    struct file_restarts restarts;
    struct file_dead_letter dead_letter;
};

struct file_log {
    struct config_head head;
    int level, format;
};

struct file {
    struct config_head head;
    const char *service;
    int64_t memory;
    int order, delivery;
    const struct config_node *source, *stages;
    struct file_errors errors;
    int64_t shutdown, watchdog;
    struct config_admin admin;
    struct file_log log;
};

extern const struct config_field file_field;    /* struct file */
extern const struct config_custom admin_custom; /* struct config_admin */

#endif
