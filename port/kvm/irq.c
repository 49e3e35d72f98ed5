/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts: the table -> wires -> messages: routes, sending -> init and free. */
#include "avps_kvm/irq.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- the table ---- */

enum avps_status avps_kvm_irq_init(struct avps_kvm_irq *irq, int vm_fd, uint32_t first_gsi)
{
    (void)memset(irq, 0, sizeof *irq);
    irq->vm_fd = vm_fd;
    irq->first_gsi = first_gsi;
    return pthread_mutex_init(&irq->mutex, NULL) == 0 ? AVPS_OK : AVPS_E_NOSPACE;
}

void avps_kvm_irq_free(struct avps_kvm_irq *irq)
{
    (void)pthread_mutex_destroy(&irq->mutex);
}

/* The row of a number, or a new one; NULL: the table is full. With the mutex. */
static struct kvm_irq_routing_entry *table_row(struct avps_kvm_irq *irq, uint32_t gsi,
                                               uint32_t type)
{
    for (uint32_t i = 0; i < irq->count; i++) {
        if (irq->routes[i].gsi == gsi && irq->routes[i].type == type) {
            return &irq->routes[i];
        }
    }
    return irq->count < AVPS_KVM_ROUTES ? &irq->routes[irq->count++] : NULL;
}

/* The kernel takes the table as a whole. With the mutex. */
static bool table_commit(const struct avps_kvm_irq *irq)
{
    static const size_t room =
        sizeof(struct kvm_irq_routing) + AVPS_KVM_ROUTES * sizeof(struct kvm_irq_routing_entry);
    union {
        struct kvm_irq_routing table;
        uint8_t bytes[sizeof(struct kvm_irq_routing) +
                      AVPS_KVM_ROUTES * sizeof(struct kvm_irq_routing_entry)];
    } all;

    (void)memset(&all, 0, room);
    all.table.nr = irq->count;
    (void)memcpy(all.bytes + sizeof all.table, irq->routes, irq->count * sizeof irq->routes[0]);
    return ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, &all.table) == 0;
}

enum avps_status avps_kvm_irq_pin(struct avps_kvm_irq *irq, uint32_t gsi, uint32_t chip,
                                  uint32_t pin)
{
    if (gsi >= irq->first_gsi) {
        return AVPS_E_PARAM;
    }
    if (irq->count == AVPS_KVM_ROUTES) {
        return AVPS_E_NOSPACE;
    }
    irq->routes[irq->count++] = (struct kvm_irq_routing_entry){
        .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = {.irqchip = chip, .pin = pin}};
    return AVPS_OK;
}

/* ---- wires ---- */

static void irq_set_level(const struct avps_kvm_irq *irq, uint32_t line, bool high)
{
    struct kvm_irq_level level = {.irq = line, .level = high ? 1U : 0U};

    (void)!ioctl(irq->vm_fd, KVM_IRQ_LINE, &level); /* fails for a line that does not exist only */
}

static void line_op_set_level(void *ctx, uint32_t line, bool high)
{
    irq_set_level(ctx, line, high);
}

const struct avps_irq_ops avps_kvm_line_ops = {.set_level = line_op_set_level};

/* ---- messages: routes ---- */

static bool vector_bind(const struct avps_kvm_msi *msi, const struct avps_kvm_vector *vector,
                        uint32_t flags)
{
    const struct kvm_irqfd bind = {.fd = (uint32_t)vector->fd, .gsi = vector->gsi, .flags = flags};

    return ioctl(msi->irq->vm_fd, KVM_IRQFD, &bind) == 0;
}

static bool vector_route(const struct avps_kvm_msi *msi, const struct avps_kvm_vector *vector,
                         uint64_t address, uint32_t data)
{
    struct avps_kvm_irq *irq = msi->irq;
    bool is_well = false;

    (void)pthread_mutex_lock(&irq->mutex);
    struct kvm_irq_routing_entry *row = table_row(irq, vector->gsi, KVM_IRQ_ROUTING_MSI);
    if (row != NULL) {
        *row =
            (struct kvm_irq_routing_entry){.gsi = vector->gsi,
                                           .type = KVM_IRQ_ROUTING_MSI,
                                           .flags = msi->has_requester ? KVM_MSI_VALID_DEVID : 0U,
                                           .u.msi = {.address_lo = (uint32_t)address,
                                                     .address_hi = (uint32_t)(address >> 32U),
                                                     .data = data}};
        row->u.msi.devid = msi->has_requester ? msi->requester : 0U;
        is_well = table_commit(irq);
    }
    (void)pthread_mutex_unlock(&irq->mutex);
    return is_well;
}

