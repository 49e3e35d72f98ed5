/* SPDX-License-Identifier: BSD-3-Clause */
/* The pages shared with Xen: slots of virtual CPUs, then buffered stores. What is decided, is decided on
 * copies. */
#include "ioreq.h"

#define BUFFERED_WIDE 3U /* width of a buffered store of 8 bytes, in two entries */

static bool ioreq_is_access(const struct ioreq *request)
{
    return request->type == IOREQ_TYPE_COPY && request->data_is_ptr == 0U && request->count == 1U &&
           request->size != 0U && request->size <= 8U &&
           (request->size & (request->size - 1U)) == 0U;
}

enum ioreq_kind ioreq_take(struct ioreq *slot, struct avps_window_access *access)
{
    *access = (struct avps_window_access){.value = UINT64_MAX};
    if (((const volatile struct ioreq *)slot)->state != STATE_IOREQ_READY) {
        return IOREQ_NONE;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the state is written after the rest */
    const struct ioreq request = *slot;

    slot->state = STATE_IOREQ_INPROCESS;
    if (!ioreq_is_access(&request)) {
        return request.type == IOREQ_TYPE_INVALIDATE ? IOREQ_FLUSH : IOREQ_UNKNOWN;
    }
    access->gpa = request.addr;
    access->width = request.size;
    access->is_write = request.dir == IOREQ_WRITE;
    access->value = access->is_write ? request.data : UINT64_MAX;
    return IOREQ_ACCESS;
}

void ioreq_answer(struct ioreq *slot, uint64_t value)
{
    slot->data = value;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    ((volatile struct ioreq *)slot)->state = STATE_IORESP_READY;
}

bool ioreq_take_buffered(struct buffered_iopage *page, struct avps_window_access *access)
{
    const uint32_t read = __atomic_load_n(&page->read_pointer, __ATOMIC_RELAXED);
    const uint32_t ready = __atomic_load_n(&page->write_pointer, __ATOMIC_ACQUIRE) - read;
    const struct buf_ioreq low = page->buf_ioreq[read % IOREQ_BUFFER_SLOT_NUM];
    const struct buf_ioreq high = page->buf_ioreq[(read + 1U) % IOREQ_BUFFER_SLOT_NUM];
    const uint32_t entries = low.size == BUFFERED_WIDE ? 2U : 1U;

    if (ready < entries || ready > IOREQ_BUFFER_SLOT_NUM) {
        return false;
    }
    *access = (struct avps_window_access){.gpa = low.addr,
                                          .value = low.data | (uint64_t)high.data << 32,
                                          .width = 1U << low.size,
                                          .is_write = true};
    /* Xen brings both pointers back into range now and then: add, never store. */
    (void)__atomic_fetch_add(&page->read_pointer, entries, __ATOMIC_RELEASE);
    return true;
}
