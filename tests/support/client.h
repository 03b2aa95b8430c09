/* A bare HTTP client, for tests of what a server does to those that behave, and to those that do not. */
#ifndef WEIR_TESTS_SUPPORT_CLIENT_H
#define WEIR_TESTS_SUPPORT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/clock.h"

#define CLIENT_DEADLINE (20 * CLOCK_SECOND)

/* To 127.0.0.1. receive: bytes that the kernel keeps for who does not read, 0: as it likes. */
int client_connect(uint16_t port, int receive);
bool client_is_readable(int fd, int64_t until);
/* Sends the request; host NULL: "localhost". */
void client_send(int fd, const char *method, const char *path, const char *host);
/* All that comes until the other side closes, zero-terminated; what does not fit is an error. */
void client_read_all(int fd, char *text, size_t size);
/* Reads until the text has `part` in it; fails the test when it does not come. */
void client_read_until(int fd, char *text, size_t size, const char *part);

#endif
