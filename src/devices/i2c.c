/* SPDX-License-Identifier: BSD-3-Clause */
/* I2C adapter: wire format -> one request becomes a message -> the transfer -> answers -> cancel,
 * reset, state -> ops, init.
 *
 * Requests are collected into the messages of a transfer, request i being message i. The transfer
 * begins when its group is complete, when there is room for no more, or when the ring gave nothing
 * since the last poll. From then on no request is taken until all of it is answered [i2c-1.6]. */
#include "avps/i2c.h"

#include "devices/device_internal.h"

#define VIRTIO_ID_I2C_ADAPTER 34U

#define VIRTIO_I2C_F_ZERO_LENGTH_REQUEST 0U

#define VIRTIO_I2C_FLAGS_FAIL_NEXT 0x1U
#define VIRTIO_I2C_FLAGS_M_RD      0x2U
#define VIRTIO_I2C_FLAGS           (VIRTIO_I2C_FLAGS_FAIL_NEXT | VIRTIO_I2C_FLAGS_M_RD)

#define VIRTIO_I2C_MSG_OK  0U
#define VIRTIO_I2C_MSG_ERR 1U

struct virtio_i2c_out_hdr {
    avps_le16 addr;
    avps_le16 padding;
    avps_le32 flags;
};
AVPS_WIRE_SIZE(struct virtio_i2c_out_hdr, 8);

enum i2c_state {
    I2C_COLLECTING, /* requests are taken */
    I2C_CLOSED,     /* the transfer is complete, and to be begun */
    I2C_SUBMITTING, /* inside the back end's op */
    I2C_ANSWERED,   /* inside it, and it has answered */
    I2C_PENDING     /* on its way */
};

static struct avps_i2c *i2c_of(struct avps_device *dev)
{
    return AVPS_CONTAINER_OF(dev, struct avps_i2c, base);
}

/* ---- one request becomes a message ---- */

/* Bits 0..6, or 0..9 with AVPS_I2C_TEN_BIT. @return whether it is an address at all. */
static bool i2c_address(uint16_t addr, uint16_t *address)
{
    const bool ten_bit = (addr & 0xf8U) == 0xf0U;

    if ((addr & 1U) != 0U || (!ten_bit && addr > 0xffU)) {
        return false;
    }
    *address = ten_bit ? (uint16_t)(AVPS_I2C_TEN_BIT | (uint32_t)(addr & 6U) << 7 | addr >> 8)
                       : (uint16_t)(addr >> 1);
    return true;
}

static bool i2c_is_allowed(const struct avps_i2c *i2c, uint16_t address)
{
    for (uint32_t i = 0; i < i2c->address_count; i++) {
        if (i2c->addresses[i] == address) {
            return true;
        }
    }
    return i2c->addresses == NULL;
}

/* Room for a message's bytes. A read gets zeroes, so that no other transfer's bytes shine through. */
static bool i2c_place(struct avps_i2c *i2c, struct avps_i2c_msg *msg)
{
    if (msg->len > i2c->buffer_size - i2c->buffer_used) {
        return false;
    }
    msg->data = i2c->buffer + i2c->buffer_used;
    i2c->buffer_used += msg->len;
    (void)memset(msg->data, 0, msg->len);
    return true;
}

/* The bytes of a request without header and status. [i2c-1.5] AVPS_E_GUEST_PROTOCOL: not one way, the
 * right one, or too many. */
static enum avps_status i2c_take_data(struct avps_i2c *i2c, struct avps_chain *chain,
                                      struct avps_i2c_msg *msg)
{
    const uint32_t readable = avps_chain_readable(chain);
    const uint32_t writable = avps_chain_writable(chain);

    msg->len = msg->read ? writable : readable;
    if ((msg->read ? readable : writable) != 0U || !i2c_place(i2c, msg)) {
        return AVPS_E_GUEST_PROTOCOL;
    }
    return msg->read ? AVPS_OK : avps_chain_read(chain, msg->data, msg->len);
}

