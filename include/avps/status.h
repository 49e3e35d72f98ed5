/* SPDX-License-Identifier: BSD-3-Clause */
/** @file status.h
 *  What every call of the library returns, grouped by who is at fault, and the coded events.
 *
 *  Memory: none. Threads: any. Guest: never sees these values.
 */
#ifndef AVPS_STATUS_H
#define AVPS_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/** A result that must be looked at. Ports may define it empty for other compilers. */
#ifndef AVPS_NODISCARD
#if defined(__GNUC__)
#define AVPS_NODISCARD __attribute__((warn_unused_result))
#else
#define AVPS_NODISCARD
#endif
#endif

/** Result of a call. Zero is success; the number range names the owner of the fault. */
enum avps_status {
    AVPS_OK = 0, /**< Done. */

    AVPS_E_PARAM = -1,       /**< Caller: an argument is NULL, out of range or inconsistent. */
    AVPS_E_STATE = -2,       /**< Caller: not allowed in the present state; nothing changed. */
    AVPS_E_UNSUPPORTED = -3, /**< Caller: the operation needs a capability that is absent. */

    AVPS_EMPTY = -20,   /**< Flow: nothing there now (no chain, no packet, no byte). */
    AVPS_PENDING = -21, /**< Flow: accepted, the result comes later. */
    AVPS_AGAIN = -22,   /**< Flow: not possible now, nothing was consumed, call again. */

    AVPS_E_GUEST_ADDR = -40,     /**< Guest: an address range is outside its memory. */
    AVPS_E_GUEST_ACCESS = -41,   /**< Guest: the range exists but not with this access. */
    AVPS_E_GUEST_DESC = -42,     /**< Guest: malformed ring, descriptor or chain. */
    AVPS_E_GUEST_SIZE = -43,     /**< Guest: a buffer is too short, too long, or the wrong way. */
    AVPS_E_GUEST_PROTOCOL = -44, /**< Guest: well-formed bytes that make no valid request. */

    AVPS_E_IO = -60,      /**< Host: a back end or port operation failed. */
    AVPS_E_NOSPACE = -61, /**< Host: a buffer or pool that the integrator sized is full. */

    AVPS_E_INTERNAL = -90 /**< The library broke one of its own invariants. */
};

/** Name of a status, for logs. @return A static string; "AVPS_E_?" for an unknown value. */
const char *avps_status_name(enum avps_status status);

/** Whether a status says that the guest is at fault (-40 .. -59). */
static inline int avps_status_is_guest_fault(enum avps_status status)
{
    return (int)status <= -40 && (int)status > -60;
}

/** Coded events handed to `avps_sys_ops.event`; `a` and `b` are as stated. */
enum avps_event {
    AVPS_EVENT_RESET = 1,     /**< The driver reset the device. a: reset generation, b: 0. */
    AVPS_EVENT_DRIVER_OK,     /**< The device went live. a, b: accepted feature bits 0-31, 32-63. */
    AVPS_EVENT_QUEUE_FAULT,   /**< A queue latched a guest fault. a: queue, b: -status. */
    AVPS_EVENT_DEVICE_FAULT,  /**< DEVICE_NEEDS_RESET was set. a: -status, b: 0. */
    AVPS_EVENT_QUEUE_REFUSED, /**< A queue enable was refused. a: queue, b: -status. */
    AVPS_EVENT_FEATURES_REFUSED, /**< FEATURES_OK was refused. a: 0, b: 0. */
    AVPS_EVENT_LATE_COMPLETION, /**< A completion of an earlier generation was dropped. a: queue. */
    AVPS_EVENT_SUSPENDED,       /**< The device suspended. a: 0, b: 0. */
    AVPS_EVENT_RESUMED          /**< The device resumed. a: 0, b: 0. */
};

#ifdef __cplusplus
}
#endif
#endif
