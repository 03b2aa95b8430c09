#include "config/unknown.h"

#include <stdio.h>
#include <string.h>

#include "config/found.h"
#include "config/secret.h"

enum { PLACES_MAX = 3, DEPTH_MAX = 8, WHERE_MAX = 128, NAMES_MAX = 64 };

struct search {
    const char *key;
    char places[PLACES_MAX][WHERE_MAX];
    unsigned count;
    bool secret; /* the key is a secret somewhere */
};

static void found_at(struct search *search, const char *where)
{
    for (unsigned i = 0; i < search->count; i++) {
        if (strcmp(search->places[i], where) == 0)
            return;
    }
    if (search->count < PLACES_MAX)
        snprintf(search->places[search->count++], WHERE_MAX, "%s", where);
}

/* field: stands at `where`. */
static void search_field(struct search *search, const char *where, const struct config_field *field, unsigned depth)
{
    char below[WHERE_MAX];
    if (depth >= DEPTH_MAX)
        return;
    if (field->kind == CONFIG_LIST || field->kind == CONFIG_MAP) {
        snprintf(below, sizeof below, "%s%s", where, field->kind == CONFIG_LIST ? "[]" : ".*");
        search_field(search, below, field->item, depth + 1);
    }
    if (field->kind != CONFIG_OBJECT)
        return;
    for (const struct config_field *child = field->table->fields; child->name != NULL; child++) {
        if (strcmp(child->name, search->key) == 0) {
            found_at(search, where);
            search->secret = search->secret || child->kind == CONFIG_SECRET;
        }
        snprintf(below, sizeof below, "%s%s%s", where, where[0] != '\0' ? "." : "", child->name);
        search_field(search, below, child, depth + 1);
    }
}

static void search_file(struct search *search, const struct config_loader *loader)
{
    for (uint32_t i = 0; i < loader->known_count; i++) {
        const struct config_known *known = &loader->known[i];
        char where[WHERE_MAX];
        snprintf(where, sizeof where, "%s%s%s", known->where, known->name != NULL && known->where[0] != '\0' ? "." : "",
                 known->name != NULL ? known->name : "");
        if (known->name != NULL && strcmp(known->name, search->key) == 0)
            found_at(search, known->where);
        search_field(search, where, known->field, 0);
    }
}

/* "`source.kafka` or `errors`" */
static void write_places(const struct search *search, char *text, size_t size)
{
    size_t at = 0;
    for (unsigned i = 0; i < search->count && at < size; i++) {
        const char *between = i == 0 ? "" : i + 1 < search->count ? ", " : " or ";
        bool top = search->places[i][0] == '\0';
        int written = snprintf(text + at, size - at, "%s%s%s%s", between, top ? "" : "`",
                               top ? "the top level" : search->places[i], top ? "" : "`");
        at += written > 0 ? (size_t)written : 0;
    }
}

static size_t difference(const char *a, const char *b)
{
    size_t front = 0, a_size = strlen(a), b_size = strlen(b), back = 0;
    while (a[front] != '\0' && a[front] == b[front])
        front++;
    while (back < a_size - front && back < b_size - front && a[a_size - 1 - back] == b[b_size - 1 - back])
        back++;
    size_t longer = a_size > b_size ? a_size : b_size;
    return longer - front - back;
}

const char *unknown_key(struct config_loader *loader, const struct config_node *node, const char *const *names)
{
    struct search search = {.key = node->key};
    const char *nearest = config_nearest(node->key, names);
    search_file(&search, loader);
    /* What is written there may be meant for a secret. */
    if (search.secret || (nearest != NULL && secret_name(nearest, strlen(nearest))))
        config_report_hide(loader->report, node);
    /* A name that is known elsewhere is more likely to be misplaced than misspelt, but for a slip of a letter or two side by side. */
    if (nearest != NULL && (search.count == 0 || difference(node->key, nearest) <= 2)) {
        char hint[CONFIG_HINT_SIZE];
        config_error_key(loader->report, node, "expected a key that is known here, found `%.64s`%s", node->key,
                         config_hint_key(node->key, names, hint));
        return nearest;
    }
    if (search.count > 0) {
        char places[PLACES_MAX * (WHERE_MAX + 8)];
        write_places(&search, places, sizeof places);
        config_error_key(loader->report, node,
                         "expected a key that is known here, found `%.64s`, which belongs under %s", node->key, places);
        return NULL;
    }
    char choices[512];
    config_error_key(loader->report, node, "expected %s%s, found `%.64s`", names[0] != NULL ? "" : "no keys here",
                     found_choices(names, choices, sizeof choices), node->key);
    return NULL;
}

const char *unknown_field(struct config_loader *loader, const struct config_node *node,
                          const struct config_field *fields)
{
    const char *names[NAMES_MAX + 1];
    size_t count = 0;
    while (count < NAMES_MAX && fields[count].name != NULL) {
        names[count] = fields[count].name;
        count++;
    }
    names[count] = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *one[] = {names[i], NULL};
        if (fields[i].kind == CONFIG_SECRET && config_nearest(node->key, one) != NULL)
            config_report_hide(loader->report, node);
    }
    return unknown_key(loader, node, names);
}
