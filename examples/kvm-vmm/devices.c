/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices: register windows -> PCI functions -> doorbells -> transports -> opening -> threads -> pause and
 * reset -> state -> the end. */
#include "devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch.h"
#include "vm.h"

#define DEVICES_PATIENCE UINT64_C(10000000000) /* ns for requests in flight */
#define DEVICES_NAP      1000000L              /* ns between two looks */

/* ---- what all accesses do ---- */

static void device_enter(const struct device *device)
{
    avps_posix_loop_borrow(device->host->loop);
}

/* The access may have rung a doorbell, or ended requests. */
static void device_leave(const struct device *device)
{
    if (avps_has_work(device->host->base)) {
        host_device_wake(device->host);
    }
    avps_posix_loop_return(device->host->loop);
}

/* ---- register windows ---- */

static void mmio_serve(void *ctx, struct bus_access *access)
{
    struct device *device = ctx;

    device_enter(device);
    if (access->is_write) {
        avps_mmio_write(&device->mmio, access->offset, access->width, access->value);
    } else {
        access->value = avps_mmio_read(&device->mmio, access->offset, access->width);
    }
    device_leave(device);
}

/* ---- PCI functions ---- */

/* Whose configuration space it is; NULL: nobody's. */
static struct device *pci_find_space(const struct devices *devices, uint64_t offset)
{
    const uint64_t number =
        offset >> 15U; /* of the PCI device; its first function is all there is */

    for (uint32_t i = 0; i < devices->count; i++) {
        struct device *device = devices->list[i];

        if (device->transport == DEVICE_PCI && number == device->unit + DEVICE_PCI_FIRST) {
            return device;
        }
    }
    return NULL;
}

static bool bar_has(const struct avps_pci *pci, uint64_t address)
{
    const struct avps_pci_range bar = avps_pci_bar(pci, AVPS_PCI_BAR);

    return bar.enabled && address >= bar.address && address - bar.address < bar.size;
}

/* Whose BAR it is. BARs are moved under the same lock as this. */
static struct device *pci_find_bar(const struct devices *devices, uint64_t address)
{
    for (uint32_t i = 0; i < devices->count; i++) {
        struct device *device = devices->list[i];

        if (device->transport == DEVICE_PCI && bar_has(&device->pci, address)) {
            return device;
        }
    }
    return NULL;
}

static void pci_access_space(struct devices *devices, struct bus_access *access)
{
    if (access->is_write) {
        avps_ecam_write(&devices->ecam, access->offset, access->width, access->value);
    } else {
        access->value = avps_ecam_read(&devices->ecam, access->offset, access->width);
    }
}

static void pci_access_window(struct devices *devices, struct bus_access *access)
{
    const uint64_t address = arch_map.pci_window + access->offset;

    if (access->is_write) {
        (void)avps_ecam_mem_write(&devices->ecam, address, access->width, access->value);
    } else {
        (void)avps_ecam_mem_read(&devices->ecam, address, access->width, &access->value);
    }
}

static void pci_serve(struct devices *devices, const struct device *device,
                      struct bus_access *access,
                      void (*call)(struct devices *devices, struct bus_access *access))
{
    if (device != NULL) {
        device_enter(device);
    }
    call(devices, access);
    if (device != NULL) {
        device_leave(device);
    }
}

static void ecam_serve(void *ctx, struct bus_access *access)
{
    struct devices *devices = ctx;

    (void)pthread_mutex_lock(&devices->pci);
    pci_serve(devices, pci_find_space(devices, access->offset), access, pci_access_space);
    (void)pthread_mutex_unlock(&devices->pci);
}

static void window_serve(void *ctx, struct bus_access *access)
{
    struct devices *devices = ctx;

    (void)pthread_mutex_lock(&devices->pci);
    pci_serve(devices, pci_find_bar(devices, arch_map.pci_window + access->offset), access,
              pci_access_window);
    (void)pthread_mutex_unlock(&devices->pci);
}

/* ---- doorbells ---- */

static void device_rung(void *ctx)
{
    const struct device *device = ctx;

    host_device_wake(device->host);
}

static enum avps_status device_hang_doorbells(struct device *device)
{
    const uint16_t count = device->host->base->queue_count;
    enum avps_status status = AVPS_OK;

