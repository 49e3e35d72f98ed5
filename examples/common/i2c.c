/* SPDX-License-Identifier: BSD-3-Clause */
/* I2C adapter: options -> simulated chips -> allow-list -> open, ready, close. */
#include <stdio.h>
#include <string.h>

#include "avps_posix/i2c.h"
#include "avps_sim/i2c.h"
#include "host.h"

#define I2C_MESSAGES AVPS_POSIX_I2C_MESSAGES
#define I2C_BUFFER   65536U
#define I2C_EEPROM   256U /* bytes of a simulated one, and 8 of a page */
#define I2C_ALLOWED  OPTION_LIST

struct i2c {
    const char *bus;
    struct option_list chips;
    struct option_list allow;
    uint32_t write_cycle;
    struct avps_posix_i2c *host_bus;
    struct avps_sim_i2c sim_bus;
    struct avps_sim_i2c_chip sim_chips[OPTION_LIST];
    uint8_t eeproms[OPTION_LIST][I2C_EEPROM];
    uint16_t addresses[I2C_ALLOWED];
    struct avps_i2c_request requests[I2C_MESSAGES];
    struct avps_i2c_msg msgs[I2C_MESSAGES];
    uint8_t buffer[I2C_BUFFER];
    struct avps_queue queue;
    struct avps_i2c device;
};

enum { CHOICE_BUS = 1 };

static const struct option i2c_rows[] = {
    {.name = "bus",
     .value = "PATH",
     .type = OPTION_TEXT,
     .offset = offsetof(struct i2c, bus),
     .choice = CHOICE_BUS,
     .must = true,
     .help = "bus of this machine, such as /dev/i2c-1"},
    {.name = "chip",
     .value = "KIND@ADDRESS",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct i2c, chips),
     .choice = CHOICE_BUS,
     .must = true,
     .help = "simulated chip: eeprom@0x50, lm75@0x48; may be repeated"},
    {.name = "allow",
     .value = "ADDRESS",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct i2c, allow),
     .help = "chip that the guest may talk to; may be repeated (all)"},
    {.name = "write-cycle",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct i2c, write_cycle),
     .max = 1000,
     .needs = "chip",
     .help = "messages that an EEPROM does not answer after a write (0)"},
};

/* A 7-bit address and nothing behind it. */
static bool read_address(const char *text, uint16_t *address)
{
    uint32_t number = 0;
    const char *rest = options_number(text, 0x7f, &number);

    *address = (uint16_t)number;
    return rest != NULL && *rest == '\0';
}

/* ---- simulated chips ---- */

static bool make_chip(struct i2c *i2c, uint32_t number)
{
    struct avps_sim_i2c_chip *chip = &i2c->sim_chips[number];
    const char *text = i2c->chips.items[number];
    const char *at = strchr(text, '@');
    uint16_t address = 0;

    if (at == NULL || !read_address(at + 1, &address)) {
        return false;
    }
    if (strncmp(text, "eeprom@", 7) == 0) {
        *chip = (struct avps_sim_i2c_chip){.kind = AVPS_SIM_I2C_EEPROM,
                                           .address = address,
                                           .bytes = i2c->eeproms[number],
                                           .size = I2C_EEPROM,
                                           .page = 8,
                                           .write_cycle = i2c->write_cycle};
        (void)memset(chip->bytes, 0xff, chip->size);
        return true;
    }
    *chip = (struct avps_sim_i2c_chip){
        .kind = AVPS_SIM_I2C_LM75, .address = address, .temperature = 25 * 256};
    return strncmp(text, "lm75@", 5) == 0;
}

static enum avps_status open_sim(struct i2c *i2c, struct avps_i2c_config *config,
                                 struct avps_posix_error *error)
{
    const struct avps_sim_i2c_config sim = {.chips = i2c->sim_chips,
                                            .chip_count = i2c->chips.count};

    for (uint32_t i = 0; i < i2c->chips.count; i++) {
        if (!make_chip(i2c, i)) {
            return host_fail(error, AVPS_E_PARAM,
                             "--chip takes eeprom@ADDRESS or lm75@ADDRESS, 1 to 0x7f, not '%s'",
                             i2c->chips.items[i]);
        }
    }
    if (avps_sim_i2c_init(&i2c->sim_bus, &sim) != AVPS_OK) {
        return host_fail(error, AVPS_E_PARAM, "two chips have the same address");
    }
    config->ops = avps_sim_i2c_ops();
    config->ctx = &i2c->sim_bus;
    return AVPS_OK;
}

/* ---- allow-list ---- */

static enum avps_status allow(struct i2c *i2c, struct avps_i2c_config *config,
                              struct avps_posix_error *error)
{
    for (uint32_t i = 0; i < i2c->allow.count; i++) {
        if (!read_address(i2c->allow.items[i], &i2c->addresses[i])) {
            return host_fail(error, AVPS_E_PARAM, "--allow takes an address, 1 to 0x7f, not '%s'",
                             i2c->allow.items[i]);
        }
    }
    if (i2c->allow.count != 0U) {
        config->addresses = i2c->addresses;
        config->address_count = i2c->allow.count;
    }
    return AVPS_OK;
}

/* ---- open, ready, close ---- */

static enum avps_status open_bus(struct host_device *device, struct avps_i2c_config *config,
                                 struct avps_posix_error *error)
{
    struct i2c *i2c = device->own;

    if (i2c->bus == NULL) {
        return open_sim(i2c, config, error);
    }
    const enum avps_status status =
        avps_posix_i2c_open(&i2c->host_bus, i2c->bus, device->loop, error);

    if (status == AVPS_OK) {
        avps_posix_i2c_describe(i2c->host_bus, config);
    }
    return status;
}

static enum avps_status i2c_open(struct host_device *device, struct avps_posix_error *error)
{
    struct i2c *i2c = device->own;
    struct avps_i2c_config config = {.base = host_device_base(device, &i2c->queue, 1),
                                     .requests = i2c->requests,
                                     .msgs = i2c->msgs,
                                     .message_count = I2C_MESSAGES,
                                     .buffer = i2c->buffer,
                                     .buffer_size = I2C_BUFFER};
    enum avps_status status = allow(i2c, &config, error);

    status = status == AVPS_OK ? open_bus(device, &config, error) : status;
    if (status != AVPS_OK) {
        return status;
    }
    device->base = &i2c->device.base;
    return avps_i2c_init(&i2c->device, &config) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "the I2C adapter cannot be set up");
}

static void i2c_ready(struct host_device *device)
{
    struct i2c *i2c = device->own;

    if (i2c->host_bus != NULL) {
        avps_posix_i2c_attach(i2c->host_bus, &i2c->device);
    }
}

static bool i2c_close(struct host_device *device)
{
    struct i2c *i2c = device->own;

    avps_posix_i2c_close(i2c->host_bus);
    return true;
}

const struct host_kind i2c_kind = {
    .name = "i2c",
    .summary = "I2C adapter on a bus of the host, or with simulated chips",
    .id = 34,
    .rows = i2c_rows,
    .row_count = sizeof i2c_rows / sizeof i2c_rows[0],
    .size = sizeof(struct i2c),
    .turn_least = 16,
    .turn_most = 64,
    .open = i2c_open,
    .ready = i2c_ready,
    .close = i2c_close,
};
