/* SPDX-License-Identifier: BSD-3-Clause */
/** @file avps.h
 *  Umbrella header and versions. Memory: none. Threads: any. Guest: none.
 */
#ifndef AVPS_AVPS_H
#define AVPS_AVPS_H

#include "avps/admin.h"
#include "avps/blk.h"
#include "avps/config.h"
#include "avps/console.h"
#include "avps/device.h"
#include "avps/ecam.h"
#include "avps/i2c.h"
#include "avps/i2c_bus.h"
#include "avps/iotlb.h"
#include "avps/mem.h"
#include "avps/mmio.h"
#include "avps/net.h"
#include "avps/pci.h"
#include "avps/port.h"
#include "avps/remote.h"
#include "avps/rng.h"
#include "avps/status.h"
#include "avps/switch.h"
#include "avps/vq.h"
#include "avps/vsock.h"

#define AVPS_VERSION_MAJOR 0 /**< Library version, SemVer. */
#define AVPS_VERSION_MINOR 1 /**< Until 1.0 a new minor version may change the interface. */
#define AVPS_VERSION_PATCH 0 /**< Fixes only. */

/** VIRTIO revision implemented: 1.4. */
#define AVPS_VIRTIO_REVISION 0x0104

#endif
