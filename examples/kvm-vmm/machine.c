/* SPDX-License-Identifier: BSD-3-Clause */
/* Saving: records -> memory -> the file. Loading: records -> memory -> the file. */
#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "little.h"
#include "vm.h"

#define MACHINE_PAGE    4096U
#define MACHINE_STRETCH (16U << 20U) /* bytes of memory in a record */
#define MACHINE_PATH    4096U

/* ---- saving: records ---- */

static enum avps_status save_out(FILE *file, enum state_kind kind, uint32_t index,
                                 struct state_out *out, enum avps_status status)
{
    const struct state_record record = {.kind = kind, .index = index, .length = out->size};

    if (status == AVPS_OK && out->failed) {
        status = AVPS_E_NOSPACE;
    }
    status = status == AVPS_OK ? state_write_record(file, &record, out->bytes) : status;
    free(out->bytes);
    return status;
}

static enum avps_status save_cpus(const struct vm *vm, FILE *file)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < vm->options.cpus && status == AVPS_OK; i++) {
        struct state_out out = {0};

        status = save_out(file, STATE_CPU, i, &out, arch_save_vcpu(&vm->vcpus[i], &out));
    }
    return status;
}

static enum avps_status save_devices(struct vm *vm, FILE *file)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < vm->devices.count && status == AVPS_OK; i++) {
        struct state_out out = {0};

        status = save_out(file, STATE_DEVICE, i, &out, devices_save(vm, i, &out));
    }
    return status;
}

static enum avps_status save_board(struct vm *vm, FILE *file)
{
    struct state_out serial = {0};
    struct state_out irqchip = {0};

    serial_save(&vm->serial, &serial);
    enum avps_status status = save_out(file, STATE_SERIAL, 0, &serial, AVPS_OK);
    if (status == AVPS_OK) {
        status = save_out(file, STATE_IRQCHIP, 0, &irqchip, arch_save_irqchip(vm, &irqchip));
    }
    return status;
}

/* ---- saving: memory ---- */

static bool page_is_zero(const uint8_t *page)
{
    return page[0] == 0U && memcmp(page, page + 1, MACHINE_PAGE - 1U) == 0;
}

/* Bytes from `at` on whose pages are all zero, or all not. */
static uint64_t stretch_of(const struct avps_mem_region *region, uint64_t at, bool zero)
{
    uint64_t size = 0;

    while (at + size < region->size && size < MACHINE_STRETCH &&
           page_is_zero(region->host + at + size) == zero) {
        size += MACHINE_PAGE;
    }
    return size;
}

static enum avps_status save_stretch(FILE *file, const struct avps_mem_region *region, uint64_t at,
                                     uint64_t size)
{
    const struct state_record record = {.kind = STATE_MEMORY, .length = 8U + size};
    uint8_t address[8];
    const enum avps_status status = state_write_record(file, &record, NULL);

    little_put(address, 8, region->gpa + at);
    if (status != AVPS_OK || fwrite(address, sizeof address, 1, file) != 1U ||
        fwrite(region->host + at, size, 1, file) != 1U) {
        return AVPS_E_IO;
    }
    return AVPS_OK;
}

static enum avps_status save_region(FILE *file, const struct avps_mem_region *region)
{
    enum avps_status status = AVPS_OK;

    for (uint64_t at = 0; at < region->size && status == AVPS_OK;) {
        at += stretch_of(region, at, true);
        const uint64_t size = stretch_of(region, at, false);

        status = size != 0U ? save_stretch(file, region, at, size) : AVPS_OK;
        at += size;
    }
    return status;
}

static enum avps_status save_memory(const struct vm *vm, FILE *file)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < vm->memory.count && status == AVPS_OK; i++) {
        status = save_region(file, &vm->memory.regions[i]);
    }
    return status;
}

/* ---- saving: the file ---- */

static struct state_machine machine_describe(const struct vm *vm)
{
    struct state_machine machine = {
        .memory = vm->options.memory, .cpus = vm->options.cpus, .devices = vm->devices.count};

    (void)strncpy(machine.arch, arch_map.name, sizeof machine.arch - 1U);
    return machine;
}

/* The interrupt controller comes before memory: saving it writes tables there. */
static enum avps_status save_all(struct vm *vm, FILE *file)
{
    const struct state_machine machine = machine_describe(vm);
    const struct state_record end = {.kind = STATE_END};

    devices_flush_interrupts(vm);
    enum avps_status status = state_write_header(file, &machine);
    status = status == AVPS_OK ? save_devices(vm, file) : status;
    status = status == AVPS_OK ? save_board(vm, file) : status;
    status = status == AVPS_OK ? save_cpus(vm, file) : status;
    status = status == AVPS_OK ? save_memory(vm, file) : status;
    status = status == AVPS_OK ? state_write_record(file, &end, NULL) : status;
    if (status == AVPS_OK && (fflush(file) != 0 || fsync(fileno(file)) != 0)) {
        status = AVPS_E_IO;
    }
    return status;
}

enum avps_status machine_save(struct vm *vm, const char *path, struct avps_posix_error *error)
{
    char partial[MACHINE_PATH];

    (void)snprintf(partial, sizeof partial, "%s.new", path);
    FILE *file = fopen(partial, "wbe");
    if (file == NULL) {
        return host_fail(error, AVPS_E_IO, "cannot write %s: %s", partial, strerror(errno));
    }
    enum avps_status status = save_all(vm, file);
    const bool closed = fclose(file) == 0;
    if (status == AVPS_OK && closed && rename(partial, path) == 0) {
        return AVPS_OK;
    }
    status = status == AVPS_OK ? AVPS_E_IO : status;
    (void)host_fail(error, status, "cannot save to %s: %s%s%s", path, avps_status_name(status),
                    status == AVPS_E_IO ? ", " : "", status == AVPS_E_IO ? strerror(errno) : "");
    (void)unlink(partial);
    return status;
}

