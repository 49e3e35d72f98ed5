/* SPDX-License-Identifier: BSD-3-Clause */
/* Fixture for PCI tests: the fake device behind a PCI function on an ECAM host.
 *
 *     struct pci_test *t = pci_new(TEST_FAKE_SYNC);
 *     t->config.pin = 0;                         // change anything before
 *     pci_start(t, state);                       // enumerated, switched on, driver started
 *     pci_echo(t, 0);
 *     pci_free(t); */
#ifndef TEST_PCI_H
#define TEST_PCI_H

#include "support/fake.h"
#include "support/pci.h"

struct pci_test {
    struct test_driver d;
    struct test_pci p;
    struct test_fake fake;
    struct avps_pci_config config;
};

static struct pci_test pci_fixture;

/* Nothing is attached yet. */
static inline struct pci_test *pci_new(enum test_fake_kind kind)
{
    struct pci_test *t = &pci_fixture;

    test_driver_init(&t->d, TEST_MEM_REGIONS);
    test_fake_init_alone(&t->fake, &t->d, kind);
    t->config = test_pci_config(&t->p, &t->d, &t->fake.base);
    return t;
}

/* Enumerated and switched on; the driver has done nothing. */
static inline struct pci_test *pci_on(enum test_fake_kind kind)
{
    struct pci_test *t = pci_new(kind);

    test_pci_attach(&t->p, &t->d, &t->config);
    return t;
}

/* A running driver, with the ring format of the row and RING_RESET. */
static inline void pci_start(struct pci_test *t, void **state)
{
    test_pci_attach(&t->p, &t->d, &t->config);
    if (test_is_packed(state)) {
        test_driver_want(&t->d, AVPS_F_RING_PACKED);
    }
    test_driver_want(&t->d, AVPS_F_RING_RESET);
    test_driver_start(&t->d);
    (void)test_driver_poll(&t->d);
}

static inline struct pci_test *pci_run(void **state, enum test_fake_kind kind)
{
    struct pci_test *t = pci_new(kind);

    pci_start(t, state);
    return t;
}

/* The same with MSI-X. */
static inline struct pci_test *pci_run_msix(void **state, enum test_fake_kind kind)
{
    struct pci_test *t = pci_new(kind);

    test_pci_plug(&t->p, &t->d, &t->config);
    test_pci_enable(&t->p);
    test_pci_msix_start(&t->p);
    if (test_is_packed(state)) {
        test_driver_want(&t->d, AVPS_F_RING_PACKED);
    }
    test_driver_want(&t->d, AVPS_F_RING_RESET);
    test_driver_start(&t->d);
    (void)test_driver_poll(&t->d);
    return t;
}

static inline void pci_free(struct pci_test *t)
{
    test_pci_set(&t->p, t->p.power_at + 4U, 2, 0);
    test_pci_enable(&t->p);
    test_driver_free(&t->d);
}

/* A request there and back, answered at once. */
static inline void pci_echo(struct pci_test *t, uint16_t queue)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};

    assert_int_equal(test_driver_do(&t->d, queue, &r), 4);
}

static inline uint64_t pci_bad_accesses(struct pci_test *t)
{
    return avps_device_counters(&t->fake.base)->bad_accesses;
}

/* All that a driver can have changed, as bytes. */
struct pci_picture {
    uint8_t bytes[2048];
    size_t len;
};

static inline struct pci_picture pci_picture_of(struct pci_test *t)
{
    struct pci_picture picture = {.len = 0};

    assert_int_equal(avps_pci_save(&t->p.pci, picture.bytes, sizeof picture.bytes, &picture.len),
                     AVPS_OK);
    return picture;
}

static inline void pci_expect_unchanged(struct pci_test *t, const struct pci_picture *before)
{
    const struct pci_picture now = pci_picture_of(t);

    assert_int_equal(now.len, before->len);
    assert_memory_equal(now.bytes, before->bytes, now.len);
}

#endif
