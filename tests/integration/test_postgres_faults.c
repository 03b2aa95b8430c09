/* The PostgreSQL store while the server is away, hangs, waits for locks, or does not let us in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/counted.h"
#include "tests/support/postgres.h"

static void a_read_only_server_is_a_failure_that_passes(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_APPEND);
    postgres_scene_open(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 10);
    postgres_scene_run(
        &scene,
        "do $$ begin execute 'alter role ' || current_user || ' set default_transaction_read_only = on'; end $$");
    postgres_scene_run(&scene,
                       "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'weir/test'");
    enum status status = stored_write(&scene.stored, batch);
    if (status == STATUS_OK)
        status = stored_flush(&scene.stored);
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(scene.stored.error.text, "read-only"));
    postgres_scene_run(
        &scene, "do $$ begin execute 'alter role ' || current_user || ' reset default_transaction_read_only'; end $$");
    postgres_scene_put(&scene, batch);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 10);
    postgres_scene_end(&scene);
}

static void a_connection_that_is_cut_is_made_anew(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_APPEND);
    postgres_scene_open(&scene);
    postgres_scene_put(&scene, stored_batch(&scene.stored, 0, 10));
    postgres_scene_run(&scene,
                       "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'weir/test'");
    struct batch *batch = stored_batch(&scene.stored, 10, 30000);
    enum status status = stored_write(&scene.stored, batch);
    if (status == STATUS_OK)
        status = stored_flush(&scene.stored);
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    postgres_scene_put(&scene, batch);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 30010);
    postgres_scene_end(&scene);
}

static const char ACTIVE[] =
    "select count(*) from pg_stat_activity where application_name = 'weir/test' and state = 'active'";
static const char CONNECTED[] = "select count(*) from pg_stat_activity where application_name = 'weir/test'";

static double seconds_since(int64_t begin)
{
    return (double)(clock_now() - begin) / (double)CLOCK_SECOND;
}

static void a_lock_is_waited_for_as_long_as_the_timeout_says(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, "timeout: 500ms, table: t.orders, columns: {id: .id, name: .name}");
    postgres_scene_open(&scene);
    postgres_scene_run(&scene, "begin; lock table orders");
    struct batch *batch = stored_batch(&scene.stored, 0, 10);
    int64_t begin = clock_now();
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    assert_true(seconds_since(begin) < 3);
    postgres_scene_await(&scene, ACTIVE, 0);
    postgres_scene_run(&scene, "commit");
    postgres_scene_put(&scene, batch);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 10);
    postgres_scene_end(&scene);
}

static void flushes_may_be_further_apart_than_the_timeout(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, "timeout: 200ms, table: t.orders, columns: {id: .id, name: .name}");
    postgres_scene_open(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 40000);
    enum status status = STATUS_FAILED;
    for (int tries = 0; tries < 6 && status != STATUS_OK; tries++) {
        assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
        postgres_scene_run(&scene, "select pg_sleep(0.5)");
        status = stored_flush(&scene.stored);
        if (status != STATUS_OK) {
            assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
            assert_non_null(strstr(scene.stored.error.text, "idle-in-transaction"));
        }
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 40000);
    batch_free(batch);
    postgres_scene_end(&scene);
}

struct flusher {
    struct stored *stored;
    enum status status;
};

static void *flush(void *arg)
{
    struct flusher *flusher = arg;
    flusher->status = stored_flush(flusher->stored);
    return NULL;
}

static void a_flush_that_waits_ends_with_the_context_and_its_statement_too(void **state)
{
    (void)state;
    struct postgres_scene scene;
    pthread_t thread;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_UPSERT);
    postgres_scene_open(&scene);
    postgres_scene_run(&scene, "begin; lock table orders");
    struct batch *batch = stored_batch(&scene.stored, 0, 10);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    struct flusher flusher = {.stored = &scene.stored};
    assert_int_equal(pthread_create(&thread, NULL, flush, &flusher), 0);
    /* Ours asks as well. */
    postgres_scene_await(&scene, "select count(*) from pg_locks where not granted", 1);
    int64_t begin = clock_now();
    context_cancel(scene.stored.context);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(flusher.status, STATUS_CANCELLED);
    assert_true(seconds_since(begin) < 1);
    postgres_scene_await(&scene, "select count(*) from pg_locks where not granted", 0);
    postgres_scene_await(&scene, CONNECTED, 0);
    batch_free(batch);
    postgres_scene_end(&scene);
}

