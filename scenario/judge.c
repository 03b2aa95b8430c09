/*
 * What is compared, and in which order: the outputs of each store, the dead letters and the drops, each as a sequence in the order of the input. Within a
 * partition outputs keep the order in which they were stored, as that is promised; between partitions nothing is promised, so they stand as their records came
 * (with `order: none` this holds for all).
 */
#include "scenario/judge.h"

#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "scenario/align.h"
#include "scenario/diff.h"
#include "scenario/fits.h"

struct judged {
    struct trial *trial;
    struct findings *findings;
    const struct trial_store *store; /* of the outputs under comparison */
    void **actual;                   /* items in the order that counts */
};

/* -- places and orders -- */

static const char *place(const struct trial *trial, uint32_t record, char text[160])
{
    const struct spec_record *given = trial->records[record].given;
    snprintf(text, 160, "%.100s/%d@%lld", given->topic, (int)given->partition, (long long)given->offset);
    return text;
}

/* Where it stands in the file. */
static const struct config_node *input(const struct trial *trial, uint32_t record)
{
    return trial->records[record].given->head.node;
}

static bool same_partition(const struct trial *trial, uint32_t a, uint32_t b)
{
    const struct spec_record *left = trial->records[a].given, *right = trial->records[b].given;
    return left->partition == right->partition && strcmp(left->topic, right->topic) == 0;
}

struct sorted {
    uint32_t rank;
    size_t at;
    void *item;
};

static int by_rank(const void *a, const void *b)
{
    const struct sorted *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return left->at < right->at ? -1 : left->at > right->at;
}

/* The items by their ranks; those of one rank as they stand. The caller frees it. */
static void **sort(struct sorted *sorted, size_t count)
{
    void **items = calloc(count + 1, sizeof *items);
    CHECK(items != NULL);
    qsort(sorted, count, sizeof *sorted, by_rank);
    for (size_t i = 0; i < count; i++)
        items[i] = sorted[i].item;
    free(sorted);
    return items;
}

/* An output's rank is its record's, but never less than that of one that was stored before it and is of the same partition. */
static void **sort_outputs(const struct trial *trial, const struct trial_store *store)
{
    struct sorted *sorted = calloc(store->count + 1, sizeof *sorted);
    uint32_t *highest = calloc((size_t)trial->record_count + 1,
                               sizeof *highest); /* by the first record of a partition */
    uint32_t *first = calloc((size_t)trial->record_count + 1, sizeof *first);
    CHECK(sorted != NULL && highest != NULL && first != NULL);
    for (uint32_t i = 0; i < trial->record_count; i++) {
        while (first[i] < i && !same_partition(trial, first[i], i))
            first[i]++;
    }
    for (size_t i = 0; i < store->count; i++) {
        uint32_t record = store->outputs[i].record, *most = &highest[first[record]];
        *most = trial->pipeline.ordered && *most > record ? *most : record;
        sorted[i] = (struct sorted){*most, i, &store->outputs[i]};
    }
    free(first);
    free(highest);
    return sort(sorted, store->count);
}

/* Several stores may refuse a record, each in a thread of its own: then in the order of the config. */
static uint32_t letter_rank(const struct trial *trial, const struct trial_letter *letter)
{
    unsigned store = 0;
    while (store < trial->pipeline.store_count && strcmp(trial->pipeline.stores[store].name, letter->stage) != 0)
        store++;
    return letter->record * (LEDGER_MAX_BRANCHES + 1) + store;
}

static void **sort_letters(const struct trial *trial)
{
    struct sorted *sorted = calloc(trial->letter_count + 1, sizeof *sorted);
    CHECK(sorted != NULL);
    for (size_t i = 0; i < trial->letter_count; i++)
        sorted[i] = (struct sorted){letter_rank(trial, &trial->letters[i]), i, &trial->letters[i]};
    return sort(sorted, trial->letter_count);
}

/* -- outputs -- */

static bool output_fits(void *arg, uint32_t expected, uint32_t actual)
{
    const struct judged *judged = arg;
    const struct spec_output *outputs = judged->store->scenario->outputs.items;
    return fits_output(judged->store, &outputs[expected], judged->actual[actual], NULL);
}

