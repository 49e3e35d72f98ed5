/* SPDX-License-Identifier: BSD-3-Clause */
/* Console device: wire format -> features and queues -> configuration space -> output -> control
 * messages to the guest -> control messages from the guest -> input -> host events -> activation,
 * reset, saved state -> ops, init.
 *
 * A buffer of output that the back end could not take whole goes back to the ring, and the number
 * of bytes taken is remembered: nothing is in flight while a back end blocks, so reset, suspend and
 * save need not wait for it. What the guest has yet to be told is kept as state per port
 * (`owed` and the differences between `host_open` and `told_open`, `ops` and `known`). */
#include "avps/console.h"

#include "devices/device_internal.h"

/* ---- wire format ---- */

#define VIRTIO_ID_CONSOLE 3U

#define VIRTIO_CONSOLE_F_SIZE        0U
#define VIRTIO_CONSOLE_F_MULTIPORT   1U
#define VIRTIO_CONSOLE_F_EMERG_WRITE 2U

#define VIRTIO_CONSOLE_DEVICE_READY  0U
#define VIRTIO_CONSOLE_DEVICE_ADD    1U
#define VIRTIO_CONSOLE_DEVICE_REMOVE 2U
#define VIRTIO_CONSOLE_PORT_READY    3U
#define VIRTIO_CONSOLE_CONSOLE_PORT  4U
#define VIRTIO_CONSOLE_RESIZE        5U
#define VIRTIO_CONSOLE_PORT_OPEN     6U
#define VIRTIO_CONSOLE_PORT_NAME     7U

struct virtio_console_config {
    avps_le16 cols;
    avps_le16 rows;
    avps_le32 max_nr_ports;
    avps_le32 emerg_wr;
};
AVPS_WIRE_SIZE(struct virtio_console_config, 12);

struct virtio_console_control {
    avps_le32 id;
    avps_le16 event;
    avps_le16 value;
};
AVPS_WIRE_SIZE(struct virtio_console_control, 8);

struct virtio_console_resize {
    avps_le16 cols;
    avps_le16 rows;
};
AVPS_WIRE_SIZE(struct virtio_console_resize, 4);

/* Messages that a port owes the guest; others follow from its state. */
#define OWED_REMOVE  1U
#define OWED_CONSOLE 2U
#define OWED_RESIZE  4U
#define OWED_NAME    8U
#define OWED_CLOSE   16U
#define OWED_ALL     31U

#define CONSOLE_NAME_MAX  1024U
#define CONSOLE_PORTS_MAX 32766U
#define CONSOLE_PIECE     256U

/* ---- features and queues ---- */

static const struct avps_feature console_features[] = {
    AVPS_FEATURE(VIRTIO_CONSOLE_F_SIZE, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_CONSOLE_F_EMERG_WRITE, AVPS_FEATURE_OFFERED),
};

enum console_queue { QUEUE_CONTROL_RX = 2, QUEUE_CONTROL_TX = 3 };

/* So that a const device can be converted without losing const. */
_Static_assert(offsetof(struct avps_console, base) == 0, "base is the first member");

static struct avps_console *console_of(struct avps_device *dev)
{
    return AVPS_CONTAINER_OF(dev, struct avps_console, base);
}

