/* SPDX-License-Identifier: BSD-3-Clause */
/* uint64_t access_<load>(uintptr_t address) and void access_<store>(uintptr_t address, uint64_t value):
 * the one instruction, and back. */

    .macro access_one name, insn:vararg
    .globl access_\name
access_\name:
    \insn
    ret
    .endm

    .macro access_stack name, insn:vararg
    .globl access_\name
access_\name:
    mv      t0, sp
    mv      sp, a0
    \insn
    mv      sp, t0
    ret
    .endm

    .text
    .option push
    .option norvc
    access_one lb, lb a0, 0(a0)
    access_one lbu, lbu a0, 0(a0)
    access_one lh, lh a0, 0(a0)
    access_one lhu, lhu a0, 0(a0)
    access_one lw, lw a0, 0(a0)
    access_one lwu, lwu a0, 0(a0)
    access_one ld, ld a0, 0(a0)
    access_one sb, sb a1, 0(a0)
    access_one sh, sh a1, 0(a0)
    access_one sw, sw a1, 0(a0)
    access_one sd, sd a1, 0(a0)
    .option pop
    access_one c_lw, c.lw a0, 0(a0)
    access_one c_ld, c.ld a0, 0(a0)
    access_one c_sw, c.sw a1, 0(a0)
    access_one c_sd, c.sd a1, 0(a0)
    access_stack c_lwsp, c.lwsp a0, 0(sp)
    access_stack c_ldsp, c.ldsp a0, 0(sp)
    access_stack c_swsp, c.swsp a1, 0(sp)
    access_stack c_sdsp, c.sdsp a1, 0(sp)
