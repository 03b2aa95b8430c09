#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "stages/codec.h"
#include "tests/support/pack.h"

enum { KIB = 1024, MIB = 1024 * 1024, CAP = 4 * MIB };

struct form {
    const char *name;
    const struct codec_type *type;
    packer *pack;
};

static const struct form FORMS[] = {
    {"zstd", &codec_zstd, pack_zstd},
    {"zstd without a stated size", &codec_zstd, pack_zstd_unsized},
    {"gzip", &codec_gzip, pack_gzip},
    {"zlib", &codec_gzip, pack_zlib},
    {"lz4", &codec_lz4, pack_lz4},
    {"lz4 without a stated size", &codec_lz4, pack_lz4_unsized},
    {"snappy", &codec_snappy, pack_snappy},
    {"framed snappy", &codec_snappy, pack_snappy_framed},
    {"xerial snappy", &codec_snappy, pack_snappy_xerial},
};

#define EACH_FORM(form) for (const struct form *form = FORMS; form < FORMS + sizeof FORMS / sizeof *FORMS; form++)

struct fixture {
    struct arena made, out; /* what goes in; what comes out */
    struct codec codec;
    const char *why;
};

static void begin(struct fixture *fixture, const struct codec_type *type, const void *dictionary)
{
    *fixture = (struct fixture){.why = NULL};
    arena_init(&fixture->made, NULL);
    arena_init(&fixture->out, NULL);
    assert_int_equal(codec_init(&fixture->codec, type, dictionary), STATUS_OK);
}

static void end(struct fixture *fixture)
{
    codec_fini(&fixture->codec);
    arena_fini(&fixture->made);
    arena_fini(&fixture->out);
}

/* The packed value in memory of exactly its size, so that the sanitizer sees who reads past it. */
static enum codec_answer inflate(struct fixture *fixture, struct bytes packed, size_t max, struct bytes *ret)
{
    uint8_t *exact = malloc(packed.size > 0 ? packed.size : 1);
    assert_non_null(exact);
    memcpy(exact, packed.data, packed.size);
    enum codec_answer answer = codec_inflate(&fixture->codec, bytes_of(exact, packed.size), max, &fixture->out, ret,
                                             &fixture->why);
    free(exact);
    return answer;
}

static void expect_plain(const char *name, struct fixture *fixture, struct bytes packed, size_t max, struct bytes plain)
{
    struct bytes back = {0};
    enum codec_answer answer = inflate(fixture, packed, max, &back);
    if (answer != CODEC_OK)
        fail_msg("%s, %u bytes: answer %d: %s", name, plain.size, answer, fixture->why);
    if (!bytes_equal(back, plain))
        fail_msg("%s: %u bytes came back as %u", name, plain.size, back.size);
    /* What a SIMD parser reads behind the text must be there. */
    volatile uint8_t sum = 0;
    for (int i = 0; i < 64; i++)
        sum = (uint8_t)(sum + back.data[back.size + i]);
}

static void expect_answer(const char *name, struct fixture *fixture, struct bytes packed, size_t max,
                          enum codec_answer expected)
{
    struct bytes back = {.size = 4711};
    enum codec_answer answer = inflate(fixture, packed, max, &back);
    if (answer != expected)
        fail_msg("%s: expected the answer %d, got %d (%s)", name, expected, answer, fixture->why);
    assert_int_equal(back.size, 4711);
    if (answer == CODEC_BROKEN && (fixture->why == NULL || *fixture->why == '\0'))
        fail_msg("%s: broken, but nobody says why", name);
}

static void what_was_compressed_comes_back(void **state)
{
    (void)state;
    static const uint32_t SIZES[] = {1, 2, 100, 4 * KIB, 64 * KIB, 64 * KIB + 1, 300 * KIB, 3 * MIB};
    EACH_FORM(form)
    {
        struct fixture fixture;
        begin(&fixture, form->type, NULL);
        for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
            struct bytes text = pack_text(&fixture.made, SIZES[i]), noise = pack_noise(&fixture.made, SIZES[i]);
            expect_plain(form->name, &fixture, form->pack(&fixture.made, text), CAP, text);
            expect_plain(form->name, &fixture, form->pack(&fixture.made, noise), CAP, noise);
            arena_reset(&fixture.out);
        }
        end(&fixture);
    }
}