static bool console_is_multiport(const struct avps_console *console)
{
    return avps_device_has(&console->base, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* Queues: 0, 1 port 0; 2, 3 control; then two for each further port. */
static uint32_t console_port_of(uint16_t queue)
{
    return queue < 2U ? 0U : queue / 2U - 1U;
}

static uint16_t console_rx_queue(uint32_t id)
{
    return (uint16_t)(id == 0U ? 0U : 2U * id + 2U);
}

static uint16_t console_tx_queue(uint32_t id)
{
    return (uint16_t)(console_rx_queue(id) + 1U);
}

/* Without MULTIPORT there are only the queues of port 0. */
static bool console_queue_exists(const struct avps_console *console, uint16_t queue)
{
    return queue < 2U || console_is_multiport(console);
}

static enum avps_queue_kind console_queue_kind(const struct avps_device *dev, uint16_t queue)
{
    (void)dev;
    return queue % 2U == 0U ? AVPS_QUEUE_SUPPLY : AVPS_QUEUE_REQUEST;
}

/* ---- configuration space ---- */

static void console_config_get(const struct avps_device *dev, uint8_t *image)
{
    const struct avps_console *console = (const void *)dev;
    struct virtio_console_config config = {{{0}}, {{0}}, {{0}}, {{0}}};

    if (avps_features_has(&dev->offered, VIRTIO_CONSOLE_F_SIZE)) {
        config.cols = avps_le16_of(console->ports[0].cols);
        config.rows = avps_le16_of(console->ports[0].rows);
    }
    if (avps_features_has(&dev->offered, VIRTIO_CONSOLE_F_MULTIPORT)) {
        config.max_nr_ports = avps_le32_of(console->max_ports);
    }
    (void)memcpy(image, &config, sizeof config);
}

/* [console-1.1] [console-1.2] The low byte of emerg_wr, whatever the device's status. */
static void console_config_put(struct avps_device *dev, uint32_t off, const uint8_t *bytes,
                               uint32_t len)
{
    struct avps_console *console = console_of(dev);
    const struct avps_console_port *port = &console->ports[0];

    if (off == offsetof(struct virtio_console_config, emerg_wr) && len != 0U &&
        avps_features_has(&dev->offered, VIRTIO_CONSOLE_F_EMERG_WRITE)) {
        console->counters.emergency++;
        port->ops->emergency(port->ctx, bytes[0]);
    }
}

/* ---- output ---- */

/* Whether output of the guest has somebody to go to. */
static bool console_listens(const struct avps_console *console,
                            const struct avps_console_port *port)
{
    return port->ops != NULL && port->ops->output != NULL && port->host_open &&
           (!console_is_multiport(console) || (port->known && (port->owed & OWED_REMOVE) == 0U));
}

/* Memory that is busy now is tried again at the next poll. */
static enum avps_status console_read(struct avps_device *dev, uint16_t queue,
                                     struct avps_chain *chain, void *dst, uint32_t len)
{
    const enum avps_status status = avps_chain_read(chain, dst, len);

    if (status == AVPS_AGAIN) {
        avps_device_retry(dev, queue);
    }
    return status;
}

/* One piece to the back end, by a copy that the guest cannot change. AVPS_AGAIN: it took a part. */
static enum avps_status console_hand_over(struct avps_console_port *port, uint32_t id,
                                          const uint8_t *piece, uint32_t len)
{
    uint32_t taken = 0;
    const enum avps_status status = port->ops->output(port->ctx, id, piece, len, &taken);

    if ((status != AVPS_OK && status != AVPS_AGAIN) || taken > len) {
        port->counters.failures++;
        return AVPS_E_IO;
    }
    port->counters.output += taken;
    port->sent += taken;
    if (taken == len) {
        return AVPS_OK;
    }
    port->counters.blocked++;
    return AVPS_AGAIN;
}

static enum avps_status console_output_piece(struct avps_console *console, uint16_t queue,
                                             struct avps_chain *chain)
{
    uint8_t piece[CONSOLE_PIECE];
    const uint32_t id = console_port_of(queue);
    const uint32_t left = avps_chain_readable(chain);
    const uint32_t len = left < sizeof piece ? left : (uint32_t)sizeof piece;
    const enum avps_status status = console_read(&console->base, queue, chain, piece, len);

    return status == AVPS_OK ? console_hand_over(&console->ports[id], id, piece, len) : status;
}

/* [AVPS CON-1] Readable bytes from where the last attempt stopped; writable ones are ignored
 * (drv.console-1.2). */
static enum avps_status console_output(struct avps_console *console, uint16_t queue,
                                       struct avps_chain *chain)
{
    struct avps_console_port *port = &console->ports[console_port_of(queue)];
    const uint32_t all = avps_chain_readable(chain);
    enum avps_status status = avps_chain_skip(chain, port->sent < all ? port->sent : all);

    port->in_output = true;
    while (status == AVPS_OK && avps_chain_readable(chain) != 0U &&
           console_listens(console, port)) {
        status = console_output_piece(console, queue, chain);
    }
    port->in_output = false;
    if (status == AVPS_AGAIN) {
        if (console_listens(console, port)) {
            return status; /* back to the ring, `sent` tells where to go on */
        }
        status = AVPS_OK;
    }
    port->counters.discarded += port->sent < all ? all - port->sent : 0U;
    port->sent = 0;
    return status;
}

/* Nobody listens any more: return what the guest has sent so far, at most one queue size, so that
 * a new listener does not get it. From inside the output op the queue loop does it. */
static void console_discard(struct avps_console *console, uint32_t id)
{
    const uint16_t queue = console_tx_queue(id);
    struct avps_chain *chain = &console->base.queues[queue].scratch;

    if (console->ports[id].in_output) {
        return;
    }
    for (uint32_t n = console->base.queues[queue].vq.size; n != 0U; n--) {
        if (avps_device_pop(&console->base, queue, chain) != AVPS_OK) {
            break;
        }
        (void)console_output(console, queue, chain); /* only counts: nobody listens */
        avps_device_push(&console->base, queue, chain);
    }
    avps_device_flush(&console->base, queue);
    avps_device_retry(&console->base, queue); /* the loop asks for kicks again */
}

/* ---- control messages to the guest ---- */

struct console_message {
    uint16_t event;
    uint16_t value;
};

/* What port `id` has to tell next: first that it went, then that it came, then what it is.
 * [console-2.1] added only when the guest does not know it, [console-2.2] removed only when it does.
 * @return whether there is anything. */
static bool console_next(const struct avps_console *console, const struct avps_console_port *port,
                         struct console_message *message)
{
    static const struct console_owed {
        uint8_t bit;
        struct console_message message;
    } owed[] = {
        {OWED_REMOVE, {VIRTIO_CONSOLE_DEVICE_REMOVE, 1}},
        {OWED_CONSOLE, {VIRTIO_CONSOLE_CONSOLE_PORT, 1}},
        {OWED_RESIZE, {VIRTIO_CONSOLE_RESIZE, 0}},
        {OWED_NAME, {VIRTIO_CONSOLE_PORT_NAME, 1}},
        {OWED_CLOSE, {VIRTIO_CONSOLE_PORT_OPEN, 0}},
    };

    for (size_t i = 0; i < AVPS_COUNT_OF(owed); i++) {
        if ((port->owed & owed[i].bit) != 0U) {
            *message = owed[i].message;
            return true;
        }
    }
    if (!port->known) {
        *message = (struct console_message){VIRTIO_CONSOLE_DEVICE_ADD, 1};
        return port->ops != NULL && console->driver_ready;
    }
    *message = (struct console_message){VIRTIO_CONSOLE_PORT_OPEN, port->host_open ? 1 : 0};
    return port->ready && port->host_open != port->told_open;
}

/* The guest has the message now. */
static void console_told(struct avps_console_port *port, struct console_message message)
{
    switch (message.event) {
    case VIRTIO_CONSOLE_DEVICE_REMOVE:
        port->known = false;
        port->owed = 0;
        break;
    case VIRTIO_CONSOLE_DEVICE_ADD:
        port->known = true;
        break;
    case VIRTIO_CONSOLE_CONSOLE_PORT:
        port->owed &= (uint8_t)~OWED_CONSOLE;
        break;
    case VIRTIO_CONSOLE_RESIZE:
        port->owed &= (uint8_t)~OWED_RESIZE;
        break;
    case VIRTIO_CONSOLE_PORT_NAME:
        port->owed &= (uint8_t)~OWED_NAME;
        break;
    default: /* PORT_OPEN */
        port->owed &= (uint8_t)~OWED_CLOSE;
        port->told_open = message.value != 0U;
        break;
    }
}

/* As much of the name as fits, without a broken character at its end. */
static enum avps_status console_write_name(const struct avps_console_port *port,
                                           struct avps_chain *chain)
{
    uint32_t len = port->name_len;

    if (len > avps_chain_writable(chain)) {
        len = avps_chain_writable(chain);
        while (len != 0U && ((uint8_t)port->name[len] & 0xc0U) == 0x80U) {
            len--;
        }
    }
    return avps_chain_write(chain, port->name, len);
}

static enum avps_status console_write_size(const struct avps_console *console,
                                           const struct avps_console_port *port,
                                           struct avps_chain *chain)
{
    const bool swap = console->resize_rows_first;
    const struct virtio_console_resize size = {
        avps_le16_of(swap ? port->rows : port->cols),
        avps_le16_of(swap ? port->cols : port->rows),
    };

    return avps_chain_write(chain, &size, sizeof size);
}

static enum avps_status console_write_message(const struct avps_console *console, uint32_t id,
                                              struct console_message message,
                                              struct avps_chain *chain)
{
    const struct avps_console_port *port = &console->ports[id];
    const struct virtio_console_control header = {avps_le32_of(id), avps_le16_of(message.event),
                                                  avps_le16_of(message.value)};
    const enum avps_status status = avps_chain_write(chain, &header, sizeof header);

    if (status == AVPS_OK && message.event == VIRTIO_CONSOLE_RESIZE) {
        return console_write_size(console, port, chain);
    }
    if (status == AVPS_OK && message.event == VIRTIO_CONSOLE_PORT_NAME) {
        return console_write_name(port, chain);
    }
    return status;
}

/* A buffer that the message does not fit into is the guest's fault. A message that memory did not
 * take whole is not given: its buffer goes back to the ring. */
static enum avps_status console_send(struct avps_console *console, uint32_t id,
                                     struct console_message message)
{
    struct avps_chain *chain = &console->base.queues[QUEUE_CONTROL_RX].scratch;
    enum avps_status status = avps_device_take_supply(&console->base, QUEUE_CONTROL_RX, chain);

    if (status != AVPS_OK) {
        return status;
    }
    status = console_write_message(console, id, message, chain);
    if (status != AVPS_OK) {
        chain->written = 0;
    }
    status = avps_device_give_supply(&console->base, QUEUE_CONTROL_RX, chain, status);
    if (status == AVPS_OK) {
        console_told(&console->ports[id], message);
        console->counters.control_out++;
    }
    return status;
}

/* Tell the guest all that it has buffers for; the rest waits until it gives more. A port has at
 * most one message of each kind, so this is bounded. */
static void console_send_all(struct avps_console *console)
{
    struct console_message message;
    enum avps_status status = AVPS_OK;

    if (!console_is_multiport(console) || !avps_device_is_live(&console->base)) {
        return;
    }
    for (uint32_t id = 0; status == AVPS_OK && id < console->max_ports; id++) {
        while (status == AVPS_OK && console_next(console, &console->ports[id], &message)) {
            status = console_send(console, id, message);
        }
    }
    avps_device_flush(&console->base, QUEUE_CONTROL_RX);
}

/* ---- control messages from the guest ---- */

static void console_set_guest_open(struct avps_console *console, uint32_t id, bool open)
{
    struct avps_console_port *port = &console->ports[id];

    if (port->guest_open == open) {
        return;
    }
    port->guest_open = open;
    if (open && port->ops->guest_open != NULL) {
        port->ops->guest_open(port->ctx, id);
    } else if (!open && port->ops->guest_close != NULL) {
        port->ops->guest_close(port->ctx, id);
    }
}

/* If the back end has input waiting and the guest can take it now: say so, once. Kicks are asked for
 * while it waits. */
static void console_offer_input(struct avps_console *console, uint32_t id)
{
    struct avps_console_port *port = &console->ports[id];

    if (port->ops == NULL || !port->starved || !port->guest_open ||
        !avps_device_is_taking(&console->base) ||
        !avps_device_starve(&console->base, console_rx_queue(id))) {
        return;
    }
    port->starved = false;
    if (port->ops->input_ready != NULL) {
        port->ops->input_ready(port->ctx, id);
    }
}

static bool console_device_ready(struct avps_console *console, uint16_t value)
{
    console->driver_ready = value == 1U;
    console->counters.refused += value == 1U ? 0U : 1U;
    return true;
}

static bool console_port_ready(struct avps_console *console, struct avps_console_port *port,
                               uint16_t value)
{
    if (port->ready) {
        return false;
    }
    if (value == 0U) {
        console->counters.refused++;
        return true;
    }
    port->ready = true;
    port->owed |= port->console ? OWED_CONSOLE : 0U;
    port->owed |= port->console && port->cols != 0U ? OWED_RESIZE : 0U;
    port->owed |= port->name_len != 0U ? OWED_NAME : 0U;
    return true;
}

static bool console_port_open(struct avps_console *console, uint32_t id, uint16_t value)
{
    if (!console->ports[id].ready) {
        return false;
    }
    console_set_guest_open(console, id, value == 1U);
    console_offer_input(console, id);
    return true;
}

/* Act on a message. @return whether it made sense: a port that the guest knows, an event that a
 * driver may send, a value that the event has. */
static bool console_act(struct avps_console *console, const struct virtio_console_control *control)
{
    const uint32_t id = avps_le32_get(control->id);
    const uint16_t event = avps_le16_get(control->event);
    const uint16_t value = avps_le16_get(control->value);

    if (value > 1U) {
        return false;
    }
    if (event == VIRTIO_CONSOLE_DEVICE_READY) {
        return console_device_ready(console, value); /* its id has no meaning */
    }
    if (id >= console->max_ports || !console->ports[id].known ||
        (console->ports[id].owed & OWED_REMOVE) != 0U) {
        return false;
    }
    if (event == VIRTIO_CONSOLE_PORT_READY) {
        return console_port_ready(console, &console->ports[id], value);
    }
    return event == VIRTIO_CONSOLE_PORT_OPEN && console_port_open(console, id, value);
}

static enum avps_status console_control(struct avps_console *console, struct avps_chain *chain)
{
    struct virtio_console_control control; /* snapshot: each guest byte is read once */
    const enum avps_status status =
        console_read(&console->base, QUEUE_CONTROL_TX, chain, &control, sizeof control);

    if (status != AVPS_OK) {
        return status;
    }
    if (console_act(console, &control)) {
        console->counters.control_in++;
    } else {
        console->counters.ignored++;
    }
    console_send_all(console);
    return AVPS_OK;
}

static enum avps_status console_request(struct avps_device *dev, uint16_t queue,
                                        struct avps_chain *chain)
{
    struct avps_console *console = console_of(dev);

    if (!console_queue_exists(console, queue)) {
        return AVPS_E_GUEST_PROTOCOL;
    }
    return queue == QUEUE_CONTROL_TX ? console_control(console, chain)
                                     : console_output(console, queue, chain);
}

/* ---- input ---- */

/* Fill one buffer. Readable bytes in it are ignored (drv.console-1.1); no writable ones leave
 * nowhere to put a byte. */
static enum avps_status console_fill_one(struct avps_device *dev, uint16_t queue,
                                         const uint8_t *bytes, uint32_t len, uint32_t *taken)
{
    struct avps_chain *chain = &dev->queues[queue].scratch;
    enum avps_status status = avps_device_take_supply(dev, queue, chain);

    if (status != AVPS_OK) {
        return status;
    }
    const uint32_t room = avps_chain_writable(chain);

    status =
        room == 0U ? AVPS_E_GUEST_SIZE : avps_chain_write(chain, bytes, len < room ? len : room);
    *taken += avps_status_is_guest_fault(status) ? 0U : chain->written;
    return avps_device_give_supply(dev, queue, chain, status);
}

/* At most one queue size of buffers. [AVPS CON-1] */
static enum avps_status console_fill(struct avps_device *dev, uint16_t queue, const uint8_t *bytes,
                                     uint32_t len, uint32_t *taken)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t n = dev->queues[queue].vq.size; n != 0U && status == AVPS_OK; n--) {
        if (*taken == len) {
            break;
        }
        status = console_fill_one(dev, queue, bytes + *taken, len - *taken, taken);
    }
    if (status == AVPS_OK && *taken != len) {
        avps_device_retry(dev, queue); /* more buffers may be there */
    }
    avps_device_flush(dev, queue);
    return status == AVPS_EMPTY || status == AVPS_AGAIN ? AVPS_OK : status;
}

/* Buffers for the device have come: for control messages, or for input that waits. */
static void console_supply(struct avps_device *dev, uint16_t queue)
{
    struct avps_console *console = console_of(dev);

    if (!console_queue_exists(console, queue)) {
        return;
    }
    avps_vq_suppress(&dev->queues[queue].vq); /* asked for again when it runs dry */
    if (queue == QUEUE_CONTROL_RX) {
        console_send_all(console);
    } else {
        console_offer_input(console, console_port_of(queue));
    }
}

/* ---- host events ---- */

/* The port, or NULL for a number that none has. */
static struct avps_console_port *console_find(const struct avps_console *console, uint32_t id)
{
    return console != NULL && id < console->max_ports ? &console->ports[id] : NULL;
}

static enum avps_status console_find_plugged(const struct avps_console *console, uint32_t id,
                                             struct avps_console_port **port)
{
    *port = console_find(console, id);
    if (*port == NULL) {
        return AVPS_E_PARAM;
    }
    return (*port)->ops != NULL ? AVPS_OK : AVPS_E_STATE;
}

enum avps_status avps_console_input(struct avps_console *console, uint32_t port, const void *bytes,
                                    uint32_t len, uint32_t *taken)
{
    struct avps_console_port *p = NULL;
    enum avps_status status = console_find_plugged(console, port, &p);

    if (taken == NULL || (bytes == NULL && len != 0U)) {
        return AVPS_E_PARAM;
    }
    *taken = 0;
    if (status != AVPS_OK) {
        return status;
    }
    if (p->guest_open) {
        status = console_fill(&console->base, console_rx_queue(port), bytes, len, taken);
    }
    p->counters.input += *taken;
    if (*taken != len) {
        p->starved = true;
        p->counters.starved++;
    }
    return status;
}

