#include "cli/receipt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/text.h"
#include "processor/clock.h"

/* More partitions than these are for machines. */
enum { PARTITIONS_SHOWN = 24, WIDTH = 100, HEAD = 17 };
/* What a record takes is said from so many on: of a few it is the start of the process that one sees. */
enum { RECORDS_TOLD = 10000 };

/* A record that was there already is as good as stored, and has that verdict; but nothing was written. */
static uint64_t stored(const struct receipt *receipt)
{
    uint64_t kept = receipt->kept ? receipt->passed_over : 0;
    return receipt->counts.stored > kept ? receipt->counts.stored - kept : 0;
}

/* -- for people -- */

static const char *outcome(const struct receipt *receipt)
{
    switch (receipt->status) {
    case STATUS_OK:
        if (!receipt->of_stretch)
            return "drained";
        if (receipt->stopped)
            return "stopped before its end";
        if (receipt->more)
            return "as many records as were wanted; there is more of it";
        return receipt->lost > 0 ? "all of it that could still be read" : "all of it";
    case STATUS_DEADLINE:
        return "not drained in time: what is abandoned is consumed again by the next run";
    case STATUS_CANCELLED:
        return "stopped at once: what is abandoned is consumed again by the next run";
    default:
        return "failed";
    }
}

static void print_count(FILE *out, const char *name, uint64_t count, const char *behind)
{
    char text[TEXT_MAX];
    fprintf(out, "  %-*s%15s%s\n", HEAD - 2, name, text_count(text, (int64_t)count), behind);
}

static const char *note(const char *text)
{
    return text != NULL ? text : "";
}

static void print_costs(const struct receipt *receipt, FILE *out)
{
    char cpu[TEXT_MAX], peak[TEXT_MAX];
    fprintf(out, "  %-*s%s", HEAD - 2, "CPU", text_time(cpu, receipt->cpu));
    if (receipt->counts.issued >= RECORDS_TOLD)
        fprintf(out, ", %.2f us a record", (double)receipt->cpu / 1000 / (double)receipt->counts.issued);
    fprintf(out, "%s\n", note(receipt->cpu_note));
    fprintf(out, "  %-*s%s%s\n", HEAD - 2, "peak memory", text_bytes(peak, receipt->peak_rss),
            note(receipt->memory_note));
    if (receipt->restarts > 0)
        fprintf(out, "  %-*s%u\n", HEAD - 2, "restarts", receipt->restarts);
}

struct offset_list {
    FILE *out;
    unsigned count;
    int column;
};

static void print_offset(const char *topic, int32_t partition, int64_t offset, void *arg)
{
    struct offset_list *list = arg;
    char text[512];
    if (list->count++ >= PARTITIONS_SHOWN)
        return;
    int size = snprintf(text, sizeof text, "%s/%d@%" PRId64, topic, partition, offset);
    if (list->column > HEAD && list->column + size + 2 > WIDTH) {
        fprintf(list->out, "\n%*s", HEAD, "");
        list->column = HEAD;
    }
    list->column += fprintf(list->out, "%s%s", list->column > HEAD ? "  " : "", text);
}

static void print_offsets(const struct receipt *receipt, FILE *out)
{
    struct offset_list list = {.out = out, .column = HEAD};
    fprintf(out, "  %-*s", HEAD - 2, receipt->of_stretch ? "done up to" : "committed");
    offsets_each((struct offsets *)receipt->offsets, print_offset, &list);
    if (list.count == 0)
        fputs("nothing", out);
    if (list.count > PARTITIONS_SHOWN)
        fprintf(out, "  and %u more", list.count - PARTITIONS_SHOWN);
    putc('\n', out);
}

void receipt_print(const struct receipt *receipt, FILE *out)
{
    char rate[TEXT_MAX], time[TEXT_MAX], behind[2 * TEXT_MAX + 16];
    const struct ledger_counts *counts = &receipt->counts;
    double seconds = (double)receipt->wall / (double)CLOCK_SECOND;
    fprintf(out, "%s: %s%s\n", receipt->service, outcome(receipt),
            receipt->dry_run ? " (dry run: nothing was written, no dead letter was sent)" : "");
    snprintf(behind, sizeof behind, "  in %s, %s/s", text_time(time, receipt->wall),
             text_count(rate, seconds > 0 ? (int64_t)((double)counts->issued / seconds) : 0));
    print_count(out, "consumed", counts->issued, behind);
    print_count(out, receipt->dry_run ? "would store" : "stored", stored(receipt), "");
    if (receipt->kept)
        print_count(out, "passed over", receipt->passed_over, "  that are there already");
    print_count(out, receipt->dry_run ? "would reject" : "dead-lettered", counts->dead_lettered, "");
    print_count(out, "dropped", counts->dropped, "");
    print_count(out, "abandoned", counts->abandoned, "");
    if (receipt->lost > 0)
        print_count(out, "lost", (uint64_t)receipt->lost, "  offsets that could never be read, see the log");
    if (receipt->filtered)
        print_count(out, "passed over", receipt->passed_over, "");
    print_costs(receipt, out);
    print_offsets(receipt, out);
}

/* -- for machines -- */

struct offset_object {
    FILE *out;
    char topic[256];
    bool open;
};

static void json_offset(const char *topic, int32_t partition, int64_t offset, void *arg)
{
    struct offset_object *object = arg;
    if (object->open && strcmp(object->topic, topic) == 0) {
        fputs(", ", object->out);
    } else {
        fputs(object->open ? "}, " : "", object->out);
        text_json(object->out, topic);
        fputs(": {", object->out);
        snprintf(object->topic, sizeof object->topic, "%s", topic);
        object->open = true;
    }
    fprintf(object->out, "\"%d\": %" PRId64, partition, offset);
}

void receipt_json(const struct receipt *receipt, FILE *out)
{
    const struct ledger_counts *counts = &receipt->counts;
    struct offset_object offsets = {.out = out};
    fprintf(out,
            "{\"consumed\": %" PRIu64 ", \"stored\": %" PRIu64 ", \"dead_lettered\": %" PRIu64 ", \"dropped\": %" PRIu64
            ", \"abandoned\": %" PRIu64 ", \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"peak_rss_bytes\": %" PRId64
            ", \"restarts\": %u, \"lost_offsets\": %" PRId64 ", \"offsets\": {",
            counts->issued, stored(receipt), counts->dead_lettered, counts->dropped, counts->abandoned,
            (double)receipt->wall / (double)CLOCK_SECOND, (double)receipt->cpu / (double)CLOCK_SECOND,
            receipt->peak_rss, receipt->restarts, receipt->lost);
    offsets_each((struct offsets *)receipt->offsets, json_offset, &offsets);
    fputs(offsets.open ? "}}" : "}", out);
    if (receipt->of_stretch)
        fprintf(out, ", \"finished\": %s, \"dry_run\": %s",
                receipt->status == STATUS_OK && !receipt->stopped && !receipt->more ? "true" : "false",
                receipt->dry_run ? "true" : "false");
    if (receipt->filtered || receipt->kept)
        fprintf(out, ", \"passed_over\": %" PRIu64, receipt->passed_over);
    if (receipt->filtered && receipt->passed_over_by != NULL)
        fprintf(out, ", \"passed_over_by\": %s", receipt->passed_over_by);
    fputs("}\n", out);
}

/* -- the file -- */

static enum status failed(const char *path, struct error *error)
{
    return error_set(error, ERROR_FATAL, "receipt %s: %s", path, strerror(errno));
}

static bool is_special(const char *path)
{
    struct stat stat_of;
    return stat(path, &stat_of) == 0 && !S_ISREG(stat_of.st_mode);
}

/* Beside the receipt, so that the rename stays in one file system. */
static bool temporary_name(const char *path, char name[PATH_MAX])
{
    int size = snprintf(name, PATH_MAX, "%s.%d.new", path, (int)getpid());
    if (size < PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

enum status receipt_probe(const char *path, struct error *error)
{
    char name[PATH_MAX];
    if (strcmp(path, "-") == 0 || is_special(path))
        return STATUS_OK;
    if (!temporary_name(path, name))
        return failed(path, error);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0)
        return failed(path, error);
    close(fd);
    unlink(name);
    return STATUS_OK;
}

static bool write_all(const struct receipt *receipt, const char *path, bool sync)
{
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return false;
    receipt_json(receipt, out);
    bool good = fflush(out) == 0 && !ferror(out) && (!sync || fsync(fileno(out)) == 0);
    int code = errno;
    good = fclose(out) == 0 && good;
    errno = code;
    return good;
}

enum status receipt_write(const struct receipt *receipt, const char *path, struct error *error)
{
    char name[PATH_MAX];
    if (strcmp(path, "-") == 0) {
        receipt_json(receipt, stdout);
        return STATUS_OK;
    }
    if (is_special(path))
        return write_all(receipt, path, false) ? STATUS_OK : failed(path, error);
    if (!temporary_name(path, name))
        return failed(path, error);
    if (write_all(receipt, name, true) && rename(name, path) == 0)
        return STATUS_OK;
    enum status status = failed(path, error);
    unlink(name);
    return status;
}
