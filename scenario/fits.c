#include "scenario/fits.h"

#include <string.h>

#include "processor/headers.h"
#include "scenario/diff.h"

/* -- what items have alike -- */

static bool fits_record(const struct trial *trial, uint32_t record, int64_t partition, int64_t offset,
                        const struct config_node *node, struct findings *findings)
{
    const struct spec_record *given = trial->records[record].given;
    bool same_partition = partition == -1 || partition == given->partition;
    bool same_offset = offset == -1 || offset == given->offset;
    if (!same_partition && findings != NULL)
        findings_add(findings, config_tree_get(node, "partition"), "partition: expected %lld, found %lld",
                     (long long)partition, (long long)given->partition);
    if (!same_offset && findings != NULL)
        findings_add(findings, config_tree_get(node, "offset"), "offset: expected %lld, found %lld", (long long)offset,
                     (long long)given->offset);
    return same_partition && same_offset;
}

/* Is it the text, or (part) does it have it in it? expected NULL: nobody asks. */
bool fits_text(const char *expected, const char *actual, bool part, const char *what, const struct config_node *node,
               struct findings *findings)
{
    if (expected == NULL || (part ? strstr(actual, expected) != NULL : strcmp(expected, actual) == 0))
        return true;
    if (findings != NULL)
        findings_add(findings, config_tree_get(node, what), "%s: expected %s\"%s\", found \"%s\"", what,
                     part ? "a text with " : "", expected, actual);
    return false;
}

static bool fits_given(const struct given *expected, struct bytes actual, const char *what, struct findings *findings)
{
    return expected->node == NULL || diff_given(expected, actual, false, what, findings);
}

/* -- outputs -- */

static bool fits_headers(const struct spec_output *expected, struct bytes actual, struct findings *findings)
{
    const struct config_map *headers = &expected->headers;
    const struct given *values = headers->values;
    struct bytes name, value;
    size_t cursor = 0;
    char what[160], shown[DIFF_SHOWN_MAX];
    bool fits = true;
    for (uint32_t i = 0; i < headers->count; i++) {
        snprintf(what, sizeof what, "header %s", headers->keys[i]);
        if (headers_find(actual, bytes_of_string(headers->keys[i]), &value)) {
            fits &= diff_given(&values[i], value, false, what, findings);
            continue;
        }
        fits = false;
        if (findings != NULL)
            findings_add(findings, headers->nodes[i], "%s: expected %s, found nothing", what,
                         diff_show(values[i].bytes, shown));
    }
    while (config_tree_get(expected->head.node, "headers") != NULL && headers_next(actual, &cursor, &name, &value)) {
        uint32_t i = 0;
        while (i < headers->count && !bytes_equal(name, bytes_of_string(headers->keys[i])))
            i++;
        if (i < headers->count)
            continue;
        fits = false;
        if (findings != NULL)
            findings_add(findings, config_tree_get(expected->head.node, "headers"),
                         "header %.*s: expected nothing, found %s", (int)name.size, (const char *)name.data,
                         diff_show(value, shown));
    }
    return fits;
}

static bool fits_message(const struct trial_store *store, const struct spec_output *expected,
                         const struct trial_output *actual, struct findings *findings)
{
    const struct config_node *node = expected->head.node;
    bool asked = expected->topic != NULL || expected->key.node != NULL || config_tree_get(node, "headers") != NULL;
    if (!asked)
        return true;
    if (actual->preview.topic.data == NULL) {
        if (findings != NULL)
            findings_add(findings, node, "expected a message (topic, key, headers), and `%s` stores none",
                         store->real->name);
        return false;
    }
    char topic[256];
    snprintf(topic, sizeof topic, "%.*s", (int)actual->preview.topic.size, (const char *)actual->preview.topic.data);
    bool fits = fits_text(expected->topic, topic, false, "topic", node, findings);
    fits &= fits_given(&expected->key, actual->preview.key, "key", findings);
    return fits_headers(expected, actual->preview.headers, findings) && fits;
}

