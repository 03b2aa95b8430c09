/* What stands in for stores and dead letters when nothing is to be written: everything up to the write happens, and is counted. */
#ifndef WEIR_CLI_DRY_RUN_H
#define WEIR_CLI_DRY_RUN_H

#include "processor/connector.h"

struct pipeline_store;

/* Its config is a struct pipeline_store: that of the store which it stands in for. It looks at every record as that one would (store_type.preview), and rejects
 * what it would reject without the other side's help. */
extern const struct store_type dry_store_type;

/* As source_type.open_dead_letter: tells the first few of them in the log, and acknowledges all. */
enum status dry_open_dead_letter(const struct dead_letter_config *config, const struct connector_env *env,
                                 struct context *context, struct dead_letter **ret, struct error *error);

#endif
