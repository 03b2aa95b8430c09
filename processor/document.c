#include "processor/document.h"

#include "processor/check.h"

/* A value at a name. Changes of members that the text has come into force where they stand; others are added at the end, in their order. */
struct document_change {
    const uint8_t *name;  /* plain; the path's */
    const uint8_t *value; /* NULL: removed, which only members of the text are */
    uint32_t name_size, value_size;
    uint16_t member;   /* the one of the text that has this name; the last one, if several have */
    uint16_t repeated; /* several have */
};

enum { NO_MEMBER = UINT16_MAX, FIRST_ROOM = 4 };

/* -- reading -- */

static struct document_change *find_change(const struct document *document, struct bytes name)
{
    for (unsigned i = 0; i < document->change_count; i++) {
        struct document_change *change = &document->changes[i];
        if (change->name_size == name.size && memcmp(change->name, name.data, name.size) == 0)
            return change;
    }
    return NULL;
}

/* The last member of that name before `end`; NO_MEMBER: none. Most are told from it by their size or first byte. */
static unsigned find_member(const struct document *document, struct bytes name, unsigned end)
{
    /* An empty key's first byte is the quote that ends it. */
    const uint8_t *text = document->text.data, first = name.size > 0 ? name.data[0] : '"';
    while (end-- > 0) {
        const struct document_member *member = &document->members[end];
        const uint8_t *key = text + member->key;
        if (member->key_size >= name.size && (*key == first || *key == '\\') &&
            json_key_equals(bytes_of(key, member->key_size), name))
            return end;
    }
    return NO_MEMBER;
}

static struct value missing(void)
{
    return (struct value){.type = VALUE_MISSING};
}

static struct value get_member(const struct document *document, struct bytes name)
{
    const struct document_change *change = find_change(document, name);
    if (change != NULL)
        return change->value != NULL ? json_value(bytes_of(change->value, change->value_size)) : missing();
    unsigned i = find_member(document, name, document->member_count);
    if (i == NO_MEMBER)
        return missing();
    const struct document_member *member = &document->members[i];
    return json_value(bytes_of(document->text.data + member->value, member->value_size));
}

static struct value get_whole(const struct document *document, struct arena *arena)
{
    if (document->kind == DOCUMENT_NULL)
        return json_value(bytes_of("null", 4));
    if (document->kind != DOCUMENT_JSON && document->kind != DOCUMENT_OBJECT)
        return missing();
    if (document->change_count == 0)
        return json_value(document->text);
    size_t room = document_encoded_max(document);
    uint8_t *text = arena_text(arena, room);
    /* To answer "missing" would be a lie that ends in the store. */
    CHECK(text != NULL);
    size_t used = document_encode(document, text);
    arena_trim(arena, text, room, used);
    return json_value(bytes_of(text, (uint32_t)used));
}

static struct value get_step(const struct value *value, const struct path_step *step)
{
    if (step->name.data != NULL)
        return value->type == VALUE_OBJECT ? json_member(value->text, step->name) : missing();
    return value->type == VALUE_ARRAY ? json_element(value->text, step->index) : missing();
}

struct value document_get(const struct document *document, const struct path *path, struct arena *arena)
{
    struct value value;
    uint32_t i = 0;
    if (path->count == 0)
        return get_whole(document, arena);
    if (document->kind == DOCUMENT_JSON) {
        value = json_value(document->text);
    } else if (document->kind == DOCUMENT_OBJECT && path->steps[0].name.data != NULL) {
        value = get_member(document, path->steps[0].name);
        i = 1;
    } else {
        return missing();
    }
    for (; i < path->count && value.type != VALUE_MISSING; i++)
        value = get_step(&value, &path->steps[i]);
    return value;
}

/* -- changing -- */

static bool make_room(struct document *document, struct arena *arena)
{
    if (document->change_count < document->change_room)
        return true;
    unsigned room = document->change_room == 0 ? FIRST_ROOM : document->change_room * 2u;
    if (room > UINT16_MAX)
        return false;
    struct document_change *changes = arena_alloc(arena, room * sizeof *changes);
    if (changes == NULL)
        return false;
    if (document->change_count > 0)
        memcpy(changes, document->changes, document->change_count * sizeof *changes);
    document->changes = changes;
    document->change_room = (uint16_t)room;
    return true;
}

/* A change that there is none of yet. */
static enum status add_change(struct document *document, struct bytes name, struct bytes value, unsigned member,
                              struct arena *arena)
{
    if (!make_room(document, arena))
        return STATUS_NO_MEMORY;
    document->changes[document->change_count++] = (struct document_change){
        .name = name.data,
        .value = value.data,
        .name_size = name.size,
        .value_size = value.size,
        .member = (uint16_t)member,
        .repeated = member != NO_MEMBER && find_member(document, name, member) != NO_MEMBER,
    };
    document->rewritten |= member != NO_MEMBER;
    return STATUS_OK;
}

static enum status set_member(struct document *document, struct bytes name, struct bytes value, struct arena *arena)
{
    struct document_change *change = find_change(document, name);
    if (change == NULL)
        return add_change(document, name, value, find_member(document, name, document->member_count), arena);
    change->value = value.data;
    change->value_size = value.size;
    return STATUS_OK;
}

