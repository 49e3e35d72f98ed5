/* SPDX-License-Identifier: BSD-3-Clause */
/* Simulated I2C bus: faults -> EEPROM -> LM75 -> messages and transfers -> ops, init. */
#include "avps_sim/i2c.h"

#include <stddef.h>

/* ---- faults ---- */

void avps_sim_i2c_fault(struct avps_sim_i2c *bus, enum avps_sim_i2c_fault fault, uint32_t skip,
                        uint32_t times)
{
    bus->fault = fault;
    bus->skip = skip;
    bus->times = times;
}

/* Whether it happens this time. */
static bool fault_strikes(struct avps_sim_i2c *bus, enum avps_sim_i2c_fault fault)
{
    if (bus->fault != fault || bus->times == 0U) {
        return false;
    }
    if (bus->skip != 0U) {
        bus->skip--;
        return false;
    }
    bus->times--;
    return true;
}

/* ---- EEPROM ---- */

static uint32_t eeprom_address_bytes(const struct avps_sim_i2c_chip *chip)
{
    return chip->size > 256U ? 2U : 1U;
}

static void eeprom_read(struct avps_sim_i2c_chip *chip, const struct avps_i2c_msg *msg)
{
    for (uint32_t i = 0; i < msg->len; i++) {
        msg->data[i] = chip->bytes[chip->pointer];
        chip->pointer = (chip->pointer + 1U) & (chip->size - 1U);
    }
}

/* The address wraps within the page. */
static bool eeprom_program(struct avps_sim_i2c_chip *chip, const uint8_t *data, uint32_t len)
{
    const uint32_t page = chip->pointer & ~(chip->page - 1U);

    if (chip->write_protected) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        chip->bytes[chip->pointer] = data[i];
        chip->pointer = page | ((chip->pointer + 1U) & (chip->page - 1U));
    }
    chip->busy = chip->write_cycle;
    return true;
}

static bool eeprom_write(struct avps_sim_i2c_chip *chip, const struct avps_i2c_msg *msg)
{
    const uint32_t front = eeprom_address_bytes(chip);
    uint32_t pointer = 0;

    if (msg->len < front) {
        return true; /* looking whether it is there */
    }
    for (uint32_t i = 0; i < front; i++) {
        pointer = pointer << 8 | msg->data[i];
    }
    chip->pointer = pointer & (chip->size - 1U);
    return msg->len == front || eeprom_program(chip, msg->data + front, msg->len - front);
}

/* ---- LM75 ---- */

enum lm75_register { LM75_TEMPERATURE, LM75_CONFIG, LM75_HYSTERESIS, LM75_LIMIT };

#define LM75_STEP 0xff80U /* nine bits count */

static uint16_t lm75_word(const struct avps_sim_i2c_chip *chip)
{
    switch ((enum lm75_register)chip->pointer) {
    case LM75_TEMPERATURE:
        return (uint16_t)((uint16_t)chip->temperature & LM75_STEP);
    case LM75_HYSTERESIS:
        return (uint16_t)chip->hysteresis;
    case LM75_LIMIT:
        return (uint16_t)chip->limit;
    case LM75_CONFIG:
    default:
        return (uint16_t)(chip->config << 8 | chip->config);
    }
}

static void lm75_read(const struct avps_sim_i2c_chip *chip, const struct avps_i2c_msg *msg)
{
    const uint16_t word = lm75_word(chip);

    for (uint32_t i = 0; i < msg->len; i++) {
        msg->data[i] = (uint8_t)((i & 1U) == 0U ? word >> 8 : word & 0xffU);
    }
}

static void lm75_write(struct avps_sim_i2c_chip *chip, const struct avps_i2c_msg *msg)
{
    if (msg->len == 0U) {
        return;
    }
    chip->pointer = msg->data[0] & 3U;
    if (msg->len >= 2U && chip->pointer == LM75_CONFIG) {
        chip->config = msg->data[1] & 0x1fU;
    }
    if (msg->len < 3U) {
        return;
    }
    const uint32_t bits = ((uint32_t)msg->data[1] << 8 | msg->data[2]) & LM75_STEP;
    const int16_t word = (int16_t)(uint16_t)bits;

    if (chip->pointer == LM75_HYSTERESIS) {
        chip->hysteresis = word;
    } else if (chip->pointer == LM75_LIMIT) {
        chip->limit = word;
    }
}

void avps_sim_i2c_set_temperature(struct avps_sim_i2c_chip *chip, int16_t temperature)
{
    chip->temperature = temperature;
}

/* ---- messages and transfers ---- */

