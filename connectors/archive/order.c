/* See order.h. */
#include "connectors/archive/order.h"

#include <string.h>

static bool is_known(const struct topic_id *id)
{
    return id->high != 0 || id->low != 0;
}

bool archive_is_another(const struct topic_id *a, const struct topic_id *b)
{
    return is_known(a) && is_known(b) && (a->high != b->high || a->low != b->low);
}

static enum status judge(const struct archive_order *order, const struct archive_name *name,
                         const struct archive_segment *segment, struct error *error)
{
    if (segment->topic[0] == '\0')
        return STATUS_OK;
    if (strcmp(segment->topic, name->topic) != 0 || segment->partition != name->partition)
        return error_set(error, ERROR_FATAL, "%s has records of %s/%d in it", name->path, segment->topic,
                         segment->partition);
    if (archive_is_another(&segment->id, &order->id))
        return error_set(
            error, ERROR_FATAL,
            "%s and %s are of two topics %s, one of which was deleted and the other made anew: move one of "
            "them away",
            order->id_path, name->path, name->topic);
    if (segment->count == 0)
        return STATUS_OK;
    /* Who begins in the middle opens the segment whose name says that it has that offset. */
    if (segment->frames[0].first != name->first)
        return error_set(error, ERROR_FATAL,
                         "%s begins at offset %lld, which its name does not say: give it the name that it had",
                         name->path, (long long)segment->frames[0].first);
    if (order->path != NULL && segment->frames[0].first <= order->last)
        return error_set(error, ERROR_FATAL, "%s and %s have offsets in common: move one of them away", order->path,
                         name->path);
    return STATUS_OK;
}

enum status archive_order_add(struct archive_order *order, const struct archive_name *name,
                              const struct archive_segment *segment, struct error *error)
{
    enum status status = judge(order, name, segment, error);
    if (!is_known(&order->id) && is_known(&segment->id)) {
        order->id = segment->id;
        order->id_path = name->path;
    }
    if (segment->count > 0) {
        order->path = name->path;
        order->last = segment->frames[segment->count - 1].last;
    }
    return status;
}
