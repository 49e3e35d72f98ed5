/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the console tests: a recording back end per port, a device with up to four ports, and a
 * driver side that speaks the control protocol. */
#ifndef TEST_CONSOLE_H
#define TEST_CONSOLE_H

#include "support/driver.h"

#include "avps/console.h"

#define F_SIZE        0U
#define F_MULTIPORT   1U
#define F_EMERG_WRITE 2U

#define DEVICE_READY  0U
#define DEVICE_ADD    1U
#define DEVICE_REMOVE 2U
#define PORT_READY    3U
#define CONSOLE_PORT  4U
#define RESIZE        5U
#define PORT_OPEN     6U
#define PORT_NAME     7U

#define PORTS      4U
#define QUEUES     (2U * PORTS + 2U)
#define UNLIMITED  UINT32_MAX
#define HOST_BYTES 8192U
#define CTL_RX     2U
#define CTL_TX     3U
#define CTL_MAX    64U

/* What a back end was told, and how it answers. */
struct host {
    uint8_t out[HOST_BYTES];
    uint32_t out_len;
    uint32_t longest; /* output in one call */
    uint32_t calls;
    uint32_t room;           /* bytes it still takes */
    uint32_t lie;            /* added to `taken` */
    enum avps_status status; /* of output, when not AVPS_OK nothing is taken */
    unsigned int ready;
    unsigned int opened;
    unsigned int closed;
    uint8_t emergency[16];
    uint32_t emergency_len;
    struct avps_console *console; /* for the two below */
    bool close_in_output;
    const char *input_when_ready;
    uint32_t taken_when_ready;
};

static inline enum avps_status host_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                           uint32_t len, uint32_t *taken)
{
    struct host *host = ctx;

    host->calls++;
    if (len > host->longest) {
        host->longest = len;
    }
    assert_int_not_equal(len, 0);
    if (host->close_in_output) {
        assert_int_equal(avps_console_close(host->console, port), AVPS_OK);
    }
    if (host->status != AVPS_OK) {
        return host->status;
    }
    const uint32_t n = len < host->room ? len : host->room;

    assert_true(host->out_len + n <= HOST_BYTES);
    (void)memcpy(host->out + host->out_len, bytes, n);
    host->out_len += n;
    host->room -= host->room == UNLIMITED ? 0U : n;
    *taken = n + host->lie;
    return AVPS_OK;
}

static inline void host_input_ready(void *ctx, uint32_t port)
{
    struct host *host = ctx;

    host->ready++;
    if (host->input_when_ready != NULL) {
        assert_int_equal(avps_console_input(host->console, port, host->input_when_ready,
                                            (uint32_t)strlen(host->input_when_ready),
                                            &host->taken_when_ready),
                         AVPS_OK);
    }
}

static inline void host_guest_open(void *ctx, uint32_t port)
{
    (void)port;
    ((struct host *)ctx)->opened++;
}

static inline void host_guest_close(void *ctx, uint32_t port)
{
    (void)port;
    ((struct host *)ctx)->closed++;
}

static inline void host_emergency(void *ctx, uint8_t byte)
{
    struct host *host = ctx;

    assert_true(host->emergency_len < sizeof host->emergency);
    host->emergency[host->emergency_len++] = byte;
}

static const struct avps_console_ops host_ops = {
    .output = host_output,
    .input_ready = host_input_ready,
    .guest_open = host_guest_open,
    .guest_close = host_guest_close,
    .emergency = host_emergency,
};

/* No optional op at all. */
static const struct avps_console_ops silent_ops = {.output = NULL};

struct fixture {
    struct test_driver d;
    struct avps_console con;
    struct avps_console_port ports[PORTS];
    struct avps_queue queues[QUEUES];
    struct avps_console_config config;
    struct host host[PORTS];
    struct test_request ctl[CTL_MAX]; /* buffers of the control receive queue, in order */
    uint32_t ctl_given;
    uint32_t ctl_taken;
    bool packed;
};

