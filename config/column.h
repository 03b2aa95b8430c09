/* A column of a table as stores of rows have it in their config: where its value comes from, and by which columns a row is found again. */
#ifndef WEIR_CONFIG_COLUMN_H
#define WEIR_CONFIG_COLUMN_H

#include "config/table.h"
#include "processor/batch.h"
#include "processor/json.h"
#include "processor/path.h"

struct template;

struct config_column {
    struct template *template; /* NULL: from the document, by path */
    struct path path;
};

/* A path or a template. False: reported; expected: what else could stand there, for the message. */
bool config_column_parse(struct config_loader *loader, const struct config_node *node, const char *expected,
                         struct config_column *ret);
bool config_column_is_key(const struct config_list *key, const char *name);
/* The rules of `mode` and `key` (const char *): a key only for an upsert, and of names that `columns` has. store: the node that both stand in. */
void config_column_check_key(const struct config_node *store, bool upsert, const struct config_list *key,
                             const struct config_map *columns, struct config_report *report);

/*
 * The row that a record comes to, as a JSON object made in arena: what is missing is null, raw bytes that are no text {"hex": "..."}. `size`: of an entry of
 * `columns`, which begins with a struct config_column. Rejects a record as stores of rows do whatever their types: what is no object has no members (type), a
 * key that is no UTF-8 is no text (utf8), a column of `key` needs a value (constraint). STATUS_OK or STATUS_NO_MEMORY; ret is VALUE_MISSING when it was rejected.
 */
enum status config_column_row(const struct config_map *columns, size_t size, const struct config_list *key,
                              struct batch *batch, struct record *record, struct arena *arena,
                              struct value *ret) WARN_UNUSED;

#endif
