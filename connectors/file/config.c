/* The table behind `file:`. */
#include "connectors/file/config.h"

#include "connectors/file/name.h"
#include "processor/clock.h"

static const char *const compression_names[] = {"none", "zstd", NULL};

static const struct config_field rotate_fields[] = {
    {.name = "size",
     .help = "A new file is begun when the current one has at least this size on the disk.",
     .kind = CONFIG_SIZE,
     .offset = offsetof(struct file_config, rotate.size) - offsetof(struct file_config, rotate),
     .fallback = "256MiB",
     .min = 1},
    {.name = "every",
     .help = "A new file is begun when the current one is at least this old.",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct file_config, rotate.every) - offsetof(struct file_config, rotate),
     .fallback = "10m",
     .min = 1 * CLOCK_MS},
    {0},
};

static const struct config_table rotate_table = {
    .name = "rotate",
    .help = "When a file is finished (it gets its final name then) and the next one begun; looked at after each flush, "
            "and when nothing comes.",
    .size = sizeof(((struct file_config *)0)->rotate),
    .fields = rotate_fields,
};

static const struct config_field fields[] = {
    {.name = "path",
     .help =
         "The files' name, relative to the working directory: strftime's %Y %m %d %H %M %S %y %j %F %G %V %u %b %a %s "
         "(UTC, of the time of "
         "opening), %i a running number that goes on behind what is there, %p the partition (a file for each), %o the "
         "offset of the file's first record (with %p; 20 digits, so that names sort), %% a percent sign. "
         "Without %i, -1, -2 and so on are put before the extension when the name is taken. Missing folders are made. "
         "NAME.open while it is written. With `delivery: exactly_once` .weir-SERVICE.manifest stands in the folder "
         "that all "
         "names have in common: it says how much of each file is stored, and the file system must know flock (NFS from "
         "version 4 on).",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct file_config, path),
     .required = true},
    {.name = "compression",
     .help = "none, or zstd: independent frames with checksums, which `zstd -d` and `zstdcat` read as one.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct file_config, compression),
     .fallback = "none",
     .choices = compression_names},
    {.name = "level",
     .help = "zstd's level.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct file_config, level),
     .fallback = "1",
     .min = 1,
     .max = 19},
    {.name = "frame",
     .help = "How much text goes into a frame (without compression: into a write). A flush ends a frame early. Each "
             "open file has a buffer of this size.",
     .kind = CONFIG_SIZE,
     .offset = offsetof(struct file_config, frame),
     .fallback = "1MiB",
     .min = 4096,
     .max = 64 * 1024 * 1024},
    {.name = "rotate",
     .help = "When a file is finished and the next one begun.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct file_config, rotate),
     .table = &rotate_table},
    {0},
};

static void check(const void *arg, struct config_report *report)
{
    const struct file_config *config = arg;
    const char *why;
    unsigned at;
    if (config->path != NULL && !file_pattern_check(config->path, &at, &why))
        config_error_at(report, config_tree_get(config->head.node, "path"), at, "%s", why);
}

static const struct config_table table = {
    .name = "file",
    .help = "Lines of JSON (NDJSON) in files that are rotated.",
    .size = sizeof(struct file_config),
    .fields = fields,
    .check = check,
};

const struct config_field file_config_field = {.name = "file",
                                               .help = "Lines of JSON (NDJSON) in files that are rotated.",
                                               .kind = CONFIG_OBJECT,
                                               .table = &table};
