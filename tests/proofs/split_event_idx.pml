/* SPDX-License-Identifier: BSD-3-Clause */
/* Split ring with EVENT_IDX, both directions at once: the driver makes N buffers available through a
 * ring of Q, the device returns them; each side sleeps when it has nothing to do and counts on the
 * other's notification. Stores wait in per-variable buffers and drain in any order, so that both
 * late and reordered stores are seen. A lost notification ends in a state that is no valid end.
 *
 * avps_vq_arm: avail_event, fence, look again. avps_split_publish: element, release, index, fence,
 * used_event. -DNO_... takes one barrier, re-check or test out; every such model must fail. */
#ifndef N
#define N 5
#endif
#define Q 2 /* ring size */
#define M 8 /* indices wrap here; a power of two above 2 * Q */

#define AVAIL_IDX   0 /* driver */
#define USED_EVENT  1
#define DESC        2 /* DESC + slot */
#define AVAIL_EVENT 4 /* device */
#define USED_IDX    5
#define ELEM        6 /* ELEM + slot */
#define VARS        8

byte mem[VARS];
byte buffered[VARS];
bit waits[VARS];
bit kick = 0, irq = 0; /* doorbell and interrupt: levels, they coalesce */
bit finished = 0;

#define store(v, x) (!waits[v]); d_step { buffered[v] = x; waits[v] = 1 }
#define driver_drained (!waits[AVAIL_IDX] && !waits[USED_EVENT] && !waits[DESC] && !waits[DESC + 1])
#define device_drained (!waits[AVAIL_EVENT] && !waits[USED_IDX] && !waits[ELEM] && !waits[ELEM + 1])
/* The step from `old` to `now` passes `event`. */
#ifdef NO_EXACT_TEST
#define BEYOND 0
#else
#define BEYOND 1
#endif
#define passed(event, now, old) (((now + 2 * M - event - BEYOND) % M) < ((now + M - old) % M))

active proctype memory()
{
    byte v;
end:
    do
    :: atomic { waits[0] -> mem[0] = buffered[0]; waits[0] = 0 }
    :: atomic { waits[1] -> mem[1] = buffered[1]; waits[1] = 0 }
    :: atomic { waits[2] -> mem[2] = buffered[2]; waits[2] = 0 }
    :: atomic { waits[3] -> mem[3] = buffered[3]; waits[3] = 0 }
    :: atomic { waits[4] -> mem[4] = buffered[4]; waits[4] = 0 }
    :: atomic { waits[5] -> mem[5] = buffered[5]; waits[5] = 0 }
    :: atomic { waits[6] -> mem[6] = buffered[6]; waits[6] = 0 }
    :: atomic { waits[7] -> mem[7] = buffered[7]; waits[7] = 0 }
    od
}

active proctype driver()
{
    byte posted = 0, seen = 0, old, event;
    byte sent = 0, got = 0; /* in all, not modulo M */

more:
    old = posted;
    do /* a batch: whatever fits, at least nothing */
    :: sent < N && (posted + M - seen) % M < Q ->
        store(DESC + (posted % Q), sent + 1);
        sent++;
        posted = (posted + 1) % M
    :: posted != old -> break
    :: !(sent < N && (posted + M - seen) % M < Q) -> break
    od;
    if
    :: posted != old ->
#ifndef NO_DRIVER_RELEASE
        driver_drained;
#endif
        store(AVAIL_IDX, posted);
#ifndef NO_DRIVER_KICK_FENCE
        driver_drained;
#endif
        event = mem[AVAIL_EVENT];
        if
        :: passed(event, posted, old) -> kick = 1
        :: else
        fi
    :: else
    fi;
reclaim:
    do
    :: seen != mem[USED_IDX] ->
        got++;
        assert(mem[ELEM + (seen % Q)] == got); /* the element came before the index */
        seen = (seen + 1) % M
    :: else -> break
    od;
    if
    :: got == N -> goto done
    :: sent < N && (posted + M - seen) % M < Q -> goto more
    :: else
    fi;
    store(USED_EVENT, seen);
#ifndef NO_DRIVER_ARM_FENCE
    driver_drained;
#endif
#ifndef NO_DRIVER_RECHECK
    if
    :: seen != mem[USED_IDX] -> goto reclaim
    :: else
    fi;
#endif
    atomic { irq -> irq = 0 } /* sleeps */
    goto reclaim;
done:
    finished = 1
}

active proctype device()
{
    byte last = 0, idx = 0, used = 0, published = 0, event, early, got = 0;

idle:
end:
    atomic { kick -> kick = 0 } /* sleeps */
work:
    early = mem[DESC + (last % Q)]; /* what a load that overtakes the index would see */
    idx = mem[AVAIL_IDX];
    do
    :: last != idx ->
        got++;
#ifdef NO_DEVICE_ACQUIRE
        assert(early == got);
#else
        assert(mem[DESC + (last % Q)] == got);
#endif
        store(ELEM + (used % Q), got);
        last = (last + 1) % M;
        used = (used + 1) % M;
        early = mem[DESC + (last % Q)]
    :: used != published -> break /* a batch ends anywhere */
    :: last == idx -> break
    od;
    if
    :: used != published ->
#ifndef NO_DEVICE_RELEASE
        device_drained;
#endif
        store(USED_IDX, used);
#ifndef NO_DEVICE_IRQ_FENCE
        device_drained;
#endif
        event = mem[USED_EVENT];
        if
        :: passed(event, used, published) -> irq = 1
        :: else
        fi;
        published = used;
        if
        :: last != idx -> goto work
        :: else
        fi
    :: else
    fi;
#ifndef NO_DEVICE_ARM
    store(AVAIL_EVENT, last);
#endif
#ifndef NO_DEVICE_ARM_FENCE
    device_drained;
#endif
#ifndef NO_DEVICE_RECHECK
    if
    :: last != mem[AVAIL_IDX] -> goto work
    :: else
    fi;
#endif
    goto idle
}