/* Everything but init: change `fx->config` and `fx->d.want`, then fixture_attach. */
static inline void fixture_prepare(struct fixture *fx, bool packed, bool multiport,
                                   enum test_mem_kind kind)
{
    (void)memset(fx, 0, sizeof *fx);
    fx->packed = packed;
    test_driver_init(&fx->d, kind);
    for (uint32_t i = 0; i < PORTS; i++) {
        fx->host[i].room = UNLIMITED;
        fx->host[i].console = &fx->con;
    }
    fx->config = (struct avps_console_config){
        .base = test_driver_base(&fx->d, fx->queues, multiport ? QUEUES : 2U, 16),
        .port0 = {.ops = &host_ops,
                  .ctx = &fx->host[0],
                  .name = "tty",
                  .cols = 80,
                  .rows = 25,
                  .console = true,
                  .open = true},
        .ports = fx->ports,
        .max_ports = multiport ? PORTS : 1U,
        .multiport = multiport,
    };
}

static inline void fixture_attach(struct fixture *fx)
{
    assert_int_equal(avps_console_init(&fx->con, &fx->config), AVPS_OK);
    test_driver_attach(&fx->d, &fx->con.base);
    test_driver_want_all(&fx->d, fx->packed);
    avps_features_remove(&fx->d.want, AVPS_F_EVENT_IDX);
}

static inline struct fixture *fixture_new(void **state, bool multiport)
{
    const bool packed = test_is_packed(state);
    struct fixture *fx = calloc(1, sizeof *fx);

    assert_non_null(fx);
    fixture_prepare(fx, packed, multiport, TEST_MEM_REGIONS);
    return fx;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fx = *state;

    test_driver_free(&fx->d);
    free(fx);
    return 0;
}

/* ---- the driver's side ---- */

/* Make a buffer of output available; not yet polled. */
static inline uint16_t put_output(struct fixture *fx, uint16_t queue, const void *bytes,
                                  uint32_t len)
{
    struct test_request r = {.out = {{bytes, len}}};

    return test_driver_send(&fx->d, queue, &r);
}

static inline void run(struct fixture *fx, uint16_t queue)
{
    test_driver_kick(&fx->d, queue);
    (void)test_driver_poll(&fx->d);
}

/* The next used element of an output queue, which never has bytes. */
static inline void assert_returned(struct fixture *fx, uint16_t queue, uint16_t id)
{
    struct test_used used = {0, 0};

    assert_true(test_driver_reap(&fx->d, queue, &used));
    assert_int_equal(used.id, id);
    assert_int_equal(used.len, 0);
}

static inline void assert_nothing_returned(struct fixture *fx, uint16_t queue)
{
    struct test_used used;

    assert_false(test_driver_reap(&fx->d, queue, &used));
}

static inline void write_output(struct fixture *fx, uint16_t queue, const char *text)
{
    const uint16_t id = put_output(fx, queue, text, (uint32_t)strlen(text));

    run(fx, queue);
    assert_returned(fx, queue, id);
}

static inline void assert_host_has(const struct host *host, const char *text)
{
    assert_int_equal(host->out_len, strlen(text));
    assert_memory_equal(host->out, text, strlen(text));
}

/* Make a buffer for input available. */
static inline struct test_request put_buffer(struct fixture *fx, uint16_t queue, uint32_t len)
{
    struct test_request r = {.in = {len}};

    (void)test_driver_send(&fx->d, queue, &r);
    return r;
}

/* The next used buffer is `r`, with exactly these bytes and the rest untouched. */
static inline void assert_filled(struct fixture *fx, uint16_t queue, const struct test_request *r,
                                 const void *bytes, uint32_t len)
{
    struct test_used used = {0, 0};
    uint8_t got[2048];

    assert_true(test_driver_reap(&fx->d, queue, &used));
    assert_int_equal(used.id, r->id);
    assert_int_equal(used.len, len);
    test_driver_in(&fx->d, r, 0, got, len);
    assert_memory_equal(got, bytes, len);
    if (r->in[0] > len) {
        assert_true(test_mem_is(&fx->d.mem, r->in_gpa[0] + len, TEST_UNWRITTEN, r->in[0] - len));
    }
}

