/* SPDX-License-Identifier: BSD-3-Clause */
/* A port in one process with each memory contract: five spans of memory, wired interrupts and
 * messages, a clock that is set. It can be given one bug, to see that the suite finds it. */
#ifndef PORTS_MODEL_H
#define PORTS_MODEL_H

#include <pthread.h>

#include "avps/iotlb.h"
#include "avps/mmio.h"
#include "avps_port_conformance/suite.h"

#define MODEL_SPANS     5U
#define MODEL_MAPS      32U
#define MODEL_SEGS      64U
#define MODEL_ENTRIES   128U
#define MODEL_QUESTIONS 4U
#define MODEL_ARENA     0x30000U
#define MODEL_PAGE      4096U
#define MODEL_DIRTY     64U   /* pages that the log knows: those of the first two spans */
#define MODEL_LINE      64U   /* bytes of a cache line */
#define MODEL_MARGIN    8192U /* host bytes around a span that are not the guest's */

/* Contracts: a region table; translate; map and unmap; copies; a bounce window; an IOTLB whose answers
 * are late; memory that the guest maps uncached, with cache hooks and uncached rings. */
enum model_kind {
    MODEL_REGIONS,
    MODEL_TRANSLATE,
    MODEL_MAP,
    MODEL_COPY,
    MODEL_WINDOW,
    MODEL_IOTLB,
    MODEL_UNCACHED,
    MODEL_KINDS
};

/* What is wrong with the port. */
enum model_bug {
    BUG_NONE,
    /* guest memory */
    BUG_SPAN_LONG,
    BUG_SPAN_EARLY,
    BUG_READ_ONLY_WRITTEN,
    BUG_WRITE_ONLY_READ,
    BUG_ADJACENT_JOINED,
    BUG_ADDRESS_32,
    BUG_TRANSLATE_LONG,
    BUG_TRANSLATE_WINDOW,
    BUG_MAP_LEAKS,
    BUG_MAP_LEAKS_REFUSED,
    BUG_MAP_SHORT,
    BUG_UNMAP_TWICE,
    BUG_UNMAP_LAST,
    BUG_UNMAP_DROPS,
    BUG_PIN_COPIES,
    BUG_PIN_ANYTHING,
    BUG_UNPIN_FORGETS,
    BUG_READ_TORN,
    BUG_WRITE_TORN,
    BUG_WRITE_LONG,
    BUG_WRITE_WORDS,
    BUG_COPY_SHARED_BUFFER,
    BUG_DIRTY_FIRST_PAGE,
    BUG_DIRTY_ALL,
    BUG_DIRTY_NEVER,
    BUG_INVAL_WHOLE_LINES,
    BUG_INVAL_NOTHING,
    BUG_CLEAN_FIRST_LINE,
    BUG_IOTLB_ANSWERS_LOST,
    BUG_IOTLB_PAGE_OFF,
    BUG_WINDOW_WIDER,
    /* interrupts */
    BUG_IRQ_LOST,
    BUG_IRQ_TWICE,
    BUG_IRQ_FIRST_LINE,
    BUG_IRQ_STUCK,
    BUG_IRQ_PULSE,
    BUG_IRQ_MASK_DROPS,
    BUG_IRQ_MASK_IGNORED,
    BUG_IRQ_AFTER_LOW,
    BUG_IRQ_EMPTY_KICK,
    BUG_IRQ_NO_CONFIG,
    BUG_MSI_LOST,
    BUG_MSI_ADDRESS_32,
    BUG_MSI_REPEATED,
    /* events */
    BUG_KICK_FIRST_DEVICE,
    BUG_KICK_EVERY_OTHER,
    BUG_KICK_RACE,
    BUG_KICK_TWICE,
    BUG_KICK_UNCOUNTED,
    BUG_MORE_IGNORED,
    BUG_WAKE_NOTHING,
    BUG_WAKE_TOGGLES,
    BUG_QUEUE_8_BITS,
    /* time */
    BUG_TIME_BACK,
    BUG_TIME_MICROSECONDS,
    BUG_TIME_32_BITS,
    BUG_TIME_PER_CPU,
    BUG_WALL_UPTIME,
    BUG_TIMER_NEVER,
    BUG_TIMER_EARLY,
    BUG_TIMER_AGAIN,
    BUG_TIMER_STAYS,
    BUG_TIMER_PAST_IGNORED,
    /* faults and resets */
    BUG_RESET_IGNORED,
    BUG_FAULT_RESETS_ALL,
    BUG_AGAIN_FORGOTTEN,
    BUGS
};

/* Mapped segments are copies, which stay readable when they are mapped no more. */
struct model_map {
    bool live;
    uint32_t count;
    uint32_t readable;
    struct avps_seg segs[MODEL_SEGS];
    uint8_t *copies[MODEL_SEGS];
    uint8_t *arena; /* MODEL_ARENA bytes, of which `used` are taken */
    uint32_t used;
};

struct model_line {
    atomic_uint count;
    bool level;
    bool masked;
    bool shown; /* level and not masked, as counted last */
    uint64_t address;
    uint32_t data;
};

struct model {
    enum model_kind kind;
    enum model_bug bug;
    struct avps_pc_target target;
    struct avps_pc_span spans[MODEL_SPANS];
    uint8_t *blocks[MODEL_SPANS];
    struct avps_mem_region regions[MODEL_SPANS];
    struct avps_mem mem;
    struct model_map maps[MODEL_MAPS];
    uint32_t mapped;
    uint8_t window[MODEL_PAGE];
    uint8_t shared[MODEL_PAGE];
    bool dirty[MODEL_DIRTY];
    uint8_t *views[MODEL_SPANS];   /* what the host's cache shows of a span */
    uint8_t *shadows[MODEL_SPANS]; /* the same when it was last in agreement with memory */
    struct avps_iotlb iotlb;
    struct avps_iotlb_entry entries[MODEL_ENTRIES];
    struct avps_iotlb_question questions[MODEL_QUESTIONS];
    avps_gpa asked[MODEL_QUESTIONS]; /* of the IOMMU, not yet answered */
    uint32_t asked_count;

    struct avps_mmio mmio[AVPS_PC_DEVICES];
    struct avps_device *devices[AVPS_PC_DEVICES];
    struct model_line lines[AVPS_PC_DEVICES];
    uint32_t raised;
    bool stalled; /* by BUG_AGAIN_FORGOTTEN */
    struct avps_port port;
    atomic_bool scheduled;
    uint32_t kicks;
    uint32_t wakes;

    atomic_ullong ns;
    uint64_t deadline_ns; /* 0: none */
    pthread_t self;
    pthread_t thread;
    void (*run)(void *arg);
    void *arg;
};

/* Fill `model->target`; `print` with `ctx` in its place takes the report. */
void model_init(struct model *model, enum model_kind kind, enum model_bug bug);
void model_free(struct model *model);

#endif
