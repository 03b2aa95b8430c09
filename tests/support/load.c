#include "tests/support/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void finish(struct loaded_config *loaded)
{
    size_t size = 0;
    FILE *out = open_memstream(&loaded->words, &size);
    assert_non_null(out);
    config_report_print(loaded->report, out, false);
    assert_int_equal(fclose(out), 0);
}

void load_text(struct loaded_config *loaded, const struct config_registry *registry, const char *text)
{
    loaded->config = config_load_text("test.yaml", text, registry, &loaded->report);
    finish(loaded);
}

void load_file(struct loaded_config *loaded, const struct config_registry *registry, const char *file)
{
    loaded->config = config_load(file, registry, &loaded->report);
    finish(loaded);
}

void load_fini(struct loaded_config *loaded)
{
    config_free(loaded->config);
    config_report_free(loaded->report);
    free(loaded->words);
}

void load_assert_good(const struct loaded_config *loaded)
{
    if (loaded->config == NULL)
        fail_msg("expected a good config, found:\n%s", loaded->words);
    assert_int_equal(config_report_errors(loaded->report), 0);
}

void load_assert_place(const struct loaded_config *loaded, const char *place)
{
    char line[512];
    snprintf(line, sizeof line, "test.yaml:%s", place);
    if (strstr(loaded->words, line) == NULL)
        fail_msg("expected \"%s\", found:\n%s", line, loaded->words);
}

const char *load_root(void)
{
    const char *folder = getenv("WEIR_ROOT");
    return folder != NULL ? folder : ".";
}

int load_environment(void **state)
{
    (void)state;
    unsetenv("KAFKA_BROKERS");
    unsetenv("INSTANCE");
    setenv("TOPIC", "logs", 1);
    setenv("KAFKA_PASSWORD", "canary-of-the-environment", 1);
    return 0;
}
