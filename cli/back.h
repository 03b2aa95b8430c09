/* The store that brings records back to where a source has them from (source_type.back), with its config. */
#ifndef WEIR_CLI_BACK_H
#define WEIR_CLI_BACK_H

#include "processor/pipeline.h"

struct back;

/* ret_store lives as long. NULL: the source has none. */
struct back *back_new(const struct source_type *type, struct pipeline_store *ret_store) WARN_UNUSED;
void back_free(struct back *back); /* NULL is fine */

#endif
