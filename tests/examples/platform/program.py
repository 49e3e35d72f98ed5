#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The program avps-platform as its user sees it.

usage: program.py PROGRAM DTC BLOBS [unittest options]
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = DTC = ""
BLOBS = Path()
ROOT = Path(__file__).resolve().parents[3]
MANUAL = ROOT / "examples/avps-platform/avps-platform.1"


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, timeout=20,
                          check=False, stdin=subprocess.DEVNULL)


class Case(unittest.TestCase):
    def assert_line(self, result, status, text):
        """One line on standard error, nothing on standard output."""
        self.assertEqual(result.stderr.decode(), f"avps-platform: {text}\n")
        self.assertEqual((result.returncode, result.stdout), (status, b""))


class Check(Case):
    def test_says_a_line_about_each_good_file(self):
        files = [BLOBS / "examples/minimal.dtb", BLOBS / "examples/cockpit.dtb"]
        result = run("check", *files)
        self.assertEqual(result.stdout.decode(),
                         f"{files[0]}: platform minimal, 1 guest, 0 networks\n"
                         f"{files[1]}: platform cockpit, 2 guests, 1 network\n")
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_names_what_is_wrong_with_each_malformed_file(self):
        sources = sorted((ROOT / "tests/port/platform/bad").glob("*.dts"))
        self.assertGreaterEqual(len(sources), 20)
        for source in sources:
            with self.subTest(source.stem):
                expected = re.search(r"/\* expect: (.*) \*/", source.read_text()).group(1)
                blob = BLOBS / f"bad/{source.stem}.dtb"
                self.assert_line(run("check", blob), 1, f"{blob}: {expected}")

    def test_goes_on_behind_a_bad_file(self):
        good = BLOBS / "examples/minimal.dtb"
        result = run("check", BLOBS / "bad/no-model.dtb", good)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{good}: platform minimal", result.stdout.decode())

    def test_refuses_what_is_no_blob(self):
        source = ROOT / "examples/platforms/minimal.dts"
        self.assert_line(run("check", source), 1, f"{source}: expected a device-tree blob as dtc "
                         "writes it, found other bytes")
        self.assert_line(run("check", "/nowhere/x.dtb"), 1,
                         "/nowhere/x.dtb: No such file or directory")
        self.assert_line(run("check", "/"), 1, "/: Is a directory")
        with tempfile.NamedTemporaryFile() as empty:
            self.assert_line(run("check", empty.name), 1, f"{empty.name}: the file is empty")
            empty.truncate(1 << 20)
            self.assert_line(run("check", empty.name), 1,
                             f"{empty.name}: the file is longer than 1 MiB")


class Documentation(Case):
    def test_names_every_property_and_feature(self):
        words = set()
        for source in (ROOT / "tests/port/platform/bad").glob("*.dts"):
            expected = re.search(r"/\* expect: (.*) \*/", source.read_text()).group(1)
            listed = re.search(r"expected (?:one of|each at most once out of) ([a-z0-9, -]+), found",
                               expected)
            words |= set(listed.group(1).split(", ")) if listed else set()
        self.assertGreaterEqual(len(words), 70)
        page = (ROOT / "docs/platform-file.md").read_text()
        self.assertEqual([word for word in sorted(words) if f"`{word}`" not in page], [])


