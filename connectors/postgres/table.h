/* The table as the catalog has it, checked against the config: what each column is sent as. Read at each connect, as it may have been changed meanwhile. */
#ifndef WEIR_CONNECTORS_POSTGRES_TABLE_H
#define WEIR_CONNECTORS_POSTGRES_TABLE_H

#include "connectors/postgres/connection.h"
#include "processor/arena.h"

struct probe;

struct postgres_target {
    const char *name;
    uint32_t config; /* which of the config's columns */
    const struct postgres_type *type;
    bool array;       /* of `type` */
    uint32_t oid;     /* its type's in the catalog, */
    uint32_t element; /* of an array the elements', */
    uint32_t arrays;  /* and that of arrays of it; 0: there is none */
    int32_t modifier;
    bool not_null;        /* a default does not stand in for a null that is sent */
    const char *sql_type; /* with modifiers */
};

struct postgres_table {
    struct arena arena; /* what the pointers below point to */
    uint32_t oid;
    const char *schema, *name;
    const char *form;                /* a hash of its columns' types, see postgres_sql.guard */
    struct postgres_target *targets; /* the key's columns first */
    uint32_t count, keys;
    bool arrays;    /* a column is an array, or of a type without arrays: they cannot go as parameters to unnest */
    bool distinct;  /* equal keys may have different encodings */
    bool temporary; /* we may make temporary tables */
};

void postgres_table_init(struct postgres_table *table);
void postgres_table_fini(struct postgres_table *table);
/* Finds the table (makes it, with `create`), and checks that all fits. ERROR_FATAL says what does not, with its place in the config. */
enum status postgres_table_read(struct postgres_table *table, struct postgres_connection *connection,
                                struct context *context, struct error *error);
/* For `weir check --live`: the same without making anything, for a table that was not read before; all columns that do not fit are told to the probe. */
enum status postgres_table_probe(struct postgres_table *table, struct postgres_connection *connection,
                                 struct probe *probe, struct context *context, struct error *error);

#endif
