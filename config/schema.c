/* JSON Schema (draft-07) out of the same tables that parse. Where a number or a name is wanted, a text with ${...} in it is good as well. */
#include "config/schema.h"

#include <inttypes.h>
#include <string.h>

#include "config/quote.h"
#include "config/units.h"

static void new_line(FILE *out, int indent)
{
    fprintf(out, "\n%*s", indent, "");
}

static void write_default(const struct config_field *field, FILE *out)
{
    if (field->fallback == NULL)
        return;
    fputs("\"default\": ", out);
    if (field->kind == CONFIG_BOOL || field->kind == CONFIG_INT || field->kind == CONFIG_NUMBER)
        fputs(field->fallback, out);
    else
        quote_json(field->fallback, out);
    fputs(", ", out);
}

static void write_bounds(const char *least, const char *most, const struct config_field *field, FILE *out)
{
    if (field->min != 0 || field->kind == CONFIG_INT || field->kind == CONFIG_SIZE)
        fprintf(out, ", \"%s\": %" PRId64, least, field->min);
    if (field->max != 0)
        fprintf(out, ", \"%s\": %" PRId64, most, field->max);
}

static void write_scalar(const struct config_field *field, FILE *out)
{
    switch (field->kind) {
    case CONFIG_STRING:
        fprintf(out, "\"type\": [\"string\", \"number\", \"boolean\"]%s", field->required ? ", \"minLength\": 1" : "");
        break;
    case CONFIG_SECRET:
        fprintf(out, "\"type\": [\"string\", \"number\", \"boolean\"]%s, \"writeOnly\": true",
                field->required ? ", \"minLength\": 1" : "");
        break;
    case CONFIG_BOOL:
        fputs("\"anyOf\": [{\"type\": \"boolean\"}, " SCHEMA_VARIABLE "]", out);
        break;
    case CONFIG_INT:
        fputs("\"anyOf\": [{\"type\": \"integer\"", out);
        write_bounds("minimum", "maximum", field, out);
        fputs("}, " SCHEMA_VARIABLE "]", out);
        break;
    case CONFIG_NUMBER:
        fputs("\"anyOf\": [{\"type\": \"number\"}, " SCHEMA_VARIABLE "]", out);
        break;
    case CONFIG_DURATION:
        fputs("\"anyOf\": [{\"type\": \"string\", \"pattern\": \"^" UNITS_DURATION_PATTERN
              "$\"}, {\"const\": 0}, " SCHEMA_VARIABLE "]",
              out);
        break;
    case CONFIG_RANGE:
        fputs("\"anyOf\": [{\"type\": \"string\", \"pattern\": \"^" UNITS_DURATION_PATTERN
              "(\\\\.\\\\." UNITS_DURATION_PATTERN ")?$\"}, " SCHEMA_VARIABLE "]",
              out);
        break;
    case CONFIG_SIZE:
        fputs("\"anyOf\": [{\"type\": \"integer\"", out);
        write_bounds("minimum", "maximum", field, out);
        fputs("}, {\"type\": \"string\", \"pattern\": \"^" UNITS_SIZE_PATTERN "$\"}, " SCHEMA_VARIABLE "]", out);
        break;
    default:
        fputs("\"anyOf\": [{\"enum\": [", out);
        for (size_t i = 0; field->choices[i] != NULL; i++) {
            fputs(i > 0 ? ", " : "", out);
            quote_json(field->choices[i], out);
        }
        fputs("]}, " SCHEMA_VARIABLE "]", out);
    }
}

static void write_list(const struct config_field *field, FILE *out, int indent)
{
    fputs("\"anyOf\": [", out);
    new_line(out, indent + 2);
    config_schema_field(field->item, out, indent + 2);
    fputc(',', out);
    new_line(out, indent + 2);
    fputs("{\"type\": \"array\"", out);
    write_bounds("minItems", "maxItems", field, out);
    fputs(", \"items\": ", out);
    config_schema_field(field->item, out, indent + 2);
    fputs("}]", out);
}

static void write_map(const struct config_field *field, FILE *out, int indent)
{
    fprintf(out, "\"type\": %s", field->min > 0 ? "\"object\"" : "[\"object\", \"null\"]");
    write_bounds("minProperties", "maxProperties", field, out);
    fputs(", \"additionalProperties\": ", out);
    config_schema_field(field->item, out, indent);
}

static bool has_required(const struct config_field *fields)
{
    for (; fields->name != NULL; fields++) {
        if (fields->required)
            return true;
    }
    return false;
}

bool schema_properties(const struct config_field *fields, FILE *out, int indent, bool first)
{
    for (; fields->name != NULL; fields++) {
        fputs(first ? "" : ",", out);
        first = false;
        new_line(out, indent);
        quote_json(fields->name, out);
        fputs(": ", out);
        config_schema_field(fields, out, indent);
    }
    return first;
}

static void write_object(const struct config_table *table, FILE *out, int indent)
{
    bool required = has_required(table->fields), first = true;
    fprintf(out, "\"type\": %s, \"properties\": {", required ? "\"object\"" : "[\"object\", \"null\"]");
    schema_properties(table->fields, out, indent + 2, true);
    fputs("}, ", out);
    if (required) {
        new_line(out, indent + 2);
        fputs("\"required\": [", out);
        for (const struct config_field *field = table->fields; field->name != NULL; field++) {
            if (!field->required)
                continue;
            fputs(first ? "" : ", ", out);
            first = false;
            quote_json(field->name, out);
        }
        fputs("], ", out);
    }
    fputs("\"additionalProperties\": false", out);
}

void config_schema_field(const struct config_field *field, FILE *out, int indent)
{
    const char *help = field->help != NULL ? field->help : field->kind == CONFIG_OBJECT ? field->table->help : NULL;
    fputc('{', out);
    if (help != NULL) {
        fputs("\"description\": ", out);
        quote_json(help, out);
        fputs(field->kind == CONFIG_NODE ? "" : ", ", out);
    }
    if (field->kind != CONFIG_NODE)
        write_default(field, out);
    switch (field->kind) {
    case CONFIG_OBJECT:
        write_object(field->table, out, indent);
        break;
    case CONFIG_LIST:
        write_list(field, out, indent);
        break;
    case CONFIG_MAP:
        write_map(field, out, indent);
        break;
    case CONFIG_CUSTOM:
        fputs("\"allOf\": [", out);
        field->custom->schema(out);
        fputc(']', out);
        break;
    case CONFIG_NODE:
        break;
    default:
        write_scalar(field, out);
    }
    fputc('}', out);
}
