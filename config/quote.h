/* Text as a JSON string. */
#ifndef WEIR_CONFIG_QUOTE_H
#define WEIR_CONFIG_QUOTE_H

#include <stdio.h>

/* With its quotes. text is UTF-8. */
void quote_json(const char *text, FILE *out);

#endif
