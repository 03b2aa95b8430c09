/*
 * Time. Everything that waits, measures or expires uses the monotonic clock; the wall clock is only for what people read
 * and for what is stored. Nanoseconds as int64_t unless the name says otherwise.
 */
#ifndef WEIR_PROCESSOR_CLOCK_H
#define WEIR_PROCESSOR_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_MS INT64_C(1000000)
#define CLOCK_SECOND INT64_C(1000000000)
#define CLOCK_NEVER INT64_MAX

int64_t clock_now(void);         /* CLOCK_MONOTONIC */
int64_t clock_wall_ms(void);     /* Unix time in milliseconds, as Kafka's timestamps */
int64_t clock_process_cpu(void); /* CPU time of the whole process, user + system */
struct timespec clock_timespec(int64_t ns);

#endif
