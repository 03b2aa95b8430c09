#include "stages/codec.h"

enum { FIRST_RATIO = 4, MAX_RATIO = 64, GUESS_MORE = 1024 };

const struct codec_type *const codec_types[] = {&codec_zstd, &codec_gzip, &codec_lz4, &codec_snappy, NULL};

enum status codec_init(struct codec *codec, const struct codec_type *type, const void *shared)
{
    void *context = type->start(shared);
    if (context == NULL)
        return STATUS_NO_MEMORY;
    *codec = (struct codec){.type = type, .context = context, .ratio = FIRST_RATIO};
    return STATUS_OK;
}

void codec_fini(struct codec *codec)
{
    if (codec->context != NULL)
        codec->type->stop(codec->context);
    *codec = (struct codec){0};
}

/* Into room of `room` bytes at the arena's end, of which only what was used stays. */
static enum codec_answer inflate_into(struct codec *codec, struct bytes in, size_t room, struct arena *arena,
                                      struct bytes *ret, const char **ret_why)
{
    uint8_t *out = arena_text(arena, room);
    if (out == NULL)
        return CODEC_NO_MEMORY;
    size_t used = 0;
    enum codec_answer answer = codec->type->inflate(codec->context, in, out, room, &used, ret_why);
    arena_trim(arena, out, room, answer == CODEC_OK ? used : 0);
    if (answer == CODEC_OK)
        *ret = bytes_of(out, (uint32_t)used);
    return answer;
}

static void learn_ratio(struct codec *codec, size_t in, size_t out)
{
    size_t ratio = out / (in + 1) + 1;
    if (ratio > codec->ratio)
        codec->ratio = ratio < MAX_RATIO ? (unsigned)ratio : MAX_RATIO;
}

enum codec_answer codec_inflate(struct codec *codec, struct bytes in, size_t max, struct arena *arena,
                                struct bytes *ret, const char **ret_why)
{
    const struct codec_type *type = codec->type;
    *ret_why = "";
    uint64_t stated = type->stated(in);
    if (stated > max && type->exact)
        return CODEC_FULL;
    uint64_t guess = stated != 0 ? stated : (uint64_t)in.size * codec->ratio + GUESS_MORE;
    size_t room = guess < max ? (size_t)guess : max;
    enum codec_answer answer = inflate_into(codec, in, room, arena, ret, ret_why);
    if (answer != CODEC_FULL || room == max)
        return answer;
    size_t size = 0;
    answer = type->inflate(codec->context, in, NULL, max, &size, ret_why);
    if (answer != CODEC_OK)
        return answer;
    learn_ratio(codec, in.size, size);
    answer = inflate_into(codec, in, size, arena, ret, ret_why);
    if (answer != CODEC_FULL)
        return answer;
    /* It has another size in one go than piece by piece. */
    *ret_why = "it states a size that it does not have";
    return CODEC_BROKEN;
}