static void nothing_compressed_comes_back_as_nothing(void **state)
{
    (void)state;
    EACH_FORM(form)
    {
        struct fixture fixture;
        begin(&fixture, form->type, NULL);
        struct bytes nothing = bytes_of("", 0);
        expect_plain(form->name, &fixture, form->pack(&fixture.made, nothing), CAP, nothing);
        end(&fixture);
    }
}

static void frames_in_a_row_are_one_value(void **state)
{
    (void)state;
    EACH_FORM(form)
    {
        if (form->pack == pack_zlib || form->pack == pack_snappy || form->pack == pack_snappy_xerial)
            continue; /* not what these formats have */
        struct fixture fixture;
        begin(&fixture, form->type, NULL);
        struct bytes first = pack_text(&fixture.made, 100 * KIB), second = pack_noise(&fixture.made, 10 * KIB);
        struct bytes packed = pack_join(&fixture.made, form->pack(&fixture.made, first),
                                        form->pack(&fixture.made, second));
        expect_plain(form->name, &fixture, packed, CAP, pack_join(&fixture.made, first, second));
        end(&fixture);
    }
}

static void a_value_of_exactly_the_cap_passes_and_a_byte_more_does_not(void **state)
{
    (void)state;
    static const uint32_t SIZES[] = {1 * KIB, 64 * KIB, 1 * MIB};
    EACH_FORM(form)
    {
        struct fixture fixture;
        begin(&fixture, form->type, NULL);
        for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
            struct bytes text = pack_text(&fixture.made, SIZES[i]);
            struct bytes packed = form->pack(&fixture.made, text);
            expect_plain(form->name, &fixture, packed, text.size, text);
            expect_answer(form->name, &fixture, packed, text.size - 1, CODEC_FULL);
            expect_answer(form->name, &fixture, packed, 1, CODEC_FULL);
        }
        end(&fixture);
    }
}

static void a_value_that_ends_too_soon_is_broken_wherever_it_ends(void **state)
{
    (void)state;
    EACH_FORM(form)
    {
        struct fixture fixture;
        begin(&fixture, form->type, NULL);
        struct bytes packed = form->pack(&fixture.made, pack_text(&fixture.made, 2 * KIB));
        /* Both forms of blocks end where a block ends: their heads alone are a value of no bytes. */
        uint32_t head = form->pack == pack_snappy_framed ? 10 : form->pack == pack_snappy_xerial ? 16 : 0;
        for (uint32_t size = 1; size < packed.size; size++) {
            if (size != head)
                expect_answer(form->name, &fixture, bytes_of(packed.data, size), CAP, CODEC_BROKEN);
        }
        end(&fixture);
    }
}

static void noise_and_garbage_behind_a_value_are_broken(void **state)
{
    (void)state;
    EACH_FORM(form)
    {
        struct fixture fixture;
        begin(&fixture, form->type, NULL);
        struct bytes text = pack_text(&fixture.made, 2 * KIB), garbage = bytes_of_string("and then some");
        struct bytes packed = form->pack(&fixture.made, text);
        expect_answer(form->name, &fixture, pack_join(&fixture.made, packed, garbage), CAP, CODEC_BROKEN);
        expect_answer(form->name, &fixture, bytes_of_string("{\"order_id\": \"this is plain text\"}"), CAP,
                      CODEC_BROKEN);
        /* The worker's context is as good as new. */
        expect_plain(form->name, &fixture, packed, CAP, text);
        end(&fixture);
    }
}

