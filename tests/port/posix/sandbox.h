/* SPDX-License-Identifier: BSD-3-Clause */
/* Files in a folder of the test's own, removed at the end; and namespaces in which the test may
 * mount and make network interfaces, with or without being root. */
#ifndef TEST_POSIX_SANDBOX_H
#define TEST_POSIX_SANDBOX_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/mem.h"

#define SANDBOX_PATH 128U

struct sandbox {
    char folder[SANDBOX_PATH];
    bool mounted;
};

/* Where the tests run, not in /tmp: that may be a tmpfs, which has no direct access. */
static inline void sandbox_make(struct sandbox *box)
{
    (void)snprintf(box->folder, sizeof box->folder, "%s", "sandbox-XXXXXX");
    assert_non_null(mkdtemp(box->folder));
    box->mounted = false;
}

static inline void sandbox_remove(const struct sandbox *box)
{
    char command[SANDBOX_PATH + 16U];

    if (box->mounted) {
        assert_int_equal(umount(box->folder), 0);
    }
    (void)snprintf(command, sizeof command, "rm -rf '%s'", box->folder);
    assert_int_equal(system(command), 0);
}

static inline const char *sandbox_path(const struct sandbox *box, char *path, const char *name)
{
    (void)snprintf(path, SANDBOX_PATH, "%.100s/%.20s", box->folder, name);
    return path;
}

static inline void sandbox_write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

/* Namespaces of its own for this process, from now on. `kinds`: CLONE_NEWNS, CLONE_NEWNET. */
static inline void sandbox_unshare(int kinds)
{
    char map[64];
    const unsigned int user = geteuid();
    const unsigned int group = getegid();

    if (unshare(kinds) == 0) {
        return;
    }
    assert_int_equal(unshare(CLONE_NEWUSER | kinds), 0);
    sandbox_write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof map, "0 %u 1", user);
    sandbox_write_file("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof map, "0 %u 1", group);
    sandbox_write_file("/proc/self/gid_map", map);
}

/* Put a small file system of its own over the folder. */
static inline void sandbox_mount(struct sandbox *box, const char *options)
{
    sandbox_unshare(CLONE_NEWNS);
    assert_int_equal(mount("none", "/", "", MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("tmpfs", box->folder, "tmpfs", 0, options), 0);
    box->mounted = true;
}

#endif
