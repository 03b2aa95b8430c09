/* What a run came to: for people on stderr, as JSON for machines. */
#ifndef WEIR_CLI_RECEIPT_H
#define WEIR_CLI_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "processor/error.h"
#include "processor/ledger.h"
#include "processor/offsets.h"

struct receipt {
    const char *service;
    enum status status; /* what supervisor_run answered */
    struct error error; /* of STATUS_FAILED */
    struct ledger_counts counts;
    unsigned restarts;
    int64_t lost;    /* offsets that could never be read: corrupt, or removed before their time came */
    bool stopped;    /* by a signal */
    bool of_stretch; /* of a run that has an end: say whether it was reached */
    bool more;       /* of_stretch: it ended because it had as many records as were wanted, and there are more */
    bool dry_run;    /* nothing was stored, nor were there dead letters: it says what would be */
    bool filtered;   /* tell how many records were read and are none of the consumed: passed_over */
    bool kept;       /* tell how many of counts.stored were there already and stayed as they were: passed_over */
    uint64_t passed_over;
    const char *passed_over_by; /* a JSON object: how many for which reason; NULL: it is not known */
    int64_t wall, cpu;          /* ns: of the run; of the whole process since its start */
    int64_t peak_rss;           /* bytes, of the whole process */
    const struct offsets *offsets;
    const char *cpu_note, *memory_note; /* what is to be known about these two; NULL: nothing */
};

void receipt_print(const struct receipt *receipt, FILE *out);
/* One object, one line. Keys and units are a promise: scripts read them. */
void receipt_json(const struct receipt *receipt, FILE *out);

/* Before the run: could receipt_write write there? So that it does not turn out after hours. */
enum status receipt_probe(const char *path, struct error *error) WARN_UNUSED;
/* "-" is stdout. A file is there whole or not at all; what is no regular file (a pipe) is written to as it is. */
enum status receipt_write(const struct receipt *receipt, const char *path, struct error *error) WARN_UNUSED;

#endif
