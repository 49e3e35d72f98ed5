/* SPDX-License-Identifier: BSD-3-Clause */
/* A very small type 1 hypervisor in HS mode: one guest, whose console and entropy come from libavps. */
#include <stdint.h>

#include "devices.h"
#include "guest.h"
#include "guest_map.h"
#include "sbi.h"
#include "stage2.h"
#include "uart.h"

extern uint8_t hyp_guest_ram[];

_Noreturn void hyp_main(void);

_Noreturn void hyp_main(void)
{
    stage2_init(GUEST_RAM, (uintptr_t)hyp_guest_ram);
    if (!devices_init(hyp_guest_ram)) {
        uart_begin("cannot start: a device could not be made");
        uart_end();
        sbi_reset(SBI_SHUTDOWN);
        for (;;) {
        }
    }
    uart_begin("libavps example in HS mode");
    uart_field("devices", devices_guest()->count);
    uart_field("guest_kib", GUEST_RAM_SIZE / 1024U);
    uart_end();
    guest_run(hyp_guest_ram);
}
