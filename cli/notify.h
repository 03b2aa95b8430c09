/*
 * Telling systemd how the service is: sd_notify(3)'s protocol, a datagram to the socket that NOTIFY_SOCKET names. Without that variable every call
 * does nothing. Threads: any.
 */
#ifndef WEIR_CLI_NOTIFY_H
#define WEIR_CLI_NOTIFY_H

#include <stdint.h>

#include "processor/status.h"

/* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...": one or more, a line each. Lost when nobody listens. */
void notify_send(const char *format, ...) PRINTF_LIKE(1, 2);
/* How long the service may be silent until systemd ends it (WatchdogSec=), in ns; 0: there is no watchdog for this process. */
int64_t notify_watchdog(void);

#endif
