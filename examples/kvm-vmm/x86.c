/* SPDX-License-Identifier: BSD-3-Clause */
/* x86-64: map -> capabilities -> memory -> interrupt controllers -> wires, console, power -> CPUs ->
 * booting. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "acpi.h"
#include "arch.h"
#include "little.h"
#include "vm.h"

/* ---- map ---- */

#define X86_HOLE       UINT64_C(0xc0000000) /* where memory ends, to go on at 4 GiB */
#define X86_HIGH       UINT64_C(0x100000000)
#define X86_MMIO       UINT64_C(0xe8000000)
#define X86_IO_APIC    UINT64_C(0xfec00000)
#define X86_LOCAL_APIC UINT64_C(0xfee00000)
#define X86_TSS        UINT64_C(0xfffbd000) /* of KVM, on processors that need it */
#define X86_IDENTITY   UINT64_C(0xfffbc000) /* likewise */
#define X86_PINS       24U                  /* of the I/O APIC */
#define X86_FIRST_PIN  16U                  /* of devices */
#define X86_COM1       0x3f8U
#define X86_COM1_IRQ   4U
#define X86_PM         0x600U

const struct arch_map arch_map = {
    .name = "x86-64",
    .mmio = X86_MMIO,
    .mmio_step = 0x1000,
    .ecam = UINT64_C(0xe0000000),
    .pci_window = X86_HOLE,
    .pci_size = UINT64_C(0x20000000),
    .message_gsi = X86_PINS,
    .has_requester = false,
};

/* ---- capabilities ---- */

#define CAPABILITY(number)                                                                         \
    {                                                                                              \
        number, #number                                                                            \
    }

const struct arch_capability arch_capabilities[] = {
    CAPABILITY(KVM_CAP_SET_TSS_ADDR), CAPABILITY(KVM_CAP_EXT_CPUID),
    CAPABILITY(KVM_CAP_PIT2),         CAPABILITY(KVM_CAP_PIT_STATE2),
    CAPABILITY(KVM_CAP_VCPU_EVENTS),  CAPABILITY(KVM_CAP_DEBUGREGS),
    CAPABILITY(KVM_CAP_XSAVE),        CAPABILITY(KVM_CAP_XCRS),
    CAPABILITY(KVM_CAP_ADJUST_CLOCK),
};
const uint32_t arch_capability_count = sizeof arch_capabilities / sizeof arch_capabilities[0];

/* ---- memory ---- */

static uint64_t x86_low(const struct vm *vm)
{
    return vm->options.memory < X86_HOLE ? vm->options.memory : X86_HOLE;
}

enum avps_status arch_init_memory(struct vm *vm, struct avps_posix_error *error)
{
    const uint64_t low = x86_low(vm);
    enum avps_status status = avps_kvm_memory_add(&vm->memory, 0, low, vm->ram, false);

    if (status == AVPS_OK && vm->options.memory > low) {
        status = avps_kvm_memory_add(&vm->memory, X86_HIGH, vm->options.memory - low, vm->ram + low,
                                     false);
    }
    return status == AVPS_OK ? status
                             : host_fail(error, status, "KVM does not take the guest's memory: %s",
                                         strerror(errno));
}

/* ---- interrupt controllers ---- */

/* Both of the 8259s and the I/O APIC, which has the timer at pin 2. */
static enum avps_status x86_route_pins(struct vm *vm)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t gsi = 0; gsi < 16U && status == AVPS_OK; gsi++) {
        status = gsi != 2U
                     ? avps_kvm_irq_pin(&vm->irq, gsi,
                                        gsi < 8U ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
                                        gsi % 8U)
                     : AVPS_OK;
    }
    for (uint32_t gsi = 0; gsi < X86_PINS && status == AVPS_OK; gsi++) {
        status = gsi != 2U
                     ? avps_kvm_irq_pin(&vm->irq, gsi, KVM_IRQCHIP_IOAPIC, gsi != 0U ? gsi : 2U)
                     : AVPS_OK;
    }
    return status;
}