/* [i2c-1.3] [i2c-1.4] Nothing that the driver wrote is written to. */
static enum avps_status i2c_parse(struct avps_i2c *i2c, struct avps_chain *chain,
                                  struct avps_i2c_msg *msg)
{
    struct virtio_i2c_out_hdr hdr;
    const enum avps_status status = avps_chain_read(chain, &hdr, sizeof hdr);

    *msg = (struct avps_i2c_msg){0};
    i2c->open = false;
    if (status != AVPS_OK) {
        return status;
    }
    const uint32_t flags = avps_le32_get(hdr.flags);

    i2c->open = (flags & VIRTIO_I2C_FLAGS_FAIL_NEXT) != 0U;
    msg->read = (flags & VIRTIO_I2C_FLAGS_M_RD) != 0U;
    if ((flags & ~VIRTIO_I2C_FLAGS) != 0U || !i2c_address(avps_le16_get(hdr.addr), &msg->address)) {
        return AVPS_E_GUEST_PROTOCOL;
    }
    return i2c_take_data(i2c, chain, msg);
}

/* Whether the message may be carried out; what may not is counted. */
static bool i2c_may_carry_out(struct avps_i2c *i2c, const struct avps_i2c_msg *msg,
                              enum avps_status parsed)
{
    if (parsed != AVPS_OK) {
        i2c->counters.malformed++;
        return false;
    }
    if (!i2c_is_allowed(i2c, msg->address)) {
        i2c->counters.denied++;
        return false;
    }
    return !i2c->failing && i2c->usable == i2c->count;
}

/* [i2c-1.6] A request that comes while a transfer is on its way waits in the ring. */
static enum avps_status i2c_request(struct avps_device *dev, uint16_t queue,
                                    struct avps_chain *chain)
{
    struct avps_i2c *i2c = i2c_of(dev);

    if (i2c->state != I2C_COLLECTING) {
        return AVPS_AGAIN;
    }
    if (avps_chain_reserve_tail(chain, 1) != AVPS_OK) {
        return AVPS_E_GUEST_SIZE; /* nowhere to put the status */
    }
    struct avps_i2c_msg *msg = &i2c->msgs[i2c->count];
    const uint32_t buffer_used = i2c->buffer_used;
    const bool open = i2c->open;
    const enum avps_status parsed = i2c_parse(i2c, chain, msg);

    if (parsed == AVPS_AGAIN) { /* memory is busy: as if it had not been looked at */
        i2c->buffer_used = buffer_used;
        i2c->open = open;
        avps_device_retry(dev, queue);
        return AVPS_AGAIN;
    }
    i2c->usable += i2c_may_carry_out(i2c, msg, parsed) ? 1U : 0U;
    i2c->count++;
    if (!i2c->open || i2c->count == i2c->message_count) {
        i2c->state = I2C_CLOSED;
    }
    avps_device_retry(dev, queue); /* the next poll looks whether it may begin */
    return AVPS_PENDING;
}

/* Slots fill up in order, and are all free again after a transfer. */
static struct avps_request *i2c_get_request(struct avps_device *dev, uint16_t queue)
{
    struct avps_i2c *i2c = i2c_of(dev);

    (void)queue;
    if (i2c->state != I2C_COLLECTING) {
        return NULL;
    }
    for (uint32_t i = i2c->count; i < i2c->message_count; i++) {
        if (!i2c->requests[i].base.busy) {
            return &i2c->requests[i].base;
        }
    }
    return NULL;
}

/* ---- answers ---- */

/* @param ok  Whether the message was carried out. */
static enum avps_status i2c_answer(struct avps_chain *chain, const struct avps_i2c_msg *msg,
                                   bool ok)
{
    const uint8_t status = (uint8_t)(ok ? VIRTIO_I2C_MSG_OK : VIRTIO_I2C_MSG_ERR);
    enum avps_status sent = AVPS_OK;

    if (ok && msg->read) {
        sent = avps_chain_write(chain, msg->data, msg->len); /* [i2c-1.5] */
    }
    return sent == AVPS_OK ? avps_chain_write_tail(chain, &status, sizeof status) : sent;
}

