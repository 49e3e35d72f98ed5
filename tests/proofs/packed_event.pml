/* SPDX-License-Identifier: BSD-3-Clause */
/* Packed ring, both directions at once, with event suppression: flags ENABLE and DISABLE, and with
 * -DEVENT_IDX the descriptor event (offset and wrap counter). N chains of one descriptor go round a
 * ring of S; each side suppresses notifications while it works, asks for them and looks again
 * before it sleeps. Stores drain in any order. The flags of the first used descriptor of a batch
 * are held back until the others are written. Offset and flags of an event structure are written in
 * no particular order: the fence and the second look that follow make any order safe.
 *
 * -DNO_... takes one barrier, re-check or test out; every such model must fail. */
#ifndef N
#define N 4
#endif
#define S 2

#define ENABLE  0
#define DISABLE 1
#define EVENT   2

#define DRIVER_OFF   0 /* driver event structure, 2 * offset + wrap */
#define DRIVER_FLAGS 1
#define ADDR         2 /* ADDR + slot: the driver's bytes of a descriptor */
#define MADE         4 /* MADE + slot: flags as the driver writes them */
#define DEVICE_OFF   6
#define DEVICE_FLAGS 7
#define LEN          8  /* LEN + slot: the device's bytes */
#define USED         10 /* USED + slot: flags as the device writes them */
#define VARS         12

byte mem[VARS];
byte buffered[VARS];
bit waits[VARS];
byte flags[S]; /* the flags in memory: 2 * avail + used */
bit kick = 0, irq = 0;

#define store(v, x) (!waits[v]); d_step { buffered[v] = x; waits[v] = 1 }
#define driver_drained                                                                             \
    (!waits[0] && !waits[1] && !waits[2] && !waits[3] && !waits[4] && !waits[5])
#define device_drained                                                                             \
    (!waits[6] && !waits[7] && !waits[8] && !waits[9] && !waits[10] && !waits[11])
#define drain(v) atomic { waits[v] -> mem[v] = buffered[v]; waits[v] = 0 }
#define drain_flags(v, slot) atomic { waits[v] -> flags[slot] = buffered[v]; waits[v] = 0 }

/* As packed_event_passed: `now` and `old` are positions with wrap counters, `at` is 2 * offset +
 * wrap; positions before the last wrap count as negative, modulo 64. */
#ifdef NO_WRAP_TEST
#define turn(a, b) 0
#else
#define turn(a, b) (a == b -> 0 : S)
#endif
#define passed(at, now, now_wrap, old, old_wrap)                                                   \
    (((now + 127 - at / 2 + turn(at % 2, now_wrap)) % 64) <                                 \
     ((now + 64 - old + turn(old_wrap, now_wrap)) % 64))

active proctype memory()
{
end:
    do
    :: drain(0)
    :: drain(1)
    :: drain(2)
    :: drain(3)
    :: drain_flags(4, 0)
    :: drain_flags(5, 1)
    :: drain(6)
    :: drain(7)
    :: drain(8)
    :: drain(9)
    :: drain_flags(10, 0)
    :: drain_flags(11, 1)
    od
}

active proctype driver()
{
    byte next = 0, seen = 0, old, event, at, sent = 0, got = 0;
    bit wrap = 1, seen_wrap = 1, old_wrap;

more:
    old = next;
    old_wrap = wrap;
    do
    :: sent < N && sent - got < S ->
        store(ADDR + next, sent + 1);
#ifndef NO_DRIVER_RELEASE
        driver_drained;
#endif
        store(MADE + next, (wrap -> 2 : 1)); /* avail == wrap, used != wrap */
        sent++;
        next++;
        if
        :: next == S -> next = 0; wrap = !wrap
        :: else
        fi
    :: else -> break
    :: next != old || wrap != old_wrap -> break
    od;
#ifndef NO_DRIVER_KICK_FENCE
    driver_drained;
#endif
    if
    :: next != old || wrap != old_wrap ->
        event = mem[DEVICE_FLAGS];
        if
        :: event == EVENT ->
            at = mem[DEVICE_OFF];
            if
            :: passed(at, next, wrap, old, old_wrap) -> kick = 1
            :: else
            fi
        :: event == ENABLE -> kick = 1
        :: event == DISABLE
        fi
    :: else
    fi;
work:
    store(DRIVER_FLAGS, DISABLE);
reclaim:
    do
    :: flags[seen] == (seen_wrap -> 3 : 0) && got < sent ->
        got++;
        assert(mem[LEN + seen] == got);
        seen++;
        if
        :: seen == S -> seen = 0; seen_wrap = !seen_wrap
        :: else
        fi
    :: else -> break
    od;
    if
    :: got == N -> goto done
    :: got < N && sent < N && sent - got < S -> goto more
    :: else
    fi;
#ifdef EVENT_IDX
    store(DRIVER_OFF, 2 * seen + seen_wrap);
    store(DRIVER_FLAGS, EVENT);
#else
    store(DRIVER_FLAGS, ENABLE);
#endif
#ifndef NO_DRIVER_ARM_FENCE
    driver_drained;
#endif
#ifndef NO_DRIVER_RECHECK
    if
    :: flags[seen] == (seen_wrap -> 3 : 0) -> goto work
    :: else
    fi;
#endif
    atomic { irq -> irq = 0 } /* sleeps */
    goto work;
done:
    skip
}

active proctype device()
{
    byte next = 0, published = 0, at, event, got = 0, first;
    bit wrap = 1, pub_wrap = 1, held = 0;

idle:
end:
    atomic { kick -> kick = 0 } /* sleeps */
work:
    store(DEVICE_FLAGS, DISABLE);
take:
    do
    :: flags[next] == (wrap -> 2 : 1) ->
        got++;
        assert(mem[ADDR + next] == got);
        store(LEN + next, got);
        if
        :: !held -> held = 1; first = (wrap -> 3 : 0) /* flags held back */
        :: else -> store(USED + next, (wrap -> 3 : 0))
        fi;
        next++;
        if
        :: next == S -> next = 0; wrap = !wrap
        :: else
        fi;
        if
        :: next == published -> break /* all are taken */
        :: else
        fi
    :: held -> break /* a batch ends anywhere */
    :: else -> break
    od;
    if
    :: held ->
#ifndef NO_DEVICE_RELEASE
        device_drained;
#endif
        store(USED + published, first);
        held = 0;
#ifndef NO_DEVICE_IRQ_FENCE
        device_drained;
#endif
        event = mem[DRIVER_FLAGS];
        if
        :: event == EVENT ->
            at = mem[DRIVER_OFF];
            if
            :: passed(at, next, wrap, published, pub_wrap) -> irq = 1
            :: else
            fi
        :: event == ENABLE -> irq = 1
        :: event == DISABLE
        fi;
        published = next;
        pub_wrap = wrap;
        goto take
    :: else
    fi;
#ifdef EVENT_IDX
    store(DEVICE_OFF, 2 * next + wrap);
    store(DEVICE_FLAGS, EVENT);
#else
    store(DEVICE_FLAGS, ENABLE);
#endif
#ifndef NO_DEVICE_ARM_FENCE
    device_drained;
#endif
#ifndef NO_DEVICE_RECHECK
    if
    :: flags[next] == (wrap -> 2 : 1) -> goto work
    :: else
    fi;
#endif
    goto idle
}
