/*
 * The disk as a program that writes files sees it, with what may go wrong: a call that fails, a process that ends in the middle, a machine that loses its power. Stands before the C library's
 * pwrite, ftruncate, fdatasync, fsync, rename, renameat2 and unlink (each call is a step, from 1 on), and keeps what is on the disk apart from what only the system's memory shows: what was
 * written since a file's last sync, and, as Linux does it, for ever what a sync that failed was to write. Names count as on the disk at once.
 *
 * Nothing is really synced: what matters here is the order.
 */
#ifndef WEIR_TESTS_SUPPORT_FAULTY_DISK_H
#define WEIR_TESTS_SUPPORT_FAULTY_DISK_H

#include <stdbool.h>

enum disk_fault {
    DISK_FAILS, /* the call fails with EIO and does nothing; a write does half of it */
    DISK_ENDS,  /* the process ends (exit code DISK_END) instead of the call */
    DISK_TEARS, /* the same, with half of a write done */
};

enum { DISK_END = 99 };

/* Counts from now on; `durable` is a folder for what is on the disk, empty or as a process that was ended left it. Only for one thread. */
void faulty_disk_begin(const char *durable);
void faulty_disk_at(unsigned step, enum disk_fault fault); /* two at most */
unsigned faulty_disk_steps(void);

/* What a file has in a copy of the folder. */
enum disk_view {
    DISK_MEMORY,  /* all that was written: only the process ended */
    DISK_DURABLE, /* what is on the disk for sure */
    DISK_PARTLY,  /* and half of what was appended behind that */
};

/* Copies the folder (no folders in it): files whose name begins with a dot as `hidden` says, others as `plain` does. Asks the same `durable` folder, in whatever process. */
void faulty_disk_copy(const char *durable, const char *from, const char *to, enum disk_view hidden,
                      enum disk_view plain);

#endif