static bool fits_row(const struct trial_store *store, const struct spec_output *expected,
                     const struct trial_output *actual, struct findings *findings)
{
    if (expected->row.node == NULL)
        return true;
    if (actual->preview.row.type == VALUE_MISSING) {
        if (findings != NULL)
            findings_add(findings, expected->row.node, "expected a row, and `%s` stores none", store->real->name);
        return false;
    }
    return diff_given(&expected->row, actual->preview.row.text, false, "row", findings);
}

static struct value look_up(struct value value, const struct path *path)
{
    for (uint32_t i = 0; i < path->count && value.type != VALUE_MISSING; i++) {
        const struct path_step *step = &path->steps[i];
        if (step->name.data != NULL && value.type == VALUE_OBJECT)
            value = json_member(value.text, step->name);
        else if (step->name.data == NULL && value.type == VALUE_ARRAY)
            value = json_element(value.text, step->index);
        else
            value = (struct value){.type = VALUE_MISSING};
    }
    return value;
}

static bool fits_absent(const struct spec_output *expected, struct bytes whole, struct findings *findings)
{
    const struct config_node *node = config_tree_get(expected->head.node, "absent");
    const struct path *paths = expected->absent.items;
    struct value value;
    char shown[DIFF_SHOWN_MAX];
    bool fits = true;
    if (!diff_parse(whole, &value))
        return true;
    for (uint32_t i = 0; i < expected->absent.count; i++) {
        struct value found = look_up(value, &paths[i]);
        if (found.type == VALUE_MISSING)
            continue;
        fits = false;
        if (findings != NULL)
            findings_add(findings, node->kind == NODE_LIST ? &node->children[i] : node,
                         "%s: expected nothing, found %s", paths[i].text, diff_show(found.text, shown));
    }
    return fits;
}

bool fits_output(const struct trial_store *store, const struct spec_output *expected, const struct trial_output *actual,
                 struct findings *findings)
{
    const struct config_node *node = expected->head.node;
    struct bytes whole = actual->preview.row.type != VALUE_MISSING ? actual->preview.row.text : actual->text;
    bool fits = fits_record(store->trial, actual->record, expected->partition, expected->offset, node, findings);
    fits &= fits_message(store, expected, actual, findings);
    fits &= fits_given(&expected->value, actual->text, "value", findings);
    fits &= fits_row(store, expected, actual, findings);
    if (expected->contains.node != NULL)
        fits &= diff_given(&expected->contains, whole, true, "contains", findings);
    return fits_absent(expected, whole, findings) && fits;
}

/* -- dead letters and drops -- */

bool fits_letter(const struct trial *trial, const struct spec_letter *expected, const struct trial_letter *actual,
                 struct findings *findings)
{
    const struct config_node *node = expected->head.node;
    const struct spec_record *given = trial->records[actual->record].given;
    bool fits = fits_record(trial, actual->record, expected->partition, expected->offset, node, findings);
    fits &= fits_given(&expected->key, given->key.bytes, "key", findings);
    fits &= fits_given(&expected->value, given->value.bytes, "value", findings);
    fits &= fits_text(expected->stage, actual->stage, false, "stage", node, findings);
    fits &= fits_text(expected->class, actual->class, false, "class", node, findings);
    return fits_text(expected->message, actual->message, true, "message", node, findings) && fits;
}

bool fits_drop(const struct trial *trial, const struct spec_drop *expected, const struct trial_record *actual,
               struct findings *findings)
{
    const struct config_node *node = expected->head.node;
    uint32_t record = (uint32_t)(actual - trial->records);
    bool fits = fits_record(trial, record, expected->partition, expected->offset, node, findings);
    fits &= fits_given(&expected->key, actual->given->key.bytes, "key", findings);
    bool step = expected->stage != NULL && strcmp(expected->stage, actual->drop_step) == 0;
    return (step || fits_text(expected->stage, actual->drop_stage, false, "stage", node, findings)) && fits;
}
