/* SPDX-License-Identifier: BSD-3-Clause */
/* What an x86-64 guest is told about its machine: ACPI tables, with the few words of AML that name the
 * devices. Stock kernels find virtio-mmio windows (LNRO0005) and the PCI host by them. */
#ifndef ACPI_H
#define ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_WINDOWS 16U
#define ACPI_SCI     9U /* interrupt of ACPI itself; never raised */

/* Registers at a port base: PM1 event and control, timer, reset. */
#define ACPI_PM_EVENT   0x0U
#define ACPI_PM_ENABLE  0x2U
#define ACPI_PM_CONTROL 0x4U
#define ACPI_PM_TIMER   0x8U
#define ACPI_PM_RESET   0xcU
#define ACPI_PM_SIZE    0x10U
#define ACPI_SLEEP      0x2000U /* in PM1 control: go to sleep, which is off */
#define ACPI_SCI_ON     0x1U    /* in PM1 control: ACPI is on */
#define ACPI_TIMER_HZ   3579545U

struct acpi_machine {
    uint32_t cpus;
    uint16_t pm_port;
    uint64_t local_apic;
    uint64_t io_apic;
    uint32_t window_count; /* virtio-mmio windows, of window_size bytes, with their interrupts */
    uint32_t window_size;
    uint64_t windows[ACPI_WINDOWS];
    uint32_t window_gsis[ACPI_WINDOWS];
    bool has_pci;
    uint64_t ecam; /* of bus 0 */
    uint64_t pci_window;
    uint64_t pci_size;
    uint32_t pci_last_gsi; /* pin A of PCI device n is interrupt last - (n - 1) */
    uint32_t pci_pins;     /* devices that have one */
};

/* Write the tables to `bytes`, which the guest sees at `address`: the root pointer comes first.
 * @return Bytes used; 0: they do not fit. */
size_t acpi_write(const struct acpi_machine *machine, uint8_t *bytes, size_t size,
                  uint64_t address);

#endif
