/*
 * CSV as RFC 4180 describes it, strictly: a quote stands at a field's ends or doubled inside of a quoted one, every row has as many fields as the first.
 * A table that is read as something else than its author meant is worse than one that is refused.
 */
#include <stdio.h>
#include <stdlib.h>

#include "processor/json.h"
#include "stages/json_fault.h"
#include "stages/lookup_rows.h"

enum { MAX_COLUMNS = 4096 };

struct csv {
    struct lookup_rows *rows;
    uint8_t *at, *end;
    uint32_t line;         /* at `at` */
    uint32_t row_line;     /* where the row began */
    struct bytes *fields;  /* of the row; room for column_count, in the first row MAX_COLUMNS */
    uint32_t column_count; /* 0: in the first row */
    uint32_t key;          /* its column */
    uint32_t *columns;     /* one a wanted field */
    struct bytes *values;  /* likewise */
};

/* Behind a field: passes the comma or the line's end. */
static enum status end_field(struct csv *csv, bool *ret_last)
{
    *ret_last = true;
    if (csv->at == csv->end)
        return STATUS_OK;
    switch (*csv->at) {
    case ',':
        *ret_last = false;
        break;
    case '\n':
        csv->line++;
        break;
    case '\r':
        if (csv->at[1] == '\n') { /* there are readable bytes behind the end */
            csv->at++;
            csv->line++;
            break;
        }
        return lookup_rows_fail(csv->rows, csv->line, "a carriage return without a line feed behind it");
    default:
        return lookup_rows_fail(csv->rows, csv->line, "expected a comma or the line's end behind a quoted value");
    }
    csv->at++;
    return STATUS_OK;
}

/* Takes the quotes away, in place: what is left is shorter. */
static enum status read_quoted(struct csv *csv, struct bytes *ret)
{
    uint32_t line = csv->line;
    uint8_t *begin = ++csv->at, *out = begin;
    for (;;) {
        if (csv->at == csv->end)
            return lookup_rows_fail(csv->rows, line, "the file ends inside the quotes that begin here");
        uint8_t byte = *csv->at++;
        if (byte == '"') {
            if (csv->at == csv->end || *csv->at != '"')
                break;
            csv->at++;
        }
        csv->line += byte == '\n';
        *out++ = byte;
    }
    *ret = bytes_of(begin, (uint32_t)(out - begin));
    return STATUS_OK;
}

static enum status read_field(struct csv *csv, struct bytes *ret, bool *ret_last)
{
    enum status status = STATUS_OK;
    if (csv->at < csv->end && *csv->at == '"') {
        status = read_quoted(csv, ret);
    } else {
        uint8_t *begin = csv->at;
        while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n' && *csv->at != '\r' && *csv->at != '"')
            csv->at++;
        *ret = bytes_of(begin, (uint32_t)(csv->at - begin));
        if (csv->at < csv->end && *csv->at == '"')
            status = lookup_rows_fail(csv->rows, csv->line,
                                      "a quote inside of a value that does not begin with one (double it, and put the "
                                      "value in quotes)");
    }
    return status == STATUS_OK ? end_field(csv, ret_last) : status;
}

static bool pass_empty_lines(struct csv *csv)
{
    while (csv->at < csv->end && (*csv->at == '\n' || (*csv->at == '\r' && csv->at[1] == '\n'))) {
        csv->at += *csv->at == '\r' ? 2 : 1;
        csv->line++;
    }
    return csv->at < csv->end;
}

