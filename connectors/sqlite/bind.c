/*
 * See bind.h. Numbers: an integer that fits 64 bits is one; a bigger one is bound as its text, so that no digit is lost; everything else is a double.
 */
#include "connectors/sqlite/bind.h"

#include "processor/template.h"

enum { EXACT_DIGITS = 15, EXACT_POWER = 22 };

/* Plain decimals (12.34) of at most 15 digits: both the digits and the power of ten are exact doubles, so one division rounds correctly
 * (W. Clinger, "How to read floating point numbers accurately", 1990). False: something else. */
static bool short_decimal(struct bytes text, double *ret)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool minus = text.size && text.data[0] == '-';
    int64_t digits = 0;
    unsigned count = 0, behind = 0;
    bool point = false;
    for (uint32_t i = minus; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (text.data[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (digit > 9 || ++count > EXACT_DIGITS)
            return false;
        digits = digits * 10 + digit;
        behind += point;
    }
    *ret = (double)(minus ? -digits : digits) / powers[behind];
    return !(minus && digits == 0); /* -0.0 the long way */
}

static int bind_number(sqlite3_stmt *insert, int parameter, const struct value *value)
{
    int64_t integer;
    double number;
    if (value->type == VALUE_INTEGER) {
        if (json_int64(value, &integer))
            return sqlite3_bind_int64(insert, parameter, integer);
        return sqlite3_bind_text(insert, parameter, (const char *)value->text.data, (int)value->text.size,
                                 SQLITE_STATIC);
    }
    if (short_decimal(value->text, &number) || json_double(value, &number))
        return sqlite3_bind_double(insert, parameter, number);
    return sqlite3_bind_text(insert, parameter, (const char *)value->text.data, (int)value->text.size, SQLITE_STATIC);
}

static int bind_text(sqlite3_stmt *insert, int parameter, struct bytes text)
{
    /* A NULL pointer would bind NULL. */
    const char *data = text.data != NULL ? (const char *)text.data : "";

    return sqlite3_bind_text(insert, parameter, data, (int)text.size, SQLITE_STATIC);
}

static enum bind_result bind_value(sqlite3_stmt *insert, int parameter, const struct value *value, bool key,
                                   struct arena *scratch)
{
    struct bytes text;
    int code;
    switch (value->type) {
    case VALUE_MISSING:
    case VALUE_NULL:
        if (key)
            return BIND_NULL;
        code = sqlite3_bind_null(insert, parameter);
        break;
    case VALUE_BOOL:
        code = sqlite3_bind_int(insert, parameter, value->text.data[0] == 't');
        break;
    case VALUE_INTEGER:
    case VALUE_NUMBER:
        code = bind_number(insert, parameter, value);
        break;
    case VALUE_STRING:
        if (!json_string(value, scratch, &text))
            return BIND_MEMORY;
        code = bind_text(insert, parameter, text);
        break;
    default:
        code = bind_text(insert, parameter, value->text);
        break;
    }
    return code == SQLITE_OK ? BIND_OK : BIND_MEMORY;
}

/* A document that is not JSON, or not an object: only as a whole. */
static enum bind_result bind_other(sqlite3_stmt *insert, int parameter, const struct path *path, bool key,
                                   const struct record *record, struct arena *scratch)
{
    const struct document *document = &record->document;
    struct bytes text = document->kind == DOCUMENT_NONE ? record->value : document->text;
    int code;
    if (document->kind == DOCUMENT_NULL || text.data == NULL)
        return bind_value(insert, parameter, &(struct value){.type = VALUE_NULL}, key, scratch);
    if (path->count)
        return BIND_TYPE;
    if (document->kind == DOCUMENT_JSON) {
        struct value value = json_value(text);
        return bind_value(insert, parameter, &value, key, scratch);
    }
    if (utf8_valid(text))
        code = bind_text(insert, parameter, text);
    else
        code = sqlite3_bind_blob(insert, parameter, text.data, (int)text.size, SQLITE_STATIC);
    return code == SQLITE_OK ? BIND_OK : BIND_MEMORY;
}

enum bind_result sqlite_bind_column(sqlite3_stmt *insert, int parameter, const struct sqlite_column *column, bool key,
                                    const struct batch *batch, const struct record *record, struct arena *scratch)
{
    struct value value;
    if (column->from.template != NULL) {
        enum status status = template_value(column->from.template, batch, record, scratch, &value);
        if (status != STATUS_OK)
            return status == STATUS_NO_MEMORY ? BIND_MEMORY : BIND_UTF8;
    } else if (record->document.kind != DOCUMENT_OBJECT) {
        return bind_other(insert, parameter, &column->from.path, key, record, scratch);
    } else {
        value = document_get(&record->document, &column->from.path, scratch);
    }
    return bind_value(insert, parameter, &value, key, scratch);
}
