/*
 * Evaluating templates. To build a text, each part is first made a piece (a view, or a number to be written), so that a bound of the size is known;
 * then all are written at once.
 */
#include <stdatomic.h>

#include "processor/clock.h"
#include "processor/decimal.h"
#include "processor/headers.h"
#include "processor/template_parts.h"
#include "processor/timestamp.h"

enum piece_kind {
    PIECE_MISSING,
    PIECE_NULL,
    PIECE_PLAIN,   /* text as it is */
    PIECE_ESCAPED, /* text as it stands in a JSON string */
    PIECE_INTEGER,
    PIECE_TIME,
};

struct piece {
    enum piece_kind kind;
    struct bytes text;
    int64_t number; /* of PIECE_TIME: ms since 1970 */
};

enum { LARGE = 1024 };

size_t template_quoted_room(struct bytes text)
{
    if (text.size <= LARGE)
        return JSON_QUOTED_MAX(text.size);
    size_t room = (size_t)text.size + 2;
    for (uint32_t i = 0; i < text.size; i++)
        room += text.data[i] < ' ' ? 5 : text.data[i] == '"' || text.data[i] == '\\';
    return room;
}

static uint8_t *take_text(struct arena *arena, size_t room)
{
    return room <= UINT32_MAX ? arena_text(arena, room) : NULL;
}

static struct bytes keep_text(struct arena *arena, uint8_t *text, size_t room, const uint8_t *end)
{
    size_t used = (size_t)(end - text);
    arena_trim(arena, text, room, used);
    return bytes_of(text, (uint32_t)used);
}

bool template_quote(struct arena *arena, struct bytes text, size_t (*write)(uint8_t *out, struct bytes text),
                    struct bytes *ret)
{
    size_t room = template_quoted_room(text);
    uint8_t *out = take_text(arena, room);
    if (out == NULL)
        return false;
    *ret = keep_text(arena, out, room, out + write(out, text));
    return true;
}

/* -- pieces -- */

static _Atomic int64_t fixed_now = -1;

void template_fix_now(int64_t ms)
{
    fixed_now = ms;
}

/* One reading a batch, as far as this thread goes from batch to batch: `entered` tells a batch from the one that had its memory before. */
static int64_t now_ms(const struct batch *batch)
{
    static _Thread_local struct {
        const struct batch *batch;
        int64_t entered, ms;
    } last;
    if (last.batch != batch || last.entered != batch->entered || batch->entered == 0) {
        last.batch = batch;
        last.entered = batch->entered;
        int64_t fixed = atomic_load_explicit(&fixed_now, memory_order_relaxed);
        last.ms = fixed != -1 ? fixed : clock_wall_ms();
    }
    return last.ms;
}

/* These fill in the members one by one: a whole struct that is copied just after it was written stalls the CPU, and this is done for each part. */
static void set_text(struct piece *piece, enum piece_kind kind, struct bytes text)
{
    piece->kind = kind;
    piece->text.data = text.data;
    piece->text.size = text.size;
}

static void set_plain(struct piece *piece, struct bytes text)
{
    set_text(piece, text.data != NULL ? PIECE_PLAIN : PIECE_NULL, text);
}

static void set_number(struct piece *piece, enum piece_kind kind, int64_t number)
{
    piece->kind = kind;
    piece->number = number;
    piece->text.data = NULL;
    piece->text.size = 0;
}

/* Bytes from outside become part of JSON text only when they are valid UTF-8. */
static enum status set_foreign(struct piece *piece, bool json, struct bytes text)
{
    set_plain(piece, text);
    return !json || utf8_valid(text) ? STATUS_OK : STATUS_FAILED;
}

/* As a part of a text: what stands between a string's quotes needs no escaping again. */
static enum status set_value(struct piece *piece, bool json, const struct value *value, struct arena *arena)
{
    struct bytes text;
    if (json && value->type == VALUE_STRING) {
        set_text(piece, PIECE_ESCAPED, bytes_of(value->text.data + 1, value->text.size - 2));
        return STATUS_OK;
    }
    if (!json_text(value, arena, &text))
        return STATUS_NO_MEMORY;
    set_plain(piece, text);
    return STATUS_OK;
}

static enum status take_piece(const struct template_part *part, bool json, const struct batch *batch,
                              const struct record *record, struct arena *arena, struct piece *ret)
{
    struct bytes text;
    struct value value;
    switch (part->kind) {
    case PART_TEXT:
        set_text(ret, json ? PIECE_ESCAPED : PIECE_PLAIN, json ? part->escaped : part->text);
        break;
    case PART_TOPIC:
        set_plain(ret, bytes_of_string(record_topic(batch, record)));
        break;
    case PART_PARTITION:
        set_number(ret, PIECE_INTEGER, record_partition(batch, record));
        break;
    case PART_OFFSET:
        set_number(ret, PIECE_INTEGER, record_offset(batch, record));
        break;
    case PART_TIMESTAMP:
        set_number(ret, record->timestamp != -1 ? PIECE_TIME : PIECE_MISSING, record->timestamp);
        break;
    case PART_NOW:
        set_number(ret, PIECE_TIME, now_ms(batch));
        break;
    case PART_KEY:
        return set_foreign(ret, json, record->key);
    case PART_HEADER:
        if (headers_find(record->headers, part->text, &text))
            return set_foreign(ret, json, text);
        set_number(ret, PIECE_MISSING, 0);
        break;
    case PART_PATH:
        value = document_get(&record->document, &part->path, arena);
        return set_value(ret, json, &value, arena);
    }
    return STATUS_OK;
}

