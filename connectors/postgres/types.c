/* See types.h. Here: the table of types, the numbers and bool, and what frames a field. */
#include "connectors/postgres/types.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum postgres_fit postgres_misfit(struct postgres_encoder *encoder, const char *class, const char *expected)
{
    encoder->class = class;
    encoder->expected = expected;
    return POSTGRES_MISFIT;
}

/* -- numbers -- */

static enum postgres_fit put_bytes(struct postgres_encoder *encoder, const void *data, size_t size)
{
    uint8_t *at = postgres_buffer_room(encoder->out, size);
    if (at == NULL)
        return POSTGRES_MEMORY;
    memcpy(at, data, size);
    encoder->out->size += size;
    return POSTGRES_FITS;
}

static bool integer_between(const struct value *value, int64_t least, int64_t most, int64_t *ret)
{
    return json_int64(value, ret) && *ret >= least && *ret <= most;
}

static enum postgres_fit encode_int2(struct postgres_encoder *encoder, const struct value *value)
{
    int64_t number;
    if (!integer_between(value, INT16_MIN, INT16_MAX, &number))
        return postgres_misfit(encoder, "type", "an integer from -32768 to 32767");
    uint16_t wire = htobe16((uint16_t)number);
    return put_bytes(encoder, &wire, sizeof wire);
}

static enum postgres_fit encode_int4(struct postgres_encoder *encoder, const struct value *value)
{
    int64_t number;
    if (!integer_between(value, INT32_MIN, INT32_MAX, &number))
        return postgres_misfit(encoder, "type", "an integer from -2147483648 to 2147483647");
    uint32_t wire = htobe32((uint32_t)number);
    return put_bytes(encoder, &wire, sizeof wire);
}

static enum postgres_fit encode_int8(struct postgres_encoder *encoder, const struct value *value)
{
    int64_t number;
    if (!json_int64(value, &number))
        return postgres_misfit(encoder, "type", "an integer of 64 bits");
    uint64_t wire = htobe64((uint64_t)number);
    return put_bytes(encoder, &wire, sizeof wire);
}

/* JSON has no words for these three; PostgreSQL's stand for them. */
static bool special_number(const struct value *value, double *ret)
{
    static const struct {
        const char *word;
        double number;
    } specials[] = {{"\"NaN\"", NAN}, {"\"Infinity\"", INFINITY}, {"\"-Infinity\"", -INFINITY}};
    if (value->type != VALUE_STRING)
        return false;
    for (unsigned i = 0; i < sizeof specials / sizeof *specials; i++) {
        if (bytes_equal(value->text, bytes_of_string(specials[i].word))) {
            *ret = specials[i].number;
            return true;
        }
    }
    return false;
}

static enum postgres_fit encode_float8(struct postgres_encoder *encoder, const struct value *value)
{
    double number;
    uint64_t wire;
    if (!json_double(value, &number) && !special_number(value, &number))
        return postgres_misfit(encoder, "type", "a number within the range of double precision");
    memcpy(&wire, &number, sizeof wire);
    wire = htobe64(wire);
    return put_bytes(encoder, &wire, sizeof wire);
}

static enum postgres_fit encode_float4(struct postgres_encoder *encoder, const struct value *value)
{
    double number;
    uint32_t wire;
    bool special = special_number(value, &number);
    if (!special && !json_double(value, &number))
        return postgres_misfit(encoder, "type", "a number within the range of real");
    float narrow = (float)number;
    if (!special && (isinf(narrow) || (narrow == 0 && number != 0)))
        return postgres_misfit(encoder, "type", "a number within the range of real");
    memcpy(&wire, &narrow, sizeof wire);
    wire = htobe32(wire);
    return put_bytes(encoder, &wire, sizeof wire);
}

static enum postgres_fit encode_bool(struct postgres_encoder *encoder, const struct value *value)
{
    if (value->type != VALUE_BOOL)
        return postgres_misfit(encoder, "type", "true or false");
    uint8_t wire = value->text.data[0] == 't';
    return put_bytes(encoder, &wire, sizeof wire);
}

/* -- the table -- */

