/* SPDX-License-Identifier: BSD-3-Clause */
/* Doorbells: rung -> placed, lifted -> init and free. */
#include "avps_kvm/doorbell.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

/* ---- rung ---- */

static void doorbell_rung(void *ctx)
{
    const struct avps_kvm_doorbell *bell = ctx;

    avps_kick(bell->device, bell->queue, 0);
    bell->rung(bell->ctx);
}

/* ---- placed, lifted ---- */

static bool doorbell_assign(const struct avps_kvm_doorbell *bell, uint32_t flags)
{
    const struct kvm_ioeventfd assign = {
        .datamatch = bell->queue,
        .addr = bell->address,
        .len = bell->matched ? 4U : 0U, /* 0: a store of any width */
        .fd = avps_posix_notifier_fd(&bell->notifier),
        .flags = flags | (bell->matched ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0U)};

    return ioctl(bell->vm_fd, KVM_IOEVENTFD, &assign) == 0;
}

enum avps_status avps_kvm_doorbell_place(struct avps_kvm_doorbell *bell, uint64_t address,
                                         bool matched)
{
    if (bell->placed && bell->address == address && bell->matched == matched) {
        return AVPS_OK;
    }
    avps_kvm_doorbell_lift(bell);
    bell->address = address;
    bell->matched = matched;
    bell->placed = doorbell_assign(bell, 0);
    return bell->placed ? AVPS_OK : AVPS_E_IO;
}

void avps_kvm_doorbell_lift(struct avps_kvm_doorbell *bell)
{
    if (bell->placed) {
        (void)doorbell_assign(bell, KVM_IOEVENTFD_FLAG_DEASSIGN);
        bell->placed = false;
    }
}

/* ---- init and free ---- */

enum avps_status avps_kvm_doorbell_init(struct avps_kvm_doorbell *bell,
                                        const struct avps_kvm_doorbell_config *config)
{
    *bell = (struct avps_kvm_doorbell){.device = config->device,
                                       .rung = config->rung,
                                       .ctx = config->ctx,
                                       .vm_fd = config->vm_fd,
                                       .queue = config->queue};
    return avps_posix_notifier_init(&bell->notifier, config->loop, doorbell_rung, bell);
}

void avps_kvm_doorbell_free(struct avps_kvm_doorbell *bell)
{
    avps_kvm_doorbell_lift(bell);
    avps_posix_notifier_free(&bell->notifier);
}
