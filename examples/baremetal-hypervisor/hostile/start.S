/* SPDX-License-Identifier: BSD-3-Clause */
/* Entry of both CPUs at EL1 with the MMU off. Exceptions that the attacks cause are stepped over; interrupts
 * are taken, counted and ended. */

    .section .text.start, "ax"
    .globl _start
_start:
    ldr     x9, =stack_first
    mov     sp, x9
    ldr     x9, =vectors
    msr     vbar_el1, x9
    ldr     x9, =bss_start
    ldr     x10, =bss_end
1:  cmp     x9, x10
    b.hs    2f
    stp     xzr, xzr, [x9], #16
    b       1b
2:  b       hostile_main            /* x0: device tree */

    .globl second_entry
second_entry:
    ldr     x9, =stack_second
    mov     sp, x9
    ldr     x9, =vectors
    msr     vbar_el1, x9
    b       hostile_second

    .macro vector target
    .balign 0x80
    b       \target
    .endm

    .balign 0x800
vectors:
    .rept 4
    vector  step_over
    vector  take_interrupt
    vector  take_interrupt
    vector  step_over
    .endr

/* x0 and x1 are kept; the instruction that failed is passed over. */
    .balign 0x80
step_over:
    stp     x0, x1, [sp, #-16]!
    mrs     x0, elr_el1
    add     x0, x0, #4
    msr     elr_el1, x0
    ldr     x0, =exceptions
    ldr     x1, [x0]
    add     x1, x1, #1
    str     x1, [x0]
    ldp     x0, x1, [sp], #16
    eret

take_interrupt:
    stp     x0, x1, [sp, #-16]!
    msr     cntv_ctl_el0, xzr       /* or a timer would interrupt for ever */
    isb
    mrs     x0, icc_iar1_el1
    msr     icc_eoir1_el1, x0
    ldr     x0, =interrupts
    ldr     x1, [x0]
    add     x1, x1, #1
    str     x1, [x0]
    ldp     x0, x1, [sp], #16
    eret

    .ltorg
