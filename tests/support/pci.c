/* SPDX-License-Identifier: BSD-3-Clause */
/* The PCI driver double: notices -> accesses -> enumeration -> MSI-X -> a test_driver's bus. */
#include "support/pci.h"

#include "virtqueue/wire.h"

#define CAP_POWER    0x01U
#define CAP_VENDOR   0x09U
#define CAP_EXPRESS  0x10U
#define CAP_MSIX     0x11U
#define CAP_ADVANCED 0x13U

static uint64_t ecam_place(uint32_t offset)
{
    return (uint64_t)TEST_PCI_DEVICE << 15 | offset;
}

/* ---- notices ---- */

static struct test_pci *pci_of_port(struct test_port *port)
{
    struct test_driver *d = AVPS_CONTAINER_OF(port, struct test_driver, port);

    return d->bus_ctx;
}

static void told_route(void *ctx, uint32_t vector, uint64_t address, uint32_t data, bool masked)
{
    struct test_pci_notices *told = &pci_of_port(ctx)->told;

    assert_true(vector < TEST_PCI_VECTORS);
    told->routes[vector]++;
    told->route_address[vector] = address;
    told->route_data[vector] = data;
    told->route_masked[vector] = masked;
}

static void told_bar(void *ctx, uint32_t bar, uint64_t address, bool enabled)
{
    struct test_pci_notices *told = &((struct test_pci *)ctx)->told;

    assert_true(bar == 0U || bar == 2U);
    told->bars[bar]++;
    told->address[bar] = address;
    told->enabled[bar] = enabled;
}

static const struct avps_pci_ops notice_ops = {.bar_changed = told_bar};

/* ---- accesses ---- */

uint32_t test_pci_get(struct test_pci *p, uint32_t offset, uint32_t width)
{
    return (uint32_t)avps_ecam_read(&p->ecam, ecam_place(offset), width);
}

void test_pci_set(struct test_pci *p, uint32_t offset, uint32_t width, uint32_t value)
{
    avps_ecam_write(&p->ecam, ecam_place(offset), width, value);
}

uint32_t test_pci_window_read(struct test_pci *p, uint32_t bar, uint32_t offset, uint32_t length)
{
    test_pci_set(p, p->window.at + 4U, 1, bar);
    test_pci_set(p, p->window.at + 8U, 4, offset);
    test_pci_set(p, p->window.at + 12U, 4, length);
    return test_pci_get(p, p->window.at + 16U, 4);
}

void test_pci_window_write(struct test_pci *p, uint32_t bar, uint32_t offset, uint32_t length,
                           uint32_t value)
{
    test_pci_set(p, p->window.at + 4U, 1, bar);
    test_pci_set(p, p->window.at + 8U, 4, offset);
    test_pci_set(p, p->window.at + 12U, 4, length);
    test_pci_set(p, p->window.at + 16U, 4, value);
}

uint64_t test_pci_read(struct test_pci *p, uint64_t offset, uint32_t width)
{
    uint64_t value = 0;

    if (p->use_window) {
        const uint32_t read = test_pci_window_read(p, 0, (uint32_t)offset, width);

        return width < 4U ? read & ((1U << (8U * width)) - 1U) : read;
    }
    assert_true(avps_ecam_mem_read(&p->ecam, TEST_PCI_WINDOW + offset, width, &value));
    return value;
}

void test_pci_write(struct test_pci *p, uint64_t offset, uint32_t width, uint64_t value)
{
    if (p->use_window) {
        test_pci_window_write(p, 0, (uint32_t)offset, width, (uint32_t)value);
    } else {
        assert_true(avps_ecam_mem_write(&p->ecam, TEST_PCI_WINDOW + offset, width, value));
    }
}

static uint32_t common_width(uint32_t field)
{
    switch (field) {
    case TEST_C_STATUS:
    case TEST_C_GENERATION:
        return 1;
    case TEST_C_QUEUE_DESC:
    case TEST_C_QUEUE_DRIVER:
    case TEST_C_QUEUE_DEVICE:
        return 8;
    case TEST_C_DEVICE_FEATURE_SELECT:
    case TEST_C_DEVICE_FEATURE:
    case TEST_C_DRIVER_FEATURE_SELECT:
    case TEST_C_DRIVER_FEATURE:
        return 4;
    default:
        return 2;
    }
}

uint64_t test_pci_common(struct test_pci *p, uint32_t field)
{
    const uint32_t width = common_width(field);
    const uint64_t at = p->common.offset + field;

    if (width == 8U) {
        return test_pci_read(p, at, 4) | test_pci_read(p, at + 4U, 4) << 32;
    }
    return test_pci_read(p, at, width);
}

