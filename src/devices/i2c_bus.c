/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared I2C bus: turns -> answers of the real bus -> ops for the adapters -> init, ports. */
#include "avps/i2c_bus.h"

#include <string.h>

enum port_state { PORT_IDLE, PORT_WAITING, PORT_ON_BUS };

/* ---- turns ---- */

/* Bytes and addresses: what a transfer takes of the bus. */
static uint64_t transfer_load(const struct avps_i2c_bus_port *port)
{
    uint64_t load = port->count;

    for (uint32_t i = 0; i < port->count; i++) {
        load += port->msgs[i].len;
    }
    return load;
}

/* Of those that wait, the one that has had the least. */
static struct avps_i2c_bus_port *bus_choose(const struct avps_i2c_bus *bus)
{
    struct avps_i2c_bus_port *best = NULL;

    for (uint32_t i = 0; i < bus->port_count; i++) {
        struct avps_i2c_bus_port *port = &bus->ports[i];

        if (port->state == PORT_WAITING && (best == NULL || port->had < best->had)) {
            best = port;
        }
    }
    return best;
}

static void bus_count_overtaken(struct avps_i2c_bus *bus)
{
    for (uint32_t i = 0; i < bus->port_count && bus->waiting != 0U; i++) {
        bus->ports[i].counters.overtaken += bus->ports[i].state == PORT_WAITING ? 1U : 0U;
    }
}

static void port_takes_turn(struct avps_i2c_bus *bus, struct avps_i2c_bus_port *port)
{
    const uint64_t load = transfer_load(port);

    bus->waiting--;
    port->state = PORT_ON_BUS;
    bus->active = port;
    bus->level = port->had;
    port->had += load * AVPS_I2C_BUS_SHARE_MAX / port->share;
    port->counters.transfers++;
    port->counters.load += load;
    bus_count_overtaken(bus);
}

static void bus_is_free(struct avps_i2c_bus *bus)
{
    bus->active->state = PORT_IDLE;
    bus->active = NULL;
}

/* Give the bus to a port that waits. @return whether its transfer is finished, `*done` messages of it. */
static bool bus_submit(struct avps_i2c_bus *bus, struct avps_i2c_bus_port *port, uint32_t *done)
{
    port_takes_turn(bus, port);
    bus->token++;
    bus->answered = false;
    bus->submitting = true;
    const enum avps_status status =
        bus->transfer(bus->ctx, bus->token, port->msgs, port->count, done);

    bus->submitting = false;
    if (status == AVPS_PENDING && !bus->answered) {
        return false;
    }
    if (bus->answered) {
        *done = bus->answer;
    } else if (status != AVPS_OK) {
        *done = 0;
    }
    bus_is_free(bus);
    return true;
}

/* As long as the bus is free and somebody waits. An adapter that gets its answer asks for nothing
 * new before its next poll, so this ends. */
static void bus_run(struct avps_i2c_bus *bus)
{
    if (bus->running) {
        return;
    }
    bus->running = true;
    while (bus->active == NULL && bus->waiting != 0U) {
        struct avps_i2c_bus_port *port = bus_choose(bus);
        uint32_t done = 0;

        if (bus_submit(bus, port, &done)) {
            avps_i2c_done(port->i2c, port->token, done);
        }
    }
    bus->running = false;
}

/* ---- answers of the real bus ---- */

void avps_i2c_bus_done(struct avps_i2c_bus *bus, uint64_t token, uint32_t done)
{
    struct avps_i2c_bus_port *port = bus->active;

    if (port == NULL || token != bus->token || bus->answered) {
        bus->late++;
        return;
    }
    if (bus->submitting) {
        bus->answered = true;
        bus->answer = done;
        return;
    }
    bus_is_free(bus);
    avps_i2c_done(port->i2c, port->token, done);
    bus_run(bus);
}

/* ---- ops for the adapters ---- */