static void i2c_count(struct avps_i2c_counters *counters, const struct avps_i2c_msg *msg, bool ok)
{
    if (!ok) {
        counters->failed++;
        return;
    }
    counters->messages++;
    if (msg->read) {
        counters->read += msg->len;
    } else {
        counters->written += msg->len;
    }
}

static void i2c_start_collecting(struct avps_i2c *i2c)
{
    i2c->state = I2C_COLLECTING;
    i2c->count = 0;
    i2c->usable = 0;
    i2c->seen = 0;
    i2c->buffer_used = 0;
}

/* All of the transfer is answered, `done` messages with success. [i2c-1.7] */
static void i2c_finish(struct avps_i2c *i2c, uint32_t done)
{
    struct avps_device *dev = &i2c->base;
    const uint32_t count = i2c->count;
    const bool dropped = dev->resetting || dev->queues[0].regs.resetting;

    i2c->failing = i2c->open && done < count;
    i2c_start_collecting(i2c);
    for (uint32_t i = 0; i < count; i++) {
        struct avps_request *request = &i2c->requests[i].base;
        const bool ok = i < done;
        enum avps_status sent = AVPS_OK;

        if (!dropped) {
            i2c_count(&i2c->counters, &i2c->msgs[i], ok);
            sent = i2c_answer(&request->chain, &i2c->msgs[i], ok);
        }
        if (sent == AVPS_OK) {
            avps_device_complete(dev, request);
        } else {
            avps_device_abandon(dev, request, sent);
        }
    }
}

static void i2c_late(struct avps_i2c *i2c)
{
    i2c->counters.late++;
    i2c->base.queues[0].counters.late++;
    avps_device_event(&i2c->base, AVPS_EVENT_LATE_COMPLETION, 0, 0);
}

/* More than it was given: the back end is confused, and nothing it says is believed. */
static uint32_t i2c_believed(const struct avps_i2c *i2c, uint32_t done)
{
    return done <= i2c->usable ? done : 0U;
}

void avps_i2c_done(struct avps_i2c *i2c, uint64_t token, uint32_t done)
{
    if (token == i2c->token && i2c->state == I2C_PENDING) {
        i2c_finish(i2c, i2c_believed(i2c, done));
    } else if (token == i2c->token && i2c->state == I2C_SUBMITTING) {
        i2c->answer = i2c_believed(i2c, done);
        i2c->state = I2C_ANSWERED;
    } else {
        i2c_late(i2c);
    }
}

/* ---- the transfer ---- */

/* Give it to the back end, whose bus it is. [i2c-1.2] @return whether it is finished, `*done` messages carried out. */
static bool i2c_submit(struct avps_i2c *i2c, uint32_t *done)
{
    i2c->token++;
    i2c->state = I2C_SUBMITTING;
    i2c->counters.transfers++;
    const enum avps_status status =
        i2c->ops->transfer(i2c->ctx, i2c->token, i2c->msgs, i2c->usable, done);

    if (i2c->state == I2C_ANSWERED) {
        *done = i2c->answer;
        return true;
    }
    if (status == AVPS_PENDING) {
        i2c->state = I2C_PENDING;
        return false;
    }
    *done = status == AVPS_OK ? i2c_believed(i2c, *done) : 0U;
    return true;
}

/* Messages behind one that must fail are not attempted. */
static void i2c_begin(struct avps_i2c *i2c)
{
    uint32_t done = 0;

    if (i2c->usable == 0U || i2c_submit(i2c, &done)) {
        i2c_finish(i2c, done);
    }
}

/* An unfinished group waits as long as requests come in. */
static bool i2c_work(struct avps_device *dev, uint32_t budget)
{
    struct avps_i2c *i2c = i2c_of(dev);

    (void)budget;
    if (i2c->state == I2C_COLLECTING && i2c->count != 0U) {
        i2c->state = i2c->seen == i2c->count ? I2C_CLOSED : I2C_COLLECTING;
        i2c->seen = i2c->count;
    }
    if (i2c->state == I2C_CLOSED) {
        i2c_begin(i2c);
    }
    return i2c->state == I2C_COLLECTING && i2c->count != 0U;
}

