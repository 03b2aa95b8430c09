/*
 * See find.h. The indexes tell which frames may have what is asked for; the first and the last of them are looked into, so that the plan has the very records
 * that bound the stretch. Records out of the order of their timestamps are found all the same: `late` is not needed here.
 */
#include "connectors/archive/find.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/archive/catalog.h"
#include "connectors/archive/inflate.h"
#include "connectors/archive/order.h"
#include "connectors/archive/progress.h"
#include "connectors/archive/segment.h"
#include "connectors/archive/source.h"

/* A frame, and the file that it is in. */
struct located {
    const char *path;
    struct archive_frame frame;
};

/* All frames of one partition. */
struct holding {
    struct located *frames;
    uint32_t count, room;
    struct archive_order order;
    char note[160];
};

struct finding {
    const struct archive_source_config *config;
    const char *service;
    const struct stretch_request *request;
    struct context *context;
    struct error *error;
    struct archive_inflater *inflater;
    struct archive_catalog catalog;
    struct stretch *stretch;
    const char *only; /* the only topic; NULL: there are several */
};

static enum status no_memory(struct finding *finding)
{
    return error_set(finding->error, ERROR_TRANSIENT, "out of memory");
}

/* -- one partition's frames -- */

static enum status hold_frames(struct finding *finding, struct holding *holding, const char *path,
                               const struct archive_segment *segment)
{
    if (holding->room - holding->count < segment->count) {
        uint32_t room = (holding->count + segment->count) * 2;
        struct located *frames = realloc(holding->frames, room * sizeof *frames);
        if (frames == NULL)
            return no_memory(finding);
        holding->frames = frames;
        holding->room = room;
    }
    for (uint32_t i = 0; i < segment->count; i++)
        holding->frames[holding->count++] = (struct located){.path = path, .frame = segment->frames[i]};
    return STATUS_OK;
}

static enum status hold_file(struct finding *finding, struct holding *holding, const struct archive_name *name)
{
    struct archive_segment segment;
    enum status status = archive_segment_read(name->path, &segment, finding->error);
    if (status != STATUS_OK)
        return status;
    const char *base = strrchr(name->path, '/') + 1;
    status = archive_order_add(&holding->order, name, &segment, finding->error);
    if (status == STATUS_OK && segment.damaged >= 0)
        status = error_set(finding->error, ERROR_FATAL, "%s is damaged at byte %lld, and has whole frames behind that",
                           name->path, (long long)segment.damaged);
    else if (status == STATUS_OK && segment.count == 0)
        /* Its name says that it has records; those would silently not come. */
        status = error_set(finding->error, ERROR_FATAL,
                           "%s: not one frame of it is whole (%lld bytes): move it away, or archive its records again",
                           name->path, (long long)segment.size);
    else if (status == STATUS_OK)
        status = hold_frames(finding, holding, name->path, &segment);
    if (archive_segment_torn(&segment) > 0)
        snprintf(holding->note, sizeof holding->note, "%s has a torn tail of %lld bytes", base,
                 (long long)archive_segment_torn(&segment));
    archive_segment_fini(&segment);
    return status;
}

/* -- bounds -- */

/* The offset that a bound names for the partition; -1: it names none, or none that is of one topic only (check_named says so). */
static int64_t named_offset(const struct finding *finding, const struct stretch_bound *bound, const char *topic,
                            int32_t partition)
{
    for (unsigned i = 0; i < bound->offset_count; i++) {
        const struct stretch_offset *offset = &bound->offsets[i];
        const char *name = offset->topic != NULL ? offset->topic : finding->only;
        if (offset->partition == partition && name != NULL && strcmp(name, topic) == 0)
            return offset->offset;
    }
    return -1;
}

static bool is_asked_for(const struct finding *finding, const char *topic, int32_t partition)
{
    const struct stretch_request *request = finding->request;
    bool asked = request->partition_count == 0;
    for (unsigned i = 0; i < request->partition_count && !asked; i++)
        asked = request->partitions[i].partition == partition &&
                (request->partitions[i].topic == NULL || strcmp(request->partitions[i].topic, topic) == 0);
    return asked &&
           (request->from.kind != STRETCH_OFFSETS || named_offset(finding, &request->from, topic, partition) >= 0) &&
           (request->to.kind != STRETCH_OFFSETS || named_offset(finding, &request->to, topic, partition) >= 0);
}

static bool may_have(const struct stretch_filter *filter, const struct archive_frame *frame)
{
    if (filter->time != NULL || (filter->from_time == INT64_MIN && filter->to_time == INT64_MAX))
        return true;
    return frame->latest >= 0 && frame->latest >= filter->from_time && frame->earliest < filter->to_time;
}

static int64_t lower(const struct finding *finding, const struct stretch_part *part, const struct holding *holding)
{
    int64_t begin = holding->count > 0 ? holding->frames[0].frame.first : 0;
    int64_t end = holding->count > 0 ? holding->frames[holding->count - 1].frame.last + 1 : 0;
    const struct stretch_bound *from = &finding->request->from;
    if (from->kind == STRETCH_OFFSETS)
        return named_offset(finding, from, part->topic, part->partition);
    return from->kind == STRETCH_NOW ? end : begin;
}

static int64_t upper(const struct finding *finding, const struct stretch_part *part, const struct holding *holding)
{
    int64_t begin = holding->count > 0 ? holding->frames[0].frame.first : 0;
    int64_t end = holding->count > 0 ? holding->frames[holding->count - 1].frame.last + 1 : 0;
    const struct stretch_bound *to = &finding->request->to;
    if (to->kind == STRETCH_OFFSETS)
        return named_offset(finding, to, part->topic, part->partition);
    return to->kind == STRETCH_BEGINNING ? begin : end;
}

/* -- looking into frames -- */

/* What of a frame is in the part and the window. */
struct content {
    uint64_t records;
    int64_t first, last; /* offsets */
    int64_t first_time, last_time;
    int64_t bytes;
};

static enum status look(struct finding *finding, const struct located *located, int64_t from, int64_t to,
                        struct content *ret)
{
    const struct stretch_filter *filter = &finding->stretch->filter;
    struct archive_record record;
    struct bytes payload = {0};
    uint32_t cursor = 0;
    *ret = (struct content){0};
    int fd = open(located->path, O_RDONLY | O_CLOEXEC);
    enum status status = fd < 0 ? error_set(finding->error, ERROR_FATAL, "cannot read %s", located->path)
                                : archive_inflate(finding->inflater, fd, located->path, &located->frame, &payload,
                                                  finding->error);
    if (fd >= 0)
        close(fd);
    if (status != STATUS_OK)
        return status;
    while (archive_get_record(payload, &cursor, &record) == STATUS_OK) {
        bool timed = filter->from_time != INT64_MIN || filter->to_time != INT64_MAX;
        if (record.offset < from || record.offset >= to ||
            (timed &&
             (record.timestamp < 0 || record.timestamp < filter->from_time || record.timestamp >= filter->to_time)))
            continue;
        if (ret->records++ == 0) {
            ret->first = record.offset;
            ret->first_time = record.timestamp;
        }
        ret->last = record.offset;
        ret->last_time = record.timestamp;
        ret->bytes += (int64_t)record.key.size + record.value.size + record.headers.size;
    }
    return STATUS_OK;
}

static int64_t content_bytes(const struct archive_frame *frame)
{
    return (int64_t)frame->raw - (int64_t)frame->count * ARCHIVE_RECORD_SIZE;
}

/* The part's bytes and times from next to end, and, when it is new, its very bounds. */
static enum status measure(struct finding *finding, struct stretch_part *part, const struct holding *holding,
                           bool settle)
{
    struct content content;
    uint32_t low = 0, high = holding->count;
    enum status status = STATUS_OK;
    int64_t first = -1, behind = -1;
    part->bytes = 0;
    for (; low < high && status == STATUS_OK && first < 0; low++) {
        const struct archive_frame *frame = &holding->frames[low].frame;
        if (frame->last < part->next || frame->first >= part->end || !may_have(&finding->stretch->filter, frame))
            continue;
        status = look(finding, &holding->frames[low], part->next, part->end, &content);
        if (status != STATUS_OK || content.records == 0)
            continue;
        first = content.first;
        behind = content.last + 1;
        part->first_time = content.first_time;
        part->last_time = content.last_time;
        part->bytes = content.bytes;
    }
    for (bool last = false; low < high && status == STATUS_OK && first >= 0; high--) {
        const struct archive_frame *frame = &holding->frames[high - 1].frame;
        if (frame->first >= part->end || !may_have(&finding->stretch->filter, frame))
            continue;
        if (last) {
            part->bytes += content_bytes(frame);
            continue;
        }
        status = look(finding, &holding->frames[high - 1], part->next, part->end, &content);
        if (status != STATUS_OK || content.records == 0)
            continue;
        last = true;
        behind = content.last + 1;
        part->last_time = content.last_time;
        part->bytes += content.bytes;
    }
    if (settle && status == STATUS_OK) {
        part->first = part->next = first >= 0 ? first : part->first;
        part->end = first >= 0 ? behind : part->first;
    }
    return status;
}

