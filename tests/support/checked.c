#include "tests/support/checked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/live.h"
#include "cli/registry.h"
#include "config/config.h"

static void print(struct checked *checked)
{
    size_t size = 0;
    FILE *out = open_memstream(&checked->words, &size);
    assert_non_null(out);
    config_report_print(checked->report, out, false);
    assert_int_equal(fclose(out), 0);
}

void checked_init(struct checked *checked, const char *yaml, int64_t timeout)
{
    checked->config = config_load_text("test.yaml", yaml, registry(), &checked->report);
    if (checked->config == NULL) {
        print(checked);
        fail_msg("expected a good config, found:\n%s", checked->words);
    }
    checked->probe = (struct probe){.report = checked->report};
    live_check_stages(checked->config, &checked->probe);
    if (timeout > 0)
        live_check_connectors(checked->config, timeout, &checked->probe);
    print(checked);
}

void checked_fini(struct checked *checked)
{
    config_free(checked->config);
    config_report_free(checked->report);
    free(checked->words);
}

void checked_assert_place(const struct checked *checked, const char *words)
{
    char line[512];
    snprintf(line, sizeof line, "test.yaml:%s", words);
    if (strstr(checked->words, line) == NULL)
        fail_msg("expected \"%s\", found:\n%s", line, checked->words);
}

void checked_assert_counts(const struct checked *checked, unsigned wrong, unsigned unreachable)
{
    if (checked->probe.wrong != wrong || checked->probe.unreachable != unreachable)
        fail_msg("expected %u wrong and %u out of reach, found %u and %u:\n%s", wrong, unreachable,
                 checked->probe.wrong, checked->probe.unreachable, checked->words);
}