void avps_console_output_ready(struct avps_console *console, uint32_t port)
{
    if (console_find(console, port) != NULL) {
        avps_device_retry(&console->base, console_tx_queue(port));
    }
}

static uint32_t console_name_length(const char *name)
{
    uint32_t len = 0;

    while (name != NULL && len <= CONSOLE_NAME_MAX && name[len] != '\0') {
        len++;
    }
    return len;
}

static bool console_port_is_valid(const struct avps_console_port_config *config)
{
    return config != NULL && config->ops != NULL &&
           console_name_length(config->name) <= CONSOLE_NAME_MAX &&
           (config->cols == 0U) == (config->rows == 0U);
}

static void console_plug(struct avps_console_port *port,
                         const struct avps_console_port_config *config)
{
    port->ops = config->ops;
    port->ctx = config->ctx;
    port->name = config->name;
    port->name_len = console_name_length(config->name);
    port->cols = config->cols;
    port->rows = config->rows;
    port->console = config->console;
    port->host_open = config->open;
}

enum avps_status avps_console_add_port(struct avps_console *console, uint32_t port,
                                       const struct avps_console_port_config *config)
{
    struct avps_console_port *p = console_find(console, port);

    if (p == NULL || !console_port_is_valid(config)) {
        return AVPS_E_PARAM;
    }
    if (p->ops != NULL) {
        return AVPS_E_STATE;
    }
    console_plug(p, config);
    console_send_all(console);
    return AVPS_OK;
}

