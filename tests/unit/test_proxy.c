/* The fault proxy of the tests: each fault does what it says and passes when it is taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/proxy.h"

struct scene {
    int listener, client, server;
    struct proxy *proxy;
};

static struct sockaddr_in address_of(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static int patient(int fd)
{
    const struct timeval limit = {.tv_sec = 30};
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    return fd;
}

static int try_to_connect(const struct scene *scene, int *ret)
{
    struct sockaddr_in address = address_of(proxy_port(scene->proxy));
    *ret = patient(socket(AF_INET, SOCK_STREAM, 0));
    return connect(*ret, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

static void connect_pair(const struct scene *scene, int *ret_client, int *ret_server)
{
    assert_int_equal(try_to_connect(scene, ret_client), 0);
    *ret_server = patient(accept(scene->listener, NULL, NULL));
}

static void scene_init(struct scene *scene)
{
    struct sockaddr_in address = address_of(0);
    socklen_t size = sizeof address;
    scene->listener = patient(socket(AF_INET, SOCK_STREAM, 0));
    assert_int_equal(bind(scene->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(scene->listener, 16), 0);
    assert_int_equal(getsockname(scene->listener, (struct sockaddr *)&address, &size), 0);
    scene->proxy = proxy_new(0, ntohs(address.sin_port));
    connect_pair(scene, &scene->client, &scene->server);
}

static void scene_fini(struct scene *scene)
{
    close(scene->client);
    close(scene->server);
    close(scene->listener);
    proxy_free(scene->proxy);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hear(int fd, const char *text)
{
    char heard[256];
    size_t size = strlen(text);
    assert_true(size < sizeof heard);
    assert_int_equal(recv(fd, heard, size, MSG_WAITALL), size);
    assert_memory_equal(heard, text, size);
}

static void assert_nothing_to_hear(int fd)
{
    char heard;
    assert_int_equal(recv(fd, &heard, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void assert_end(int fd)
{
    char heard;
    assert_int_equal(recv(fd, &heard, 1, 0), 0);
}

static void assert_reset(int fd)
{
    char heard;
    assert_int_equal(recv(fd, &heard, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* -- */

static void bytes_pass_both_ways_on_many_connections(void **state)
{
    (void)state;
    enum { MANY = 40 };
    struct scene scene;
    int clients[MANY], servers[MANY];
    scene_init(&scene);
    for (int i = 0; i < MANY; i++)
        connect_pair(&scene, &clients[i], &servers[i]);
    for (int i = 0; i < MANY; i++) {
        say(clients[i], "ask");
        hear(servers[i], "ask");
        say(servers[i], "answer");
    }
    for (int i = 0; i < MANY; i++) {
        hear(clients[i], "answer");
        close(clients[i]);
        close(servers[i]);
    }
    assert_true(proxy_wait(scene.proxy, PROXY_CLOSED, MANY));
    assert_int_equal(proxy_count(scene.proxy, PROXY_ACCEPTED), MANY + 1);
    assert_int_equal(proxy_count(scene.proxy, PROXY_PASSED_UP), MANY * 3);
    assert_int_equal(proxy_count(scene.proxy, PROXY_PASSED_DOWN), MANY * 6);
    scene_fini(&scene);
}

static void much_passes_whole(void **state)
{
    (void)state;
    enum { PIECES = 300, SIZE = 30000 };
    struct scene scene;
    static unsigned char piece[SIZE], heard[SIZE];
    scene_init(&scene);
    for (int i = 0; i < PIECES; i++) {
        memset(piece, i, SIZE);
        assert_int_equal(send(scene.client, piece, SIZE, MSG_NOSIGNAL), SIZE);
        assert_int_equal(recv(scene.server, heard, SIZE, MSG_WAITALL), SIZE);
        assert_memory_equal(heard, piece, SIZE);
    }
    scene_fini(&scene);
}