static void port_waits(struct avps_i2c_bus_port *port, uint64_t token,
                       const struct avps_i2c_msg *msgs, uint32_t count)
{
    port->token = token;
    port->msgs = msgs;
    port->count = count;
    port->state = PORT_WAITING;
    port->owner->waiting++;
    if (port->had < port->owner->level) {
        port->had = port->owner->level; /* a rest is no credit */
    }
}

static enum avps_status port_transfer(void *ctx, uint64_t token, const struct avps_i2c_msg *msgs,
                                      uint32_t count, uint32_t *done)
{
    struct avps_i2c_bus_port *port = ctx;
    struct avps_i2c_bus *bus = port->owner;

    if (bus == NULL || port->i2c == NULL) {
        return AVPS_E_STATE;
    }
    port_waits(port, token, msgs, count);
    if (bus->active != NULL || bus->waiting != 1U || bus->running) {
        port->counters.delayed++;
        return AVPS_PENDING;
    }
    return bus_submit(bus, port, done) ? AVPS_OK : AVPS_PENDING;
}

/* @return whether the real bus gave the transfer up. */
static bool bus_cancel_active(struct avps_i2c_bus *bus)
{
    if (bus->submitting || bus->cancel == NULL || bus->cancel(bus->ctx) != AVPS_OK) {
        return false;
    }
    bus_is_free(bus);
    return true;
}

static enum avps_status port_cancel(void *ctx)
{
    struct avps_i2c_bus_port *port = ctx;
    struct avps_i2c_bus *bus = port->owner;

    if (port->state == PORT_WAITING) {
        port->state = PORT_IDLE;
        bus->waiting--;
    } else if (port->state == PORT_ON_BUS && !bus_cancel_active(bus)) {
        return AVPS_PENDING;
    }
    port->counters.cancelled++;
    if (bus != NULL) {
        bus_run(bus);
    }
    return AVPS_OK;
}

const struct avps_i2c_ops avps_i2c_bus_ops = {.transfer = port_transfer, .cancel = port_cancel};

/* ---- init, ports ---- */

enum avps_status avps_i2c_bus_init(struct avps_i2c_bus *bus,
                                   const struct avps_i2c_bus_config *config)
{
    if (bus == NULL || config == NULL || config->ops == NULL || config->ops->transfer == NULL ||
        config->ops == &avps_i2c_bus_ops || config->ports == NULL || config->port_count == 0U ||
        config->port_count > AVPS_I2C_BUS_PORTS_MAX) {
        return AVPS_E_PARAM;
    }
    (void)memset(bus, 0, sizeof *bus);
    (void)memset(config->ports, 0, config->port_count * sizeof *config->ports);
    bus->transfer = config->ops->transfer;
    bus->cancel = config->ops->cancel;
    bus->ctx = config->ctx;
    bus->ports = config->ports;
    bus->port_count = config->port_count;
    return AVPS_OK;
}

enum avps_status avps_i2c_bus_connect(struct avps_i2c_bus *bus, uint32_t port, struct avps_i2c *i2c,
                                      uint32_t share)
{
    if (port >= bus->port_count || i2c == NULL || share == 0U || share > AVPS_I2C_BUS_SHARE_MAX) {
        return AVPS_E_PARAM;
    }
    if (bus->ports[port].i2c != NULL) {
        return AVPS_E_STATE;
    }
    bus->ports[port] = (struct avps_i2c_bus_port){.owner = bus, .i2c = i2c, .share = share};
    return AVPS_OK;
}

enum avps_status avps_i2c_bus_disconnect(struct avps_i2c_bus *bus, uint32_t port)
{
    if (port >= bus->port_count) {
        return AVPS_E_PARAM;
    }
    if (bus->ports[port].state != PORT_IDLE) {
        return AVPS_E_STATE;
    }
    bus->ports[port].i2c = NULL;
    return AVPS_OK;
}

const struct avps_i2c_bus_counters *avps_i2c_bus_counters(const struct avps_i2c_bus *bus,
                                                          uint32_t port)
{
    return port < bus->port_count ? &bus->ports[port].counters : NULL;
}

uint64_t avps_i2c_bus_late(const struct avps_i2c_bus *bus)
{
    return bus->late;
}