    device->doorbells = calloc(count, sizeof *device->doorbells);
    if (device->doorbells == NULL) {
        return AVPS_E_NOSPACE;
    }
    for (uint16_t i = 0; i < count && status == AVPS_OK; i++) {
        const struct avps_kvm_doorbell_config config = {.vm_fd = device->vm->fd,
                                                        .loop = device->host->loop,
                                                        .device = device->host->base,
                                                        .queue = i,
                                                        .rung = device_rung,
                                                        .ctx = device};

        status = avps_kvm_doorbell_init(&device->doorbells[i], &config);
    }
    return status;
}

/* A doorbell that the kernel does not take is an access like any other. */
static void device_bar_changed(void *ctx, uint32_t bar, uint64_t address, bool enabled)
{
    struct device *device = ctx;

    for (uint16_t i = 0; bar == AVPS_PCI_BAR && i < device->host->base->queue_count; i++) {
        if (enabled) {
            (void)!avps_kvm_doorbell_place(&device->doorbells[i],
                                           address + avps_pci_doorbell(&device->pci, i), false);
        } else {
            avps_kvm_doorbell_lift(&device->doorbells[i]);
        }
    }
}

/* ---- transports ---- */

static enum avps_status device_carry_mmio(struct device *device)
{
    const struct avps_mmio_config config = {.device = device->host->base,
                                            .irq = &avps_kvm_line_ops,
                                            .irq_ctx = &device->vm->irq,
                                            .irq_line = arch_line(device->transport, device->unit)};
    const uint64_t base = arch_map.mmio + device->unit * arch_map.mmio_step;
    enum avps_status status = avps_mmio_init(&device->mmio, &config);

    for (uint16_t i = 0; i < device->host->base->queue_count && status == AVPS_OK; i++) {
        status =
            avps_kvm_doorbell_place(&device->doorbells[i], base + AVPS_MMIO_QUEUE_NOTIFY, true);
    }
    if (status == AVPS_OK && !bus_add(&device->vm->bus, base, AVPS_MMIO_SIZE, mmio_serve, device)) {
        status = AVPS_E_NOSPACE;
    }
    return status;
}

/* One for the configuration and one a queue. */
static enum avps_status device_make_messages(struct device *device)
{
    const uint16_t count = (uint16_t)(device->host->base->queue_count + 1U);

    device->vector_storage = calloc(count, sizeof *device->vector_storage);
    device->messages = calloc(count, sizeof *device->messages);
    if (device->vector_storage == NULL || device->messages == NULL) {
        return AVPS_E_NOSPACE;
    }
    device->msi = (struct avps_kvm_msi){.irq = &device->vm->irq,
                                        .vectors = device->messages,
                                        .count = count,
                                        .has_requester = arch_map.has_requester,
                                        .requester = (device->unit + DEVICE_PCI_FIRST) << 3U};
    return avps_kvm_msi_init(&device->msi);
}

static enum avps_status device_carry_pci(struct device *device)
{
    static const struct avps_pci_ops ops = {.bar_changed = device_bar_changed};
    enum avps_status status = device_make_messages(device);
    const struct avps_pci_config config = {.device = device->host->base,
                                           .irq = &avps_kvm_msi_ops,
                                           .irq_ctx = &device->msi,
                                           .irq_line = arch_line(device->transport, device->unit),
                                           .pin = 1,
                                           .vectors = device->vector_storage,
                                           .vector_count = device->msi.count,
                                           .ops = &ops,
                                           .ops_ctx = device};

    return status == AVPS_OK ? avps_pci_init(&device->pci, &config) : status;
}

static enum avps_status device_carry(struct device *device, struct avps_posix_error *error)
{
    enum avps_status status = device_hang_doorbells(device);

    if (status == AVPS_OK) {
        status =
            device->transport == DEVICE_PCI ? device_carry_pci(device) : device_carry_mmio(device);
    }
    return status == AVPS_OK ? status
                             : host_fail(error, status, "%s has no place in the machine: %s",
                                         device->host->label, avps_status_name(status));
}

/* The host of all functions. */
static enum avps_status devices_carry_host(struct vm *vm)
{
    struct devices *devices = &vm->devices;

