/*
 * Makes each dead letter the record that it is a letter of: without our headers, with its own timestamp, and with the place that it came from (record_origin),
 * so that templates, logs and another dead letter of it tell of that one. Key and value are the record's already. Not a step that a config can have: it is put
 * before the others by `weir dlq redrive`.
 */
#ifndef WEIR_STAGES_RESTORE_H
#define WEIR_STAGES_RESTORE_H

#include <stdbool.h>

#include "processor/stage.h"

struct restore_config {
    /* For a topic: how often it was refused stays in a header, so that it counts on when a service refuses it again. */
    bool keep_attempts;
};

/* Rejects (class "letter") what is no letter of weir, or was cut. */
extern const struct stage_type restore_stage;

#endif
