/* What a crash left: files still called NAME.open. */
#ifndef WEIR_CONNECTORS_FILE_RECOVER_H
#define WEIR_CONNECTORS_FILE_RECOVER_H

/* Cuts each file of the pattern that nobody is writing back to what is whole, and gives it its final name; removes it when nothing is left. Logs as `part`. What cannot be
 * repaired stays as it is: nothing that a consumer of the files would take for finished. */
void file_recover(const char *pattern, const char *part);

#endif
