/*
 * JSON text -> a document with its top-level members indexed. The member index comes out of the parser's structural positions: nothing is scanned twice.
 */
#ifndef WEIR_STAGES_JSON_DOCUMENT_H
#define WEIR_STAGES_JSON_DOCUMENT_H

#include "processor/arena.h"
#include "processor/document.h"

struct simdjson_parser;

/* Why a text is no document. class: "json", "utf8", "depth" or "size"; constants. */
struct json_fault {
    const char *class;
    const char *words;
    long at; /* offset of the first wrong byte, -1: not known */
};

/* text: in memory with 64 readable bytes behind it, that lives as long as the document; white space around the value is cut off. Members are made in arena.
 * STATUS_FAILED: see ret_fault. STATUS_NO_MEMORY. *ret is untouched on failure. */
enum status json_document(struct simdjson_parser *parser, struct bytes text, struct arena *arena, struct document *ret,
                          struct json_fault *ret_fault) WARN_UNUSED;

#endif
