/* Assertions that stay in release builds: a bug stops the process at once instead of losing records quietly. */
#ifndef WEIR_PROCESSOR_CHECK_H
#define WEIR_PROCESSOR_CHECK_H

/* Prints file, line and what failed, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what, int code);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (__builtin_expect(!(condition), 0))                                                                         \
            check_failed(__FILE__, __LINE__, #condition, 0);                                                           \
    } while (0)

/* For pthread calls and others that answer 0 or an errno. */
#define CHECK_CALL(call)                                                                                               \
    do {                                                                                                               \
        int check_code_ = (call);                                                                                      \
        if (__builtin_expect(check_code_ != 0, 0))                                                                     \
            check_failed(__FILE__, __LINE__, #call, check_code_);                                                      \
    } while (0)

#endif
