/* SPDX-License-Identifier: BSD-3-Clause */
/* One line per device and queue, machine-readable: "hyp: report <what> name=value ...". */
#include "report.h"

#include <stddef.h>

#include "devices.h"
#include "gic.h"
#include "psci.h"
#include "uart.h"
#include "v2m.h"

static void report_queue(uint32_t index, uint16_t queue, const struct avps_queue_counters *counters)
{
    uart_begin();
    uart_text("report queue");
    uart_field("slot", index);
    uart_field("queue", queue);
    uart_field("kicks", counters->kicks);
    uart_field("chains", counters->chains);
    uart_field("used", counters->used);
    uart_field("interrupts", counters->interrupts);
    uart_field("bytes_read", counters->bytes_read);
    uart_field("written", counters->written);
    uart_field("port_errors", counters->port_errors);
    uart_end();
}

static uint64_t report_faults(const struct avps_device_counters *counters)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < AVPS_FAULT_CLASSES; i++) {
        sum += counters->faults[i];
    }
    return sum;
}

static void report_device(const struct bm_slot *slot)
{
    const struct avps_device_counters *counters = avps_device_counters(slot->device);

    uart_begin();
    uart_text("report device");
    uart_field("slot", slot->index);
    uart_field("id", avps_device_id(slot->device));
    uart_field("resets", counters->resets);
    uart_field("negotiations", counters->negotiations);
    uart_field("refusals", counters->refusals);
    uart_field("bad_accesses", counters->bad_accesses);
    uart_field("faults", report_faults(counters));
    uart_field("needs_reset", counters->needs_reset);
    uart_end();
    for (uint16_t queue = 0; avps_queue_counters(slot->device, queue) != NULL; queue++) {
        if (avps_queue_counters(slot->device, queue)->chains != 0U) {
            report_queue(slot->index, queue, avps_queue_counters(slot->device, queue));
        }
    }
}

_Noreturn void report_and_stop(const char *end)
{
    const struct bm_board *board = devices_board();

    for (uint32_t i = 0; i < board->count; i++) {
        report_device(&board->slots[i]);
    }
    devices_report();
    uart_begin();
    uart_text("report end");
    uart_field("irq_waited", gic_waited());
    uart_field("messages", v2m_counters()->sent);
    uart_field("messages_lost", v2m_counters()->lost);
    uart_text(" guest=");
    uart_text(end);
    uart_end();
    psci_machine_off();
}

_Noreturn void hyp_fault(uint64_t esr, uint64_t elr, uint64_t far)
{
    uart_begin();
    uart_text("fault in the hypervisor: esr=");
    uart_hex(esr);
    uart_text(" elr=");
    uart_hex(elr);
    uart_text(" far=");
    uart_hex(far);
    uart_end();
    psci_machine_off();
}
