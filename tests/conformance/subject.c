#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"
#include "tests/support/counted.h"
#include "tests/support/memory.h"

unsigned subject_port(const struct subject *subject)
{
    return proxy_port(subject->proxy);
}

/* Also when its case failed: its port may be wanted again. */
static struct proxy *left;

void subject_init(struct subject *subject, const struct conformance_store *store, struct wishes wishes)
{
    static unsigned number;
    char yaml[YAML_ROOM];
    *subject = (struct subject){.store = store, .wishes = wishes};
    /* Not met again in a server that lives longer than this process, whose number may come back. */
    snprintf(subject->name, sizeof subject->name, "conf_%llx_%u", (unsigned long long)clock_wall_ms(), ++number);
    if (store->server != NULL) {
        /* A case that failed may have left it dead. */
        store->server->start();
        unsigned port = store->server->proxy_port != NULL ? store->server->proxy_port() : 0;
        proxy_free(left);
        left = subject->proxy = proxy_new(port, store->server->port());
    }
    store->config(subject, yaml, sizeof yaml);
    stored_init(&subject->stored, store->type, yaml);
    subject->stored.env.exactly_once = wishes.exactly_once;
    /* The offsets of all services may be in one place. */
    subject->stored.env.service = subject->name;
    subject->threads = count_threads();
    subject->descriptors = count_descriptors();
    if (store->prepare != NULL)
        store->prepare(subject);
}

static bool is_at_rest(void *arg)
{
    const struct subject *subject = arg;
    return count_threads() == subject->threads && count_descriptors() == subject->descriptors;
}

void subject_fini(struct subject *subject)
{
    stored_close(&subject->stored);
    if (subject->store->clean != NULL)
        subject->store->clean(subject);
    if (subject->proxy != NULL) {
        proxy_pass(subject->proxy);
        if (!proxy_wait_closed(subject->proxy))
            fail_msg("a connection was left open");
    }
    if (!eventually(is_at_rest, subject))
        fail_msg("%u threads and %u descriptors before, %u and %u after", subject->threads, subject->descriptors,
                 count_threads(), count_descriptors());
    proxy_free(subject->proxy);
    left = NULL;
    stored_fini(&subject->stored);
}

/* -- small disks -- */

static char mounted[PATH_MAX];

static void unmount_what_is_left(void)
{
    if (mounted[0] != '\0')
        (void)umount2(mounted, MNT_DETACH);
}

bool conformance_mount(const char *folder, const char *size, const char *owner)
{
    static bool registered;
    char options[64];
    struct stat info;
    assert_int_equal(mkdir(folder, 0777), 0);
    snprintf(options, sizeof options, "size=%s", size);
    if (mount("none", folder, "tmpfs", 0, options) != 0)
        return false;
    assert_non_null(realpath(folder, mounted));
    if (!registered)
        atexit(unmount_what_is_left);
    registered = true;
    if (owner != NULL) {
        assert_int_equal(stat(owner, &info), 0);
        assert_int_equal(chown(folder, info.st_uid, info.st_gid), 0);
    }
    return true;
}

void conformance_enlarge(const char *folder, const char *size)
{
    char options[64];
    snprintf(options, sizeof options, "size=%s", size);
    assert_int_equal(mount("none", folder, "tmpfs", MS_REMOUNT, options), 0);
}

void conformance_unmount(const char *folder)
{
    assert_int_equal(umount(folder), 0);
    assert_int_equal(rmdir(folder), 0);
    mounted[0] = '\0';
}

bool conformance_disk(const char *folder, const char *size, enum disk what)
{
    switch (what) {
    case DISK_MAKE:
        return conformance_mount(folder, size, NULL);
    case DISK_ROOM:
        conformance_enlarge(folder, "64m");
        return true;
    case DISK_REMOVE:
        conformance_unmount(folder);
        return true;
    }
    return false;
}
