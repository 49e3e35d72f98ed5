/* SPDX-License-Identifier: BSD-3-Clause */
/* port/vhost-user: the suite's driver is behind a front end of the tests, in the same process; its
 * messages, descriptors and shared memory are the real ones. With "iotlb" memory is reached through
 * the IOTLB, whose misses the front end answers as it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/vhost/front.h"
#include "vu_internal.h"

#include "hosted.h"

#define PAGE                 4096U
#define READ_IOVA            UINT64_C(0x90000000) /* of the last page, which devices may only read */
#define TLB_PERMISSION_READ  1U
#define TLB_PERMISSION_WRITE 2U
#define TLB_MISS             1U
#define TLB_UPDATE           2U

static struct {
    struct front front;
    struct avps_mem mem;
    struct avps_pc_span spans[2];
    struct avps_pc_irq irq;
    bool iotlb;
} self;

/* ---- guest memory ---- */

static uint8_t *guest_at(void *ctx, avps_gpa gpa)
{
    uint8_t *ram = self.front.file + FRONT_OFFSET;

    (void)ctx;
    if (self.iotlb && gpa - READ_IOVA < PAGE) {
        return ram + TEST_RAM_SIZE - PAGE + (gpa - READ_IOVA);
    }
    return ram + (gpa - self.spans[0].gpa);
}

static void spans_init(void)
{
    self.spans[0] = (struct avps_pc_span){TEST_RAM_GPA, TEST_RAM_SIZE, AVPS_ACCESS_RW};
    if (self.iotlb) {
        self.spans[0] = (struct avps_pc_span){FRONT_IOVA, TEST_RAM_SIZE - PAGE, AVPS_ACCESS_RW};
        self.spans[1] = (struct avps_pc_span){READ_IOVA, PAGE, AVPS_ACCESS_READ};
    }
}

/* ---- what the front end is told ---- */

/* A page at a time; where there is none nobody answers. */
static void answer_miss(uint64_t iova)
{
    const uint64_t page = iova / PAGE * PAGE;
    uint64_t update[4] = {page, PAGE, 0, 0};

    if (page - FRONT_IOVA < TEST_RAM_SIZE - PAGE) {
        update[2] = FRONT_USER + (page - FRONT_IOVA);
        update[3] = FRONT_TLB(TLB_PERMISSION_READ | TLB_PERMISSION_WRITE, TLB_UPDATE);
    } else if (page == READ_IOVA) {
        update[2] = FRONT_USER + TEST_RAM_SIZE - PAGE;
        update[3] = FRONT_TLB(TLB_PERMISSION_READ, TLB_UPDATE);
    } else {
        return;
    }
    front_send(&self.front, F_IOTLB_MSG, update, sizeof update, NULL, 0);
}

static void read_backend_channel(void)
{
    struct front_message m;

    while (front_read(self.front.backend[0], &m)) {
        if (m.header.request == VU_BACKEND_IOTLB_MSG) {
            answer_miss(m.payload.words[0]);
        } else if (m.header.request == VU_BACKEND_CONFIG_CHANGE) {
            self.irq.count++;
        }
    }
}

static void run(void *ctx)
{
    (void)ctx;
    front_step(&self.front);
    read_backend_channel();
    front_step(&self.front);
}

static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    (void)device;
    self.irq.count += self.front.call[0] >= 0 ? (uint32_t)front_calls(&self.front, 0) : 0U;
    *seen = self.irq;
}

/* ---- the back end ---- */

static enum avps_poll_result back_poll(void *ctx)
{
    const struct front_back *back = ctx;

    return avps_poll(back->device, 4);
}

static void back_report(void *ctx, enum avps_vu_level level, const char *line)
{
    (void)ctx;
    if (level == AVPS_VU_ERROR) {
        hosted_print(NULL, line);
    }
}

static const struct avps_port *port(void *ctx, uint32_t device)
{
    struct front_back *back = &self.front.back;
    const struct avps_posix_runner_config config = {
        .loop = &self.front.loop, .poll = back_poll, .ctx = back};

    (void)ctx;
    (void)device;
    return avps_posix_runner_init(&back->runner, &config) == AVPS_OK ? &back->runner.port : NULL;
}

static void negotiate(void)
{
    front_negotiate(&self.front, P_MQ | P_REPLY_ACK | P_BACKEND_REQ | P_CONFIG | P_STATUS,
                    FRONT_BASIC | FRONT_PROTOCOL | (self.iotlb ? FRONT_IOMMU : 0U));
}

