/* All SQL text that is made: names are quoted here, and nothing else of the config's comes into it but types that types.c has parsed. */
#ifndef WEIR_CONNECTORS_POSTGRES_SQL_H
#define WEIR_CONNECTORS_POSTGRES_SQL_H

#include "connectors/postgres/table.h"

/* A hash of a table's columns and their types; the table follows. */
#define POSTGRES_FORM                                                                                                  \
    "md5(string_agg(attnum || ' ' || atttypid, ',' ORDER BY attnum)) FROM pg_attribute WHERE attnum > 0 AND NOT "      \
    "attisdropped AND attrelid = "

/* The statements by which rows are written. */
struct postgres_sql {
    char *copy; /* append */
    char *
        guard; /* append: fails when the table's types are not those that were read, as COPY takes eight bytes of a bigint for a double without a word */
    char *stage;        /* upsert, many rows: the temporary table and COPY into it, */
    char *merge;        /* and from there into the table */
    char *unnest;       /* upsert, few rows: a parameter for each column, an array */
    char *unnest_dedup; /* the same, and of equal keys only the last */
    char *merge_dedup;
};

/* All are allocated; NULL: out of memory. */
char *postgres_sql_table(const struct postgres_config *config);     /* "sales"."orders" */
char *postgres_sql_create(const struct postgres_config *config);    /* CREATE TABLE IF NOT EXISTS */
char *postgres_sql_array(const char *const *texts, uint32_t count); /* {"a","b"}: a literal of text[] */
char *postgres_sql_offsets(const struct postgres_table *table);     /* "sales".weir_offsets */

bool postgres_sql_make(const struct postgres_table *table, bool upsert, struct postgres_sql *ret);
void postgres_sql_fini(struct postgres_sql *sql);

#endif