/* The guest's view of a port that is not there any more. */
static void console_orphan(struct avps_console_port *port)
{
    port->owed = port->known ? OWED_REMOVE : 0U;
    port->ready = false;
    port->told_open = false;
    port->guest_open = false;
    port->starved = false;
}

enum avps_status avps_console_remove_port(struct avps_console *console, uint32_t port)
{
    struct avps_console_port *p = NULL;
    const enum avps_status status = console_find_plugged(console, port, &p);

    if (status != AVPS_OK || port == 0U) {
        return port == 0U ? AVPS_E_PARAM : status;
    }
    p->ops = NULL;
    console_orphan(p);
    console_discard(console, port);
    console_send_all(console);
    return AVPS_OK;
}

enum avps_status avps_console_open(struct avps_console *console, uint32_t port)
{
    struct avps_console_port *p = NULL;
    const enum avps_status status = console_find_plugged(console, port, &p);

    if (status == AVPS_OK) {
        p->host_open = true;
        console_send_all(console);
    }
    return status;
}

enum avps_status avps_console_close(struct avps_console *console, uint32_t port)
{
    struct avps_console_port *p = NULL;
    const enum avps_status status = console_find_plugged(console, port, &p);

    if (status == AVPS_OK) {
        p->host_open = false;
        p->owed |= p->told_open ? OWED_CLOSE : 0U; /* seen even if it opens again at once */
        console_discard(console, port);
        console_send_all(console);
    }
    return status;
}

