/* SPDX-License-Identifier: BSD-3-Clause */
/* An access to a device by an instruction that is no longer there when the hypervisor looks for it. */
#ifndef GUEST_VANISH_H
#define GUEST_VANISH_H

/* Does not come back: the hypervisor has to stop this guest. */
void vanish_and_load(void);

#endif
