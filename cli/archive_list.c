#include "cli/archive.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/text.h"
#include "connectors/archive/catalog.h"
#include "connectors/archive/inflate.h"
#include "connectors/archive/order.h"
#include "connectors/archive/segment.h"
#include "processor/check.h"
#include "processor/timestamp.h"

/* One partition. */
struct tally {
    const char *topic;
    int32_t partition;
    unsigned segments, unfinished;
    uint64_t records;
    int64_t first, last, earliest, latest; /* -1: none */
    int64_t stored, raw;                   /* bytes */
    unsigned damages;
    FILE *problems; /* with JSON: what is said of it, as the items of an array; NULL: it goes to stderr */
    struct archive_order order;
};

struct listing {
    bool verify, json;
    FILE *out;
    struct archive_inflater *inflater;
    bool damaged;
};

/* path "": the text has it. */
static void say(const struct tally *tally, const char *path, const char *what)
{
    char text[PATH_MAX + 512];
    snprintf(text, sizeof text, "%s%s%s", path, path[0] != '\0' ? ": " : "", what);
    if (tally->problems == NULL) {
        fprintf(stderr, "weir archive: %s\n", text);
        return;
    }
    fputs(ftello(tally->problems) > 0 ? "," : "", tally->problems);
    text_json(tally->problems, text);
}

static void tell(struct tally *tally, const char *path, const char *what)
{
    say(tally, path, what);
    tally->damages++;
}

static void add(struct tally *tally, const struct archive_frame *frame)
{
    tally->records += frame->count;
    tally->raw += frame->raw;
    if (tally->first < 0)
        tally->first = frame->first;
    tally->last = frame->last;
    if (frame->earliest >= 0 && (tally->earliest < 0 || frame->earliest < tally->earliest))
        tally->earliest = frame->earliest;
    if (frame->latest > tally->latest)
        tally->latest = frame->latest;
}

static void verify_frame(const struct listing *listing, struct tally *tally, int fd, const char *path,
                         const struct archive_frame *frame)
{
    struct bytes payload;
    struct error error = {0};
    if (archive_inflate(listing->inflater, fd, path, frame, &payload, &error) != STATUS_OK)
        tell(tally, "", error.text);
    else if (!archive_frame_holds(frame, payload))
        tell(tally, path, "a frame's records are not what its header says");
}

/* Who deletes a topic after --verify relies on it: there a tail that is torn is a loss, as long as the archive command was not run again. */
static void judge(const struct listing *listing, struct tally *tally, const char *path,
                  const struct archive_segment *segment)
{
    char words[192] = "";
    long long torn = (long long)archive_segment_torn(segment);
    bool bad = true;
    if (segment->damaged >= 0) {
        snprintf(words, sizeof words, "damaged at byte %lld, with whole frames behind that",
                 (long long)segment->damaged);
    } else if (segment->size == 0) {
        snprintf(words, sizeof words, "it is empty; the same archive command again completes it");
        bad = listing->verify;
    } else if (segment->count == 0) {
        /* Torn before the first flush, or overwritten. */
        snprintf(words, sizeof words, "not one frame of it is whole; the same archive command again completes it");
    } else if (torn > 0) {
        snprintf(words, sizeof words,
                 "the last %lld bytes are torn; what is before them is good, and the same archive command again "
                 "completes it",
                 torn);
        bad = listing->verify;
    }
    if (words[0] == '\0')
        return;
    say(tally, path, words);
    tally->damages += bad;
}

static void look_at(const struct listing *listing, const struct archive_name *name, struct tally *tally)
{
    struct archive_segment segment;
    struct error error = {0};
    if (archive_segment_read(name->path, &segment, &error) != STATUS_OK) {
        tell(tally, "", error.text);
        return;
    }
    tally->segments++;
    tally->unfinished += !segment.finished;
    tally->stored += segment.size;
    int fd = listing->verify ? open(name->path, O_RDONLY | O_CLOEXEC) : -1;
    for (uint32_t i = 0; i < segment.count; i++) {
        add(tally, &segment.frames[i]);
        if (listing->verify)
            verify_frame(listing, tally, fd, name->path, &segment.frames[i]);
    }
    if (fd >= 0)
        close(fd);
    judge(listing, tally, name->path, &segment);
    if (archive_order_add(&tally->order, name, &segment, &error) != STATUS_OK)
        tell(tally, "", error.text);
    archive_segment_fini(&segment);
}