enum avps_status arch_init_first(struct vm *vm, struct avps_posix_error *error)
{
    const struct kvm_pit_config timer = {.flags = KVM_PIT_SPEAKER_DUMMY};
    uint64_t identity = X86_IDENTITY;
    const bool is_well = ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) == 0 &&
                         ioctl(vm->fd, KVM_SET_TSS_ADDR, X86_TSS) == 0 &&
                         ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) == 0 &&
                         ioctl(vm->fd, KVM_CREATE_PIT2, &timer) == 0;

    if (!is_well || x86_route_pins(vm) != AVPS_OK) {
        return host_fail(error, AVPS_E_IO, "KVM cannot set the interrupt controllers up: %s",
                         strerror(errno));
    }
    return AVPS_OK;
}

enum avps_status arch_init_last(struct vm *vm, struct avps_posix_error *error)
{
    (void)vm; /* all of it came before the CPUs */
    (void)error;
    return AVPS_OK;
}

/* ---- wires, console, power ---- */

/* Windows from below, PCI devices from above: each has a pin to itself. */
uint32_t arch_line(enum device_transport transport, uint32_t unit)
{
    return transport == DEVICE_PCI ? X86_PINS - 1U - unit : X86_FIRST_PIN + unit;
}

uint32_t arch_serial_line(void)
{
    return X86_COM1_IRQ;
}

/* The guest wants its choice of events back, of which none ever comes. */
static uint64_t pm_read(const struct vm *vm, uint64_t offset)
{
    switch (offset) {
    case ACPI_PM_ENABLE:
        return atomic_load(&vm->events);
    case ACPI_PM_CONTROL:
        return ACPI_SCI_ON;
    case ACPI_PM_TIMER:
        return (uint64_t)((double)avps_posix_now_ns() * ACPI_TIMER_HZ / 1e9) & UINT32_MAX;
    default:
        return 0;
    }
}

static void pm_serve(void *ctx, struct bus_access *access)
{
    struct vm *vm = ctx;

    if (!access->is_write) {
        access->value = pm_read(vm, access->offset);
    } else if (access->offset == ACPI_PM_ENABLE) {
        atomic_store(&vm->events, (unsigned int)access->value & 0xffffU);
    } else if (access->offset == ACPI_PM_CONTROL && (access->value & ACPI_SLEEP) != 0U) {
        vm_finish(vm, VM_OFF, "off");
    } else if (access->offset == ACPI_PM_RESET) {
        vm_finish(vm, VM_REBOOT, "reboot");
    }
}

bool arch_init_serial(struct vm *vm)
{
    return bus_add(&vm->ports, X86_COM1, 8, serial_serve, &vm->serial) &&
           bus_add(&vm->ports, X86_PM, ACPI_PM_SIZE, pm_serve, vm);
}

/* ---- CPUs ---- */

#define X86_CPUID_ROWS 128U

static void cpuid_number(struct kvm_cpuid_entry2 *row, uint32_t cpu)
{
    if (row->function == 1U) {
        row->ebx = (row->ebx & 0x00ffffffU) | cpu << 24U;
        row->ecx |= UINT32_C(1) << 24U; /* the local APIC's timer takes a time stamp */
        row->ecx |= UINT32_C(1) << 31U; /* there is a hypervisor: its clock, for one */
    } else if (row->function == 0xbU || row->function == 0x1fU) {
        row->edx = cpu;
    }
}

static bool x86_set_cpuid(const struct vcpu *vcpu)
{
    struct kvm_cpuid2 *rows = calloc(1, sizeof *rows + X86_CPUID_ROWS * sizeof rows->entries[0]);
    bool is_well = rows != NULL;

    if (is_well) {
        rows->nent = X86_CPUID_ROWS;
        is_well = ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, rows) == 0;
    }
    for (uint32_t i = 0; is_well && i < rows->nent; i++) {
        cpuid_number(&rows->entries[i], vcpu->index);
    }
    is_well = is_well && ioctl(vcpu->fd, KVM_SET_CPUID2, rows) == 0;
    free(rows);
    return is_well;
}

#define APIC_LINT0   0x350U
#define APIC_LINT1   0x360U
#define APIC_EXT_INT 0x700U
#define APIC_NMI     0x400U

