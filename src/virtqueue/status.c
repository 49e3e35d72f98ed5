/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of statuses, for logs. */
#include "avps/status.h"

#include "virtqueue/wire.h"

struct status_name {
    enum avps_status status;
    const char *name;
};

static const struct status_name status_names[] = {
    {AVPS_OK, "AVPS_OK"},
    {AVPS_E_PARAM, "AVPS_E_PARAM"},
    {AVPS_E_STATE, "AVPS_E_STATE"},
    {AVPS_E_UNSUPPORTED, "AVPS_E_UNSUPPORTED"},
    {AVPS_EMPTY, "AVPS_EMPTY"},
    {AVPS_PENDING, "AVPS_PENDING"},
    {AVPS_AGAIN, "AVPS_AGAIN"},
    {AVPS_E_GUEST_ADDR, "AVPS_E_GUEST_ADDR"},
    {AVPS_E_GUEST_ACCESS, "AVPS_E_GUEST_ACCESS"},
    {AVPS_E_GUEST_DESC, "AVPS_E_GUEST_DESC"},
    {AVPS_E_GUEST_SIZE, "AVPS_E_GUEST_SIZE"},
    {AVPS_E_GUEST_PROTOCOL, "AVPS_E_GUEST_PROTOCOL"},
    {AVPS_E_IO, "AVPS_E_IO"},
    {AVPS_E_NOSPACE, "AVPS_E_NOSPACE"},
    {AVPS_E_INTERNAL, "AVPS_E_INTERNAL"},
};

const char *avps_status_name(enum avps_status status)
{
    for (size_t i = 0; i < AVPS_COUNT_OF(status_names); i++) {
        if (status_names[i].status == status) {
            return status_names[i].name;
        }
    }
    return "AVPS_E_?";
}
