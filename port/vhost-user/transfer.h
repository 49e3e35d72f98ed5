/* SPDX-License-Identifier: BSD-3-Clause */
/* Device state on its way through a pipe, in the library's own format. */
#ifndef VU_TRANSFER_H
#define VU_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps_posix/loop.h"

#define VU_TRANSFER_MAX (16U << 20) /* bytes of state at most */

enum vu_transfer_phase {
    VU_TRANSFER_NONE,    /* nothing asked for since the last check */
    VU_TRANSFER_RUNNING, /* bytes are on their way */
    VU_TRANSFER_GOOD,    /* all of it has arrived */
    VU_TRANSFER_BAD
};

struct vu_transfer {
    enum vu_transfer_phase phase;
    bool saving;
    int fd; /* -1 with all else 0: none */
    uint8_t *bytes;
    size_t used; /* bytes of state there */
    size_t room;
    size_t sent;
    struct avps_posix_source source;
};

struct avps_vu;

void vu_transfer_init(struct vu_transfer *transfer);
/* Take `fd` over and begin. @return whether it could. */
bool vu_transfer_begin(struct avps_vu *vu, bool save, int fd);
/* Forget it; the phase becomes NONE. */
void vu_transfer_end(struct avps_vu *vu);

#endif
