#include "connectors/postgres/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void put_name(FILE *out, const char *name)
{
    fputc('"', out);
    for (; *name != '\0'; name++) {
        if (*name == '"')
            fputc('"', out);
        fputc(*name, out);
    }
    fputc('"', out);
}

/* Calls make(out, arg) with a stream into memory. */
static char *text_of(void (*make)(FILE *out, const void *arg), const void *arg)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    make(out, arg);
    bool bad = ferror(out) != 0;
    if (fclose(out) == 0 && !bad)
        return text;
    free(text);
    return NULL;
}

/* -- of the config -- */

static void put_config_table(FILE *out, const void *arg)
{
    const struct postgres_config *config = arg;
    const char *dot = strchr(config->table, '.');
    if (dot != NULL) {
        char schema[128];
        snprintf(schema, sizeof schema, "%.*s", (int)(dot - config->table), config->table);
        put_name(out, schema);
        fputc('.', out);
    }
    put_name(out, dot != NULL ? dot + 1 : config->table);
}

char *postgres_sql_table(const struct postgres_config *config)
{
    return text_of(put_config_table, config);
}

static void put_create(FILE *out, const void *arg)
{
    const struct postgres_config *config = arg;
    const struct postgres_column *columns = config->columns.values;
    const char *const *keys = config->key.items;
    fputs("CREATE TABLE IF NOT EXISTS ", out);
    put_config_table(out, config);
    for (uint32_t i = 0; i < config->columns.count; i++) {
        fputs(i == 0 ? " (" : ", ", out);
        put_name(out, config->columns.keys[i]);
        fprintf(out, " %s", columns[i].declared.text);
    }
    for (uint32_t i = 0; i < config->key.count; i++) {
        fputs(i == 0 ? ", PRIMARY KEY (" : ", ", out);
        put_name(out, keys[i]);
    }
    fputs(config->key.count > 0 ? "))" : ")", out);
}

char *postgres_sql_create(const struct postgres_config *config)
{
    return text_of(put_create, config);
}

struct texts {
    const char *const *texts;
    uint32_t count;
};

static void put_array(FILE *out, const void *arg)
{
    const struct texts *texts = arg;
    fputc('{', out);
    for (uint32_t i = 0; i < texts->count; i++) {
        fputs(i == 0 ? "\"" : ",\"", out);
        for (const char *at = texts->texts[i]; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\')
                fputc('\\', out);
            fputc(*at, out);
        }
        fputc('"', out);
    }
    fputc('}', out);
}

char *postgres_sql_array(const char *const *texts, uint32_t count)
{
    const struct texts arg = {texts, count};
    return text_of(put_array, &arg);
}

/* -- of the table -- */

static void put_offsets(FILE *out, const void *arg)
{
    const struct postgres_table *table = arg;
    put_name(out, table->schema);
    fputs(".weir_offsets", out);
}

char *postgres_sql_offsets(const struct postgres_table *table)
{
    return text_of(put_offsets, table);
}

static void put_table(FILE *out, const struct postgres_table *table)
{
    put_name(out, table->schema);
    fputc('.', out);
    put_name(out, table->name);
}

static void put_names(FILE *out, const struct postgres_table *table, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fputs(i == 0 ? "" : ", ", out);
        put_name(out, table->targets[i].name);
    }
}

/* c0, c1 ...: names that nothing of the table's can clash with. */
static void put_aliases(FILE *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%sc%u", i == 0 ? "" : ", ", i);
}

static void put_copy(FILE *out, const void *arg)
{
    const struct postgres_table *table = arg;
    fputs("COPY ", out);
    put_table(out, table);
    fputs(" (", out);
    put_names(out, table, table->count);
    fputs(") FROM STDIN (FORMAT binary)", out);
}

/* What is no number is an error, and its text is told. */
static void put_guard(FILE *out, const void *arg)
{
    const struct postgres_table *table = arg;
    char *name = NULL;
    size_t size;
    FILE *quoted = open_memstream(&name, &size);
    if (quoted != NULL) {
        put_table(quoted, table);
        (void)fclose(quoted);
    }
    fputs("SELECT (CASE (SELECT " POSTGRES_FORM "'", out);
    for (const char *at = name != NULL ? name : ""; *at != '\0'; at++) {
        if (*at == '\'')
            fputc('\'', out);
        fputc(*at, out);
    }
    fprintf(out, "'::regclass) WHEN '%s' THEN '0' ELSE 'the table was altered' END)::int; ", table->form);
    free(name);
}

