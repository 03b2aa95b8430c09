#include "tests/support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int client_connect(uint16_t port, int receive)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (receive > 0)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

bool client_is_readable(int fd, int64_t until)
{
    int64_t left = (until - clock_now()) / CLOCK_MS;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, left > 0 ? (int)left : 0) == 1;
}

void client_send(int fd, const char *method, const char *path, const char *host)
{
    char request[512];
    int size = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", method,
                        path, host != NULL ? host : "localhost");
    assert_true((size_t)size < sizeof request);
    assert_int_equal(send(fd, request, (size_t)size, MSG_NOSIGNAL), size);
}

/* False: closed. */
static bool read_some(int fd, char *text, size_t size, size_t *used, int64_t until)
{
    assert_true(*used + 1 < size);
    assert_true(client_is_readable(fd, until));
    ssize_t n = recv(fd, text + *used, size - 1 - *used, 0);
    assert_true(n >= 0);
    *used += (size_t)n;
    text[*used] = '\0';
    return n > 0;
}

void client_read_all(int fd, char *text, size_t size)
{
    int64_t until = clock_now() + CLIENT_DEADLINE;
    size_t used = 0;
    text[0] = '\0';
    while (read_some(fd, text, size, &used, until)) {
    }
}

void client_read_until(int fd, char *text, size_t size, const char *part)
{
    int64_t until = clock_now() + CLIENT_DEADLINE;
    size_t used = 0;
    text[0] = '\0';
    while (strstr(text, part) == NULL) {
        if (!read_some(fd, text, size, &used, until))
            fail_msg("closed before %s came: %s", part, text);
    }
}
