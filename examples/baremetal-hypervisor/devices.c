/* SPDX-License-Identifier: BSD-3-Clause */
#include "devices.h"
#include "arch.h"
#include "gic.h"
#include "guest_map.h"
#include "uart.h"
static struct bm_board devices_one;
static void devices_timer(uint64_t ticks)
{
    arch_write_cnthp_cval_el2(ticks);
    arch_write_cnthp_ctl_el2(ticks == UINT64_MAX ? 0U : 1U);
}
static const struct bm_hooks devices_hooks = {.set_level = gic_set_level, .timer = devices_timer};
struct bm_board *devices_board(void)
{
    return &devices_one;
}
bool devices_init(const struct host *host, uint64_t ram_size)
{
    (void)host;
    (void)ram_size;
    (void)devices_hooks;
    return true;
}
void devices_interrupt(uint32_t intid)
{
    if (intid == GIC_PPI_HYP_TIMER)
        arch_write_cnthp_ctl_el2(0U);
}
void devices_run(void)
{
}
void devices_report(void)
{
}
