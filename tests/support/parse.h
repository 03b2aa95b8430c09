/* YAML text through a config table, for tests of stages and stores without a whole config file. */
#ifndef WEIR_TESTS_SUPPORT_PARSE_H
#define WEIR_TESTS_SUPPORT_PARSE_H

#include "config/table.h"

struct parsed;

/* Parses `yaml` as `field` says (a stage_type's or store_type's `config`). Never NULL; free with parsed_free. */
struct parsed *parsed_new(const struct config_field *field, const char *yaml);
void parsed_free(struct parsed *parsed);
/* What a stage's init or a store's open gets; NULL when there were mistakes. */
const void *parsed_config(const struct parsed *parsed);
/* The report as printed, "" when there is nothing. */
const char *parsed_report(const struct parsed *parsed);

#endif
