/* SPDX-License-Identifier: BSD-3-Clause */
/* arm64: map -> capabilities -> interrupt controller -> wires and console -> CPUs -> booting. */
#include <errno.h>
#include <libfdt.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "arm64.h"
#include "avps_common/platform_tree.h"
#include "little.h"
#include "vm.h"

/* ---- map ---- */

#define ARM64_GICD       UINT64_C(0x08000000)
#define ARM64_GICD_SIZE  UINT64_C(0x00010000)
#define ARM64_ITS        UINT64_C(0x08080000)
#define ARM64_ITS_SIZE   UINT64_C(0x00020000)
#define ARM64_GICR       UINT64_C(0x080a0000)
#define ARM64_GICR_SIZE  UINT64_C(0x00020000) /* of each CPU */
#define ARM64_UART       UINT64_C(0x09000000)
#define ARM64_RAM        UINT64_C(0x40000000)
#define ARM64_KERNEL     UINT64_C(0x00200000) /* in RAM; the device tree is below */
#define ARM64_UART_SPI   1U
#define ARM64_MMIO_SPI   16U /* of register windows */
#define ARM64_PCI_SPI    32U /* of PCI devices' pins */
#define ARM64_SPI_BASE   32U /* interrupt number of SPI 0 */
#define ARM64_CLOCK      16U /* phandle, above those of avps_platform_write_tree */
#define ARM64_CLOCK_RATE 24000000U
#define ARM64_LEVEL      4U /* of an interrupt */

const struct arch_map arch_map = {
    .name = "arm64",
    .mmio = UINT64_C(0x0a000000),
    .mmio_step = AVPS_MMIO_SIZE,
    .ecam = UINT64_C(0x3f000000),
    .pci_window = UINT64_C(0x10000000),
    .pci_size = UINT64_C(0x2eff0000),
    .message_gsi = 512, /* above all SPIs */
    .has_requester = true,
};

/* ---- capabilities ---- */

#define CAPABILITY(number)                                                                         \
    {                                                                                              \
        number, #number                                                                            \
    }

const struct arch_capability arch_capabilities[] = {
    CAPABILITY(KVM_CAP_ARM_PSCI_0_2),
    CAPABILITY(KVM_CAP_DEVICE_CTRL),
    CAPABILITY(KVM_CAP_ONE_REG),
};
const uint32_t arch_capability_count = sizeof arch_capabilities / sizeof arch_capabilities[0];

enum avps_status arch_init_memory(struct vm *vm, struct avps_posix_error *error)
{
    const enum avps_status status =
        avps_kvm_memory_add(&vm->memory, ARM64_RAM, vm->options.memory, vm->ram, false);

    return status == AVPS_OK ? status
                             : host_fail(error, status, "KVM does not take the guest's memory: %s",
                                         strerror(errno));
}

/* ---- interrupt controller ---- */

bool arm64_attribute(int fd, unsigned long request, uint32_t group, uint64_t number, void *value)
{
    const struct kvm_device_attr attribute = {
        .group = group, .attr = number, .addr = (uint64_t)(uintptr_t)value};

    return ioctl(fd, request, &attribute) == 0;
}

static bool arm64_set(int fd, uint32_t group, uint64_t number, void *value)
{
    return arm64_attribute(fd, KVM_SET_DEVICE_ATTR, group, number, value);
}

static int arm64_make(const struct vm *vm, uint32_t type)
{
    struct kvm_create_device make = {.type = type};

    return ioctl(vm->fd, KVM_CREATE_DEVICE, &make) == 0 ? (int)make.fd : -1;
}

static bool arm64_place_gic(const struct vm *vm)
{
    uint64_t distributor = ARM64_GICD;
    uint64_t redistributors = ARM64_GICR;
    uint64_t its = ARM64_ITS;

    return arm64_set(vm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
                     &distributor) &&
           arm64_set(vm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST,
                     &redistributors) &&
           arm64_set(vm->its_fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &its);
}

enum avps_status arch_init_first(struct vm *vm, struct avps_posix_error *error)
{
    (void)vm; /* all of it comes behind the CPUs */
    (void)error;
    return AVPS_OK;
}

enum avps_status arch_init_last(struct vm *vm, struct avps_posix_error *error)
{
    uint32_t interrupts = ARM64_INTERRUPTS;

