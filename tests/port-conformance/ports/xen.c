/* SPDX-License-Identifier: BSD-3-Clause */
/* port/xen with the doubles of Xen's libraries that its tests have: accesses come through the IOREQ
 * server's slots, interrupts leave by the device-model call. "grants": memory is reached by grants,
 * else by foreign mappings. */
#include <string.h>

#include "avps_xen/guest.h"
#include "avps_xen/memory.h"
#include "double.h"

#include "hosted.h"

#define WINDOW      0x2000000U
#define IRQ         33U
#define GRANTED     32U /* references to read and write, then one that is not, then: */
#define READ_ONLY   33U
#define FIRST_PAGE  100U /* of the guest, that a reference leads to */
#define GRANT_LIMIT 128U

static struct {
    struct avps_xen_guest guest;
    struct avps_xen_foreign foreign;
    struct avps_xen_grants grants;
    uint32_t refs[GRANT_LIMIT];
    struct avps_mem mem;
    struct avps_pc_span spans[2];
    struct avps_device *device;
    bool asked;
    bool by_grants;
} self;

/* ---- the program around the port ---- */

static void work(void *ctx, struct avps_device *device)
{
    (void)ctx;
    self.asked = self.asked || device == self.device;
}

static void flush(void *ctx)
{
    (void)ctx;
}

static void wake(void *ctx)
{
    (void)ctx;
    self.asked = true;
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return hosted_now_ns();
}

static const struct avps_xen_guest_config config = {.model = (void *)&xen,
                                                    .memory = (void *)&xen,
                                                    .domain = DOUBLE_DOMAIN,
                                                    .work = work,
                                                    .flush = flush};
static const struct avps_event_ops event_ops = {.wake = wake};
static const struct avps_sys_ops sys_ops = {.now_ns = now};
static const struct avps_port device_port = {.event = &event_ops, .sys = &sys_ops};

/* ---- the guest ---- */

/* Neighbours by reference are not neighbours in memory. */
static uint32_t page_of_ref(uint32_t ref)
{
    return FIRST_PAGE + ref * 3U;
}

static uint8_t *guest_at(void *ctx, avps_gpa gpa)
{
    (void)ctx;
    if (!self.by_grants) {
        return xen.ram + (gpa - DOUBLE_GPA);
    }
    const uint32_t ref = (uint32_t)((gpa & ~AVPS_XEN_GRANT_ADDRESS) / DOUBLE_PAGE);

    return xen.ram + (size_t)page_of_ref(ref) * DOUBLE_PAGE + gpa % DOUBLE_PAGE;
}

/* CPU 0 accesses; its event comes on the port that was bound for it. */
static uint64_t access_window(uint32_t offset, uint32_t width, bool write, uint64_t value)
{
    struct ioreq *slot = &xen.server->slots[0];

    slot->type = IOREQ_TYPE_COPY;
    slot->addr = WINDOW + offset;
    slot->data = value;
    slot->count = 1;
    slot->size = width;
    slot->dir = write ? IOREQ_WRITE : IOREQ_READ;
    slot->state = STATE_IOREQ_READY;
    xen.pending = (int)DOUBLE_EVENTS;
    avps_xen_guest_serve(&self.guest);
    return slot->data;
}

/* ---- the target ---- */

static const struct avps_port *port(void *ctx, uint32_t device)
{
    (void)ctx;
    (void)device;
    return &device_port;
}

static enum avps_status attach(void *ctx, uint32_t device, struct avps_device *dev)
{
    enum avps_status status = avps_xen_guest_add(&self.guest, dev, WINDOW, IRQ);

    (void)ctx;
    (void)device;
    self.device = dev;
    return status == AVPS_OK ? avps_xen_guest_start(&self.guest) : status;
}

static void run(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < 100U && self.asked; i++) {
        self.asked = false;
        self.asked = avps_poll(self.device, 4) == AVPS_POLL_MORE || self.asked;
    }
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    (void)ctx;
    (void)device;
    return access_window(offset, width, false, 0);
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    (void)ctx;
    (void)device;
    (void)access_window(offset, width, true, value);
}

/* The port calls for changes, so every other call is a rising edge. */
static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    (void)device;
    seen->count = (xen.irq_calls + 1U) / 2U;
    seen->high = xen.irq_high && xen.irq == IRQ;
}

static uint32_t mapped(void *ctx)
{
    (void)ctx;
    return xen.grant_pages;
}

static enum avps_status make_foreign(void)
{
    const uint64_t size = (uint64_t)DOUBLE_PAGES * DOUBLE_PAGE;
    const enum avps_status status =
        avps_xen_foreign_open(&self.foreign, (void *)&xen, DOUBLE_DOMAIN, DOUBLE_GPA, size);

    self.spans[0] = (struct avps_pc_span){DOUBLE_GPA, size, AVPS_ACCESS_RW};
    return status == AVPS_OK ? avps_xen_foreign_mem(&self.foreign, &self.mem) : status;
}

static enum avps_status make_grants(void)
{
    const avps_gpa read_only = AVPS_XEN_GRANT_ADDRESS | (avps_gpa)READ_ONLY * DOUBLE_PAGE;

    for (uint32_t ref = 0; ref <= READ_ONLY; ref++) {
        xen.grants[ref] = (struct double_grant){
            .granted = ref != GRANTED, .read_only = ref == READ_ONLY, .page = page_of_ref(ref)};
    }
    self.grants = (struct avps_xen_grants){
        .handle = (void *)&xen, .domain = DOUBLE_DOMAIN, .limit = GRANT_LIMIT, .refs = self.refs};
    self.spans[0] = (struct avps_pc_span){AVPS_XEN_GRANT_ADDRESS, (uint64_t)GRANTED * DOUBLE_PAGE,
                                          AVPS_ACCESS_RW};
    self.spans[1] = (struct avps_pc_span){read_only, DOUBLE_PAGE, AVPS_ACCESS_READ};
    return avps_xen_grants_mem(&self.grants, &self.mem);
}

int main(int argc, char **argv)
{
    self.by_grants = argc > 1 && strcmp(argv[1], "grants") == 0;
    const struct avps_pc_target target = {
        .name = self.by_grants ? "Xen, grants" : "Xen, foreign mappings",
        .print = hosted_print,
        .mem = &self.mem,
        .spans = self.spans,
        .span_count = self.by_grants ? 2U : 1U,
        .guest = guest_at,
        .refusals_alike = self.by_grants,
        .mapped = self.by_grants ? mapped : NULL,
        .devices = 1,
        .access_platform = self.by_grants,
        .port = port,
        .attach = attach,
        .run = run,
        .load = load,
        .store = store,
        .irq = irq,
        .wired = true,
        .advance = hosted_skip,
    };

    double_init();
    if ((self.by_grants ? make_grants() : make_foreign()) != AVPS_OK ||
        avps_xen_guest_open(&self.guest, &config) != AVPS_OK) {
        return 1;
    }
    const int status = hosted_run(&target);

    avps_xen_guest_close(&self.guest);
    avps_xen_foreign_close(&self.foreign);
    double_free();
    return status;
}
