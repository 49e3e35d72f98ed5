/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts are masked but inside machine_wait, where one that is pending ends the sleep at once:
 * what is looked at before cannot change in between. */
#include "machine.h"

#include "../guest_map.h"
#include "../sbi.h"
#include "line.h"

#define MACHINE_EXTERNAL  0x8000000000000009U
#define MACHINE_SIE       "0x2" /* sstatus: interrupts on */
#define MACHINE_SEIE      (1U << 9)
#define MACHINE_TICKS_MS  10000U /* of the time counter */
#define MACHINE_EMERGENCY (VIRTIO_CONFIG + 8U)

struct virtio machine_console;
struct virtio machine_entropy;

bool machine_init(void)
{
    const bool found =
        virtio_probe(&machine_console, GUEST_VIRTIO, VIRTIO_ID_CONSOLE) &&
        virtio_probe(&machine_entropy, GUEST_VIRTIO + VIRTIO_WINDOW, VIRTIO_ID_ENTROPY);

    __asm__ volatile("csrw sie, %0" ::"r"(MACHINE_SEIE));
    return found;
}

uint64_t machine_now_ms(void)
{
    uint64_t ticks;

    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return ticks / MACHINE_TICKS_MS;
}

void machine_wait(void)
{
    __asm__ volatile("wfi\n\tcsrsi sstatus, " MACHINE_SIE "\n\tcsrci sstatus, " MACHINE_SIE ::
                         : "memory");
}

bool machine_wait_used(struct ring *ring, uint16_t *id, uint32_t *len)
{
    const uint64_t deadline = machine_now_ms() + MACHINE_PATIENCE_MS;

    do {
        machine_wait();
        if (ring_take(ring, id, len)) {
            return true;
        }
    } while (machine_now_ms() < deadline);
    return false;
}

/* A fault of the guest's own: said by the console's emergency register, which needs no driver. */
static _Noreturn void machine_fault(uint64_t cause, uint64_t pc)
{
    char text[80];
    struct line line;

    line_begin(&line, text, sizeof text);
    line_text(&line, "guest: exception ");
    line_number(&line, cause);
    line_text(&line, " at ");
    line_number(&line, pc);
    line_text(&line, "\r\n");
    for (uint32_t i = 0; i < line.used; i++) {
        virtio_set(&machine_console, MACHINE_EMERGENCY, (uint8_t)text[i]);
    }
    sbi_reset(SBI_SHUTDOWN);
    for (;;) {
    }
}

void machine_trap(uint64_t cause, uint64_t pc)
{
    if (cause != MACHINE_EXTERNAL) {
        machine_fault(cause, pc);
    }
    virtio_interrupt(&machine_console);
    virtio_interrupt(&machine_entropy);
}