/* What cannot be routed is sent by a call. */
static void msi_op_route(void *ctx, uint32_t number, uint64_t address, uint32_t data, bool masked)
{
    const struct avps_kvm_msi *msi = ctx;
    struct avps_kvm_vector *vector = &msi->vectors[number];

    if (masked || (vector->routed && vector->address == address && vector->data == data)) {
        return;
    }
    const bool routed = vector_route(msi, vector, address, data);
    if (routed && !vector->routed) {
        vector->routed = vector_bind(msi, vector, 0);
    } else if (!routed && vector->routed) {
        vector->routed = false;
        (void)vector_bind(msi, vector, KVM_IRQFD_FLAG_DEASSIGN);
    }
    vector->address = address;
    vector->data = data;
}

/* ---- messages: sending ---- */

static void msi_op_send(void *ctx, uint32_t number, uint64_t address, uint32_t data)
{
    const struct avps_kvm_msi *msi = ctx;
    const struct avps_kvm_vector *vector = &msi->vectors[number];
    const uint64_t one = 1;

    if (vector->routed && vector->address == address && vector->data == data) {
        (void)!write(vector->fd, &one, sizeof one); /* the kernel takes it at once */
        return;
    }
    struct kvm_msi message = {.address_lo = (uint32_t)address,
                              .address_hi = (uint32_t)(address >> 32U),
                              .data = data,
                              .flags = msi->has_requester ? KVM_MSI_VALID_DEVID : 0U,
                              .devid = msi->requester};
    (void)!ioctl(msi->irq->vm_fd, KVM_SIGNAL_MSI, &message); /* refused: the guest chose nonsense */
}

static void msi_op_set_level(void *ctx, uint32_t line, bool high)
{
    const struct avps_kvm_msi *msi = ctx;

    irq_set_level(msi->irq, line, high);
}

const struct avps_irq_ops avps_kvm_msi_ops = {
    .set_level = msi_op_set_level, .msi = msi_op_send, .msi_route = msi_op_route};

/* ---- init and free ---- */

static bool msi_numbers(struct avps_kvm_msi *msi, uint32_t *first)
{
    struct avps_kvm_irq *irq = msi->irq;
    bool is_well = false;

    (void)pthread_mutex_lock(&irq->mutex);
    if (irq->count + msi->count <= AVPS_KVM_ROUTES &&
        irq->messages <= AVPS_KVM_ROUTES - msi->count) {
        *first = irq->first_gsi + irq->messages;
        irq->messages += msi->count;
        is_well = true;
    }
    (void)pthread_mutex_unlock(&irq->mutex);
    return is_well;
}

enum avps_status avps_kvm_msi_init(struct avps_kvm_msi *msi)
{
    uint32_t first = 0;
    bool is_well = true;

    if (!msi_numbers(msi, &first)) {
        msi->count = 0;
        return AVPS_E_NOSPACE;
    }
    for (uint16_t i = 0; i < msi->count; i++) {
        msi->vectors[i] = (struct avps_kvm_vector){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                                   .gsi = first + i};
        is_well = is_well && msi->vectors[i].fd >= 0;
    }
    if (!is_well) {
        avps_kvm_msi_free(msi);
        return AVPS_E_IO;
    }
    return AVPS_OK;
}

void avps_kvm_msi_free(struct avps_kvm_msi *msi)
{
    for (uint16_t i = 0; i < msi->count; i++) {
        if (msi->vectors[i].routed) {
            (void)vector_bind(msi, &msi->vectors[i], KVM_IRQFD_FLAG_DEASSIGN);
        }
        if (msi->vectors[i].fd >= 0) {
            (void)close(msi->vectors[i].fd);
        }
    }
    msi->count = 0;
}
