#include "scenario/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/tree.h"
#include "processor/check.h"

void findings_about(struct findings *findings, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(findings->about, sizeof findings->about, format, args);
    va_end(args);
}

void findings_add(struct findings *findings, const struct config_node *node, const char *format, ...)
{
    struct finding finding = {.about = strdup(findings->about)};
    va_list args;
    if (node != NULL) {
        finding.line = node->line;
        finding.column = node->column;
    }
    va_start(args, format);
    CHECK(vasprintf(&finding.text, format, args) >= 0 && finding.about != NULL);
    va_end(args);
    if (findings->count == findings->room) {
        findings->room = findings->room > 0 ? findings->room * 2 : 16;
        findings->items = realloc(findings->items, findings->room * sizeof *findings->items);
        CHECK(findings->items != NULL);
    }
    findings->items[findings->count++] = finding;
}

void findings_fini(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].about);
        free(findings->items[i].text);
    }
    free(findings->items);
    *findings = (struct findings){0};
}