    for (uint32_t i = 0; i < devices->count; i++) {
        struct device *device = devices->list[i];

        if (device->transport == DEVICE_PCI) {
            devices->slots[device->unit] = (struct avps_ecam_slot){
                .pci = &device->pci, .device = (uint8_t)(device->unit + DEVICE_PCI_FIRST)};
        }
    }
    if (devices->function_count == 0U) {
        return AVPS_OK;
    }
    const struct avps_ecam_config config = {.slots = devices->slots,
                                            .slot_count = devices->function_count,
                                            .bus_count = 1,
                                            .bridge_vendor = DEVICES_BRIDGE_VENDOR,
                                            .bridge_device = DEVICES_BRIDGE_DEVICE};
    const enum avps_status status = avps_ecam_init(&devices->ecam, &config);

    if (status != AVPS_OK) {
        return status;
    }
    return bus_add(&vm->bus, arch_map.ecam, AVPS_ECAM_SIZE(1), ecam_serve, devices) &&
                   bus_add(&vm->bus, arch_map.pci_window, arch_map.pci_size, window_serve, devices)
               ? AVPS_OK
               : AVPS_E_NOSPACE;
}

/* ---- opening ---- */

/* Add what has a host side; it is freed if there is no room. */
static struct device *devices_take(struct vm *vm, struct host_device *host)
{
    struct devices *devices = &vm->devices;
    struct device *device =
        host != NULL && devices->count < DEVICES_MAX ? calloc(1, sizeof *device) : NULL;

    if (device == NULL) {
        if (host != NULL) {
            (void)host_device_free(host);
        }
        return NULL;
    }
    device->host = host;
    device->vm = vm;
    devices->list[devices->count++] = device;
    return device;
}

struct device *devices_add(struct vm *vm, const struct host_kind *kind)
{
    const uint32_t number = vm->devices.count;
    struct device *device = devices_take(vm, host_device_new(&vm->host, kind));

    if (device == NULL) {
        return NULL;
    }
    (void)snprintf(device->host->name, sizeof device->host->name, "%s%u", kind->name, number);
    (void)snprintf(device->host->label, sizeof device->host->label, "%s", device->host->name);
    return device;
}

enum avps_status devices_add_planned(struct vm *vm, struct avps_posix_error *error)
{
    for (uint32_t i = 0; i < vm->platform->guest->device_count; i++) {
        struct host_device *host = host_platform_device(vm->platform, &vm->host, i, error);

        if (host == NULL) {
            return AVPS_E_PARAM;
        }
        if (devices_take(vm, host) == NULL) {
            return host_fail(error, AVPS_E_NOSPACE, "there are too many devices for one machine");
        }
    }
    return AVPS_OK;
}

static enum device_transport device_transport_of(const struct device *device)
{
    const struct avps_platform_device *planned = device->host->planned;
    const bool pci = planned != NULL ? planned->transport == AVPS_PLATFORM_PCI
                                     : strcmp(device->vm->options.transport, "pci") == 0;

    return pci ? DEVICE_PCI : DEVICE_MMIO;
}

/* Doorbells in a register window are told apart by the queue's number alone. */
static void device_choose(struct device *device)
{
    struct devices *devices = &device->vm->devices;

    device->transport = device_transport_of(device);
    if (device->transport == DEVICE_PCI) {
        device->unit = devices->function_count++;
    } else {
        device->unit = devices->window_count++;
        avps_features_add(&device->host->withhold, AVPS_F_NOTIFICATION_DATA);
    }
}

static enum avps_status device_choose_loop(struct device *device, struct avps_posix_error *error)
{
    device->host->loop = &device->vm->loop;
    if (!device->vm->options.threads) {
        return AVPS_OK;
    }
    device->host->loop = &device->own_loop;
    if (avps_posix_loop_init(&device->own_loop) != AVPS_OK) {
        return host_fail(error, AVPS_E_IO, "%s: no event loop: %s", device->host->label,
                         strerror(errno));
    }
    device->has_loop = true;
    return avps_posix_loop_share(&device->own_loop);
}

