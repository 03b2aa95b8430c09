#include "tests/support/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "processor/clock.h"

void process_init(struct process *process, const char *name)
{
    const char *tmp = getenv("TMPDIR");
    *process = (struct process){0};
    snprintf(process->dir, sizeof process->dir, "%s/%s.XXXXXX", tmp != NULL ? tmp : "/tmp", name);
    assert_non_null(mkdtemp(process->dir));
    snprintf(process->out, sizeof process->out, "%s/stdout", process->dir);
    snprintf(process->err, sizeof process->err, "%s/stderr", process->dir);
}

static int remove_entry(const char *path, const struct stat *stat_of, int type, struct FTW *where)
{
    (void)stat_of, (void)type, (void)where;
    return remove(path);
}

void process_fini(struct process *process)
{
    if (process->pid != 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
        process->pid = 0;
    }
    nftw(process->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void path_in(const struct process *process, const char *name, char *path, size_t size)
{
    int n = name[0] == '/' ? snprintf(path, size, "%s", name) : snprintf(path, size, "%s/%s", process->dir, name);
    assert_true(n > 0 && (size_t)n < size);
}

void process_file(const struct process *process, const char *name, const char *format, ...)
{
    char path[512];
    path_in(process, name, path, sizeof path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    va_list args;
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    assert_int_equal(fclose(file), 0);
}

char *process_read(const struct process *process, const char *name)
{
    char path[512];
    path_in(process, name, path, sizeof path);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    char *text = NULL;
    size_t size = 0;
    ssize_t got = getdelim(&text, &size, EOF, file);
    fclose(file);
    if (got < 0) {
        free(text);
        return strdup("");
    }
    return text;
}

static void child(const struct process *process, char *const *argv)
{
    int out = open(process->out, O_WRONLY | O_CREAT | O_APPEND, 0666);
    int err = open(process->err, O_WRONLY | O_CREAT | O_APPEND, 0666);
    int in = open("/dev/null", O_RDONLY);
    if (out < 0 || err < 0 || in < 0 || chdir(process->dir) != 0)
        _exit(127);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    close(in);
    close(out);
    close(err);
    execv(argv[0], argv);
    _exit(127);
}

void process_start(struct process *process, const char *const *arguments)
{
    char *argv[PROCESS_ARGUMENTS + 2] = {getenv("WEIR_BIN")};
    assert_non_null(argv[0]);
    assert_int_equal(process->pid, 0);
    for (unsigned i = 0; arguments[i] != NULL; i++) {
        assert_true(i < PROCESS_ARGUMENTS);
        argv[i + 1] = (char *)arguments[i];
    }
    process_file(process, process->out, "%s", "");
    process_file(process, process->err, "%s", "");
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0)
        child(process, argv);
}

void process_signal(const struct process *process, int signal)
{
    assert_true(process->pid > 0);
    assert_int_equal(kill(process->pid, signal), 0);
}

static void show_output(const struct process *process)
{
    char *text = process_read(process, "stderr");
    print_error("---- %s\n%s----\n", process->err, text != NULL ? text : "");
    free(text);
}

void process_look_again(const struct process *process, int64_t began)
{
    const struct timespec tick = {.tv_nsec = 5 * CLOCK_MS};
    nanosleep(&tick, NULL);
    if (clock_now() - began > PROCESS_PATIENCE_S * CLOCK_SECOND) {
        show_output(process);
        fail_msg("what was waited for did not come within %d s", PROCESS_PATIENCE_S);
    }
}

int process_wait(struct process *process)
{
    int status = 0;
    assert_true(process->pid > 0);
    for (int64_t began = clock_now(); waitpid(process->pid, &status, WNOHANG) != process->pid;)
        process_look_again(process, began);
    process->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int process_run(struct process *process, const char *const *arguments)
{
    process_start(process, arguments);
    return process_wait(process);
}

bool process_said(const struct process *process, const char *text)
{
    char *all = process_read(process, "stderr");
    bool said = all != NULL && strstr(all, text) != NULL;
    free(all);
    return said;
}

void process_expect(const struct process *process, const char *text)
{
    for (int64_t began = clock_now(); !process_said(process, text);)
        process_look_again(process, began);
}

void assert_holds(const struct process *process, const char *file, const char *text)
{
    char *all = process_read(process, file);
    if (all == NULL || strstr(all, text) == NULL) {
        show_output(process);
        fail_msg("no \"%s\" in %s:\n%s", text, file, all != NULL ? all : "(no such file)");
    }
    free(all);
}

int64_t process_number(const struct process *process, const char *file, const char *key)
{
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\"%s\": ", key);
    char *text = process_read(process, file);
    const char *at = text != NULL ? strstr(text, wanted) : NULL;
    if (at == NULL) {
        show_output(process);
        fail_msg("%s has no \"%s\": %s", file, key, text != NULL ? text : "(no such file)");
    }
    int64_t number = strtoll(at + strlen(wanted), NULL, 10);
    free(text);
    return number;
}

static int connect_to(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int process_get(unsigned port, const char *path, char *text, size_t size)
{
    int fd = connect_to(port), status = 0;
    size_t used = 0;
    text[0] = '\0';
    if (fd < 0)
        return 0;
    dprintf(fd, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
    for (ssize_t got = 1; got > 0 && used + 1 < size; used += got > 0 ? (size_t)got : 0)
        got = read(fd, text + used, size - used - 1);
    text[used] = '\0';
    close(fd);
    return sscanf(text, "HTTP/%*s %d", &status) == 1 ? status : 0;
}

unsigned process_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}
