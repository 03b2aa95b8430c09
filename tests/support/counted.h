/* What the process, or a folder, has now: for "nothing is left". */
#ifndef WEIR_TESTS_SUPPORT_COUNTED_H
#define WEIR_TESTS_SUPPORT_COUNTED_H

/* A thread that was joined may be seen for another moment. */
unsigned count_threads(void);
unsigned count_descriptors(void); /* and the one that is needed to look */
/* All but those whose names begin with a dot. */
unsigned count_files(const char *folder);

#endif
