/* SPDX-License-Identifier: BSD-3-Clause */
/* bool rv_fetch(uint64_t pc, uint32_t *insn): read the instruction at a guest's pc, as that guest
 * would fetch it. hlvx.hu may fault itself; such a fault comes back here and gives false. sepc, scause,
 * stval, sstatus and hstatus are then lost: save them first. Interrupts must be masked. */
    .option arch, +h
    .section .text.rv_fetch, "ax"
    .globl rv_fetch
rv_fetch:
    la      t0, fetch_fault
    csrrw   t0, stvec, t0
    hlvx.hu t1, (a0)
    andi    t2, t1, 3
    li      t3, 3                   /* both low bits: 32 bits long, else 16 */
    bne     t2, t3, 1f
    addi    a0, a0, 2               /* may lie in another page */
    hlvx.hu t2, (a0)
    slli    t2, t2, 16
    or      t1, t1, t2
1:  sw      t1, 0(a1)
    csrw    stvec, t0
    li      a0, 1
    ret

    .balign 4                       /* stvec holds whole words */
fetch_fault:
    csrw    stvec, t0
    li      a0, 0
    ret