/* As firmware leaves it: the 8259s and NMI reach the CPU. */
static bool x86_wire_apic(const struct vcpu *vcpu)
{
    struct kvm_lapic_state apic;

    if (ioctl(vcpu->fd, KVM_GET_LAPIC, &apic) != 0) {
        return false;
    }
    little_put((uint8_t *)apic.regs + APIC_LINT0, 4, APIC_EXT_INT);
    little_put((uint8_t *)apic.regs + APIC_LINT1, 4, APIC_NMI);
    return ioctl(vcpu->fd, KVM_SET_LAPIC, &apic) == 0;
}

enum avps_status arch_init_vcpu(const struct vcpu *vcpu, struct avps_posix_error *error)
{
    return x86_set_cpuid(vcpu) && x86_wire_apic(vcpu)
               ? AVPS_OK
               : host_fail(error, AVPS_E_IO, "KVM cannot set CPU %u up: %s", vcpu->index,
                           strerror(errno));
}

/* ---- booting ---- */

/* Below 1 MiB, where the kernel expects nothing. */
#define BOOT_GDT      UINT64_C(0x00500)
#define BOOT_PARAMS   UINT64_C(0x07000)
#define BOOT_STACK    UINT64_C(0x08ff0)
#define BOOT_TABLES   UINT64_C(0x09000) /* six pages */
#define BOOT_LINE     UINT64_C(0x20000)
#define BOOT_ACPI     UINT64_C(0xe0000)
#define BOOT_BIOS     UINT64_C(0x9fc00) /* what firmware would keep, up to 1 MiB */
#define BOOT_KERNEL   UINT64_C(0x100000)
#define BOOT_LINE_MAX 2048U

/* The header of a bzImage, which is part of the parameters too. */
#define SETUP_SECTORS     0x1f1U
#define SETUP_MAGIC       0x202U
#define SETUP_VERSION     0x206U
#define SETUP_LOADER      0x210U
#define SETUP_FLAGS       0x211U
#define SETUP_INITRD      0x218U
#define SETUP_INITRD_SIZE 0x21cU
#define SETUP_LINE        0x228U
#define SETUP_INITRD_MAX  0x22cU
#define SETUP_XFLAGS      0x236U
#define SETUP_INIT_SIZE   0x260U
#define SETUP_HEADER      0x290U /* where it ends */
#define PARAMS_RSDP       0x070U
#define PARAMS_E820       0x2d0U
#define PARAMS_E820_ROWS  0x1e8U
#define SECTOR            512U

struct x86_kernel {
    uint8_t setup[SETUP_HEADER];
    uint64_t offset; /* of the kernel in the file */
    uint64_t size;
};

static enum avps_status kernel_check(const struct vm *vm, struct x86_kernel *kernel,
                                     struct avps_posix_error *error)
{
    const uint8_t *setup = kernel->setup;

    if (memcmp(setup + SETUP_MAGIC, "HdrS", 4) != 0 ||
        little_get(setup + SETUP_VERSION, 2) < 0x20cU || (setup[SETUP_XFLAGS] & 1U) == 0U) {
        return host_fail(error, AVPS_E_PARAM, "%s is no bzImage with a 64-bit entry",
                         vm->options.kernel);
    }
    const uint64_t sectors = setup[SETUP_SECTORS] != 0U ? setup[SETUP_SECTORS] : 4U;
    kernel->offset = (sectors + 1U) * SECTOR;
    if (kernel->offset >= kernel->size) {
        return host_fail(error, AVPS_E_PARAM, "%s is cut short", vm->options.kernel);
    }
    kernel->size -= kernel->offset;
    const uint64_t room = little_get(setup + SETUP_INIT_SIZE, 4);
    if (room > x86_low(vm) - BOOT_KERNEL) {
        return host_fail(error, AVPS_E_PARAM, "%s needs %llu MiB of memory to start: --memory",
                         vm->options.kernel, (unsigned long long)((room + BOOT_KERNEL) >> 20U));
    }
    return AVPS_OK;
}

static enum avps_status kernel_load(struct vm *vm, struct x86_kernel *kernel,
                                    struct avps_posix_error *error)
{
    const char *path = vm->options.kernel;
    enum avps_status status = vm_file_size(path, &kernel->size, error);

