#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write the seed inputs of the fuzz targets: the scenes of the tests, in the fuzzers' language.

usage: fuzz/seeds.py            writes fuzz/corpus/TARGET/seed-*
The language is that of guest.c (devices), fuzz_chain.c (rings), fuzz_mmio.c and avps_save.
"""
import os
import struct
import subprocess

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(target, name, data):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "seed-" + name), "wb") as handle:
        handle.write(bytes(data))


# ---- devices: guest.c ----

ADD, KICK, POLL, WRITE, READ, POKE, HOST, SAVE, START = 1, 4, 5, 7, 8, 9, 10, 11, 0
PLAIN, STREAM = 0, 1
NOTHING_HIDDEN = [0, 0, 0, 0] * 4
NO_PACKED = [0, 0, 0, 0, 4, 0, 0, 0] + [0, 0, 0, 0] * 2


def readable(payload):
    """One readable descriptor of at most 64 bytes."""
    return [0x00, len(payload)] + list(payload)


def writable(length):
    return [0x0E, length >> 8, length & 255] if length > 255 else [0x02, length]


def chain(queue, *parts):
    return [ADD, queue, len(parts) - 1] + [b for part in parts for b in part]


def program(memory, features, *steps):
    return [memory] + features + [b for step in steps for b in step]


def device(target, scenes):
    for name, steps in scenes.items():
        for ring, features in (("packed", NOTHING_HIDDEN), ("split", NO_PACKED)):
            put(target, f"{name}-{ring}", program(PLAIN, features, *steps))
            put(target, f"{name}-{ring}-stream", program(STREAM, features, *steps))


def i2c(address, flags, *parts, status=writable(1)):
    header = [address & 255, address >> 8, 0, 0, flags, 0, 0, 0]
    return chain(0, readable(header), *parts, status)


def seeds_i2c():
    write, read, more = 0, 2, 1
    device("i2c", {
        "write": [i2c(0xA0, write, readable(b"\x10data")), [POLL, POLL, 0]],
        "quick": [i2c(0xA0, write), [POLL, POLL, 0]],
        "register": [i2c(0xA0, write | more, readable(b"\x07")),
                     i2c(0xA0, read, writable(4)), [POLL, POLL, 0]],
        "ten-bit": [i2c(0x23F2, read, writable(2)), [POLL, POLL, 0]],
        "denied": [i2c(0xA2, write, readable(b"x")), [POLL, POLL, 0]],
        "open-group": [i2c(0xA0, write | more, readable(b"x")), [POLL, POLL, POLL, 0]],
        "bad-flags": [i2c(0xA0, 0x44, readable(b"x")), [POLL, POLL, 0]],
        "no-status": [chain(0, readable([0xA0, 0, 0, 0, 0, 0, 0, 0])), [POLL, 0]],
        "later": [i2c(0x90, read, writable(2)), [POLL, POLL, 1], [HOST, 0], [POLL]],
        "saved": [i2c(0x90, read, writable(2)), [POLL, POLL, 0], [SAVE, 0], [POLL]],
    })


def vsock(op, payload=b"", length=None, kind=1, flags=0, ports=(1, 2), room=200, consumed=0):
    header = struct.pack("<QQIIIHHIII", 3, 2, ports[0], ports[1],
                         len(payload) if length is None else length, kind, op, flags, room, consumed)
    return chain(1, readable(header), *([readable(payload)] if payload else []))


def seeds_vsock():
    request, response, rst, shutdown, data, update, ask = range(1, 8)
    buffers = [step for _ in range(3) for step in chain(0, writable(100))]
    device("vsock", {
        "accepted": [buffers, vsock(request), [POLL, 0]],
        "refused": [buffers, vsock(request), [POLL, 3]],
        "data": [buffers, vsock(request), [POLL, 0], vsock(data, b"hello"), [POLL, 0, 0]],
        "message": [buffers, vsock(request, kind=2), [POLL, 0],
                    vsock(data, b"hello", kind=2, flags=1), [POLL, 0, 0]],
        "too-long": [buffers, vsock(request), [POLL, 0], vsock(data, b"x", length=9), [POLL]],
        "unknown-type": [buffers, vsock(request, kind=7), [POLL]],
        "unknown-op": [buffers, vsock(99), [POLL]],
        "shutdown": [buffers, vsock(request), [POLL, 0], vsock(shutdown, flags=3), [POLL, 0]],
        "credit": [buffers, vsock(request, room=0), [POLL, 0], vsock(ask), [POLL],
                   vsock(update, room=9), [POLL]],
        "reset": [buffers, vsock(request), [POLL, 0], vsock(rst), [POLL]],
        "from-host": [buffers, [HOST, 0xE1, 2], [POLL], vsock(response, ports=(2, 1)), [POLL, 0]],
        "no-buffers": [vsock(request), [POLL, 0], vsock(ask), [POLL], buffers, [POLL]],
        "moved": [buffers, chain(2, writable(4)), vsock(request), [POLL, 0], [HOST, 0xFD, 0], [POLL]],
    })


def seeds_rng():
    device("rng", {
        "one-request": [chain(0, writable(64)), [POLL]],
        "two-buffers": [chain(0, writable(3), writable(61)), [POLL]],
        "dry-then-refilled": [chain(0, writable(16)), [POLL, 0xF0], [HOST, 0], [POLL, 0]],
        "no-writable": [chain(0, readable(b"abc")), [POLL]],
        "saved": [chain(0, writable(16)), [POLL], [SAVE, 0], chain(0, writable(16)), [POLL]],
    })


def blk_header(kind, sector):
    return readable(struct.pack("<IIQ", kind, 0, sector))


def seeds_blk():
    scenes = {
        "read": [chain(0, blk_header(0, 1), writable(512), writable(1)), [POLL]],
        "write": [chain(0, blk_header(1, 1), readable(bytes(64)) , writable(1)), [POLL]],
        "flush": [chain(1, blk_header(4, 0), writable(1)), [POLL]],
        "id": [chain(0, blk_header(8, 0), writable(20), writable(1)), [POLL]],
        "lifetime": [chain(0, blk_header(10, 0), writable(6), writable(1)), [POLL]],
        "discard": [chain(0, blk_header(11, 0), readable(struct.pack("<QII", 8, 8, 0)), writable(1)),
                    [POLL]],
        "zeroes": [chain(0, blk_header(13, 0), readable(struct.pack("<QII", 8, 8, 1)), writable(1)),
                   [POLL]],
        "erase": [chain(0, blk_header(14, 0), readable(struct.pack("<QII", 16, 16, 0)), writable(1)),
                  [POLL]],
        "zones": [chain(0, blk_header(16, 0), writable(512), writable(1)), [POLL]]
        + [chain(0, blk_header(kind, 16), writable(1)) + [POLL] for kind in (18, 20, 22, 24, 26)],
        "pending": [chain(0, blk_header(0, 1), writable(512), writable(1)), [POLL, 3], [HOST, 0],
                    [POLL]],
        "no-status": [chain(0, blk_header(0, 1)), [POLL]],
    }
    device_with_kind("blk", scenes, (0, 1, 4, 8))


def seeds_iotlb():
    read = chain(0, blk_header(0, 1), writable(512), writable(1))
    write = chain(0, blk_header(1, 1), readable(bytes(64)), writable(1))
    late = [POLL, 0x80, 0x80, 0x80]
    device("iotlb", {
        "at-once": [read, [POLL], write, [POLL]],
        "late": [read, late, [HOST, 0, 0, 0], [POLL], [HOST, 0, 0, 0], [POLL], [HOST, 0, 0, 0], [POLL]],
        "refused": [read, late, [HOST, 2, 3], [POLL]],
        "invalidated": [read, [POLL, 0, 0, 0, 0, 1], [HOST, 3, 3], [HOST, 0x43, 0], [HOST, 6, 0], [POLL]],
        "cleared": [read, [POLL, 0, 0, 0, 0, 1], [HOST, 5, 0], [HOST, 6, 0], [POLL], read, [POLL]],
        "saved": [read, [POLL], [HOST, 5, 0], [SAVE, 0], late, [HOST, 0, 0, 0], [POLL]],
    })


def device_with_kind(target, scenes, kinds):
    """The target's init takes a byte before the features."""
    for name, steps in scenes.items():
        for kind in kinds:
            for ring, features in (("packed", NOTHING_HIDDEN), ("split", NO_PACKED)):
                put(target, f"{name}-{kind}-{ring}", program(PLAIN, [kind] + features, *steps))


