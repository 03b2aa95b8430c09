/*
 * The program itself as a process, for tests from outside: started in a folder of its own with a config written there, watched, signalled, waited for.
 * What should not happen fails the running cmocka test with the program's own output. WEIR_BIN names the program.
 */
#ifndef WEIR_TESTS_SUPPORT_PROCESS_H
#define WEIR_TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_PATIENCE_S = 60, PROCESS_ARGUMENTS = 20 };

struct process {
    pid_t pid;               /* 0: not running */
    char dir[128];           /* where it runs */
    char out[160], err[160]; /* files with what it wrote to stdout and stderr, of its latest run */
};

/* Makes the folder (in $TMPDIR, name in its own name). */
void process_init(struct process *process, const char *name);
/* Kills what runs and removes the folder. */
void process_fini(struct process *process);
/* Writes a file into the folder. */
void process_file(const struct process *process, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The whole of a file of the folder (or by absolute path), zero-terminated; the caller frees it. NULL: not there. */
char *process_read(const struct process *process, const char *name);

/* `weir ARGUMENT...`, NULL-terminated. */
void process_start(struct process *process, const char *const *arguments);
void process_signal(const struct process *process, int signal);
/* Its exit code, or minus the signal that ended it. Fails the test when it does not end within PROCESS_PATIENCE_S. */
int process_wait(struct process *process);
int process_run(struct process *process, const char *const *arguments);
/* Waits until its stderr has the text (of the latest run). Fails the test when it does not come. */
void process_expect(const struct process *process, const char *text);
bool process_said(const struct process *process, const char *text);
/* A file that process_read finds, "stdout" and "stderr" among them, has the text. */
void assert_holds(const struct process *process, const char *file, const char *text);

/* For loops that wait for something else: sleeps a little; fails the test when PROCESS_PATIENCE_S is over since `began` (clock_now). */
void process_look_again(const struct process *process, int64_t began);

/* A number in the JSON of a file, by its key: the first `"key": N`. Fails the test when it is not there. */
int64_t process_number(const struct process *process, const char *file, const char *key);
/* GET path from 127.0.0.1:port into text (status line, headers and body); returns the status, 0 when nothing answers. */
int process_get(unsigned port, const char *path, char *text, size_t size);
unsigned process_free_port(void);

#endif
