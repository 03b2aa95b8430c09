/*
 * The one C++ file. It uses simdjson's parser implementation itself rather than dom::parser around it: the same two stages, without the copy
 * that dom::parser keeps ready, and with the structural indexes at hand. No exceptions pass here: error codes and nothrow new only.
 */
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include "stages/simdjson.h"

#include <memory>
#include <new>

struct simdjson_parser {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> implementation;
    simdjson::dom::document tape;
};

static const size_t LEAST_CAPACITY = 4096;

extern "C" struct simdjson_parser *simdjson_new(void)
{
    return new (std::nothrow) simdjson_parser;
}

extern "C" void simdjson_free(struct simdjson_parser *parser)
{
    delete parser;
}

extern "C" void simdjson_shrink(struct simdjson_parser *parser, size_t capacity)
{
    if (parser->implementation && parser->implementation->capacity() > capacity) {
        parser->implementation.reset();
        parser->tape = simdjson::dom::document();
    }
}

/* Per byte of capacity: 4 of structural indexes, 8 of tape, 5/3 of strings (simdjson's dom::document::allocate). */
extern "C" size_t simdjson_memory(const struct simdjson_parser *parser)
{
    return parser->implementation ? parser->implementation->capacity() * 14 : 0;
}

static simdjson::error_code grow(struct simdjson_parser *parser, size_t size)
{
    size_t capacity = LEAST_CAPACITY;
    while (capacity < size)
        capacity *= 2;
    parser->implementation.reset();
    simdjson::error_code error = parser->tape.allocate(capacity);
    if (error == simdjson::SUCCESS)
        error = simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity, SIMDJSON_DEPTH + 1, parser->implementation); /* it counts the root as one */
    if (error != simdjson::SUCCESS)
        parser->implementation.reset();
    return error;
}

static enum simdjson_answer answer_of(simdjson::error_code error)
{
    switch (error) {
    case simdjson::SUCCESS:
        return SIMDJSON_OK;
    case simdjson::UTF8_ERROR:
        return SIMDJSON_BAD_UTF8;
    case simdjson::DEPTH_ERROR:
        return SIMDJSON_TOO_DEEP;
    case simdjson::CAPACITY:
        return SIMDJSON_TOO_LARGE;
    case simdjson::MEMALLOC:
        return SIMDJSON_NO_MEMORY;
    default:
        return SIMDJSON_BAD_JSON;
    }
}

extern "C" enum simdjson_answer simdjson_parse(struct simdjson_parser *parser, const uint8_t *text, size_t size,
                                               struct simdjson_indexes *ret_indexes, const char **ret_words)
{
    simdjson::error_code error = simdjson::SUCCESS;
    if (!parser->implementation || parser->implementation->capacity() < size)
        error = size > simdjson::SIMDJSON_MAXSIZE_BYTES / 2 ? simdjson::CAPACITY : grow(parser, size);
    if (error == simdjson::SUCCESS)
        error = parser->implementation->parse(text, size, parser->tape);
    if (error != simdjson::SUCCESS) {
        if (ret_words != nullptr)
            *ret_words = simdjson::error_message(error);
        return answer_of(error);
    }
    ret_indexes->at = parser->implementation->structural_indexes.get();
    ret_indexes->count = parser->implementation->n_structural_indexes;
    return SIMDJSON_OK;
}