static enum avps_status device_open(struct device *device, struct avps_posix_error *error)
{
    device_choose(device);
    enum avps_status status = device_choose_loop(device, error);
    status = status == AVPS_OK ? avps_kvm_memory_handle(&device->vm->memory, &device->host->mem)
                               : status;
    status = status == AVPS_OK ? host_device_open(device->host, error) : status;
    status = status == AVPS_OK ? device_carry(device, error) : status;
    status = status == AVPS_OK ? host_device_keeps_promise(device->host, error) : status;
    if (status == AVPS_OK) {
        host_device_ready(device->host);
    }
    return status;
}

enum avps_status devices_open(struct vm *vm, struct avps_posix_error *error)
{
    enum avps_status status = AVPS_OK;

    (void)pthread_mutex_init(&vm->devices.pci, NULL);
    for (uint32_t i = 0; i < vm->devices.count && status == AVPS_OK; i++) {
        status = device_open(vm->devices.list[i], error);
    }
    if (status == AVPS_OK && devices_carry_host(vm) != AVPS_OK) {
        status = host_fail(error, AVPS_E_NOSPACE, "the PCI host has no place in the machine");
    }
    return status;
}

/* ---- threads ---- */

static void *device_thread(void *ctx)
{
    struct device *device = ctx;

    if (avps_posix_loop_run(device->host->loop) != AVPS_OK) {
        vm_finish(device->vm, VM_FAILED, "%s cannot wait for events: %s", device->host->label,
                  strerror(errno));
    }
    return NULL;
}

static enum avps_status device_start(struct device *device, struct avps_posix_error *error)
{
    const int failed =
        device->has_loop ? pthread_create(&device->thread, NULL, device_thread, device) : 0;

    if (failed != 0) {
        return host_fail(error, AVPS_E_NOSPACE, "no thread for %s: %s", device->host->label,
                         strerror(failed));
    }
    device->has_thread = device->has_loop;
    return AVPS_OK;
}

enum avps_status devices_start(struct vm *vm, struct avps_posix_error *error)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < vm->devices.count && status == AVPS_OK; i++) {
        status = device_start(vm->devices.list[i], error);
    }
    return status;
}

static void device_end_thread(struct device *device)
{
    if (device->has_thread) {
        avps_posix_loop_stop(&device->own_loop);
        (void)pthread_join(device->thread, NULL);
        device->has_thread = false;
    }
}

/* ---- pause and reset ---- */

/* Call all until each says yes; the main thread's loop goes on meanwhile, in steps. */
static bool devices_until(struct vm *vm, bool (*call)(struct device *device))
{
    const struct timespec nap = {.tv_nsec = DEVICES_NAP};
    const uint64_t end = avps_posix_now_ns() + DEVICES_PATIENCE;

    for (;;) {
        bool all = true;

        for (uint32_t i = 0; i < vm->devices.count; i++) {
            struct device *device = vm->devices.list[i];

            device_enter(device);
            all = call(device) && all;
            device_leave(device);
        }
        if (all || avps_posix_now_ns() > end) {
            return all;
        }
        (void)!avps_posix_loop_step(&vm->loop, false);
        (void)nanosleep(&nap, NULL);
    }
}

static bool device_is_quiet(struct device *device)
{
    if (avps_quiesce(device->host->base) == AVPS_OK) {
        return true;
    }
    host_device_wake(device->host);
    return false;
}

bool devices_quiesce(struct vm *vm)
{
    return devices_until(vm, device_is_quiet);
}

/* A doorbell that rang last may not have been seen: all queues are looked at. */
void devices_resume(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->devices.count; i++) {
        struct device *device = vm->devices.list[i];
        struct avps_device *base = device->host->base;

        device_enter(device);
        avps_resume(base);
        for (uint16_t queue = 0; queue < base->queue_count; queue++) {
            avps_kick(base, queue, 0);
        }
        host_device_wake(device->host);
        device_leave(device);
    }
}

static bool device_is_reset(struct device *device)
{
    return avps_device_status(device->host->base) == 0U;
}

void devices_reset(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->devices.count; i++) {
        struct device *device = vm->devices.list[i];

        device_enter(device);
        (void)(device->transport == DEVICE_PCI ? avps_pci_reset(&device->pci)
                                               : avps_reset(device->host->base));
        device_leave(device);
    }
    (void)devices_until(vm, device_is_reset);
}

