/* Rows that several tables of a scenario file have. */
#ifndef WEIR_SCENARIO_SPEC_ROWS_H
#define WEIR_SCENARIO_SPEC_ROWS_H

#include "scenario/spec.h"

#define PARTITION_ROW(type, member, words, otherwise, least)                                                           \
    {                                                                                                                  \
        .name = "partition", .help = words, .kind = CONFIG_INT, .offset = offsetof(type, member),                      \
        .fallback = otherwise, .min = least, .max = INT32_MAX                                                          \
    }
#define OFFSET_ROW(type, member, words)                                                                                \
    {                                                                                                                  \
        .name = "offset", .help = words, .kind = CONFIG_INT, .offset = offsetof(type, member), .fallback = "-1",       \
        .min = -1                                                                                                      \
    }
#define GIVEN_ROW(row, words, type, member)                                                                            \
    {                                                                                                                  \
        .name = row, .help = words, .kind = CONFIG_CUSTOM, .offset = offsetof(type, member), .custom = &given_custom   \
    }
#define TEXT_ROW(row, words, type, member)                                                                             \
    {                                                                                                                  \
        .name = row, .help = words, .kind = CONFIG_STRING, .offset = offsetof(type, member)                            \
    }
#define TABLE(symbol, words, type, rows, rule)                                                                         \
    static const struct config_table symbol##_TABLE = {                                                                \
        .name = words, .help = words, .size = sizeof(type), .fields = rows, .check = rule}
/* A table for the items of a list. */
#define ITEM(symbol, words, type, rows, rule)                                                                          \
    TABLE(symbol, words, type, rows, rule);                                                                            \
    static const struct config_field symbol = {.help = words, .kind = CONFIG_OBJECT, .table = &symbol##_TABLE}

extern const struct config_field spec_store_answers_field,
    spec_stage_answers_field; /* CONFIG_LIST of struct spec_answer */

#endif
