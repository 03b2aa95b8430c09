/* What is a secret by its name, and keeping one out of a text. */
#ifndef WEIR_CONFIG_SECRET_H
#define WEIR_CONFIG_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "config/tree.h"

/* password, client_secret, ssl.key.pem ...: fields that a table declares are CONFIG_SECRET; this is for free-form keys (librdkafka's properties) and for
 * misspelt or misplaced ones. */
bool secret_name(const char *name, size_t size);
/* By the node's key, or by that of the list or map it stands in. */
bool secret_by_key(const struct config_node *node);
/* Puts *** in place of secret in text (of `room` bytes), so far as it is told apart from other words: long ones wherever they stand, short ones as a
 * word, very short ones in quotes. own: the text is about this very secret: as a word, however short. */
void secret_scrub(char *text, size_t room, const char *secret, bool own);

#endif
