/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <string.h>

#include "fault.h"
#include "guest.h"
#include "machine.h"
#include "uart.h"

#define REPORT_NAME 32U /* a guest's name and a slash */

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

static bool report_is_end(const char *text)
{
    static const char word[] = "end ";

    return memcmp(text, word, sizeof word - 1U) == 0;
}

void report_devices(const struct avps_stats_device *devices, uint32_t count)
{
    char text[AVPS_STATS_LINE + REPORT_NAME];
    struct avps_stats stats;

    avps_stats_begin(&stats, devices, count);
    while (avps_stats_next(&stats, text, sizeof text) && !report_is_end(text)) {
        uart_begin();
        uart_text(text);
        uart_end();
    }
}

void report_devices_end(uint32_t count)
{
    uart_begin();
    uart_text("end");
    uart_field("devices", count);
    uart_end();
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
