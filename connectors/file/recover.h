/* What a crash left: files still called NAME.open. */
#ifndef WEIR_CONNECTORS_FILE_RECOVER_H
#define WEIR_CONNECTORS_FILE_RECOVER_H

#include "connectors/file/manifest.h"

/*
 * Cuts each file of the pattern that nobody is writing back to what is whole, and gives it its final name; removes it when nothing is left. Logs as `part`.
 * What cannot be repaired stays as it is: nothing that a consumer of the files would take for finished. With a manifest (it may be NULL): what a file has
 * beyond its size there was never stored and goes, whole or not; only files that it does not know are treated as above. STATUS_FAILED: the manifest could not
 * be asked.
 */
enum status file_recover(const char *pattern, const char *part, struct manifest *manifest, struct context *context,
                         struct error *error) WARN_UNUSED;

#endif
