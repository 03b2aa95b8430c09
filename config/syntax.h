/* What libyaml says about broken YAML, in words that help. */
#ifndef WEIR_CONFIG_SYNTAX_H
#define WEIR_CONFIG_SYNTAX_H

#include <stddef.h>
#include <yaml.h>

struct config_report;

/* text: the whole file's. */
void syntax_report(const yaml_parser_t *parser, const char *text, size_t size, struct config_report *report);

#endif
