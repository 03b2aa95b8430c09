/* The dead letters of a config, read from outside: as a stretch of their topic, which no group joins for, and of which nothing is committed. */
#ifndef WEIR_CLI_LETTER_READER_H
#define WEIR_CLI_LETTER_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"
#include "processor/connector.h"
#include "processor/stretch.h"

struct config;

struct letter_reader {
    const char *what; /* the verb, for messages */
    const struct config *config;
    const char *topic;
    void *source_config; /* of that topic; freed by letter_reader_fini */
    int64_t timeout;     /* ns: so long the other side may take to say what there is */
};

/* EXIT_OK, or what the config lacks has been said on stderr. */
enum exit_code letter_reader_init(struct letter_reader *reader, const char *what, const struct config *config,
                                  int64_t timeout);
void letter_reader_fini(struct letter_reader *reader); /* fine after a failure too */
/* What the request comes to. Not EXIT_OK: said on stderr. */
enum exit_code letter_reader_find(const struct letter_reader *reader, const struct stretch_request *request,
                                  struct stretch **ret);
/* Reads what is left of it (see stretch_part.next) and its filter lets through. visit runs in one thread, until it returns false; the record lives no longer
 * than that. Not EXIT_OK: said on stderr. */
enum exit_code letter_reader_read(const struct letter_reader *reader, const struct stretch *stretch,
                                  bool (*visit)(const struct batch *batch, const struct record *record, void *arg),
                                  void *arg);

#endif
