/* SPDX-License-Identifier: BSD-3-Clause */
/** @file platform_report.h
 *  What a platform offers a guest of the Automotive Virtual Platform Specification, requirement by
 *  requirement, under the local ids of docs/avps.md.
 *
 *  Memory: the caller's. Threads: any. Guest: none.
 *
 *  Freestanding. Judged are the file, and what this build of the library can: a disk that the file
 *  offers DISCARD on is taken to have it, because avps_platform_missing() stops a port that cannot.
 *  A requirement on a kind of device that a guest does not have does not bind; discard
 *  and write zeroes are asked of disks that can be written.
 */
#ifndef AVPS_COMMON_PLATFORM_REPORT_H
#define AVPS_COMMON_PLATFORM_REPORT_H

#include "avps_common/platform.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What becomes of a requirement. */
enum avps_platform_verdict {
    AVPS_PLATFORM_OFFERED, /**< The platform meets it. */
    AVPS_PLATFORM_LACKS,   /**< It does not. */
    AVPS_PLATFORM_OPEN,    /**< It is for whoever integrates the hypervisor to meet. */
    AVPS_PLATFORM_SILENT   /**< It asks nothing of this guest's platform. */
};

/** A requirement, judged for a guest. */
struct avps_platform_finding {
    const char *id;                     /**< Local id, "BLK-4". */
    const char *section;                /**< Section of AVPS v2.0. */
    const char *keyword;                /**< "MUST", "SHALL", "SHOULD", "MAY". */
    const char *text;                   /**< In short. */
    enum avps_platform_verdict verdict; /**< What becomes of it. */
    const char *device;                 /**< LACKS: the device that fails it; NULL: the guest. */
    const char *reason;                 /**< LACKS, OPEN: why. */
};

/** How many requirements there are. */
uint32_t avps_platform_requirements(void);

/** Judge one for a guest.
 *  @param      index    Below avps_platform_requirements().
 *  @param[out] finding  Filled in; its texts are static or the platform's. */
void avps_platform_judge(const struct avps_platform_guest *guest, uint32_t index,
                         struct avps_platform_finding *finding);

/** Whether a guest's platform lacks nothing that is mandatory (MUST, SHALL). */
bool avps_platform_conforms(const struct avps_platform_guest *guest);

/** All requirements of one verdict by section, ids in a row put together: "2.6.1 BLK-1..5; 2.7.1
 *  NET-1, NET-4..8".
 *  @param[out] text  Always ended; cut if too long. "nothing" if there are none.
 *  @param      size  Bytes there, at least 1. */
void avps_platform_list(const struct avps_platform_guest *guest, enum avps_platform_verdict verdict,
                        char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
