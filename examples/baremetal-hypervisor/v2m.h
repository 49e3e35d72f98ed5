/* SPDX-License-Identifier: BSD-3-Clause */
/* A GICv2m frame: the register that a message-signalled interrupt is written to. A GICv3 without LPIs
 * may have one too; Linux looks for it there since 5.7. */
#ifndef HYP_V2M_H
#define HYP_V2M_H

#include <stdint.h>

#define V2M_SIZE 0x1000U

/* A guest access to the frame at `offset`; as in vgic.h. */
uint64_t v2m_access(uint64_t offset, uint32_t width, int write, uint64_t value);

/* A device of the guest writes the message `data` to guest address `address`. Both were chosen by the
 * guest: all that they can do is to make one of its own message interrupts pending. What goes
 * elsewhere, or names another interrupt, is lost. */
void v2m_send(uint64_t address, uint32_t data);

/* Messages so far, and those that were lost. */
struct v2m_counters {
    uint64_t sent;
    uint64_t lost;
};

const struct v2m_counters *v2m_counters(void);

#endif
