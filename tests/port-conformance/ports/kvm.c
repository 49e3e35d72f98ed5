/* SPDX-License-Identifier: BSD-3-Clause */
/* port/kvm on a loop of port/posix. The kernel is a double that keeps what it is told: slots are where
 * the guest's memory is, lines and routes what its interrupt controller sees, ioeventfds what a store
 * rings. */
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "avps/mmio.h"
#include "avps_kvm/doorbell.h"
#include "avps_kvm/irq.h"
#include "avps_kvm/memory.h"
#include "avps_posix/runner.h"

#include "hosted.h"

#define VM_FD       77
#define FIRST_GSI   64U
#define FIRST_LINE  32U
#define WINDOW(i)   (0x0a000000U + (uint64_t)(i)*AVPS_MMIO_SIZE)
#define MSI_ADDRESS UINT64_C(0x108090040)
#define MSI_DATA    0x51U
#define ROUNDS      20U /* of the loop: enough for what one round asks of the next */
#define SLOTS       8U

/* ---- the kernel ---- */

static struct {
    struct kvm_userspace_memory_region slots[SLOTS];
    uint32_t slot_count;
    struct kvm_irq_routing_entry route; /* of messages: the last */
    int irqfd;                          /* bound to it, or -1 */
    struct kvm_ioeventfd bells[AVPS_PC_DEVICES];
    struct avps_pc_irq irq[AVPS_PC_DEVICES];
} kernel = {.irqfd = -1};

static int kernel_line(const struct kvm_irq_level *level)
{
    struct avps_pc_irq *irq = &kernel.irq[level->irq - FIRST_LINE];

    irq->count += level->level != 0U && !irq->high ? 1U : 0U;
    irq->high = level->level != 0U;
    return 0;
}

static int kernel_routing(const struct kvm_irq_routing *table)
{
    struct kvm_irq_routing_entry row;

    for (uint32_t i = 0; i < table->nr; i++) {
        (void)memcpy(&row, (const uint8_t *)table + sizeof *table + i * sizeof row, sizeof row);
        if (row.type == KVM_IRQ_ROUTING_MSI) {
            kernel.route = row;
        }
    }
    return 0;
}

static int kernel_irqfd(const struct kvm_irqfd *bind)
{
    kernel.irqfd = (bind->flags & KVM_IRQFD_FLAG_DEASSIGN) != 0U ? -1 : (int)bind->fd;
    return 0;
}

static int kernel_message(uint32_t low, uint32_t high, uint32_t data, uint32_t count)
{
    kernel.irq[0].count += count;
    kernel.irq[0].address = (uint64_t)high << 32 | low;
    kernel.irq[0].data = data;
    return 1;
}

static int kernel_ioeventfd(const struct kvm_ioeventfd *bell)
{
    const uint64_t device = (bell->addr - WINDOW(0)) / AVPS_MMIO_SIZE;

    kernel.bells[device] = *bell;
    if ((bell->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) != 0U) {
        kernel.bells[device].addr = 0;
    }
    return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list values;

    va_start(values, request);
    void *value = va_arg(values, void *);
    va_end(values);
    const struct kvm_msi *message = value;

    (void)fd;
    switch (request) {
    case KVM_SET_USER_MEMORY_REGION:
        (void)memcpy(&kernel.slots[kernel.slot_count], value, sizeof kernel.slots[0]);
        kernel.slot_count++;
        return 0;
    case KVM_IRQ_LINE:
        return kernel_line(value);
    case KVM_SET_GSI_ROUTING:
        return kernel_routing(value);
    case KVM_IRQFD:
        return kernel_irqfd(value);
    case KVM_SIGNAL_MSI:
        return kernel_message(message->address_lo, message->address_hi, message->data, 1);
    case KVM_IOEVENTFD:
        return kernel_ioeventfd(value);
    default:
        return -1;
    }
}

/* The guest's store: an eventfd that matches takes it. */
static bool kernel_takes_store(uint64_t address, uint32_t width, uint64_t value)
{
    const uint64_t one = 1;

    for (uint32_t i = 0; i < AVPS_PC_DEVICES; i++) {
        const struct kvm_ioeventfd *bell = &kernel.bells[i];

        if (bell->addr == address && bell->len == width && bell->datamatch == value) {
            return write(bell->fd, &one, sizeof one) == (ssize_t)sizeof one;
        }
    }
    return false;
}

static uint8_t *guest_at(void *ctx, avps_gpa gpa)
{
    (void)ctx;
    for (uint32_t i = 0; i < kernel.slot_count; i++) {
        const struct kvm_userspace_memory_region *slot = &kernel.slots[i];

        if (gpa - slot->guest_phys_addr < slot->memory_size) {
            return (uint8_t *)(uintptr_t)slot->userspace_addr + (gpa - slot->guest_phys_addr);
        }
    }
    return NULL;
}

/* ---- the VMM ---- */

struct unit {
    struct avps_device *device;
    struct avps_mmio mmio;
    struct avps_posix_runner runner;
    struct avps_kvm_doorbell bell;
    struct avps_posix_notifier trapped; /* a virtual CPU's thread was here */
};

static struct {
    struct hosted_memory backing;
    struct avps_kvm_memory memory;
    struct avps_mem mem;
    struct avps_kvm_irq irq;
    struct avps_kvm_vector vector;
    struct avps_kvm_msi msi;
    struct avps_posix_loop loop;
    struct unit units[AVPS_PC_DEVICES];
    pthread_t loop_thread;
} self;