    vm->irqchip_fd = arm64_make(vm, KVM_DEV_TYPE_ARM_VGIC_V3);
    vm->its_fd = arm64_make(vm, KVM_DEV_TYPE_ARM_VGIC_ITS);
    if (vm->irqchip_fd < 0 || vm->its_fd < 0) {
        return host_fail(error, AVPS_E_UNSUPPORTED,
                         "this machine's KVM has no GICv3 with an ITS: it needs a GICv3 (QEMU: "
                         "-M virt,virtualization=on,gic-version=3)");
    }
    const bool is_well =
        arm64_place_gic(vm) &&
        arm64_set(vm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &interrupts) &&
        arm64_set(vm->irqchip_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL) &&
        arm64_set(vm->its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
    return is_well
               ? AVPS_OK
               : host_fail(error, AVPS_E_IO, "KVM cannot set the GICv3 up: %s", strerror(errno));
}

/* ---- wires and console ---- */

static uint32_t arm64_spi(uint32_t spi)
{
    return ((uint32_t)KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT) | (ARM64_SPI_BASE + spi);
}

uint32_t arch_line(enum device_transport transport, uint32_t unit)
{
    return arm64_spi((transport == DEVICE_PCI ? ARM64_PCI_SPI : ARM64_MMIO_SPI) + unit);
}

uint32_t arch_serial_line(void)
{
    return arm64_spi(ARM64_UART_SPI);
}

bool arch_init_serial(struct vm *vm)
{
    return bus_add(&vm->bus, ARM64_UART, SERIAL_SIZE, serial_serve, &vm->serial);
}

/* ---- CPUs ---- */

static bool arm64_set_core(const struct vcpu *vcpu, size_t offset, uint64_t value)
{
    const struct kvm_one_reg reg = {.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
                                          (offset / sizeof(uint32_t)),
                                    .addr = (uint64_t)(uintptr_t)&value};

    return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) == 0;
}

/* The others are off until the first one calls for them (PSCI). */
static bool arm64_init_vcpu(const struct vcpu *vcpu)
{
    struct kvm_vcpu_init init;

    if (ioctl(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init) != 0) {
        return false;
    }
    init.features[0] |= 1U << KVM_ARM_VCPU_PSCI_0_2;
    init.features[0] |= vcpu->index != 0U ? 1U << KVM_ARM_VCPU_POWER_OFF : 0U;
    return ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init) == 0;
}

enum avps_status arch_init_vcpu(const struct vcpu *vcpu, struct avps_posix_error *error)
{
    return arm64_init_vcpu(vcpu) ? AVPS_OK
                                 : host_fail(error, AVPS_E_IO, "KVM cannot set CPU %u up: %s",
                                             vcpu->index, strerror(errno));
}

/* ---- booting ---- */

#define IMAGE_HEADER 64U
#define IMAGE_OFFSET 8U  /* text_offset */
#define IMAGE_SIZE   16U /* with what is zero at first */
#define IMAGE_MAGIC  56U

static enum avps_status arm64_load_kernel(struct vm *vm, uint64_t *entry, uint64_t *end,
                                          struct avps_posix_error *error)
{
    const char *path = vm->options.kernel;
    const uint8_t *header = vm->ram + ARM64_KERNEL;
    uint64_t size = 0;
    enum avps_status status = vm_file_size(path, &size, error);

    status =
        status == AVPS_OK ? vm_load(vm, path, 0, ARM64_RAM + ARM64_KERNEL, size, error) : status;
    if (status != AVPS_OK) {
        return status;
    }
    if (size < IMAGE_HEADER || memcmp(header + IMAGE_MAGIC, "ARM\x64", 4) != 0) {
        return host_fail(error, AVPS_E_PARAM,
                         "%s is no arm64 Image: a compressed one has to be unpacked (gzip -d)",
                         path);
    }
    const uint64_t offset = little_get(header + IMAGE_OFFSET, 8);
    const uint64_t whole = little_get(header + IMAGE_SIZE, 8);
    if (offset != 0U || whole > vm->options.memory - ARM64_KERNEL) {
        return host_fail(error, AVPS_E_PARAM,
                         "%s wants %llu bytes at offset 0x%llx of memory: a kernel from 5.8 on "
                         "that fits into --memory is needed",
                         path, (unsigned long long)whole, (unsigned long long)offset);
    }
    *entry = ARM64_RAM + ARM64_KERNEL;
    *end = *entry + (whole > size ? whole : size);
    return AVPS_OK;
}

/* At the end of memory. */
static enum avps_status arm64_load_initrd(struct vm *vm, uint64_t kernel_end,
                                          struct avps_platform_range *initrd,
                                          struct avps_posix_error *error)
{
    const uint64_t end = ARM64_RAM + vm->options.memory;

    *initrd = (struct avps_platform_range){0};
    if (vm->options.initrd == NULL) {
        return AVPS_OK;
    }
    const enum avps_status status = vm_file_size(vm->options.initrd, &initrd->size, error);
    if (status != AVPS_OK) {
        return status;
    }
    if (initrd->size > end - kernel_end) {
        return host_fail(error, AVPS_E_PARAM, "%s does not fit into --memory behind the kernel",
                         vm->options.initrd);
    }
    initrd->base = (end - initrd->size) & ~UINT64_C(0xfff);
    return vm_load(vm, vm->options.initrd, 0, initrd->base, initrd->size, error);
}

