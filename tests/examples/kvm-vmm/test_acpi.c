/* SPDX-License-Identifier: BSD-3-Clause */
/* ACPI tables of avps-kvm: found from the root, whole, with what the machine has. */
#include "support/mem.h"

#include <stdbool.h>

#include "acpi.h"
#include "little.h"

#define ADDRESS UINT64_C(0xe0000)

static uint8_t bytes[8192];
static size_t used;

static struct acpi_machine machine_of(uint32_t windows, bool pci)
{
    struct acpi_machine machine = {.cpus = 2,
                                   .pm_port = 0x600,
                                   .local_apic = 0xfee00000,
                                   .io_apic = 0xfec00000,
                                   .window_count = windows,
                                   .window_size = 0x200,
                                   .has_pci = pci,
                                   .ecam = 0xe0000000,
                                   .pci_window = 0xc0000000,
                                   .pci_size = 0x20000000,
                                   .pci_last_gsi = 23,
                                   .pci_pins = pci ? 4U : 0U};

    for (uint32_t i = 0; i < windows; i++) {
        machine.windows[i] = 0xe8000000U + 0x1000U * i;
        machine.window_gsis[i] = 16U + i;
    }
    return machine;
}

static void build(uint32_t windows, bool pci)
{
    const struct acpi_machine machine = machine_of(windows, pci);

    memset(bytes, 0xa5, sizeof bytes);
    used = acpi_write(&machine, bytes, sizeof bytes, ADDRESS);
    assert_true(used != 0U);
    for (size_t i = used; i < sizeof bytes; i++) {
        assert_int_equal(bytes[i], 0xa5); /* nothing behind what it says */
    }
}

static uint8_t sum(const uint8_t *at, size_t size)
{
    uint8_t total = 0;

    for (size_t i = 0; i < size; i++) {
        total = (uint8_t)(total + at[i]);
    }
    return total;
}

/* A table that the root leads to; NULL: there is none. Its checksum is right. */
static const uint8_t *table(const char *signature)
{
    const uint8_t *xsdt = bytes + (little_get(bytes + 24, 8) - ADDRESS);
    const uint64_t count = (little_get(xsdt + 4, 4) - 36U) / 8U;

    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *at = bytes + (little_get(xsdt + 36U + 8U * i, 8) - ADDRESS);

        assert_int_equal(sum(at, little_get(at + 4, 4)), 0);
        if (memcmp(at, signature, 4) == 0) {
            return at;
        }
    }
    return NULL;
}

static const uint8_t *dsdt(void)
{
    const uint8_t *fadt = table("FACP");

    assert_non_null(fadt);
    return bytes + (little_get(fadt + 140, 8) - ADDRESS);
}

/* How often these bytes are in the DSDT. */
static unsigned int in_dsdt(const void *wanted, size_t size)
{
    const uint8_t *at = dsdt();
    const uint64_t length = little_get(at + 4, 4);
    unsigned int found = 0;

    for (uint64_t i = 36; i + size <= length; i++) {
        found += memcmp(at + i, wanted, size) == 0 ? 1U : 0U;
    }
    return found;
}

static void test_the_root_leads_to_whole_tables(void **state)
{
    (void)state;
    build(4, false);
    assert_memory_equal(bytes, "RSD PTR ", 8);
    assert_int_equal(sum(bytes, 20), 0);
    assert_int_equal(sum(bytes, 36), 0);
    assert_non_null(table("FACP"));
    assert_non_null(table("APIC"));
    assert_null(table("MCFG")); /* no PCI */
    assert_int_equal(sum(dsdt(), little_get(dsdt() + 4, 4)), 0);
    assert_memory_equal(dsdt(), "DSDT", 4);
}

