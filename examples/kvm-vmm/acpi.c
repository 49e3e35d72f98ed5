/* SPDX-License-Identifier: BSD-3-Clause */
/* ACPI: AML words -> resources -> devices -> tables -> all of it. */
#include "acpi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "little.h"
#include "state.h"

#define ACPI_HEADER   36U
#define ACPI_ALIGN    16U
#define ACPI_REVISION 2U

/* Names of PNP devices, compressed as EISA has it. */
#define EISA_PCI_EXPRESS UINT32_C(0x080ad041) /* PNP0A08 */
#define EISA_PCI         UINT32_C(0x030ad041) /* PNP0A03 */
#define EISA_BOARD       UINT32_C(0x020cd041) /* PNP0C02: addresses that are taken */

/* ---- AML words ---- */

static void aml_byte(struct state_out *out, uint32_t byte)
{
    const uint8_t value = (uint8_t)byte;

    state_put(out, &value, 1);
}

static void aml_number(struct state_out *out, uint32_t width, uint64_t value)
{
    uint8_t bytes[8];

    little_put(bytes, width, value);
    state_put(out, bytes, width);
}

static void aml_integer(struct state_out *out, uint64_t value)
{
    aml_byte(out, 0x0c); /* DWordPrefix */
    aml_number(out, 4, value);
}

/* `prefix` of one or two bytes, a length that counts itself, then the content, which is freed. */
static void aml_block(struct state_out *out, const char *prefix, size_t prefix_size,
                      struct state_out *content)
{
    const size_t length = content->size + 2U;

    state_put(out, prefix, prefix_size);
    aml_byte(out, 0x40U | (length & 0xfU)); /* one more byte of length follows */
    aml_byte(out, (uint32_t)(length >> 4U));
    state_put(out, content->bytes, content->size);
    out->failed = out->failed || content->failed || length > 0xfffU;
    free(content->bytes);
    *content = (struct state_out){0};
}

static void aml_name(struct state_out *out, const char *name)
{
    aml_byte(out, 0x08); /* NameOp */
    state_put(out, name, 4);
}

static void aml_name_integer(struct state_out *out, const char *name, uint64_t value)
{
    aml_name(out, name);
    aml_integer(out, value);
}

/* A package of four integers, as a value. */
static void aml_four(struct state_out *out, const uint32_t values[4])
{
    struct state_out content = {0};

    aml_byte(&content, 4);
    for (uint32_t i = 0; i < 4U; i++) {
        aml_integer(&content, values[i]);
    }
    aml_block(out, "\x12", 1, &content);
}

/* ---- resources ---- */

static void resource_memory(struct state_out *out, uint64_t base, uint64_t size)
{
    state_put(out, "\x86\x09\x00\x01", 4); /* 32 bits, fixed, read and write */
    aml_number(out, 4, base);
    aml_number(out, 4, size);
}

/* Level, high, for this device alone. */
static void resource_interrupt(struct state_out *out, uint32_t gsi)
{
    state_put(out, "\x89\x06\x00\x01\x01", 5);
    aml_number(out, 4, gsi);
}

/* What a host bridge passes on: `kind` 0 memory, 2 bus numbers; of `width` bytes each. */
static void resource_window(struct state_out *out, uint32_t kind, uint32_t width, uint64_t first,
                            uint64_t size)
{
    aml_byte(out, width == 4U ? 0x87U : 0x88U);
    aml_number(out, 2, 3U + 5U * width);
    aml_byte(out, kind);
    aml_byte(out, 0x0c); /* first and last are fixed */
    aml_byte(out, kind == 0U ? 1U : 0U);
    aml_number(out, width, 0);
    aml_number(out, width, first);
    aml_number(out, width, first + size - 1U);
    aml_number(out, width, 0);
    aml_number(out, width, size);
}