/* ---- loading: records ---- */

static enum avps_status load_content(struct vm *vm, const struct state_record *record,
                                     const uint8_t *bytes)
{
    struct state_in in = {.bytes = bytes, .left = record->length};

    switch (record->kind) {
    case STATE_CPU:
        return record->index < vm->options.cpus ? arch_load_vcpu(&vm->vcpus[record->index], &in)
                                                : AVPS_E_PARAM;
    case STATE_SERIAL:
        return serial_load(&vm->serial, &in) ? AVPS_OK : AVPS_E_PARAM;
    case STATE_DEVICE:
        return record->index < vm->devices.count
                   ? devices_load(vm, record->index, bytes, record->length)
                   : AVPS_E_PARAM;
    case STATE_IRQCHIP:
    case STATE_MEMORY:
    case STATE_END:
    default:
        return AVPS_E_INTERNAL; /* load_record has seen to it */
    }
}

static uint8_t *load_bytes(FILE *file, uint64_t length)
{
    uint8_t *bytes = malloc(length + 1U); /* one more: none at all is well */

    if (bytes != NULL && length != 0U && fread(bytes, length, 1, file) != 1U) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

/* ---- loading: memory ---- */

static enum avps_status load_memory(const struct vm *vm, FILE *file, uint64_t length)
{
    uint8_t address[8];

    if (fread(address, sizeof address, 1, file) != 1U) {
        return AVPS_E_IO;
    }
    uint8_t *to = avps_kvm_memory_at(&vm->memory, little_get(address, 8), length - 8U);
    if (to == NULL) {
        return AVPS_E_PARAM;
    }
    return fread(to, length - 8U, 1, file) == 1U ? AVPS_OK : AVPS_E_IO;
}

/* ---- loading: the file ---- */

/* The interrupt controller is loaded last: it reads its tables from memory. */
struct load {
    uint8_t *irqchip;
    uint64_t irqchip_length;
    uint32_t cpus;
    uint32_t devices;
    bool serial;
    bool ended;
};

static enum avps_status load_record(struct vm *vm, FILE *file, struct load *load)
{
    struct state_record record;
    enum avps_status status = state_read_record(file, &record);

    if (status != AVPS_OK) {
        return status;
    }
    if (record.kind == STATE_MEMORY) {
        return load_memory(vm, file, record.length);
    }
    uint8_t *bytes = load_bytes(file, record.length);
    if (bytes == NULL) {
        return AVPS_E_IO;
    }
    if (record.kind == STATE_IRQCHIP && load->irqchip == NULL) {
        load->irqchip = bytes;
        load->irqchip_length = record.length;
        return AVPS_OK;
    }
    load->ended = record.kind == STATE_END;
    load->cpus += record.kind == STATE_CPU ? 1U : 0U;
    load->devices += record.kind == STATE_DEVICE ? 1U : 0U;
    load->serial = load->serial || record.kind == STATE_SERIAL;
    status = load->ended ? AVPS_OK : load_content(vm, &record, bytes);
    free(bytes);
    return status;
}

static enum avps_status load_all(struct vm *vm, FILE *file)
{
    struct load load = {0};
    enum avps_status status = AVPS_OK;

    while (status == AVPS_OK && !load.ended) {
        status = load_record(vm, file, &load);
    }
    if (status == AVPS_OK && (load.irqchip == NULL || !load.serial ||
                              load.cpus != vm->options.cpus || load.devices != vm->devices.count)) {
        status = AVPS_E_PARAM;
    }
    if (status == AVPS_OK) {
        struct state_in in = {.bytes = load.irqchip, .left = load.irqchip_length};

        status = arch_load_irqchip(vm, &in);
    }
    free(load.irqchip);
    return status;
}

static enum avps_status load_header(const struct vm *vm, FILE *file, const char *path,
                                    struct avps_posix_error *error)
{
    const struct state_machine here = machine_describe(vm);
    struct state_machine there = {0};
    const enum avps_status status = state_read_header(file, &there);

    if (status == AVPS_E_UNSUPPORTED) {
        return host_fail(error, status, "%s was saved by another version of this program", path);
    }
    if (status != AVPS_OK) {
        return host_fail(error, status, "%s is no saved machine", path);
    }
    if (strcmp(here.arch, there.arch) != 0 || here.memory != there.memory ||
        here.cpus != there.cpus || here.devices != there.devices) {
        return host_fail(error, AVPS_E_PARAM,
                         "%s is of another machine: %s, --memory %lluK, --cpus %u, %u devices",
                         path, there.arch, (unsigned long long)(there.memory >> 10U), there.cpus,
                         there.devices);
    }
    return AVPS_OK;
}

enum avps_status machine_load(struct vm *vm, const char *path, struct avps_posix_error *error)
{
    FILE *file = fopen(path, "rbe");

    if (file == NULL) {
        return host_fail(error, AVPS_E_IO, "cannot open %s: %s", path, strerror(errno));
    }
    enum avps_status status = load_header(vm, file, path, error);
    if (status == AVPS_OK) {
        status = load_all(vm, file);
        if (status != AVPS_OK) {
            (void)host_fail(error, status, "%s is damaged, or of a machine with other options (%s)",
                            path, avps_status_name(status));
        }
    }
    (void)fclose(file);
    return status;
}