/* ---- state ---- */

static enum avps_status device_save(struct device *device, void *buffer, size_t size, size_t *used)
{
    return device->transport == DEVICE_PCI ? avps_pci_save(&device->pci, buffer, size, used)
                                           : avps_mmio_save(&device->mmio, buffer, size, used);
}

enum avps_status devices_save(struct vm *vm, uint32_t index, struct state_out *out)
{
    struct device *device = vm->devices.list[index];
    uint8_t *bytes = NULL;
    size_t size = 0;

    device_enter(device);
    (void)device_save(device, NULL, 0, &size);
    bytes = malloc(size);
    const enum avps_status status =
        bytes != NULL ? device_save(device, bytes, size, &size) : AVPS_E_NOSPACE;
    device_leave(device);
    state_put_u32(out, avps_device_id(device->host->base));
    state_put_u32(out, (uint32_t)device->transport);
    if (status == AVPS_OK) {
        state_put(out, bytes, size);
    }
    free(bytes);
    return status;
}

enum avps_status devices_load(struct vm *vm, uint32_t index, const uint8_t *bytes, size_t size)
{
    struct state_in in = {.bytes = bytes, .left = size};
    struct device *device = vm->devices.list[index];

    if (state_get_u32(&in) != avps_device_id(device->host->base) ||
        state_get_u32(&in) != (uint32_t)device->transport || in.failed) {
        return AVPS_E_PARAM;
    }
    device_enter(device);
    const enum avps_status status = device->transport == DEVICE_PCI
                                        ? avps_pci_load(&device->pci, in.bytes, in.left)
                                        : avps_mmio_load(&device->mmio, in.bytes, in.left);
    device_leave(device);
    return status;
}

/* ---- the end ---- */

void devices_flush_interrupts(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->devices.count; i++) {
        avps_kvm_msi_free(&vm->devices.list[i]->msi);
    }
}

static void device_tell(const struct device *device, void (*call)(struct host_device *host))
{
    if (call != NULL) {
        device_enter(device);
        call(device->host);
        device_leave(device);
    }
}

void devices_resized(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->devices.count; i++) {
        device_tell(vm->devices.list[i], vm->devices.list[i]->host->kind->resized);
    }
}

void devices_moved(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->devices.count; i++) {
        device_tell(vm->devices.list[i], vm->devices.list[i]->host->kind->moved);
    }
}

void devices_reload(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->devices.count; i++) {
        device_tell(vm->devices.list[i], vm->devices.list[i]->host->kind->reload);
    }
}

void devices_report(const struct vm *vm)
{
    struct avps_stats_device list[DEVICES_MAX];
    char line[AVPS_STATS_LINE];
    struct avps_stats stats;

    (void)devices_stats(vm, list, DEVICES_MAX);
    avps_stats_begin(&stats, list, vm->devices.count);
    while (avps_stats_next(&stats, line, sizeof line)) {
        host_say(&vm->host, LOG_INFO, "report %s", line);
    }
}

uint32_t devices_stats(const struct vm *vm, struct avps_stats_device *list, uint32_t most)
{
    uint32_t count = 0;

    while (count < vm->devices.count && count < most) {
        list[count] = host_device_stats(vm->devices.list[count]->host);
        count++;
    }
    return count;
}

static bool device_free(struct device *device)
{
    const uint16_t queues = device->host->base != NULL ? device->host->base->queue_count : 0U;

    device_end_thread(device);
    for (uint16_t i = 0; i < queues && device->doorbells != NULL; i++) {
        avps_kvm_doorbell_free(&device->doorbells[i]);
    }
    const bool is_well = host_device_free(device->host);
    avps_kvm_msi_free(&device->msi);
    if (device->has_loop) {
        avps_posix_loop_free(&device->own_loop);
    }
    free(device->doorbells);
    free(device->messages);
    free(device->vector_storage);
    free(device);
    return is_well;
}

bool devices_free(struct vm *vm)
{
    bool is_well = true;

    for (uint32_t i = vm->devices.count; i > 0U; i--) {
        is_well = device_free(vm->devices.list[i - 1U]) && is_well;
    }
    vm->devices.count = 0;
    host_switches_free(&vm->host);
    return is_well;
}