void test_pci_common_set(struct test_pci *p, uint32_t field, uint64_t value)
{
    const uint32_t width = common_width(field);
    const uint64_t at = p->common.offset + field;

    if (width == 8U) {
        test_pci_write(p, at, 4, value & 0xffffffffU);
        test_pci_write(p, at + 4U, 4, value >> 32);
    } else {
        test_pci_write(p, at, width, value);
    }
}

uint64_t test_pci_queue(struct test_pci *p, uint16_t queue, uint32_t field)
{
    test_pci_common_set(p, TEST_C_QUEUE_SELECT, queue);
    return test_pci_common(p, field);
}

void test_pci_queue_set(struct test_pci *p, uint16_t queue, uint32_t field, uint64_t value)
{
    test_pci_common_set(p, TEST_C_QUEUE_SELECT, queue);
    test_pci_common_set(p, field, value);
}

/* ---- enumeration ---- */

static struct test_pci_cap read_cap(struct test_pci *p, uint32_t at)
{
    const struct test_pci_cap cap = {.at = at,
                                     .bar = test_pci_get(p, at + 4U, 1),
                                     .id = test_pci_get(p, at + 5U, 1),
                                     .offset = test_pci_get(p, at + 8U, 4),
                                     .length = test_pci_get(p, at + 12U, 4)};

    return cap;
}

static void found_virtio(struct test_pci *p, uint32_t at)
{
    const struct test_pci_cap cap = read_cap(p, at);

    switch (test_pci_get(p, at + 3U, 1)) {
    case 1:
        p->common = cap;
        break;
    case 2:
        p->notify = cap;
        p->multiplier = test_pci_get(p, at + 16U, 4);
        break;
    case 3:
        p->isr = cap;
        break;
    case 4:
        p->device = cap;
        break;
    case 5:
        p->window = cap;
        break;
    case 8:
        assert_true(p->shm_count < AVPS_COUNT_OF(p->shm));
        p->shm[p->shm_count] = cap;
        p->shm[p->shm_count].offset |= (uint64_t)test_pci_get(p, at + 16U, 4) << 32;
        p->shm[p->shm_count].length |= (uint64_t)test_pci_get(p, at + 20U, 4) << 32;
        p->shm_count++;
        break;
    case 9:
        p->vendor = (struct test_pci_cap){.at = at};
        break;
    default:
        fail_msg("unknown virtio structure");
    }
}

static void found_cap(struct test_pci *p, uint32_t at)
{
    switch (test_pci_get(p, at, 1)) {
    case CAP_VENDOR:
        found_virtio(p, at);
        break;
    case CAP_MSIX:
        p->msix_at = at;
        break;
    case CAP_POWER:
        p->power_at = at;
        break;
    case CAP_EXPRESS:
        p->express_at = at;
        break;
    case CAP_ADVANCED:
        p->advanced_at = at;
        break;
    default:
        fail_msg("unknown capability");
    }
}

static uint64_t size_bar(struct test_pci *p)
{
    test_pci_set(p, TEST_PCI_BAR0, 4, 0xffffffffU);
    test_pci_set(p, TEST_PCI_BAR0 + 4U, 4, 0xffffffffU);
    const uint64_t ones = (uint64_t)test_pci_get(p, TEST_PCI_BAR0 + 4U, 4) << 32 |
                          (test_pci_get(p, TEST_PCI_BAR0, 4) & ~15U);

    return ~ones + 1U;
}

void test_pci_enumerate(struct test_pci *p)
{
    uint32_t at = test_pci_get(p, TEST_PCI_CAP_POINTER, 1);

    assert_int_not_equal(test_pci_get(p, TEST_PCI_STATUS, 2) & 0x10U, 0);
    p->shm_count = 0;
    for (unsigned int i = 0; at != 0U; i++) {
        assert_true(i < 48U && at >= 0x40U && at % 4U == 0U);
        found_cap(p, at);
        at = test_pci_get(p, at + 1U, 1);
    }
    p->bar_size = size_bar(p);
}

void test_pci_enable(struct test_pci *p)
{
    test_pci_set(p, TEST_PCI_BAR0, 4, (uint32_t)(TEST_PCI_WINDOW & 0xffffffffU));
    test_pci_set(p, TEST_PCI_BAR0 + 4U, 4, (uint32_t)(TEST_PCI_WINDOW >> 32));
    test_pci_set(p, TEST_PCI_BAR0 + 8U, 4, (uint32_t)(TEST_PCI_SHM & 0xffffffffU));
    test_pci_set(p, TEST_PCI_BAR0 + 12U, 4, (uint32_t)(TEST_PCI_SHM >> 32));
    test_pci_set(p, TEST_PCI_COMMAND, 2, TEST_PCI_MEMORY | TEST_PCI_MASTER);
}

