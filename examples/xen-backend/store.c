/* SPDX-License-Identifier: BSD-3-Clause */
/* Values -> one announcement -> all of them -> watches -> open and close. */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#define STORE_GUESTS 32U
#define STORE_PATH   128U
#define STORE_KIND   "backend/virtio_disk"

/* What the other side writes. */
#define STATE_INITIALISING 1U
#define STATE_CLOSING      5U

/* An announcement that we know. */
struct store_known {
    uint32_t domain;
    uint32_t device;
    bool used;
    bool leaving; /* told so already */
};

struct store {
    struct xs_handle *xs;
    struct avps_posix_source source;
    const struct store_ops *ops;
    void *ctx;
    uint32_t own;
    struct store_known known[STORE_GUESTS];
};

/* ---- values ---- */

/* Copy what is at a path. @return false: nothing, or too long. */
static bool store_read(struct store *store, const char *path, char *text, size_t size)
{
    unsigned int len = 0;
    char *found = xs_read(store->xs, XBT_NULL, path, &len);
    const bool fits = found != NULL && len < size;

    if (fits) {
        (void)memcpy(text, found, len);
        text[len] = '\0';
    }
    free(found);
    return fits;
}

/* A number at a path; 0: none. */
static uint64_t store_number(struct store *store, const char *path)
{
    char text[32];

    return store_read(store, path, text, sizeof text) ? strtoull(text, NULL, 10) : 0U;
}

static uint64_t guest_number(struct store *store, uint32_t domain, const char *what)
{
    char path[STORE_PATH];

    (void)snprintf(path, sizeof path, "/local/domain/%" PRIu32 "/%s", domain, what);
    return store_number(store, path);
}

static void announcement_path(const struct store *store, const struct store_known *known,
                              const char *what, char path[STORE_PATH])
{
    (void)snprintf(path, STORE_PATH,
                   "/local/domain/%" PRIu32 "/" STORE_KIND "/%" PRIu32 "/%" PRIu32 "/%s",
                   store->own, known->domain, known->device, what);
}

static uint64_t announcement_number(struct store *store, const struct store_known *known,
                                    const char *what)
{
    char path[STORE_PATH];

    announcement_path(store, known, what, path);
    return store_number(store, path);
}

void store_answer(struct store *store, uint32_t domain, uint32_t device, enum store_state state)
{
    const struct store_known known = {.domain = domain, .device = device};
    char path[STORE_PATH];
    char text[4];

    announcement_path(store, &known, "state", path);
    if (announcement_number(store, &known, "state") == 0U) {
        return; /* it was taken away: do not make it again */
    }
    const int len = snprintf(text, sizeof text, "%d", (int)state);

    (void)xs_write(store->xs, XBT_NULL, path, text, (unsigned int)len);
}

/* ---- one announcement ---- */

static struct store_known *store_find(struct store *store, uint32_t domain, uint32_t device)
{
    for (uint32_t i = 0; i < STORE_GUESTS; i++) {
        struct store_known *known = &store->known[i];

        if (known->used && known->domain == domain && known->device == device) {
            return known;
        }
    }
    return NULL;
}

static void store_arrived(struct store *store, const struct store_known *known)
{
    struct store_guest guest = {.domain = known->domain, .device = known->device};
    char path[STORE_PATH];

    (void)snprintf(path, sizeof path, "/local/domain/%" PRIu32 "/name", known->domain);
    guest.memory_bytes = guest_number(store, known->domain, "memory/static-max") * 1024U;
    guest.base = announcement_number(store, known, "base");
    guest.irq = (uint32_t)announcement_number(store, known, "irq");
    if (store_read(store, path, guest.name, sizeof guest.name) && guest.irq != 0U) {
        store->ops->arrived(store->ctx, &guest);
    }
}

