#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"

enum needs {
    NEEDS_NOTHING,
    NEEDS_SERVER,
    NEEDS_HANG, /* of a server's line, or something of its own */
    NEEDS_TROUBLE,
    NEEDS_BAD_ROWS,
    NEEDS_UNFIT,
    NEEDS_DISK,
    NEEDS_OFFSETS,
    NEEDS_OFFSETS_AND_SERVER,
};

static const struct conformance_case_type {
    const char *name;
    conformance_run *run;
    enum needs needs;
    struct wishes wishes;
} cases[CASES] = {
    [CASE_CONNECTS] = {"it_connects_and_says_when_it_can_not", case_connects, NEEDS_NOTHING, {.bare = true}},
    [CASE_MISTAKES] = {"a_bad_config_is_refused_with_its_position", case_mistakes},
    [CASE_UNFIT] = {"a_target_that_can_not_take_the_records_is_refused", case_unfit, NEEDS_UNFIT, {.bare = true}},
    [CASE_PROBE] = {"a_look_at_the_target_changes_nothing", case_probe, NEEDS_NOTHING, {.bare = true}},
    [CASE_BATCH] = {"a_batch_is_stored_record_by_record_as_answered", case_batch},
    [CASE_BAD_ROWS] = {"bad_rows_are_dead_lettered_and_no_others", case_bad_rows, NEEDS_BAD_ROWS},
    [CASE_TROUBLE] = {"trouble_that_passes_is_retried", case_trouble, NEEDS_TROUBLE},
    [CASE_SERVER_KILLED] = {"a_server_that_is_killed_and_comes_back_loses_nothing", case_server_killed, NEEDS_SERVER},
    [CASE_PROCESS_KILLED] = {"a_process_that_is_killed_leaves_what_was_flushed_and_nothing_torn", case_process_killed},
    [CASE_HANGS] = {"a_call_that_hangs_ends_at_its_deadline", case_hangs, NEEDS_HANG, {.patient = true}},
    [CASE_OPEN_HANGS] = {"an_open_that_hangs_ends_at_its_deadline", case_open_hangs, NEEDS_HANG, {.patient = true}},
    [CASE_SERVER_STOPPED] = {"a_server_that_is_stopped_holds_nobody_past_the_deadline",
                             case_server_stopped,
                             NEEDS_SERVER,
                             {.patient = true}},
    [CASE_ANSWER_LOST] = {"an_acknowledgement_that_is_lost_loses_no_record", case_answer_lost, NEEDS_SERVER},
    [CASE_SLOW_LINE] = {"a_slow_line_in_pieces_is_no_failure", case_slow_line, NEEDS_SERVER},
    [CASE_CLOSE_BUSY] = {"a_close_while_busy_is_quick_and_leaves_what_was_flushed", case_close_busy},
    [CASE_CLOSE_HANGING] = {"a_close_while_hanging_is_quick", case_close_hanging, NEEDS_HANG, {.patient = true}},
    [CASE_CANCELLED] = {"a_call_that_is_cancelled_while_it_waits_ends_at_once",
                        case_cancelled,
                        NEEDS_HANG,
                        {.patient = true}},
    [CASE_NOTHING_LEFT] = {"no_thread_descriptor_or_memory_is_left", case_nothing_left},
    [CASE_FULL_DISK] = {"a_full_disk_is_waited_for", case_full_disk, NEEDS_DISK, {.on_disk = true}},
#define OFFSETS(name, run, needs)                                                                                      \
    {                                                                                                                  \
        name, run, needs,                                                                                              \
        {                                                                                                              \
            .exactly_once = true                                                                                       \
        }                                                                                                              \
    }
    [CASE_OFFSETS_READ] = OFFSETS("offsets_are_read_as_they_were_moved", case_offsets_read, NEEDS_OFFSETS),
    [CASE_OFFSETS_MOVE] = OFFSETS("offsets_move_with_the_flush_and_not_before", case_offsets_move, NEEDS_OFFSETS),
    [CASE_OFFSETS_ALONE] = OFFSETS("offsets_move_without_records", case_offsets_alone, NEEDS_OFFSETS),
    [CASE_OFFSETS_ZOMBIE] = OFFSETS("a_zombie_stores_nothing", case_offsets_zombie, NEEDS_OFFSETS),
    [CASE_OFFSETS_ALREADY] = OFFSETS("a_flush_that_came_through_is_not_stored_twice", case_offsets_already,
                                     NEEDS_OFFSETS),
    [CASE_OFFSETS_DISCARD] = OFFSETS("what_is_discarded_is_forgotten", case_offsets_discard, NEEDS_OFFSETS),
    [CASE_OFFSETS_CRASH] = OFFSETS("an_end_before_the_flush_leaves_neither_records_nor_offsets", case_offsets_crash,
                                   NEEDS_OFFSETS),
    [CASE_OFFSETS_ANSWER_LOST] = OFFSETS("an_acknowledgement_that_is_lost_stores_nothing_twice",
                                         case_offsets_answer_lost, NEEDS_OFFSETS_AND_SERVER),
    [CASE_OFFSETS_SERVER_KILLED] = OFFSETS("a_server_that_is_killed_stores_nothing_twice", case_offsets_server_killed,
                                           NEEDS_OFFSETS_AND_SERVER),
    [CASE_OFFSETS_PROCESS_KILLED] = OFFSETS("a_process_that_is_killed_stores_nothing_twice",
                                            case_offsets_process_killed, NEEDS_OFFSETS),
#undef OFFSETS
};