def seeds_console():
    def control(port, event, value):
        return chain(3, readable(struct.pack("<IHH", port, event, value)))

    ready = [control(0xFFFFFFFF, 0, 1), [POLL], control(0, 3, 1), [POLL], control(0, 6, 1), [POLL]]
    buffers = [chain(2, writable(64)), chain(2, writable(64)), chain(0, writable(64))]
    device("console", {
        "up": buffers + ready,
        "output": ready + [chain(1, readable(b"hello, host")), [POLL, 0]],
        "blocked": ready + [chain(1, readable(b"hello, host")), [POLL, 0x43], [HOST, 0x70], [POLL]],
        "input": buffers + ready + [[HOST, 0x1F], [POLL]],
        "plug": buffers + ready + [[HOST, 0x21], [POLL], [HOST, 0x31], [POLL]],
        "saved": ready + [[SAVE, 0], [POLL]],
    })


def frame(destination, kind, payload=b"payload"):
    return destination + bytes([0x52, 0x54, 0, 0, 0, 1]) + struct.pack(">H", kind) + payload


def net_header(flags=0, gso=0, hdr_len=0, size=0, start=0, offset=0):
    return struct.pack("<BBHHHHH", flags, gso, hdr_len, size, start, offset, 0)


BROADCAST = b"\xff" * 6


