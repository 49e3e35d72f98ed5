/* SPDX-License-Identifier: BSD-3-Clause */
/* In the place of slirp.c where libslirp is not: opening is refused, the rest is not reached. */
#include <stddef.h>

#include "avps_posix/slirp.h"
#include "posix_error.h"

enum avps_status avps_posix_slirp_open(struct avps_posix_slirp **slirp,
                                       const struct avps_posix_slirp_config *config,
                                       struct avps_posix_error *error)
{
    (void)slirp;
    (void)config;
    return posix_fail(error, AVPS_E_UNSUPPORTED,
                      "this program was built without libslirp: there is no user network");
}

void avps_posix_slirp_close(struct avps_posix_slirp *slirp)
{
    (void)slirp;
}

enum avps_status avps_posix_slirp_forward(struct avps_posix_slirp *slirp, bool udp,
                                          uint16_t host_port, uint16_t guest_port,
                                          struct avps_posix_error *error)
{
    (void)slirp;
    (void)udp;
    (void)host_port;
    (void)guest_port;
    (void)error;
    return AVPS_E_UNSUPPORTED;
}

void avps_posix_slirp_describe(struct avps_posix_slirp *slirp, struct avps_net_config *config)
{
    (void)slirp;
    (void)config;
}

void avps_posix_slirp_attach(struct avps_posix_slirp *slirp, struct avps_net *net)
{
    (void)slirp;
    (void)net;
}

const struct avps_posix_slirp_counters *
avps_posix_slirp_counters(const struct avps_posix_slirp *slirp)
{
    (void)slirp;
    return NULL;
}