static void test_every_cpu_has_its_interrupt_controller(void **state)
{
    const uint8_t *madt = NULL;

    (void)state;
    build(1, false);
    madt = table("APIC");
    assert_int_equal(little_get(madt + 36, 4), 0xfee00000);
    assert_int_equal(madt[44], 0); /* a local one */
    assert_int_equal(madt[47], 0);
    assert_int_equal(madt[52], 0);
    assert_int_equal(madt[55], 1);
    assert_int_equal(madt[60], 1); /* the shared one */
    assert_int_equal(little_get(madt + 64, 4), 0xfec00000);
}

static void test_every_window_is_a_device(void **state)
{
    static const uint8_t memory[] = {0x86, 9, 0, 1, 0, 0x20, 0, 0xe8, 0, 2, 0, 0};
    static const uint8_t interrupt[] = {0x89, 6, 0, 1, 1, 18, 0, 0, 0};

    (void)state;
    build(3, false);
    assert_int_equal(in_dsdt("LNRO0005", 9), 3);
    assert_int_equal(in_dsdt(memory, sizeof memory), 1); /* the third */
    assert_int_equal(in_dsdt(interrupt, sizeof interrupt), 1);
    assert_int_equal(in_dsdt("PCI0", 4), 0);
}

static void test_the_pci_host_and_its_window_are_there(void **state)
{
    static const uint8_t pin[] = {0x0c, 23, 0, 0, 0};
    static const uint8_t window[] = {0x87, 0x17, 0, 0, 0x0c, 1,    0,    0,    0,
                                     0,    0,    0, 0, 0xc0, 0xff, 0xff, 0xff, 0xdf};
    const uint8_t *mcfg = NULL;

    (void)state;
    build(0, true);
    mcfg = table("MCFG");
    assert_non_null(mcfg);
    assert_int_equal(little_get(mcfg + 44, 8), 0xe0000000);
    assert_int_equal(little_get(mcfg + 52, 8), 0); /* segment 0, bus 0 */
    assert_int_equal(in_dsdt("PCI0", 4), 1);
    assert_int_equal(in_dsdt("_PRT", 4), 1);
    assert_int_equal(in_dsdt(pin, sizeof pin), 1); /* of the first device */
    assert_int_equal(in_dsdt(window, sizeof window), 1);
    assert_int_equal(in_dsdt("LNRO0005", 9), 0);
}

static void test_power_is_at_its_ports(void **state)
{
    const uint8_t *fadt = NULL;

    (void)state;
    build(1, false);
    fadt = table("FACP");
    assert_int_equal(little_get(fadt + 4, 4), 276);
    assert_int_equal(little_get(fadt + 64, 4), 0x604);
    assert_int_equal(little_get(fadt + 76, 4), 0x608);
    assert_int_equal(little_get(fadt + 120, 8), 0x60c);
    assert_int_equal(little_get(fadt + 36, 4) % 64U, 0); /* FACS */
    assert_memory_equal(bytes + (little_get(fadt + 36, 4) - ADDRESS), "FACS", 4);
    assert_int_equal(in_dsdt("_S5_", 4), 1);
}

static void test_sixteen_windows_fit_and_too_little_room_is_told(void **state)
{
    const struct acpi_machine machine = machine_of(ACPI_WINDOWS, true);

    (void)state;
    build(ACPI_WINDOWS, true);
    assert_int_equal(in_dsdt("LNRO0005", 9), ACPI_WINDOWS);
    const size_t whole = used;
    for (size_t size = 0; size < whole; size++) {
        assert_int_equal(acpi_write(&machine, bytes, size, ADDRESS), 0);
    }
    assert_int_equal(acpi_write(&machine, bytes, whole, ADDRESS), whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_root_leads_to_whole_tables),
        cmocka_unit_test(test_every_cpu_has_its_interrupt_controller),
        cmocka_unit_test(test_every_window_is_a_device),
        cmocka_unit_test(test_the_pci_host_and_its_window_are_there),
        cmocka_unit_test(test_power_is_at_its_ports),
        cmocka_unit_test(test_sixteen_windows_fit_and_too_little_room_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
