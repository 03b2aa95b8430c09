#include "tests/conformance/servers.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "processor/check.h"
#include "tests/support/kafka.h"
#include "tests/support/memory.h"

static const char *need(const char *variable)
{
    const char *value = getenv(variable);
    if (value == NULL)
        kafka_die("no %s: run by scripts/run-tests.sh --servers, which starts servers of its own", variable);
    return value;
}

/* The first line of a file in the server's folder, or of it only the words from `skip` on. */
static void read_line(const char *dir_variable, const char *name, char *line, int size)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", need(dir_variable), name);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, size, file) == NULL)
        kafka_die("cannot read %s", path);
    fclose(file);
}

static pid_t read_pid(const char *dir_variable, const char *name)
{
    char line[64];
    read_line(dir_variable, name, line, sizeof line);
    pid_t pid = (pid_t)atol(line);
    CHECK(pid > 1);
    return pid;
}

/* A zombie that nobody waits for is gone, too. */
static bool is_gone(void *arg)
{
    char path[64], line[512] = "";
    const pid_t *pid = arg;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)*pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return true;
    const char *state = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    return state == NULL || state[2] == 'Z' || state[2] == 'X';
}

static void kill_process(pid_t pid)
{
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(eventually(is_gone, &pid));
}

static void start_server(const char *script, const char *dir_variable)
{
    char command[2 * PATH_MAX];
    snprintf(command, sizeof command, "'%s/%s' '%s'", need("WEIR_ROOT"), script, need(dir_variable));
    if (system(command) != 0)
        kafka_die("%s failed", command);
}

/* -- Kafka -- */

const char *kafka_bootstrap(void)
{
    return need("WEIR_TEST_BROKER");
}

static unsigned kafka_proxied(int which)
{
    char line[64];
    unsigned ports[2];
    read_line("WEIR_TEST_BROKER_DIR", "proxied", line, sizeof line);
    CHECK(sscanf(line, "%u %u", &ports[0], &ports[1]) == 2);
    return ports[which];
}

static unsigned kafka_port(void)
{
    return kafka_proxied(0);
}

static unsigned kafka_proxy_port(void)
{
    return kafka_proxied(1);
}

static void kafka_kill(void)
{
    kill_process(read_pid("WEIR_TEST_BROKER_DIR", "broker.pid"));
}

static void kafka_start(void)
{
    start_server("tests/broker/start.sh", "WEIR_TEST_BROKER_DIR");
}

static void kafka_stop(bool stopped)
{
    CHECK(kill(read_pid("WEIR_TEST_BROKER_DIR", "broker.pid"), stopped ? SIGSTOP : SIGCONT) == 0);
}

const struct conformance_server kafka_server = {kafka_port, kafka_proxy_port, kafka_kill, kafka_start, kafka_stop};

/* -- PostgreSQL -- */

const char *postgres_conninfo(void)
{
    return need("WEIR_TEST_POSTGRES");
}

static unsigned postgres_port(void)
{
    const char *port = strstr(postgres_conninfo(), "port=");
    CHECK(port != NULL);
    return (unsigned)atoi(port + strlen("port="));
}

static void postgres_start(void)
{
    start_server("tests/postgres/start.sh", "WEIR_TEST_POSTGRES_DIR");
}

/* The server and its children have the data folder as their own. */
static bool is_of_server(const char *pid, const char *data)
{
    char path[64], folder[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%.16s/cwd", pid);
    ssize_t size = readlink(path, folder, sizeof folder - 1);
    if (size < 0)
        return false;
    folder[size] = '\0';
    return strcmp(folder, data) == 0;
}

static void each_of_server(void (*visit)(pid_t pid, int signal), int signal)
{
    char data[PATH_MAX];
    snprintf(data, sizeof data, "%s/data", need("WEIR_TEST_POSTGRES_DIR"));
    DIR *processes = opendir("/proc");
    CHECK(processes != NULL);
    for (const struct dirent *entry; (entry = readdir(processes)) != NULL;)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_of_server(entry->d_name, data))
            visit((pid_t)atol(entry->d_name), signal);
    closedir(processes);
}

static void send_signal(pid_t pid, int signal)
{
    (void)kill(pid, signal);
}

static void wait_for_end(pid_t pid, int signal)
{
    (void)signal;
    CHECK(eventually(is_gone, &pid));
}

/* The postmaster first: then no new ones come. A child that is busy would go on without it for a while. */
static void signal_server(int signal)
{
    CHECK(kill(read_pid("WEIR_TEST_POSTGRES_DIR", "postmaster.pid"), signal) == 0);
    each_of_server(send_signal, signal);
}

static void postgres_kill(void)
{
    signal_server(SIGKILL);
    each_of_server(wait_for_end, 0);
}

static void postgres_stop(bool stopped)
{
    signal_server(stopped ? SIGSTOP : SIGCONT);
}

const struct conformance_server postgres_server = {postgres_port, NULL, postgres_kill, postgres_start, postgres_stop};
