/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers as in Arm's Server Base System Architecture, appendix on the GICv2m. */
#include "v2m.h"

#include "gic.h"
#include "guest_map.h"

#define V2M_TYPER      0x008U /* first interrupt in bits 25..16, how many in bits 9..0 */
#define V2M_SETSPI_NS  0x040U
#define V2M_TYPER_BASE 16U

static struct v2m_counters v2m_count;

const struct v2m_counters *v2m_counters(void)
{
    return &v2m_count;
}

uint64_t v2m_access(uint64_t offset, uint32_t width, int write, uint64_t value)
{
    if (write != 0) {
        v2m_send(GUEST_V2M + offset, width == 4U ? (uint32_t)value : 0U); /* 0: no message */
        return 0U;
    }
    return width == 4U && offset == V2M_TYPER
               ? GIC_MESSAGE_BASE << V2M_TYPER_BASE | GIC_MESSAGE_COUNT
               : 0U;
}

void v2m_send(uint64_t address, uint32_t data)
{
    if (address != GUEST_V2M + V2M_SETSPI_NS || data < GIC_MESSAGE_BASE ||
        data - GIC_MESSAGE_BASE >= GIC_MESSAGE_COUNT) {
        v2m_count.lost++;
        return;
    }
    v2m_count.sent++;
    gic_send_messages(1U << (data - GIC_MESSAGE_BASE));
}