static void tell_output(const struct judged *judged, const struct align_pair *pair)
{
    const struct trial_store *store = judged->store;
    const struct spec_output *outputs = store->scenario->outputs.items;
    const struct trial_output *actual = pair->actual != ALIGN_NONE ? judged->actual[pair->actual] : NULL;
    char at[160], shown[DIFF_SHOWN_MAX];
    if (actual == NULL) {
        findings_about(judged->findings, "output[%u] of %s", pair->expected, store->real->name);
        findings_add(judged->findings, outputs[pair->expected].head.node, "expected, and not stored");
    } else if (pair->expected == ALIGN_NONE) {
        bool row = actual->preview.row.type != VALUE_MISSING;
        findings_about(judged->findings, "%s", place(judged->trial, actual->record, at));
        findings_add(judged->findings, input(judged->trial, actual->record), "not expected, and stored in %s: %s",
                     store->real->name, diff_show(row ? actual->preview.row.text : actual->text, shown));
    } else {
        findings_about(judged->findings, "output[%u] of %s (%s)", pair->expected, store->real->name,
                       place(judged->trial, actual->record, at));
        (void)fits_output(judged->store, &outputs[pair->expected], actual, judged->findings);
    }
}

/* -- dead letters -- */

static bool letter_fits(void *arg, uint32_t expected, uint32_t actual)
{
    const struct judged *judged = arg;
    const struct spec_letter *letters = judged->trial->scenario->spec->dead_letters.items;
    return fits_letter(judged->trial, &letters[expected], judged->actual[actual], NULL);
}

static void tell_letter(const struct judged *judged, const struct align_pair *pair)
{
    const struct spec *spec = judged->trial->scenario->spec;
    const struct spec_letter *letters = spec->dead_letters.items;
    const struct trial_letter *actual = pair->actual != ALIGN_NONE ? judged->actual[pair->actual] : NULL;
    char at[160];
    if (actual == NULL) {
        findings_about(judged->findings, "dead_letters[%u]", pair->expected);
        findings_add(judged->findings, letters[pair->expected].head.node, "expected, and no dead letter");
    } else if (pair->expected == ALIGN_NONE) {
        findings_about(judged->findings, "%s", place(judged->trial, actual->record, at));
        findings_add(judged->findings, input(judged->trial, actual->record),
                     "not expected, and a dead letter of %s: %s: %s", actual->stage, actual->class, actual->message);
    } else {
        findings_about(judged->findings, "dead_letters[%u] (%s)", pair->expected,
                       place(judged->trial, actual->record, at));
        (void)fits_letter(judged->trial, &letters[pair->expected], actual, judged->findings);
    }
}

/* -- drops -- */

static bool drop_fits(void *arg, uint32_t expected, uint32_t actual)
{
    const struct judged *judged = arg;
    const struct spec_drop *drops = judged->trial->scenario->drops.items;
    return fits_drop(judged->trial, &drops[expected], judged->actual[actual], NULL);
}

static void tell_drop(const struct judged *judged, const struct align_pair *pair)
{
    const struct scenario *scenario = judged->trial->scenario;
    const struct spec_drop *drops = scenario->drops.items;
    const struct trial_record *actual = pair->actual != ALIGN_NONE ? judged->actual[pair->actual] : NULL;
    char at[160];
    if (actual == NULL) {
        findings_about(judged->findings, "drops[%u]", pair->expected);
        findings_add(judged->findings, drops[pair->expected].head.node, "expected, and not dropped");
        return;
    }
    uint32_t record = (uint32_t)(actual - judged->trial->records);
    if (pair->expected == ALIGN_NONE) {
        findings_about(judged->findings, "%s", place(judged->trial, record, at));
        findings_add(judged->findings, input(judged->trial, record), "not expected, and dropped by %s (%s)",
                     actual->drop_stage, actual->drop_step);
    } else {
        findings_about(judged->findings, "drops[%u] (%s)", pair->expected, place(judged->trial, record, at));
        (void)fits_drop(judged->trial, &drops[pair->expected], actual, judged->findings);
    }
}

/* -- all of it -- */

