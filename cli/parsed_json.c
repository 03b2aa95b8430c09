#include "cli/parsed_json.h"

#include <stdlib.h>

#include "stages/simdjson.h"

struct parsed_json {
    struct arena arena;
    struct simdjson_parser *parser;
};

struct parsed_json *parsed_json_new(void)
{
    struct parsed_json *parsed = calloc(1, sizeof *parsed);
    if (parsed == NULL)
        return NULL;
    arena_init(&parsed->arena, NULL);
    parsed->parser = simdjson_new();
    if (parsed->parser != NULL)
        return parsed;
    parsed_json_free(parsed);
    return NULL;
}

void parsed_json_free(struct parsed_json *parsed)
{
    if (parsed == NULL)
        return;
    simdjson_free(parsed->parser);
    arena_fini(&parsed->arena);
    free(parsed);
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && text.data[0] <= ' ') {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    return text;
}

bool parsed_json_read(struct parsed_json *parsed, const char *text, size_t size, struct value *ret)
{
    struct simdjson_indexes indexes;
    arena_reset(&parsed->arena);
    struct bytes copy = arena_copy(&parsed->arena, trim(bytes_of(text, (uint32_t)size)));
    if (copy.data == NULL || copy.size == 0 ||
        simdjson_parse(parsed->parser, copy.data, copy.size, &indexes, NULL) != SIMDJSON_OK)
        return false;
    *ret = json_value(copy);
    return true;
}

struct value parsed_json_member(const struct value *object, const char *name)
{
    if (object->type != VALUE_OBJECT)
        return (struct value){0};
    return json_member(object->text, bytes_of_string(name));
}

int64_t parsed_json_number(const struct value *object, const char *name)
{
    struct value value = parsed_json_member(object, name);
    int64_t number = 0;
    return json_int64(&value, &number) ? number : 0;
}

bool parsed_json_bool(const struct value *object, const char *name)
{
    struct value value = parsed_json_member(object, name);
    return value.type == VALUE_BOOL && value.text.data[0] == 't';
}

void parsed_json_text(const struct value *object, const char *name, char *text, size_t size)
{
    struct value value = parsed_json_member(object, name);
    struct arena arena;
    struct bytes found = {0};
    text[0] = '\0';
    if (value.type != VALUE_STRING)
        return;
    arena_init(&arena, NULL);
    if (json_string(&value, &arena, &found)) {
        size_t cut = found.size < size ? found.size : size - 1;
        while (cut < found.size && cut > 0 && (found.data[cut] & 0xc0) == 0x80)
            cut--;
        memcpy(text, found.data, cut);
        text[cut] = '\0';
    }
    arena_fini(&arena);
}
