/*
 * Which rows does the server refuse? All that is held is sent again, in a transaction that is rolled back, each stretch behind a savepoint; what goes well
 * stays there, so that a row that only clashes with another one of the same flush is found as well. A stretch that fails is halved, or cut where the server
 * says that the fault is ("COPY orders, line 17"), until one row is left: that one is rejected with the server's words. Behind it the stretches begin as long
 * as the run of good rows was, and double: one bad row among n costs about 2 log n statements, and nothing but bad rows one each.
 */
#include <stdio.h>
#include <string.h>

#include "connectors/postgres/sqlstate.h"
#include "connectors/postgres/store.h"

/* Rows are counted over all held batches, with those that have another answer already. */
struct search {
    struct postgres_store *store;
    struct context *context;
    uint64_t count;   /* of all rows */
    char prefix[320]; /* before the next statement */
    uint64_t hint;    /* where the fault of the last failed stretch may be; UINT64_MAX: not known */
    uint64_t found;
    struct error error; /* of the last failure */
};

static struct record *record_at(const struct search *search, uint64_t at, struct batch **ret_batch)
{
    struct batch **held = search->store->held;
    while (at >= (*held)->count) {
        at -= (*held)->count;
        held++;
    }
    *ret_batch = *held;
    return &(*held)->records[at];
}

/* Encodes from `from` up to `to`, or less when the run of rows is full. Answers up to where. */
static enum status encode(struct search *search, uint64_t from, uint64_t to, uint64_t *ret_to)
{
    struct postgres_store *store = search->store;
    struct batch *batch = NULL;
    uint64_t at = from;
    enum status status = STATUS_OK;
    postgres_rows_reset(&store->rows);
    while (at < to && status == STATUS_OK && !postgres_rows_full(&store->rows)) {
        struct record *record = record_at(search, at, &batch);
        const struct record *end = batch->records + batch->count;
        for (; record < end && at < to && status == STATUS_OK && !postgres_rows_full(&store->rows); record++, at++) {
            if (record->answer == STAGE_FORWARD)
                status = postgres_rows_add(&store->rows, &store->table, store->config, batch, record);
            search->found += record->answer == STAGE_REJECT;
        }
    }
    postgres_rows_rest(&store->rows);
    *ret_to = at;
    return status == STATUS_OK ? STATUS_OK : error_set(&search->error, ERROR_TRANSIENT, "out of memory");
}

/* The place of the line that the server named. */
static uint64_t place_of_line(const struct search *search, uint64_t from, uint64_t to)
{
    uint32_t line = search->store->transfer.failure.line;
    struct batch *batch;
    if (line == 0 || search->store->transfer.upsert)
        return UINT64_MAX;
    for (uint64_t at = from; at < to; at++) {
        if (record_at(search, at, &batch)->answer == STAGE_FORWARD && --line == 0)
            return at;
    }
    return UINT64_MAX;
}

/* *ret_to: up to where it was tried. STATUS_FAILED with ERROR_RECORD in search->error: one of them is wrong. */
static enum status try(struct search *search, uint64_t from, uint64_t to, uint64_t *ret_to)
{
    struct postgres_store *store = search->store;
    search->error = (struct error){0};
    store->transfer.failure = (struct postgres_failure){0};
    enum status status = encode(search, from, to, ret_to);
    if (status != STATUS_OK || store->rows.count == 0)
        return status;
    status = postgres_transfer(&store->transfer, search->prefix, search->context, &search->error);
    if (status == STATUS_OK)
        status = postgres_settle(&store->transfer, search->context, &search->error);
    bool good = status == STATUS_OK;
    snprintf(search->prefix, sizeof search->prefix, "%s",
             good ? "RELEASE SAVEPOINT weir; SAVEPOINT weir; " : "ROLLBACK TO SAVEPOINT weir; ");
    if (status == STATUS_FAILED && search->error.class == ERROR_RECORD)
        search->hint = place_of_line(search, from, *ret_to);
    return status;
}

static void reject(struct search *search, uint64_t at)
{
    struct batch *batch;
    struct record *record = record_at(search, at, &batch);
    const struct postgres_failure *failure = &search->store->transfer.failure;
    batch_reject(batch, record, postgres_reject_class(failure->state), "table \"%s\": %s [%s]",
                 search->store->config->table, failure->words, failure->state);
    search->found++;
}

static bool is_wrong(const struct search *search, enum status status)
{
    return status == STATUS_FAILED && search->error.class == ERROR_RECORD;
}

/* One of [from, end) is wrong. Finds the first, rejects it, and answers where it was; end: this time all of them went well. */
static enum status narrow(struct search *search, uint64_t from, uint64_t end, uint64_t *ret_at)
{
    while (from < end) {
        uint64_t to = from + (end - from) / 2;
        if (search->hint != UINT64_MAX && search->hint >= from && search->hint < end)
            to = search->hint;
        if (to == from)
            to = from + 1;
        enum status status = try(search, from, to, &to);
        if (is_wrong(search, status)) {
            if (to == from + 1) {
                reject(search, from);
                *ret_at = from;
                return STATUS_OK;
            }
            end = to;
            continue;
        }
        if (status != STATUS_OK)
            return status;
        from = to;
    }
    *ret_at = end;
    return STATUS_OK;
}

static enum status scan(struct search *search)
{
    uint64_t at = 0, begin = 0, width = UINT64_MAX / 4;
    while (at < search->count) {
        uint64_t to = width < search->count - at ? at + width : search->count, wrong = at;
        enum status status = try(search, at, to, &to);
        if (status == STATUS_OK) {
            at = to;
            width = width < UINT64_MAX / 4 ? width * 2 : width;
            continue;
        }
        if (!is_wrong(search, status))
            return status;
        if (to == at + 1) {
            reject(search, at);
        } else {
            status = narrow(search, at, to, &wrong);
            if (status != STATUS_OK)
                return status;
        }
        width = wrong - begin > 1 ? wrong - begin : 1;
        at = wrong < to ? wrong + 1 : to;
        begin = at;
    }
    return STATUS_OK;
}

enum status postgres_store_find_wrong(struct postgres_store *store, const struct error *why, struct context *context,
                                      struct error *error)
{
    struct search search = {.store = store, .context = context, .hint = UINT64_MAX};
    char begin[200];
    postgres_store_rollback(store);
    enum status status = postgres_store_ready(store, context, error);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < store->held_count; i++)
        search.count += store->held[i]->count;
    postgres_store_begin_text(store, context, begin, sizeof begin);
    /* Constraints that are checked at the commit only: now. */
    snprintf(search.prefix, sizeof search.prefix, "%sSET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT weir; ", begin);
    store->begun = true;
    status = scan(&search);
    if (status != STATUS_OK) {
        if (error != NULL)
            *error = search.error;
        return status;
    }
    if (search.found > 0)
        return error_set(error, ERROR_RECORD, "%s", why->text);
    return error_set(error, ERROR_TRANSIENT, "%s; tried once more, all went well", why->text);
}