static inline uint32_t give_input(struct fixture *fx, uint32_t port, const char *text)
{
    uint32_t taken = UINT32_MAX;

    assert_int_equal(avps_console_input(&fx->con, port, text, (uint32_t)strlen(text), &taken),
                     AVPS_OK);
    return taken;
}

/* ---- control messages ---- */

static inline void control_bytes(uint8_t *bytes, uint32_t id, uint32_t event, uint32_t value)
{
    for (unsigned int i = 0; i < 4U; i++) {
        bytes[i] = (uint8_t)(id >> (8U * i));
    }
    bytes[4] = (uint8_t)event;
    bytes[5] = (uint8_t)(event >> 8);
    bytes[6] = (uint8_t)value;
    bytes[7] = (uint8_t)(value >> 8);
}

/* The driver sends a control message, which is taken at once. */
static inline void tell(struct fixture *fx, uint32_t id, uint32_t event, uint32_t value)
{
    uint8_t bytes[8];
    const size_t mark = test_mem_mark(&fx->d.mem);

    control_bytes(bytes, id, event, value);
    const uint16_t head = put_output(fx, CTL_TX, bytes, sizeof bytes);
    run(fx, CTL_TX);
    assert_returned(fx, CTL_TX, head);
    test_mem_rewind(&fx->d.mem, mark);
}

static inline void give_control_buffers(struct fixture *fx, unsigned int count, uint32_t len)
{
    for (unsigned int i = 0; i < count; i++) {
        fx->ctl[fx->ctl_given++ % CTL_MAX] = put_buffer(fx, CTL_RX, len);
    }
    run(fx, CTL_RX);
}

/* The next message that the driver received is exactly this one. */
static inline void assert_told(struct fixture *fx, uint32_t id, uint32_t event, uint32_t value,
                               const void *extra, uint32_t extra_len)
{
    uint8_t bytes[256];

    assert_true(fx->ctl_taken != fx->ctl_given);
    control_bytes(bytes, id, event, value);
    if (extra_len != 0U) {
        (void)memcpy(bytes + 8, extra, extra_len);
    }
    assert_filled(fx, CTL_RX, &fx->ctl[fx->ctl_taken++ % CTL_MAX], bytes, 8U + extra_len);
}

static inline void assert_told_nothing(struct fixture *fx)
{
    assert_nothing_returned(fx, CTL_RX);
}

static inline struct avps_console_port_config plain_port(struct fixture *fx, uint32_t port,
                                                         const char *name)
{
    const struct avps_console_port_config config = {
        .ops = &host_ops, .ctx = &fx->host[port], .name = name, .open = true};

    return config;
}

/* The whole handshake for port 0, and for `port` if it is not 0; both open in the guest. */
static inline void bring_up(struct fixture *fx, uint32_t port)
{
    static const uint8_t size[] = {80, 0, 25, 0};

    test_driver_start(&fx->d);
    give_control_buffers(fx, 12, 64);
    tell(fx, UINT32_MAX, DEVICE_READY, 1);
    assert_told(fx, 0, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 0, PORT_READY, 1);
    assert_told(fx, 0, CONSOLE_PORT, 1, NULL, 0);
    assert_told(fx, 0, RESIZE, 0, size, 4);
    assert_told(fx, 0, PORT_NAME, 1, "tty", 3);
    assert_told(fx, 0, PORT_OPEN, 1, NULL, 0);
    tell(fx, 0, PORT_OPEN, 1);
    if (port != 0U) {
        const struct avps_console_port_config config = plain_port(fx, port, "org.example.bulk");

        assert_int_equal(avps_console_add_port(&fx->con, port, &config), AVPS_OK);
        assert_told(fx, port, DEVICE_ADD, 1, NULL, 0);
        tell(fx, port, PORT_READY, 1);
        assert_told(fx, port, PORT_NAME, 1, "org.example.bulk", 16);
        assert_told(fx, port, PORT_OPEN, 1, NULL, 0);
        tell(fx, port, PORT_OPEN, 1);
    }
    assert_told_nothing(fx);
}

#endif
