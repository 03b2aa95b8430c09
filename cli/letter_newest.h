/*
 * Which letter of a record is its newest: one that was refused several times has a letter of each time. The newest is the one that counts the most attempts, and of several that
 * count as many the one that lies later in the topic.
 *
 * Threads: one at a time; letter_newest_is also from several.
 */
#ifndef WEIR_CLI_LETTER_NEWEST_H
#define WEIR_CLI_LETTER_NEWEST_H

#include <stdbool.h>
#include <stdint.h>

struct letter_headers;
struct letter_newest;

enum { LETTER_NEWEST_MOST = 3 * 1024 * 1024 }; /* records, in 128 MiB */

struct letter_newest *letter_newest_new(unsigned most); /* records; never NULL */
void letter_newest_free(struct letter_newest *newest);  /* NULL is fine */
/* partition, offset: where the letter lies. False: there are letters of too many records. */
bool letter_newest_add(struct letter_newest *newest, const struct letter_headers *letter, int32_t partition,
                       int64_t offset);
/* Also true of a letter that was not added. */
bool letter_newest_is(const struct letter_newest *newest, const struct letter_headers *letter, int32_t partition,
                      int64_t offset);

#endif