static const char *time_text(int64_t ms, char text[TIMESTAMP_MAX + 1])
{
    text[ms >= 0 ? timestamp_write((uint8_t *)text, ms) : 0] = '\0';
    return text[0] != '\0' ? text : "-";
}

static void print_row(const struct tally *tally, FILE *out)
{
    char from[TIMESTAMP_MAX + 1], to[TIMESTAMP_MAX + 1], name[300];
    snprintf(name, sizeof name, "%s/%d", tally->topic, tally->partition);
    fprintf(out, "%-24s %12" PRId64 " %12" PRId64 " %12" PRIu64 "  %-24s  %-24s %8u %14" PRId64 "\n", name,
            tally->first, tally->last, tally->records, time_text(tally->earliest, from), time_text(tally->latest, to),
            tally->segments, tally->stored);
}

/* -1 is not known. */
static void print_known(FILE *out, const char *key, int64_t number)
{
    if (number >= 0)
        fprintf(out, ",\"%s\":%" PRId64, key, number);
    else
        fprintf(out, ",\"%s\":null", key);
}

static void print_object(const struct tally *tally, const char *problems, FILE *out)
{
    fprintf(out, "{\"topic\":\"%s\",\"partition\":%d", tally->topic, (int)tally->partition);
    print_known(out, "first", tally->first);
    print_known(out, "last", tally->last);
    fprintf(out, ",\"records\":%" PRIu64, tally->records);
    print_known(out, "earliest_ms", tally->earliest);
    print_known(out, "latest_ms", tally->latest);
    fprintf(out,
            ",\"segments\":%u,\"unfinished\":%u,\"bytes\":%" PRId64 ",\"raw_bytes\":%" PRId64
            ",\"good\":%s,\"problems\":[%s]}\n",
            tally->segments, tally->unfinished, tally->stored, tally->raw, tally->damages == 0 ? "true" : "false",
            problems);
}

/* Of the partition of catalog->names[at]; returns behind the last of it. */
static unsigned list_partition(struct listing *listing, const struct archive_catalog *catalog, unsigned at)
{
    const struct archive_name *name = &catalog->names[at];
    struct tally tally = {
        .topic = name->topic, .partition = name->partition, .first = -1, .last = -1, .earliest = -1, .latest = -1};
    char *problems = NULL;
    size_t size = 0;
    if (listing->json)
        CHECK((tally.problems = open_memstream(&problems, &size)) != NULL);
    for (; at < catalog->count && catalog->names[at].partition == tally.partition &&
           strcmp(catalog->names[at].topic, tally.topic) == 0;
         at++)
        look_at(listing, &catalog->names[at], &tally);
    listing->damaged = listing->damaged || tally.damages > 0;
    if (listing->json) {
        CHECK(fclose(tally.problems) == 0);
        print_object(&tally, problems, listing->out);
    } else {
        print_row(&tally, listing->out);
    }
    free(problems);
    return at;
}

static enum exit_code list_all(struct listing *listing, const struct archive_catalog *catalog)
{
    if (!listing->json)
        fprintf(listing->out, "%-24s %12s %12s %12s  %-24s  %-24s %8s %14s\n", "PARTITION", "FIRST", "LAST", "RECORDS",
                "EARLIEST", "LATEST", "SEGMENTS", "BYTES");
    for (unsigned i = 0; i < catalog->count;)
        i = list_partition(listing, catalog, i);
    return listing->damaged ? EXIT_FAILED : EXIT_OK;
}

enum exit_code archive_list(const char *dir, bool verify, bool json, FILE *out)
{
    struct listing listing = {.verify = verify, .json = json, .out = out};
    struct archive_catalog catalog;
    struct error error = {0};
    if (archive_catalog_read(dir, NULL, -1, &catalog, &error) != STATUS_OK) {
        fprintf(stderr, "weir archive: %s\n", error.text);
        return EXIT_FAILED;
    }
    listing.inflater = archive_inflater_new();
    CHECK(listing.inflater != NULL);
    enum exit_code code = EXIT_FAILED;
    if (catalog.count == 0)
        fprintf(stderr, "weir archive: %s has no archive in it\n", dir);
    else
        code = list_all(&listing, &catalog);
    archive_inflater_free(listing.inflater);
    archive_catalog_fini(&catalog);
    return code;
}
