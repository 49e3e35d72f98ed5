/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the suite share.
 *
 *   suite.c   cases in order, what they need, the report     driver.c  a driver and a disk behind it
 *   mem.c     guest memory through the handle                irq.c     interrupts
 *   mem_ops.c each memory operation by itself                event.c   doorbells, wake-ups, completions
 *   wrap.c    failing memory operations                      time.c    clock and timers
 *   threads.c two CPUs                                       fault.c   faults and resets
 *   arch.c    ordered accesses and fences */
#ifndef AVPS_PC_SUITE_INTERNAL_H
#define AVPS_PC_SUITE_INTERNAL_H

#include <stddef.h>

#include "avps/device.h"
#include "avps/mmio.h"
#include "avps_port_conformance/suite.h"

#ifdef AVPS_PORT_ARCH_HEADER
#include AVPS_PORT_ARCH_HEADER
#else
#include "avps/arch_default.h"
#endif

#define PC_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* What a case needs of the target; `suite.c` knows how to tell and what to say. */
#define PC_RUN       (1U << 0)
#define PC_UNIT      (1U << 1)
#define PC_TWO_UNITS (1U << 2)
#define PC_WINDOW    (1U << 3)
#define PC_IRQ       (1U << 4)
#define PC_WIRED     (1U << 5)
#define PC_MASK      (1U << 6)
#define PC_MSI       (1U << 7)
#define PC_SET_LEVEL (1U << 8)
#define PC_WAKE      (1U << 9)
#define PC_CLOCK     (1U << 10)
#define PC_WALL      (1U << 11)
#define PC_TIMER     (1U << 12)
#define PC_ADVANCE   (1U << 13)
#define PC_THREADS   (1U << 14)
#define PC_TRANSLATE (1U << 15)
#define PC_MAP       (1U << 16)
#define PC_PIN       (1U << 17)
#define PC_READ      (1U << 18)
#define PC_WRITE     (1U << 19)
#define PC_DIRTY     (1U << 20)
#define PC_CACHE     (1U << 21)
#define PC_READ_ONLY (1U << 22)
#define PC_ONE_WAY   (1U << 23)
#define PC_ADJACENT  (1U << 24)
#define PC_MAPPED    (1U << 25)
#define PC_WRAPPED   (1U << 26)

/* One promise. */
struct pc_case {
    const char *sentence;
    const char *clause; /* header: what makes the promise */
    uint32_t needs;
    void (*run)(struct avps_pc *pc);
};

struct pc_group {
    const struct pc_case *cases;
    uint32_t count;
};

extern const struct pc_group avps_pc_mem_group;
extern const struct pc_group avps_pc_mem_ops_group;
extern const struct pc_group avps_pc_irq_group;
extern const struct pc_group avps_pc_event_group;
extern const struct pc_group avps_pc_time_group;
extern const struct pc_group avps_pc_arch_group;
extern const struct pc_group avps_pc_threads_group;
extern const struct pc_group avps_pc_fault_group;

/* ---- suite.c ---- */

/* Whether `got` is `want`; the first difference of a case is what is reported. */
bool avps_pc_equal(struct avps_pc *pc, const char *what, uint64_t got, uint64_t want);
bool avps_pc_true(struct avps_pc *pc, const char *what, bool claim);
bool avps_pc_gave(struct avps_pc *pc, const char *what, enum avps_status got,
                  enum avps_status want);
/* The same for an access that must be refused, where "not now" may be the answer for ever. */
bool avps_pc_refused(struct avps_pc *pc, const char *what, enum avps_status got,
                     enum avps_status want);
/* Whether the target has all of `needs`. */
bool avps_pc_has(const struct avps_pc *pc, uint32_t needs);
/* Let the device context run, and wait a little. */
void avps_pc_turn(struct avps_pc *pc);
void avps_pc_relax(struct avps_pc *pc);

/* ---- mem.c: guest memory ---- */

/* Addresses in the work area: rings first, then these. */
#define PC_SCRATCH      0x8000U
#define PC_SCRATCH_SIZE 0x8000U

