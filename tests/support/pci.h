/* SPDX-License-Identifier: BSD-3-Clause */
/* A small PCI driver for tests: enumerates a function behind avps_ecam, sizes and places its BARs,
 * walks its capabilities, sets MSI-X up, and then is the bus of a test_driver, so that everything a
 * test_driver does goes through PCI.
 *
 *     struct test_driver d;
 *     struct test_pci p;
 *     test_driver_init(&d, TEST_MEM_REGIONS);
 *     config.base = test_driver_base(&d, queues, 1, 256);
 *     avps_rng_init(&rng, &config);
 *     struct avps_pci_config pci = test_pci_config(&p, &d, &rng.base);   // change what matters
 *     test_pci_attach(&p, &d, &pci);                                     // found and switched on
 *     p.use_msix = true;                                                 // or INTx
 *     test_driver_start(&d);
 *     ... test_driver_do() ...
 *     test_driver_free(&d);
 *
 * Every part of a driver's way is also there by itself. Offsets and values are written out here and
 * not taken from the library: they are what a driver knows from the specifications. */
#ifndef TEST_SUPPORT_PCI_H
#define TEST_SUPPORT_PCI_H

#include "support/driver.h"

#include "avps/ecam.h"
#include "avps/pci.h"

#define TEST_PCI_VECTORS 20U
#define TEST_PCI_DEVICE  3U /* place on bus 0 */
#define TEST_PCI_WINDOW  UINT64_C(0x40000000)
#define TEST_PCI_SHM     UINT64_C(0x8000000000)

/* Configuration space. */
enum test_pci_register {
    TEST_PCI_COMMAND = 0x04,
    TEST_PCI_STATUS = 0x06,
    TEST_PCI_BAR0 = 0x10,
    TEST_PCI_CAP_POINTER = 0x34
};

#define TEST_PCI_MEMORY  0x002U
#define TEST_PCI_MASTER  0x004U
#define TEST_PCI_NO_INTX 0x400U

/* Common configuration. */
enum test_pci_common {
    TEST_C_DEVICE_FEATURE_SELECT = 0,
    TEST_C_DEVICE_FEATURE = 4,
    TEST_C_DRIVER_FEATURE_SELECT = 8,
    TEST_C_DRIVER_FEATURE = 12,
    TEST_C_CONFIG_VECTOR = 16,
    TEST_C_NUM_QUEUES = 18,
    TEST_C_STATUS = 20,
    TEST_C_GENERATION = 21,
    TEST_C_QUEUE_SELECT = 22,
    TEST_C_QUEUE_SIZE = 24,
    TEST_C_QUEUE_VECTOR = 26,
    TEST_C_QUEUE_ENABLE = 28,
    TEST_C_QUEUE_NOTIFY_OFF = 30,
    TEST_C_QUEUE_DESC = 32,
    TEST_C_QUEUE_DRIVER = 40,
    TEST_C_QUEUE_DEVICE = 48,
    TEST_C_QUEUE_NOTIF_DATA = 56,
    TEST_C_QUEUE_RESET = 58,
    TEST_C_ADMIN_INDEX = 60,
    TEST_C_ADMIN_NUM = 62,
    TEST_C_SIZE = 64
};

/* A virtio structure as its capability says. at: in configuration space; 0: not there. */
struct test_pci_cap {
    uint32_t at;
    uint32_t bar;
    uint32_t id;
    uint64_t offset;
    uint64_t length;
};

/* What the embedder was told. */
struct test_pci_notices {
    unsigned int bars[6];
    uint64_t address[6];
    bool enabled[6];
    unsigned int routes[TEST_PCI_VECTORS];
    uint64_t route_address[TEST_PCI_VECTORS];
    uint32_t route_data[TEST_PCI_VECTORS];
    bool route_masked[TEST_PCI_VECTORS];
};

struct test_pci {
    struct avps_pci pci;
    struct avps_pci_vector vectors[TEST_PCI_VECTORS];
    struct avps_ecam_slot slot;
    struct avps_ecam ecam;
    struct test_driver *driver;
    struct avps_irq_ops irq; /* the port's, with routes recorded here */
    struct test_pci_notices told;

    bool use_msix;   /* map vector 0 to the configuration and 1 + n to queue n */
    bool use_window; /* access structures through the PCI_CFG capability */

    /* what the enumeration found */
    uint64_t bar_size;
    struct test_pci_cap common;
    struct test_pci_cap notify;
    struct test_pci_cap isr;
    struct test_pci_cap device;
    struct test_pci_cap window;
    struct test_pci_cap vendor;
    struct test_pci_cap shm[4];
    uint32_t shm_count;
    uint32_t multiplier;
    uint32_t msix_at;
    uint32_t power_at;
    uint32_t express_at;
    uint32_t advanced_at;
};

/* A configuration with a pin and TEST_PCI_VECTORS vectors on the driver's port. */
struct avps_pci_config test_pci_config(struct test_pci *p, struct test_driver *d,
                                       struct avps_device *device);
/* Init, put it on a bus, enumerate, switch it on, and become the driver's bus. */
void test_pci_attach(struct test_pci *p, struct test_driver *d,
                     const struct avps_pci_config *config);
/* The same without switching on. */
void test_pci_plug(struct test_pci *p, struct test_driver *d, const struct avps_pci_config *config);
/* Size BAR 0, walk the capability list. */
void test_pci_enumerate(struct test_pci *p);
/* Place the BARs, memory and bus master on. */
void test_pci_enable(struct test_pci *p);

/* Configuration space, through ECAM. */
uint32_t test_pci_get(struct test_pci *p, uint32_t offset, uint32_t width);
void test_pci_set(struct test_pci *p, uint32_t offset, uint32_t width, uint32_t value);
/* BAR 0, through the memory window. */
uint64_t test_pci_read(struct test_pci *p, uint64_t offset, uint32_t width);
void test_pci_write(struct test_pci *p, uint64_t offset, uint32_t width, uint64_t value);
/* A field of common configuration, in its own width; 8 bytes: two halves. */
uint64_t test_pci_common(struct test_pci *p, uint32_t field);
void test_pci_common_set(struct test_pci *p, uint32_t field, uint64_t value);
/* Select a queue first. */
uint64_t test_pci_queue(struct test_pci *p, uint16_t queue, uint32_t field);
void test_pci_queue_set(struct test_pci *p, uint16_t queue, uint32_t field, uint64_t value);
/* The PCI_CFG capability: bar, offset, length, data. */
uint32_t test_pci_window_read(struct test_pci *p, uint32_t bar, uint32_t offset, uint32_t length);
void test_pci_window_write(struct test_pci *p, uint32_t bar, uint32_t offset, uint32_t length,
                           uint32_t value);

/* MSI-X: message of a vector, mask of a vector, message control. */
uint64_t test_pci_msi_address(uint32_t vector);
uint32_t test_pci_msi_data(uint32_t vector);
void test_pci_msix_program(struct test_pci *p, uint32_t vector, bool masked);
void test_pci_msix_mask(struct test_pci *p, uint32_t vector, bool masked);
void test_pci_msix_control(struct test_pci *p, bool enable, bool mask_all);
bool test_pci_msix_pending(struct test_pci *p, uint32_t vector);
/* All of them, unmasked and enabled; use_msix. */
void test_pci_msix_start(struct test_pci *p);

#endif
