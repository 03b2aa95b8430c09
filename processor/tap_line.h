/*
 * A record as a line of JSON for who taps:
 *
 *     {"stage":"decode","answer":"rejected","class":"json","message":"...","topic":"orders","partition":0,"offset":17,"timestamp":1700000000000,
 *      "key":"7","headers":{"tenant":"acme"},"document":{...}}
 *
 * A record without a document has "value" (text) or "value_hex" in its place. What is not text is {"hex":"..."} as a key or in the headers, which keep their
 * order and duplicates. What is longer than its share of the line is cut, with its whole size beside it in "value_bytes", "key_bytes" and "headers_cut"; a
 * document that is cut stands in "document_cut" as text.
 */
#ifndef WEIR_PROCESSOR_TAP_LINE_H
#define WEIR_PROCESSOR_TAP_LINE_H

#include "processor/tap.h"

enum { TAP_DOCUMENT_MAX = 4 * 1024, TAP_KEY_MAX = 256, TAP_HEADERS_MAX = 1024 };

/* out has room for TAP_LINE_MAX. Returns the bytes, with the '\n'. Does not allocate. */
size_t tap_line(const char *stage, enum tap_answer answer, const struct batch *batch, const struct record *record,
                char *out);

#endif