static void the_end_of_one_way_leaves_the_other_open(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene);
    say(scene.client, "all");
    assert_int_equal(shutdown(scene.client, SHUT_WR), 0);
    hear(scene.server, "all");
    assert_end(scene.server);
    say(scene.server, "answer");
    hear(scene.client, "answer");
    close(scene.server);
    assert_end(scene.client);
    assert_true(proxy_wait_closed(scene.proxy));
    scene.server = dup(scene.client);
    scene_fini(&scene);
}

static void a_cut_ends_both_sides_and_whoever_comes_until_it_is_taken_back(void **state)
{
    (void)state;
    struct scene scene;
    int client, server;
    scene_init(&scene);
    proxy_cut(scene.proxy);
    assert_end(scene.client);
    assert_end(scene.server);
    assert_int_equal(try_to_connect(&scene, &client), 0);
    assert_end(client);
    close(client);
    proxy_pass(scene.proxy);
    connect_pair(&scene, &client, &server);
    say(client, "ask");
    hear(server, "ask");
    close(client);
    close(server);
    scene_fini(&scene);
}

static void a_reset_is_one_on_both_sides(void **state)
{
    (void)state;
    struct scene scene;
    int client;
    scene_init(&scene);
    proxy_reset(scene.proxy);
    assert_reset(scene.client);
    assert_reset(scene.server);
    if (try_to_connect(&scene, &client) == 0)
        assert_reset(client);
    close(client);
    scene_fini(&scene);
}

static void who_is_refused_can_come_later_on_the_same_port(void **state)
{
    (void)state;
    struct scene scene;
    int client, server;
    scene_init(&scene);
    for (int i = 0; i < 3; i++) {
        proxy_refuse(scene.proxy);
        assert_int_equal(try_to_connect(&scene, &client), ECONNREFUSED);
        close(client);
        proxy_pass(scene.proxy);
        connect_pair(&scene, &client, &server);
        close(client);
        close(server);
    }
    scene_fini(&scene);
}

static void what_is_held_one_way_comes_when_the_hole_is_gone(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene);
    proxy_rule(scene.proxy, PROXY_UP, (struct proxy_rules){.held = true});
    say(scene.client, "ask");
    assert_true(proxy_wait(scene.proxy, PROXY_READ_UP, 3));
    say(scene.server, "answer");
    hear(scene.client, "answer");
    assert_nothing_to_hear(scene.server);
    assert_int_equal(proxy_count(scene.proxy, PROXY_PASSED_UP), 0);
    proxy_pass(scene.proxy);
    hear(scene.server, "ask");
    scene_fini(&scene);
}

static void what_is_dropped_is_gone(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene);
    proxy_rule(scene.proxy, PROXY_BOTH, (struct proxy_rules){.dropped = true});
    say(scene.client, "lost");
    say(scene.server, "lost");
    assert_true(proxy_wait(scene.proxy, PROXY_READ_UP, 4));
    assert_true(proxy_wait(scene.proxy, PROXY_READ_DOWN, 4));
    proxy_pass(scene.proxy);
    say(scene.client, "ask");
    hear(scene.server, "ask");
    say(scene.server, "answer");
    hear(scene.client, "answer");
    scene_fini(&scene);
}

static void a_delay_is_at_least_so_long_and_keeps_the_order(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene);
    proxy_rule(scene.proxy, PROXY_UP, (struct proxy_rules){.delay = 30 * CLOCK_MS, .jitter = 20 * CLOCK_MS, .seed = 7});
    int64_t began = clock_now();
    for (int i = 0; i < 10; i++) {
        char text[2] = {(char)('0' + i), '\0'};
        say(scene.client, text);
        assert_true(proxy_wait(scene.proxy, PROXY_READ_UP, (uint64_t)i + 1));
    }
    hear(scene.server, "0123456789");
    assert_true(clock_now() - began >= 30 * CLOCK_MS);
    began = clock_now();
    say(scene.server, "at once");
    hear(scene.client, "at once");
    assert_true(clock_now() - began < 5 * CLOCK_SECOND);
    scene_fini(&scene);
}

