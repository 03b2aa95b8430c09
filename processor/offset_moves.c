#include "processor/offset_moves.h"

#include <stdlib.h>
#include <string.h>

void offset_moves_fini(struct offset_moves *moves)
{
    free(moves->items);
    *moves = (struct offset_moves){0};
}

bool offset_moves_set(struct offset_moves *moves, const struct offset_move *items, unsigned count)
{
    if (count > moves->room) {
        struct offset_move *bigger = realloc(moves->items, count * sizeof *bigger);
        if (bigger == NULL)
            return false;
        moves->items = bigger;
        moves->room = count;
    }
    if (count > 0)
        memcpy(moves->items, items, count * sizeof *items);
    moves->count = count;
    return true;
}

bool offset_findings_add(struct offset_findings *findings, const struct offset_move *move, int64_t found)
{
    findings->count++;
    findings->at_from += found == move->from;
    findings->at_to += found == move->to;
    return findings->at_from == findings->count || findings->at_to == findings->count;
}

bool offset_findings_already(const struct offset_findings *findings)
{
    return findings->at_from < findings->count;
}