/* -- parts -- */

static enum status fill(struct finding *finding, struct stretch_part *part, const struct holding *holding)
{
    int64_t begin = holding->count > 0 ? holding->frames[0].frame.first : 0;
    int64_t end = holding->count > 0 ? holding->frames[holding->count - 1].frame.last + 1 : 0;
    int64_t from = lower(finding, part, holding), to = upper(finding, part, holding);
    snprintf(part->note, sizeof part->note, "%s", holding->note);
    if (from < begin && finding->request->from.kind == STRETCH_OFFSETS)
        snprintf(part->note, sizeof part->note, "the archive begins at offset %lld", (long long)begin);
    else if (to > end && finding->request->to.kind == STRETCH_OFFSETS)
        snprintf(part->note, sizeof part->note, "the archive ends before offset %lld", (long long)end);
    part->first = from < begin ? begin : from;
    part->end = to > end ? end : to;
    if (part->end < part->first)
        part->end = part->first;
    part->next = part->first;
    archive_progress_seal(finding->request, part->seal, sizeof part->seal);
    return measure(finding, part, holding, true);
}

/* From names[at] on; *ret: behind the last name of the same partition. */
static enum status find_part(struct finding *finding, unsigned at, unsigned *ret)
{
    const struct archive_name *name = &finding->catalog.names[at];
    struct holding holding = {0};
    struct stretch *stretch = finding->stretch;
    enum status status = context_status(finding->context);
    unsigned behind = at;
    bool wanted = is_asked_for(finding, name->topic, name->partition);
    struct stretch_part *part = (struct stretch_part *)stretch_part(stretch, name->topic, name->partition);
    for (; behind < finding->catalog.count && finding->catalog.names[behind].partition == name->partition &&
           strcmp(finding->catalog.names[behind].topic, name->topic) == 0;
         behind++) {
        if ((stretch->resumed ? part != NULL : wanted) && status == STATUS_OK)
            status = hold_file(finding, &holding, &finding->catalog.names[behind]);
    }
    *ret = behind;
    if (status == STATUS_OK && stretch->resumed && part != NULL)
        status = measure(finding, part, &holding, false);
    else if (status == STATUS_OK && !stretch->resumed && wanted) {
        part = stretch_add(stretch, name->topic, name->partition);
        status = part != NULL ? fill(finding, part, &holding) : no_memory(finding);
    }
    free(holding.frames);
    return status;
}

/* Is there any topic that is wanted, and is it the only one? (find_all passes over the names of those that are not.) */
static enum status choose_topics(struct finding *finding)
{
    const struct archive_source_config *config = finding->config;
    struct archive_catalog *catalog = &finding->catalog;
    const char *other = catalog->count > 0 ? catalog->names[0].topic : NULL;
    bool several = false;
    for (unsigned i = 0; i < catalog->count; i++) {
        struct archive_name *name = &catalog->names[i];
        if (config->wants != NULL && !config->wants(config->wants_arg, name->topic)) {
            other = name->topic;
            continue;
        }
        several = several || (finding->only != NULL && strcmp(finding->only, name->topic) != 0);
        finding->only = name->topic;
    }
    if (finding->only == NULL && other != NULL)
        return error_set(finding->error, ERROR_FATAL, "%s has no topic that the source consumes; it has %s",
                         config->dir, other);
    if (finding->only == NULL)
        return error_set(finding->error, ERROR_FATAL, "%s has no archive in it", config->dir);
    if (several)
        finding->only = NULL;
    return STATUS_OK;
}

static enum status check_named(struct finding *finding, const struct stretch_bound *bound, const char *option)
{
    for (unsigned i = 0; bound->kind == STRETCH_OFFSETS && i < bound->offset_count; i++) {
        const struct stretch_offset *offset = &bound->offsets[i];
        if (offset->topic == NULL && finding->only == NULL)
            return error_set(finding->error, ERROR_FATAL,
                             "--%s: partition %d of which topic? There are several: TOPIC/%d@%lld", option,
                             offset->partition, offset->partition, (long long)offset->offset);
        const char *topic = offset->topic != NULL ? offset->topic : finding->only;
        if (!finding->stretch->resumed && stretch_part(finding->stretch, topic, offset->partition) == NULL &&
            finding->request->partition_count == 0)
            return error_set(finding->error, ERROR_FATAL, "--%s: the archive has nothing of %s/%d", option, topic,
                             offset->partition);
    }
    return STATUS_OK;
}