enum avps_status avps_console_resize(struct avps_console *console, uint32_t port, uint16_t cols,
                                     uint16_t rows)
{
    struct avps_console_port *p = NULL;
    const enum avps_status status = console_find_plugged(console, port, &p);

    if (status != AVPS_OK || cols == 0U || rows == 0U) {
        return status == AVPS_OK ? AVPS_E_PARAM : status;
    }
    if (p->cols == cols && p->rows == rows) {
        return AVPS_OK;
    }
    p->cols = cols;
    p->rows = rows;
    if (p->ready && p->console) {
        p->owed |= OWED_RESIZE;
    }
    if (port == 0U && avps_features_has(&console->base.offered, VIRTIO_CONSOLE_F_SIZE)) {
        avps_device_config_changed(&console->base);
    }
    console_send_all(console);
    return AVPS_OK;
}

/* ---- queries ---- */

bool avps_console_guest_is_open(const struct avps_console *console, uint32_t port)
{
    return port < console->max_ports && console->ports[port].guest_open;
}

const struct avps_console_counters *avps_console_counters(const struct avps_console *console)
{
    return &console->counters;
}

const struct avps_console_port_counters *
avps_console_port_counters(const struct avps_console *console, uint32_t port)
{
    return port < console->max_ports ? &console->ports[port].counters : NULL;
}

/* ---- activation, reset, saved state ---- */

/* Without MULTIPORT nobody opens port 0: it is open while the driver is there. */
static void console_activate(struct avps_device *dev)
{
    if (!console_is_multiport(console_of(dev))) {
        console_set_guest_open(console_of(dev), 0, true);
    }
}

/* Everything that the guest knew or asked for. The host side stays as it is; what belongs to a queue
 * went with it. */
static void console_reset(struct avps_device *dev)
{
    struct avps_console *console = console_of(dev);

    console->driver_ready = false;
    for (uint32_t id = 0; id < console->max_ports; id++) {
        struct avps_console_port *port = &console->ports[id];

        port->known = false;
        port->ready = false;
        port->told_open = false;
        port->owed = 0;
        console_set_guest_open(console, id, false);
    }
}

/* The rest of a buffer that waited on this queue is gone with it. */
static void console_queue_reset(struct avps_device *dev, uint16_t queue)
{
    if (queue != QUEUE_CONTROL_RX && queue != QUEUE_CONTROL_TX && queue % 2U == 1U) {
        console_of(dev)->ports[console_port_of(queue)].sent = 0;
    }
}

#define STATE_KNOWN      1U
#define STATE_READY      2U
#define STATE_TOLD_OPEN  4U
#define STATE_GUEST_OPEN 8U
#define STATE_ALL        15U

static void console_save(struct avps_device *dev, struct avps_state *state)
{
    const struct avps_console *console = console_of(dev);

    avps_state_put_int(state, console->max_ports, 4);
    avps_state_put_int(state, console->driver_ready ? 1U : 0U, 1);
    for (uint32_t id = 0; id < console->max_ports; id++) {
        const struct avps_console_port *port = &console->ports[id];
        const uint32_t flags = (port->known ? STATE_KNOWN : 0U) | (port->ready ? STATE_READY : 0U) |
                               (port->told_open ? STATE_TOLD_OPEN : 0U) |
                               (port->guest_open ? STATE_GUEST_OPEN : 0U);

        avps_state_put_int(state, flags, 1);
        avps_state_put_int(state, port->owed, 1);
        avps_state_put_int(state, port->sent, 4);
    }
}

