/*
 * How members are read off the structural positions of an object:
 *
 *     {  "order_id"  :  "o-1"  ,  "lines"  :  [ ... ]  }
 *     0  1           2  3      4  5        6  7     n  n+1
 *
 * A member is: its key's quote, the colon, the first byte of its value, and what comes behind the value. A container is passed by counting brackets; the end of
 * anything else is what stands before the next position, less white space. The text is valid, so nothing is checked again.
 */
#include "stages/json_document.h"

#include "stages/json_fault.h"
#include "stages/simdjson.h"

/* Just behind the last byte that is no white space, looking back from `end`. Outside of strings nothing else is that small. */
static inline uint32_t trim_back(const uint8_t *text, uint32_t end)
{
    while (text[end - 1] <= ' ')
        end--;
    return end;
}

/* +1 opens, -1 closes. The letters, digits and quotes that scalars begin with count nothing. */
static const int8_t BRACKET[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1};

/* at[i] is an opening bracket: the index of the closing one. */
static uint32_t closing(const uint8_t *text, const uint32_t *at, uint32_t i)
{
    int depth = 1;
    while (depth > 0)
        depth += BRACKET[text[at[++i]]];
    return i;
}

/* Returns the number of members; more than `room`: there are too many. Offsets are relative to the object's first byte. */
static uint32_t index_members(const uint8_t *text, const struct simdjson_indexes *indexes,
                              struct document_member *members, uint32_t room)
{
    const uint32_t *at = indexes->at;
    const uint32_t start = at[0];
    uint32_t count = 0;
    for (uint32_t i = 1; i + 2 < indexes->count; i++, count++) {
        if (count == room)
            return room + 1;
        uint32_t key = at[i] + 1, key_end = trim_back(text, at[i + 1]) - 1;
        uint32_t value = at[i + 2], end;
        if (BRACKET[text[value]] != 0) {
            i = closing(text, at, i + 2);
            end = at[i++] + 1;
        } else {
            i += 3;
            end = trim_back(text, at[i]);
        }
        members[count] = (struct document_member){key - start, key_end - key, value - start, end - value};
    }
    return count;
}

static enum status make_object(struct bytes text, const struct simdjson_indexes *indexes, struct arena *arena,
                               struct document *ret, struct json_fault *ret_fault)
{
    /* Each member has four positions, the opening bracket is one more. */
    uint32_t room = (indexes->count - 1) / 4;
    if (room > DOCUMENT_MAX_MEMBERS)
        room = DOCUMENT_MAX_MEMBERS;
    size_t size = room * sizeof(struct document_member);
    struct document_member *members = arena_alloc(arena, size);
    if (members == NULL)
        return STATUS_NO_MEMORY;
    uint32_t count = index_members(text.data, indexes, members, room);
    if (count > room) {
        arena_trim(arena, (uint8_t *)members, size, 0);
        *ret_fault = (struct json_fault){"size", "the object has more than 65535 members", -1};
        return STATUS_FAILED;
    }
    arena_trim(arena, (uint8_t *)members, size, count * sizeof *members);
    const uint32_t start = indexes->at[0], end = indexes->at[indexes->count - 1] + 1;
    *ret = (struct document){.text = bytes_of(text.data + start, end - start),
                             .members = members,
                             .member_count = (uint16_t)count,
                             .kind = DOCUMENT_OBJECT};
    return STATUS_OK;
}

static enum status refused(enum simdjson_answer answer, struct bytes text, const char *words,
                           struct json_fault *ret_fault)
{
    struct json_fault fault = {.class = "json", .words = words, .at = -1};
    switch (answer) {
    case SIMDJSON_NO_MEMORY:
        return STATUS_NO_MEMORY;
    case SIMDJSON_TOO_LARGE:
        fault.class = "size";
        break;
    case SIMDJSON_TOO_DEEP:
        fault.class = "depth";
        fault.words = "more than 128 brackets inside each other";
        break;
    case SIMDJSON_BAD_UTF8:
        fault.class = "utf8";
        fault.words = "not valid UTF-8";
        fault.at = json_fault_utf8(text);
        break;
    default:
        fault.at = json_fault_find(text, &fault.words);
    }
    *ret_fault = fault;
    return STATUS_FAILED;
}

enum status json_document(struct simdjson_parser *parser, struct bytes text, struct arena *arena, struct document *ret,
                          struct json_fault *ret_fault)
{
    struct simdjson_indexes indexes;
    const char *words = NULL;
    enum simdjson_answer answer = simdjson_parse(parser, text.data, text.size, &indexes, &words);
    if (__builtin_expect(answer != SIMDJSON_OK, 0))
        return refused(answer, text, words, ret_fault);
    uint32_t start = indexes.at[0];
    if (__builtin_expect(text.data[start] == '{', 1))
        return make_object(text, &indexes, arena, ret, ret_fault);
    *ret = (struct document){.text = bytes_of(text.data + start, trim_back(text.data, text.size) - start),
                             .kind = DOCUMENT_JSON};
    return STATUS_OK;
}