static void a_deadline_of_the_context_reaches_the_statement(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_APPEND);
    postgres_scene_open(&scene);
    postgres_scene_run(&scene, "begin; lock table orders");
    struct batch *batch = stored_batch(&scene.stored, 0, 10);
    struct context *whole = scene.stored.context, *soon = context_new(whole, clock_now() + 300 * CLOCK_MS);
    scene.stored.context = soon;
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    int64_t begin = clock_now();
    enum status status = stored_flush(&scene.stored);
    assert_true(status == STATUS_DEADLINE || (status == STATUS_FAILED && scene.stored.error.class == ERROR_TRANSIENT));
    assert_true(seconds_since(begin) < 1.5);
    postgres_scene_run(&scene, "commit");
    scene.stored.context = whole;
    context_free(soon);
    postgres_scene_put(&scene, batch);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 10);
    postgres_scene_end(&scene);
}

/* Takes connections and never says a word. */
static int deaf_server(char *dsn, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(dsn, size, "host=127.0.0.1 port=%d dbname=x", ntohs(address.sin_port));
    return fd;
}

static void a_server_that_never_answers_costs_the_timeout(void **state)
{
    (void)state;
    struct postgres_scene scene;
    char dsn[100];
    unsigned before = count_descriptors();
    int fd = deaf_server(dsn, sizeof dsn);
    postgres_scene_begin_at(&scene, dsn, "select 1", "timeout: 300ms, table: t.orders, columns: {id: .id}");
    int64_t begin = clock_now();
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(scene.stored.error.text, "no connection within 0.3 s"));
    assert_true(seconds_since(begin) < 2);
    context_cancel(scene.stored.context);
    assert_int_equal(stored_open(&scene.stored), STATUS_CANCELLED);
    close(fd);
    postgres_scene_end(&scene);
    assert_int_equal(count_descriptors(), before);
}

static void a_server_that_is_not_there_is_a_failure_that_passes(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin_at(&scene, "host=127.0.0.1 port=1 dbname=x", "select 1", POSTGRES_APPEND);
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(scene.stored.error.text, "127.0.0.1:1"));
    postgres_scene_end(&scene);
}

/* The C library's, until a test wants it to hang: then it comes back when there is something to read. */
static _Atomic int hang_fd = -1, hung;

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    char byte;
    int fd = atomic_load(&hang_fd);
    if (fd >= 0) {
        ssize_t got = read(fd, &byte, 1);
        atomic_fetch_add(&hung, 1);
        if (got != 1)
            return EAI_FAIL;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, ret);
}

static void a_resolver_that_hangs_holds_nobody_up(void **state)
{
    (void)state;
    struct postgres_scene scene;
    int pipes[2];
    unsigned before = count_descriptors(), threads = count_threads();
    assert_int_equal(pipe(pipes), 0);
    postgres_scene_begin_at(&scene, "host=localhost port=1", "select 1",
                            "timeout: 300ms, table: t.orders, columns: {id: .id}");
    atomic_store(&hang_fd, pipes[0]);
    int64_t begin = clock_now();
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(scene.stored.error.text, "no connection within"));
    context_cancel(scene.stored.context);
    assert_int_equal(stored_open(&scene.stored), STATUS_CANCELLED);
    assert_true(seconds_since(begin) < 3);
    atomic_store(&hang_fd, -1);
    assert_int_equal(write(pipes[1], "ab", 2), 2);
    while (atomic_load(&hung) != 2 || count_threads() != threads || count_descriptors() > before + 3)
        assert_true(seconds_since(begin) < 10);
    close(pipes[0]);
    close(pipes[1]);
    postgres_scene_end(&scene);
    assert_int_equal(count_descriptors(), before);
}

/* The server's address with another user and more, into text. */
static const char *dsn_as(const char *more)
{
    static char text[1024];
    PGconn *pg = PQconnectdb(postgres_scene_dsn());
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    snprintf(text, sizeof text, "host=%s port=%s dbname=%s %s", PQhost(pg), PQport(pg), PQdb(pg), more);
    PQfinish(pg);
    return text;
}

static void a_name_or_database_that_is_not_there_stops_the_service(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin_at(&scene, dsn_as("user=weir_nobody password=wrong-horse"), "select 1", POSTGRES_APPEND);
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_FATAL);
    assert_null(strstr(scene.stored.error.text, "wrong-horse"));
    assert_non_null(strstr(scene.stored.error.text, "[28"));
    postgres_scene_end(&scene);

    char other[1100];
    snprintf(other, sizeof other, "%s dbname=weir_no_such_database", postgres_scene_dsn());
    postgres_scene_begin_at(&scene, other, "select 1", POSTGRES_APPEND);
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_FATAL);
    assert_non_null(strstr(scene.stored.error.text, "[3D000]"));
    postgres_scene_end(&scene);
}

