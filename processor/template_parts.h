/* What a template is compiled to: for template.c, which does it, and template_text.c, which evaluates. */
#ifndef WEIR_PROCESSOR_TEMPLATE_PARTS_H
#define WEIR_PROCESSOR_TEMPLATE_PARTS_H

#include "processor/json.h"
#include "processor/path.h"
#include "processor/template.h"

enum { TEMPLATE_MAX_PARTS = 64 };

enum template_part_kind {
    PART_TEXT,
    PART_TOPIC,
    PART_PARTITION,
    PART_OFFSET,
    PART_KEY,
    PART_TIMESTAMP,
    PART_NOW,
    PART_HEADER,
    PART_PATH
};

struct template_part {
    enum template_part_kind kind;
    struct bytes text;    /* of PART_TEXT; of PART_HEADER its name */
    struct bytes escaped; /* of PART_TEXT: as it stands in a JSON string */
    struct path path;
};

struct template
{
    struct value constant; /* VALUE_MISSING: there are parts */
    struct bytes constant_text;
    struct template_part *parts;
    uint32_t count;
    bool uses_headers;
};

/* What json_quote or json_escape may write for it, found by counting when it is large: six times a large key would stay charged until its batch is stored. */
size_t template_quoted_room(struct bytes text);
/* json_quote or json_escape into the arena. */
bool template_quote(struct arena *arena, struct bytes text, size_t (*write)(uint8_t *out, struct bytes text),
                    struct bytes *ret) WARN_UNUSED;

#endif