static const struct postgres_type types[] = {
    {20, "bigint", "int8", NULL, 0, true, false, encode_int8},
    {23, "integer", "int4", "int", 0, true, false, encode_int4},
    {21, "smallint", "int2", NULL, 0, true, false, encode_int2},
    {1700, "numeric", "decimal", NULL, 2, false, false, postgres_encode_numeric},
    {701, "double precision", "float8", "float", 0, false, false, encode_float8},
    {700, "real", "float4", NULL, 0, false, false, encode_float4},
    {16, "boolean", "bool", NULL, 0, true, false, encode_bool},
    {25, "text", NULL, NULL, 0, true, true, postgres_encode_text},
    {1043, "character varying", "varchar", NULL, 1, true, true, postgres_encode_text},
    {1042, "character", "char", "bpchar", 1, false, true, postgres_encode_text},
    {2950, "uuid", NULL, NULL, 0, true, false, postgres_encode_uuid},
    {1184, "timestamp with time zone", "timestamptz", NULL, 1, false, false, postgres_encode_timestamptz},
    {1114, "timestamp without time zone", "timestamp", NULL, 1, false, false, postgres_encode_timestamp},
    {1082, "date", NULL, NULL, 0, true, false, postgres_encode_date},
    {17, "bytea", NULL, NULL, 0, true, true, postgres_encode_bytea},
    {114, "json", NULL, NULL, 0, false, false, postgres_encode_json},
    {3802, "jsonb", NULL, NULL, 0, false, false, postgres_encode_jsonb},
};

enum { TYPES = sizeof types / sizeof *types };

const char *const postgres_type_names[] = {
    "bigint",
    "int8",
    "integer",
    "int4",
    "int",
    "smallint",
    "int2",
    "numeric",
    "decimal",
    "float8",
    "double precision",
    "real",
    "float4",
    "boolean",
    "bool",
    "text",
    "varchar",
    "char",
    "uuid",
    "date",
    "timestamptz",
    "timestamp",
    "bytea",
    "json",
    "jsonb",
    NULL,
};

const struct postgres_type postgres_type_enum = {0, "enum", NULL, NULL, 0, true, false, postgres_encode_text};
const struct postgres_type postgres_type_citext = {0, "citext", NULL, NULL, 0, false, true, postgres_encode_text};

const struct postgres_type *postgres_type_by_oid(uint32_t oid)
{
    for (unsigned i = 0; i < TYPES; i++) {
        if (types[i].oid == oid)
            return &types[i];
    }
    return NULL;
}

/* -- declared types -- */

/* Does the text begin with that name, as a whole word? Behind it, or NULL. */
static const char *take_name(const char *text, const char *name)
{
    size_t size = name != NULL ? strlen(name) : 0;
    if (size == 0 || strncasecmp(text, name, size) != 0 || isalnum((unsigned char)text[size]) || text[size] == '_')
        return NULL;
    return text + size;
}

/* The longest name that fits: "timestamp with time zone" begins with "timestamp". */
static const struct postgres_type *find_name(const char *text, const char **ret_behind)
{
    const struct postgres_type *found = NULL;
    for (unsigned i = 0; i < TYPES; i++) {
        const char *const names[] = {types[i].name, types[i].alias, types[i].second};
        for (unsigned j = 0; j < 3; j++) {
            const char *behind = take_name(text, names[j]);
            if (behind != NULL && (found == NULL || behind > *ret_behind)) {
                found = &types[i];
                *ret_behind = behind;
            }
        }
    }
    return found;
}

static const char *skip_blanks(const char *at)
{
    while (*at == ' ')
        at++;
    return at;
}

/* `(12, 2)`; NULL: not so. */
static const char *take_modifiers(const char *at, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        at = skip_blanks(at + 1);
        const char *digits = at;
        while (isdigit((unsigned char)*at))
            at++;
        if (at == digits || at - digits > 8)
            return NULL;
        at = skip_blanks(at);
        if (*at == ')')
            return at + 1;
        if (*at != ',')
            return NULL;
    }
    return NULL;
}

bool postgres_type_parse(const char *text, struct postgres_declared *ret, const char **ret_why)
{
    const char *at = text;
    const struct postgres_type *type = find_name(text, &at);
    *ret_why = "a type of PostgreSQL that weir knows";
    if (type == NULL)
        return false;
    at = skip_blanks(at);
    if (*at == '(') {
        at = take_modifiers(at, type->modifiers);
        *ret_why = type->modifiers == 2   ? "a precision and a scale in the brackets, as in numeric(12,2)"
                   : type->modifiers == 1 ? "a number in the brackets, as in varchar(40)"
                                          : "no brackets behind this type";
        if (at == NULL)
            return false;
        at = skip_blanks(at);
    }
    bool array = strncmp(at, "[]", 2) == 0;
    at = skip_blanks(array ? at + 2 : at);
    *ret_why = "nothing behind the type but [] for an array of one dimension";
    if (*at != '\0')
        return false;
    *ret = (struct postgres_declared){.type = type, .text = text, .array = array};
    return true;
}