static void compare(struct judged *judged, uint32_t expected, size_t count, bool (*fits)(void *, uint32_t, uint32_t),
                    void (*tell)(const struct judged *, const struct align_pair *))
{
    struct align_pair *pairs = calloc(expected + count + 1, sizeof *pairs);
    CHECK(pairs != NULL);
    uint32_t number = align(expected, (uint32_t)count, fits, judged, pairs);
    for (uint32_t i = 0; i < number; i++) {
        bool both = pairs[i].expected != ALIGN_NONE && pairs[i].actual != ALIGN_NONE;
        if (!both || !fits(judged, pairs[i].expected, pairs[i].actual))
            tell(judged, &pairs[i]);
    }
    free(pairs);
    free(judged->actual);
    judged->actual = NULL;
}

static void judge_drops(struct judged *judged)
{
    struct trial *trial = judged->trial;
    const struct scenario *scenario = trial->scenario;
    size_t count = 0;
    judged->actual = calloc((size_t)trial->record_count + 1, sizeof *judged->actual);
    CHECK(judged->actual != NULL);
    for (uint32_t i = 0; i < trial->record_count; i++) {
        if (trial->records[i].drop_stage != NULL)
            judged->actual[count++] = &trial->records[i];
    }
    if (scenario->drops_listed || (scenario->drop_count == 0 && count > 0)) {
        compare(judged, scenario->drops.count, count, drop_fits, tell_drop);
        return;
    }
    findings_about(judged->findings, "drops");
    if ((int64_t)count != scenario->drop_count)
        findings_add(judged->findings, scenario->spec->drops, "expected %lld dropped, found %zu",
                     (long long)scenario->drop_count, count);
    free(judged->actual);
    judged->actual = NULL;
}

/* Every record has a verdict, whatever was expected of it. */
static void judge_verdicts(struct judged *judged)
{
    const struct trial *trial = judged->trial;
    char at[160];
    for (uint32_t i = 0; i < trial->record_count; i++) {
        const struct trial_record *record = &trial->records[i];
        if (record->drop_stage != NULL || record->rejected)
            continue;
        findings_about(judged->findings, "%s", place(trial, i, at));
        for (unsigned k = 0; k < trial->pipeline.store_count; k++) {
            if (((record->stored | record->refused) >> k & 1) == 0)
                findings_add(judged->findings, input(trial, i),
                             "no verdict: neither stored in %s, nor dropped, nor a dead letter",
                             trial->pipeline.stores[k].name);
        }
    }
    findings_about(judged->findings, "%s", "");
    const struct spec *spec = trial->scenario->spec;
    uint64_t known = trial->counts.stored + trial->counts.dropped + trial->counts.dead_lettered;
    if (known != trial->record_count && trial->status == STATUS_OK)
        findings_add(judged->findings, spec->head.node, "expected a verdict for each of %u records, found %llu",
                     trial->record_count, (unsigned long long)known);
}

/* True: every record should have a verdict. */
static bool judge_end(struct judged *judged)
{
    const struct trial *trial = judged->trial;
    const struct spec *spec = trial->scenario->spec;
    const struct config_node *node = config_tree_get(spec->head.node, "stops");
    findings_about(judged->findings, "%s", "");
    if (trial->status == STATUS_OK) {
        if (spec->stops != NULL)
            findings_add(judged->findings, node, "expected the service to stop (\"%s\"), and it did not", spec->stops);
        return true;
    }
    if (trial->status != STATUS_FAILED)
        findings_add(judged->findings, spec->head.node, "not done within %.3g s (timeout)", (double)trial->ns / 1e9);
    else if (spec->stops == NULL)
        findings_add(judged->findings, spec->head.node, "the service stopped: %s", trial->error.text);
    else
        (void)fits_text(spec->stops, trial->error.text, true, "stops", spec->head.node, judged->findings);
    return trial->status != STATUS_FAILED;
}

void judge(struct trial *trial, struct findings *findings)
{
    struct judged judged = {.trial = trial, .findings = findings};
    bool ended = judge_end(&judged);
    for (unsigned i = 0; i < trial->pipeline.store_count; i++) {
        judged.store = &trial->stores[i];
        judged.actual = sort_outputs(trial, judged.store);
        compare(&judged, judged.store->scenario->outputs.count, judged.store->count, output_fits, tell_output);
    }
    judged.actual = sort_letters(trial);
    compare(&judged, trial->scenario->spec->dead_letters.count, trial->letter_count, letter_fits, tell_letter);
    judge_drops(&judged);
    if (ended)
        judge_verdicts(&judged);
}