/* Whatever a flipped byte makes of a value, it never takes more than the cap, and with a checksum never gives other bytes. */
static void damaged_values_never_pass_as_good_ones_nor_break_out(void **state)
{
    (void)state;
    EACH_FORM(form)
    {
        struct fixture fixture;
        begin(&fixture, form->type, NULL);
        struct bytes text = pack_text(&fixture.made, 3 * KIB);
        struct bytes packed = form->pack(&fixture.made, text);
        uint8_t *copy = arena_text(&fixture.made, packed.size);
        memcpy(copy, packed.data, packed.size);
        bool checked = form->pack != pack_snappy && form->pack != pack_snappy_xerial;
        for (uint32_t at = 0; at < packed.size; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                copy[at] ^= (uint8_t)(1u << bit);
                struct bytes back;
                enum codec_answer answer = inflate(&fixture, bytes_of(copy, packed.size), CAP, &back);
                if (answer == CODEC_OK && checked && back.size > 0 && !bytes_equal(back, text))
                    fail_msg("%s: with byte %u damaged, other bytes came out as good", form->name, at);
                copy[at] ^= (uint8_t)(1u << bit);
                assert_true(fixture.out.held < CAP + 3 * MIB);
                arena_reset(&fixture.out);
            }
        }
        end(&fixture);
    }
}

/* 1 GiB of zeros. */
static struct bytes bomb(struct arena *arena, packer *pack)
{
    uint8_t *zeros = arena_text(arena, 8 * MIB);
    memset(zeros, 0, 8 * MIB);
    struct bytes one = pack(arena, bytes_of(zeros, 8 * MIB));
    uint8_t *all = arena_text(arena, (size_t)one.size * 128);
    for (size_t i = 0; i < 128; i++)
        memcpy(all + i * one.size, one.data, one.size);
    return bytes_of(all, one.size * 128);
}

static void a_bomb_of_a_gigabyte_takes_no_more_memory_than_the_cap(void **state)
{
    (void)state;
    EACH_FORM(form)
    {
        if (form->pack == pack_zlib || form->pack == pack_snappy || form->pack == pack_snappy_xerial)
            continue;
        struct fixture fixture;
        begin(&fixture, form->type, NULL);
        struct bytes packed = bomb(&fixture.made, form->pack);
        expect_answer(form->name, &fixture, packed, CAP, CODEC_FULL);
        if (fixture.out.held > CAP + MIB)
            fail_msg("%s: %zu bytes held", form->name, fixture.out.held);
        end(&fixture);
    }
}

static void a_bomb_that_is_counted_first_takes_next_to_no_memory(void **state)
{
    (void)state;
    static const struct form counted[] = {{"gzip", &codec_gzip, pack_gzip}, {"lz4", &codec_lz4, pack_lz4_unsized}};
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;
        begin(&fixture, counted[i].type, NULL);
        uint8_t *zeros = arena_text(&fixture.made, 8 * MIB);
        memset(zeros, 0, 8 * MIB);
        struct bytes packed = counted[i].pack(&fixture.made, bytes_of(zeros, 8 * MIB));
        /* As if of many members: the size at the end says nothing. */
        packed = pack_join(&fixture.made, packed, counted[i].pack(&fixture.made, bytes_of("x", 1)));
        expect_answer(counted[i].name, &fixture, packed, 8 * MIB, CODEC_FULL);
        assert_true(fixture.out.held < 512 * KIB);
        end(&fixture);
    }
}

static void write_size(uint8_t *at, uint64_t size, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(size >> (8 * i));
}

