/* SPDX-License-Identifier: BSD-3-Clause */
/* Exception vectors: guest exits save struct regs on the stack and call C; everything else is a
 * fault of the hypervisor itself. Offsets follow struct regs in vcpu.h. */

    .set REGS_ELR, 248
    .set REGS_SPSR, 256
    .set REGS_SIZE, 272

    .macro vector_guest handler
    .balign 0x80
    sub     sp, sp, #REGS_SIZE
    stp     x0, x1, [sp, #0]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    str     x30, [sp, #240]
    ldr     x3, =\handler
    b       vectors_exit
    .endm

    .macro vector_fatal
    .balign 0x80
    mrs     x0, esr_el2
    mrs     x1, elr_el2
    mrs     x2, far_el2
    b       hyp_fault
    .endm

    .section .text.vectors, "ax"
    .balign 0x800
    .globl hyp_vectors
hyp_vectors:
    .rept 8                         /* from EL2 itself, with either stack pointer */
    vector_fatal
    .endr
    vector_guest exit_sync
    vector_guest exit_irq
    vector_guest exit_irq     /* FIQ: group 0 is not used; handled alike */
    vector_guest exit_serror
    .rept 4                         /* from AArch32: the guest has none */
    vector_fatal
    .endr
    .balign 0x80

    .ltorg

vectors_exit:
    mrs     x0, elr_el2
    mrs     x1, spsr_el2
    str     x0, [sp, #REGS_ELR]
    str     x1, [sp, #REGS_SPSR]
    mov     x0, sp
    blr     x3
    mov     x0, sp
    add     sp, sp, #REGS_SIZE
    b       vectors_resume

/* void cpu_rest(void): leave the guest; cpu_main on an empty stack. */
    .globl cpu_rest
cpu_rest:
    mrs     x1, tpidr_el2
    ldr     x1, [x1]                /* struct cpu: stack_top */
    mov     sp, x1
    mov     x29, xzr
    mov     x30, xzr
    b       cpu_main

/* void vcpu_enter(const struct regs *): start the guest on an empty stack; does not return. */
    .globl vcpu_enter
vcpu_enter:
    mrs     x1, tpidr_el2
    ldr     x1, [x1]
    mov     sp, x1

/* x0: struct regs, still readable below sp because EL2 runs with interrupts masked. */
vectors_resume:
    ldr     x1, [x0, #REGS_ELR]
    ldr     x2, [x0, #REGS_SPSR]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    ldr     x30, [x0, #240]
    ldp     x28, x29, [x0, #224]
    ldp     x26, x27, [x0, #208]
    ldp     x24, x25, [x0, #192]
    ldp     x22, x23, [x0, #176]
    ldp     x20, x21, [x0, #160]
    ldp     x18, x19, [x0, #144]
    ldp     x16, x17, [x0, #128]
    ldp     x14, x15, [x0, #112]
    ldp     x12, x13, [x0, #96]
    ldp     x10, x11, [x0, #80]
    ldp     x8, x9, [x0, #64]
    ldp     x6, x7, [x0, #48]
    ldp     x4, x5, [x0, #32]
    ldp     x2, x3, [x0, #16]
    ldp     x0, x1, [x0, #0]
    eret
