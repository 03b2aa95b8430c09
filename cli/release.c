#include "cli/release.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

#include "cli/verbs.h"
#include "processor/metrics.h"
#include "version.h"

const char *release_json(void)
{
    /* rd_kafka_version_str is constant for the process: written twice at once it is written alike. */
    static char text[256];
    snprintf(text, sizeof text, "{\"version\": \"%s\", \"revision\": \"%s\", \"librdkafka\": \"%s\"}\n", WEIR_VERSION,
             WEIR_REVISION, rd_kafka_version_str());
    return text;
}

const char *release_text(void)
{
    return WEIR_VERSION " (" WEIR_REVISION ")";
}

void release_metric(struct metrics *metrics)
{
    char labels[256] = "";
    metrics_label(labels, sizeof labels, "version", WEIR_VERSION);
    metrics_label(labels, sizeof labels, "revision", WEIR_REVISION);
    metrics_label(labels, sizeof labels, "librdkafka", rd_kafka_version_str());
    metric_set(metrics_get(metrics, METRIC_GAUGE, "weir_build_info", "1; what is running is in the labels.", labels),
               1);
}

enum exit_code verb_version(const struct command *command)
{
    if (command_has(command, OPTION_JSON))
        fputs(release_json(), stdout);
    else
        printf("weir %s, librdkafka %s\n", release_text(), rd_kafka_version_str());
    return EXIT_OK;
}
