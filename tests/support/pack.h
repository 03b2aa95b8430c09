/* Compressed values for tests of decompression: each format as its own library writes it. */
#ifndef WEIR_TESTS_SUPPORT_PACK_H
#define WEIR_TESTS_SUPPORT_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "processor/arena.h"
#include "processor/bytes.h"

typedef struct bytes packer(struct arena *arena, struct bytes plain);

packer pack_zstd;         /* one frame that states its size */
packer pack_zstd_unsized; /* one that does not */
packer pack_gzip;
packer pack_zlib;
packer pack_lz4;         /* one frame that states its size */
packer pack_lz4_unsized; /* linked blocks, no size */
packer pack_snappy;      /* a raw block */
packer pack_snappy_framed;
packer pack_snappy_xerial;

/* With a dictionary, a raw or a trained one. */
struct bytes pack_zstd_with(struct arena *arena, struct bytes plain, struct bytes dictionary);
/* A trained dictionary for texts that look like sample(i). */
struct bytes pack_dictionary(struct arena *arena, const char *format);

struct bytes pack_join(struct arena *arena, struct bytes first, struct bytes second);
/* `size` bytes of text that compresses as JSON does, and of such that does not compress at all. */
struct bytes pack_text(struct arena *arena, uint32_t size);
struct bytes pack_noise(struct arena *arena, uint32_t size);

#endif