/* The serial console and its clock, below the root. */
static int arm64_describe_serial(void *ctx, void *fdt)
{
    static const char kinds[] = "arm,pl011\0arm,primecell";
    static const char clocks[] = "uartclk\0apb_pclk";
    const fdt32_t both[] = {cpu_to_fdt32(ARM64_CLOCK), cpu_to_fdt32(ARM64_CLOCK)};
    const fdt32_t interrupt[] = {0, cpu_to_fdt32(ARM64_UART_SPI), cpu_to_fdt32(ARM64_LEVEL)};
    const fdt64_t reg[] = {cpu_to_fdt64(ARM64_UART), cpu_to_fdt64(SERIAL_SIZE)};

    (void)ctx;
    return fdt_begin_node(fdt, "apb-pclk") | fdt_property_string(fdt, "compatible", "fixed-clock") |
           fdt_property_u32(fdt, "#clock-cells", 0) |
           fdt_property_u32(fdt, "clock-frequency", ARM64_CLOCK_RATE) |
           fdt_property_u32(fdt, "phandle", ARM64_CLOCK) | fdt_end_node(fdt) |
           fdt_begin_node(fdt, "serial@9000000") |
           fdt_property(fdt, "compatible", kinds, sizeof kinds) |
           fdt_property(fdt, "reg", reg, sizeof reg) |
           fdt_property(fdt, "interrupts", interrupt, sizeof interrupt) |
           fdt_property(fdt, "clocks", both, sizeof both) |
           fdt_property(fdt, "clock-names", clocks, sizeof clocks) | fdt_end_node(fdt);
}

/* What the command line says, in the terms of a platform file: enough for a device tree. */
static void arm64_as_platform(const struct vm *vm, struct avps_platform_guest *guest)
{
    *guest = (struct avps_platform_guest){.name = "guest",
                                          .bootargs = "",
                                          .cpus = vm->options.cpus,
                                          .memory_mib = (uint32_t)(vm->options.memory >> 20U),
                                          .device_count = vm->devices.count};
    for (uint32_t i = 0; i < vm->devices.count; i++) {
        const struct device *device = vm->devices.list[i];

        guest->devices[i] = (struct avps_platform_device){
            .name = device->host->name,
            .transport = device->transport == DEVICE_PCI ? AVPS_PLATFORM_PCI : AVPS_PLATFORM_MMIO,
            .unit = device->unit,
            .access_platform = device->host->access_platform};
    }
}

static bool arm64_describe(const struct vm *vm, const struct avps_platform_range *initrd)
{
    const struct avps_platform_machine machine = {
        .ram = ARM64_RAM,
        .distributor = {ARM64_GICD, ARM64_GICD_SIZE},
        .redistributors = {ARM64_GICR, vm->options.cpus * ARM64_GICR_SIZE},
        .msi = AVPS_PLATFORM_ITS,
        .messages = {ARM64_ITS, ARM64_ITS_SIZE},
        .mmio = arch_map.mmio,
        .mmio_stride = arch_map.mmio_step,
        .mmio_spi = ARM64_MMIO_SPI,
        .ecam = arch_map.ecam,
        .pci_buses = 1,
        .pci_memory = {arch_map.pci_window, arch_map.pci_size},
        .pci_first = DEVICE_PCI_FIRST,
        .pci_spi = ARM64_PCI_SPI,
    };
    const struct avps_platform_boot boot = {.model = "avps-kvm",
                                            .bootargs = vm->options.append,
                                            .initrd = *initrd,
                                            .more = arm64_describe_serial};
    static struct avps_platform_guest options; /* large */
    const struct avps_platform_guest *guest = vm->platform != NULL ? vm->platform->guest : &options;
    size_t used = 0;

    if (guest == &options) {
        arm64_as_platform(vm, &options);
    }
    return avps_platform_write_tree(guest, &machine, &boot, vm->ram, ARM64_KERNEL, &used) ==
           AVPS_OK;
}

enum avps_status arch_boot(struct vm *vm, struct avps_posix_error *error)
{
    struct avps_platform_range initrd;
    uint64_t entry = 0;
    uint64_t end = 0;
    enum avps_status status = arm64_load_kernel(vm, &entry, &end, error);

    status = status == AVPS_OK ? arm64_load_initrd(vm, end, &initrd, error) : status;
    if (status != AVPS_OK) {
        return status;
    }
    if (!arm64_describe(vm, &initrd)) {
        return host_fail(error, AVPS_E_NOSPACE, "the device tree does not fit: --append is long");
    }
    const bool is_well =
        arm64_set_core(&vm->vcpus[0], offsetof(struct kvm_regs, regs.pc), entry) &&
        arm64_set_core(&vm->vcpus[0], offsetof(struct kvm_regs, regs.regs[0]), ARM64_RAM);
    return is_well ? AVPS_OK
                   : host_fail(error, AVPS_E_IO, "KVM cannot set CPU 0 up: %s", strerror(errno));
}
