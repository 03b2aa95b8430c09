/* systemd's side is played by the test: a datagram socket that NOTIFY_SOCKET names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/usage.h"
#include "cli/notify.h"
#include "processor/clock.h"

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    setenv("NOTIFY_SOCKET", path, 1);
    return fd;
}

static void assert_received(int fd, const char *expected)
{
    char text[256];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void a_message_arrives_at_a_socket_in_the_file_system(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/test-notify-%d", (int)getpid());
    int fd = listen_at(path);
    notify_send("READY=1");
    notify_send("STATUS=%d behind", 7);
    assert_received(fd, "READY=1");
    assert_received(fd, "STATUS=7 behind");
    close(fd);
    unlink(path);
}

static void a_message_arrives_at_an_abstract_socket(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "@test-notify-%d", (int)getpid());
    int fd = listen_at(path);
    notify_send("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", 5);
    assert_received(fd, "STOPPING=1\nEXTEND_TIMEOUT_USEC=5");
    close(fd);
}

static void without_systemd_nothing_happens(void **state)
{
    (void)state;
    int64_t fds = usage_read().open_fds;
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    notify_send("READY=1");
    setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    notify_send("READY=1");
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(usage_read().open_fds, fds);
}

static void the_watchdogs_time_is_taken_when_it_is_for_this_process(void **state)
{
    (void)state;
    char pid[16];
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_true(notify_watchdog() == 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_true(notify_watchdog() == 30 * CLOCK_SECOND);
    setenv("WATCHDOG_PID", "1", 1);
    assert_true(notify_watchdog() == 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_true(notify_watchdog() == 30 * CLOCK_SECOND);
    setenv("WATCHDOG_USEC", "junk", 1);
    assert_true(notify_watchdog() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_at_a_socket_in_the_file_system),
        cmocka_unit_test(a_message_arrives_at_an_abstract_socket),
        cmocka_unit_test(without_systemd_nothing_happens),
        cmocka_unit_test(the_watchdogs_time_is_taken_when_it_is_for_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