/* _CRS: the resources in a buffer with its size and an end tag; `resources` is freed. */
static void aml_resources(struct state_out *out, struct state_out *resources)
{
    struct state_out content = {0};

    state_put(resources, "\x79", 2); /* with no checksum */
    aml_integer(&content, resources->size);
    state_put(&content, resources->bytes, resources->size);
    content.failed = content.failed || resources->failed;
    free(resources->bytes);
    aml_name(out, "_CRS");
    aml_block(out, "\x11", 1, &content);
}

/* ---- devices ---- */

static void aml_device(struct state_out *out, const char *name, struct state_out *content)
{
    struct state_out named = {0};

    state_put(&named, name, 4);
    state_put(&named, content->bytes, content->size);
    named.failed = named.failed || content->failed;
    free(content->bytes);
    aml_block(out, "\x5b\x82", 2, &named);
}

static void aml_window(struct state_out *out, const struct acpi_machine *machine, uint32_t i)
{
    struct state_out content = {0};
    struct state_out resources = {0};
    char name[8];

    (void)snprintf(name, sizeof name, "VM%02X", i & 0xffU);
    aml_name(&content, "_HID");
    state_put(&content, "\x0dLNRO0005", sizeof "\x0dLNRO0005");
    aml_name_integer(&content, "_UID", i);
    aml_name_integer(&content, "_CCA", 1);
    resource_memory(&resources, machine->windows[i], machine->window_size);
    resource_interrupt(&resources, machine->window_gsis[i]);
    aml_resources(&content, &resources);
    aml_device(out, name, &content);
}

/* _PRT: where pin A of each device leads to. */
static void aml_pins(struct state_out *out, const struct acpi_machine *machine)
{
    struct state_out content = {0};

    aml_byte(&content, machine->pci_pins);
    for (uint32_t i = 0; i < machine->pci_pins; i++) {
        const uint32_t row[4] = {(i + 1U) << 16U | 0xffffU, 0, 0, machine->pci_last_gsi - i};

        aml_four(&content, row);
    }
    aml_name(out, "_PRT");
    aml_block(out, "\x12", 1, &content);
}

static void aml_pci(struct state_out *out, const struct acpi_machine *machine)
{
    struct state_out content = {0};
    struct state_out resources = {0};

    aml_name_integer(&content, "_HID", EISA_PCI_EXPRESS);
    aml_name_integer(&content, "_CID", EISA_PCI);
    aml_name_integer(&content, "_SEG", 0);
    aml_name_integer(&content, "_BBN", 0);
    aml_name_integer(&content, "_UID", 0);
    resource_window(&resources, 2, 2, 0, 1);
    resource_window(&resources, 0, 4, machine->pci_window, machine->pci_size);
    aml_resources(&content, &resources);
    aml_pins(&content, machine);
    aml_device(out, "PCI0", &content);
}

/* Linux uses an ECAM window only if a device has it as its own. */
static void aml_board(struct state_out *out, const struct acpi_machine *machine)
{
    struct state_out content = {0};
    struct state_out resources = {0};

    aml_name_integer(&content, "_HID", EISA_BOARD);
    aml_name_integer(&content, "_UID", 1);
    resource_memory(&resources, machine->ecam, UINT64_C(1) << 20U);
    aml_resources(&content, &resources);
    aml_device(out, "ECAM", &content);
}

static struct state_out acpi_dsdt(const struct acpi_machine *machine)
{
    static const uint32_t off[4] = {5, 0, 0, 0};
    struct state_out out = {0};
    struct state_out scope = {0};

    aml_name(&out, "_S5_");
    aml_four(&out, off);
    state_put(&scope, "_SB_", 4);
    for (uint32_t i = 0; i < machine->window_count; i++) {
        aml_window(&scope, machine, i);
    }
    if (machine->has_pci) {
        aml_pci(&scope, machine);
        aml_board(&scope, machine);
    }
    aml_block(&out, "\x10", 1, &scope);
    return out;
}

/* ---- tables ---- */