static void a_zstd_frame_that_lies_about_its_size_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &codec_zstd, NULL);
    struct bytes text = pack_text(&fixture.made, 100000), packed = pack_zstd(&fixture.made, text);
    uint8_t *frame = (uint8_t *)packed.data;
    /* RFC 8878, 3.1.1.1: the descriptor's upper two bits say 2: four bytes of size; a single segment, so there is no window byte. */
    assert_int_equal(frame[4] & 0xe0, 0xa0);
    write_size(frame + 5, 10, 4);
    expect_answer("too small", &fixture, packed, CAP, CODEC_BROKEN);
    write_size(frame + 5, CAP, 4);
    expect_answer("too large", &fixture, packed, CAP, CODEC_BROKEN);
    size_t held = fixture.out.held;
    write_size(frame + 5, UINT32_MAX, 4);
    expect_answer("past the cap", &fixture, packed, CAP, CODEC_FULL);
    assert_int_equal(fixture.out.held, held);
    end(&fixture);
}

static void a_snappy_block_that_lies_about_its_size_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &codec_snappy, NULL);
    /* A varint of 4 GiB - 1, then a literal of one byte. */
    expect_answer("snappy", &fixture, bytes_of("\xff\xff\xff\xff\x0f\x00x", 7), CAP, CODEC_BROKEN);
    assert_true(fixture.out.held < 512 * KIB);
    end(&fixture);
}

static void a_gzip_size_that_lies_does_no_harm(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &codec_gzip, NULL);
    struct bytes text = pack_text(&fixture.made, 100000), packed = pack_gzip(&fixture.made, text);
    static const uint32_t LIES[] = {1, 99999, 100001, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        write_size((uint8_t *)packed.data + packed.size - 4, LIES[i], 4);
        expect_answer("gzip", &fixture, packed, CAP, CODEC_BROKEN);
    }
    end(&fixture);
}

static const char ORDER[] =
    "{\"order_id\": \"o-%08u\", \"customer_id\": \"c-%u\", \"currency\": \"EUR\", \"status\": \"NEW\"}";

static void values_that_were_packed_with_a_dictionary_need_it(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &codec_zstd, NULL);
    struct bytes dictionary = pack_dictionary(&fixture.made, ORDER);
    struct bytes other = pack_dictionary(&fixture.made,
                                         "<reading meter='%u'><kind>%u</kind><unit>kWh</unit></reading>");
    struct bytes plain = bytes_of_string(
        "{\"order_id\": \"o-00000001\", \"customer_id\": \"c-1\", \"currency\": \"EUR\"}");
    struct bytes packed = pack_zstd_with(&fixture.made, plain, dictionary);
    assert_true(packed.size < plain.size / 2);
    expect_answer("without", &fixture, packed, CAP, CODEC_BROKEN);
    assert_string_equal(fixture.why, "it was compressed with a different dictionary");
    codec_fini(&fixture.codec);

    void *loaded = codec_zstd.load(other);
    assert_int_equal(codec_init(&fixture.codec, &codec_zstd, loaded), STATUS_OK);
    expect_answer("another one", &fixture, packed, CAP, CODEC_BROKEN);
    assert_string_equal(fixture.why, "it was compressed with a different dictionary");
    codec_fini(&fixture.codec);
    codec_zstd.unload(loaded);

    loaded = codec_zstd.load(dictionary);
    assert_int_equal(codec_init(&fixture.codec, &codec_zstd, loaded), STATUS_OK);
    expect_plain("with it", &fixture, packed, CAP, plain);
    expect_plain("packed without", &fixture, pack_zstd(&fixture.made, plain), CAP, plain);
    expect_plain("with it again", &fixture, packed, CAP, plain);
    expect_answer("over the cap", &fixture, packed, plain.size - 1, CODEC_FULL);
    codec_fini(&fixture.codec);
    codec_zstd.unload(loaded);
    fixture.codec = (struct codec){0};
    end(&fixture);
}

