/*
 * One file that is being written: a buffer of text that becomes a frame, the frames written so far, and how much of them is known to be on the disk.
 * Called NAME.open, and locked, until it is finished.
 */
#ifndef WEIR_CONNECTORS_FILE_OUTPUT_H
#define WEIR_CONNECTORS_FILE_OUTPUT_H

#include "connectors/file/config.h"
#include "connectors/file/frame.h"
#include "processor/error.h"

struct output;

/* codec NULL: no compression. No file is made before the first output_begin. */
struct output *output_new(const struct file_config *config, struct frame_codec *codec, int32_t partition) WARN_UNUSED;
void output_free(struct output *output); /* leaves the file as it is; NULL is fine */
int32_t output_partition(const struct output *output);

/* Makes the file when there is none, for records from that offset on; *ret_made tells. */
enum status output_begin(struct output *output, int64_t offset, bool *ret_made, struct error *error) WARN_UNUSED;
/* Room for `size` more bytes of text, behind what is there; a full buffer is written first. output_add then takes what was used of it. */
enum status output_reserve(struct output *output, size_t size, uint8_t **ret, struct error *error) WARN_UNUSED;
void output_add(struct output *output, size_t size);
/* Writes what is in the buffer, as a frame. */
enum status output_write(struct output *output, struct error *error) WARN_UNUSED;
/* Makes durable what is written. output_accept then takes it as good: nothing before it is ever cut off. */
enum status output_sync(struct output *output, struct error *error) WARN_UNUSED;
void output_accept(struct output *output);
/* Forgets everything since the last output_accept. When the file cannot be cut now, output_begin tries again. */
void output_rewind(struct output *output);
/* How much of the file is written, and how much of it accepted; its name now ("" when there is no file). */
int64_t output_size(const struct output *output);
int64_t output_accepted(const struct output *output);
const char *output_open_path(const struct output *output);
/* Takes exactly so much of what is written as good (somebody else knows), and forgets the rest. */
void output_accept_only(struct output *output, int64_t size);
/* Is there a file that is big or old enough to be finished? */
bool output_due(const struct output *output, int64_t now);
/* Gives the file its final name, or removes it when it is empty. Everything in it has been accepted. On failure it goes on as it is. */
enum status output_finish(struct output *output, struct error *error) WARN_UNUSED;

#endif