static size_t piece_room(const struct piece *piece, bool json)
{
    switch (piece->kind) {
    case PIECE_PLAIN:
        return json ? template_quoted_room(piece->text) : piece->text.size;
    case PIECE_ESCAPED:
        return piece->text.size;
    case PIECE_INTEGER:
        return DECIMAL_MAX;
    case PIECE_TIME:
        return TIMESTAMP_MAX;
    default:
        return 0;
    }
}

static uint8_t *put_piece(uint8_t *out, const struct piece *piece, bool json)
{
    if (piece->kind == PIECE_INTEGER)
        return out + decimal_write(out, piece->number);
    if (piece->kind == PIECE_TIME)
        return out + timestamp_write(out, piece->number);
    if (piece->kind == PIECE_PLAIN && json)
        return out + json_escape(out, piece->text);
    if (piece->text.size > 0)
        memcpy(out, piece->text.data, piece->text.size);
    return out + piece->text.size;
}

/* -- whole texts -- */

/* json: as a JSON string with quotes. */
static enum status build(const struct template *template, bool json, const struct batch *batch,
                         const struct record *record, struct arena *arena, struct bytes *ret)
{
    struct piece pieces[TEMPLATE_MAX_PARTS];
    size_t room = 2;
    for (uint32_t i = 0; i < template->count; i++) {
        enum status status = take_piece(&template->parts[i], json, batch, record, arena, &pieces[i]);
        if (status != STATUS_OK)
            return status;
        room += piece_room(&pieces[i], json);
    }
    uint8_t *text = take_text(arena, room), *out = text;
    if (text == NULL)
        return STATUS_NO_MEMORY;
    if (json)
        *out++ = '"';
    for (uint32_t i = 0; i < template->count; i++)
        out = put_piece(out, &pieces[i], json);
    if (json)
        *out++ = '"';
    *ret = keep_text(arena, text, room, out);
    return STATUS_OK;
}

/* An expression alone, in its own type. */
static enum status build_value(const struct template *template, const struct batch *batch, const struct record *record,
                               struct arena *arena, struct value *ret)
{
    const struct template_part *part = &template->parts[0];
    struct piece piece;
    if (part->kind == PART_PATH) {
        *ret = document_get(&record->document, &part->path, arena);
        return STATUS_OK;
    }
    enum status status = take_piece(part, true, batch, record, arena, &piece);
    if (status != STATUS_OK)
        return status;
    if (piece.kind == PIECE_MISSING || piece.kind == PIECE_NULL) {
        bool null = piece.kind == PIECE_NULL;
        *ret = (struct value){null ? VALUE_NULL : VALUE_MISSING, null ? bytes_of("null", 4) : (struct bytes){0}};
        return STATUS_OK;
    }
    bool quotes = piece.kind != PIECE_INTEGER;
    size_t room = piece_room(&piece, true) + 2;
    uint8_t *text = take_text(arena, room), *out = text;
    if (text == NULL)
        return STATUS_NO_MEMORY;
    if (quotes)
        *out++ = '"';
    out = put_piece(out, &piece, true);
    if (quotes)
        *out++ = '"';
    *ret = (struct value){quotes ? VALUE_STRING : VALUE_INTEGER, keep_text(arena, text, room, out)};
    return STATUS_OK;
}

enum status template_value(const struct template *template, const struct batch *batch, const struct record *record,
                           struct arena *arena, struct value *ret)
{
    if (template->count == 0) {
        *ret = template->constant;
        return STATUS_OK;
    }
    if (template->count == 1)
        return build_value(template, batch, record, arena, ret);
    struct bytes text;
    enum status status = build(template, true, batch, record, arena, &text);
    if (status == STATUS_OK)
        *ret = (struct value){VALUE_STRING, text};
    return status;
}

enum status template_text(const struct template *template, const struct batch *batch, const struct record *record,
                          struct arena *arena, struct bytes *ret)
{
    struct piece piece;
    if (template->count == 0) {
        *ret = template->constant_text;
        return STATUS_OK;
    }
    if (template->count > 1)
        return build(template, false, batch, record, arena, ret);
    /* One alone is mostly a view already. */
    enum status status = take_piece(&template->parts[0], false, batch, record, arena, &piece);
    if (status != STATUS_OK)
        return status;
    if (piece.kind == PIECE_INTEGER || piece.kind == PIECE_TIME)
        return build(template, false, batch, record, arena, ret);
    bool null = piece.kind == PIECE_NULL && template->parts[0].kind == PART_KEY;
    *ret = piece.text.data != NULL || null ? piece.text : bytes_of("", 0);
    return STATUS_OK;
}