/* ---- MSI-X ---- */

uint64_t test_pci_msi_address(uint32_t vector)
{
    return UINT64_C(0x10fee00000) + 16U * vector;
}

uint32_t test_pci_msi_data(uint32_t vector)
{
    return 0x4100U + vector;
}

static uint64_t table_entry(struct test_pci *p, uint32_t vector)
{
    return (test_pci_get(p, p->msix_at + 4U, 4) & ~7U) + 16U * vector;
}

void test_pci_msix_mask(struct test_pci *p, uint32_t vector, bool masked)
{
    const uint64_t at = TEST_PCI_WINDOW + table_entry(p, vector);

    assert_true(avps_ecam_mem_write(&p->ecam, at + 12U, 4, masked ? 1U : 0U));
}

void test_pci_msix_program(struct test_pci *p, uint32_t vector, bool masked)
{
    const uint64_t at = TEST_PCI_WINDOW + table_entry(p, vector);
    const uint64_t address = test_pci_msi_address(vector);

    assert_true(avps_ecam_mem_write(&p->ecam, at, 4, address & 0xffffffffU));
    assert_true(avps_ecam_mem_write(&p->ecam, at + 4U, 4, address >> 32));
    assert_true(avps_ecam_mem_write(&p->ecam, at + 8U, 4, test_pci_msi_data(vector)));
    test_pci_msix_mask(p, vector, masked);
}

void test_pci_msix_control(struct test_pci *p, bool enable, bool mask_all)
{
    test_pci_set(p, p->msix_at + 2U, 2, (enable ? 0x8000U : 0U) | (mask_all ? 0x4000U : 0U));
}

bool test_pci_msix_pending(struct test_pci *p, uint32_t vector)
{
    const uint64_t at = TEST_PCI_WINDOW + (test_pci_get(p, p->msix_at + 8U, 4) & ~7U);
    uint64_t bits = 0;

    assert_true(avps_ecam_mem_read(&p->ecam, at + vector / 64U * 8U, 8, &bits));
    return (bits >> (vector % 64U) & 1U) != 0U;
}

void test_pci_msix_start(struct test_pci *p)
{
    test_pci_msix_control(p, true, true);
    for (uint32_t i = 0; i < p->pci.vector_count; i++) {
        test_pci_msix_program(p, i, false);
    }
    test_pci_msix_control(p, true, false);
    p->use_msix = true;
}

/* ---- a test_driver's bus ---- */

/* Field of common configuration for a register of the MMIO window. */
static uint32_t field_of(uint32_t offset)
{
    switch (offset) {
    case TEST_DEVICE_FEATURES_SEL:
        return TEST_C_DEVICE_FEATURE_SELECT;
    case TEST_DEVICE_FEATURES:
        return TEST_C_DEVICE_FEATURE;
    case TEST_DRIVER_FEATURES_SEL:
        return TEST_C_DRIVER_FEATURE_SELECT;
    case TEST_DRIVER_FEATURES:
        return TEST_C_DRIVER_FEATURE;
    case TEST_STATUS:
        return TEST_C_STATUS;
    case TEST_CONFIG_GENERATION:
        return TEST_C_GENERATION;
    case TEST_QUEUE_SEL:
        return TEST_C_QUEUE_SELECT;
    case TEST_QUEUE_SIZE:
    case TEST_QUEUE_SIZE_MAX:
        return TEST_C_QUEUE_SIZE;
    case TEST_QUEUE_READY:
        return TEST_C_QUEUE_ENABLE;
    case TEST_QUEUE_RESET:
        return TEST_C_QUEUE_RESET;
    default:
        fail_msg("no such register on PCI");
        return 0;
    }
}

/* The two halves of a queue's area, if `offset` is one. @return field of common configuration. */
static uint32_t half_of(uint32_t offset)
{
    switch (offset) {
    case TEST_QUEUE_DESC_LOW:
        return TEST_C_QUEUE_DESC;
    case TEST_QUEUE_DESC_HIGH:
        return TEST_C_QUEUE_DESC + 4U;
    case TEST_QUEUE_DRIVER_LOW:
        return TEST_C_QUEUE_DRIVER;
    case TEST_QUEUE_DRIVER_HIGH:
        return TEST_C_QUEUE_DRIVER + 4U;
    case TEST_QUEUE_DEVICE_LOW:
        return TEST_C_QUEUE_DEVICE;
    case TEST_QUEUE_DEVICE_HIGH:
        return TEST_C_QUEUE_DEVICE + 4U;
    default:
        return 0;
    }
}

