# SPDX-License-Identifier: BSD-3-Clause
"""peers.py: which windows count, and the ratios made of them."""

import sys
import unittest

sys.dont_write_bytecode = True
import peers


def window(side, ns, before=60, after=60, late=0):
    return peers.Window(side, ns, 100, 0, 0, 0.5, before, after, late, 0)


def rounds(count, ours, theirs, **probes):
    return [window(side, theirs if side == "B" else ours, **probes) for side in "ABBA" * count]


class Parse(unittest.TestCase):
    def test_reads_windows_and_totals(self):
        windows, totals = peers.parse("A 12.50 640 3 2 0.250 61 62 7 8\nA total 1000\nnoise\n")
        self.assertEqual(windows, [peers.Window("A", 12.5, 640, 3, 2, 0.25, 61, 62, 7, 8)])
        self.assertEqual(totals, {"A": 1000})


class Regime(unittest.TestCase):
    def test_names_the_distance_of_the_cores(self):
        self.assertEqual(peers.regime(window("A", 1, 60, 62), 5), "near")
        self.assertEqual(peers.regime(window("A", 1, 310, 320), 5), "far")

    def test_drops_a_window_in_which_the_cores_moved(self):
        self.assertIsNone(peers.regime(window("A", 1, 60, 310), 5))
        self.assertIsNone(peers.regime(window("A", 1, 310, 60), 5))

    def test_drops_a_window_whose_driver_waited_for_its_core(self):
        self.assertEqual(peers.regime(window("A", 1, late=500), 5), "near")
        self.assertIsNone(peers.regime(window("A", 1, late=501), 5))


class Summarise(unittest.TestCase):
    def test_gives_the_ratio_of_the_tenth_percentiles(self):
        result = peers.summarise(rounds(5, 50, 75), 5)
        self.assertEqual((result.ours, result.theirs, result.ratio), (50, 75, 1.5))
        self.assertEqual((result.median, result.windows, result.regime), (1.5, 20, "near"))

    def test_takes_the_regime_with_more_windows_and_no_other(self):
        far = rounds(6, 100, 300, before=310, after=310)
        result = peers.summarise(rounds(3, 50, 75) + far, 5)
        self.assertEqual((result.ours, result.theirs, result.regime), (100, 300, "far"))
        self.assertEqual(result.windows, 24)

    def test_counts_only_whole_rounds_in_the_median_ratio(self):
        windows = rounds(6, 50, 75)
        windows[0] = window("A", 5000, late=9999)
        windows[1] = window("B", 500)
        result = peers.summarise(windows, 5)
        self.assertEqual((result.median, result.windows), (1.5, 23))

    def test_refuses_too_few_windows(self):
        self.assertIsNone(peers.summarise(rounds(2, 50, 75), 5))
        one_sided = rounds(8, 50, 75)
        for broken in one_sided:
            if broken.side == "B":
                broken.driver_late_us = 9999
        self.assertIsNone(peers.summarise(one_sided, 5))


class Verdict(unittest.TestCase):
    def cell(self, name, ratio):
        return (name,), peers.Result(1, ratio, ratio, ratio, 20, "near", 0.5)

    def test_counts_cells_and_names_the_least(self):
        cells = [self.cell("a", 1.25), self.cell("b", 0.99), self.cell("c", 1.0), (("d",), None)]
        self.assertEqual(
            peers.verdict("Depth 4", cells, 1.2),
            "Depth 4: of 4 cells 2 are at 1.0 or more, 1 at 1.2 or more; the least is 0.99 (b).",
        )

    def test_says_when_nothing_was_measured(self):
        self.assertEqual(peers.verdict("Network", [], 1.2), "Network: nothing was measured.")


class Cells(unittest.TestCase):
    def test_network_has_every_load_size_and_ring(self):
        cells = set(peers.net_cells())
        self.assertEqual(len(cells), 20)
        self.assertIn(("transmit", 1518, "packed", False), cells)

    def test_block_has_every_disk_request_and_depth(self):
        split = {cell[:4] for cell in peers.blk_cells() if cell[4:] == ("split", False)}
        for disk in ("null", "memory"):
            for kind in ("read", "write"):
                for length in (4096, 65536):
                    for depth in (1, 4, 32, 128):
                        self.assertIn((disk, kind, length, depth), split)


class Percentile(unittest.TestCase):
    def test_is_one_of_the_values(self):
        self.assertEqual(peers.percentile(range(100, 0, -1), 0.1), 11)
        self.assertEqual(peers.percentile([7], 0.1), 7)


if __name__ == "__main__":
    unittest.main()
