/*
 * simdjson behind C: the one place that knows that it is C++. Parses with full validation (RFC 8259, UTF-8, depth), throws
 * the tape away and keeps what stage 1 found: the positions of the structural characters, out of which members are indexed.
 *
 * Threads: a parser belongs to one thread at a time.
 */
#ifndef WEIR_STAGES_SIMDJSON_H
#define WEIR_STAGES_SIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct simdjson_parser;

/* Brackets inside each other that are still accepted. */
enum { SIMDJSON_DEPTH = 128 };

enum simdjson_answer {
    SIMDJSON_OK = 0,
    SIMDJSON_BAD_JSON,
    SIMDJSON_BAD_UTF8,
    SIMDJSON_TOO_DEEP,
    SIMDJSON_TOO_LARGE, /* past what one parser may hold (4 GiB) */
    SIMDJSON_NO_MEMORY,
};

/* Positions of { } [ ] : , and of the first byte of every scalar, ascending. Valid until the parser's next call. */
struct simdjson_indexes {
    const uint32_t *at;
    uint32_t count;
};

/* NULL: out of memory. Holds nothing big before the first parse. */
struct simdjson_parser *simdjson_new(void);
void simdjson_free(struct simdjson_parser *parser); /* NULL is fine */

/* Parses one JSON text. 64 bytes behind it must be readable. On failure *ret_words (optional) is simdjson's own sentence, a constant.
 * The parser's buffers grow with the largest text seen: about 14 bytes for each byte of it, of which only what the text needs is touched. */
enum simdjson_answer simdjson_parse(struct simdjson_parser *parser, const uint8_t *text, size_t size,
                                    struct simdjson_indexes *ret_indexes, const char **ret_words);

/* What the buffers come to, in bytes. */
size_t simdjson_memory(const struct simdjson_parser *parser);
/* Gives the buffers back when they were made for texts of more than `capacity` bytes. */
void simdjson_shrink(struct simdjson_parser *parser, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