/* Connect, negotiate, tell memory: then the port's handle is known. */
static enum avps_status attach(void *ctx, uint32_t device, struct avps_device *dev)
{
    struct front_back *back = &self.front.back;
    const struct avps_vu_config config = {.device = dev,
                                          .loop = &self.front.loop,
                                          .runner = &back->runner,
                                          .name = "suite",
                                          .report = back_report};
    int ends[2];

    (void)ctx;
    (void)device;
    back->device = dev;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    self.front.fd = ends[0];
    assert_int_equal(avps_vu_new(&config, &back->vu), AVPS_OK);
    assert_int_equal(avps_vu_adopt(back->vu, ends[1]), AVPS_OK);
    negotiate();
    front_backend_channel(&self.front);
    front_give_memory(&self.front);
    self.mem = back->vu->mem;
    return AVPS_OK;
}

/* ---- the driver ---- */

static void set_status(uint64_t status)
{
    front_send(&self.front, F_SET_STATUS, &status, sizeof status, NULL, 0);
}

static void set_ring(const struct avps_pc_rings *rings)
{
    const uint64_t user = FRONT_USER - self.spans[0].gpa;
    const uint64_t delta = self.iotlb ? 0U : user;
    const uint64_t num = FRONT_PAIR(0, rings->size);
    const uint64_t payload[5] = {0, rings->desc + delta, rings->device + delta,
                                 rings->driver + delta, FRONT_NOTHING};

    front_send(&self.front, F_SET_VRING_NUM, &num, sizeof num, NULL, 0);
    front_ring_base(&self.front, 0, 0);
    front_send(&self.front, F_SET_VRING_ADDR, payload, sizeof payload, NULL, 0);
    front_ring_kick(&self.front, 0);
    front_ring_call(&self.front, 0);
    front_ring_enable(&self.front, 0, 1);
}

static bool front_op_start(void *ctx, uint32_t device, const struct avps_pc_rings *rings)
{
    const uint64_t features = FRONT_BASIC | FRONT_PROTOCOL | (self.iotlb ? FRONT_IOMMU : 0U);

    (void)ctx;
    (void)device;
    set_status(3);
    front_send(&self.front, F_SET_FEATURES, &features, sizeof features, NULL, 0);
    set_status(11);
    set_ring(rings);
    set_status(15);
    for (uint32_t i = 0; i < 20U; i++) {
        run(NULL); /* rings are misses too */
    }
    return front_ask(&self.front, F_GET_STATUS) == 15U;
}

static void front_op_reset(void *ctx, uint32_t device)
{
    (void)ctx;
    (void)device;
    set_status(0);
}

/* Not by a message: one that waits for requests in flight would be before it. */
static uint8_t front_op_status(void *ctx, uint32_t device)
{
    (void)ctx;
    (void)device;
    return avps_device_status(self.front.back.device);
}

static void front_op_kick(void *ctx, uint32_t device, uint32_t queue)
{
    const uint64_t one = 1;

    (void)ctx;
    (void)device;
    if (queue == 0U && write(self.front.kick[0], &one, sizeof one) != (ssize_t)sizeof one) {
        hosted_print(NULL, "# the kick descriptor is full");
    }
}

static const struct avps_pc_front front_ops = {front_op_start, front_op_reset, front_op_status,
                                               front_op_kick};

int main(int argc, char **argv)
{
    const struct front_options elsewhere = {.elsewhere = true}; /* no device of the tests */

    self.iotlb = argc > 1 && strcmp(argv[1], "iotlb") == 0;
    spans_init();
    front_open(&self.front, &elsewhere);
    self.front.options.elsewhere = false;
    self.front.options.iommu = self.iotlb;
    assert_int_equal(avps_posix_loop_init(&self.front.loop), AVPS_OK);
    avps_vu_no_memory(&self.mem);
    const struct avps_pc_target target = {
        .name = self.iotlb ? "vhost-user, IOTLB" : "vhost-user",
        .print = hosted_print,
        .mem = &self.mem,
        .spans = self.spans,
        .span_count = self.iotlb ? 2U : 1U,
        .guest = guest_at,
        .misses_wait = self.iotlb,
        .devices = 1,
        .access_platform = self.iotlb,
        .port = port,
        .attach = attach,
        .run = run,
        .front = &front_ops,
        .irq = irq,
        .advance = hosted_sleep,
        .start = self.iotlb ? NULL : hosted_start, /* misses are for one context */
        .join = hosted_join,
        .relax = hosted_yield,
    };
    const int status = hosted_run(&target);

    front_close(&self.front);
    return status;
}
