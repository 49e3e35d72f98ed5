/* SPDX-License-Identifier: BSD-3-Clause */
/* The file -> resources -> connections -> devices. */
#include "platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLATFORM_MAX  (1U << 20) /* bytes of a file */
#define PLATFORM_LINE 320U
#define PLATFORM_PART 64U /* options of a connection */

/* ---- the file ---- */

static enum avps_status platform_read(struct host_platform *platform, const char *path,
                                      size_t *size, struct avps_posix_error *error)
{
    FILE *file = fopen(path, "rb");

    platform->blob = malloc(PLATFORM_MAX);
    if (file == NULL || platform->blob == NULL) {
        const int why = file == NULL ? errno : ENOMEM;

        if (file != NULL) {
            (void)fclose(file);
        }
        return host_fail(error, AVPS_E_IO, "%s: %s", path, strerror(why));
    }
    errno = 0;
    *size = fread(platform->blob, 1, PLATFORM_MAX, file);
    const int why = ferror(file) != 0 ? errno : 0;

    (void)fclose(file);
    return why == 0 ? AVPS_OK : host_fail(error, AVPS_E_IO, "%s: %s", path, strerror(why));
}

static enum avps_status platform_parse(struct host_platform *platform, const char *path,
                                       struct avps_posix_error *error)
{
    struct avps_platform_line line;
    size_t size = 0;
    const enum avps_status status = platform_read(platform, path, &size, error);

    if (status != AVPS_OK) {
        return status;
    }
    return avps_platform_parse(&platform->platform, platform->blob, size, &line) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "%s: %s", path, line.text);
}

/* "a, b, c": add a word to a list for a line. */
static void list_add(char *list, size_t size, const char *word)
{
    const size_t at = strlen(list);

    (void)snprintf(list + at, size - at, "%s%s", at != 0U ? ", " : "", word);
}

static enum avps_status platform_choose(struct host_platform *platform, const char *path,
                                        const char *name, struct avps_posix_error *error)
{
    const struct avps_platform *all = &platform->platform;
    char names[PLATFORM_LINE / 2U] = "";

    platform->guest = name != NULL             ? avps_platform_find_guest(all, name)
                      : all->guest_count == 1U ? &all->guests[0]
                                               : NULL;
    if (platform->guest != NULL) {
        return AVPS_OK;
    }
    for (uint32_t i = 0; i < all->guest_count; i++) {
        list_add(names, sizeof names, all->guests[i].name);
    }
    return name != NULL
               ? host_fail(error, AVPS_E_PARAM, "%s: there is no guest '%s', only: %s", path, name,
                           names)
               : host_fail(error, AVPS_E_PARAM, "%s: say with --guest which one: %s", path, names);
}

/* ---- resources ---- */

/* What a device has to be connected to. @return NULL: nothing, a network between guests. */
static const char *resource_of(const struct host_platform *platform,
                               const struct avps_platform_device *device)
{
    return device->kind == AVPS_PLATFORM_NET
               ? platform->platform.networks[device->net.network].uplink
               : device->backend;
}

/* The part of "NAME=HOW" behind the equals sign if the name is this one, else NULL. */
static const char *connection_how(const char *connection, const char *resource)
{
    const size_t length = strlen(resource);

    return strncmp(connection, resource, length) == 0 && connection[length] == '='
               ? connection + length + 1U
               : NULL;
}

/* How a resource is connected. @return NULL: not at all. */
static const char *platform_how(const struct host_platform *platform, const char *resource)
{
    const char *how = NULL;

    for (uint32_t i = 0; i < platform->connections.count && resource != NULL; i++) {
        const char *found = connection_how(platform->connections.items[i], resource);

        how = found != NULL ? found : how;
    }
    return how;
}

/* Whether a connection names a resource of the guest; if not, `names` lists those that there are. */
static bool connection_is_known(const struct host_platform *platform, const char *connection,
                                char *names, size_t size)
{
    const struct avps_platform_guest *guest = platform->guest;
    bool known = false;

    for (uint32_t i = 0; i < guest->device_count; i++) {
        const char *resource = resource_of(platform, &guest->devices[i]);

        if (resource != NULL) {
            known = known || connection_how(connection, resource) != NULL;
            list_add(names, size, resource);
        }
    }
    return known;
}

static enum avps_status platform_check(const struct host_platform *platform, const char *connection,
                                       struct avps_posix_error *error)
{
    char names[PLATFORM_LINE / 2U] = "";

    return connection_is_known(platform, connection, names, sizeof names)
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM,
                           "--connect %s: takes NAME=HOW with a resource of guest %s, one of: %s",
                           connection, platform->guest->name, names);
}

