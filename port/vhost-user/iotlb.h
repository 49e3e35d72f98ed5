/* SPDX-License-Identifier: BSD-3-Clause */
/* The IOTLB of a device behind an IOMMU: the library's, with its storage. What the front end tells is
 * entered as guest addresses; a change of the memory regions empties it. */
#ifndef VU_IOTLB_H
#define VU_IOTLB_H

#include "avps/iotlb.h"

#define VU_IOTLB_ENTRIES   2048U
#define VU_IOTLB_QUESTIONS 64U

struct vu_iotlb {
    struct avps_iotlb tlb;
    struct avps_iotlb_entry entries[VU_IOTLB_ENTRIES];
    struct avps_iotlb_question questions[VU_IOTLB_QUESTIONS];
};

#endif