class Report(Case):
    def test_of_a_platform_that_lacks_nothing(self):
        result = run("report", BLOBS / "examples/cockpit.dtb")
        text = result.stdout.decode()
        self.assertEqual(result.returncode, 0)
        self.assertIn("guest cluster: 2 CPUs, 192 MiB, 5 devices: nothing mandatory is missing\n"
                      "  offers AVPS 2.5.1 BOOT-2..3; 2.6.1 BLK-1..5; 2.7.1 NET-1..2, NET-4..8; "
                      "2.19.1 RNG-1..2; 2.20.1 CON-1\n  lacks nothing\n", text)
        self.assertIn("guest infotainment: ", text)

    def test_of_one_guest(self):
        text = run("report", BLOBS / "examples/cockpit.dtb", "infotainment").stdout.decode()
        self.assertNotIn("guest cluster: ", text)
        self.assertIn("guest infotainment: ", text)

    def test_of_a_platform_that_lacks_something_fails(self):
        result = run("report", BLOBS / "good/full.dtb")
        text = result.stdout.decode()
        self.assertEqual(result.returncode, 1)
        self.assertIn("guest main: 4 CPUs, 512 MiB, 5 devices: does not conform\n", text)
        self.assertIn("    lacks BLK-3 (MUST): disk: config-wce is left out "
                      "[virtio-blk with CONFIG_WCE]\n", text)
        self.assertIn("  lacks AVPS 2.2 CONF-1; 2.6.1 BLK-3; 2.7.1 NET-5..8\n", text)
        self.assertIn("guest bare: 1 CPU, 16 MiB, 0 devices: does not conform\n", text)

    def test_names_the_guests_there_are(self):
        blob = BLOBS / "examples/cockpit.dtb"
        self.assert_line(run("report", blob, "custer"), 1,
                         f"{blob}: there is no guest 'custer', only: cluster infotainment")


class GuestTree(Case):
    def test_is_a_tree_that_dtc_likes(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder) / "guest.dtb"
            result = run("guest-dtb", BLOBS / "examples/cockpit.dtb", "infotainment",
                         "--output", tree, "--bootargs", "console=hvc0 quiet")
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
            dtc = subprocess.run([DTC, "-I", "dtb", "-O", "dts", tree], capture_output=True,
                                 check=True, timeout=20)
        self.assertEqual(dtc.stderr, b"")
        self.assertIn(b'bootargs = "console=hvc0 quiet";', dtc.stdout)
        self.assertIn(b'model = "cockpit";', dtc.stdout)
        self.assertIn(b"pcie@3f000000", dtc.stdout)

    def test_goes_to_standard_output(self):
        result = run("guest-dtb", BLOBS / "examples/minimal.dtb", "linux")
        self.assertEqual((result.returncode, result.stdout[:4]), (0, b"\xd0\x0d\xfe\xed"))

    def test_says_why_it_cannot_be_written(self):
        blob = BLOBS / "examples/minimal.dtb"
        self.assert_line(run("guest-dtb", blob, "linux", "--output", "/nowhere/x"), 1,
                         "/nowhere/x: No such file or directory")
        self.assert_line(run("guest-dtb", blob, "linux", "--output", "/dev/full"), 1,
                         "/dev/full: No space left on device")
        self.assert_line(run("guest-dtb", blob, "linux", "--bootargs", "x" * 70000), 1,
                         "linux: the tree is longer than 64 KiB: shorten --bootargs")


class CommandLine(Case):
    def assert_usage(self, text, *arguments):
        self.assert_line(run(*arguments), 2, f"{text}; try avps-platform --help")

    def test_is_explained(self):
        self.assert_usage("the first argument is check, report or guest-dtb", "chekc", "x")
        self.assert_usage("check takes a file", "check")
        self.assert_usage("report takes a file, and perhaps a guest", "report", "a", "b", "c")
        self.assert_usage("guest-dtb takes a file and the name of a guest", "guest-dtb", "a")
        self.assert_usage("--output and --bootargs are for guest-dtb only", "check", "a",
                          "--output", "b")
        self.assert_usage("there is no option --outptu", "check", "a", "--outptu", "b")
        self.assert_usage("--output needs a value: --output FILE", "guest-dtb", "a", "b",
                          "--output")

    def test_help_and_manual_page_know_every_option(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        options = set(re.findall(r"^ *--([a-z]+)", result.stdout.decode(), re.M))
        self.assertEqual(options, {"output", "bootargs", "help"})
        manual = MANUAL.read_text()
        for option in options:
            self.assertIn(f".It Fl -{option}", manual)
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MANUAL], capture_output=True,
                              check=False)
        self.assertEqual(lint.stdout, b"")
        self.assertEqual(run().returncode, 2)


if __name__ == "__main__":
    PROGRAM, DTC, BLOBS = os.path.abspath(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
