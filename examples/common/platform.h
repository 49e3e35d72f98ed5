/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest of a platform file, for a program that serves guests: the file says which devices there are and
 * what they may do, the program's user what is behind them, with
 *
 *     --connect NAME=OPTION,OPTION...
 *
 * for each resource that the file names; the options are those of the device's kind, without dashes:
 * disk=file=disk.img,direct  gateway=user  terminal=stdio. What the file decides cannot be given there.
 *
 *     struct host_platform *p = NULL;
 *     host_platform_load(&p, "cockpit.dtb", "cluster", &connections, &error);
 *     for (i = 0; i < p->guest->device_count; i++) {
 *         struct host_device *device = host_platform_device(p, &host, i, &error);
 *         ... loop, mem; host_device_open; a transport as p->guest->devices[i] says ...
 *         host_device_keeps_promise(device, &error);
 *         host_device_ready(device);
 *     }
 *     ... host_device_free, then host_platform_free(p) ... */
#ifndef HOST_PLATFORM_H
#define HOST_PLATFORM_H

#include "avps_common/platform.h"
#include "host.h"

/* A platform, and the guest of it that is served. */
struct host_platform {
    struct avps_platform platform;
    const struct avps_platform_guest *guest;
    struct option_list connections; /* of --connect */
    char *arguments[HOST_DEVICES];  /* connections taken apart; one a device */
    uint64_t *blob;
};

/* Read a compiled platform file.
 * @param guest        Name; NULL: the only one.
 * @param connections  Texts that outlive the platform.
 * @return AVPS_OK; else `error` says what is wrong, with the file or with a connection. */
enum avps_status host_platform_load(struct host_platform **platform, const char *path,
                                    const char *guest, const struct option_list *connections,
                                    struct avps_posix_error *error);

/* Make a device of the guest, not open yet. @return NULL: `error` says why. */
struct host_device *host_platform_device(struct host_platform *platform, struct host *host,
                                         uint32_t index, struct avps_posix_error *error);

/* After all its devices. NULL is allowed. */
void host_platform_free(struct host_platform *platform);

#endif
