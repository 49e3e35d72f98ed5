# SPDX-License-Identifier: BSD-3-Clause
"""What judges the guests must find fault: rows, kernel messages, numbered blocks."""

import pathlib
import subprocess
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent.parent / "examples" / "guest"
SPLIT = "1" + "0" * 31 + "1" + "0" * 31
PACKED = "1" + "0" * 31 + "101" + "0" * 29
ROW = "AVPS-ROW disk|{driver}|{features}|what it did|{result}|12\r\n"


def verdict(function, log, *arguments):
    """Exit status of a function of verdict.sh on a log."""
    with tempfile.NamedTemporaryFile("w", newline="") as file:
        file.write(log)
        file.flush()
        script = f'. "{HERE}/lib/verdict.sh"; {function} "$@"'
        command = ["bash", "-c", script, "bash", file.name, *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode


def row(driver="virtio_blk", features=SPLIT, result="ok"):
    return ROW.format(driver=driver, features=features, result=result)


class Rows(unittest.TestCase):
    def test_a_good_row_is_accepted(self):
        self.assertEqual(verdict("expect_row", row(), "disk", "split"), 0)
        self.assertEqual(verdict("expect_row", row(features=PACKED), "disk", "packed"), 0)

    def test_a_failed_row_is_refused(self):
        self.assertNotEqual(verdict("expect_row", row(result="FAIL"), "disk", "split"), 0)

    def test_a_failed_row_beside_a_good_one_is_refused(self):
        self.assertNotEqual(verdict("expect_row", row() + row(result="FAIL"), "disk", "split"), 0)

    def test_a_missing_row_is_refused(self):
        self.assertNotEqual(verdict("expect_row", "AVPS-DONE\n", "disk", "split"), 0)

    def test_another_driver_is_refused(self):
        self.assertNotEqual(verdict("expect_row", row(driver="none"), "disk", "split"), 0)

    def test_the_other_ring_format_is_refused(self):
        self.assertNotEqual(verdict("expect_row", row(features=PACKED), "disk", "split"), 0)
        self.assertNotEqual(verdict("expect_row", row(), "disk", "packed"), 0)

    def test_a_legacy_device_is_refused(self):
        self.assertNotEqual(verdict("expect_row", row(features="1" + "0" * 63), "disk", "split"), 0)

    def test_a_complaint_of_the_kernel_is_found(self):
        said = "virtio_blk virtio0: requests.0:id 7 is not a head!\n"
        self.assertEqual(verdict("expect_no_complaint", "all quiet\n"), 0)
        self.assertNotEqual(verdict("expect_no_complaint", said), 0)


GOOD = "GOOD: 2 ports, 1 queue pairs, 70000 frames each, 1 bytes, sent in 1 buffers\n"


def dpdk(words, features, rx="mergeable buffer", tx="standard", good=GOOD):
    """Exit status of the judgement on a log of dpdk/frames with these features and paths."""
    log = "".join(
        f"virtio_user_dev_set_features(): (/w/a.sock) set features: {features}\n"
        f"set_rxtx_funcs(): virtio: using {rx} Rx path on port {port}\n"
        f"set_rxtx_funcs(): virtio: using {tx} Tx path on port {port}\n"
        for port in (0, 1)
    )
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(log + good)
        file.flush()
        script = f'. "{HERE}/lib/verdict.sh"; . "{HERE}/lib/dpdk.sh"; DPDK_WORDS=$2; expect_dpdk "$1" 2'
        command = ["bash", "-c", script, "bash", file.name, words]
        return subprocess.run(command, capture_output=True, check=False).returncode


class Dpdk(unittest.TestCase):
    def test_a_port_that_is_what_it_says_is_accepted(self):
        self.assertEqual(dpdk("split", "0x110008000"), 0)
        packed = ("packed ring vectorized", "packed ring vectorized")
        self.assertEqual(dpdk("packed plain in-order vector", "0xd10000000", *packed), 0)

    def test_other_features_are_refused(self):
        for features in ("0x510008000", "0x910008000", "0x110000000", "0x110408000", "0x10008000"):
            self.assertNotEqual(dpdk("split", features), 0)

    def test_other_paths_are_refused(self):
        self.assertNotEqual(dpdk("split", "0x110008000", rx="standard"), 0)
        self.assertNotEqual(dpdk("split", "0x110008000", tx="inorder"), 0)
        self.assertNotEqual(dpdk("split plain vector", "0x110000000", rx="standard"), 0)

    def test_a_run_that_did_not_end_well_or_was_short_is_refused(self):
        self.assertNotEqual(dpdk("split", "0x110008000", good=""), 0)
        self.assertNotEqual(dpdk("split", "0x110008000", good="WRONG: frame 7\n"), 0)
        short = GOOD.replace("70000", "100")
        self.assertNotEqual(dpdk("split", "0x110008000", good=short), 0)
        self.assertNotEqual(dpdk("split pairs", "0x110408000"), 0)


class Choice(unittest.TestCase):
    def choose(self, patterns, uml="own"):
        script = f'. "{HERE}/lib/dpdk.sh"; . "{HERE}/lib/cases.sh"; UML={uml}; case_choose "$1"'
        command = ["bash", "-c", script, "bash", patterns]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
        return done.stdout.split()

    def test_a_star_is_every_case_also_where_files_are(self):
        everything = self.choose("*")
        self.assertIn("uml-disk-split", everything)
        self.assertIn("reconnect-packed", everything)
        self.assertEqual(len(everything), len(set(everything)))

    def test_several_patterns_choose_in_the_order_of_the_table(self):
        self.assertEqual(self.choose("front-end,uml-disk-*"),
                         ["uml-disk-split", "uml-disk-packed", "front-end"])

    def test_a_word_that_fits_nothing_chooses_nothing(self):
        self.assertEqual(self.choose("disk"), [])

    def test_the_ready_made_kernel_leaves_out_what_it_cannot(self):
        left_out = set(self.choose("*")) - set(self.choose("*", "debian"))
        self.assertEqual(left_out, {"uml-entropy-split", "uml-entropy-packed", "uml-i2c-split",
                                    "uml-i2c-packed", "uml-vsock-split", "uml-vsock-packed",
                                    "uml-all-packed"})


class Numbers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = f"{cls.folder.name}/blkseq"
        source = HERE / "guest" / "blkseq.c"
        command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-I", EXAMPLES, "-o", cls.program, source]
        subprocess.run([*command, "-pthread"], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.image = f"{self.folder.name}/image"
        with open(self.image, "wb") as image:
            image.truncate(4 << 20)
        self.state = self.run_program("run", "0.2").splitlines()[-1]

    def run_program(self, *arguments):
        command = [self.program, self.image, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def change(self, place, data):
        with open(self.image, "r+b") as image:
            image.seek(place)
            image.write(data)

    def test_an_image_that_nobody_changed_has_the_same_state(self):
        self.assertEqual(self.run_program("check").strip(), self.state)

    def test_a_torn_block_is_found(self):
        self.change(5 * 4096 + 2048, bytes(512))
        with self.assertRaises(subprocess.CalledProcessError):
            self.run_program("check")

    def content(self):
        with open(self.image, "rb") as image:
            return image.read(2 << 20)

    def test_writes_of_the_past_are_noticed_under_load(self):
        load = subprocess.Popen([self.program, self.image, "run", "1"], stdout=subprocess.PIPE)
        time.sleep(0.3)
        old = self.content()
        time.sleep(0.3)
        self.change(0, old)
        load.communicate()
        self.assertNotEqual(load.returncode, 0)

    def test_an_older_block_changes_the_state(self):
        old = self.content()
        self.run_program("run", "0.2")
        newer = self.run_program("check")
        self.change(0, old[: 1 << 20])
        self.assertNotEqual(self.run_program("check"), newer)


if __name__ == "__main__":
    unittest.main()
