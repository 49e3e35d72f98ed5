#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""avps-vhost-user against dpdk-testpmd's vhost PMD and qemu-storage-daemon, as Markdown tables.

usage: peers.py BENCH_PEERS AVPS_VHOST_USER [--only control,net,blk,counts] [--cell TEXT] [--quick]
       [--disk FOLDER]   of files that are not in memory; the present one

Each cell starts both back ends afresh on one core, lets bench_peers measure them in the order
A B B A, and keeps the windows that nothing disturbed. --cell: only rows whose name has TEXT.
"""

import argparse
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

BACKEND_CPU = 1
NEAR_NS = 150  # a shorter ping-pong: the host has the two cores share a cache
DRIFT = 1.4  # a window between probes that differ more is dropped
LATE_SHARE = 0.1  # so is one whose driver waited longer for its core
WINDOWS_MIN = 6  # kept of each side, or the cell is measured again
TRIES = 4
DISK_BYTES = 64 << 20


# ---- windows and ratios ----


@dataclass
class Window:
    """What bench_peers prints of one window."""

    side: str
    ns: float
    done: int
    kicks: int
    calls: int
    idle: float
    before: float
    after: float
    driver_late_us: float
    backend_late_us: float


@dataclass
class Result:
    """A cell: p10 of both sides, their ratio, the median of the rounds' ratios."""

    ours: float
    theirs: float
    ratio: float
    median: float
    windows: int
    regime: str
    idle: float


def parse(text):
    """The windows and the totals by side in the output of bench_peers."""
    windows, totals = [], {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] == "total":
            totals[words[0]] = int(words[2])
        elif len(words) == 10:
            counts = [int(word) for word in words[2:5]]
            windows.append(
                Window(words[0], float(words[1]), *counts, *map(float, words[5:]))
            )
    return windows, totals


def regime(window, window_ms):
    """near or far; None if the window is to be dropped."""
    slow, fast = max(window.before, window.after), min(window.before, window.after)
    if slow > DRIFT * fast or window.driver_late_us > LATE_SHARE * window_ms * 1000:
        return None
    return "near" if slow < NEAR_NS else "far"


def percentile(values, share):
    """The value that `share` of all are below or at."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def summarise(windows, window_ms):
    """The Result of the regime with more windows, or None if both have too few."""
    kinds = [regime(window, window_ms) for window in windows]

    def of(kind, side):
        return [w for w, k in zip(windows, kinds) if k == kind and w.side == side]

    kind = max(("near", "far"), key=lambda k: min(len(of(k, "A")), len(of(k, "B"))))
    ours, theirs = of(kind, "A"), of(kind, "B")
    if min(len(ours), len(theirs)) < WINDOWS_MIN:
        return None
    rounds = []
    for i in range(0, len(windows) - 3, 4):
        if kinds[i : i + 4] == [kind] * 4:
            a, b, c, d = (w.ns for w in windows[i : i + 4])
            rounds.append((b + c) / (a + d))
    p10 = percentile([w.ns for w in ours], 0.1), percentile([w.ns for w in theirs], 0.1)
    median = statistics.median(rounds) if rounds else float("nan")
    idle = statistics.median(w.idle for w in ours)
    return Result(
        *p10, p10[1] / p10[0], median, len(ours) + len(theirs), kind, idle
    )


# ---- back ends ----


@dataclass
class Backend:
    """How to start one: SOCKET and FOLDER in the words are replaced."""

    argv: list
    ring: str = "split"
    cpus: tuple = (BACKEND_CPU,)


def testpmd(load, size, ring):
    """The main thread waits on the other core; the one that polls has ours for itself."""
    mode = {"receive": "txonly", "transmit": "rxonly", "forward": "io"}[load]
    options = "--no-huge -m 256 --no-pci --no-telemetry --log-level=3 -l 0,1".split()
    vdev = ["--file-prefix=SERIAL", "--vdev", "net_vhost0,iface=SOCKET,queues=1", "--"]
    forward = "--auto-start --port-topology=loop --no-mlockall --total-num-mbufs=4096".split()
    last = [f"--forward-mode={mode}", f"--txpkts={size}"]
    return Backend(["dpdk-testpmd", *options, *vdev, *forward, *last], ring, (0, 1))


def storage_daemon(disk):
    """Its quickest options here: io_uring for files, the main loop instead of an iothread."""
    node = {
        "null": f"driver=null-co,size={DISK_BYTES},read-zeroes=on",
        "memory": "driver=file,filename=FOLDER/SERIAL.img,aio=io_uring",
        "cached": "driver=file,filename=DISK/SERIAL.img,aio=io_uring",
    }[disk]
    export = "type=vhost-user-blk,id=e,node-name=disk,addr.type=unix,addr.path=SOCKET,writable=on"
    return Backend(
        ["qemu-storage-daemon", "--blockdev", f"{node},node-name=disk", "--export", export]
    )


def ours(program, device, medium, ring, poll):
    """The library's program."""
    options = [*(["--packed"] if ring == "packed" else []), *(["--poll"] if poll else [])]
    return Backend([program, device, "--socket", "SOCKET", *medium, *options], ring)