/* What can have come about by messages in some order. */
static bool console_state_is_possible(const struct avps_console *console, uint32_t id,
                                      uint32_t flags, uint32_t owed)
{
    const bool known = (flags & STATE_KNOWN) != 0U;
    const bool ready = (flags & STATE_READY) != 0U;
    const bool told_open = (flags & STATE_TOLD_OPEN) != 0U;
    const bool running =
        (console->base.status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_SUSPEND)) != 0U;

    if ((flags & ~STATE_ALL) != 0U || (owed & ~OWED_ALL) != 0U || !running) {
        return flags == 0U && owed == 0U;
    }
    if (!console_is_multiport(console)) {
        return (flags == 0U || (id == 0U && flags == STATE_GUEST_OPEN)) && owed == 0U;
    }
    if ((owed & OWED_REMOVE) != 0U) {
        return owed == OWED_REMOVE && flags == STATE_KNOWN;
    }
    return ready ? known && (told_open || (owed & OWED_CLOSE) == 0U)
                 : (flags & ~STATE_KNOWN) == 0U && owed == 0U;
}

static void console_load_port(struct avps_console *console, uint32_t id, struct avps_state *state)
{
    struct avps_console_port *port = &console->ports[id];
    const uint32_t flags = (uint32_t)avps_state_get_int(state, 1);
    const uint32_t owed = (uint32_t)avps_state_get_int(state, 1);
    const uint32_t sent = (uint32_t)avps_state_get_int(state, 4);

    if (state->failed || !console_state_is_possible(console, id, flags, owed)) {
        state->failed = true;
        return;
    }
    port->known = (flags & STATE_KNOWN) != 0U;
    port->ready = (flags & STATE_READY) != 0U;
    port->told_open = (flags & STATE_TOLD_OPEN) != 0U;
    port->owed = (uint8_t)owed;
    port->sent = sent;
    if (port->ops != NULL) {
        console_set_guest_open(console, id, (flags & STATE_GUEST_OPEN) != 0U);
    } else {
        console_orphan(port); /* a port that is not here any more */
    }
}

static void console_load(struct avps_device *dev, struct avps_state *state)
{
    struct avps_console *console = console_of(dev);

    if (avps_state_get_int(state, 4) != console->max_ports) {
        state->failed = true;
    }
    console->driver_ready = avps_state_get_bool(state);
    if (console->driver_ready && !console_is_multiport(console)) {
        state->failed = true;
    }
    for (uint32_t id = 0; id < console->max_ports && !state->failed; id++) {
        console_load_port(console, id, state);
    }
}

/* ---- ops, init ---- */

static const struct avps_device_ops console_device_ops = {
    .device_id = VIRTIO_ID_CONSOLE,
    .config_size = sizeof(struct virtio_console_config),
    .features = console_features,
    .feature_count = AVPS_COUNT_OF(console_features),
    .queue_kind = console_queue_kind,
    .config_get = console_config_get,
    .config_put = console_config_put,
    .activate = console_activate,
    .request = console_request,
    .supply = console_supply,
    .reset = console_reset,
    .queue_reset = console_queue_reset,
    .save = console_save,
    .load = console_load,
};

static bool console_config_is_valid(const struct avps_console_config *config)
{
    if (config->ports == NULL || config->max_ports == 0U || config->max_ports > CONSOLE_PORTS_MAX ||
        !console_port_is_valid(&config->port0)) {
        return false;
    }
    return config->multiport ? config->base.queue_count == 2U * config->max_ports + 2U
                             : config->max_ports == 1U && config->base.queue_count == 2U;
}

/* [console-x1] One or several ports, [console-x3] each of which may be a text console. */
enum avps_status avps_console_init(struct avps_console *console,
                                   const struct avps_console_config *config)
{
    struct avps_features offer = {{0}};

    if (console == NULL || config == NULL || !console_config_is_valid(config)) {
        return AVPS_E_PARAM;
    }
    if (config->port0.cols != 0U) {
        avps_features_add(&offer, VIRTIO_CONSOLE_F_SIZE);
    }
    if (config->multiport) {
        avps_features_add(&offer, VIRTIO_CONSOLE_F_MULTIPORT);
    }
    if (config->port0.ops->emergency != NULL) {
        avps_features_add(&offer, VIRTIO_CONSOLE_F_EMERG_WRITE);
    }
    (void)memset(console, 0, sizeof *console);
    (void)memset(config->ports, 0, config->max_ports * sizeof *config->ports);
    console->ports = config->ports;
    console->max_ports = config->max_ports;
    console->resize_rows_first = config->resize_rows_first;
    console_plug(&console->ports[0], &config->port0);
    return avps_device_init(&console->base, &console_device_ops, &config->base, &offer);
}
