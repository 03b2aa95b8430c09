/* zstd's side: text into frames, and how much of a file is whole. One codec per store, its context reused. */
#ifndef WEIR_CONNECTORS_FILE_FRAME_H
#define WEIR_CONNECTORS_FILE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/bytes.h"
#include "processor/error.h"

struct frame_codec;

struct frame_codec *frame_codec_new(int level) WARN_UNUSED;
void frame_codec_free(struct frame_codec *codec); /* NULL is fine */
/* The text as one frame; *ret is valid until the next call. */
enum status frame_compress(struct frame_codec *codec, const uint8_t *text, size_t size, const uint8_t **ret,
                           size_t *ret_size, struct error *error) WARN_UNUSED;

/* How many bytes at the beginning of a file are good: whole frames with the right checksums when it begins like a frame, else whole lines.
 * data has all of the file. */
size_t frame_whole(const uint8_t *data, size_t size);

#endif
