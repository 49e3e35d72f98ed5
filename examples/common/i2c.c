/* SPDX-License-Identifier: BSD-3-Clause */
/* I2C adapter: options -> simulated chips -> buses -> allow-list -> open, close. Every adapter is a port of a
 * bus, its own or that of another device of the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avps/i2c_bus.h"
#include "avps_common/platform_apply.h"
#include "avps_posix/i2c.h"
#include "avps_sim/i2c.h"
#include "host.h"

#define I2C_MESSAGES AVPS_POSIX_I2C_MESSAGES
#define I2C_BUFFER   65536U
#define I2C_EEPROM   256U /* bytes of a simulated one, and 8 of a page */
#define I2C_ALLOWED  OPTION_LIST

/* A bus and what is on it. */
struct i2c_wire {
    struct i2c_wire *next;
    const char *name; /* NULL: for one device only */
    struct avps_posix_loop *loop;
    struct avps_posix_i2c *host_bus;
    struct avps_sim_i2c sim_bus;
    struct avps_sim_i2c_chip sim_chips[OPTION_LIST];
    uint8_t eeproms[OPTION_LIST][I2C_EEPROM];
    struct avps_i2c_bus bus;
    struct avps_i2c_bus_port ports[HOST_DEVICES];
    uint32_t used;    /* ports */
    uint32_t holders; /* devices that have not let go */
};

struct i2c {
    const char *bus;
    const char *join;
    const char *name;
    uint32_t share;
    struct option_list chips;
    struct option_list allow;
    uint32_t write_cycle;
    struct i2c_wire *wire;
    uint32_t port;
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
    {.name = "join",
     .value = "NAME",
     .type = OPTION_TEXT,
     .offset = offsetof(struct i2c, join),
     .choice = CHOICE_BUS,
     .must = true,
     .help = "the bus of another device of this program, which has --name NAME"},
    {.name = "name",
     .value = "NAME",
     .type = OPTION_TEXT,
     .offset = offsetof(struct i2c, name),
     .help = "let other devices of this program join this bus"},
    {.name = "share",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct i2c, share),
     .min = 1,
     .max = AVPS_I2C_BUS_SHARE_MAX,
     .help = "of the bus, where several devices want it, against the others' shares (1)"},
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

