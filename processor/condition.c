#include "processor/condition.h"

#include "processor/check.h"

static bool is_number(const struct value *value)
{
    return value->type == VALUE_INTEGER || value->type == VALUE_NUMBER;
}

/* By value. Integers past 64 bits are told apart by their digits, of which JSON allows one way only. */
static bool numbers_equal(const struct value *a, const struct value *b)
{
    int64_t left, right;
    bool left_fits = json_int64(a, &left), right_fits = json_int64(b, &right);
    if (left_fits || right_fits)
        return left_fits && right_fits && left == right;
    if (a->type == VALUE_INTEGER && b->type == VALUE_INTEGER)
        return bytes_equal(a->text, b->text);
    double x, y;
    return json_double(a, &x) && json_double(b, &y) && x == y;
}

static bool values_equal(const struct value *a, const struct value *b)
{
    if (is_number(a) && is_number(b))
        return numbers_equal(a, b);
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_STRING)
        return json_strings_equal(a, b);
    return bytes_equal(a->text, b->text);
}

static bool is_any_of(const struct condition *condition, const struct value *value)
{
    for (uint32_t i = 0; i < condition->count; i++) {
        if (values_equal(value, &condition->values[i]))
            return true;
    }
    return false;
}

static bool matches(const struct condition *condition, const struct value *value, struct arena *arena)
{
    struct bytes text;
    if (value->type != VALUE_STRING && value->type != VALUE_BOOL && !is_number(value))
        return false;
    CHECK(json_text(value, arena, &text));
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)text.size};
    return regexec(condition->matches, (const char *)text.data, 1, &range, REG_STARTEND) == 0;
}

static bool is_beyond(const struct condition *condition, const struct value *value)
{
    int64_t integer;
    double real;
    long double number; /* has all 64-bit integers exactly */
    if (json_int64(value, &integer))
        number = (long double)integer;
    else if (json_double(value, &real))
        number = real;
    else
        return false;
    return condition->kind == CONDITION_ABOVE ? number > condition->bound : number < condition->bound;
}

/* Do all parts hold (wanted true), or does any? As deep as the config is nested, which is bounded. */
static bool parts_hold(const struct condition *condition, const struct document *document, struct arena *arena)
{
    bool all = condition->kind == CONDITION_ALL;
    for (uint32_t i = 0; i < condition->count; i++) {
        if (condition_holds(&condition->parts[i], document, arena) != all)
            return !all;
    }
    return all;
}

static bool value_holds(const struct condition *condition, const struct value *value, struct arena *arena)
{
    switch (condition->kind) {
    case CONDITION_EXISTS:
        return (value->type != VALUE_MISSING) == condition->exists;
    case CONDITION_NOT_EQUALS:
        return !is_any_of(condition, value);
    case CONDITION_MATCHES:
        return matches(condition, value, arena);
    case CONDITION_ABOVE:
    case CONDITION_BELOW:
        return is_beyond(condition, value);
    default:
        return is_any_of(condition, value);
    }
}

bool condition_holds(const struct condition *condition, const struct document *document, struct arena *arena)
{
    if (condition->kind == CONDITION_NOT)
        return !condition_holds(condition->parts, document, arena);
    if (condition->kind == CONDITION_ALL || condition->kind == CONDITION_ANY)
        return parts_hold(condition, document, arena);
    struct value value = document_get(document, &condition->path, arena);
    return value_holds(condition, &value, arena);
}
