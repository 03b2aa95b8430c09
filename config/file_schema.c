/* The JSON Schema of the whole file: the top level's table, with what the registry offers for `source` and `stages`. */
#include <string.h>

#include "config/condition.h"
#include "config/config.h"
#include "config/file.h"
#include "config/quote.h"
#include "config/schema.h"
#include "config/settings.h"
#include "processor/ledger.h"
#include "processor/transform.h"

/* One key's name, help and schema among the properties of a map that has one of several. */
static void write_kind(const char *name, const char *help, const struct config_field *field, bool first, FILE *out)
{
    fprintf(out, "%s\n      ", first ? "" : ",");
    quote_json(name, out);
    fputs(": ", out);
    if (field->help != NULL || field->kind == CONFIG_OBJECT) {
        config_schema_field(field, out, 6);
        return;
    }
    fputs("{\"description\": ", out);
    quote_json(help, out);
    fputs(", \"allOf\": [", out);
    config_schema_field(field, out, 6);
    fputs("]}", out);
}

/* `"oneOf": [{"required": ["a"]}, ...]`: exactly one of them. */
static void write_one_of(const char *const *names, size_t count, FILE *out)
{
    fputs("\"oneOf\": [", out);
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", {\"required\": [" : "{\"required\": [", out);
        quote_json(names[i], out);
        fputs("]}", out);
    }
    fputs("]", out);
}

enum { KINDS_MAX = 64 };

static void write_source(const struct config_registry *registry, FILE *out)
{
    const char *names[KINDS_MAX];
    size_t count = 0;
    fputs("    \"source\": {\"type\": \"object\", \"description\": \"Where records come from.\", \"properties\": {",
          out);
    for (; count < KINDS_MAX && registry->sources[count] != NULL; count++) {
        const struct source_type *type = registry->sources[count];
        names[count] = type->name;
        write_kind(type->name, type->help, type->config, count == 0, out);
    }
    fputs("}, \"additionalProperties\": false, ", out);
    write_one_of(names, count, out);
    fputs("},\n", out);
}

static void write_store(const struct config_registry *registry, FILE *out)
{
    const char *names[KINDS_MAX];
    size_t count = 0;
    fputs("    \"store\": {\"type\": \"object\", \"description\": \"Where records go.\", \"properties\": {", out);
    for (; count < KINDS_MAX && registry->stores[count] != NULL; count++) {
        const struct store_type *type = registry->stores[count];
        names[count] = type->name;
        write_kind(type->name, type->help, type->config, count == 0, out);
    }
    schema_properties(store_settings_field.table->fields, out, 6, count == 0);
    fputs("}, \"additionalProperties\": false, ", out);
    write_one_of(names, count, out);
    fputs("},\n", out);
}

static void write_enricher(const struct config_registry *registry, FILE *out)
{
    fputs("    \"enricher\": {\"type\": \"object\", \"description\": \"What is done with each document.\", "
          "\"properties\": {",
          out);
    for (size_t i = 0; registry->enrichers[i] != NULL; i++)
        write_kind(registry->enrichers[i]->name, registry->enrichers[i]->help, registry->enrichers[i]->config, i == 0,
                   out);
    fputs("}, \"minProperties\": 1, \"additionalProperties\": false},\n", out);
}

static void write_stage(const struct config_registry *registry, FILE *out)
{
    const char *names[KINDS_MAX + 2];
    size_t count = 0;
    fputs("    \"stage\": {\"type\": \"object\", \"description\": \"A step on the way: decode, enrich or store.\", "
          "\"properties\": {",
          out);
    for (; count < KINDS_MAX && registry->decoders[count] != NULL; count++) {
        const struct stage_type *type = registry->decoders[count];
        names[count] = type->name;
        write_kind(type->name, type->help, type->config, count == 0, out);
    }
    fprintf(
        out,
        ",\n      \"enrich\": {\"description\": \"Enrichers, in their order: a list, or a map of them.\", \"anyOf\": ["
        "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": %d, \"items\": {\"allOf\": [{\"$ref\": "
        "\"#/definitions/enricher\"}], "
        "\"maxProperties\": 1}}, "
        "{\"$ref\": \"#/definitions/enricher\"}]},"
        "\n      \"store\": {\"description\": \"The last stage: where records go; several stores as a list.\", "
        "\"anyOf\": ["
        "{\"$ref\": \"#/definitions/store\"}, "
        "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": %d, \"items\": {\"$ref\": \"#/definitions/store\"}}]}",
        TRANSFORM_MAX_STEPS, LEDGER_MAX_BRANCHES);
    schema_properties(stage_settings_field.table->fields, out, 6, false);
    for (const struct config_field *field = store_settings_field.table->fields; field->name != NULL; field++) {
        if (strcmp(field->name, "flush") == 0) {
            fputs(",\n      \"flush\": ", out);
            config_schema_field(field, out, 6);
        }
    }
    fputs("}, \"additionalProperties\": false, \"dependencies\": {\"flush\": [\"store\"]}, ", out);
    names[count++] = "enrich";
    names[count++] = "store";
    write_one_of(names, count, out);
    fputs("},\n", out);
}

static void write_top(FILE *out)
{
    const struct config_field *field = file_field.table->fields;
    for (bool first = true; field->name != NULL; field++, first = false) {
        fprintf(out, "%s\n    \"%s\": ", first ? "" : ",", field->name);
        if (strcmp(field->name, "source") == 0)
            fputs("{\"$ref\": \"#/definitions/source\"}", out);
        else if (strcmp(field->name, "stages") == 0)
            fputs("{\"description\": \"What is done with each record, in this order: decode, enrich, store.\", "
                  "\"type\": \"array\", "
                  "\"minItems\": 1, \"items\": {\"$ref\": \"#/definitions/stage\"}}",
                  out);
        else
            config_schema_field(field, out, 4);
    }
}

void config_schema(const struct config_registry *registry, FILE *out)
{
    fputs("{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  \"title\": \"weir\",\n  \"description\": ",
          out);
    quote_json(file_field.table->help, out);
    fputs(",\n  \"type\": \"object\",\n  \"properties\": {", out);
    write_top(out);
    fputs("\n  },\n  \"required\": [\"service\", \"source\", \"stages\"],\n  \"additionalProperties\": false,\n  "
          "\"definitions\": {\n",
          out);
    write_source(registry, out);
    write_enricher(registry, out);
    write_store(registry, out);
    write_stage(registry, out);
    fputs("    ", out);
    condition_definitions(out);
    fputc('\n', out);
    fputs("  }\n}\n", out);
}