static void a_slow_line_has_its_rate(void **state)
{
    (void)state;
    struct scene scene;
    char text[10000];
    memset(text, 'x', sizeof text);
    scene_init(&scene);
    proxy_rule(scene.proxy, PROXY_UP, (struct proxy_rules){.rate = 100000});
    int64_t began = clock_now();
    assert_int_equal(send(scene.client, text, sizeof text, 0), sizeof text);
    assert_int_equal(recv(scene.server, text, sizeof text, MSG_WAITALL), sizeof text);
    assert_true(clock_now() - began >= 80 * CLOCK_MS);
    scene_fini(&scene);
}

static void a_sliced_line_has_small_segments(void **state)
{
    (void)state;
    struct scene scene;
    char text[700];
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(text, 'x', sizeof text);
    scene_init(&scene);
    proxy_rule(scene.proxy, PROXY_UP, (struct proxy_rules){.slice = 7});
    assert_int_equal(send(scene.client, text, sizeof text, 0), sizeof text);
    assert_int_equal(recv(scene.server, text, sizeof text, MSG_WAITALL), sizeof text);
    assert_int_equal(getsockopt(scene.server, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    assert_true(info.tcpi_data_segs_in >= 20);
    scene_fini(&scene);
}

static void an_acknowledgement_is_lost_from_the_mark_on_and_only_there(void **state)
{
    (void)state;
    struct scene scene;
    int client, server;
    scene_init(&scene);
    connect_pair(&scene, &client, &server);
    proxy_swallow(scene.proxy, "commit", 6);
    say(scene.client, "begin com");
    hear(scene.server, "begin com");
    say(scene.server, "begun");
    hear(scene.client, "begun");
    say(scene.client, "mit;");
    hear(scene.server, "mit;");
    say(scene.server, "done");
    assert_true(proxy_wait(scene.proxy, PROXY_SWALLOWED, 4));
    assert_nothing_to_hear(scene.client);
    say(server, "others hear");
    hear(client, "others hear");
    proxy_cut(scene.proxy);
    assert_end(scene.client);
    proxy_pass(scene.proxy);
    close(client);
    close(server);
    connect_pair(&scene, &client, &server);
    say(client, "commit");
    hear(server, "commit");
    say(server, "done");
    hear(client, "done");
    close(client);
    close(server);
    scene_fini(&scene);
}

static void a_server_that_is_not_there_is_a_connection_that_ends(void **state)
{
    (void)state;
    struct scene scene;
    int client;
    scene_init(&scene);
    close(scene.listener);
    if (try_to_connect(&scene, &client) == 0)
        assert_reset(client);
    close(client);
    say(scene.client, "those that are open stay");
    hear(scene.server, "those that are open stay");
    assert_true(proxy_wait(scene.proxy, PROXY_CLOSED, 1));
    scene.listener = -1;
    scene_fini(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways_on_many_connections),
        cmocka_unit_test(much_passes_whole),
        cmocka_unit_test(the_end_of_one_way_leaves_the_other_open),
        cmocka_unit_test(a_cut_ends_both_sides_and_whoever_comes_until_it_is_taken_back),
        cmocka_unit_test(a_reset_is_one_on_both_sides),
        cmocka_unit_test(who_is_refused_can_come_later_on_the_same_port),
        cmocka_unit_test(what_is_held_one_way_comes_when_the_hole_is_gone),
        cmocka_unit_test(what_is_dropped_is_gone),
        cmocka_unit_test(a_delay_is_at_least_so_long_and_keeps_the_order),
        cmocka_unit_test(a_slow_line_has_its_rate),
        cmocka_unit_test(a_sliced_line_has_small_segments),
        cmocka_unit_test(an_acknowledgement_is_lost_from_the_mark_on_and_only_there),
        cmocka_unit_test(a_server_that_is_not_there_is_a_connection_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
