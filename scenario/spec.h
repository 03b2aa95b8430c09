/*
 * A scenario file as tables: what it gives, what it declares, what it expects. The structs are what the tables are parsed into; suite.c puts together what
 * stands beside `scenarios` and what each scenario has of its own.
 */
#ifndef WEIR_SCENARIO_SPEC_H
#define WEIR_SCENARIO_SPEC_H

#include "processor/condition.h"
#include "processor/path.h"
#include "scenario/given.h"

/* A record of the input. */
struct spec_record {
    struct config_head head;
    const char *topic;         /* NULL: the config's */
    int64_t partition, offset; /* offset -1: one behind the partition's last */
    struct given key, value;
    struct config_map headers; /* struct given */
    int64_t timestamp;         /* ms, -1: none */
};

/* Which records an answer is for: all that is given must fit. */
struct spec_which {
    int64_t partition, offset; /* -1: any */
    struct given key;
    struct condition when; /* `when` in the answer's node: there is one */
};

struct spec_reject {
    struct config_head head;
    const char *class, *message;
};

struct spec_fail {
    struct config_head head;
    int64_t times;
    int at; /* enum spec_point, of stores */
    const char *class, *message;
};

enum spec_point { SPEC_WRITE, SPEC_FLUSH };

struct spec_set {
    uint32_t count;
    struct path *paths;
    struct given *values; /* JSON */
};

/* What a stage or a store answers to the records that it is for. */
struct spec_answer {
    struct config_head head;
    struct spec_which which;
    struct spec_fail fail;
    struct spec_reject reject;
    /* Of stages. */
    bool drop;
    struct given document; /* the document from now on */
    struct spec_set set;
};

/* What is expected. */
struct spec_output {
    struct config_head head;
    int64_t partition, offset; /* of the record that it comes from; -1: not looked at */
    const char *topic;
    struct given key, value, row, contains;
    struct config_map headers; /* struct given */
    struct config_list absent; /* struct path */
};

struct spec_letter {
    struct config_head head;
    int64_t partition, offset;
    struct given key, value;
    const char *stage, *class, *message;
};

struct spec_drop {
    struct config_head head;
    int64_t partition, offset;
    struct given key;
    const char *stage;
};

/* One scenario, or (scenarios given) what all of a file have alike. */
struct spec {
    struct config_head head;
    const char *name;
    const struct config_node *config;
    struct config_map environment; /* const char * */
    int64_t now;                   /* ms, -1: the clock */
    int64_t batch;                 /* records of one batch at most, 0: as many as there are */
    int64_t timeout;               /* ns, 0: not given */
    struct config_list input;      /* struct spec_record */
    const struct config_node *output, *drops;
    struct config_list dead_letters;  /* struct spec_letter */
    const char *stops;                /* NULL: it does not */
    struct config_map stores, stages; /* struct config_list of struct spec_answer */
    struct config_list scenarios;     /* struct spec */
};

extern const struct config_field spec_scenario_field; /* a file with one scenario: struct spec */
extern const struct config_field spec_file_field;     /* a file with several: struct spec */
extern const struct config_field spec_outputs_field;  /* CONFIG_LIST of struct spec_output */
extern const struct config_field spec_drops_field;    /* CONFIG_LIST of struct spec_drop */
extern const struct config_field spec_count_field;    /* CONFIG_INT, for `drops: 2` */

/* The JSON Schema of scenario files, draft-07. */
void spec_schema(FILE *out);

#endif