def ours_net(program, load, size, ring):
    """With a back end that does the same work as testpmd's mode."""
    kind = {"receive": [f"--null={size}"], "transmit": ["--null"], "forward": ["--loop"]}[load]
    return ours(program, "net", kind, ring, True)


def ours_blk(program, disk, ring, poll):
    """On the same kind of disk."""
    medium = {
        "null": ["--null", str(DISK_BYTES)],
        "memory": ["--file", "FOLDER/SERIAL.img"],
        "cached": ["--file", "DISK/SERIAL.img"],
    }[disk]
    return ours(program, "blk", medium, ring, poll)


def favour(cpus):
    """In a new process: its cores, and first in the queue for them if we may."""
    os.sched_setaffinity(0, cpus)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("-20", encoding="ascii")
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)


@contextlib.contextmanager
def started(backend, folder, disk, serial):
    """Run a back end; gives its process and socket. Its output is in FOLDER/SERIAL.log."""
    socket = folder / f"{serial}.sock"
    words = {"SOCKET": str(socket), "FOLDER": str(folder), "DISK": str(disk), "SERIAL": serial}
    argv = [re.sub("|".join(words), lambda m: words[m.group()], a) for a in backend.argv]
    images = [where / f"{serial}.img" for where in {folder, disk}]
    for image in images:
        with open(image, "wb") as file:
            file.truncate(DISK_BYTES)
    with open(folder / f"{serial}.log", "wb") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: favour(backend.cpus),
        )
    try:
        wait_for(socket, process, folder / f"{serial}.log")
        yield process, socket
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        for leftover in [*folder.glob(f"{serial}.*"), *images]:
            leftover.unlink(missing_ok=True)


def wait_for(socket, process, log):
    """Until the back end listens."""
    deadline = time.monotonic() + 10
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{process.args[0]} did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)
    time.sleep(0.2)


# ---- cells ----


@dataclass
class Load:
    """The arguments of bench_peers."""

    words: list
    rounds: int
    window_ms: int
    mode: str = "poll"


