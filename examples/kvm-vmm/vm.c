/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine: KVM and its capabilities -> memory -> making it -> loading files -> its end. */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"

/* ---- KVM and its capabilities ---- */

#define CAPABILITY(number)                                                                         \
    {                                                                                              \
        number, #number                                                                            \
    }

static const struct arch_capability capabilities[] = {
    CAPABILITY(KVM_CAP_USER_MEMORY),   CAPABILITY(KVM_CAP_IRQCHIP),
    CAPABILITY(KVM_CAP_IRQFD),         CAPABILITY(KVM_CAP_IRQ_ROUTING),
    CAPABILITY(KVM_CAP_SIGNAL_MSI),    CAPABILITY(KVM_CAP_IOEVENTFD),
    CAPABILITY(KVM_CAP_MP_STATE),      CAPABILITY(KVM_CAP_IOEVENTFD_ANY_LENGTH),
    CAPABILITY(KVM_CAP_IMMEDIATE_EXIT)};

static enum avps_status kvm_fail_open(const struct vm *vm, struct avps_posix_error *error)
{
    const char *hint = "";

    if (errno == ENOENT || errno == ENODEV || errno == ENXIO) {
        hint = ": this kernel runs no KVM (is virtualisation on, are the kvm modules loaded?)";
    } else if (errno == EACCES || errno == EPERM) {
        hint = ": be root, or in its group";
    }
    return host_fail(error, AVPS_E_UNSUPPORTED, "cannot open %s: %s%s", vm->options.kvm,
                     strerror(errno), hint);
}

static bool kvm_has(const struct vm *vm, const struct arch_capability *list, uint32_t count,
                    struct avps_posix_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, list[i].number) <= 0) {
            (void)host_fail(error, AVPS_E_UNSUPPORTED,
                            "this kernel's KVM lacks %s, which is needed", list[i].name);
            return false;
        }
    }
    return true;
}

static enum avps_status kvm_open(struct vm *vm, struct avps_posix_error *error)
{
    vm->kvm_fd = open(vm->options.kvm, O_RDWR | O_CLOEXEC);
    if (vm->kvm_fd < 0) {
        return kvm_fail_open(vm, error);
    }
    const int version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        return host_fail(error, AVPS_E_UNSUPPORTED, "%s is not KVM, or not of interface %d",
                         vm->options.kvm, KVM_API_VERSION);
    }
    return kvm_has(vm, capabilities, sizeof capabilities / sizeof capabilities[0], error) &&
                   kvm_has(vm, arch_capabilities, arch_capability_count, error)
               ? AVPS_OK
               : AVPS_E_UNSUPPORTED;
}

/* ---- memory ---- */

static enum avps_status vm_init_memory(struct vm *vm, struct avps_posix_error *error)
{
    void *ram = mmap(NULL, vm->options.memory, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (ram == MAP_FAILED) {
        return host_fail(error, AVPS_E_NOSPACE, "no memory for the guest: %s", strerror(errno));
    }
    vm->ram = ram;
    avps_kvm_memory_init(&vm->memory, vm->fd);
    return arch_init_memory(vm, error);
}

/* ---- making it ---- */

static enum avps_status vm_init_cpus(struct vm *vm, struct avps_posix_error *error)
{
    enum avps_status status = arch_init_first(vm, error);

    for (uint32_t i = 0; i < vm->options.cpus && status == AVPS_OK; i++) {
        status = vcpu_init(&vm->vcpus[i], vm, i, error);
        status = status == AVPS_OK ? arch_init_vcpu(&vm->vcpus[i], error) : status;
    }
    return status == AVPS_OK ? arch_init_last(vm, error) : status;
}

static enum avps_status vm_init_parts(struct vm *vm, struct avps_posix_error *error)
{
    enum avps_status status = vm_init_memory(vm, error);

    status = status == AVPS_OK ? vm_init_cpus(vm, error) : status;
    if (status == AVPS_OK && !arch_init_serial(vm)) {
        status = host_fail(error, AVPS_E_INTERNAL, "the serial console has no place");
    }
    return status;
}

enum avps_status vm_init(struct vm *vm, struct avps_posix_error *error)
{
    const enum avps_status status = kvm_open(vm, error);

    if (status != AVPS_OK) {
        return status;
    }
    vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
    if (vm->fd < 0) {
        return host_fail(error, AVPS_E_IO, "KVM makes no machine: %s", strerror(errno));
    }
    if (avps_kvm_irq_init(&vm->irq, vm->fd, arch_map.message_gsi) != AVPS_OK) {
        return host_fail(error, AVPS_E_NOSPACE, "not enough memory");
    }
    return vm_init_parts(vm, error);
}

static void vm_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

void vm_free(struct vm *vm)
{
    for (uint32_t i = 0; i < VM_CPUS; i++) {
        vcpu_free(&vm->vcpus[i]);
    }
    vm_close(&vm->its_fd);
    vm_close(&vm->irqchip_fd);
    vm_close(&vm->fd);
    vm_close(&vm->kvm_fd);
    if (vm->ram != NULL) {
        (void)munmap(vm->ram, vm->options.memory);
        vm->ram = NULL;
    }
}

/* ---- loading files ---- */

enum avps_status vm_file_size(const char *path, uint64_t *size, struct avps_posix_error *error)
{
    struct stat about;

    if (stat(path, &about) != 0) {
        return host_fail(error, AVPS_E_IO, "cannot open %s: %s", path, strerror(errno));
    }
    *size = (uint64_t)about.st_size;
    return S_ISREG(about.st_mode) && about.st_size > 0
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "%s is empty, or no file", path);
}

static bool read_all(int fd, uint8_t *to, uint64_t offset, uint64_t size)
{
    while (size > 0U) {
        const ssize_t got = pread(fd, to, size, (off_t)offset);

        if (got <= 0) {
            return false;
        }
        to += got;
        offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return true;
}

enum avps_status vm_load(struct vm *vm, const char *path, uint64_t offset, uint64_t address,
                         uint64_t size, struct avps_posix_error *error)
{
    uint8_t *to = avps_kvm_memory_at(&vm->memory, address, size);

    if (to == NULL) {
        return host_fail(error, AVPS_E_PARAM, "%s does not fit into --memory", path);
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return host_fail(error, AVPS_E_IO, "cannot open %s: %s", path, strerror(errno));
    }
    const bool is_well = read_all(fd, to, offset, size);
    (void)close(fd);
    return is_well ? AVPS_OK : host_fail(error, AVPS_E_IO, "cannot read %s", path);
}

/* ---- its end ---- */

void vm_finish(struct vm *vm, enum vm_end end, const char *format, ...)
{
    int expected = VM_RUNS;
    va_list values;

    if (!atomic_compare_exchange_strong(&vm->end, &expected, (int)end)) {
        return;
    }
    va_start(values, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is just above */
    (void)vsnprintf(vm->why, sizeof vm->why, format, values);
    va_end(values);
    vcpus_close(vm);
    avps_posix_loop_stop(&vm->loop);
}