/* Where the tables go, and how far they are. */
struct acpi_place {
    uint8_t *bytes;
    size_t size;
    size_t used;
    uint64_t address;
    bool failed;
};

static void acpi_checksum(uint8_t *table, size_t size, size_t at)
{
    uint8_t sum = 0;

    table[at] = 0;
    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + table[i]);
    }
    table[at] = (uint8_t)(0U - sum);
}

/* Room for `size` bytes, all zero. @return Its guest address; 0: there is none. */
static uint64_t acpi_room(struct acpi_place *place, size_t size, uint8_t **table)
{
    const size_t at = (place->used + ACPI_ALIGN - 1U) & ~(size_t)(ACPI_ALIGN - 1U);

    if (at > place->size || size > place->size - at) {
        place->failed = true;
        return 0;
    }
    *table = place->bytes + at;
    (void)memset(*table, 0, size);
    place->used = at + size;
    return place->address + at;
}

/* A name, which has no end but its size. */
static void acpi_name(uint8_t *at, const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)name[i];
    }
}

/* A table with its header and what follows it, which is freed. @return Its guest address. */
static uint64_t acpi_table(struct acpi_place *place, const char *signature, uint8_t revision,
                           struct state_out *body)
{
    uint8_t *table = NULL;
    const size_t size = ACPI_HEADER + body->size;
    const uint64_t address = body->failed ? 0U : acpi_room(place, size, &table);

    if (address != 0U) {
        acpi_name(table, signature, 4);
        little_put(table + 4, 4, size);
        table[8] = revision;
        acpi_name(table + 10, "LIBAVPAVPSKVM ", 14);
        little_put(table + 24, 4, 1);
        acpi_name(table + 28, "AVPS", 4);
        little_put(table + 32, 4, 1);
        (void)memcpy(table + ACPI_HEADER, body->bytes, body->size);
        acpi_checksum(table, size, 9);
    }
    place->failed = place->failed || address == 0U;
    free(body->bytes);
    return address;
}

/* Local interrupt controllers, the shared one, and which legacy interrupts are not where they seem. */
static struct state_out acpi_madt(const struct acpi_machine *machine)
{
    struct state_out out = {0};

    aml_number(&out, 4, machine->local_apic);
    aml_number(&out, 4, 1); /* there are 8259s too */
    for (uint32_t i = 0; i < machine->cpus; i++) {
        const uint8_t row[8] = {0, 8, (uint8_t)i, (uint8_t)i, 1};

        state_put(&out, row, sizeof row);
    }
    state_put(&out, "\x01\x0c\x00\x00", 4);
    aml_number(&out, 4, machine->io_apic);
    aml_number(&out, 4, 0);
    state_put(&out, "\x02\x0a\x00\x00\x02\x00\x00\x00\x00\x00", 10); /* the timer: 0 is 2 */
    state_put(&out, "\x02\x0a\x00\x09\x09\x00\x00\x00\x0d\x00", 10); /* ACPI: level, high */
    return out;
}

static struct state_out acpi_mcfg(const struct acpi_machine *machine)
{
    struct state_out out = {0};

    aml_number(&out, 8, 0);
    aml_number(&out, 8, machine->ecam);
    aml_number(&out, 8, 0); /* segment 0, buses 0 to 0 */
    return out;
}

/* Offsets as the specification counts them, from the table's start. */
static void fadt_put(struct state_out *body, uint32_t offset, uint32_t width, uint64_t value)
{
    if (!body->failed) {
        little_put(body->bytes + (offset - ACPI_HEADER), width, value);
    }
}

/* A register in port space. */
static void fadt_port(struct state_out *body, uint32_t offset, uint32_t bits, uint64_t port)
{
    fadt_put(body, offset, 1, 1);
    fadt_put(body, offset + 1U, 1, bits);
    fadt_put(body, offset + 4U, 8, port);
}