/* One row into fields; *ret_count is how many it has, which is as many as there are columns but in the first row. */
static enum status read_row(struct csv *csv, uint32_t *ret_count)
{
    uint32_t room = csv->column_count > 0 ? csv->column_count : MAX_COLUMNS, count = 0;
    csv->row_line = csv->line;
    for (bool last = false; !last; count++) {
        struct bytes spare;
        enum status status = read_field(csv, count < room ? &csv->fields[count] : &spare, &last);
        if (status != STATUS_OK)
            return status;
    }
    if (csv->column_count > 0 && count != csv->column_count)
        return lookup_rows_fail(csv->rows, csv->row_line, "expected %u values, as the first row has, found %u",
                                csv->column_count, count);
    if (count > MAX_COLUMNS)
        return lookup_rows_fail(csv->rows, csv->row_line, "%u columns, at most %d are read", count, MAX_COLUMNS);
    *ret_count = count;
    return STATUS_OK;
}

static enum status no_column(struct csv *csv, const char *name)
{
    char found[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < csv->column_count && used < sizeof found; i++)
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%.*s", i > 0 ? ", " : "",
                                 (int)csv->fields[i].size, (const char *)csv->fields[i].data);
    return lookup_rows_fail(csv->rows, csv->row_line, "expected a column '%s', found: %s", name, found);
}

static enum status find_column(struct csv *csv, const char *name, uint32_t *ret)
{
    struct bytes wanted = bytes_of_string(name);
    uint32_t found = csv->column_count;
    for (uint32_t i = 0; i < csv->column_count; i++) {
        if (!bytes_equal(csv->fields[i], wanted))
            continue;
        if (found < csv->column_count)
            return lookup_rows_fail(csv->rows, csv->row_line, "two columns are called '%s'", name);
        found = i;
    }
    if (found == csv->column_count)
        return no_column(csv, name);
    *ret = found;
    return STATUS_OK;
}

static enum status read_names(struct csv *csv)
{
    const struct lookup_shape *shape = csv->rows->shape;
    if (!pass_empty_lines(csv))
        return lookup_rows_fail(csv->rows, csv->line, "expected a first row with the columns' names, found nothing");
    uint32_t count = 0;
    enum status status = read_row(csv, &count);
    if (status != STATUS_OK)
        return status;
    csv->column_count = count;
    status = find_column(csv, shape->column, &csv->key);
    for (uint32_t i = 0; status == STATUS_OK && i < shape->field_count; i++)
        status = find_column(csv, shape->fields[i], &csv->columns[i]);
    return status;
}

static enum status read_all(struct csv *csv)
{
    enum status status = read_names(csv);
    const uint32_t field_count = csv->rows->shape->field_count;
    while (status == STATUS_OK && pass_empty_lines(csv)) {
        uint32_t count = 0;
        status = read_row(csv, &count);
        if (status != STATUS_OK)
            break;
        for (uint32_t i = 0; i < field_count; i++)
            csv->values[i] = csv->fields[csv->columns[i]];
        status = lookup_rows_add(csv->rows, csv->row_line, csv->fields[csv->key], csv->values, true);
    }
    return status;
}

static enum status check_utf8(struct lookup_rows *rows, struct bytes text)
{
    long at = json_fault_utf8(text);
    if (at < 0)
        return STATUS_OK;
    uint32_t line = 1;
    for (long i = 0; i < at; i++)
        line += text.data[i] == '\n';
    return lookup_rows_fail(rows, line, "not valid UTF-8");
}

enum status lookup_read_csv(struct lookup_rows *rows, uint8_t *text, uint32_t size)
{
    enum status status = check_utf8(rows, bytes_of(text, size));
    if (status != STATUS_OK)
        return status;
    const uint32_t field_count = rows->shape->field_count;
    struct csv csv = {.rows = rows, .at = text, .end = text + size, .line = 1};
    csv.fields = calloc(MAX_COLUMNS, sizeof *csv.fields);
    csv.columns = calloc(field_count, sizeof *csv.columns);
    csv.values = calloc(field_count, sizeof *csv.values);
    if (csv.fields != NULL && csv.columns != NULL && csv.values != NULL)
        status = read_all(&csv);
    else
        status = error_set(rows->error, ERROR_TRANSIENT, "%s: no memory for the table", rows->path);
    free(csv.fields);
    free(csv.columns);
    free(csv.values);
    return status;
}
