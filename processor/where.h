/*
 * Which records are meant, as people write it on a command line (`weir tap --where`, `weir replay --where`):
 *
 *     header.tenant=acme        key!=42        .order.status=PAID && .total=12.5        ."odd name"="a && b"
 *
 * One comparison, or up to WHERE_TERMS joined by ` && ` (blanks around it); `=` or `!=`. `header.NAME` is the last header of that name; `key` the record's key;
 * `.path` (processor/path.h) a value of its document. A value in double quotes is text (\" and \\ inside); one without quotes goes to the end or to ` && `, and
 * means the text as it is written, or the number, true, false or null that it is in JSON: `key=null` holds for no key at all too. One that begins with `=`, or
 * has `&&` or `||` in it, is refused without quotes: most likely an operator was meant.
 * A header or a value that is missing is different from every value, so it satisfies `!=` and never `=`. Objects and arrays equal nothing.
 *
 * Threads: const after it was parsed, so where_matches from any.
 */
#ifndef WEIR_PROCESSOR_WHERE_H
#define WEIR_PROCESSOR_WHERE_H

#include <stdbool.h>

#include "processor/batch.h"

struct where;

enum { WHERE_TERMS = 8 };
/* Flags. Without it `.path` is refused: who asks has records that nobody decoded. */
enum { WHERE_ALLOW_PATHS = 1 };

/* STATUS_FAILED: *ret_at is the position in text, in bytes from 0, and *ret_why a constant text of what was expected there. */
enum status where_parse(const char *text, unsigned flags, struct where **ret, unsigned *ret_at,
                        const char **ret_why) WARN_UNUSED;
void where_free(struct where *where); /* NULL is fine */
bool where_has_paths(const struct where *where);

/* arena: for what has to be built on the way; nothing of it is needed afterwards. Looks at the record as it is now, changes of stages included. When the
 * system has no memory the process ends, as with condition_holds. */
bool where_matches(const struct where *where, const struct record *record, struct arena *arena);

#endif
