/* The dead-letter topic: see struct dead_letter in processor/connector.h. */
#ifndef WEIR_CONNECTORS_KAFKA_DEAD_LETTER_H
#define WEIR_CONNECTORS_KAFKA_DEAD_LETTER_H

#include "config/report.h"
#include "processor/connector.h"

/* env->source_config is a struct kafka_source_config: its cluster is the dead letters' too. */
enum status kafka_dead_letter_open(const struct dead_letter_config *config, const struct connector_env *env,
                                   struct context *context, struct dead_letter **ret, struct error *error);
/* See source_type.read_dead_letters. */
void *kafka_read_dead_letters(const struct dead_letter_config *config, const void *source_config) WARN_UNUSED;
/* Judges topic and properties into the report, without a broker. */
void kafka_dead_letter_check(const struct dead_letter_config *config, const void *source_config,
                             const struct config_node *node, struct config_report *report);

#endif