def control(queue, kind, command, payload=b""):
    return chain(queue, readable(bytes([kind, command]) + payload), writable(1))


def seeds_net():
    plain = readable(net_header() + frame(BROADCAST, 0x0806))
    partial = readable(net_header(1, 0, 0, 0, 14, 2) + frame(BROADCAST, 0x0800, bytes(30)))
    scenes = {
        "send": [chain(1, plain), [POLL]],
        "send-csum": [chain(1, partial), [POLL]],
        "send-blocked": [chain(1, plain), chain(1, plain), [POLL, 0xC1], [HOST, 0x60], [POLL]],
        "receive": [chain(0, writable(1600)), [HOST, 0x00] + list(frame(BROADCAST, 0x0806))
                    + [0] * 27 + [64, 0, 0, 0]],
        "promisc": [control(4, 0, 0, b"\1"), [POLL]],
        "mac-table": [control(4, 1, 0, struct.pack("<I", 1) + b"\2\0\0\0\0\1" + bytes(4)), [POLL]],
        "mac-set": [control(4, 1, 1, b"\2\0\0\0\0\7"), [POLL]],
        "vlan": [control(4, 2, 0, struct.pack("<H", 5)), [POLL]],
        "announce": [[HOST, 0xA0], control(4, 3, 0), [POLL]],
        "pairs": [control(4, 4, 0, struct.pack("<H", 2)), [POLL]],
        "rss": [control(4, 4, 1, struct.pack("<IHH2HHB", 7, 1, 0, 0, 2, 2, 40) + bytes(range(40))),
                [POLL]],
        "hash": [control(4, 4, 2, struct.pack("<I4HB", 7, 0, 0, 0, 0, 40) + bytes(range(40))),
                 [POLL]],
        "offloads": [control(4, 5, 0, struct.pack("<Q", 2)), [POLL]],
        "coalesce": [control(4, 6, 0, struct.pack("<II", 8, 50)), [POLL], chain(1, plain), [POLL],
                     [HOST, 0xDF], [POLL]],
    }
    device_with_kind("net", scenes, (0, 1, 2))


def seeds_switch():
    plain = readable(net_header() + frame(BROADCAST, 0x0806))
    tagged = readable(net_header() + frame(BROADCAST, 0x8100, struct.pack(">HH", 5, 0x0806) + b"x"))
    scenes = {
        "flood": [chain(1, plain), [POLL]],
        "tagged": [chain(1, tagged), [POLL]],
        "from-host": [chain(0, writable(1600)), [HOST, 0x00, 60, 0, 0, 0]
                      + list(BROADCAST + b"\2\0\0\0\0\7" + b"\x08\x06") + [0] * 6],
        "unplug": [[HOST, 0xF0], chain(1, plain), [POLL], [HOST, 0xE0], chain(1, plain), [POLL]],
    }
    device_with_kind("switch", scenes, (0, 1, 2, 4))