/* -- fields -- */

enum { LENGTH = 4, ARRAY_HEAD = 20 };

static enum postgres_fit put_null(struct postgres_encoder *encoder)
{
    static const uint8_t null[LENGTH] = {0xff, 0xff, 0xff, 0xff};
    return put_bytes(encoder, null, sizeof null);
}

/* Where the length goes that is known only afterwards; SIZE_MAX: out of memory. */
static size_t begin_field(struct postgres_encoder *encoder)
{
    size_t at = encoder->out->size;
    if (postgres_buffer_room(encoder->out, LENGTH) == NULL)
        return SIZE_MAX;
    encoder->out->size += LENGTH;
    return at;
}

static enum postgres_fit end_field(struct postgres_encoder *encoder, size_t at)
{
    size_t size = encoder->out->size - at - LENGTH;
    /* MaxAllocSize of the server, less what its own headers take. */
    if (size > 0x3fffffff - 64)
        return postgres_misfit(encoder, "size", "at most 1 GiB");
    postgres_put32(encoder->out->data + at, (uint32_t)size);
    return POSTGRES_FITS;
}

enum postgres_fit postgres_encode_field(struct postgres_encoder *encoder, const struct postgres_type *type,
                                        const struct value *value)
{
    if (value->type == VALUE_MISSING || value->type == VALUE_NULL)
        return put_null(encoder);
    size_t at = begin_field(encoder);
    if (at == SIZE_MAX)
        return POSTGRES_MEMORY;
    enum postgres_fit fit = type->encode(encoder, value);
    return fit == POSTGRES_FITS ? end_field(encoder, at) : fit;
}

/* array_recv(): dimensions, whether there are nulls, the elements' type; of each dimension its size and first index; the elements. */
enum postgres_fit postgres_encode_array(struct postgres_encoder *encoder, const struct postgres_type *type,
                                        uint32_t element, const struct value *value)
{
    if (value->type == VALUE_MISSING || value->type == VALUE_NULL)
        return put_null(encoder);
    if (value->type != VALUE_ARRAY)
        return postgres_misfit(encoder, "type", "an array");
    size_t at = begin_field(encoder);
    if (at == SIZE_MAX || postgres_buffer_room(encoder->out, ARRAY_HEAD) == NULL)
        return POSTGRES_MEMORY;
    encoder->out->size += ARRAY_HEAD;
    const uint8_t *cursor = NULL;
    struct value item;
    uint32_t count = 0, nulls = 0;
    for (; json_next_element(value->text, &cursor, &item); count++) {
        enum postgres_fit fit = postgres_encode_field(encoder, type, &item);
        if (fit != POSTGRES_FITS)
            return fit;
        nulls |= item.type == VALUE_NULL;
    }
    uint8_t *head = encoder->out->data + at + LENGTH;
    postgres_put32(head, count > 0);
    postgres_put32(head + 4, nulls);
    postgres_put32(head + 8, element);
    postgres_put32(head + 12, count);
    postgres_put32(head + 16, 1);
    /* An empty one has no dimension. */
    if (count == 0)
        encoder->out->size -= 8;
    return end_field(encoder, at);
}

enum postgres_fit postgres_encode_raw(struct postgres_encoder *encoder, const struct postgres_type *type,
                                      struct bytes bytes)
{
    if (!type->takes_raw)
        return postgres_misfit(encoder, "type", "a value out of a decoded document");
    size_t at = begin_field(encoder);
    if (at == SIZE_MAX)
        return POSTGRES_MEMORY;
    enum postgres_fit fit;
    if (type->encode == postgres_encode_bytea)
        fit = put_bytes(encoder, bytes.data, bytes.size);
    else if (!utf8_valid(bytes))
        fit = postgres_misfit(encoder, "utf8", "valid UTF-8");
    else
        fit = postgres_put_text(encoder, bytes);
    return fit == POSTGRES_FITS ? end_field(encoder, at) : fit;
}