static uint32_t bus_get(void *ctx, uint32_t offset)
{
    struct test_pci *p = ctx;

    if (offset == TEST_INTERRUPT_STATUS) {
        return (uint32_t)test_pci_read(p, p->isr.offset, 1);
    }
    return (uint32_t)test_pci_common(p, field_of(offset));
}

static void bus_ring(struct test_pci *p, uint32_t value)
{
    const uint32_t off = (uint32_t)test_pci_queue(p, (uint16_t)value, TEST_C_QUEUE_NOTIFY_OFF);
    const bool data = avps_features_has(&p->driver->want, AVPS_F_NOTIFICATION_DATA);
    uint32_t name = value & 0xffffU;

    if (avps_features_has(&p->driver->want, AVPS_F_NOTIF_CONFIG_DATA)) {
        name = (uint32_t)test_pci_common(p, TEST_C_QUEUE_NOTIF_DATA);
    }
    test_pci_write(p, p->notify.offset + (uint64_t)off * p->multiplier, data ? 4 : 2,
                   (value & 0xffff0000U) | name);
}

/* Vectors are mapped and verified when the queue is enabled and the device goes live. */
static void bus_map_vectors(struct test_pci *p, uint32_t offset, uint32_t value)
{
    if (offset == TEST_QUEUE_READY && value == 1U) {
        const uint64_t vector = 1U + test_pci_common(p, TEST_C_QUEUE_SELECT);

        test_pci_common_set(p, TEST_C_QUEUE_VECTOR, vector);
        assert_int_equal(test_pci_common(p, TEST_C_QUEUE_VECTOR), vector);
    } else if (offset == TEST_STATUS && value == TEST_S_LIVE) {
        test_pci_common_set(p, TEST_C_CONFIG_VECTOR, 0);
        assert_int_equal(test_pci_common(p, TEST_C_CONFIG_VECTOR), 0);
    }
}

static void bus_set(void *ctx, uint32_t offset, uint32_t value)
{
    struct test_pci *p = ctx;
    const uint32_t half = half_of(offset);

    if (p->use_msix) {
        bus_map_vectors(p, offset, value);
    }
    if (half != 0U) {
        test_pci_write(p, p->common.offset + half, 4, value);
    } else if (offset == TEST_QUEUE_NOTIFY) {
        bus_ring(p, value);
    } else if (offset != TEST_INTERRUPT_ACK) { /* reading ISR status was it */
        test_pci_common_set(p, field_of(offset), value);
    }
}

static uint64_t bus_config(void *ctx, uint32_t offset, uint32_t width)
{
    struct test_pci *p = ctx;

    return test_pci_read(p, p->device.offset + offset, width);
}

static void bus_config_set(void *ctx, uint32_t offset, uint32_t width, uint64_t value)
{
    struct test_pci *p = ctx;

    test_pci_write(p, p->device.offset + offset, width, value);
}

static const struct test_bus pci_bus = {
    .get = bus_get, .set = bus_set, .config = bus_config, .config_set = bus_config_set};

struct avps_pci_config test_pci_config(struct test_pci *p, struct test_driver *d,
                                       struct avps_device *device)
{
    (void)memset(p, 0, sizeof *p);
    p->irq = test_port_irq;
    p->irq.msi_route = told_route;
    const struct avps_pci_config config = {.device = device,
                                           .irq = &p->irq,
                                           .irq_ctx = &d->port,
                                           .irq_line = TEST_PORT_LINE,
                                           .pin = 1,
                                           .vectors = p->vectors,
                                           .vector_count = TEST_PCI_VECTORS,
                                           .ops = &notice_ops,
                                           .ops_ctx = p};

    return config;
}

void test_pci_plug(struct test_pci *p, struct test_driver *d, const struct avps_pci_config *config)
{
    const struct avps_ecam_config host = {.slots = &p->slot, .slot_count = 1, .bus_count = 1};

    p->driver = d;
    p->slot = (struct avps_ecam_slot){.pci = &p->pci, .device = TEST_PCI_DEVICE};
    d->device = config->device;
    d->bus = &pci_bus;
    d->bus_ctx = p;
    assert_int_equal(avps_pci_init(&p->pci, config), AVPS_OK);
    assert_int_equal(avps_ecam_init(&p->ecam, &host), AVPS_OK);
    test_pci_enumerate(p);
}

void test_pci_attach(struct test_pci *p, struct test_driver *d,
                     const struct avps_pci_config *config)
{
    test_pci_plug(p, d, config);
    test_pci_enable(p);
}