static enum avps_poll_result poll_unit(void *ctx)
{
    const struct unit *unit = ctx;

    return avps_poll(unit->device, 4);
}

static void unit_rung(void *ctx)
{
    struct unit *unit = ctx;

    avps_posix_runner_wake(&unit->runner);
}

static const struct avps_port *port(void *ctx, uint32_t device)
{
    struct unit *unit = &self.units[device];
    const struct avps_posix_runner_config config = {
        .loop = &self.loop, .poll = poll_unit, .ctx = unit};

    (void)ctx;
    if (avps_posix_runner_init(&unit->runner, &config) != AVPS_OK ||
        avps_posix_notifier_init(&unit->trapped, &self.loop, unit_rung, unit) != AVPS_OK) {
        return NULL;
    }
    return &unit->runner.port;
}

static enum avps_status attach(void *ctx, uint32_t device, struct avps_device *dev)
{
    struct unit *unit = &self.units[device];
    const struct avps_mmio_config config = {.device = dev,
                                            .irq = &avps_kvm_line_ops,
                                            .irq_ctx = &self.irq,
                                            .irq_line = FIRST_LINE + device};
    const struct avps_kvm_doorbell_config bell = {
        .vm_fd = VM_FD, .loop = &self.loop, .device = dev, .rung = unit_rung, .ctx = unit};
    enum avps_status status = avps_mmio_init(&unit->mmio, &config);

    (void)ctx;
    unit->device = dev;
    status = status == AVPS_OK ? avps_kvm_doorbell_init(&unit->bell, &bell) : status;
    return status == AVPS_OK
               ? avps_kvm_doorbell_place(&unit->bell, WINDOW(device) + AVPS_MMIO_QUEUE_NOTIFY, true)
               : status;
}

static void run(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (avps_posix_loop_step(&self.loop, false) != AVPS_OK) {
            return;
        }
    }
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    (void)ctx;
    return avps_mmio_read(&self.units[device].mmio, offset, width);
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    struct unit *unit = &self.units[device];

    (void)ctx;
    if (kernel_takes_store(WINDOW(device) + offset, width, value)) {
        return;
    }
    avps_mmio_write(&unit->mmio, offset, width, value);
    if (!avps_has_work(unit->device) && offset != AVPS_MMIO_QUEUE_NOTIFY) {
        return;
    }
    if (pthread_equal(pthread_self(), self.loop_thread) != 0) {
        avps_posix_runner_wake(&unit->runner);
    } else {
        avps_posix_notifier_set(&unit->trapped);
    }
}

/* What the kernel does at once when an irqfd rings. */
static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    uint64_t count = 0;

    (void)ctx;
    if (kernel.irqfd >= 0 && read(kernel.irqfd, &count, sizeof count) == (ssize_t)sizeof count) {
        (void)kernel_message(kernel.route.u.msi.address_lo, kernel.route.u.msi.address_hi,
                             kernel.route.u.msi.data, (uint32_t)count);
    }
    *seen = kernel.irq[device];
}

static bool make(void)
{
    bool good = true;

    hosted_memory_init(&self.backing);
    avps_kvm_memory_init(&self.memory, VM_FD);
    for (uint32_t i = 0; i < HOSTED_SPANS; i++) {
        const struct avps_mem_region *region = &self.backing.regions[i];

        good = good && avps_kvm_memory_add(&self.memory, region->gpa, region->size, region->host,
                                           region->access == AVPS_ACCESS_READ) == AVPS_OK;
    }
    good = good && avps_kvm_memory_handle(&self.memory, &self.mem) == AVPS_OK;
    good = good && avps_kvm_irq_init(&self.irq, VM_FD, FIRST_GSI) == AVPS_OK;
    self.msi = (struct avps_kvm_msi){.irq = &self.irq, .vectors = &self.vector, .count = 1};
    good = good && avps_kvm_msi_init(&self.msi) == AVPS_OK;
    return good && avps_posix_loop_init(&self.loop) == AVPS_OK;
}

/* "routed": the guest has programmed its message, which then goes by route and eventfd; else by a
 * call. */
int main(int argc, char **argv)
{
    const bool routed = argc > 1 && strcmp(argv[1], "routed") == 0;
    const struct avps_pc_target target = {
        .name = routed ? "KVM, routed messages" : "KVM, messages by calls",
        .print = hosted_print,
        .mem = &self.mem,
        .spans = self.backing.spans,
        .span_count = HOSTED_SPANS,
        .guest = guest_at,
        .devices = 2,
        .port = port,
        .attach = attach,
        .run = run,
        .load = load,
        .store = store,
        .irq = irq,
        .wired = true,
        .irq_ops = &avps_kvm_msi_ops,
        .irq_ctx = &self.msi,
        .irq_line = FIRST_LINE,
        .msi_address = MSI_ADDRESS,
        .msi_data = MSI_DATA,
        .advance = hosted_sleep,
        .start = hosted_start,
        .join = hosted_join,
        .relax = hosted_yield,
    };

    self.loop_thread = pthread_self();
    if (!make()) {
        return 1;
    }
    if (routed) {
        avps_kvm_msi_ops.msi_route(&self.msi, 0, MSI_ADDRESS, MSI_DATA, false);
    }
    return hosted_run(&target);
}