struct run {
    const struct conformance_store *store;
    const struct conformance_case_type *type;
};

static void run_case(void **state)
{
    const struct run *run = *state;
    struct subject subject;
    int64_t began = clock_now();
    subject_init(&subject, run->store, run->type->wishes);
    run->type->run(&subject);
    subject_fini(&subject);
    print_message("%.1f s\n", (double)(clock_now() - began) / CLOCK_SECOND);
}

/* What the record says where it has not what the case needs. */
#define REASON(has, reason) ((has) ? NULL : (reason) != NULL ? (reason) : NO_REASON)
static const char NO_REASON[] = "";

static const char *why_not_made(const struct conformance_store *store, int i)
{
    const char *reason = NULL;
    if (store->not_made[i] != NULL)
        return store->not_made[i];
    switch (cases[i].needs) {
    case NEEDS_NOTHING:
        return NULL;
    case NEEDS_SERVER:
        return REASON(store->server != NULL, store->no_server);
    case NEEDS_HANG:
        return REASON(store->server != NULL || store->hang != NULL, store->no_hang);
    case NEEDS_TROUBLE:
        return REASON(store->server != NULL || store->trouble != NULL, reason);
    case NEEDS_BAD_ROWS:
        return REASON(store->add_bad != NULL, reason);
    case NEEDS_UNFIT:
        return REASON(store->make_unfit != NULL, reason);
    case NEEDS_DISK:
        return REASON(store->disk != NULL, reason);
    case NEEDS_OFFSETS:
        return REASON(store->type->offsets != NULL, store->no_offsets);
    case NEEDS_OFFSETS_AND_SERVER:
        reason = REASON(store->type->offsets != NULL, store->no_offsets);
        return reason != NULL ? reason : REASON(store->server != NULL, store->no_server);
    }
    return NO_REASON;
}

int conformance_main(const struct conformance_store *store, int argc, char **argv)
{
    static struct run runs[CASES];
    static struct CMUnitTest tests[CASES];
    size_t count = 0;
    /* In turn with what is logged. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* What a peer that is gone does to a write is for the store to hear, as in the service. */
    signal(SIGPIPE, SIG_IGN);
    if (argc == 7 && strcmp(argv[1], "--store") == 0)
        return killed_main(store, argv);
    if (argc > 2) {
        fprintf(stderr, "usage: %s [WORD]: only the cases with it in their names\n", argv[0]);
        return 1;
    }
    for (int i = 0; i < CASES; i++) {
        const struct conformance_case_type *type = &cases[i];
        const char *reason = why_not_made(store, i);
        if (reason == NO_REASON) {
            printf("%s: %s: the record has neither what it takes nor a reason\n", store->name, type->name);
            return 1;
        }
        if (reason != NULL) {
            printf("%s: not made: %s: %s\n", store->name, type->name, reason);
            continue;
        }
        if (argc == 2 && strstr(type->name, argv[1]) == NULL)
            continue;
        runs[count] = (struct run){store, type};
        tests[count] = (struct CMUnitTest){.name = type->name, .test_func = run_case, .initial_state = &runs[count]};
        count++;
    }
    return _cmocka_run_group_tests(store->name, tests, count, NULL, NULL);
}