static struct avps_sim_i2c_chip *bus_find(const struct avps_sim_i2c *bus, uint16_t address)
{
    for (uint32_t i = 0; i < bus->config.chip_count; i++) {
        if (bus->config.chips[i].address == address) {
            return &bus->config.chips[i];
        }
    }
    return NULL;
}

static bool chip_message(struct avps_sim_i2c_chip *chip, const struct avps_i2c_msg *msg)
{
    if (chip->busy != 0U) {
        chip->busy--;
        return false;
    }
    if (chip->kind == AVPS_SIM_I2C_LM75) {
        if (msg->read) {
            lm75_read(chip, msg);
        } else {
            lm75_write(chip, msg);
        }
        return true;
    }
    if (msg->read) {
        eeprom_read(chip, msg);
        return true;
    }
    return eeprom_write(chip, msg);
}

/* @return whether it was acknowledged. */
static bool bus_message(struct avps_sim_i2c *bus, const struct avps_i2c_msg *msg)
{
    struct avps_sim_i2c_chip *chip = bus_find(bus, msg->address);

    return chip != NULL && !fault_strikes(bus, AVPS_SIM_I2C_NACK) && chip_message(chip, msg);
}

static uint32_t bus_carry_out(struct avps_sim_i2c *bus, const struct avps_i2c_msg *msgs,
                              uint32_t count)
{
    uint32_t done = 0;

    if (fault_strikes(bus, AVPS_SIM_I2C_LOST)) {
        return 0;
    }
    while (done < count && bus_message(bus, &msgs[done])) {
        done++;
    }
    return done;
}

bool avps_sim_i2c_run(struct avps_sim_i2c *bus)
{
    if (!bus->waiting || bus->stuck) {
        return false;
    }
    bus->waiting = false;
    const uint32_t done = bus_carry_out(bus, bus->msgs, bus->count);

    if (bus->shared != NULL) {
        avps_i2c_bus_done(bus->shared, bus->token, done);
    } else {
        avps_i2c_done(bus->i2c, bus->token, done);
    }
    return true;
}

/* ---- ops, init ---- */

static enum avps_status bus_transfer(void *ctx, uint64_t token, const struct avps_i2c_msg *msgs,
                                     uint32_t count, uint32_t *done)
{
    struct avps_sim_i2c *bus = ctx;

    if (fault_strikes(bus, AVPS_SIM_I2C_BROKEN)) {
        return AVPS_E_IO;
    }
    bus->stuck = fault_strikes(bus, AVPS_SIM_I2C_TIMEOUT);
    if (bus->stuck || bus->config.deferred) {
        bus->waiting = true;
        bus->token = token;
        bus->msgs = msgs;
        bus->count = count;
        return AVPS_PENDING;
    }
    *done = bus_carry_out(bus, msgs, count);
    return AVPS_OK;
}

static enum avps_status bus_cancel(void *ctx)
{
    struct avps_sim_i2c *bus = ctx;

    bus->cancelled += bus->waiting ? 1U : 0U;
    bus->waiting = false;
    bus->stuck = false;
    return AVPS_OK;
}

const struct avps_i2c_ops *avps_sim_i2c_ops(void)
{
    static const struct avps_i2c_ops ops = {.transfer = bus_transfer, .cancel = bus_cancel};

    return &ops;
}

void avps_sim_i2c_attach(struct avps_sim_i2c *bus, struct avps_i2c *i2c)
{
    bus->i2c = i2c;
}

void avps_sim_i2c_share(struct avps_sim_i2c *bus, struct avps_i2c_bus *shared)
{
    bus->shared = shared;
}

static bool is_power_of_two(uint32_t value)
{
    return value != 0U && (value & (value - 1U)) == 0U;
}

static bool chip_is_valid(const struct avps_sim_i2c_chip *chip)
{
    return chip->kind == AVPS_SIM_I2C_LM75 ||
           (chip->bytes != NULL && chip->size >= 16U && chip->size <= 65536U &&
            is_power_of_two(chip->size) && is_power_of_two(chip->page) && chip->page <= chip->size);
}

static void chip_power_on(struct avps_sim_i2c_chip *chip)
{
    chip->pointer = 0;
    chip->busy = 0;
    chip->config = 0;
    chip->hysteresis = 75 * 256;
    chip->limit = 80 * 256;
}

enum avps_status avps_sim_i2c_init(struct avps_sim_i2c *bus,
                                   const struct avps_sim_i2c_config *config)
{
    *bus = (struct avps_sim_i2c){.config = *config};
    for (uint32_t i = 0; i < config->chip_count; i++) {
        struct avps_sim_i2c_chip *chip = &config->chips[i];

        if (!chip_is_valid(chip) || bus_find(bus, chip->address) != chip) {
            return AVPS_E_PARAM;
        }
        chip_power_on(chip);
    }
    return AVPS_OK;
}
