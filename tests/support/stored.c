#include "tests/support/stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "processor/clock.h"

void stored_init(struct stored *stored, const struct store_type *type, const char *yaml)
{
    const char *tmp = getenv("TMPDIR");
    *stored = (struct stored){.type = type};
    assert_non_null(getcwd(stored->back, sizeof stored->back));
    snprintf(stored->dir, sizeof stored->dir, "%s/stored.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(stored->dir));
    assert_int_equal(chdir(stored->dir), 0);
    stored->parsed = parsed_new(type->config, yaml);
    if (parsed_config(stored->parsed) == NULL)
        fail_msg("%s", parsed_report(stored->parsed));
    records_init(&stored->records);
    stored->context = context_new(NULL, CLOCK_NEVER);
    stored->env = (struct connector_env){
        .service = "test", .name = type->name, .metrics = metrics_new(), .config_dir = stored->dir};
}

void stored_fini(struct stored *stored)
{
    char command[400];
    stored_close(stored);
    records_fini(&stored->records);
    metrics_free(stored->env.metrics);
    context_free(stored->context);
    parsed_free(stored->parsed);
    assert_int_equal(chdir(stored->back), 0);
    snprintf(command, sizeof command, "chmod -R u+w %s && rm -rf %s", stored->dir, stored->dir);
    assert_int_equal(system(command), 0);
}

enum status stored_open(struct stored *stored)
{
    return stored->type->open(parsed_config(stored->parsed), &stored->env, stored->context, &stored->store,
                              &stored->error);
}

void stored_close(struct stored *stored)
{
    if (stored->store != NULL)
        stored->type->close(stored->store);
    stored->store = NULL;
}

struct batch *stored_batch(struct stored *stored, int from, unsigned count)
{
    struct batch *batch = records_batch(&stored->records);
    for (unsigned i = 0; i < count; i++) {
        char json[96];
        int number = from + (int)i;
        snprintf(json, sizeof json, "{\"id\":%d,\"name\":\"n-%d\"}", number, number);
        records_add_json(batch, json);
    }
    return batch;
}

enum status stored_write(struct stored *stored, struct batch *batch)
{
    return stored->type->write(stored->store, batch, stored->context, &stored->error);
}

enum status stored_flush(struct stored *stored)
{
    return stored->type->flush(stored->store, stored->context, &stored->error);
}

void stored_put(struct stored *stored, int from, unsigned count)
{
    if (stored->store == NULL && stored_open(stored) != STATUS_OK)
        fail_msg("open: %s", stored->error.text);
    struct batch *batch = stored_batch(stored, from, count);
    if (stored_write(stored, batch) != STATUS_OK || stored_flush(stored) != STATUS_OK)
        fail_msg("write or flush: %s", stored->error.text);
    batch_free(batch);
}

bool stored_small_disk(const char *folder, const char *size)
{
    char command[128];
    assert_int_equal(mkdir(folder, 0777), 0);
    snprintf(command, sizeof command, "mount -t tmpfs -o size=%s none %s 2>/dev/null", size, folder);
    if (system(command) == 0)
        return true;
    print_message("no small disk can be mounted here (not root?): what a full one does is not tried\n");
    return false;
}

long stored_count(const char *command)
{
    long count = -1;
    FILE *out = popen(command, "r");
    assert_non_null(out);
    if (fscanf(out, "%ld", &count) != 1)
        count = -1;
    pclose(out);
    return count;
}
