/*
 * PostgreSQL's types as weir knows them: their names, and a document's value in their binary format, which is the same for a field of COPY, an element of an
 * array and a parameter: the length as four bytes, then what the type's receive function reads (src/backend/utils/adt/).
 *
 * What fits where is told in docs/postgres.md; in short: nothing is guessed and no digit is lost. A number is no text in a numeric column only, where many
 * producers quote decimals; a text column takes every value, as its JSON text if it is no string.
 */
#ifndef WEIR_CONNECTORS_POSTGRES_TYPES_H
#define WEIR_CONNECTORS_POSTGRES_TYPES_H

#include "connectors/postgres/buffer.h"
#include "processor/arena.h"
#include "processor/json.h"

enum postgres_fit {
    POSTGRES_FITS,
    POSTGRES_MISFIT, /* see class and expected of the encoder */
    POSTGRES_MEMORY,
};

struct postgres_encoder {
    struct postgres_buffer *out;
    struct arena *scratch;
    int32_t modifier;     /* the column's atttypmod; -1: none */
    bool bytes_as_text;   /* bytea: a string stands for its own bytes, no base64 */
    const char *class;    /* of what did not fit */
    const char *expected; /* "an integer from -32768 to 32767" */
};

struct postgres_type {
    uint32_t oid;       /* fixed for ever (src/include/catalog/pg_type.dat); 0: any of its kind */
    const char *name;   /* as format_type() has it */
    const char *alias;  /* NULL: none */
    const char *second; /* one more; NULL: none */
    unsigned modifiers; /* how many may stand in brackets behind the name */
    bool same_bytes;    /* equal values have equal encodings */
    bool takes_raw;     /* bytes that are no JSON */
    /* Appends the value without its length. Neither missing nor null. */
    enum postgres_fit (*encode)(struct postgres_encoder *encoder, const struct value *value);
};

/* A type as it is written: `numeric(12,2)[]`. */
struct postgres_declared {
    const struct postgres_type *type;
    const char *text; /* fit for SQL */
    bool array;
};

/* NULL: weir does not know it. */
const struct postgres_type *postgres_type_by_oid(uint32_t oid);
/* Enumerations, and other types that are sent as their text. */
extern const struct postgres_type postgres_type_enum, postgres_type_citext;
/* NULL-terminated. */
extern const char *const postgres_type_names[];
/* False: no type that weir knows; *ret_why says what was expected. text lives as long as the answer. */
bool postgres_type_parse(const char *text, struct postgres_declared *ret, const char **ret_why);

enum postgres_fit postgres_misfit(struct postgres_encoder *encoder, const char *class, const char *expected);

/* A whole field: length and value, -1 for what is missing or null. */
enum postgres_fit postgres_encode_field(struct postgres_encoder *encoder, const struct postgres_type *type,
                                        const struct value *value);
/* The same of a JSON array; element: its elements' type in the catalog. */
enum postgres_fit postgres_encode_array(struct postgres_encoder *encoder, const struct postgres_type *type,
                                        uint32_t element, const struct value *value);
/* A field of bytes that are no JSON: for types with takes_raw. */
enum postgres_fit postgres_encode_raw(struct postgres_encoder *encoder, const struct postgres_type *type,
                                      struct bytes bytes);

/* types_*.c */
enum postgres_fit postgres_encode_numeric(struct postgres_encoder *encoder, const struct value *value);
enum postgres_fit postgres_encode_timestamptz(struct postgres_encoder *encoder, const struct value *value);
enum postgres_fit postgres_encode_timestamp(struct postgres_encoder *encoder, const struct value *value);
enum postgres_fit postgres_encode_date(struct postgres_encoder *encoder, const struct value *value);
enum postgres_fit postgres_encode_text(struct postgres_encoder *encoder, const struct value *value);
enum postgres_fit postgres_encode_bytea(struct postgres_encoder *encoder, const struct value *value);
enum postgres_fit postgres_encode_uuid(struct postgres_encoder *encoder, const struct value *value);
enum postgres_fit postgres_encode_json(struct postgres_encoder *encoder, const struct value *value);
enum postgres_fit postgres_encode_jsonb(struct postgres_encoder *encoder, const struct value *value);
/* Appends text after the rules of text columns (no NUL, varchar's length). */
enum postgres_fit postgres_put_text(struct postgres_encoder *encoder, struct bytes text);

#endif
