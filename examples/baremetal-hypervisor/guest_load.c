/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest_load.h"

#include <stddef.h>
#include <string.h>

#include "guest.h"
#include "guest_dt.h"
#include "guest_map.h"
#include "mmu.h"

/* Header of an arm64 Linux Image. */
#define IMAGE_SIZE       16U /* bytes that it needs, its .bss included */
#define IMAGE_MAGIC      56U
#define IMAGE_MAGIC_TEXT "ARM\x64"
#define IMAGE_HEADER     64U

#define LOAD_GRAIN 0x200000ULL
#define LOAD_ARGS  512U

static const char load_prefix[] = "guest=";

/* The name at the start of a kernel's arguments: where it is and how long; 0: there is none. */
static size_t load_name(const char *args, const char **name)
{
    const size_t prefix = sizeof load_prefix - 1U;

    if (strlen(args) < prefix || memcmp(args, load_prefix, prefix) != 0) {
        return 0U;
    }
    *name = args + prefix;
    const char *end = strchr(*name, ' ');

    return end != NULL ? (size_t)(end - *name) : strlen(*name);
}

const struct host_kernel *guest_load_find(const struct host *host, const char *name)
{
    const struct host_kernel *common = NULL;

    for (uint32_t i = 0; i < host->kernel_count; i++) {
        const char *own = NULL;
        const size_t len = load_name(host->kernels[i].args, &own);

        if (len == 0U) {
            common = &host->kernels[i];
        } else if (len == strlen(name) && memcmp(own, name, len) == 0) {
            return &host->kernels[i];
        }
    }
    return common;
}

static bool load_is_linux(const struct host_range *kernel)
{
    const char *magic = (const char *)(uintptr_t)kernel->base + IMAGE_MAGIC;

    return kernel->size >= IMAGE_HEADER && memcmp(magic, IMAGE_MAGIC_TEXT, 4U) == 0;
}

/* Guest address at which the initramfs goes. */
static uint64_t load_initrd_at(const struct guest *guest)
{
    const struct host_range *kernel = &guest->kernel->image;
    uint64_t size = kernel->size;

    if (load_is_linux(kernel)) {
        (void)memcpy(&size, (const uint8_t *)(uintptr_t)kernel->base + IMAGE_SIZE, sizeof size);
        size = size < kernel->size ? kernel->size : size;
    }
    return (GUEST_KERNEL + size + LOAD_GRAIN - 1U) & ~(LOAD_GRAIN - 1U);
}

bool guest_load_fits(struct guest *guest)
{
    const uint64_t at = load_initrd_at(guest);
    const uint64_t end = guest_dt_ram_end(guest);

    if (!load_is_linux(&guest->kernel->image)) {
        guest->initrd = NULL;
    }
    return at <= end && (guest->initrd == NULL || guest->initrd->size <= end - at);
}

uint64_t guest_load_entry(const struct guest *guest)
{
    (void)guest;
    return GUEST_KERNEL;
}

static uint8_t *load_pointer(const struct guest *guest, uint64_t address)
{
    return (uint8_t *)(uintptr_t)(guest->ram + (address - GUEST_RAM));
}

static void load_copy(const struct guest *guest, uint64_t address, const struct host_range *from)
{
    uint8_t *to = load_pointer(guest, address);

    (void)memcpy(to, (const void *)(uintptr_t)from->base, (size_t)from->size);
    mmu_clean(to, (size_t)from->size); /* the guest starts with its caches off */
}

static void load_append(char *args, const char *more)
{
    const size_t at = strlen(args);
    const size_t len = strlen(more);

    if (at + len < LOAD_ARGS) { /* else it is left out whole */
        (void)memcpy(&args[at], more, len + 1U);
    }
}

/* The kernel's arguments and the guest's name; the platform's come on top. */
static void load_args(const struct guest *guest, char *args)
{
    const char *own = NULL;
    const size_t name = load_name(guest->kernel->args, &own);

    args[0] = '\0';
    load_append(args, name != 0U ? own + name : guest->kernel->args);
    load_append(args, " avps.guest=");
    load_append(args, guest->plan->name);
}

void guest_load(struct guest *guest)
{
    char args[LOAD_ARGS];
    const uint64_t initrd = load_initrd_at(guest);
    struct guest_dt dt = {.guest = guest, .bootargs = args};

    load_args(guest, args);
    load_copy(guest, GUEST_KERNEL, &guest->kernel->image);
    if (guest->initrd != NULL) {
        load_copy(guest, initrd, guest->initrd);
        dt.initrd = initrd;
        dt.initrd_size = guest->initrd->size;
    }
    (void)guest_dt_write(&dt, load_pointer(guest, GUEST_RAM),
                         GUEST_DTB_SIZE); /* 64 KiB are plenty */
    mmu_clean(load_pointer(guest, GUEST_RAM), GUEST_DTB_SIZE);
}
