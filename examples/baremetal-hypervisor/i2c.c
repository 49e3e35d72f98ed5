/* SPDX-License-Identifier: BSD-3-Clause */
/* Buses with their chips; transfers, which are done at once; a guest's adapter; report.
 *
 * A simulated transfer is over when the op returns, so a lock is all the arbitration that guests need: they get
 * the bus in the order in which they came, for one transfer each. A bus that takes its time needs
 * avps/i2c_bus.h instead. */
#include "i2c.h"

#include <string.h>

#include "avps_common/platform_apply.h"
#include "avps_sim/i2c.h"
#include "clock.h"
#include "devices.h"
#include "guest.h"
#include "lock.h"
#include "report.h"
#include "uart.h"

#define I2C_WIRES       4U
#define I2C_CHIPS       3U
#define I2C_EEPROM      256U
#define I2C_PAGE        8U
#define I2C_CYCLE       2U /* messages that an EEPROM does not answer after a write */
#define I2C_TEMPERATURE (25 * 256)

/* A bus: two EEPROMs and a sensor. */
struct wire {
    const char *name;
    struct fair_lock lock;
    struct avps_sim_i2c bus;
    struct avps_sim_i2c_chip chips[I2C_CHIPS];
    uint8_t eeproms[2][I2C_EEPROM];
};

static struct wire i2c_wires[I2C_WIRES];
static uint32_t i2c_wire_count;

/* ---- buses ---- */

static struct avps_sim_i2c_chip i2c_eeprom(uint16_t address, uint8_t *bytes)
{
    const struct avps_sim_i2c_chip chip = {.kind = AVPS_SIM_I2C_EEPROM,
                                           .address = address,
                                           .bytes = bytes,
                                           .size = I2C_EEPROM,
                                           .page = I2C_PAGE,
                                           .write_cycle = I2C_CYCLE};

    (void)memset(bytes, 0xff, I2C_EEPROM);
    return chip;
}

static enum avps_status i2c_make_wire(struct wire *wire, const char *name)
{
    const struct avps_sim_i2c_config config = {.chips = wire->chips, .chip_count = I2C_CHIPS};

    wire->name = name;
    wire->chips[0] = i2c_eeprom(0x50U, wire->eeproms[0]);
    wire->chips[1] = i2c_eeprom(0x51U, wire->eeproms[1]);
    wire->chips[2] = (struct avps_sim_i2c_chip){
        .kind = AVPS_SIM_I2C_LM75, .address = 0x48U, .temperature = I2C_TEMPERATURE};
    return avps_sim_i2c_init(&wire->bus, &config);
}

/* The bus of a name. @return NULL: there is no room for one more. */
static struct wire *i2c_find_wire(const char *name)
{
    const size_t size = strlen(name) + 1U;

    for (uint32_t i = 0; i < i2c_wire_count; i++) {
        if (strlen(i2c_wires[i].name) + 1U == size && memcmp(i2c_wires[i].name, name, size) == 0) {
            return &i2c_wires[i];
        }
    }
    if (i2c_wire_count == I2C_WIRES || i2c_make_wire(&i2c_wires[i2c_wire_count], name) != AVPS_OK) {
        return NULL;
    }
    return &i2c_wires[i2c_wire_count++];
}

static enum avps_status i2c_transfer(void *ctx, uint64_t token, const struct avps_i2c_msg *msgs,
                                     uint32_t count, uint32_t *done)
{
    struct wire *wire = ctx;

    fair_lock_take(&wire->lock);
    const enum avps_status status =
        avps_sim_i2c_ops()->transfer(&wire->bus, token, msgs, count, done);

    fair_lock_give(&wire->lock);
    return status;
}

static const struct avps_i2c_ops i2c_ops = {.transfer = i2c_transfer};

/* ---- a guest's adapter ---- */

static enum avps_status i2c_add(struct devices_part *part)
{
    struct adapter *adapter = &part->adapter;

    adapter->wire = i2c_find_wire(part->plan->backend);
    if (adapter->wire == NULL) {
        return AVPS_E_NOSPACE;
    }
    struct avps_i2c_config config = {.base = devices_base(part, adapter->queue),
                                     .ops = &i2c_ops,
                                     .ctx = adapter->wire,
                                     .requests = adapter->requests,
                                     .msgs = adapter->msgs,
                                     .message_count = I2C_MESSAGES,
                                     .buffer = adapter->buffer,
                                     .buffer_size = I2C_BUFFER};

    avps_platform_i2c(part->plan, &config);
    const enum avps_status status = avps_i2c_init(&adapter->i2c, &config);

    return status == AVPS_OK ? devices_attach(part, &adapter->i2c.base) : status;
}

static void i2c_run(struct devices_part *part)
{
    (void)part;
}

static uint64_t i2c_due_ns(const struct devices_part *part)
{
    (void)part;
    return CLOCK_NEVER;
}

/* Chips keep what they hold. */
static void i2c_restart(struct devices_part *part)
{
    (void)part;
}

static void i2c_report(const struct devices_part *part)
{
    const struct avps_i2c_counters *counters = avps_i2c_counters(&part->adapter.i2c);

    report_begin("i2c");
    uart_field("transfers", counters->transfers);
    uart_field("messages", counters->messages);
    uart_field("read", counters->read);
    uart_field("written", counters->written);
    uart_field("failed", counters->failed);
    uart_field("denied", counters->denied);
    uart_field("malformed", counters->malformed);
    report_end(part->guest);
}

const struct devices_kind i2c_kind = {i2c_add, i2c_run, i2c_due_ns, i2c_restart, i2c_report};