/* The span that holds `gpa`, or NULL. */
const struct avps_pc_span *avps_pc_span_of(const struct avps_pc *pc, avps_gpa gpa);
uint8_t *avps_pc_guest(const struct avps_pc *pc, avps_gpa gpa);
/* The byte of pattern `seed` at an address; memory filled with it by the guest; whether bytes that
 * come from there are as they should. */
uint8_t avps_pc_pattern(avps_gpa gpa, uint32_t seed);
void avps_pc_fill(const struct avps_pc *pc, avps_gpa gpa, uint32_t len, uint32_t seed);
bool avps_pc_holds(const struct avps_pc *pc, avps_gpa gpa, uint32_t len, uint32_t seed);
bool avps_pc_bytes_are(const uint8_t *bytes, avps_gpa gpa, uint32_t len, uint32_t seed);
void avps_pc_make(uint8_t *bytes, avps_gpa gpa, uint32_t len, uint32_t seed);
/* As the device reads and writes, whatever the contract; "not now" is asked again. */
enum avps_status avps_pc_read(struct avps_pc *pc, avps_gpa gpa, void *dst, uint32_t len);
enum avps_status avps_pc_write(struct avps_pc *pc, avps_gpa gpa, const void *src, uint32_t len);
/* An operation said AVPS_AGAIN: let the port find out. @return whether to ask once more. */
bool avps_pc_again(struct avps_pc *pc, enum avps_status status, uint32_t *tries);
uint32_t avps_pc_mapped(const struct avps_pc *pc);

/* ---- mem_ops.c ---- */

enum avps_status avps_pc_map(struct avps_pc *pc, uint32_t count, uint32_t readable,
                             uint64_t *handle);
void avps_pc_unmap(struct avps_pc *pc, uint64_t handle, uint32_t count);

/* ---- wrap.c ---- */

void avps_pc_wrap_init(struct avps_pc *pc);

/* ---- driver.c ---- */

/* A request of the suite's driver. */
struct pc_request {
    bool write;      /* to the disk */
    uint32_t sector; /* first */
    avps_gpa data;
    uint32_t len;
};

enum pc_register { PC_REG_ISR = 0x060, PC_REG_ISR_ACK = 0x064, PC_REG_STATUS = 0x070 };

#define PC_STATUS_OK          0x0fU
#define PC_STATUS_NEEDS_RESET 0x40U

/* Make and attach the devices. @return NULL, or what went wrong. */
const char *avps_pc_units_attach(struct avps_pc *pc);
/* Bring all devices to the state after a driver's start, with nothing pending. */
bool avps_pc_units_start(struct avps_pc *pc);
bool avps_pc_unit_start(struct avps_pc *pc, uint32_t unit);
/* What a driver does. */
uint8_t avps_pc_status(struct avps_pc *pc, uint32_t unit);
void avps_pc_reset(struct avps_pc *pc, uint32_t unit);
uint32_t avps_pc_put(struct avps_pc *pc, uint32_t unit, const struct pc_request *request);
void avps_pc_kick(struct avps_pc *pc, uint32_t unit, uint32_t queue);
uint16_t avps_pc_used(struct avps_pc *pc, uint32_t unit); /* new used elements */
bool avps_pc_reap(struct avps_pc *pc, uint32_t unit, uint32_t *slot);
uint8_t avps_pc_answer(const struct avps_pc *pc, uint32_t unit, uint32_t slot);
void avps_pc_ack(struct avps_pc *pc, uint32_t unit);
void avps_pc_irq_wanted(struct avps_pc *pc, uint32_t unit, bool wanted);
struct avps_pc_irq avps_pc_irq(struct avps_pc *pc, uint32_t unit);
/* A good request of one sector; its data is in the unit's own memory. */
struct pc_request avps_pc_read_request(const struct avps_pc *pc, uint32_t unit, uint32_t sector);
/* Put, kick, run, and see that it was served well, once. */
bool avps_pc_do(struct avps_pc *pc, uint32_t unit, const struct pc_request *request);
/* Run until it comes, then see that. */
bool avps_pc_served(struct avps_pc *pc, uint32_t unit, uint32_t slot);
/* The back end answers what it kept. */
void avps_pc_answer_held(struct avps_pc *pc, uint32_t unit);

#endif