static enum status remove_member(struct document *document, struct bytes name, struct arena *arena)
{
    struct document_change *change = find_change(document, name);
    if (change == NULL) {
        unsigned member = find_member(document, name, document->member_count);
        return member != NO_MEMBER ? add_change(document, name, (struct bytes){0}, member, arena) : STATUS_OK;
    }
    if (change->member != NO_MEMBER) {
        change->value = NULL;
        change->value_size = 0;
        return STATUS_OK;
    }
    struct document_change *end = document->changes + document->change_count--;
    memmove(change, change + 1, (size_t)((char *)end - (char *)(change + 1)));
    return STATUS_OK;
}

/* Below the top level: builds the member's value anew. value.data NULL removes. */
static enum status change_nested(struct document *document, const struct path *path, struct bytes value,
                                 struct arena *arena)
{
    struct bytes keys[PATH_MAX_STEPS], name = path->steps[0].name, text;
    struct value top = get_member(document, name);
    if (top.type == VALUE_MISSING) {
        if (value.data == NULL)
            return STATUS_OK;
        top = json_value(bytes_of("{}", 2));
    }
    if (top.type != VALUE_OBJECT)
        return STATUS_FAILED;
    for (uint32_t i = 1; i < path->count; i++)
        keys[i - 1] = path->steps[i].name;
    enum status status = json_splice(top.text, keys, path->count - 1, value, arena, &text);
    if (status != STATUS_OK || text.data == top.text.data)
        return status;
    return set_member(document, name, text, arena);
}

static bool may_change(const struct document *document, const struct path *path)
{
    CHECK(path->count > 0 && path->count <= PATH_MAX_STEPS && path->steps[0].name.data != NULL);
    return document->kind == DOCUMENT_OBJECT;
}

enum status document_set(struct document *document, const struct path *path, struct bytes value, struct arena *arena)
{
    if (!may_change(document, path))
        return STATUS_FAILED;
    if (path->count > 1)
        return change_nested(document, path, value, arena);
    return set_member(document, path->steps[0].name, value, arena);
}

enum status document_remove(struct document *document, const struct path *path, struct arena *arena)
{
    if (!may_change(document, path))
        return STATUS_FAILED;
    if (path->count > 1)
        return change_nested(document, path, (struct bytes){0}, arena);
    return remove_member(document, path->steps[0].name, arena);
}

/* -- writing -- */

size_t document_encoded_max(const struct document *document)
{
    size_t size = document->text.size;
    for (unsigned i = 0; i < document->change_count; i++) {
        const struct document_change *change = &document->changes[i];
        size += JSON_QUOTED_MAX(change->name_size) + change->value_size + sizeof ",:";
    }
    return size;
}

static uint8_t *put(uint8_t *out, const uint8_t *from, size_t size)
{
    if (size > 0)
        memcpy(out, from, size);
    return out + size;
}

/* The first member from `from` on that does not stay as it is; member_count: none. *ret_change: its new value; NULL: it goes because another has its name. */
static unsigned next_touched(const struct document *document, unsigned from, const struct document_change **ret_change)
{
    unsigned next = document->member_count;
    *ret_change = NULL;
    for (unsigned i = 0; i < document->change_count; i++) {
        const struct document_change *change = &document->changes[i];
        if (change->member >= from && change->member < next) {
            next = change->member;
            *ret_change = change;
        }
    }
    for (unsigned i = 0; i < document->change_count; i++) {
        const struct document_change *change = &document->changes[i];
        unsigned end = change->repeated && change->member >= from ? change->member : 0;
        while (end < NO_MEMBER && end > from) {
            end = find_member(document, bytes_of(change->name, change->name_size), end);
            if (end >= from && end < next) {
                next = end;
                *ret_change = NULL;
            }
        }
    }
    return next;
}

/* The text's members, without the last bracket: runs of untouched ones as they stand, and between them those with another value. *ret_count: how many. */
static uint8_t *put_members(const struct document *document, uint8_t *out, unsigned *ret_count)
{
    const uint8_t *text = document->text.data;
    unsigned from = 0, written = 0;
    *out++ = '{';
    while (from < document->member_count) {
        const struct document_change *change;
        unsigned touched = next_touched(document, from, &change);
        const struct document_member *member = &document->members[touched];
        const uint8_t *run = text + document->members[from].key - 1;
        bool kept = change != NULL && change->value != NULL;
        if (written > 0 && (touched > from || kept))
            *out++ = ',';
        if (kept)
            out = put(out, run, (size_t)(text + member->value - run));
        else if (touched > from)
            out = put(out, run, (size_t)(text + member[-1].value + member[-1].value_size - run));
        if (kept)
            out = put(out, change->value, change->value_size);
        written += touched - from + kept;
        from = touched + 1;
    }
    *ret_count = written;
    return out;
}

size_t document_encode(const struct document *document, uint8_t *out)
{
    uint8_t *begin = out;
    unsigned count = document->member_count;
    if (document->change_count == 0)
        return (size_t)(put(out, document->text.data, document->text.size) - begin);
    if (document->rewritten)
        out = put_members(document, out, &count);
    else
        out = put(out, document->text.data, document->text.size - 1);
    for (unsigned i = 0; i < document->change_count; i++) {
        const struct document_change *change = &document->changes[i];
        if (change->member != NO_MEMBER)
            continue;
        if (count++ > 0)
            *out++ = ',';
        out += json_quote(out, bytes_of(change->name, change->name_size));
        *out++ = ':';
        out = put(out, change->value, change->value_size);
    }
    *out++ = '}';
    return (size_t)(out - begin);
}
