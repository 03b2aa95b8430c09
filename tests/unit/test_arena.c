#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/arena.h"
#include "processor/budget.h"

static void allocations_are_aligned_and_keep_what_is_written(void **state)
{
    (void)state;
    struct arena arena;
    uint8_t *pieces[200];
    arena_init(&arena, NULL);
    for (unsigned i = 0; i < 200; i++) {
        pieces[i] = arena_alloc(&arena, i * 37);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 8, 0);
        memset(pieces[i], (int)i, i * 37);
        uint8_t *text = arena_text(&arena, 3); /* so that the next one has to be aligned anew */
        memset(text, 0xff, 3);
    }
    for (unsigned i = 0; i < 200; i++) {
        for (unsigned k = 0; k < i * 37; k++)
            assert_int_equal(pieces[i][k], i);
    }
    arena_fini(&arena);
}

static void nothing_asked_for_is_a_valid_pointer_too(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    assert_non_null(arena_text(&arena, 0));
    assert_non_null(arena_alloc(&arena, 0));
    arena_fini(&arena);
}

/* The address sanitizer is the judge: every allocation that fills its chunk to the last byte. */
static void readers_may_look_past_any_allocation(void **state)
{
    (void)state;
    static const size_t sizes[] = {ARENA_MIN_CHUNK, 2 * ARENA_MIN_CHUNK, ARENA_MAX_CHUNK, ARENA_MAX_CHUNK + 12345};
    struct arena arena;
    unsigned sum = 0;
    arena_init(&arena, NULL);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint8_t *text = arena_text(&arena, sizes[i]);
        assert_non_null(text);
        assert_ptr_equal(arena.next, arena.end);
        for (unsigned k = 0; k < ARENA_PADDING; k++)
            sum += text[sizes[i] + k];
    }
    assert_int_equal(sum, 0);
    arena_fini(&arena);
}

static void what_is_held_is_charged_until_it_is_given_back(void **state)
{
    (void)state;
    struct budget *budget = budget_new(1 << 30);
    struct arena arena;
    arena_init(&arena, budget);
    assert_int_equal(budget_used(budget), 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_non_null(arena_alloc(&arena, 50000));
        assert_int_equal(budget_used(budget), arena.held);
    }
    assert_non_null(arena_alloc(&arena, 20 * 1024 * 1024));
    assert_true(arena.held > 20 * 1024 * 1024 + 100 * 50000);
    assert_int_equal(budget_used(budget), arena.held);
    arena_reset(&arena);
    assert_int_equal(budget_used(budget), arena.held);
    arena_fini(&arena);
    assert_int_equal(arena.held, 0);
    assert_int_equal(budget_used(budget), 0);
    budget_free(budget);
}

static void a_reset_keeps_one_chunk_and_no_giant(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    for (unsigned i = 0; i < 300; i++)
        assert_non_null(arena_text(&arena, 60000));
    assert_non_null(arena_text(&arena, 5 * ARENA_MAX_CHUNK));
    arena_reset(&arena);
    assert_true(arena.held >= ARENA_MAX_CHUNK);
    assert_true(arena.held <= ARENA_MAX_CHUNK + 256);
    size_t held = arena.held;
    assert_non_null(arena_text(&arena, ARENA_MAX_CHUNK));
    assert_int_equal(arena.held, held); /* out of the chunk that was kept */
    arena_reset(&arena);
    arena_reset(&arena);
    assert_int_equal(arena.held, held);
    arena_fini(&arena);
}

static void a_reset_keeps_nothing_when_there_are_only_giants(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    assert_non_null(arena_text(&arena, 2 * ARENA_MAX_CHUNK));
    arena_reset(&arena);
    assert_int_equal(arena.held, 0);
    assert_non_null(arena_text(&arena, 10)); /* and goes on */
    arena_fini(&arena);
}

static void only_the_latest_text_is_trimmed(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    uint8_t *first = arena_text(&arena, 100);
    arena_trim(&arena, first, 100, 40);
    uint8_t *second = arena_text(&arena, 10);
    assert_ptr_equal(second, first + 40);
    arena_trim(&arena, first, 40, 0); /* no more the latest: stays */
    assert_ptr_equal(arena_text(&arena, 1), second + 10);
    uint8_t *all = arena_text(&arena, 8);
    arena_trim(&arena, all, 8, 8);
    assert_ptr_equal(arena_text(&arena, 1), all + 8);
    arena_fini(&arena);
}

static void copies_tell_null_from_empty(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    assert_null(arena_copy(&arena, (struct bytes){0}).data);
    struct bytes empty = arena_copy(&arena, bytes_of("", 0));
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
    char text[] = "hello";
    struct bytes copy = arena_copy(&arena, bytes_of_string(text));
    text[0] = 'j';
    assert_true(bytes_equal(copy, bytes_of_string("hello")));
    arena_fini(&arena);
}

static void strings_end_with_a_zero(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    memset(arena_text(&arena, 64), 'x', 64);
    arena_reset(&arena);
    assert_string_equal(arena_string(&arena, "abcdef", 3), "abc");
    assert_string_equal(arena_string(&arena, "", 0), "");
    arena_fini(&arena);
}

static void sizes_that_no_memory_has_are_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 20));
    assert_null(arena_text(&arena, SIZE_MAX));
    assert_null(arena_text(&arena, SIZE_MAX - 100));
    assert_non_null(arena_alloc(&arena, 100));
    assert_null(arena_alloc(&arena, SIZE_MAX - 20));
    assert_non_null(arena_alloc(&arena, 100));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_keep_what_is_written),
        cmocka_unit_test(nothing_asked_for_is_a_valid_pointer_too),
        cmocka_unit_test(readers_may_look_past_any_allocation),
        cmocka_unit_test(what_is_held_is_charged_until_it_is_given_back),
        cmocka_unit_test(a_reset_keeps_one_chunk_and_no_giant),
        cmocka_unit_test(a_reset_keeps_nothing_when_there_are_only_giants),
        cmocka_unit_test(only_the_latest_text_is_trimmed),
        cmocka_unit_test(copies_tell_null_from_empty),
        cmocka_unit_test(strings_end_with_a_zero),
        cmocka_unit_test(sizes_that_no_memory_has_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
