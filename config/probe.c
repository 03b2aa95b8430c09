#include "config/probe.h"

#include <stdarg.h>
#include <stdio.h>

#include "config/tree.h"

void probe_tell(struct probe *probe, enum error_class class, const struct config_node *node, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    unsigned before = config_report_errors(probe->report);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (node != NULL && node->kind == NODE_SCALAR)
        config_error_also(probe->report, node, 0, "%s", text);
    else
        config_error_key(probe->report, node, "%s", text);
    if (config_report_errors(probe->report) == before)
        return;
    if (class == ERROR_TRANSIENT)
        probe->unreachable++;
    else
        probe->wrong++;
}

void probe_warn(struct probe *probe, const struct config_node *node, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_warn(probe->report, node, "%s", text);
}
