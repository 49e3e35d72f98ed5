/* SPDX-License-Identifier: BSD-3-Clause */
/* Entry at EL2. The first CPU: stack, zeroed .bss, exception vectors, then hyp_main. The others, which it
 * starts later: cpu_entry with their struct cpu in x0, then cpu_started. */

    .section .text.start, "ax"
    .globl _start
_start:
    mrs     x9, currentel
    cmp     x9, #(2 << 2)           /* not at EL2: nothing here would work */
    b.ne    start_park
    mrs     x9, mpidr_el1
    tst     x9, #0xff               /* others that are already on sleep */
    b.ne    start_park
    msr     daifset, #0xf

    ldr     x9, =hyp_stack_first
    mov     sp, x9
    ldr     x9, =hyp_vectors
    msr     vbar_el2, x9
    isb

    ldr     x9, =hyp_bss_start
    ldr     x10, =hyp_bss_end
1:  cmp     x9, x10
    b.hs    2f
    stp     xzr, xzr, [x9], #16
    b       1b

2:  mov     x29, xzr
    mov     x30, xzr
    bl      hyp_main

    .globl cpu_entry
cpu_entry:
    msr     daifset, #0xf
    msr     tpidr_el2, x0
    ldr     x9, [x0]                /* struct cpu: stack_top */
    mov     sp, x9
    ldr     x9, =hyp_vectors
    msr     vbar_el2, x9
    isb
    mov     x29, xzr
    mov     x30, xzr
    bl      cpu_started

    .globl start_park
start_park:
    wfe
    b       start_park