static enum status check_partitions(struct finding *finding)
{
    const struct stretch_request *request = finding->request;
    for (unsigned i = 0; i < request->partition_count; i++) {
        const struct stretch_partition *partition = &request->partitions[i];
        bool found = false;
        for (unsigned j = 0; j < finding->catalog.count && !found; j++)
            found = finding->catalog.names[j].partition == partition->partition &&
                    (partition->topic == NULL || strcmp(partition->topic, finding->catalog.names[j].topic) == 0);
        if (!found)
            return error_set(finding->error, ERROR_FATAL, "--partitions: the archive has nothing of %s%s%d",
                             partition->topic != NULL ? partition->topic : "", partition->topic != NULL ? "/" : "",
                             partition->partition);
    }
    return STATUS_OK;
}

/* Is what is asked for what was begun under the name? */
static bool is_as_begun(struct finding *finding)
{
    const struct stretch *stretch = finding->stretch;
    char seal[sizeof stretch->parts[0].seal];
    archive_progress_seal(finding->request, seal, sizeof seal);
    if (stretch->count == 0 || archive_progress_same(stretch->parts[0].seal, seal))
        return true;
    (void)error_set(finding->error, ERROR_FATAL,
                    "the name %s stands for %s, not for %s (%s): choose another with --name, or remove that file",
                    finding->request->progress, archive_progress_words(stretch->parts[0].seal),
                    archive_progress_words(seal), stretch->kept);
    return false;
}

/* The stretch as it is before its parts: that of an earlier run, or an empty one. */
static enum status begin(struct finding *finding)
{
    const struct stretch_request *request = finding->request;
    char path[sizeof finding->stretch->kept] = "";
    enum status status = STATUS_OK;
    if (request->progress != NULL)
        status = archive_progress_read(finding->config->dir, finding->service, &finding->stretch, finding->error);
    if (status != STATUS_OK)
        return status;
    if (finding->stretch != NULL && !is_as_begun(finding))
        return STATUS_FAILED;
    if (finding->stretch == NULL)
        finding->stretch = stretch_new(finding->catalog.count);
    if (finding->stretch == NULL)
        return no_memory(finding);
    finding->stretch->progress = request->progress;
    if (request->progress != NULL && archive_progress_path(finding->config->dir, finding->service, path, sizeof path))
        memcpy(finding->stretch->kept, path, sizeof path);
    if (!finding->stretch->resumed && request->from.kind == STRETCH_TIME)
        finding->stretch->filter.from_time = request->from.time;
    if (!finding->stretch->resumed && request->to.kind == STRETCH_TIME)
        finding->stretch->filter.to_time = request->to.time;
    return STATUS_OK;
}

static enum status find_all(struct finding *finding)
{
    enum status status = choose_topics(finding);
    if (status == STATUS_OK)
        status = check_partitions(finding);
    if (status == STATUS_OK)
        status = begin(finding);
    for (unsigned at = 0; at < finding->catalog.count && status == STATUS_OK;) {
        const struct archive_source_config *config = finding->config;
        if (config->wants != NULL && !config->wants(config->wants_arg, finding->catalog.names[at].topic))
            at++;
        else
            status = find_part(finding, at, &at);
    }
    for (unsigned i = 0; status == STATUS_OK && i < finding->stretch->count; i++) {
        const struct stretch_part *part = &finding->stretch->parts[i];
        if (part->bytes < 0 && part->next < part->end)
            status = error_set(finding->error, ERROR_FATAL, "the archive has nothing of %s/%d any more", part->topic,
                               part->partition);
    }
    if (status == STATUS_OK)
        status = check_named(finding, &finding->request->from, "from");
    return status == STATUS_OK ? check_named(finding, &finding->request->to, "to") : status;
}

enum status archive_find(const void *config, const struct connector_env *env, const struct stretch_request *request,
                         struct stretch **ret, struct context *context, struct error *error)
{
    struct finding finding = {
        .config = config, .service = env->service, .request = request, .context = context, .error = error};
    enum status status = archive_catalog_read(finding.config->dir, NULL, -1, &finding.catalog, error);
    if (status == STATUS_OK && (finding.inflater = archive_inflater_new()) == NULL)
        status = no_memory(&finding);
    if (status == STATUS_OK)
        status = find_all(&finding);
    archive_inflater_free(finding.inflater);
    archive_catalog_fini(&finding.catalog);
    if (status != STATUS_OK) {
        stretch_free(finding.stretch);
        return status;
    }
    *ret = finding.stretch;
    return STATUS_OK;
}
