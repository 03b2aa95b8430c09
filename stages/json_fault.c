/*
 * A plain checker of RFC 8259, one byte at a time, for the failing path only. It refuses what simdjson's DOM refuses beyond the
 * grammar as well: lone surrogates, integers past 64 bits, numbers past a double.
 */
#include "stages/json_fault.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_DEPTH = 128 };

struct checker {
    const uint8_t *text;
    uint32_t size, at;
    const char *words;
};

static bool fail(struct checker *checker, const char *words)
{
    checker->words = words;
    return false;
}

static int peek(const struct checker *checker)
{
    return checker->at < checker->size ? checker->text[checker->at] : -1;
}

static void skip_space(struct checker *checker)
{
    int byte = peek(checker);
    while (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
        checker->at++;
        byte = peek(checker);
    }
}

static bool check_word(struct checker *checker, const char *word)
{
    for (; *word != '\0'; word++, checker->at++) {
        if (peek(checker) != *word)
            return fail(checker, "expected true, false or null");
    }
    return true;
}

static int hex_value(int byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The four digits behind \u; -1: they are not there. */
static int check_hex(struct checker *checker)
{
    int value = 0;
    for (int i = 0; i < 4; i++, checker->at++) {
        int digit = hex_value(peek(checker));
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static bool check_unicode(struct checker *checker)
{
    int first = check_hex(checker);
    if (first < 0)
        return fail(checker, "expected four hexadecimal digits behind \\u");
    if (first < 0xd800 || first > 0xdfff)
        return true;
    uint32_t at = checker->at;
    if (first <= 0xdbff && peek(checker) == '\\') {
        checker->at++;
        if (peek(checker) == 'u') {
            checker->at++;
            int second = check_hex(checker);
            if (second >= 0xdc00 && second <= 0xdfff)
                return true;
        }
    }
    checker->at = at - 6;
    return fail(checker, "half of a surrogate pair");
}

static bool check_escape(struct checker *checker)
{
    checker->at++;
    int byte = peek(checker);
    if (byte <= 0 || strchr("\"\\/bfnrtu", byte) == NULL)
        return fail(checker, "unknown escape in a string");
    checker->at++;
    return byte != 'u' || check_unicode(checker);
}

static bool check_string(struct checker *checker)
{
    checker->at++;
    for (;;) {
        int byte = peek(checker);
        if (byte == '"') {
            checker->at++;
            return true;
        }
        if (byte < 0)
            return fail(checker, "the text ends inside a string");
        if (byte < 0x20)
            return fail(checker, "control character in a string (it must be escaped)");
        if (byte != '\\')
            checker->at++;
        else if (!check_escape(checker))
            return false;
    }
}

static bool check_digits(struct checker *checker)
{
    uint32_t start = checker->at;
    while (peek(checker) >= '0' && peek(checker) <= '9')
        checker->at++;
    return checker->at > start || fail(checker, "expected a digit");
}

/* What is a number by its grammar must also fit: 64 bits for integers, a double for the others. */
static bool check_range(struct checker *checker, uint32_t start, bool integer)
{
    enum { MOST_DIGITS = 20 };
    char copy[512];
    uint32_t size = checker->at - start;
    if (integer && size > MOST_DIGITS) {
        checker->at = start;
        return fail(checker, "integer past 64 bits");
    }
    if (size >= sizeof copy)
        return true;
    memcpy(copy, checker->text + start, size);
    copy[size] = '\0';
    errno = 0;
    if (integer && copy[0] == '-')
        (void)strtoll(copy, NULL, 10);
    else if (integer)
        (void)strtoull(copy, NULL, 10);
    else if (!isinf(strtod(copy, NULL)))
        errno = 0;
    if (errno == 0)
        return true;
    checker->at = start;
    return fail(checker, integer ? "integer past 64 bits" : "number past a double's range");
}

static bool check_number(struct checker *checker)
{
    uint32_t start = checker->at;
    bool integer = true;
    if (peek(checker) == '-')
        checker->at++;
    if (peek(checker) == '0') {
        checker->at++;
        if (peek(checker) >= '0' && peek(checker) <= '9')
            return fail(checker, "a number must not begin with 0");
    } else if (!check_digits(checker)) {
        return false;
    }
    if (peek(checker) == '.') {
        integer = false;
        checker->at++;
        if (!check_digits(checker))
            return false;
    }
    if (peek(checker) == 'e' || peek(checker) == 'E') {
        integer = false;
        checker->at++;
        if (peek(checker) == '+' || peek(checker) == '-')
            checker->at++;
        if (!check_digits(checker))
            return false;
    }
    return check_range(checker, start, integer);
}

static bool check_scalar(struct checker *checker)
{
    switch (peek(checker)) {
    case '"':
        return check_string(checker);
    case 't':
        return check_word(checker, "true");
    case 'f':
        return check_word(checker, "false");
    case 'n':
        return check_word(checker, "null");
    case -1:
        return fail(checker, "the text ends where a value was expected");
    case 0xef:
        return fail(checker, checker->at == 0 ? "byte order mark before the JSON text" : "expected a value");
    default:
        if (peek(checker) == '-' || (peek(checker) >= '0' && peek(checker) <= '9'))
            return check_number(checker);
        return fail(checker, "expected a value");
    }
}

static bool check_key(struct checker *checker)
{
    skip_space(checker);
    if (peek(checker) != '"')
        return fail(checker, peek(checker) < 0 ? "the text ends inside an object" : "expected a key in double quotes");
    if (!check_string(checker))
        return false;
    skip_space(checker);
    if (peek(checker) != ':')
        return fail(checker, "expected a colon behind the key");
    checker->at++;
    return true;
}

/* Behind a value, inside of `depth` containers: passes closing brackets and the comma. Sets *ret_done at the end of the outermost. */
static bool check_behind(struct checker *checker, const bool *is_object, int *depth, bool *ret_done)
{
    for (;;) {
        skip_space(checker);
        *ret_done = *depth == 0;
        if (*ret_done)
            return peek(checker) < 0 || fail(checker, "something follows the JSON text");
        bool object = is_object[*depth - 1];
        int byte = peek(checker);
        if (byte == ',') {
            checker->at++;
            return !object || check_key(checker);
        }
        if (byte < 0)
            return fail(checker, object ? "the text ends inside an object" : "the text ends inside an array");
        if (byte != (object ? '}' : ']'))
            return fail(checker, object ? "expected a comma or } in an object" : "expected a comma or ] in an array");
        checker->at++;
        --*depth;
    }
}

/* At an opening bracket. An empty container is a value like any other, else *depth grows and the first key is passed. */
static bool check_opening(struct checker *checker, bool *is_object, int *depth, bool *ret_empty)
{
    uint32_t start = checker->at++;
    bool object = checker->text[start] == '{';
    skip_space(checker);
    *ret_empty = peek(checker) == (object ? '}' : ']');
    if (*ret_empty) {
        checker->at++;
        return true;
    }
    if (*depth == MAX_DEPTH) {
        checker->at = start;
        return fail(checker, "more than 128 brackets inside each other");
    }
    is_object[(*depth)++] = object;
    return !object || check_key(checker);
}

static bool check_text(struct checker *checker)
{
    bool is_object[MAX_DEPTH];
    int depth = 0;
    bool done = false;
    while (!done) {
        skip_space(checker);
        int byte = peek(checker);
        bool whole = true;
        if (byte == '{' || byte == '[') {
            if (!check_opening(checker, is_object, &depth, &whole))
                return false;
        } else if (!check_scalar(checker)) {
            return false;
        }
        if (whole && !check_behind(checker, is_object, &depth, &done))
            return false;
    }
    return true;
}

long json_fault_find(struct bytes text, const char **ret_words)
{
    struct checker checker = {.text = text.data, .size = text.size};
    if (check_text(&checker))
        return -1;
    *ret_words = checker.words;
    return (long)checker.at;
}

/* Bytes of the UTF-8 sequence at `at` (RFC 3629: no surrogates, nothing overlong, nothing past 10FFFF); 0: it is none. */
static uint32_t utf8_sequence(const uint8_t *at, uint32_t left)
{
    uint8_t lead = at[0];
    if (lead < 0x80)
        return 1;
    uint32_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || size > left)
        return 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (uint32_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

long json_fault_utf8(struct bytes text)
{
    for (uint32_t at = 0; at < text.size;) {
        uint64_t eight;
        if (text.size - at >= sizeof eight) {
            memcpy(&eight, text.data + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += (uint32_t)sizeof eight;
                continue;
            }
        }
        uint32_t size = utf8_sequence(text.data + at, text.size - at);
        if (size == 0)
            return (long)at;
        at += size;
    }
    return -1;
}