static bool make_chip(const struct i2c *i2c, uint32_t number)
{
    struct avps_sim_i2c_chip *chip = &i2c->wire->sim_chips[number];
    const char *text = i2c->chips.items[number];
    const char *at = strchr(text, '@');
    uint16_t address = 0;

    if (at == NULL || !read_address(at + 1, &address)) {
        return false;
    }
    if (strncmp(text, "eeprom@", 7) == 0) {
        *chip = (struct avps_sim_i2c_chip){.kind = AVPS_SIM_I2C_EEPROM,
                                           .address = address,
                                           .bytes = i2c->wire->eeproms[number],
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

static enum avps_status open_sim(const struct i2c *i2c, struct avps_i2c_bus_config *config,
                                 struct avps_posix_error *error)
{
    struct i2c_wire *wire = i2c->wire;
    const struct avps_sim_i2c_config sim = {.chips = wire->sim_chips,
                                            .chip_count = i2c->chips.count};

    for (uint32_t i = 0; i < i2c->chips.count; i++) {
        if (!make_chip(i2c, i)) {
            return host_fail(error, AVPS_E_PARAM,
                             "--chip takes eeprom@ADDRESS or lm75@ADDRESS, 1 to 0x7f, not '%s'",
                             i2c->chips.items[i]);
        }
    }
    if (avps_sim_i2c_init(&wire->sim_bus, &sim) != AVPS_OK) {
        return host_fail(error, AVPS_E_PARAM, "two chips have the same address");
    }
    config->ops = avps_sim_i2c_ops();
    config->ctx = &wire->sim_bus;
    return AVPS_OK;
}

/* ---- buses ---- */

static struct i2c_wire *wire_find(const struct host *host, const char *name)
{
    struct i2c_wire *wire = host->i2c_wires;

    while (wire != NULL && (wire->name == NULL || strcmp(wire->name, name) != 0)) {
        wire = wire->next;
    }
    return wire;
}

/* What was opened, becomes the bus that devices share. */
static enum avps_status wire_open(struct host_device *device, struct avps_posix_error *error)
{
    const struct i2c *i2c = device->own;
    struct i2c_wire *wire = i2c->wire;
    struct avps_i2c_bus_config config = {.ports = wire->ports, .port_count = HOST_DEVICES};
    enum avps_status status = AVPS_OK;

    if (i2c->bus == NULL) {
        status = open_sim(i2c, &config, error);
    } else {
        status = avps_posix_i2c_open(&wire->host_bus, i2c->bus, device->loop, error);
    }
    if (status != AVPS_OK) {
        return status;
    }
    if (wire->host_bus != NULL) {
        avps_posix_i2c_share(wire->host_bus, &wire->bus, &config);
    }
    return avps_i2c_bus_init(&wire->bus, &config) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "the I2C bus cannot be set up");
}

static enum avps_status wire_make(struct host_device *device, struct avps_posix_error *error)
{
    struct i2c *i2c = device->own;

    if (i2c->name != NULL && wire_find(device->host, i2c->name) != NULL) {
        return host_fail(error, AVPS_E_PARAM, "two I2C buses are named '%s'", i2c->name);
    }
    i2c->wire = calloc(1, sizeof *i2c->wire);
    if (i2c->wire == NULL) {
        return host_fail(error, AVPS_E_NOSPACE, "not enough memory for an I2C bus");
    }
    i2c->wire->name = i2c->name;
    i2c->wire->loop = device->loop;
    i2c->wire->next = device->host->i2c_wires;
    device->host->i2c_wires = i2c->wire;
    i2c->wire->holders = 1;
    return wire_open(device, error);
}

static enum avps_status wire_join(struct host_device *device, struct avps_posix_error *error)
{
    struct i2c *i2c = device->own;
    struct i2c_wire *wire = wire_find(device->host, i2c->join);

    if (wire == NULL) {
        return host_fail(error, AVPS_E_PARAM,
                         "no device in front of this one has '--name %s' for its I2C bus",
                         i2c->join);
    }
    if (wire->loop != device->loop) {
        return host_fail(
            error, AVPS_E_PARAM,
            "the devices of I2C bus '%s' must run in one thread: leave it to the program",
            i2c->join);
    }
    i2c->wire = wire;
    wire->holders++;
    return AVPS_OK;
}

/* Devices are closed when the program ends, all of them: the first to go ends the transfers. */
static void wire_close(struct host *host, struct i2c_wire *wire)
{
    struct i2c_wire **link = &host->i2c_wires;

    avps_posix_i2c_close(wire->host_bus);
    wire->host_bus = NULL;
    wire->holders--;
    if (wire->holders != 0U) {
        return;
    }
    while (*link != wire) {
        link = &(*link)->next;
    }
    *link = wire->next;
    free(wire);
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

/* ---- open, close ---- */

static enum avps_status i2c_init(struct host_device *device, struct avps_i2c_config *config,
                                 struct avps_posix_error *error)
{
    struct i2c *i2c = device->own;

    i2c->port = i2c->wire->used++;
    config->ops = &avps_i2c_bus_ops;
    config->ctx = &i2c->wire->ports[i2c->port];
    device->base = &i2c->device.base;
    return avps_i2c_init(&i2c->device, config) == AVPS_OK &&
                   avps_i2c_bus_connect(&i2c->wire->bus, i2c->port, &i2c->device,
                                        i2c->share != 0U ? i2c->share : 1U) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "the I2C adapter cannot be set up");
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

    if (device->planned != NULL) {
        avps_platform_i2c(device->planned, &config);
    }
    if (status == AVPS_OK) {
        status = i2c->join != NULL ? wire_join(device, error) : wire_make(device, error);
    }
    return status == AVPS_OK ? i2c_init(device, &config, error) : status;
}

static bool i2c_close(struct host_device *device)
{
    struct i2c *i2c = device->own;

    if (i2c->wire != NULL) {
        wire_close(device->host, i2c->wire);
    }
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
    .close = i2c_close,
};