static void a_value_of_unknown_size_is_counted_with_the_dictionary_too(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &codec_zstd, NULL);
    codec_fini(&fixture.codec);
    struct bytes dictionary = pack_dictionary(&fixture.made, ORDER), text = pack_text(&fixture.made, 500 * KIB);
    void *loaded = codec_zstd.load(dictionary);
    assert_int_equal(codec_init(&fixture.codec, &codec_zstd, loaded), STATUS_OK);
    /* Two frames: the first one's size is not the whole's. */
    struct bytes small = bytes_of_string("{\"order_id\": \"o-00000001\"}");
    struct bytes packed = pack_join(&fixture.made, pack_zstd_with(&fixture.made, small, dictionary),
                                    pack_zstd_with(&fixture.made, text, dictionary));
    expect_plain("two frames", &fixture, packed, CAP, pack_join(&fixture.made, small, text));
    codec_fini(&fixture.codec);
    codec_zstd.unload(loaded);
    end(&fixture);
}

static void a_frame_that_wants_a_large_window_to_be_counted_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &codec_zstd, NULL);
    /* A frame without a size, a window of 128 MiB (exponent 17), and one block that repeats a byte 100,000 times (RLE, last). */
    static const uint8_t FRAME[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x03, 0x35, 0x0c, 'x'};
    expect_answer("window", &fixture, bytes_of(FRAME, sizeof FRAME), CAP, CODEC_BROKEN);
    end(&fixture);
}

static void automatic_choice_knows_each_format_that_has_a_magic(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct bytes text = pack_text(&arena, 5000);
    EACH_FORM(form)
    {
        if (form->pack == pack_zlib || form->pack == pack_snappy)
            continue; /* no magic */
        struct bytes packed = form->pack(&arena, text);
        for (const struct codec_type *const *type = codec_types; *type != NULL; type++) {
            if ((*type)->recognises(packed) != (*type == form->type))
                fail_msg("%s as %s", form->name, (*type)->name);
            assert_false((*type)->recognises(bytes_of(packed.data, 2)));
            assert_false((*type)->recognises(text));
            assert_false((*type)->recognises(bytes_of("", 0)));
        }
    }
    arena_fini(&arena);
}

/* The first value of an unknown size is inflated three times (tried, counted, inflated); later ones are guessed right. */
static void a_ratio_is_learnt_from_values_before(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &codec_lz4, NULL);
    uint8_t *zeros = arena_text(&fixture.made, 100 * KIB);
    memset(zeros, '0', 100 * KIB);
    struct bytes plain = bytes_of(zeros, 100 * KIB), packed = pack_lz4_unsized(&fixture.made, plain);
    unsigned before = fixture.codec.ratio;
    expect_plain("lz4", &fixture, packed, CAP, plain);
    assert_true(fixture.codec.ratio > before);
    assert_true(fixture.codec.ratio <= 64);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_compressed_comes_back),
        cmocka_unit_test(nothing_compressed_comes_back_as_nothing),
        cmocka_unit_test(frames_in_a_row_are_one_value),
        cmocka_unit_test(a_value_of_exactly_the_cap_passes_and_a_byte_more_does_not),
        cmocka_unit_test(a_value_that_ends_too_soon_is_broken_wherever_it_ends),
        cmocka_unit_test(noise_and_garbage_behind_a_value_are_broken),
        cmocka_unit_test(damaged_values_never_pass_as_good_ones_nor_break_out),
        cmocka_unit_test(a_bomb_of_a_gigabyte_takes_no_more_memory_than_the_cap),
        cmocka_unit_test(a_bomb_that_is_counted_first_takes_next_to_no_memory),
        cmocka_unit_test(a_zstd_frame_that_lies_about_its_size_is_refused),
        cmocka_unit_test(a_snappy_block_that_lies_about_its_size_is_refused),
        cmocka_unit_test(a_gzip_size_that_lies_does_no_harm),
        cmocka_unit_test(values_that_were_packed_with_a_dictionary_need_it),
        cmocka_unit_test(a_value_of_unknown_size_is_counted_with_the_dictionary_too),
        cmocka_unit_test(a_frame_that_wants_a_large_window_to_be_counted_is_refused),
        cmocka_unit_test(automatic_choice_knows_each_format_that_has_a_magic),
        cmocka_unit_test(a_ratio_is_learnt_from_values_before),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
