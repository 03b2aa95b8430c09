#include "processor/path.h"

#include <stdbool.h>

/* What is being read of the text. */
struct reader {
    const char *text, *at;
    struct arena *arena;
    struct path_step *step;
    const char *why;
};

static enum status expected(struct reader *reader, const char *why)
{
    reader->why = why;
    return STATUS_FAILED;
}

/* at: the first digit of what stands in brackets. */
static enum status read_index(struct reader *reader)
{
    const char *begin = ++reader->at;
    uint64_t index = 0;
    for (; *reader->at >= '0' && *reader->at <= '9' && index <= UINT32_MAX; reader->at++)
        index = index * 10 + (uint64_t)(*reader->at - '0');
    if (index > UINT32_MAX)
        return expected(reader, "expected an index of at most 4294967295");
    if (reader->at == begin || *reader->at != ']')
        return expected(reader, "expected an index in brackets, such as [0]");
    reader->at++;
    *reader->step = (struct path_step){.index = (uint32_t)index};
    return STATUS_OK;
}

static enum status read_quoted(struct reader *reader)
{
    const char *begin = reader->at++;
    char *name = arena_string(reader->arena, begin, strlen(begin)), *out = name;
    if (name == NULL)
        return STATUS_NO_MEMORY;
    for (; *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\' && (reader->at[1] == '"' || reader->at[1] == '\\'))
            reader->at++;
        else if (*reader->at == '\\')
            return expected(reader, "expected \\\" or \\\\ (no other escapes are known in a name)");
        if (*reader->at == '\0') {
            reader->at = begin;
            return expected(reader, "expected a name that ends with a quote");
        }
        *out++ = *reader->at;
    }
    reader->at++;
    *reader->step = (struct path_step){.name = bytes_of(name, (uint32_t)(out - name))};
    return STATUS_OK;
}

/* What a name without quotes can't have: white space and what means something here. */
static bool ends_name(char byte)
{
    return (unsigned char)byte <= ' ' || strchr(".[]\"", byte) != NULL;
}

static enum status read_name(struct reader *reader)
{
    const char *begin = reader->at;
    if (*begin == '"')
        return read_quoted(reader);
    while (!ends_name(*reader->at))
        reader->at++;
    size_t size = (size_t)(reader->at - begin);
    if (size == 0)
        return expected(reader, "expected a name (in \"quotes\" when it has blanks, dots, brackets or quotes)");
    const char *name = arena_string(reader->arena, begin, size);
    if (name == NULL)
        return STATUS_NO_MEMORY;
    *reader->step = (struct path_step){.name = bytes_of(name, (uint32_t)size)};
    return STATUS_OK;
}

static enum status read_step(struct reader *reader)
{
    bool first = reader->at == reader->text;
    if (*reader->at == '[')
        return read_index(reader);
    if (*reader->at == '.')
        return *++reader->at == '[' ? read_index(reader) : read_name(reader);
    return first ? read_name(reader) : expected(reader, "expected '.' and a name, or '[' and an index");
}

enum status path_compile(const char *text, struct arena *arena, struct path *ret, unsigned *ret_at,
                         const char **ret_why)
{
    struct path_step steps[PATH_MAX_STEPS];
    struct reader reader = {.text = text, .at = text, .arena = arena};
    uint32_t count = 0;
    enum status status = STATUS_OK;
    if (*text == '\0')
        status = expected(&reader, "expected a path, such as .order.id");
    bool whole = strcmp(text, ".") == 0;
    while (status == STATUS_OK && *reader.at != '\0' && !whole) {
        if (count == PATH_MAX_STEPS) {
            status = expected(&reader, "expected at most 32 names and indexes");
        } else {
            reader.step = &steps[count++];
            status = read_step(&reader);
        }
    }
    struct path path = {.text = NULL, .count = count};
    if (status == STATUS_OK) {
        path.text = arena_string(arena, text, strlen(text));
        path.steps = arena_alloc(arena, count * sizeof *path.steps);
        if (path.text == NULL || path.steps == NULL)
            return STATUS_NO_MEMORY;
        if (count > 0)
            memcpy(path.steps, steps, count * sizeof *path.steps);
        *ret = path;
    } else if (status == STATUS_FAILED) {
        *ret_at = (unsigned)(reader.at - text);
        *ret_why = reader.why;
    }
    return status;
}
