/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of plain chains, for either ring format: take -> give back, put back, forget. */
#include "virtqueue/plain.h"

/* Rings and buffers are coherent memory at hand: no access can fail, nothing is mapped, and nobody
 * follows the chains. */
static bool vq_is_direct(const struct avps_vq *vq)
{
    return vq->mem->ops == NULL && vq->tracker == NULL && vq->desc.fast != NULL &&
           vq->driver.fast != NULL && vq->device.fast != NULL;
}

uint32_t avps_vq_take_plain(struct avps_vq *vq, enum avps_access access, struct avps_plain *plain,
                            uint32_t max)
{
    if (!vq->live || vq->fault != AVPS_OK || !vq_is_direct(vq)) {
        return 0;
    }
    return vq->packed ? avps_packed_take_plain(vq, access, plain, max)
                      : avps_split_take_plain(vq, access, plain, max);
}

/* Ids whose busy bits are cleared all at once, and the words that hold them. */
#define BUSY_AT_ONCE 1024U
#define BUSY_WORDS                                                                                 \
    ((AVPS_QUEUE_SIZE_MAX < BUSY_AT_ONCE ? AVPS_QUEUE_SIZE_MAX : BUSY_AT_ONCE) / 32U + 1U)

/* Chains are in flight no more. */
static void vq_forget_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count)
{
    if (vq->in_flight == count && vq->size <= BUSY_AT_ONCE) {
        (void)memset(vq->busy, 0, BUSY_WORDS * sizeof vq->busy[0]);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            vq_set_busy(vq, plain[i].id, false);
        }
    }
    vq->in_flight = (uint16_t)(vq->in_flight - count);
}

uint64_t avps_vq_give_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count)
{
    if (count == 0U) {
        return 0; /* maybe of a queue that is not direct */
    }
    const uint64_t written = vq->packed ? avps_packed_give_plain(vq, plain, count)
                                        : avps_split_give_plain(vq, plain, count);

    vq_forget_plain(vq, plain, count);
    return written;
}

void avps_vq_put_back_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count)
{
    const struct avps_chain one = {.slots = 1};

    vq_forget_plain(vq, plain, count);
    for (uint32_t i = 0; i < count; i++) {
        if (vq->packed) {
            avps_packed_unpop(vq, &one);
        } else {
            avps_split_unpop(vq, &one);
        }
    }
}

void avps_vq_drop_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count)
{
    vq_forget_plain(vq, plain, count);
    if (vq->packed) {
        vq->slots_in_flight = (uint16_t)(vq->slots_in_flight - count);
    }
}