class Bench:
    """The programs and a scratch folder in memory."""

    def __init__(self, args, folder):
        self.generator, self.program = args.generator, args.program
        self.disk, self.quick = Path(args.disk), args.quick
        self.folder, self.serial = folder, 0

    @contextlib.contextmanager
    def generating(self, load, backends):
        """Run the load on started back ends: gives its process."""
        sides = [
            f"{name},{process.pid},{ring},{load.mode},{socket}"
            for name, (process, socket), ring in backends
        ]
        rounds = max(2, load.rounds // 5) if self.quick else load.rounds
        argv = [self.generator, *load.words, str(rounds), str(load.window_ms), *sides]
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: favour((0, 1)),
        ) as process:
            yield process

    @staticmethod
    def finish(generator):
        """Windows and totals of a load; the end of all if it failed."""
        output, errors = generator.communicate("\n", timeout=60)
        if generator.returncode != 0:
            sys.exit(f"{' '.join(generator.args)}:\n{errors}")
        return parse(output)

    def start(self, name, backend):
        """A context with the back end running."""
        self.serial += 1
        return started(backend, self.folder, self.disk, f"avps-bench-{name}{self.serial}")

    def compare(self, load, one, other):
        """The Result of a cell; both back ends are fresh."""
        windows = []
        for _ in range(TRIES):
            with contextlib.ExitStack() as stack:
                sides = [
                    (name, stack.enter_context(self.start(name, backend)), backend.ring)
                    for name, backend in (("A", one), ("B", other))
                ]
                generator = stack.enter_context(self.generating(load, sides))
                windows += self.finish(generator)[0]
            result = summarise(windows, load.window_ms)
            if result is not None:
                return result
        return None

    def alone(self, load, backend):
        """Windows of one back end, and its system calls per request."""
        with contextlib.ExitStack() as stack:
            process, socket = stack.enter_context(self.start("A", backend))
            sides = [("A", (process, socket), backend.ring)]
            generator = stack.enter_context(self.generating(load, sides))
            generator.stdout.readline()  # it is ready
            counter = subprocess.Popen(
                ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", str(process.pid)],
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(0.3)
            windows, totals = self.finish(generator)
            counter.send_signal(signal.SIGINT)
            counted = counter.communicate()[1]
        calls = re.search(r"(\d+),,raw_syscalls", counted)
        return windows, int(calls.group(1)) / totals["A"] if calls else float("nan")


def row(*cells):
    """A line of a table, at once: a run takes minutes."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells):
    """The head of a table."""
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)


FIGURES = ("libavps ns", "peer ns", "ratio of p10", "median ratio", "windows", "cores", "driver waits")


def show(name, result):
    """A cell's row."""
    if result is None:
        row(*name, "-", "-", "not measured: too few undisturbed windows", "-", 0, "-", "-")
        return
    row(
        *name,
        f"{result.ours:.1f}",
        f"{result.theirs:.1f}",
        f"**{result.ratio:.2f}**",
        f"{result.median:.2f}",
        result.windows,
        result.regime,
        f"{100 * result.idle:.0f} %",
    )


def verdict(what, cells, goal):
    """One sentence on how many cells reach 1.0 and the goal, and which is the least."""
    ratios = [(result.ratio, name) for name, result in cells if result is not None]
    if not ratios:
        return f"{what}: nothing was measured."
    least, name = min(ratios)
    good, better = (sum(r >= limit for r, _ in ratios) for limit in (1.0, goal))
    return (
        f"{what}: of {len(cells)} cells {good} are at 1.0 or more, {better} at {goal} or more;"
        f" the least is {least:.2f} ({', '.join(str(word) for word in name)})."
    )


def net_load(load, size, mergeable=False):
    """A network load."""
    return Load(["net", load, str(size), str(int(mergeable))], rounds=25, window_ms=5)


def blk_load(disk, kind, length, depth, mode="poll"):
    """A block load; slow requests, and those of a driver that sleeps, need longer windows."""
    slow = mode == "sleep" or (disk != "null" and length > 4096)
    rounds, window_ms = (6, 40) if slow else (8, 10)
    what = f"null-{kind}" if disk == "null" else kind
    return Load(["blk", what, str(length), str(depth)], rounds, window_ms, mode)


def control(bench, wanted):
    """Peers against themselves: how far from 1.00 the instrument is."""
    print("\n### The instrument: a peer against itself\n")
    head("peer", "load", *FIGURES)
    for load, size, ring in (("forward", 64, "split"), ("receive", 1518, "packed")):
        name = ("testpmd", f"{load} {size} {ring}")
        if wanted(name):
            peers = [testpmd(load, size, ring), testpmd(load, size, ring)]
            show(name, bench.compare(net_load(load, size), *peers))
    for disk, depth in (("null", 1), ("null", 32), ("memory", 32)):
        name = ("qemu-storage-daemon", f"{disk}: read 4 KiB, depth {depth}")
        if wanted(name):
            peers = [storage_daemon(disk), storage_daemon(disk)]
            show(name, bench.compare(blk_load(disk, "read", 4096, depth), *peers))


def net_cells():
    """Load, size, ring, mergeable."""
    for mergeable in (False, True):
        for ring in ("split", "packed"):
            for load in ("receive", "forward") if mergeable else ("receive", "transmit", "forward"):
                for size in (64, 1518):
                    yield load, size, ring, mergeable


def net(bench, wanted):
    """All network cells."""
    print("\n### Network: `avps-vhost-user net --poll` against `dpdk-testpmd`, one queue pair\n")
    head("load", "bytes", "ring", *FIGURES)
    cells = []
    for load, size, ring, mergeable in net_cells():
        name = (load, size, ring + (", mergeable" if mergeable else ""))
        if wanted(name):
            pair = ours_net(bench.program, load, size, ring), testpmd(load, size, ring)
            cells.append((name, bench.compare(net_load(load, size, mergeable), *pair)))
            show(*cells[-1])
    print(f"\n{verdict('Network', cells, 1.2)}", flush=True)


def blk_cells():
    """Disk, kind, length, depth, ring, poll."""
    for poll in (False, True):
        for ring in ("split", "packed"):
            for disk in ("null", "memory", "cached"):
                for kind in ("read", "write"):
                    small = ring == "packed" or disk == "cached"
                    for length in (4096,) if small else (4096, 65536):
                        for depth in (1, 32) if disk == "cached" else (1, 4, 32, 128):
                            yield disk, kind, length, depth, ring, poll


def blk(bench, wanted):
    """All block cells. The peer has no packed ring: its split one stands in."""
    print("\n### Block: `avps-vhost-user blk` against `qemu-storage-daemon`, one queue, random places\n")
    head("disk", "request", "depth", "ring", "libavps", *FIGURES)
    cells = []
    for disk, kind, length, depth, ring, poll in blk_cells():
        mode = "--poll" if poll else "default"
        name = (disk, f"{kind} {length >> 10} KiB", depth, ring, mode)
        if wanted(name):
            pair = ours_blk(bench.program, disk, ring, poll), storage_daemon(disk)
            cells.append((name, bench.compare(blk_load(disk, kind, length, depth), *pair)))
            show(*cells[-1])
    print()
    for depth in (1, 4, 32, 128):
        at_depth = [cell for cell in cells if cell[0][2] == depth]
        print(f"* {verdict(f'Depth {depth}', at_depth, 1.3)}", flush=True)


def counts(bench, wanted):
    """Notifications and system calls per request, the driver asleep when it has nothing to do."""
    print("\n### Per request: kicks, calls, system calls of the back end; 4 KiB reads\n")
    head("back end", "disk", "depth", "ring", "ns", "kicks", "calls", "system calls")
    for disk in ("null", "memory"):
        peers = [("qemu-storage-daemon", storage_daemon(disk))]
        for ring in ("split", "packed"):
            for poll in (False, True):
                name = "libavps --poll" if poll else "libavps"
                peers.append((name, ours_blk(bench.program, disk, ring, poll)))
        for depth in (1, 4, 32, 128):
            for name, backend in peers:
                cell = (name, disk, depth, backend.ring)
                if wanted(cell):
                    load = blk_load(disk, "read", 4096, depth, "sleep")
                    count_row(cell, *bench.alone(load, backend))


def count_row(name, windows, system_calls):
    """One back end's figures."""
    done = sum(window.done for window in windows)
    row(
        *name,
        f"{statistics.median(window.ns for window in windows):.0f}",
        f"{sum(window.kicks for window in windows) / done:.3f}",
        f"{sum(window.calls for window in windows) / done:.3f}",
        f"{system_calls:.3f}",
    )


def main():
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generator")
    parser.add_argument("program")
    parser.add_argument("--only", default="control,net,blk,counts")
    parser.add_argument("--cell", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--disk", default=".")
    args = parser.parse_args()
    parts = {"control": control, "net": net, "blk": blk, "counts": counts}

    def wanted(name):
        return args.cell in " ".join(str(word) for word in name)

    with tempfile.TemporaryDirectory(prefix="avps-bench-", dir="/dev/shm") as folder:
        bench = Bench(args, Path(folder))
        for part in args.only.split(","):
            parts[part](bench, wanted)


if __name__ == "__main__":
    main()