    if (status == AVPS_OK && kernel->size < SETUP_HEADER) {
        return host_fail(error, AVPS_E_PARAM, "%s is no bzImage", path);
    }
    status = status == AVPS_OK ? vm_load(vm, path, 0, BOOT_PARAMS, SETUP_HEADER, error) : status;
    if (status != AVPS_OK) {
        return status;
    }
    (void)memcpy(kernel->setup, vm->ram + BOOT_PARAMS, SETUP_HEADER);
    status = kernel_check(vm, kernel, error);
    return status == AVPS_OK ? vm_load(vm, path, kernel->offset, BOOT_KERNEL, kernel->size, error)
                             : status;
}

/* As high as the kernel allows. */
static enum avps_status initrd_load(struct vm *vm, const struct x86_kernel *kernel, uint8_t *params,
                                    struct avps_posix_error *error)
{
    const uint64_t start = BOOT_KERNEL + little_get(kernel->setup + SETUP_INIT_SIZE, 4);
    const uint64_t most = little_get(kernel->setup + SETUP_INITRD_MAX, 4) + 1U;
    const uint64_t end = x86_low(vm) < most ? x86_low(vm) : most;
    uint64_t size = 0;

    if (vm->options.initrd == NULL) {
        return AVPS_OK;
    }
    const enum avps_status status = vm_file_size(vm->options.initrd, &size, error);
    if (status != AVPS_OK) {
        return status;
    }
    if (start > end || size > end - start) {
        return host_fail(error, AVPS_E_PARAM, "%s does not fit into --memory behind the kernel",
                         vm->options.initrd);
    }
    const uint64_t at = (end - size) & ~UINT64_C(0xfff);
    little_put(params + SETUP_INITRD, 4, at);
    little_put(params + SETUP_INITRD_SIZE, 4, size);
    return vm_load(vm, vm->options.initrd, 0, at, size, error);
}

static void e820_add(uint8_t *params, uint64_t base, uint64_t size, uint32_t kind)
{
    uint8_t *row = params + PARAMS_E820 + (size_t)params[PARAMS_E820_ROWS] * 20U;

    little_put(row, 8, base);
    little_put(row + 8, 8, size);
    little_put(row + 16, 4, kind);
    params[PARAMS_E820_ROWS]++;
}

static void params_memory(const struct vm *vm, uint8_t *params)
{
    const uint64_t low = x86_low(vm);

    e820_add(params, 0, BOOT_BIOS, 1);
    e820_add(params, BOOT_BIOS, BOOT_KERNEL - BOOT_BIOS, 2);
    e820_add(params, BOOT_KERNEL, low - BOOT_KERNEL, 1);
    e820_add(params, arch_map.ecam, AVPS_ECAM_SIZE(1), 2);
    if (vm->options.memory > low) {
        e820_add(params, X86_HIGH, vm->options.memory - low, 1);
    }
}

/* The first 4 GiB as they are, in pages of 2 MiB. */
static void write_page_tables(struct vm *vm)
{
    uint8_t *tables = vm->ram + BOOT_TABLES;

    (void)memset(tables, 0, 6U << 12U);
    little_put(tables, 8, (BOOT_TABLES + 0x1000U) | 3U);
    for (uint64_t i = 0; i < 4U; i++) {
        little_put(tables + 0x1000U + 8U * i, 8, (BOOT_TABLES + 0x2000U + 0x1000U * i) | 3U);
    }
    for (uint64_t i = 0; i < 2048U; i++) {
        little_put(tables + 0x2000U + 8U * i, 8, i << 21U | 0x83U);
    }
}

/* Code at 0x10 and data at 0x18, as the boot protocol has them. */
static void write_gdt(struct vm *vm)
{
    uint8_t *gdt = vm->ram + BOOT_GDT;

    (void)memset(gdt, 0, 32);
    little_put(gdt + 0x10, 8, UINT64_C(0x00af9b000000ffff));
    little_put(gdt + 0x18, 8, UINT64_C(0x00cf93000000ffff));
}