const struct avps_i2c_counters *avps_i2c_counters(const struct avps_i2c *i2c)
{
    return &i2c->counters;
}

/* ---- cancel, reset, state ---- */

static enum avps_status i2c_cancel(struct avps_device *dev, uint32_t queue)
{
    struct avps_i2c *i2c = i2c_of(dev);

    (void)queue;
    if (i2c->state == I2C_PENDING &&
        (i2c->ops->cancel == NULL || i2c->ops->cancel(i2c->ctx) != AVPS_OK)) {
        return AVPS_PENDING;
    }
    if (i2c->state == I2C_SUBMITTING || i2c->state == I2C_ANSWERED) {
        return AVPS_PENDING; /* the op comes to its end */
    }
    i2c_start_collecting(i2c);
    return AVPS_OK;
}

static void i2c_reset(struct avps_device *dev)
{
    i2c_of(dev)->failing = false;
}

static void i2c_queue_reset(struct avps_device *dev, uint16_t queue)
{
    (void)queue;
    i2c_reset(dev);
}

static void i2c_save(struct avps_device *dev, struct avps_state *state)
{
    avps_state_put_int(state, i2c_of(dev)->failing ? 1U : 0U, 1);
}

static void i2c_load(struct avps_device *dev, struct avps_state *state)
{
    const uint64_t failing = avps_state_get_int(state, 1);

    if (failing > 1U) {
        state->failed = true;
        return;
    }
    i2c_of(dev)->failing = failing == 1U;
}

/* ---- ops, init ---- */

static const struct avps_feature i2c_features[] = {
    AVPS_FEATURE(VIRTIO_I2C_F_ZERO_LENGTH_REQUEST, AVPS_FEATURE_REQUIRED), /* [i2c-1.1] */
};

static const struct avps_device_ops i2c_device_ops = {
    .device_id = VIRTIO_ID_I2C_ADAPTER,
    .features = i2c_features,
    .feature_count = AVPS_COUNT_OF(i2c_features),
    .get_request = i2c_get_request,
    .request = i2c_request,
    .work = i2c_work,
    .cancel = i2c_cancel,
    .reset = i2c_reset,
    .queue_reset = i2c_queue_reset,
    .save = i2c_save,
    .load = i2c_load,
};

static bool i2c_config_is_valid(const struct avps_i2c_config *config)
{
    return config->ops != NULL && config->ops->transfer != NULL && config->requests != NULL &&
           config->msgs != NULL && config->message_count >= 1U &&
           config->message_count <= AVPS_I2C_MESSAGES_MAX && config->buffer != NULL &&
           config->buffer_size != 0U && config->base.queue_count == 1U &&
           (config->addresses != NULL || config->address_count == 0U) &&
           !avps_features_has(&config->base.withhold, VIRTIO_I2C_F_ZERO_LENGTH_REQUEST);
}

enum avps_status avps_i2c_init(struct avps_i2c *i2c, const struct avps_i2c_config *config)
{
    struct avps_features offer = {{0}};

    if (i2c == NULL || config == NULL || !i2c_config_is_valid(config)) {
        return AVPS_E_PARAM;
    }
    (void)memset(i2c, 0, sizeof *i2c);
    (void)memset(config->requests, 0, config->message_count * sizeof *config->requests);
    for (uint32_t i = 0; i < config->message_count; i++) {
        avps_chain_init(&config->requests[i].base.chain, config->requests[i].segs, AVPS_I2C_SEGS);
    }
    i2c->ops = config->ops;
    i2c->ctx = config->ctx;
    i2c->requests = config->requests;
    i2c->msgs = config->msgs;
    i2c->message_count = config->message_count;
    i2c->buffer = config->buffer;
    i2c->buffer_size = config->buffer_size;
    i2c->addresses = config->addresses;
    i2c->address_count = config->address_count;
    avps_features_add(&offer, VIRTIO_I2C_F_ZERO_LENGTH_REQUEST);
    return avps_device_init(&i2c->base, &i2c_device_ops, &config->base, &offer);
}
