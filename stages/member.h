/*
 * What the enrichers share: paths that name a member to write (names only, no array indexes), and which documents have members at all.
 */
#ifndef WEIR_STAGES_MEMBER_H
#define WEIR_STAGES_MEMBER_H

#include "config/table.h"
#include "processor/batch.h"
#include "processor/path.h"

extern const struct config_custom member_path; /* struct path, of names only and at least one */

/* The same out of a map's key. false: reported. */
bool member_path_of_key(struct config_loader *loader, const struct config_node *node, struct path *ret);

/* A map whose keys are such paths: walks node's children; false when node is no map or has no children: reported. */
bool member_map_begin(struct config_loader *loader, const struct config_node *node, const char *expected);

/* May an enricher change this record? A tombstone passes untouched (false); anything else that is no object is rejected with class "type" (false). */
static inline bool member_wanted(struct batch *batch, struct record *record)
{
    if (__builtin_expect(record->document.kind == DOCUMENT_OBJECT, 1))
        return true;
    if (record->document.kind != DOCUMENT_NULL)
        batch_reject(batch, record, "type", "expected a JSON object, found %s",
                     record->document.kind == DOCUMENT_JSON  ? "another JSON value"
                     : record->document.kind == DOCUMENT_RAW ? "raw bytes (decode has `format: raw`)"
                                                             : "a value that no decode stage has seen");
    return false;
}

/* document_set with its failures answered. false: the record is answered; also for want of memory by a rejection, as asking again would read what the record's
 * earlier changes have made of it. */
bool member_set(struct batch *batch, struct record *record, const struct path *path, struct bytes json);

#endif
