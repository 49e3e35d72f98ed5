/* SPDX-License-Identifier: BSD-3-Clause */
/* Between arm64.c and arm64_state.c. */
#ifndef ARM64_H
#define ARM64_H

#include <stdbool.h>
#include <stdint.h>

#define ARM64_INTERRUPTS 96U /* numbers of the GIC: private ones and 64 SPIs */

/* Read or write (KVM_GET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR) an attribute of a KVM device. */
bool arm64_attribute(int fd, unsigned long request, uint32_t group, uint64_t number, void *value);

#endif
