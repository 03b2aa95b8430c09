/* What stands under `postgres:` in the config. */
#ifndef WEIR_CONNECTORS_POSTGRES_CONFIG_H
#define WEIR_CONNECTORS_POSTGRES_CONFIG_H

#include "config/column.h"
#include "connectors/postgres/types.h"

enum postgres_mode { POSTGRES_APPEND, POSTGRES_UPSERT };

struct postgres_column {
    struct config_column from;
    struct postgres_declared declared; /* type NULL: none */
};

struct postgres_config {
    struct config_head head;
    const char *dsn;
    const char *table;         /* as written: NAME or SCHEMA.NAME */
    int mode;                  /* enum postgres_mode */
    struct config_list key;    /* const char * */
    struct config_map columns; /* struct postgres_column */
    bool create;
    int64_t timeout; /* ns: of a statement, and of connecting */
    int64_t limit;   /* connections of this process with the same dsn; 0: no limit */
};

extern const struct config_field postgres_config_field;

/* Where it stands in the file, for what is found wrong only at the table; 0: nowhere. */
unsigned postgres_column_line(const struct postgres_config *config, uint32_t column);

#endif
