/* A process that stores until it is killed. It is this program once more, as a forked one would have half of the parent's threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"

enum { SAY = 3 };

static struct offset_start read_start(const struct store_type *type, const void *config,
                                      const struct connector_env *env, struct context *context)
{
    struct offset_start start = {.topic = CONFORMANCE_TOPIC, .partition = 0, .offset = -1};
    struct error error = {0};
    if (type->offsets->read(config, env, &start, 1, context, &error) != STATUS_OK) {
        fprintf(stderr, "read: %s\n", error.text);
        exit(1);
    }
    return start;
}

static enum status put(const struct store_type *type, void *store, struct batch *batch, struct offset_move *move,
                       struct context *context, struct error *error)
{
    enum status status = type->write(store, batch, context, error);
    if (status == STATUS_OK && move != NULL)
        status = type->offsets->move(store, move, 1, context, error);
    if (status == STATUS_OK)
        status = type->flush(store, context, error);
    return status;
}

/* argv: PROGRAM --store SERVICE YAML FROM SIZE EXACTLY. Says each number of batches that are durable on descriptor SAY. */
int killed_main(const struct conformance_store *store, char **argv)
{
    struct parsed *parsed = parsed_new(store->type->config, argv[3]);
    const void *config = parsed_config(parsed);
    struct context *context = context_new(NULL, CLOCK_NEVER);
    struct records records;
    struct error error = {0};
    void *opened = NULL;
    bool exactly = atoi(argv[6]) != 0;
    struct connector_env env = {
        .service = argv[2], .name = store->name, .metrics = metrics_new(), .config_dir = ".", .exactly_once = exactly};
    struct offset_move move = {.topic = CONFORMANCE_TOPIC, .partition = 0};
    int64_t next = atoll(argv[4]);
    unsigned size = (unsigned)atoi(argv[5]);
    records_init(&records);
    if (exactly) {
        move.from = read_start(store->type, config, &env, context).offset;
        next = move.from < 0 ? 0 : move.from;
    }
    if (store->type->open(config, &env, context, &opened, &error) != STATUS_OK) {
        fprintf(stderr, "open: %s\n", error.text);
        return 1;
    }
    for (unsigned done = 1;; done++) {
        struct batch *batch = conformance_batch(&records, next, size);
        next += size;
        move.to = next;
        if (put(store->type, opened, batch, exactly ? &move : NULL, context, &error) != STATUS_OK) {
            fprintf(stderr, "write, move or flush: %s\n", error.text);
            return 1;
        }
        move.from = move.to;
        batch_free(batch);
        if (write(SAY, &done, sizeof done) != sizeof done)
            return 1;
    }
}

static pid_t start(const struct subject *subject, int64_t from, unsigned size, int said[2])
{
    char yaml[YAML_ROOM], from_text[24], size_text[12];
    subject->store->config(subject, yaml, sizeof yaml);
    snprintf(from_text, sizeof from_text, "%lld", (long long)from);
    snprintf(size_text, sizeof size_text, "%u", size);
    char *argv[] = {(char *)subject->store->name,
                    "--store",
                    (char *)subject->name,
                    yaml,
                    from_text,
                    size_text,
                    subject->wishes.exactly_once ? "1" : "0",
                    NULL};
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(said[0]);
        if (said[1] != SAY) {
            dup2(said[1], SAY);
            close(said[1]);
        }
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    close(said[1]);
    return child;
}

unsigned subject_store_until_killed(struct subject *subject, int64_t from, unsigned size, unsigned least)
{
    int said[2], how;
    unsigned durable = 0, number;
    pid_t child = start(subject, from, size, said);
    while (durable < least && read(said[0], &number, sizeof number) == sizeof number)
        durable = number;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &how, 0), child);
    while (read(said[0], &number, sizeof number) == sizeof number)
        durable = number;
    close(said[0]);
    /* It must have been the kill that ended it. */
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    assert_true(durable >= least);
    return durable;
}
