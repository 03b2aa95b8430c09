/* See once.h. */
#include "connectors/file/once.h"

#include <inttypes.h>
#include <stdlib.h>

#include "connectors/file/manifest.h"
#include "connectors/file/recover.h"
#include "processor/clock.h"
#include "processor/disk.h"
#include "processor/log.h"
#include "processor/offset_moves.h"

#define CLOSE_PATIENCE CLOCK_SECOND

struct once {
    struct manifest *manifest;
    const char *service, *part;
    struct offset_moves moves; /* of the flush that follows */
    bool unknown;              /* did the last commit come through? */
};

/* Of a store that is open: a manifest that is not there any more was taken away. */
static enum status lock(struct once *once, struct context *context, struct error *error)
{
    enum status status = manifest_lock(once->manifest, false, context, error);
    if (status == STATUS_EMPTY)
        return error_set(error, ERROR_RESTART, "%s is gone: somebody removed it", manifest_path(once->manifest));
    return status;
}

/* What is left of finished files is taken out, and all of it is on the disk for sure. */
static enum status tidy(struct once *once, struct context *context, struct error *error)
{
    enum status status = lock(once, context, error);
    if (status != STATUS_OK)
        return status;
    status = manifest_compact(once->manifest, error);
    manifest_unlock(once->manifest);
    return status;
}

static enum status prepare(struct once *once, const char *pattern, struct context *context, struct error *error)
{
    enum status status = disk_make_folder(manifest_folder(once->manifest), error);
    if (status == STATUS_OK)
        status = manifest_lock(once->manifest, true, context, error);
    if (status != STATUS_OK)
        return status;
    manifest_unlock(once->manifest);
    status = file_recover(pattern, once->part, once->manifest, context, error);
    return status == STATUS_OK ? tidy(once, context, error) : status;
}

static void once_free(struct once *once)
{
    manifest_free(once->manifest);
    offset_moves_fini(&once->moves);
    free(once);
}

enum status once_open(const char *pattern, const char *service, const char *part, struct context *context,
                      struct once **ret, struct error *error)
{
    struct once *once = calloc(1, sizeof *once);
    if (once == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    once->service = service;
    once->part = part;
    enum status status = manifest_new(pattern, service, &once->manifest, error);
    if (status == STATUS_OK)
        status = prepare(once, pattern, context, error);
    if (status != STATUS_OK) {
        once_free(once);
        return status;
    }
    *ret = once;
    return STATUS_OK;
}

void once_close(struct once *once)
{
    if (once == NULL)
        return;
    struct context *context = context_new(NULL, clock_now() + CLOSE_PATIENCE);
    struct error error = {0};
    /* So that a file of the same name, made by a service without a manifest, is not taken for one of these some day. */
    if (context != NULL && tidy(once, context, &error) == STATUS_FAILED)
        log_warn(once->part, "the manifest stays as it is: %s", error.text);
    context_free(context);
    once_free(once);
}

enum status once_register(struct once *once, const struct output *output, bool made, struct context *context,
                          struct error *error)
{
    bool unknown;
    if (!made && manifest_size(once->manifest, output_open_path(output)) >= 0)
        return STATUS_OK;
    enum status status = lock(once, context, error);
    if (status != STATUS_OK)
        return status;
    manifest_put_size(once->manifest, output_open_path(output), 0);
    status = manifest_commit(once->manifest, &unknown, error);
    manifest_unlock(once->manifest);
    return status;
}

bool once_is_unknown(const struct once *once)
{
    return once->unknown;
}

enum status once_settle(struct once *once, struct output *const *outputs, uint32_t count, struct context *context,
                        struct error *error)
{
    if (!once->unknown)
        return STATUS_OK;
    enum status status = lock(once, context, error);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        int64_t stored = manifest_size(once->manifest, output_open_path(outputs[i]));
        bool came_through = stored == output_size(outputs[i]);
        output_accept_only(outputs[i], came_through ? stored : output_accepted(outputs[i]));
    }
    manifest_unlock(once->manifest);
    once->unknown = false;
    return STATUS_OK;
}

/* Under the lock: can the moves be made, or are they made already? */
static enum status judge(const struct once *once, bool *ret_already, struct error *error)
{
    struct offset_findings findings = {0};
    for (unsigned i = 0; i < once->moves.count; i++) {
        const struct offset_move *move = &once->moves.items[i];
        int64_t found = manifest_offset(once->manifest, move->topic, move->partition);
        if (offset_findings_add(&findings, move, found))
            continue;
        return error_set(error, ERROR_RESTART,
                         "fenced: %s/%" PRId32 " was at offset %" PRId64 " in %s, and is at %" PRId64
                         " now: another instance of service \"%s\" stores this partition",
                         move->topic, move->partition, move->from, manifest_path(once->manifest), found, once->service);
    }
    *ret_already = offset_findings_already(&findings);
    return STATUS_OK;
}

enum status once_move(struct once *once, const struct offset_move *moves, unsigned count, struct context *context,
                      bool *ret_already, struct error *error)
{
    if (!offset_moves_set(&once->moves, moves, count))
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    enum status status = lock(once, context, error);
    if (status != STATUS_OK)
        return status;
    status = judge(once, ret_already, error);
    manifest_unlock(once->manifest);
    return status;
}

void once_forget(struct once *once)
{
    once->moves.count = 0;
}

static enum status append(struct once *once, struct output *const *outputs, uint32_t count, struct error *error)
{
    struct manifest *manifest = once->manifest;
    for (unsigned i = 0; i < once->moves.count; i++) {
        const struct offset_move *move = &once->moves.items[i];
        manifest_put_offset(manifest, move->topic, move->partition, move->to);
    }
    for (uint32_t i = 0; i < count; i++)
        if (output_size(outputs[i]) != output_accepted(outputs[i]))
            manifest_put_size(manifest, output_open_path(outputs[i]), output_size(outputs[i]));
    return manifest_commit(manifest, &once->unknown, error);
}

enum status once_commit(struct once *once, struct output *const *outputs, uint32_t count, struct context *context,
                        bool *ret_already, struct error *error)
{
    enum status status = lock(once, context, error);
    if (status != STATUS_OK)
        return status;
    status = judge(once, ret_already, error);
    if (status == STATUS_OK && !*ret_already)
        status = append(once, outputs, count, error);
    manifest_unlock(once->manifest);
    return status;
}

enum status once_read(const void *arg, const struct connector_env *env, struct offset_start *starts, unsigned count,
                      struct context *context, struct error *error)
{
    const struct file_config *config = arg;
    struct manifest *manifest = NULL;
    enum status status = manifest_new(config->path, env->service, &manifest, error);
    if (status != STATUS_OK)
        return status;
    status = manifest_lock(manifest, false, context, error);
    for (unsigned i = 0; i < count && (status == STATUS_OK || status == STATUS_EMPTY); i++)
        starts[i].offset = manifest_offset(manifest, starts[i].topic, starts[i].partition);
    if (status == STATUS_OK)
        manifest_unlock(manifest);
    manifest_free(manifest);
    return status == STATUS_EMPTY ? STATUS_OK : status;
}
