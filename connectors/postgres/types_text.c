/* Types whose binary format is a text or bytes: text, varchar, char, enumerations, bytea, uuid, json and jsonb. */
#include <string.h>

#include "connectors/postgres/types.h"

enum { VARLENA_HEAD = 4, UUID_SIZE = 16, JSONB_VERSION = 1 };

/* -- text -- */

static uint32_t count_characters(struct bytes text)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

/* Blanks beyond the length are cut off by the server, as the standard wants it. */
static bool fits_length(struct bytes text, int32_t modifier)
{
    if (modifier < VARLENA_HEAD)
        return true;
    uint32_t most = (uint32_t)(modifier - VARLENA_HEAD);
    if (text.size <= most)
        return true;
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return count_characters(text) <= most;
}

enum postgres_fit postgres_put_text(struct postgres_encoder *encoder, struct bytes text)
{
    if (text.size == 0)
        return POSTGRES_FITS;
    if (memchr(text.data, '\0', text.size) != NULL)
        return postgres_misfit(encoder, "utf8", "a text without the character U+0000, which PostgreSQL cannot keep");
    if (!fits_length(text, encoder->modifier))
        return postgres_misfit(encoder, "size", "a text that is no longer than the column's type allows");
    uint8_t *at = postgres_buffer_room(encoder->out, text.size);
    if (at == NULL)
        return POSTGRES_MEMORY;
    memcpy(at, text.data, text.size);
    encoder->out->size += text.size;
    return POSTGRES_FITS;
}

enum postgres_fit postgres_encode_text(struct postgres_encoder *encoder, const struct value *value)
{
    struct bytes text = value->text;
    if (value->type == VALUE_STRING && !json_string(value, encoder->scratch, &text))
        return POSTGRES_MEMORY;
    return postgres_put_text(encoder, text);
}

/* -- bytea -- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum postgres_fit put_hex(struct postgres_encoder *encoder, struct bytes text)
{
    uint8_t *at = postgres_buffer_room(encoder->out, text.size / 2);
    if (at == NULL)
        return POSTGRES_MEMORY;
    for (uint32_t i = 0; i + 1 < text.size; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return postgres_misfit(encoder, "type", "hexadecimal digits behind \\x");
        *at++ = (uint8_t)(high << 4 | low);
    }
    if (text.size % 2 != 0)
        return postgres_misfit(encoder, "type", "an even number of hexadecimal digits behind \\x");
    encoder->out->size += text.size / 2;
    return POSTGRES_FITS;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    /* RFC 4648's second alphabet, for URLs, beside the first. */
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static enum postgres_fit put_base64(struct postgres_encoder *encoder, struct bytes text)
{
    uint8_t *begin = postgres_buffer_room(encoder->out, (size_t)text.size / 4 * 3 + 3), *at = begin;
    uint32_t bits = 0, held = 0;
    if (begin == NULL)
        return POSTGRES_MEMORY;
    /* The padding may be left out. */
    if (text.size > 0 && text.size % 4 == 0) {
        for (int i = 0; i < 2 && text.data[text.size - 1] == '='; i++)
            text.size--;
    }
    for (uint32_t i = 0; i < text.size; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0)
            return postgres_misfit(encoder, "type", "base64, or \\x and hexadecimal digits");
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *at++ = (uint8_t)(bits >> held);
        }
    }
    if (held >= 6)
        return postgres_misfit(encoder, "type", "base64 of whole bytes");
    encoder->out->size += (size_t)(at - begin);
    return POSTGRES_FITS;
}

enum postgres_fit postgres_encode_bytea(struct postgres_encoder *encoder, const struct value *value)
{
    struct bytes text;
    if (value->type != VALUE_STRING)
        return postgres_misfit(encoder, "type", "a string: base64, or \\x and hexadecimal digits");
    if (!json_string(value, encoder->scratch, &text))
        return POSTGRES_MEMORY;
    if (encoder->bytes_as_text) {
        uint8_t *at = postgres_buffer_room(encoder->out, text.size);
        if (at == NULL)
            return POSTGRES_MEMORY;
        if (text.size > 0)
            memcpy(at, text.data, text.size);
        encoder->out->size += text.size;
        return POSTGRES_FITS;
    }
    if (text.size >= 2 && text.data[0] == '\\' && text.data[1] == 'x')
        return put_hex(encoder, bytes_of(text.data + 2, text.size - 2));
    return put_base64(encoder, text);
}

/* -- uuid -- */

enum postgres_fit postgres_encode_uuid(struct postgres_encoder *encoder, const struct value *value)
{
    static const char expected[] = "a UUID, as in \"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"";
    struct bytes text;
    uint8_t *out = postgres_buffer_room(encoder->out, UUID_SIZE);
    if (out == NULL)
        return POSTGRES_MEMORY;
    if (value->type != VALUE_STRING)
        return postgres_misfit(encoder, "type", expected);
    if (!json_string(value, encoder->scratch, &text))
        return POSTGRES_MEMORY;
    bool dashes = text.size == 36;
    if (!dashes && text.size != 32)
        return postgres_misfit(encoder, "type", expected);
    const uint8_t *at = text.data;
    for (unsigned i = 0; i < UUID_SIZE; i++, at += 2) {
        if (dashes && (i == 4 || i == 6 || i == 8 || i == 10) && *at++ != '-')
            return postgres_misfit(encoder, "type", expected);
        int high = hex_digit(at[0]), low = hex_digit(at[1]);
        if (high < 0 || low < 0)
            return postgres_misfit(encoder, "type", expected);
        out[i] = (uint8_t)(high << 4 | low);
    }
    encoder->out->size += UUID_SIZE;
    return POSTGRES_FITS;
}

/* -- JSON -- */

static enum postgres_fit put_json(struct postgres_encoder *encoder, struct bytes text)
{
    uint8_t *at = postgres_buffer_room(encoder->out, text.size);
    if (at == NULL)
        return POSTGRES_MEMORY;
    memcpy(at, text.data, text.size);
    encoder->out->size += text.size;
    return POSTGRES_FITS;
}

enum postgres_fit postgres_encode_json(struct postgres_encoder *encoder, const struct value *value)
{
    return put_json(encoder, value->text);
}

/* A \u0000 that is no escaped backslash with "u0000" behind it. jsonb keeps texts unescaped, so it cannot have it; json can. */
static bool has_escaped_nul(struct bytes text)
{
    const uint8_t *at = text.data, *end = at + text.size;
    while ((at = memmem(at, (size_t)(end - at), "\\u0000", 6)) != NULL) {
        const uint8_t *run = at;
        while (run > text.data && run[-1] == '\\')
            run--;
        if (((at - run) & 1) == 0)
            return true;
        at++;
    }
    return false;
}

enum postgres_fit postgres_encode_jsonb(struct postgres_encoder *encoder, const struct value *value)
{
    uint8_t *version = postgres_buffer_room(encoder->out, 1);
    if (version == NULL)
        return POSTGRES_MEMORY;
    if (has_escaped_nul(value->text))
        return postgres_misfit(encoder, "utf8", "JSON without \\u0000, which jsonb cannot keep");
    *version = JSONB_VERSION;
    encoder->out->size++;
    return put_json(encoder, value->text);
}