def split_bytes(payload):
    """Readable descriptors of 48 bytes each."""
    return [readable(payload[at:at + 48]) for at in range(0, len(payload), 48)]


def command(opcode, data=b"", room=64):
    payload = struct.pack("<HH12xQ", opcode, 0, 0) + data
    return chain(5, *split_bytes(payload), writable(room)) + [POLL]


def seeds_admin():
    eth = struct.pack("<BBHBBH", 1, 0, 0, 14, 0, 0) + bytes(12) + b"\xff\xff"
    ipv4 = struct.pack("<BBHBBH", 2, 0, 0, 20, 0, 0) + bytes(9) + b"\xff" + bytes(10)
    udp = struct.pack("<BBHBBH", 5, 0, 0, 8, 0, 0) + bytes(2) + b"\xff\xff" + bytes(4)
    key = bytes(12) + b"\x08\x00" + bytes(9) + b"\x11" + bytes(10) + b"\0\0\0\x35" + bytes(4)
    use = [command(1, struct.pack("<Q", 0x3F83))]
    caps = use + [
        command(9, struct.pack("<H6x4I2B2x", 0x800, 4, 8, 8, 8, 255, 3)),
        command(9, struct.pack("<H6xB7x", 0x801, 3) + eth + ipv4 + udp),
        command(9, struct.pack("<H6xB7xBB", 0x802, 2, 1, 2))]
    objects = caps + [
        command(10, struct.pack("<HHIQH", 0x200, 0, 0, 0, 7)),
        command(10, struct.pack("<HHIQB7x", 0x201, 0, 0, 0, 3) + eth + ipv4 + udp),
        command(10, struct.pack("<HHIQIIBBBBHH", 0x202, 0, 0, 0, 0, 0, 1, len(key), 2, 0, 2, 0) + key)]
    packet = list(BROADCAST + bytes(6) + b"\x08\x00\x45" + bytes(8) + b"\x11" + bytes(10)
                  + b"\0\0\0\x35" + bytes(4))
    scenes = {
        "lists": [command(0), command(1, struct.pack("<Q", 3))],
        "caps": use + [command(7, room=300)]
        + [command(8, struct.pack("<H6x", cap), room=200) for cap in (0x800, 0x801, 0x802)],
        "objects": objects,
        "frames": objects + [chain(2, writable(200)), chain(0, writable(200)),
                             [HOST, 0x40] + packet + [0] * (96 - len(packet)), [POLL]],
        "query-modify-destroy": objects + [
            command(11, struct.pack("<HHIQ", 0x202, 0, 0, 0), room=120),
            command(12, struct.pack("<HHIQH", 0x200, 0, 0, 0, 9)),
            command(13, struct.pack("<HHI", 0x202, 0, 0)),
            command(12, struct.pack("<HHIQH", 0x200, 0, 0, 0, 9)),
            command(13, struct.pack("<HHI", 0x201, 0, 0))],
        "saved": objects + [[SAVE, 0], [POLL]],
    }
    device("admin", scenes)


# ---- rings: fuzz_chain.c; each read of guest memory takes the next bytes ----

def split_desc(addr, length, flags, following):
    return struct.pack("<QIHH", addr, length, flags, following)


def packed_desc(addr, length, ident, flags):
    flags_first = struct.pack("<H", flags)
    return flags_first + struct.pack("<QIHH", addr, length, ident, flags)


