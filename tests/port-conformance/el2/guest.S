/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest of single instructions: EL1 is entered with given registers and left at its first exit. */

/* uint64_t guest_run(struct guest_regs *regs): @return ESR_EL2 of the exit. The stack holds the caller's
 * registers and `regs` while the guest runs. */
    .section .text, "ax"
    .globl guest_run
guest_run:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x0, [sp, #-16]!
    ldr     x1, [x0, #248]
    msr     elr_el2, x1
    mov     x1, #0x3c5              /* EL1h, everything masked */
    msr     spsr_el2, x1
    ldp     x2, x3, [x0, #16]
    ldp     x0, x1, [x0, #0]
    isb
    eret

guest_exit:
    stp     x0, x1, [sp, #-16]!
    ldr     x0, [sp, #16]           /* regs */
    stp     x2, x3, [x0, #16]
    ldp     x2, x3, [sp], #32
    stp     x2, x3, [x0, #0]
    mrs     x1, elr_el2
    str     x1, [x0, #248]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    mrs     x0, esr_el2
    ret

    .section .text.vectors, "ax"
    .balign 0x800
    .globl hyp_vectors
hyp_vectors:
    .rept 8                         /* from EL2 itself */
    .balign 0x80
    mrs     x0, esr_el2
    mrs     x1, elr_el2
    mrs     x2, far_el2
    b       hyp_fault
    .endr
    .balign 0x80
    b       guest_exit              /* from the guest: synchronous */
    .rept 7
    .balign 0x80
    mrs     x0, esr_el2
    mrs     x1, elr_el2
    mrs     x2, far_el2
    b       hyp_fault
    .endr

/* What the guest has for a program: an access through x1 by x3, then a call of the hypervisor. Loads
 * of 1, 2, 4 and 8 bytes, then stores. */
    .section .rodata
    .balign 8
    .globl guest_code
    .globl guest_code_end
guest_code:
    ldrb    w3, [x1]
    hvc     #0
    ldrh    w3, [x1]
    hvc     #0
    ldr     w3, [x1]
    hvc     #0
    ldr     x3, [x1]
    hvc     #0
    strb    w3, [x1]
    hvc     #0
    strh    w3, [x1]
    hvc     #0
    str     w3, [x1]
    hvc     #0
    str     x3, [x1]
    hvc     #0
guest_code_end:
