/* SPDX-License-Identifier: BSD-3-Clause */
/** @file platform.h
 *  The platform file: what a hypervisor promises its guests, read from a compiled device tree. The
 *  format, property by property, is in docs/platform-file.md.
 *
 *  Memory: the tables are the caller's, of fixed size; names and texts in them point into the blob,
 *  which has to stay as it is for as long as the tables are used. Nothing is allocated.
 *  Threads: any, one per table; read only after parsing. Guest: never sees the file.
 *
 *  Freestanding; needs libfdt. Order: avps_platform_parse, then for each device of a guest its
 *  configuration through platform_apply.h, and the guest's own device tree through platform_tree.h.
 *
 *  The blob may hold anything: what is not a platform is refused with one line, node path, property
 *  and what is expected there.
 */
#ifndef AVPS_COMMON_PLATFORM_H
#define AVPS_COMMON_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Most networks of a platform. */
#ifndef AVPS_PLATFORM_NETWORKS
#define AVPS_PLATFORM_NETWORKS 8U
#endif

/** Most guests of a platform. */
#ifndef AVPS_PLATFORM_GUESTS
#define AVPS_PLATFORM_GUESTS 8U
#endif

/** Most devices of a guest. */
#ifndef AVPS_PLATFORM_DEVICES
#define AVPS_PLATFORM_DEVICES 16U
#endif

/** Most CPUs of a guest. */
#define AVPS_PLATFORM_CPUS 16U

/** Most entries of an allow-list: addresses, VLANs, chips, peers. */
#define AVPS_PLATFORM_LIST 8U

/** Most ports of a console device beside its first. */
#define AVPS_PLATFORM_PORTS 7U

/** Longest name of a guest, device, network, port or resource, without its end. */
#define AVPS_PLATFORM_NAME 31U

/** Kinds of devices. */
enum avps_platform_kind {
    AVPS_PLATFORM_BLK,     /**< "blk" */
    AVPS_PLATFORM_NET,     /**< "net" */
    AVPS_PLATFORM_CONSOLE, /**< "console" */
    AVPS_PLATFORM_RNG,     /**< "rng" */
    AVPS_PLATFORM_I2C,     /**< "i2c" */
    AVPS_PLATFORM_VSOCK    /**< "vsock" */
};

/** How a guest finds a device. */
enum avps_platform_transport {
    AVPS_PLATFORM_MMIO, /**< "mmio": a window of virtio-mmio. */
    AVPS_PLATFORM_PCI   /**< "pci": a function on the guest's PCI bus. */
};

/** A list of different numbers. */
struct avps_platform_numbers {
    uint16_t items[AVPS_PLATFORM_LIST]; /**< In the file's order. */
    uint32_t count;                     /**< How many. */
};

/** What a block device has beside the common part. */
struct avps_platform_blk {
    uint32_t size_mib;  /**< Capacity; 0: that of the back end. */
    const char *serial; /**< Identity, at most 20 characters; the device's name by default. */
    bool read_only;     /**< The guest cannot write. */
    bool write_through; /**< Cache mode after a reset. */
};

/** What a network device has. */
struct avps_platform_net {
    uint32_t network;                    /**< Index in avps_platform.networks. */
    uint8_t mac[6];                      /**< Address of the guest. */
    uint8_t macs[AVPS_PLATFORM_LIST][6]; /**< Source addresses allowed; `mac` is the first. */
    uint32_t mac_count;                  /**< How many; 0 with mac_any. */
    bool mac_any;                        /**< Any source address is allowed. */
    uint32_t vlan;                       /**< Untagged VLAN, 0: none. */
    struct avps_platform_numbers vlans;  /**< Tagged VLANs. */
    uint32_t learn_max;                  /**< Addresses the network may learn from it; 0: no
                                                   limit. */
    uint32_t rate_kbit;                  /**< Kilobits per second from the guest; 0: no limit. */
    uint32_t burst_kib;                  /**< KiB that may come at once, with a rate. */
    uint32_t speed_mbit;                 /**< Speed to report; 0: none. */
};

/** What a console device has. */
struct avps_platform_console {
    uint32_t columns;                       /**< Of the terminal; 0: unknown. */
    uint32_t rows;                          /**< Of the terminal; 0: unknown. */
    const char *ports[AVPS_PLATFORM_PORTS]; /**< Names of further ports: plain channels. The
                                                 resource of each is "<backend>.<name>". */
    uint32_t port_count;                    /**< How many. */
};

/** What an entropy device has. */
struct avps_platform_rng {
    uint32_t max_bytes; /**< Most bytes one request gets. */
};

/** What an I2C adapter has. */
struct avps_platform_i2c {
    struct avps_platform_numbers allowed; /**< 7-bit addresses of chips; none: all chips. */
};

/** What a socket device has. */
struct avps_platform_vsock {
    uint32_t cid;                       /**< Context id of the guest, nobody else's. */
    struct avps_platform_numbers peers; /**< Context ids that it may talk to; none: the host's. */
};

/** A device of a guest. */
struct avps_platform_device {
    const char *name;                       /**< Unique within the guest. */
    enum avps_platform_kind kind;           /**< What it is. */
    enum avps_platform_transport transport; /**< How it is found. */
    uint32_t unit;                        /**< Counts the guest's devices of this transport: number
                                                 of the window or of the PCI device. */
    const char *backend;                  /**< Resource that your port connects: the name of an
                                                 image, a terminal, a source. NULL for net. */
    bool packed;                          /**< Packed rings are offered beside split ones. */
    bool access_platform;                 /**< ACCESS_PLATFORM is offered and required. */
    uint32_t queues;                      /**< Request queues of blk, pairs of net; else 1. */
    uint32_t queue_size;                  /**< Largest queue size. */
    uint32_t budget;                      /**< Chains per queue and poll, for avps_poll. */
    struct avps_features promise;         /**< Named in `features` and `common-features`: has to be
                                       offered. */
    struct avps_features withhold;        /**< Follows from `rings`, `features` and
                                                 `common-features`. */
    struct avps_platform_blk blk;         /**< With kind BLK. */
    struct avps_platform_net net;         /**< With kind NET. */
    struct avps_platform_console console; /**< With kind CONSOLE. */
    struct avps_platform_rng rng;         /**< With kind RNG. */
    struct avps_platform_i2c i2c;         /**< With kind I2C. */
    struct avps_platform_vsock vsock;     /**< With kind VSOCK. */
};

/** A guest. */
struct avps_platform_guest {
    const char *name;        /**< Unique. */
    const char *bootargs;    /**< Part of the command line that goes with the platform, or "". */
    uint32_t cpus;           /**< How many. */
    uint32_t memory_mib;     /**< MiB of memory. */
    uint32_t dma_window_mib; /**< Devices reach only so many MiB at the end of it; 0: all. */
    struct avps_platform_device devices[AVPS_PLATFORM_DEVICES]; /**< In the file's order. */
    uint32_t device_count;                                      /**< How many. */
};

/** A network between guests. */
struct avps_platform_network {
    const char *name;     /**< Unique; net devices refer to it. */
    const char *uplink;   /**< Resource that your port connects it to, or NULL: guests only. */
    uint32_t uplink_vlan; /**< Untagged VLAN of that; 0: none. */
    uint32_t mtu;         /**< Bytes. */
    uint32_t addresses;   /**< Size of the table of addresses: a power of two. */
    uint32_t age_s;       /**< Seconds after which an address is forgotten; 0: never. */
};

/** A platform. About 40 KiB with the limits above: not for a small stack. */
struct avps_platform {
    uint32_t format;                                               /**< Version of the format: 1. */
    const char *model;                                             /**< Its name. */
    struct avps_platform_network networks[AVPS_PLATFORM_NETWORKS]; /**< In the file's order. */
    uint32_t network_count;                                        /**< How many. */
    struct avps_platform_guest guests[AVPS_PLATFORM_GUESTS];       /**< In the file's order. */
    uint32_t guest_count;                                          /**< How many, at least 1. */
};

/** Bytes of a line, its end included; longer ones are cut. */
#define AVPS_PLATFORM_LINE 512U

/** What is wrong, for a person: without newline, printable ASCII. */
struct avps_platform_line {
    char text[AVPS_PLATFORM_LINE]; /**< "node path: property: expected ..., found ..." */
};

/** Read a platform.
 *  @param[out] platform  Filled in; meaningless unless AVPS_OK.
 *  @param[in]  blob      What dtc made, aligned to 8 bytes; borrowed by `platform`.
 *  @param      size      Bytes that may be read there.
 *  @param[out] line      What is wrong, filled in unless AVPS_OK. May be NULL.
 *  @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_platform_parse(struct avps_platform *platform,
                                                    const void *blob, size_t size,
                                                    struct avps_platform_line *line);

/** The guest of this name. @return NULL if there is none. */
const struct avps_platform_guest *avps_platform_find_guest(const struct avps_platform *platform,
                                                           const char *name);

/** The word that the file has for a kind of device, "blk" and so on. */
const char *avps_platform_kind_name(enum avps_platform_kind kind);

#ifdef __cplusplus
}
#endif
#endif
