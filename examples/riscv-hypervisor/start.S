/* SPDX-License-Identifier: BSD-3-Clause */
/* Entry from the firmware in HS mode, and the guest's exits. sscratch points to struct vcpu while the
 * guest runs and is 0 otherwise: a trap then is a fault of the hypervisor. Offsets follow vcpu.h. */

    .set VCPU_SEPC, 256
    .set VCPU_SSTATUS, 264
    .set VCPU_HSTATUS, 272

    .macro start_registers op       /* all but x0 and a0, which holds struct vcpu */
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op     x\n, 8 * \n(a0)
    .endr
    .endm

    .section .text.start, "ax"
    .globl _start
_start:
    csrw    sie, zero
    csrw    sscratch, zero
    la      sp, hyp_stack_top
    la      t0, hyp_exit
    csrw    stvec, t0
    la      t0, hyp_bss_start
    la      t1, hyp_bss_end
1:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    call    hyp_main
2:  wfi
    j       2b

    .balign 4
hyp_exit:
    csrrw   a0, sscratch, a0
    beqz    a0, hyp_own
    start_registers sd
    csrrw   t0, sscratch, zero      /* the guest's a0 */
    sd      t0, 80(a0)
    csrr    t0, sepc
    csrr    t1, sstatus
    csrr    t2, 0x600               /* hstatus */
    sd      t0, VCPU_SEPC(a0)
    sd      t1, VCPU_SSTATUS(a0)
    sd      t2, VCPU_HSTATUS(a0)
    la      sp, hyp_stack_top
    mv      s0, a0
    call    guest_exit
    mv      a0, s0

    .globl vcpu_enter
vcpu_enter:
    ld      t0, VCPU_SEPC(a0)
    ld      t1, VCPU_SSTATUS(a0)
    ld      t2, VCPU_HSTATUS(a0)
    csrw    sepc, t0
    csrw    sstatus, t1
    csrw    0x600, t2
    csrw    sscratch, a0
    start_registers ld
    ld      a0, 80(a0)
    sret

hyp_own:
    csrw    sscratch, zero
    la      sp, hyp_stack_top
    csrr    a0, scause
    csrr    a1, sepc
    csrr    a2, stval
    j       hyp_fault
