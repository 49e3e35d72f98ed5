#!/ usr / bin / env python3
#SPDX - License - Identifier : BSD - 3 - Clause
"""The program avps-vhost-user as its user sees it: what it refuses and how, help and manual pages,
starting, serving, signals, the end.

usage: program.py PROGRAM AVPS-TOP [unittest options]
"""
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

PROGRAM = ""
TOP = ""
MANUALS = Path(__file__).resolve().parents[3] / "examples/vhost-user/man"
DEVICES = {"blk": 2, "net": 1, "console": 3, "rng": 4, "i2c": 34, "vsock": 19}
GET_FEATURES, SET_OWNER, GET_PROTOCOL, SET_PROTOCOL, GET_QUEUES, GET_CONFIG = 1, 3, 15, 16, 17, 24
F_PROTOCOL = 1 << 30
F_PACKED = 1 << 34
P_MQ, P_CONFIG = 1 << 0, 1 << 9
PATIENCE = 20


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL, **options)


class FrontEnd:
    """As much of a front end as is needed to see that somebody serves."""

    def __init__(self, path=None, connection=None):
        self.socket = connection or socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        if path:
            self.socket.connect(path)

    def ask(self, request, payload=b""):
        self.socket.sendall(struct.pack("<III", request, 1, len(payload)) + payload)
        got, flags, size = struct.unpack("<III", self.read(12))
        assert got == request and flags & 7 == 5, (got, flags)
        return self.read(size)

    def tell(self, request, payload=b""):
        self.socket.sendall(struct.pack("<III", request, 1, len(payload)) + payload)

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, "the connection was closed"
            data += piece
        return data

    def features(self):
        return struct.unpack("<Q", self.ask(GET_FEATURES))[0]

    def negotiate(self, bits):
        self.tell(SET_OWNER)
        offered = struct.unpack("<Q", self.ask(GET_PROTOCOL))[0]
        assert offered & bits == bits, hex(offered)
        self.tell(SET_PROTOCOL, struct.pack("<Q", bits))

    def queues(self):
        return struct.unpack("<Q", self.ask(GET_QUEUES))[0]

    def config(self, offset, size):
        request = struct.pack("<III", offset, size, 0) + bytes(size)
        return self.ask(GET_CONFIG, request)[12:]

    def close(self):
        self.socket.close()


class Folder(unittest.TestCase):
    """A folder of its own, and programs that are gone afterwards."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="avps-")
        self.folder = Path(self.temporary.name)
        self.running = []

    def tearDown(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        self.temporary.cleanup()

    def path(self, name):
        return str(self.folder / name)

    def image(self, name="disk.img", size=1 << 20):
        with open(self.path(name), "wb") as file:
            file.truncate(size)
        return self.path(name)

    def start(self, *arguments, ready=1, **options):
        """Start, and wait until so many devices are ready."""
        log = open(self.path("log"), "w+")
        self.addCleanup(log.close)
        process = subprocess.Popen([PROGRAM, *arguments], stderr=log,
                                   **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                                      **options})
        self.running.append(process)
        self.wait_log(": ready\r?\n", ready, process)
        return process

    def log(self):
        return Path(self.path("log")).read_text()

    def wait_log(self, pattern, count=1, process=None):
        end = time.monotonic() + PATIENCE
        while len(re.findall(pattern, self.log())) < count:
            if time.monotonic() > end or (process and process.poll() is not None):
                self.fail(f"{pattern} is not in the log: {self.log()}")
            time.sleep(0.01)

    def stop(self, process, signo=signal.SIGTERM):
        process.send_signal(signo)
        return process.wait(PATIENCE)


class Refusals(Folder):
    """One line on standard error says what is wrong, nothing is printed, the status is known."""

    def refused(self, status, needle, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, status, (arguments, result.stderr))
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("avps-vhost-user: "), result.stderr)
        self.assertIn(needle, result.stderr)

    def test_command_lines_without_sense(self):
        at = ["--socket", self.path("s")]
        image = self.image()
        disk = ["blk", *at, "--file", image]
        net = ["net", *at]
        for needle, *arguments in [
                ("no device is named",),
                ("no device is named", "--log", "info"),
                ("there is no device 'blok'", "blok"),
                ("there is no option --verbose", "--verbose"),
                ("--log takes none, error or info", "--log", "loud", "rng", *at),
                ("--log needs a value", "--log"),
                ("--stats needs a value", "--stats"),
                ("rng: --log is given twice", "--log", "none", "rng", *at, "--log", "info"),
                ("blk: there is no option --flie", "blk", *at, "--flie", image),
                ("blk: 'disk.img' is no option", "blk", *at, "disk.img"),
                ("blk: --file needs a value: --file IMG", "blk", *at, "--file"),
                ("blk: --file needs a value", "blk", *at, "--file", "--readonly"),
                ("blk: --file or --null is missing", "blk", *at),
                ("blk: --socket or --fd is missing", "blk", "--file", image),
                ("--socket and --fd exclude each other", *disk, "--fd", "3"),
                ("--file and --null exclude each other", *disk, "--null", "1M"),
                ("--readonly is for --file only", "blk", *at, "--null", "1M", "--readonly"),
                ("--null takes a size", "blk", *at, "--null", "many"),
                ("--queues takes a number from 1 to 16", *disk, "--queues", "17"),
                ("--queue-size takes a number from 2 to 32768", *disk, "--queue-size", "1"),
                ("--packed and --split exclude each other", *disk, "--packed", "--split"),
                ("--linger takes a number from 0 to 1000000", *disk, "--linger", "1s"),
                ("--readonly takes no value", *disk, "--readonly=yes"),
                ("--serial is given twice", *disk, "--serial", "a", "--serial", "b"),
                ("--fd takes a number from 3", "rng", "--fd", "2"),
                ("--tap or --user or --switch or --loop or --null is missing", *net),
                ("--tap and --user exclude each other", *net, "--tap", "t", "--user"),
                ("--mac takes the address", *net, "--user", "--mac", "ff:ff:ff:ff:ff:ff"),
                ("--mtu takes a number from 68", *net, "--user", "--mtu", "67"),
                ("--null takes a number from 24 to 9216", *net, "--null=23"),
                ("--forward is for --user only", *net, "--loop", "--forward", "tcp:1:2"),
                ("--no-offloads is for --tap only", *net, "--user", "--no-offloads"),
                ("--pty and --stdio exclude each other", "console", *at, "--stdio", "--pty"),
                ("--ports takes a number from 1 to 16", "console", *at, "--ports", "0"),
                ("--max-bytes takes a number from 1", "rng", *at, "--max-bytes", "0"),
                ("--bus or --chip or --join is missing", "i2c", *at),
                ("--bus and --chip exclude each other", "i2c", *at, "--bus", "b", "--chip", "c"),
                ("--write-cycle is for --chip only", "i2c", *at, "--bus", "b", "--write-cycle", "1"),
                ("--share takes a number from 1 to 1024", "i2c", *at, "--chip", "c", "--share", "0"),
                ("--path is missing", "vsock", *at, "--cid", "3"),
                ("--cid takes a number from 3 to 4294967294", "vsock", *at, "--path", "v", "--cid", "2"),
                ("--connections takes a number from 1 to 16384", "vsock", *at, "--path", "v", "--cid",
                 "3", "--connections", "0"),
                ("a + stands between two devices", "+"),
                ("a + stands between two devices", "rng", *at, "+"),
                ("a + stands between two devices", "rng", *at, "+", "+", "rng", *at),
                ("there is no device 'x'", "rng", *at, "+", "x"),
                ("too many devices", *(["rng", *at, "+"] * 32), "rng", *at)]:
            with self.subTest(arguments=arguments):
                self.refused(2, needle, *arguments)

    def test_hints_lead_to_help_that_exists(self):
        for arguments in ([], ["blk"], ["net", "--user"], ["no-such"]):
            hint = re.search(r"\(see avps-vhost-user (.*)\)", run(*arguments).stderr).group(1)
            self.assertEqual(run(*hint.split()).returncode, 0)

    def test_devices_that_cannot_be_started(self):
        at = ["--socket", self.path("s")]
        image = self.image()
        odd = self.image("odd.img", 1000)
        empty = self.image("empty.img", 0)
        for needle, *arguments in [
                ("does not exist: create it", "blk", *at, "--file", self.path("none.img")),
                ("neither a file nor a block device", "blk", *at, "--file", str(self.folder)),
                ("no whole sectors", "blk", *at, "--file", odd),
                ("is empty", "blk", *at, "--file", empty),
                ("longer than 20 bytes", "blk", *at, "--file", image, "--serial", "x" * 21),
                ("takes a power of two, not 100", "rng", *at, "--queue-size", "100"),
                ("no queues to share out", "rng", *at, "--threads"),
                ("--threads goes with --loop", "net", *at, "--user", "--threads"),
                ("longer than 107 bytes", "rng", "--socket", self.path("s" * 120)),
                ("No such file or directory", "rng", "--socket", self.path("no/such/s")),
                ("is in use: another program listens there, or it is no socket", "rng",
                 "--socket", image),
                ("descriptor 999 is no Unix stream socket", "rng", "--fd", "999"),
                ("1..15 characters", "net", *at, "--tap", "x" * 16),
                ("--forward takes tcp:PORT:PORT", "net", *at, "--user", "--forward", "tcp:80"),
                ("--forward takes tcp:PORT:PORT", "net", *at, "--user", "--forward", "icmp:1:2"),
                ("--forward takes tcp:PORT:PORT", "net", *at, "--user", "--forward",
                 "tcp:1:65536"),
                ("--chip takes eeprom@ADDRESS or lm75@ADDRESS", "i2c", *at, "--chip", "rom@0x50"),
                ("--chip takes eeprom@ADDRESS or lm75@ADDRESS", "i2c", *at, "--chip", "lm75@0x80"),
                ("two chips have the same address", "i2c", *at, "--chip", "lm75@72", "--chip",
                 "eeprom@0x48"),
                ("--allow takes an address, 1 to 0x7f, not '0x48x'", "i2c", *at, "--chip", "lm75@72",
                 "--allow", "0x48x"),
                ("no device in front of this one has '--name board'", "i2c", *at, "--join", "board"),
                ("cannot open /dev/no-such-bus: No such file", "i2c", *at, "--bus",
                 "/dev/no-such-bus"),
                ("is no I2C bus: name one such as /dev/i2c-1", "i2c", *at, "--bus", image),
                ("cannot listen on /no/such/v", "vsock", *at, "--path", "/no/such/v", "--cid", "3"),
                ("--size takes columns and rows such as 80x24, not '80'", "console", *at, "--size",
                 "80"),
                ("cannot write to /no/such/log", "console", *at, "--file", "/no/such/log"),
                ("--stats: cannot listen on /no/such/s", "--log", "error", "--stats", "/no/such/s",
                 "rng", *at)]:
            with self.subTest(arguments=arguments):
                self.refused(1, needle, *arguments)
                self.assertFalse(os.path.exists(self.path("s")))

    def test_a_later_device_that_cannot_be_started_ends_all(self):
        self.refused_quietly(1, "does not exist", "rng", "--socket", self.path("a"), "+", "blk",
                             "--socket", self.path("b"), "--file", self.path("none"))
        self.assertEqual(os.listdir(self.folder), [])

    def refused_quietly(self, status, needle, *arguments):
        self.refused(status, needle, "--log", "error", *arguments)

    def test_what_another_program_uses(self):
        image = self.image()
        self.start("blk", "--socket", self.path("a"), "--file", image)
        self.refused_quietly(1, "in use by another program", "blk", "--socket", self.path("b"),
                             "--file", image)
        self.refused_quietly(1, "another program listens", "rng", "--socket", self.path("a"))

    def test_two_buses_of_one_name(self):
        def bus(socket):
            return ["i2c", "--socket", self.path(socket), "--chip", "lm75@72", "--name", "board"]
        self.refused_quietly(1, "two I2C buses are named 'board'", *bus("a"), "+", *bus("b"))


class Descriptions(unittest.TestCase):
    """Help, list, version, manual pages."""

    @staticmethod
    def options_of(*arguments):
        return set(re.findall(r"^  --([a-z-]+)", run(*arguments).stdout, re.M))

    @staticmethod
    def options_in_manual(name):
        page = (MANUALS / name).read_text()
        return set(re.findall(r"^\.It Fl -([a-z-]+)", page, re.M))

    def test_list_names_devices_and_ids(self):
        result = run("--list")
        self.assertEqual(result.returncode, 0)
        rows = [line.split()[:2] for line in result.stdout.splitlines()]
        self.assertEqual(
{name: int(number) for name, number in rows}, DEVICES)

    def test_version(self):
        result = run("--version")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^avps-vhost-user \d+\.\d+\.\d+ \(VIRTIO 1\.4\)\n$")

    def test_manual_pages_name_the_options_that_there_are(self):
        everywhere = self.options_of("rng", "--help") - {"max-bytes"}
        self.assertLess(self.options_of("--help"), everywhere)
        self.assertEqual(self.options_in_manual("avps-vhost-user.1"), everywhere)
        for device in DEVICES:
            with self.subTest(device=device):
                own = self.options_of(device, "--help") - everywhere
                self.assertTrue(own)
                self.assertEqual(self.options_in_manual(f"avps-vhost-user-{device}.1"), own)

    def test_manual_pages_are_well_formed(self):
        pages = sorted(MANUALS.glob("*.1"))
        self.assertEqual(len(pages), len(DEVICES) + 1)
        for page in pages:
            result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)],
                                    capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stdout)

    def test_help_goes_to_standard_output(self):
        for arguments in (["--help"], *[[device, "--help"] for device in DEVICES],
                          ["blk", "--file", "--help", "--no-such"]):
            result = run(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertTrue(result.stdout.startswith("usage: avps-vhost-user "))


class Serving(Folder):
    """Front ends connect, ask, leave, break the rules; signals end the program."""

    def test_four_devices_in_one_process(self):
        image = self.image(size=3 << 20)
        process = self.start(
            "blk", "--socket", self.path("blk"), "--file", image, "--queues", "4", "+",
            "net", "--socket", self.path("net"), "--switch", "lan", "--mac", "52:54:00:12:34:56",
            "+", "console", "--socket", self.path("console"), "--unix", self.path("terminal"),
            "+", "rng", "--socket", self.path("rng"), ready=4)
        fronts = {name: FrontEnd(self.path(name)) for name in ("blk", "net", "console", "rng")}
        for front in fronts.values():
            self.addCleanup(front.close)
        for name, queues in {"blk": 4, "net": 2, "console": 2, "rng": 1}.items():
            self.assertTrue(fronts[name].features() & F_PROTOCOL)
            fronts[name].negotiate(P_MQ if name == "rng" else P_MQ | P_CONFIG)
            self.assertGreaterEqual(fronts[name].queues(), queues // 2)
        self.assertEqual(struct.unpack("<Q", fronts["blk"].config(0, 8))[0], (3 << 20) // 512)
        self.assertEqual(fronts["net"].config(0, 6), bytes.fromhex("525400123456"))
        self.assertEqual(self.stop(process), 0)
        for front in fronts.values():
            self.assertEqual(front.socket.recv(1), b"")
        self.assertEqual(sorted(os.listdir(self.folder)), ["disk.img", "log"])

    def test_a_front_end_that_breaks_the_rules_loses_its_connection(self):
        process = self.start("rng", "--socket", self.path("s"))
        bad = FrontEnd(self.path("s"))
        bad.socket.sendall(struct.pack("<III", 9999, 1, 0xffffffff))
        self.assertEqual(bad.socket.recv(1), b"")
        bad.close()
        self.wait_log("connection closed")
        good = FrontEnd(self.path("s"))
        self.assertTrue(good.features())
        good.close()
        self.assertEqual(self.stop(process, signal.SIGINT), 0)

    def test_packed_rings_are_offered_when_asked_for(self):
        self.start("rng", "--socket", self.path("a"), "+", "rng", "--socket", self.path("b"),
                   "--packed", "+", "rng", "--socket", self.path("c"), "--split", ready=3)
        for name, offered in (("a", False), ("b", True), ("c", False)):
            front = FrontEnd(self.path(name))
            self.assertEqual(bool(front.features() & F_PACKED), offered)
            front.close()

    def test_inherited_descriptors(self):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(self.path("s"))
        listening.listen(1)
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        process = self.start("rng", f"--fd={listening.fileno()}", "+", "rng",
                             f"--fd={theirs.fileno()}", ready=2,
                             pass_fds=[listening.fileno(), theirs.fileno()])
        listening.close()
        theirs.close()
        for front in (FrontEnd(self.path("s")), FrontEnd(connection=ours)):
            self.assertTrue(front.features() & F_PROTOCOL)
            front.close()
        self.assertEqual(self.stop(process), 0)
        self.assertTrue(os.path.exists(self.path("s")))  # it belongs to whoever made it

    def test_once_ends_with_the_front_end(self):
        process = self.start("--once", "rng", "--socket", self.path("s"))
        front = FrontEnd(self.path("s"))
        self.assertTrue(front.features())
        self.assertIsNone(process.poll())
        front.close()
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_a_dead_socket_is_replaced(self):
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(self.path("s"))
        dead.close()
        process = self.start("rng", "--socket", self.path("s"))
        front = FrontEnd(self.path("s"))
        self.assertTrue(front.features())
        front.close()
        self.assertEqual(self.stop(process), 0)

    def test_sighup_finds_a_disk_that_grew(self):
        image = self.image()
        process = self.start("blk", "--socket", self.path("s"), "--file", image)
        os.truncate(image, 2 << 20)
        process.send_signal(signal.SIGHUP)
        self.wait_log("4096 sectors")
        front = FrontEnd(self.path("s"))
        front.negotiate(P_CONFIG)
        self.assertEqual(struct.unpack("<Q", front.config(0, 8))[0], 4096)
        front.close()

    def test_busy_polling_still_serves_and_ends(self):
        process = self.start("blk", "--socket", self.path("s"), "--null", "64M", "--poll")
        front = FrontEnd(self.path("s"))
        front.negotiate(P_CONFIG)
        self.assertEqual(struct.unpack("<Q", front.config(0, 8))[0], (64 << 20) // 512)
        self.assertEqual(self.stop(process), 0)
        front.close()

    def threads_of(self, process):
        """Without those of io_uring and of sanitizers, which have names of their own."""
        tasks = f"/proc/{process.pid}/task"
        names = []
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm", encoding="utf-8") as comm:
                names.append(comm.read().strip())
        return sum(name == "avps-vhost-user" for name in names)

    def test_each_queue_has_a_thread_when_asked_for(self):
        disk = ["blk", "--socket", self.path("s"), "--file", self.image(), "--queues", "3"]
        net = ["net", "--socket", self.path("n"), "--loop", "--queues", "2"]
        for threads, *arguments in [(1, *disk), (4, *disk, "--threads"), (3, *net, "--threads")]:
            with self.subTest(arguments=arguments):
                process = self.start(*arguments)
                self.assertEqual(self.threads_of(process), threads)
                self.assertEqual(self.stop(process), 0)

    def test_every_network_starts_and_ends(self):
        for number, kind in enumerate((["--user"], ["--loop"], ["--null"], ["--null=60"],
                                       ["--switch", "x"], ["--user", "--restrict"])):
            with self.subTest(kind=kind):
                process = self.start("net", "--socket", self.path(f"s{number}"), *kind)
                self.assertEqual(self.stop(process), 0)

    def test_an_address_is_made_from_the_path_and_stays(self):
        seen = set()
        for name in ("a", "a", "b"):
            process = self.start("net", "--socket", self.path(name), "--loop")
            front = FrontEnd(self.path(name))
            front.negotiate(P_CONFIG)
            seen.add(front.config(0, 6))
            front.close()
            self.assertEqual(self.stop(process), 0)
        self.assertEqual(len(seen), 2)
        self.assertTrue(all(address[:2] == b"\x52\x54" for address in seen))

    def test_counters_are_served_and_shown(self):
        process = self.start("--stats", self.path("stats"), "blk", "--socket", self.path("blk"),
                             "--null", "1M", "+", "rng", "--socket", self.path("rng"), ready=2)
        reader = socket.socket(socket.AF_UNIX)
        reader.settimeout(PATIENCE)
        reader.connect(self.path("stats"))
        words = [line.split()[:3] for line in reader.makefile().read().splitlines()]
        reader.close()
        self.assertEqual(words, [["device", "name=blk0", "id=2"], ["device", "name=rng1", "id=4"],
                                 ["end", "devices=2"]])
        shown = subprocess.run([TOP, "--once", f"here={self.path('stats')}"], text=True,
                               capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        rows = [line.split()[:5] for line in shown.stdout.splitlines()]
        self.assertEqual(rows, [["SOURCE", "DEVICE", "TYPE", "STATE", "CHAINS"],
                                ["here", "blk0", "blk", "off", "0"],
                                ["here", "rng1", "rng", "off", "0"]])
        self.assertEqual(self.stop(process), 0)
        self.assertFalse(os.path.exists(self.path("stats")))
        gone = subprocess.run([TOP, "--once", self.path("stats")], text=True, timeout=PATIENCE,
                              capture_output=True, check=False)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("No such file or directory", gone.stdout)

    def test_log_none_says_nothing(self):
        at = ["rng", "--socket", self.path("s")]
        for arguments in (["--log", "none", *at], [*at, "--log=none"]):
            process = subprocess.Popen([PROGRAM, *arguments], stderr=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
            self.running.append(process)
            end = time.monotonic() + PATIENCE
            while not os.path.exists(self.path("s")) and time.monotonic() < end:
                time.sleep(0.01)
            self.assertEqual(self.stop(process), 0)
            self.assertEqual((process.stdout.read(), process.stderr.read()), (b"", b""))

    def test_console_ports_have_terminals_of_their_own(self):
        process = self.start("console", "--socket", self.path("s"), "--unix", self.path("t"),
                             "--ports", "3")
        for name in ("t", "t.1", "t.2"):
            terminal = socket.socket(socket.AF_UNIX)
            terminal.connect(self.path(name))
            terminal.close()
        self.wait_log("port 2 is .*/t.2")
        self.assertEqual(self.stop(process), 0)

    def test_console_tells_its_size(self):
        self.start("console", "--socket", self.path("s"), "--size", "100x30")
        front = FrontEnd(self.path("s"))
        front.negotiate(P_CONFIG)
        self.assertEqual(struct.unpack("<HH", front.config(0, 4)), (100, 30))
        front.close()

    def test_console_on_a_terminal_ends_with_the_escape_key(self):
        ours, theirs = pty.openpty()
        before = termios.tcgetattr(theirs)
        process = self.start("console", "--socket", self.path("s"), "--stdio", stdin=theirs,
                             stdout=theirs)
        self.assertEqual(termios.tcgetattr(theirs)[3] & (termios.ICANON | termios.ECHO), 0)
        os.write(ours, b"\x03")  # control-C is for the guest
        time.sleep(0.1)
        self.assertIsNone(process.poll())
        os.write(ours, b"\x1d")
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(termios.tcgetattr(theirs)[3], before[3])
        self.assertEqual(select.select([ours], [], [], 0)[0], [])  # nothing was written to it
        os.close(ours)
        os.close(theirs)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    TOP = os.path.abspath(sys.argv.pop(1))
    unittest.main()