static bool enter_long_mode(const struct vcpu *vcpu)
{
    const struct kvm_segment code = {
        .limit = UINT32_MAX, .selector = 0x10, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    const struct kvm_segment data = {
        .limit = UINT32_MAX, .selector = 0x18, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    const struct kvm_regs regs = {.rip = BOOT_KERNEL + 0x200U, /* its 64-bit entry */
                                  .rsi = BOOT_PARAMS,
                                  .rsp = BOOT_STACK,
                                  .rflags = 2};
    struct kvm_sregs sregs;

    if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) != 0) {
        return false;
    }
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.gdt = (struct kvm_dtable){.base = BOOT_GDT, .limit = 31};
    sregs.cr3 = BOOT_TABLES;
    sregs.cr4 |= 0x20U;                /* PAE */
    sregs.efer |= 0x500U;              /* long mode, on */
    sregs.cr0 |= UINT64_C(0x80000001); /* paging, protection */
    return ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) == 0 && ioctl(vcpu->fd, KVM_SET_REGS, &regs) == 0;
}

static bool write_acpi(struct vm *vm)
{
    struct acpi_machine machine = {.cpus = vm->options.cpus,
                                   .pm_port = X86_PM,
                                   .local_apic = X86_LOCAL_APIC,
                                   .io_apic = X86_IO_APIC,
                                   .window_size = AVPS_MMIO_SIZE,
                                   .has_pci = vm->devices.function_count != 0U,
                                   .ecam = arch_map.ecam,
                                   .pci_window = arch_map.pci_window,
                                   .pci_size = arch_map.pci_size,
                                   .pci_last_gsi = X86_PINS - 1U,
                                   .pci_pins = vm->devices.function_count};

    for (uint32_t i = 0; i < vm->devices.window_count; i++) {
        machine.windows[i] = arch_map.mmio + i * arch_map.mmio_step;
        machine.window_gsis[i] = arch_line(DEVICE_MMIO, i);
    }
    machine.window_count = vm->devices.window_count;
    return acpi_write(&machine, vm->ram + BOOT_ACPI, BOOT_KERNEL - BOOT_ACPI, BOOT_ACPI) != 0U;
}

static enum avps_status write_params(struct vm *vm, const struct x86_kernel *kernel,
                                     struct avps_posix_error *error)
{
    uint8_t *params = vm->ram + BOOT_PARAMS;
    const char *planned = vm->platform != NULL ? vm->platform->guest->bootargs : "";
    char line[BOOT_LINE_MAX];
    const int length = snprintf(line, sizeof line, "%s%s%s", planned, planned[0] != '\0' ? " " : "",
                                vm->options.append);

    if (length < 0 || length >= (int)sizeof line) {
        return host_fail(error, AVPS_E_PARAM, "--append is longer than %u bytes",
                         BOOT_LINE_MAX - 1U);
    }
    (void)memset(params, 0, 4096);
    (void)memcpy(params + SETUP_SECTORS, kernel->setup + SETUP_SECTORS,
                 SETUP_HEADER - SETUP_SECTORS);
    (void)memcpy(vm->ram + BOOT_LINE, line, (size_t)length + 1U);
    params[SETUP_LOADER] = 0xff; /* of no known kind */
    params[SETUP_FLAGS] |= 1U;   /* the kernel was loaded high */
    little_put(params + SETUP_LINE, 4, BOOT_LINE);
    little_put(params + PARAMS_RSDP, 8, BOOT_ACPI);
    params_memory(vm, params);
    return initrd_load(vm, kernel, params, error);
}

enum avps_status arch_boot(struct vm *vm, struct avps_posix_error *error)
{
    struct x86_kernel kernel;
    enum avps_status status = kernel_load(vm, &kernel, error);

    status = status == AVPS_OK ? write_params(vm, &kernel, error) : status;
    if (status != AVPS_OK) {
        return status;
    }
    write_page_tables(vm);
    write_gdt(vm);
    if (vm->devices.function_count + vm->devices.window_count > X86_PINS - X86_FIRST_PIN ||
        !write_acpi(vm)) {
        return host_fail(error, AVPS_E_NOSPACE, "there are interrupts for %u devices only",
                         X86_PINS - X86_FIRST_PIN);
    }
    return enter_long_mode(&vm->vcpus[0])
               ? AVPS_OK
               : host_fail(error, AVPS_E_IO, "KVM cannot set CPU 0 up: %s", strerror(errno));
}
