#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"
#include "tests/support/memory.h"

/* Most are short; some have what has to be escaped somewhere, some are longer than any small buffer. */
const char *conformance_name(int64_t id, char out[NAME_ROOM])
{
    int size = snprintf(out, NAME_ROOM, "n-%lld", (long long)id);
    if (id % 50 == 7)
        snprintf(out + size, NAME_ROOM - (size_t)size, " \"quoted\" 'so' \\N \\. \t\n,{} \xc3\xa9 \xf0\x9f\x98\x80");
    if (id % 100 == 42)
        for (; size < 3000; size++)
            snprintf(out + size, 2, "%c", 'a' + (int)((id + size) % 26));
    return out;
}

const char *conformance_json(int64_t id, char out[JSON_ROOM])
{
    char name[NAME_ROOM];
    int size = snprintf(out, JSON_ROOM, "{\"id\":%lld,\"name\":\"", (long long)id);
    char *to = out + size;
    conformance_name(id, name);
    for (const char *from = name; *from != '\0'; from++) {
        const char *escape = *from == '\n' ? "\\n" : *from == '\t' ? "\\t" : *from == '"' ? "\\\"" : "\\\\";
        if (strchr("\n\t\"\\", *from) != NULL)
            to = stpcpy(to, escape);
        else
            *to++ = *from;
    }
    strcpy(to, "\"}");
    return out;
}

void conformance_add(struct batch *batch, int64_t id)
{
    char json[JSON_ROOM];
    records_add_json(batch, conformance_json(id, json))->offset = id;
}

struct batch *conformance_batch(struct records *records, int64_t from, unsigned count)
{
    struct batch *batch = records_batch(records);
    for (unsigned i = 0; i < count; i++)
        conformance_add(batch, from + i);
    return batch;
}

/* -- what was stored -- */

static void count_row(struct tally *tally, int64_t id)
{
    tally->rows++;
    if (id < 0 || id >= tally->records) {
        tally->spurious++;
        return;
    }
    if (tally->times[id]++ > 0)
        return;
    tally->inversions += id < tally->newest;
    tally->newest = id;
}

void tally_row(struct tally *tally, int64_t id, const char *name)
{
    char expected[NAME_ROOM];
    if (name == NULL || strcmp(name, conformance_name(id, expected)) != 0)
        tally->corrupt++;
    count_row(tally, id);
}

void tally_json(struct tally *tally, const char *json, size_t size)
{
    char expected[JSON_ROOM];
    long long id;
    if (sscanf(json, "{\"id\":%lld,", &id) != 1) {
        tally_corrupt(tally);
        return;
    }
    conformance_json(id, expected);
    if (strlen(expected) != size || memcmp(expected, json, size) != 0)
        tally->corrupt++;
    count_row(tally, id);
}

void tally_corrupt(struct tally *tally)
{
    tally->rows++;
    tally->corrupt++;
}

void subject_tally(struct subject *subject, int64_t records, struct tally *ret)
{
    *ret = (struct tally){.records = records, .newest = -1};
    ret->times = calloc((size_t)records + 1, sizeof *ret->times);
    ret->excused = calloc((size_t)records + 1, sizeof *ret->excused);
    assert_non_null(ret->times);
    assert_non_null(ret->excused);
    subject->store->collect(subject, ret);
}

void tally_fini(struct tally *tally)
{
    free(tally->times);
    free(tally->excused);
}

void tally_excuse(struct tally *tally, int64_t id)
{
    tally->excused[id] = true;
}

uint64_t tally_missing(const struct tally *tally)
{
    uint64_t missing = 0;
    for (int64_t id = 0; id < tally->records; id++)
        missing += tally->times[id] == 0 && !tally->excused[id];
    return missing;
}

uint64_t tally_twice(const struct tally *tally)
{
    uint64_t twice = 0;
    for (int64_t id = 0; id < tally->records; id++) {
        unsigned expected = tally->excused[id] ? 0 : 1;
        if (tally->times[id] > expected)
            twice += tally->times[id] - expected;
    }
    return twice;
}

void subject_assert_stored(struct subject *subject, int64_t records, uint64_t twice)
{
    struct tally tally;
    subject_tally(subject, records, &tally);
    print_message("%llu rows: %llu missing, %llu twice, %llu corrupt, %llu of nobody, %llu out of order\n",
                  (unsigned long long)tally.rows, (unsigned long long)tally_missing(&tally),
                  (unsigned long long)tally_twice(&tally), (unsigned long long)tally.corrupt,
                  (unsigned long long)tally.spurious, (unsigned long long)tally.inversions);
    assert_int_equal(tally_missing(&tally), 0);
    assert_int_equal(tally.corrupt, 0);
    assert_int_equal(tally.spurious, 0);
    assert_int_equal(tally.inversions, 0);
    assert_in_range(tally_twice(&tally), 0, twice);
    tally_fini(&tally);
}

uint64_t subject_rows(struct subject *subject)
{
    struct tally tally;
    subject_tally(subject, 0, &tally);
    uint64_t rows = tally.rows;
    tally_fini(&tally);
    return rows;
}

struct wanted {
    struct subject *subject;
    uint64_t rows;
};

static bool are_there(void *arg)
{
    struct wanted *wanted = arg;
    return subject_rows(wanted->subject) >= wanted->rows;
}

bool subject_wait_rows(struct subject *subject, uint64_t rows)
{
    struct wanted wanted = {subject, rows};
    return eventually(are_there, &wanted);
}
