/* SPDX-License-Identifier: BSD-3-Clause */
/* A trap in HS mode: none is expected. */
#include "sbi.h"
#include "uart.h"

#define FAULT_ILLEGAL 2U

_Noreturn void hyp_fault(uint64_t cause, uint64_t pc, uint64_t value);

_Noreturn void hyp_fault(uint64_t cause, uint64_t pc, uint64_t value)
{
    uart_begin("fault in the hypervisor");
    uart_text(cause == FAULT_ILLEGAL ? " (a CPU without the H extension?)" : "");
    uart_field_hex("cause", cause);
    uart_field_hex("pc", pc);
    uart_field_hex("value", value);
    uart_end();
    sbi_reset(SBI_SHUTDOWN);
    for (;;) {
    }
}