static void what_may_be_put_right_under_us_is_tried_again(void **state)
{
    (void)state;
    struct postgres_scene scene;
    char dsn[1100];
    /* No password in the dsn: a passfile or the server's rules may change. */
    postgres_scene_begin_at(&scene, dsn_as("user=weir_nobody passfile=/dev/null"), "select 1", POSTGRES_APPEND);
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    postgres_scene_end(&scene);

    snprintf(dsn, sizeof dsn, "%s sslmode=require", postgres_scene_dsn());
    postgres_scene_begin_at(&scene, dsn, "select 1", POSTGRES_APPEND);
    bool tls = strcmp(postgres_scene_ask(&scene, "show ssl"), "on") == 0;
    assert_int_equal(stored_open(&scene.stored), tls ? STATUS_OK : STATUS_FAILED);
    if (!tls)
        assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    if (!tls)
        assert_non_null(strstr(scene.stored.error.text, "SSL"));
    postgres_scene_end(&scene);
}

static void a_user_without_rights_is_told_so(void **state)
{
    (void)state;
    struct postgres_scene scene;
    char dsn[1100];
    snprintf(dsn, sizeof dsn, "%s options='-c role=weir_guest'", postgres_scene_dsn());
    postgres_scene_begin_at(&scene, dsn,
                            "drop role if exists weir_guest; create role weir_guest; grant usage on schema t to "
                            "weir_guest; create table orders (id bigint primary key, name text); grant select on "
                            "orders to weir_guest",
                            POSTGRES_UPSERT);
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_FATAL);
    assert_non_null(strstr(scene.stored.error.text, "GRANT INSERT"));
    postgres_scene_run(&scene, "grant insert on orders to weir_guest");
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_non_null(strstr(scene.stored.error.text, "GRANT UPDATE"));
    postgres_scene_run(&scene, "grant update on orders to weir_guest");
    postgres_scene_open(&scene);
    postgres_scene_put(&scene, stored_batch(&scene.stored, 0, 10000));
    stored_close(&scene.stored);
    postgres_scene_run(&scene, "drop owned by weir_guest; drop role weir_guest");
    postgres_scene_end(&scene);
}

static void *open_late(void *arg)
{
    struct flusher *flusher = arg;
    flusher->status = stored_open(flusher->stored);
    return NULL;
}

static void no_more_connections_are_made_than_the_limit(void **state)
{
    (void)state;
    struct postgres_scene scene;
    pthread_t thread;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, "limit: 1, table: t.orders, columns: {id: .id}");
    postgres_scene_open(&scene);
    struct stored first = scene.stored;
    struct flusher second = {.stored = &scene.stored};
    assert_int_equal(pthread_create(&thread, NULL, open_late, &second), 0);
    /* Whoever is in stays in, also when its connection is cut. */
    postgres_scene_run(&scene,
                       "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'weir/test'");
    struct batch *batch = stored_batch(&first, 0, 10);
    enum status status = STATUS_FAILED;
    for (int i = 0; i < 3 && status != STATUS_OK; i++) {
        status = stored_write(&first, batch);
        if (status == STATUS_OK)
            status = stored_flush(&first);
        assert_true(postgres_scene_count(&scene, CONNECTED) <= 1);
    }
    assert_int_equal(status, STATUS_OK);
    batch_free(batch);
    stored_close(&first);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(second.status, STATUS_OK);
    postgres_scene_await(&scene, CONNECTED, 1);
    postgres_scene_end(&scene);
}

static void nothing_is_left_of_a_store_that_is_closed_in_the_middle(void **state)
{
    (void)state;
    struct postgres_scene scene;
    unsigned before = count_descriptors();
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_APPEND);
    postgres_scene_open(&scene);
    postgres_scene_run(&scene, "begin; lock table orders");
    struct batch *batch = stored_batch(&scene.stored, 0, 10);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    int64_t begin = clock_now();
    stored_close(&scene.stored);
    assert_true(seconds_since(begin) < 2);
    batch_free(batch);
    postgres_scene_await(&scene, CONNECTED, 0);
    postgres_scene_run(&scene, "commit");
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 0);
    postgres_scene_end(&scene);
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_only_server_is_a_failure_that_passes),
        cmocka_unit_test(a_connection_that_is_cut_is_made_anew),
        cmocka_unit_test(a_lock_is_waited_for_as_long_as_the_timeout_says),
        cmocka_unit_test(flushes_may_be_further_apart_than_the_timeout),
        cmocka_unit_test(a_flush_that_waits_ends_with_the_context_and_its_statement_too),
        cmocka_unit_test(a_deadline_of_the_context_reaches_the_statement),
        cmocka_unit_test(a_server_that_never_answers_costs_the_timeout),
        cmocka_unit_test(a_server_that_is_not_there_is_a_failure_that_passes),
        cmocka_unit_test(a_resolver_that_hangs_holds_nobody_up),
        cmocka_unit_test(a_name_or_database_that_is_not_there_stops_the_service),
        cmocka_unit_test(what_may_be_put_right_under_us_is_tried_again),
        cmocka_unit_test(a_user_without_rights_is_told_so),
        cmocka_unit_test(no_more_connections_are_made_than_the_limit),
        cmocka_unit_test(nothing_is_left_of_a_store_that_is_closed_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