def seeds_rings():
    # attach probes six bytes; then index, head, descriptors
    head = bytes([4, 3]) + bytes(6)
    put("split", "one", head + struct.pack("<HH", 1, 0) + split_desc(0x1000, 64, 2, 0) + b"\x20")
    put("split", "three", head + struct.pack("<HH", 1, 0) + split_desc(0x1000, 16, 1, 1)
        + split_desc(0x2000, 512, 3, 2) + split_desc(0x3000, 1, 2, 0) + b"\x11")
    put("split", "indirect", head + struct.pack("<HH", 1, 0) + split_desc(0x4000, 32, 4, 0)
        + split_desc(0x1000, 16, 1, 1) + split_desc(0x2000, 512, 2, 0) + b"\x11")
    put("split", "loop", head + struct.pack("<HH", 1, 0) + split_desc(0x1000, 16, 1, 0) * 20)
    head = bytes([15, 3]) + bytes(6)
    put("packed", "one", head + packed_desc(0x1000, 64, 0, 0x82) + b"\x20")
    put("packed", "three", head + packed_desc(0x1000, 16, 0, 0x81) + packed_desc(0x2000, 512, 0, 0x83)
        + packed_desc(0x3000, 1, 0, 0x82) + b"\x11")
    put("packed", "indirect", head + packed_desc(0x4000, 32, 0, 0x84)
        + struct.pack("<QIHH", 0x1000, 16, 0, 0) + struct.pack("<QIHH", 0x2000, 512, 0, 2) + b"\x11")


# ---- runs: fuzz_runs.c; shape, position, then operations ----

def seeds_runs():
    write, read, serve = [0, 0x02, 0x10], [0, 0x00, 0x20], [0x3E]
    for ring, shape in (("split", 6), ("packed", 21)):
        start = [shape, 0x7C if ring == "split" else 9]
        put("runs", f"{ring}-write", start + write * 6 + serve)
        put("runs", f"{ring}-read", start + read * 3 + serve + read * 6 + serve)
        put("runs", f"{ring}-mixed", start + (write + read) * 4 + [0xBE])
        put("runs", f"{ring}-odd", start + write + [0, 0x9A, 0x10, 1] + write + serve)
        put("runs", f"{ring}-duplicate", start + write + [0, 0x1E, 0x10, 4] + write + serve)


# ---- registers: fuzz_mmio.c ----

