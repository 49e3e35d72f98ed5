/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's image, as a part of the hypervisor's. */

    .section .rodata.guest, "a"
    .globl guest_image
    .globl guest_image_end
    .balign 8
guest_image:
    .incbin GUEST_IMAGE
guest_image_end:
