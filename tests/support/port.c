/* SPDX-License-Identifier: BSD-3-Clause */
/* A recording port. Levels must alternate: a set_level that changes nothing fails the test. */
#include "support/port.h"

static void port_set_level(void *ctx, uint32_t line, bool high)
{
    struct test_port *port = ctx;

    assert_int_equal(line, TEST_PORT_LINE);
    assert_int_not_equal(port->level, high);
    port->level = high;
    if (high) {
        port->raised++;
    } else {
        port->lowered++;
    }
}

static void port_msi(void *ctx, uint32_t vector, uint64_t address, uint32_t data)
{
    struct test_port *port = ctx;

    assert_true(vector < TEST_PORT_MSI_MAX);
    port->msi[vector]++;
    port->msi_address[vector] = address;
    port->msi_data[vector] = data;
}

static void port_batch_end(void *ctx)
{
    struct test_port *port = ctx;

    port->batch_ends++;
}

const struct avps_irq_ops test_port_irq = {
    .set_level = port_set_level, .msi = port_msi, .batch_end = port_batch_end};

static void port_wake(void *ctx)
{
    struct test_port *port = ctx;

    port->wakes++;
}

static void port_attach(void *ctx, uint16_t queue)
{
    struct test_port *port = ctx;

    assert_true(queue < TEST_PORT_QUEUES);
    port->attached[queue]++;
}

static void port_detach(void *ctx, uint16_t queue)
{
    struct test_port *port = ctx;

    assert_true(queue < TEST_PORT_QUEUES);
    port->detached[queue]++;
    assert_true(port->detached[queue] <= port->attached[queue]);
}

static const struct avps_event_ops event_ops = {
    .wake = port_wake, .doorbell_attach = port_attach, .doorbell_detach = port_detach};

static uint64_t port_now(void *ctx)
{
    const struct test_port *port = ctx;

    return port->now_ns;
}

static uint64_t port_wall(void *ctx)
{
    const struct test_port *port = ctx;

    return port->wall_ns;
}

static void port_timer(void *ctx, uint64_t deadline_ns)
{
    struct test_port *port = ctx;

    port->timers++;
    port->deadline_ns = deadline_ns;
}

static void port_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    struct test_port *port = ctx;

    assert_true((unsigned int)code < TEST_EVENTS);
    port->events[code]++;
    port->last_a[code] = a;
    port->last_b[code] = b;
}

static const struct avps_sys_ops sys_ops = {
    .now_ns = port_now, .wall_ns = port_wall, .timer = port_timer, .event = port_event};

void test_port_init(struct test_port *port)
{
    (void)memset(port, 0, sizeof *port);
    port->now_ns = 1000000000U;
    port->wall_ns = UINT64_C(1700000000000000000);
    port->port = (struct avps_port){
        .event = &event_ops, .event_ctx = port, .sys = &sys_ops, .sys_ctx = port};
}
