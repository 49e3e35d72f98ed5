/* SPDX-License-Identifier: BSD-3-Clause */
/* I2C adapter: a bus that carries out all, some or none of a transfer, now, later or never. What the
 * bus is given is the oracle: private bytes inside the buffer, allowed addresses, one transfer at a
 * time. */
#include <string.h>

#include "avps/i2c.h"
#include "guest.h"

#define MESSAGES 4U
#define BUFFER   256U

struct bus {
    struct fuzz_guest *guest;
    bool busy;
    uint64_t token;
    uint32_t count;
};

static const uint16_t chips[] = {0x50, 0x48, AVPS_I2C_TEN_BIT | 0x123};

static struct avps_i2c i2c;
static struct avps_i2c_request requests[MESSAGES];
static struct avps_i2c_msg msgs[MESSAGES];
static uint8_t buffer[BUFFER];
static struct bus bus;

static void check_message(const struct avps_i2c_msg *msg)
{
    bool allowed = false;

    for (size_t i = 0; i < sizeof chips / sizeof chips[0]; i++) {
        allowed = allowed || msg->address == chips[i];
    }
    FUZZ_CHECK(allowed);
    FUZZ_CHECK(msg->data >= buffer && msg->len <= BUFFER &&
               msg->data + msg->len <= buffer + BUFFER);
    if (msg->read) {
        memset(msg->data, 0x5a, msg->len);
    }
}

static enum avps_status bus_transfer(void *ctx, uint64_t token, const struct avps_i2c_msg *messages,
                                     uint32_t count, uint32_t *done)
{
    struct bus *b = ctx;
    const uint8_t how = fuzz_u8(b->guest);

    FUZZ_CHECK(!b->busy && count != 0U && count <= MESSAGES);
    for (uint32_t i = 0; i < count; i++) {
        check_message(&messages[i]);
    }
    *done = (how & 0x40U) != 0U ? how : count;
    b->token = token;
    b->count = count;
    if ((how & 3U) == 1U) {
        b->busy = true;
        return AVPS_PENDING;
    }
    if ((how & 3U) == 2U) {
        avps_i2c_done(&i2c, token, *done);
        return AVPS_PENDING;
    }
    return (how & 3U) == 3U ? AVPS_E_IO : AVPS_OK;
}

static enum avps_status bus_cancel(void *ctx)
{
    struct bus *b = ctx;

    if ((fuzz_u8(b->guest) & 1U) != 0U) {
        return AVPS_PENDING;
    }
    b->busy = false;
    return AVPS_OK;
}

static const struct avps_i2c_ops bus_ops = {bus_transfer, bus_cancel};

static bool i2c_init(struct fuzz_guest *guest)
{
    const struct avps_i2c_config config = {.base = guest->base,
                                           .ops = &bus_ops,
                                           .ctx = &bus,
                                           .requests = requests,
                                           .msgs = msgs,
                                           .message_count = MESSAGES,
                                           .buffer = buffer,
                                           .buffer_size = BUFFER,
                                           .addresses = chips,
                                           .address_count = sizeof chips / sizeof chips[0]};

    bus = (struct bus){.guest = guest};
    guest->device = &i2c.base;
    return avps_i2c_init(&i2c, &config) == AVPS_OK;
}

/* The bus has finished; or it says so, and has not. */
static void i2c_host(struct fuzz_guest *guest, uint8_t what)
{
    (void)guest;
    if (what >= 0xf0U) {
        avps_i2c_done(&i2c, bus.token + what, 1);
    } else if (bus.busy) {
        bus.busy = false;
        avps_i2c_done(&i2c, bus.token, what < 0x80U ? bus.count : what);
    }
}

static const struct fuzz_target i2c_target = {1, i2c_init, i2c_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&i2c_target, input, size);
    return 0;
}