/* A table of another form has another name: behind a pooler, the session may have been somebody else's before. */
static uint32_t stage_number(const struct postgres_table *table)
{
    XXH32_hash_t hash = table->oid;
    for (uint32_t i = 0; i < table->count; i++) {
        const char *type = table->targets[i].sql_type;
        hash = XXH32(type, strlen(type) + 1, hash);
    }
    return hash;
}

static void put_stage(FILE *out, const void *arg)
{
    const struct postgres_table *table = arg;
    uint32_t number = stage_number(table);
    fprintf(out, "CREATE TEMPORARY TABLE IF NOT EXISTS weir_%08x (", number);
    for (uint32_t i = 0; i < table->count; i++)
        fprintf(out, "%sc%u %s", i == 0 ? "" : ", ", i, table->targets[i].sql_type);
    fprintf(out, "); TRUNCATE pg_temp.weir_%08x; COPY pg_temp.weir_%08x FROM STDIN (FORMAT binary)", number, number);
}

static void put_conflict(FILE *out, const struct postgres_table *table)
{
    fputs(" ON CONFLICT (", out);
    put_names(out, table, table->keys);
    if (table->keys == table->count) {
        fputs(") DO NOTHING", out);
        return;
    }
    fputs(") DO UPDATE SET ", out);
    for (uint32_t i = table->keys; i < table->count; i++) {
        fputs(i == table->keys ? "" : ", ", out);
        put_name(out, table->targets[i].name);
        fputs(" = excluded.", out);
        put_name(out, table->targets[i].name);
    }
}

/* order: by what the rows of one key are put so that the last comes first; NULL: keys are unique. */
static void put_insert(FILE *out, const struct postgres_table *table, const char *order)
{
    fputs("INSERT INTO ", out);
    put_table(out, table);
    fputs(" (", out);
    put_names(out, table, table->count);
    fputs(") SELECT ", out);
    if (order != NULL) {
        fputs("DISTINCT ON (", out);
        put_aliases(out, table->keys);
        fputs(") ", out);
    }
    put_aliases(out, table->count);
    fputs(" FROM ", out);
}

static void put_order(FILE *out, const struct postgres_table *table, const char *order)
{
    if (order == NULL)
        return;
    fputs(" ORDER BY ", out);
    put_aliases(out, table->keys);
    fprintf(out, ", %s DESC", order);
}

static void merge(FILE *out, const struct postgres_table *table, const char *order)
{
    put_insert(out, table, order);
    fprintf(out, "pg_temp.weir_%08x", stage_number(table));
    put_order(out, table, order);
    put_conflict(out, table);
}

static void put_merge(FILE *out, const void *arg)
{
    merge(out, arg, NULL);
}

/* The temporary table is filled from its first page on, so that places in it are in the order of the rows. */
static void put_merge_dedup(FILE *out, const void *arg)
{
    merge(out, arg, "ctid");
}

static void unnest(FILE *out, const struct postgres_table *table, const char *order)
{
    put_insert(out, table, order);
    for (uint32_t i = 0; i < table->count; i++)
        fprintf(out, "%s$%u", i == 0 ? "unnest(" : ", ", i + 1);
    fputs(order != NULL ? ") WITH ORDINALITY AS u (" : ") AS u (", out);
    put_aliases(out, table->count);
    fprintf(out, "%s%s)", order != NULL ? ", " : "", order != NULL ? order : "");
    put_order(out, table, order);
    put_conflict(out, table);
}

static void put_unnest(FILE *out, const void *arg)
{
    unnest(out, arg, NULL);
}

static void put_unnest_dedup(FILE *out, const void *arg)
{
    unnest(out, arg, "n");
}

bool postgres_sql_make(const struct postgres_table *table, bool upsert, struct postgres_sql *ret)
{
    *ret = (struct postgres_sql){0};
    if (!upsert) {
        ret->copy = text_of(put_copy, table);
        ret->guard = text_of(put_guard, table);
        return ret->copy != NULL && ret->guard != NULL;
    }
    ret->stage = text_of(put_stage, table);
    ret->merge = text_of(put_merge, table);
    ret->merge_dedup = text_of(put_merge_dedup, table);
    ret->unnest = text_of(put_unnest, table);
    ret->unnest_dedup = text_of(put_unnest_dedup, table);
    return ret->stage != NULL && ret->merge != NULL && ret->merge_dedup != NULL && ret->unnest != NULL &&
           ret->unnest_dedup != NULL;
}

void postgres_sql_fini(struct postgres_sql *sql)
{
    free(sql->copy);
    free(sql->guard);
    free(sql->stage);
    free(sql->merge);
    free(sql->merge_dedup);
    free(sql->unnest);
    free(sql->unnest_dedup);
    *sql = (struct postgres_sql){0};
}
