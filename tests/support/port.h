/* SPDX-License-Identifier: BSD-3-Clause */
/* A recording port: interrupts, scheduling, events, and a clock that the test turns.
 *
 *     struct test_port port;
 *     test_port_init(&port);
 *     ... config.port = &port.port; mmio_config.irq = &test_port_irq; .irq_ctx = &port ...
 *     assert_int_equal(port.raised, 1);                    // rising edges
 *     assert_int_equal(port.events[AVPS_EVENT_RESET], 1);  // how often; last_a, last_b: operands
 *     port.now_ns += 1000; */
#ifndef TEST_SUPPORT_PORT_H
#define TEST_SUPPORT_PORT_H

#include "avps/port.h"
#include "support/mem.h"

#define TEST_EVENTS       16U
#define TEST_PORT_QUEUES  64U
#define TEST_PORT_LINE    37U
#define TEST_PORT_MSI_MAX 32U

struct test_port {
    struct avps_port port; /* for avps_device_config.port */

    bool level;           /* of the wired interrupt */
    unsigned int raised;  /* rising edges */
    unsigned int lowered; /* falling edges */
    unsigned int msi[TEST_PORT_MSI_MAX];
    uint64_t msi_address[TEST_PORT_MSI_MAX]; /* of the last one */
    uint32_t msi_data[TEST_PORT_MSI_MAX];
    unsigned int batch_ends;

    unsigned int wakes;
    unsigned int attached[TEST_PORT_QUEUES]; /* doorbell_attach calls */
    unsigned int detached[TEST_PORT_QUEUES];

    uint64_t now_ns;
    uint64_t wall_ns;
    uint64_t deadline_ns;
    unsigned int timers; /* timer calls */

    unsigned int events[TEST_EVENTS]; /* by code */
    uint64_t last_a[TEST_EVENTS];
    uint64_t last_b[TEST_EVENTS];
};

extern const struct avps_irq_ops test_port_irq;

/* All ops present. Set `port.event` or `port.sys` to NULL for a port without. */
void test_port_init(struct test_port *port);

#endif