def reg(offset, value):
    if value < 256:
        return [0x02, offset // 4, value]
    return [0x42, offset // 4] + list(struct.pack("<I", value))


def seeds_mmio():
    up = (reg(0x70, 1) + reg(0x70, 3) + reg(0x24, 1) + reg(0x20, 1) + reg(0x70, 11) + reg(0x30, 0)
          + reg(0x38, 16) + reg(0x80, 0x1000) + reg(0x90, 0x2000) + reg(0xA0, 0x3000) + reg(0x44, 1)
          + reg(0x70, 15))
    put("mmio", "up", up)
    put("mmio", "up-and-kick", up + reg(0x50, 0) + [0x01])
    put("mmio", "ready-toggle", up + reg(0x44, 0) + reg(0x44, 1))
    put("mmio", "reset", up + reg(0x70, 0) + up)


# ---- PCI: fuzz_pci.c; operations and their bits are those of step() and the accesses it calls ----

def pci_config(offset, width, value):
    """A write to configuration space: pci's operation 0, pci_common's 3."""
    return lambda bar: ([(3 if bar else 0) | (width >> 1) << 3 | 0x80, offset]
                        + list(struct.pack("<I", value)))


def pci_common(offset, width, value):
    """A write to the first bytes of the BAR: pci_common's operation 0, pci's 3."""
    return lambda bar: ([(0 if bar else 3) | (width >> 1) << 3 | 0x80, offset]
                        + list(struct.pack("<I", value)))


def pci_isr():
    return lambda bar: [(0 if bar else 3) | 0x60] + list(struct.pack("<I", 0x100))


def pci_table(vector):
    """Address and data, then unmasked."""
    return lambda bar: [] if not bar else (
        [2 | 0x80, 16 * vector] + list(struct.pack("<I", 0xFEE00000))
        + [2 | 0x80, 16 * vector + 8] + list(struct.pack("<I", 0x41)) + [2, 16 * vector + 12, 0])


def pci_window(offset, length, value):
    return lambda bar: [] if bar else [2, offset, length, value]


def pci_poke(offset, payload):
    return lambda bar: [4, offset & 255, offset >> 8, len(payload)] + list(payload)


def pci_plain(*ops):
    return lambda bar: list(ops)


PCI_SPACE = {"msix": 0x88, "power": 0x94, "flr": 0x9C}


def pci_driver(features):
    """From power-on to a live device with one queue: split or packed."""
    steps = [pci_config(0x10, 4, 0x40000000), pci_config(4, 2, 6)]
    steps += [pci_common(20, 1, status) for status in (1, 3)]
    for word, value in enumerate(features):
        steps += [pci_common(8, 4, word), pci_common(12, 4, value)]
    steps += [pci_common(20, 1, 11), pci_common(22, 2, 0), pci_common(24, 2, 16)]
    steps += [pci_common(26, 2, 1), pci_common(16, 2, 0)]
    steps += [pci_common(at, 4, value) for at, value in ((32, 0x1000), (40, 0x2000), (48, 0x3000))]
    return steps + [pci_common(28, 2, 1), pci_common(20, 1, 15)]


def pci_buffer(packed):
    """A writable buffer, the doorbell, a poll."""
    if packed:
        steps = [pci_poke(0x1000, struct.pack("<QIHH", 0x800, 64, 0, 0x82)[:15]),
                 pci_poke(0x100F, b"\0")]
    else:
        steps = [pci_poke(0x1000, struct.pack("<QIH", 0x800, 64, 2)), pci_poke(0x2002, b"\1")]
    return steps + [pci_plain(5 | 1 << 3, 0), pci_plain(7)]


def seeds_pci():
    enable = [pci_config(PCI_SPACE["msix"], 4, 0x80000000)]
    scenes = {}
    for name, features, packed in (("split", (0, 1), False), ("packed", (0, 5), True)):
        live = pci_driver(features) + pci_buffer(packed)
        scenes["intx-" + name] = live + [pci_isr()]
        scenes["msix-" + name] = enable + [pci_table(0), pci_table(1)] + live
        scenes["masked-" + name] = enable + live + [pci_table(1)]
        scenes["saved-" + name] = live + [pci_plain(6)] + [pci_isr()]
        scenes["flr-" + name] = live + [pci_config(PCI_SPACE["flr"] + 8, 2, 0x8000)] + live
        scenes["sleep-" + name] = live + [pci_config(PCI_SPACE["power"] + 4, 2, state)
                                           for state in (3, 0)]
    scenes["window"] = [pci_window(20, 1, 1), pci_window(20, 1, 3), pci_window(22, 2, 1),
                        pci_window(0, 3, 1), pci_window(0, 8, 1), pci_window(62, 4, 1)]
    scenes["sizing"] = [pci_config(at, 4, 0xFFFFFFFF) for at in (0x10, 0x14)] + [pci_config(4, 2, 2)]
    for name, steps in scenes.items():
        for target, bar in (("pci", False), ("pci_common", True)):
            put(target, name, [b for step in steps for b in step(bar)])


# ---- saved state: avps_mmio_save of an entropy device ----

def state(status, features, live, size=16):
    blob = struct.pack("<5I", 0, 0, 0, 0, 0)
    blob += struct.pack("<IHIHBBI", 0x53505641, 1, 4, 1, status, 0, 0)
    blob += struct.pack("<4I", *features) * 2
    blob += struct.pack("<IQQQBHB", size, 0x1000, 0x2000, 0x3000, live, 3, 1)
    return blob + struct.pack("<I", 0x21444E45)


def seeds_state():
    put("state", "fresh", state(0, (0, 0, 0, 0), 0))
    put("state", "split", state(15, (0, 1, 0, 0), 1))
    put("state", "packed", state(15, (0, 5, 0, 0), 1))
    put("state", "all-features", state(15, (0x30000000, 0x94D, 0, 0), 1))


# ---- vhost-user: fuzz_vhost_user.c ----

def message(request, payload=b"", fds=0, flags=0):
    return [8, request, flags, fds, len(payload)] + list(payload)


def descriptor(addr, length, flags, extra):
    return struct.pack("<QIHH", addr, length, flags, extra)


def poke(at, data):
    return [4] + list(struct.pack("<I", at)) + [len(data)] + list(data)


def seeds_vhost_user():
    split, packed = 0, 130
    ring_split = (poke(0, descriptor(0x104000, 32, 2, 0))
                  + poke(0x1000, struct.pack("<HHH", 0, 1, 0)) + [3])
    ring_packed = poke(0, descriptor(0x104000, 32, 0, 0x82)) + [3]
    start = [0, 1, 2]
    start_packed = [packed, 1, 132]
    scenes = {
        "questions": [b for r in (1, 15, 3) for b in message(r)] + [0]
        + [b for r in (17, 36, 40) for b in message(r)],
        "serve-split": start + ring_split,
        "serve-packed": start_packed + ring_packed,
        "stop-and-go": start + ring_split + message(11, struct.pack("<II", 0, 0)) + [2],
        "lost-and-again": start + ring_split + [5] + start + ring_split,
        "region": [0, 1] + message(31, struct.pack("<QQHH4x", 0, 0, 1, 16)) + [2] + ring_split
        + [5, 0, 1] + [7] + [0] * 64 + [2],
        "slots": start + message(37, struct.pack("<5Q", 0, 0x900000, 4096, 0x900000, 0), 0x10)
        + message(38, struct.pack("<5Q", 0, 0x900000, 4096, 0x900000, 0)) + ring_split,
        "log": start + message(6, struct.pack("<QQ", 4096, 0x4000), 0x10)
        + message(2, struct.pack("<Q", 1 << 32 | 1 << 30 | 1 << 26)) + ring_split,
        "disable": start + message(18, struct.pack("<II", 0, 0)) + ring_split,
        "reset": start + ring_split + message(34) + start,
        "state": start + message(11, struct.pack("<II", 0, 0))
        + message(42, struct.pack("<II", 0, 0), 0x13) + message(43),
    }
    for name, steps in scenes.items():
        put("vhost_user", name, [split] + steps)
    tlb = struct.pack("<QQQBB6x", 0x500000, 0x10000, 0x500000, 3, 2)
    put("vhost_user", "iotlb", [1] + start + message(22, tlb) + ring_split
        + message(22, struct.pack("<QQQBB6x", 0x500000, 0x10000, 0, 0, 3)))


def seeds_inflight():
    steps = [0, 1, 0, 2, 2, 1, 1, 0, 3, 1, 0, 4, 2, 2, 3, 2, 1, 0, 5, 3, 226, 5]
    for name, what in (("split", 0xC0), ("packed", 0xF1)):
        put("inflight", name, [what] + [0] * 8 + steps * 3)
    entry = struct.pack("<B5xHQ", 1, 0, 7)
    region = struct.pack("<QHHHH", 0, 1, 8, 0, 0) + entry * 3
    put("inflight", "split-in-flight", [0xC2] + [0] * 8 + list(region.ljust(512, b"\0")) + steps)
    entry = [struct.pack("<BxHHHQHHIQ", inf, nxt, last, num, 3, ident, 0, 1, 2)
             for inf, nxt, last, num, ident in ((1, 1, 1, 2, 0), (0, 9, 0, 0, 3), (1, 9, 2, 1, 1))]
    entry += [struct.pack("<BxHHHQHHIQ", 0, i + 1, 0, 0, 0, 0, 0, 0, 0) for i in range(3, 15)]
    region = struct.pack("<QHHHHHHBB10x", 0, 1, 15, 3, 3, 0, 0, 1, 1) + b"".join(entry)
    put("inflight", "packed-in-flight", [0xE3] + [0] * 8 + list(region.ljust(512, b"\0")) + steps)


# ---- platform files: what dtc makes of the tests' ----

def seeds_platform():
    tests = os.path.join(os.path.dirname(CORPUS), "..", "tests", "port", "platform")
    for folder in ("good", "bad", "../../../examples/platforms"):
        for name in sorted(os.listdir(os.path.join(tests, folder))):
            blob = subprocess.run(["dtc", "-q", "-O", "dtb", os.path.join(tests, folder, name)],
                                  capture_output=True, check=True).stdout
            put("platform", os.path.splitext(name)[0], blob)


def main():
    seeds_rng()
    seeds_i2c()
    seeds_vsock()
    seeds_blk()
    seeds_console()
    seeds_iotlb()
    seeds_net()
    seeds_switch()
    seeds_admin()
    seeds_rings()
    seeds_runs()
    seeds_mmio()
    seeds_pci()
    seeds_state()
    seeds_platform()
    seeds_vhost_user()
    seeds_inflight()


if __name__ == "__main__":
    main()
