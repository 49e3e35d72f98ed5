/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <stddef.h>

#include "fault.h"
#include "guest.h"
#include "machine.h"
#include "uart.h"

void report_begin(const char *what)
{
    uart_begin();
    uart_text("report ");
    uart_text(what);
}

void report_end(const struct guest *guest)
{
    uart_text(" vm=");
    uart_text(guest->plan->name);
    uart_end();
}

static void report_queue(const struct guest *guest, uint32_t index, uint16_t queue,
                         const struct avps_queue_counters *counters)
{
    report_begin("queue");
    uart_field("slot", index);
    uart_field("queue", queue);
    uart_field("kicks", counters->kicks);
    uart_field("chains", counters->chains);
    uart_field("used", counters->used);
    uart_field("interrupts", counters->interrupts);
    uart_field("bytes_read", counters->bytes_read);
    uart_field("written", counters->written);
    uart_field("port_errors", counters->port_errors);
    report_end(guest);
}

/* Guest faults, by class as <avps/device.h> has them, and their sum. */
static void report_faults(const struct avps_device_counters *counters)
{
    static const char *const names[AVPS_FAULT_CLASSES] = {
        [AVPS_FAULT_ADDR] = "fault_addr",         [AVPS_FAULT_ACCESS] = "fault_access",
        [AVPS_FAULT_DESC] = "fault_desc",         [AVPS_FAULT_SIZE] = "fault_size",
        [AVPS_FAULT_PROTOCOL] = "fault_protocol",
    };
    uint64_t sum = 0;

    for (uint32_t i = 0; i < AVPS_FAULT_CLASSES; i++) {
        uart_field(names[i], counters->faults[i]);
        sum += counters->faults[i];
    }
    uart_field("faults", sum);
}

static void report_device(const struct guest *guest, const struct bm_slot *slot)
{
    const struct avps_device_counters *counters = avps_device_counters(slot->device);

    report_begin("device");
    uart_field("slot", slot->index);
    uart_field("id", avps_device_id(slot->device));
    uart_field("resets", counters->resets);
    uart_field("negotiations", counters->negotiations);
    uart_field("refusals", counters->refusals);
    uart_field("bad_accesses", counters->bad_accesses);
    uart_field("spurious_kicks", counters->spurious_kicks);
    report_faults(counters);
    uart_field("needs_reset", counters->needs_reset);
    report_end(guest);
    for (uint16_t queue = 0; avps_queue_counters(slot->device, queue) != NULL; queue++) {
        if (avps_queue_counters(slot->device, queue)->chains != 0U) {
            report_queue(guest, slot->index, queue, avps_queue_counters(slot->device, queue));
        }
    }
}

void report_board(const struct guest *guest, const struct bm_board *board)
{
    for (uint32_t i = 0; i < board->count; i++) {
        report_device(guest, &board->slots[i]);
    }
}

_Noreturn void hyp_fault(uint64_t esr, uint64_t elr, uint64_t far)
{
    uart_begin_anyway();
    uart_text("fault in the hypervisor: esr=");
    uart_hex(esr);
    uart_text(" elr=");
    uart_hex(elr);
    uart_text(" far=");
    uart_hex(far);
    uart_end();
    machine_off();
}