static struct state_out acpi_fadt(const struct acpi_machine *machine, uint64_t facs, uint64_t dsdt)
{
    static const uint8_t zeroes[276U - ACPI_HEADER];
    const uint32_t port = machine->pm_port;
    struct state_out body = {0};

    state_put(&body, zeroes, sizeof zeroes);
    fadt_put(&body, 36, 4, facs);
    fadt_put(&body, 40, 4, dsdt);
    fadt_put(&body, 46, 2, ACPI_SCI);
    fadt_put(&body, 56, 4, port + ACPI_PM_EVENT);
    fadt_put(&body, 64, 4, port + ACPI_PM_CONTROL);
    fadt_put(&body, 76, 4, port + ACPI_PM_TIMER);
    fadt_put(&body, 88, 1, 4);      /* bytes of events */
    fadt_put(&body, 89, 1, 2);      /* of control */
    fadt_put(&body, 91, 1, 4);      /* of the timer */
    fadt_put(&body, 96, 2, 101);    /* C2 and C3 are too slow to be used */
    fadt_put(&body, 98, 2, 1001);   /* likewise */
    fadt_put(&body, 109, 2, 0x25);  /* legacy devices; no VGA, no clock chip */
    fadt_put(&body, 112, 4, 0x575); /* caches, no buttons, 32-bit timer, reset register */
    fadt_port(&body, 116, 8, port + ACPI_PM_RESET);
    fadt_put(&body, 128, 1, 1); /* what resets */
    fadt_put(&body, 140, 8, dsdt);
    fadt_port(&body, 148, 32, port + ACPI_PM_EVENT);
    fadt_port(&body, 172, 16, port + ACPI_PM_CONTROL);
    fadt_port(&body, 208, 32, port + ACPI_PM_TIMER);
    return body;
}

static uint64_t acpi_facs(struct acpi_place *place)
{
    uint8_t *table = NULL;
    uint64_t address = acpi_room(place, 64U + ACPI_ALIGN * 3U, &table);
    const uint64_t skip = (64U - address % 64U) % 64U; /* it is aligned to 64 bytes */

    if (table != NULL) {
        acpi_name(table + skip, "FACS", 4);
        little_put(table + skip + 4, 4, 64);
        address += skip;
    }
    return address;
}

/* ---- all of it ---- */

static void acpi_root(uint8_t *root, uint64_t xsdt)
{
    acpi_name(root, "RSD PTR ", 8);
    acpi_name(root + 9, "LIBAVP", 6);
    root[15] = ACPI_REVISION;
    little_put(root + 20, 4, 36);
    little_put(root + 24, 8, xsdt);
    acpi_checksum(root, 20, 8);
    acpi_checksum(root, 36, 32);
}

size_t acpi_write(const struct acpi_machine *machine, uint8_t *bytes, size_t size, uint64_t address)
{
    struct acpi_place place = {.size = size, .address = address};
    struct state_out dsdt = acpi_dsdt(machine);
    struct state_out madt = acpi_madt(machine);
    struct state_out tables = {0};
    uint8_t *root = NULL;

    place.bytes = bytes;
    (void)acpi_room(&place, 36, &root);
    const uint64_t facs = acpi_facs(&place);
    const uint64_t dsdt_at = acpi_table(&place, "DSDT", 2, &dsdt);
    struct state_out fadt = acpi_fadt(machine, facs, dsdt_at);
    aml_number(&tables, 8, acpi_table(&place, "FACP", 6, &fadt));
    aml_number(&tables, 8, acpi_table(&place, "APIC", 4, &madt));
    if (machine->has_pci) {
        struct state_out mcfg = acpi_mcfg(machine);

        aml_number(&tables, 8, acpi_table(&place, "MCFG", 1, &mcfg));
    }
    const uint64_t xsdt = acpi_table(&place, "XSDT", 1, &tables);
    if (place.failed) {
        return 0;
    }
    acpi_root(root, xsdt);
    return place.used;
}
