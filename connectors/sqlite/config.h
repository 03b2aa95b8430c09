/* What stands under `sqlite:` in the config. */
#ifndef WEIR_CONNECTORS_SQLITE_CONFIG_H
#define WEIR_CONNECTORS_SQLITE_CONFIG_H

#include "config/column.h"

enum sqlite_mode { MODE_APPEND, MODE_UPSERT };
enum sqlite_type { TYPE_ANY, TYPE_INTEGER, TYPE_REAL, TYPE_TEXT, TYPE_BLOB };

struct sqlite_column {
    struct config_column from;
    int type; /* enum sqlite_type: only for a table that is made */
};

struct sqlite_config {
    struct config_head head;
    const char *path, *table;
    int mode;                  /* enum sqlite_mode */
    struct config_list key;    /* const char * */
    struct config_map columns; /* struct sqlite_column */
    int64_t busy_timeout;      /* ns */
    int synchronous;           /* index into sqlite_synchronous_names */
};

extern const char *const sqlite_type_names[];        /* by enum sqlite_type; NULL-terminated */
extern const char *const sqlite_synchronous_names[]; /* NULL-terminated */
extern const struct config_field sqlite_config_field;

#endif