/* A place for an announcement; all taken: it is not served, and the tool stack says so in time. */
static void store_note(struct store *store, const struct store_known *announced)
{
    for (uint32_t i = 0; i < STORE_GUESTS; i++) {
        if (!store->known[i].used) {
            store->known[i] = *announced;
            store_arrived(store, announced);
            return;
        }
    }
}

static void store_look(struct store *store, uint32_t domain, uint32_t device)
{
    const struct store_known announced = {.domain = domain, .device = device, .used = true};

    if (store_find(store, domain, device) == NULL &&
        announcement_number(store, &announced, "state") == STATE_INITIALISING) {
        store_note(store, &announced);
    }
}

/* ---- all of them ---- */

/* Numbers below a path, handed on; entries that are none count as 0, which is no guest. */
static void store_each(struct store *store, const char *path, uint32_t domain,
                       void (*call)(struct store *store, uint32_t domain, uint32_t number))
{
    unsigned int count = 0;
    char **names = xs_directory(store->xs, XBT_NULL, path, &count);

    for (unsigned int i = 0; names != NULL && i < count; i++) {
        call(store, domain, (uint32_t)strtoul(names[i], NULL, 10));
    }
    free(names);
}

static void store_look_at_guest(struct store *store, uint32_t unused, uint32_t domain)
{
    char path[STORE_PATH];

    (void)unused;
    (void)snprintf(path, sizeof path, "/local/domain/%" PRIu32 "/" STORE_KIND "/%" PRIu32,
                   store->own, domain);
    store_each(store, path, domain, store_look);
}

/* Those that close, or whose guest or announcement is gone. */
static void store_look_for_leavers(struct store *store)
{
    for (uint32_t i = 0; i < STORE_GUESTS; i++) {
        struct store_known *known = &store->known[i];

        if (!known->used) {
            continue;
        }
        const uint64_t state = announcement_number(store, known, "state");
        const bool gone = state == 0U || !xs_is_domain_introduced(store->xs, known->domain);

        if ((gone || state == STATE_CLOSING) && !known->leaving) {
            known->leaving = true;
            store->ops->leaving(store->ctx, known->domain, known->device);
        }
        known->used = !gone;
    }
}

/* ---- watches ---- */

static void store_ready(void *ctx, uint32_t conditions)
{
    struct store *store = ctx;
    char path[STORE_PATH];
    char **event = NULL;

    (void)conditions;
    while ((event = xs_check_watch(store->xs)) != NULL) {
        free(event);
    }
    (void)snprintf(path, sizeof path, "/local/domain/%" PRIu32 "/" STORE_KIND, store->own);
    store_each(store, path, 0, store_look_at_guest);
    store_look_for_leavers(store);
}

/* ---- open and close ---- */

uint32_t store_own_domain(const struct store *store)
{
    return store->own;
}

struct store *store_open(struct avps_posix_loop *loop, const struct store_ops *ops, void *ctx)
{
    struct store *store = calloc(1, sizeof *store);
    char path[STORE_PATH];

    if (store == NULL) {
        return NULL;
    }
    store->ops = ops;
    store->ctx = ctx;
    store->xs = xs_open(0);
    if (store->xs != NULL) {
        store->own =
            (uint32_t)store_number(store, "domid"); /* in dom0 there may be none: it is 0 */
        (void)snprintf(path, sizeof path, "/local/domain/%" PRIu32 "/" STORE_KIND, store->own);
    }
    if (store->xs == NULL || !xs_watch(store->xs, path, "guests") ||
        !xs_watch(store->xs, "@releaseDomain", "gone") ||
        avps_posix_source_add(&store->source, loop, xs_fileno(store->xs), AVPS_POSIX_READ,
                              store_ready, store) != AVPS_OK) {
        const int why = errno;

        store_close(store);
        errno = why;
        return NULL;
    }
    return store;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    avps_posix_source_remove(&store->source);
    if (store->xs != NULL) {
        xs_close(store->xs);
    }
    free(store);
}