enum avps_status host_platform_load(struct host_platform **platform, const char *path,
                                    const char *guest, const struct option_list *connections,
                                    struct avps_posix_error *error)
{
    struct host_platform *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return host_fail(error, AVPS_E_NOSPACE, "not enough memory for a platform");
    }
    made->connections = *connections;
    enum avps_status status = platform_parse(made, path, error);

    status = status == AVPS_OK ? platform_choose(made, path, guest, error) : status;
    for (uint32_t i = 0; status == AVPS_OK && i < connections->count; i++) {
        status = platform_check(made, connections->items[i], error);
    }
    if (status != AVPS_OK) {
        host_platform_free(made);
        made = NULL;
    }
    *platform = made;
    return status;
}

void host_platform_free(struct host_platform *platform)
{
    if (platform == NULL) {
        return;
    }
    for (uint32_t i = 0; i < HOST_DEVICES; i++) {
        free(platform->arguments[i]);
    }
    free(platform->blob);
    free(platform);
}

/* ---- connections ---- */

/* Options that the platform file decides. */
static const char *const platform_decides[] = {
    "readonly", "writethrough", "serial", "mac",    "mtu",   "queues",     "switch",
    "allow",    "ports",        "size",   "packed", "split", "queue-size", "max-bytes"};

static const char *decided_option(const struct option_group *group)
{
    for (size_t i = 0; i < sizeof platform_decides / sizeof platform_decides[0]; i++) {
        if (options_given(group, platform_decides[i])) {
            return platform_decides[i];
        }
    }
    return NULL;
}

/* "a=b,c" as the arguments "--a=b", "--c", all in one piece of memory. @return how many; 0: no memory. */
static size_t connection_split(const char *how, char **memory, char *parts[PLATFORM_PART])
{
    size_t count = 1;
    char *at = NULL;

    for (const char *c = how; *c != '\0'; c++) {
        count += *c == ',' ? 1U : 0U;
    }
    *memory = count <= PLATFORM_PART ? malloc(strlen(how) + 3U * count + 1U) : NULL;
    if (*memory == NULL) {
        return 0;
    }
    at = *memory;
    for (size_t i = 0; i < count; i++) {
        const size_t length = strcspn(how, ",");

        parts[i] = at;
        at += sprintf(at, "--%.*s", (int)length, how) + 1;
        how += length + (how[length] == ',' ? 1U : 0U);
    }
    return count;
}

static bool platform_connect(struct host_platform *platform, struct host_device *device,
                             uint32_t index, struct avps_posix_error *error)
{
    const char *resource = resource_of(platform, device->planned);
    const char *how = platform_how(platform, resource);
    char *parts[PLATFORM_PART];
    struct option_line line;

    if (how == NULL && device->planned->kind == AVPS_PLATFORM_I2C) {
        (void)host_fail(
            error, AVPS_E_PARAM,
            "guest %s has an I2C bus that is not connected: --connect %s=bus=/dev/i2c-N",
            platform->guest->name, resource);
        return false;
    }
    if (how == NULL && device->planned->kind == AVPS_PLATFORM_BLK) {
        (void)host_fail(error, AVPS_E_PARAM,
                        "guest %s has a disk that is not connected: --connect %s=file=IMG",
                        platform->guest->name, resource);
        return false;
    }
    if (how == NULL) {
        return true;
    }
    const size_t count = connection_split(how, &platform->arguments[index], parts);

    if (count == 0U) {
        (void)host_fail(error, AVPS_E_NOSPACE, "--connect %s=%s: not enough memory", resource, how);
        return false;
    }
    if (!options_parse(&device->given, 1, parts, count, &line)) {
        (void)host_fail(error, AVPS_E_PARAM, "--connect %s: %s", resource, line.text);
        return false;
    }
    const char *decided = decided_option(&device->given);

    if (decided != NULL) {
        (void)host_fail(error, AVPS_E_PARAM, "--connect %s: %s is for the platform file to say",
                        resource, decided);
    }
    return decided == NULL;
}

/* ---- devices ---- */

struct host_device *host_platform_device(struct host_platform *platform, struct host *host,
                                         uint32_t index, struct avps_posix_error *error)
{
    const struct avps_platform_device *planned = &platform->guest->devices[index];
    const struct host_kind *kind = host_kind_find(avps_platform_kind_name(planned->kind));

    if (planned->kind == AVPS_PLATFORM_VSOCK) {
        (void)host_fail(error, AVPS_E_UNSUPPORTED,
                        "%s: this program does not serve sockets of a platform file",
                        planned->name);
        return NULL;
    }
    struct host_device *device = kind != NULL ? host_device_new(host, kind) : NULL;

    if (device == NULL) {
        (void)host_fail(error, AVPS_E_NOSPACE, "not enough memory for %s", planned->name);
        return NULL;
    }
    device->platform = &platform->platform;
    device->planned = planned;
    device->access_platform = planned->access_platform;
    device->options.packed = planned->packed;
    device->options.queue_size = planned->queue_size;
    (void)snprintf(device->name, sizeof device->name, "%s", planned->name);
    (void)snprintf(device->label, sizeof device->label, "%s/%s", platform->guest->name,
                   planned->name);
    if (!platform_connect(platform, device, index, error)) {
        (void)host_device_free(device);
        return NULL;
    }
    return device;
}
