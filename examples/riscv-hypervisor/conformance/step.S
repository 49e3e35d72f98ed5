/* SPDX-License-Identifier: BSD-3-Clause */
/* Switching to the guest and back, then the guest's code; some of its accesses are compressed. */

    .macro step_saved op
    \op     ra, 0(sp)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \op     s\n, 8 + 8 * \n(sp)
    .endr
    .endm

    .text
    .globl step_begin
step_begin:
    mv      sp, a1
    jr      a0

    .globl step_run
step_run:
    addi    sp, sp, -112
    step_saved sd
    la      t0, step_stack
    sd      sp, 0(t0)
    j       vcpu_enter

    .globl step_done
step_done:
    la      t0, step_stack
    ld      sp, 0(t0)
    step_saved ld
    addi    sp, sp, 112
    ret

    .bss
    .balign 8
step_stack:
    .zero   8

    .macro step_access name, insn:vararg
    .globl step_\name
step_\name:
    \insn
    ecall
    .endm

    .section .rodata.step, "a"
    .globl step_code
    .globl step_code_end
    .balign 8
step_code:
    .option push
    .option norvc
    step_access load1, lbu a1, 0(a0)
    step_access load2, lhu a1, 0(a0)
    step_access load8, ld a1, 0(a0)
    step_access store1, sb a1, 0(a0)
    step_access store2, sh a1, 0(a0)
    step_access store8, sd a1, 0(a0)
    .option pop
    step_access load4, c.lw a1, 0(a0)
    step_access store4, c.sw a1, 0(a0)
step_code_end:
