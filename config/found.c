#include "config/found.h"

#include <stdio.h>
#include <string.h>

const char *found_words(const struct config_node *node, char *text)
{
    if (node->kind == NODE_MAP)
        snprintf(text, FOUND_MAX, "%s", node->count > 0 ? "a map" : "an empty map");
    else if (node->kind == NODE_LIST)
        snprintf(text, FOUND_MAX, "%s", node->count > 0 ? "a list" : "an empty list");
    else if (node->secret)
        snprintf(text, FOUND_MAX, "a value that is not shown, as it comes out of a variable or file");
    else if (config_tree_is_null(node))
        snprintf(text, FOUND_MAX, "nothing");
    else
        snprintf(text, FOUND_MAX, "\"%.64s%s\"%s", node->text, strlen(node->text) > 64 ? "..." : "",
                 !node->plain && !node->substituted ? " in quotes" : "");
    return text;
}

const char *found_choices(const char *const *names, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (; *names != NULL && at < size; names++) {
        const char *between = at == 0 ? "" : names[1] == NULL ? " or " : ", ";
        int written = snprintf(text + at, size - at, "%s%s", between, *names);
        at += written > 0 ? (size_t)written : 0;
    }
    return text;
}
