/* Pieces of JSON Schema that the whole file's (config_schema) and custom fields' are made of. */
#ifndef WEIR_CONFIG_SCHEMA_H
#define WEIR_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stdio.h>

#include "config/table.h"

/* A text with a variable in it, whatever type comes out of it. */
#define SCHEMA_VARIABLE "{\"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"}"

/* `"name": {...}` of each field, separated by commas; first: nothing stands before them. Returns whether that is still so. */
bool schema_properties(const struct config_field *fields, FILE *out, int indent, bool first);

#endif
