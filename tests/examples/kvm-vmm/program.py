#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The program avps-kvm as its user sees it, where no guest runs: what it refuses and how, help and the
manual page.

usage: program.py PROGRAM [unittest options]
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = ""
MANUAL = Path(__file__).resolve().parents[3] / "examples/kvm-vmm/man/avps-kvm.1"
DEVICES = {"blk": 2, "net": 1, "console": 3, "rng": 4}
START, USAGE = 1, 2


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL)


class Refusals(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.kernel = self.file("kernel", b"not a kernel")

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        Path(path).write_bytes(content)
        return path

    def refused(self, status, line, *arguments):
        """One line, which says this, and nothing else."""
        result = run(*arguments)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("avps-kvm: "), result.stderr)
        self.assertIn(line, result.stderr)
        self.assertEqual(result.returncode, status)

    def test_a_command_line_that_makes_no_sense(self):
        kernel = ("--kernel", self.kernel)
        for line, *arguments in [
                ("--kernel or --restore is missing",),
                ("--kernel or --restore is missing", "rng"),
                ("there is no option --karnel", "--karnel", "x"),
                ("--kernel needs a value", "--kernel"),
                ("--initrd is for --kernel only", "--initrd", "x", "--restore", "y"),
                ("--cpus takes", *kernel, "--cpus", "5"),
                ("--cpus takes", *kernel, "--cpus", "0"),
                ("--memory takes", *kernel, "--memory", "31M"),
                ("--memory takes a multiple of 2M", *kernel, "--memory", "33M"),
                ("--transport takes mmio or pci", *kernel, "--transport", "ccw"),
                ("--serial takes stdio or none", *kernel, "--serial", "pty"),
                ("exclude each other", *kernel, "--threads", "--stats", "s"),
                ("there is no device 'disk'", *kernel, "disk"),
                ("--file or --null is missing", *kernel, "blk"),
                ("a + stands between two devices", *kernel, "rng", "+")]:
            with self.subTest(line=line, arguments=arguments):
                self.refused(USAGE, line, *arguments)

    def test_a_machine_without_kvm(self):
        missing = os.path.join(self.folder, "kvm")
        self.refused(START, f"cannot open {missing}: No such file or directory: this kernel runs no "
                     "KVM", "--kernel", self.kernel, "--kvm", missing)

    def test_a_device_that_is_no_kvm(self):
        self.refused(START, "/dev/null is not KVM", "--kernel", self.kernel, "--kvm", "/dev/null")

    @unittest.skipIf(os.geteuid() == 0, "root may open anything")
    def test_a_kvm_that_may_not_be_opened(self):
        locked = self.file("locked", b"")
        os.chmod(locked, 0)
        self.refused(START, "be root, or in its group", "--kernel", self.kernel, "--kvm", locked)


class Help(unittest.TestCase):
    def test_every_device_is_listed_with_its_id(self):
        listed = dict(re.findall(r"^(\w+) +(\d+)  ", run("--list").stdout, re.M))
        for name, number in DEVICES.items():
            self.assertEqual(listed[name], str(number))

    def test_every_option_is_in_the_manual(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        options = set(re.findall(r"^  --([a-z-]+)", result.stdout, re.M))
        self.assertIn("restore", options)
        manual = MANUAL.read_text()
        for option in options:
            self.assertRegex(manual, rf"(Fl|\|) -{option}\b", option)

    def test_every_device_has_help(self):
        for name in DEVICES:
            result = run(name, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""), name)
            self.assertIn("of the program:", result.stdout)

    def test_the_version_names_virtio(self):
        self.assertRegex(run("--version").stdout, r"^avps-kvm \d+\.\d+\.\d+ \(VIRTIO 1\.\d\)\n$")

    def test_the_manual_page_is_well_formed(self):
        checked = subprocess.run(["mandoc", "-Tlint", "-Wwarning", MANUAL], capture_output=True,
                                 text=True, check=False)
        self.assertEqual(checked.stdout, "")


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
