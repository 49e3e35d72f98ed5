# SPDX-License-Identifier: BSD-3-Clause
"""Unit tests of the scripts in this folder: the case counter and the call graph."""
import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
import callgraph  # noqa: E402


def load(name):
    """A script without .py as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(FOLDER / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
suite = load("suite")
glue_lines = load("glue_lines")
guide = load("guide")

GOOD = "[ RUN      ] test_a\n[       OK ] test_a\n[ RUN      ] test_b\n[       OK ] test_b\n"
BAD = ("[ RUN      ] test_c\n[  ERROR   ] --- 1 != 2\n[  FAILED  ] test_c\n"
       "[  FAILED  ] tests: 1 test(s), listed below:\n[  FAILED  ] test_c\n")
CRASH = "[ RUN      ] test_d\n"


class CaseCounter(unittest.TestCase):
    """suite"""

    def test_counts_each_case(self):
        self.assertEqual(suite.count_program("p", "run", GOOD), (2, [], 0))

    def test_counts_a_failed_case_once(self):
        self.assertEqual(suite.count_program("p", "fail", GOOD + BAD), (2, ["p: test_c"], 0))

    def test_a_crash_fails_the_unfinished_case(self):
        self.assertEqual(suite.count_program("p", "fail", GOOD + CRASH),
                         (2, ["p: a case did not finish"], 0))

    def test_a_failure_without_a_case_counts(self):
        self.assertEqual(suite.count_program("p", "fail", GOOD), (2, ["p"], 0))

    def test_a_plain_program_is_one_case(self):
        self.assertEqual(suite.count_program("p", "run", "hello\n"), (1, [], 0))
        self.assertEqual(suite.count_program("p", "fail", "hello\n"), (0, ["p"], 0))

    def test_a_program_that_could_not_run_fails(self):
        self.assertEqual(suite.count_program("p", "notrun", ""), (0, ["p (not run)"], 0))

    def test_skipped_cases_are_counted(self):
        text = "[ RUN      ] test_e\n[  SKIPPED ] test_e\n"
        self.assertEqual(suite.count_program("p", "run", text), (0, [], 1))

    def test_adds_up_a_report(self):
        root = ElementTree.fromstring(
            "<testsuite>"
            f"<testcase name='p' status='run'><system-out>{GOOD}</system-out></testcase>"
            "<testcase name='q' status='fail'><system-out/></testcase></testsuite>")
        self.assertEqual(suite.count_report(root), (2, ["q"], 0))


class Graph(unittest.TestCase):
    """callgraph"""

    SOURCE = ("struct own_ops {\n    int (*step)(void);\n};\n"
              "static const struct own_ops table = {\n    .step = leaf,\n};\n"
              "const struct own_ops *own;\nconst struct my_ops *mine;\n"
              "x = own->step();\ny = mine->read();\n"
              "struct device {\n    const struct my_ops *ops;\n};\n"
              "struct device *device;\nz = device->ops->step();\n")
    HEADER = "struct my_ops {\n    int (*read)(void *ctx);\n    int (*step)(void *ctx);\n};\n"

    def build(self, *edges):
        """A graph of functions a (16 bytes), b (32) and leaf (64) with these edges."""
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        folder = Path(holder.name)
        (folder / "src").mkdir()
        (folder / "include").mkdir()
        source = folder / "src" / "x.c"
        source.write_text(self.SOURCE)
        (folder / "include" / "x.h").write_text(self.HEADER)
        nodes = [f'node: {{ title: "{name}" label: "{name}\\nx.c:1:1\\n{size} bytes (static)" }}'
                 for name, size in (("a", 16), ("b", 32), ("leaf", 64))]
        lines = [f'edge: {{ sourcename: "{one}" targetname: "{two}" label: "{source}:{at}" }}'
                 for one, two, at in edges]
        (folder / "x.ci").write_text("\n".join(nodes + lines))
        return callgraph.CallGraph(folder, folder)

    def test_the_deepest_path_counts(self):
        graph = self.build(("a", "b", "1:1"), ("a", "leaf", "1:1"))
        self.assertEqual(graph.worst_stack("a"), 80)

    def test_an_own_table_is_followed(self):
        graph = self.build(("a", "__indirect_call", "9:8"))
        self.assertEqual(graph.worst_stack("a"), 80)
        self.assertEqual(graph.functions["a"].ops, set())

    def test_an_op_of_the_integrator_is_listed(self):
        graph = self.build(("a", "__indirect_call", "10:9"))
        self.assertEqual(graph.functions["a"].ops, {"read"})
        self.assertEqual(graph.worst_stack("a"), 16)

    def test_an_op_of_the_same_name_as_an_own_one_is_told_apart(self):
        graph = self.build(("leaf", "__indirect_call", "15:9"))
        self.assertEqual(graph.functions["leaf"].ops, {"step"})
        self.assertEqual(graph.cycles(), [])

    def test_recursion_is_found(self):
        self.assertEqual(self.build(("a", "b", "1:1"), ("b", "a", "1:1")).cycles(), [["a", "b"]])
        self.assertEqual(self.build(("a", "a", "1:1")).cycles(), [["a"]])
        self.assertEqual(self.build(("a", "b", "1:1")).cycles(), [])

    def test_recursion_through_a_table_is_found(self):
        graph = self.build(("a", "__indirect_call", "9:8"), ("leaf", "a", "1:1"))
        self.assertEqual(graph.cycles(), [["a", "leaf"]])

    def test_a_call_that_cannot_be_told_is_reported(self):
        self.assertEqual(self.build(("a", "__indirect_call", "1:1")).unknown_calls(), ["a"])

    def test_calls_outside_are_kept_apart(self):
        self.assertEqual(self.build(("a", "memcpy", "1:1")).functions["a"].outside, {"memcpy"})


class GlueLines(unittest.TestCase):
    """glue_lines"""

    def test_comments_and_blank_lines_are_not_counted(self):
        self.assertEqual(glue_lines.code_lines("/* a\n * b */\n\nint x;\n  // c\n\t\n"), 1)

    def test_code_beside_a_comment_is(self):
        self.assertEqual(glue_lines.code_lines("int x; /* a\n b */ int y;\n"), 2)

    def test_a_comment_sign_in_a_text_is_text(self):
        self.assertEqual(glue_lines.code_lines('char *x = "/*";\nint y;\nchar z = \'"\'; /*\n*/\n'), 3)

    def test_assembly_counts(self):
        self.assertEqual(glue_lines.code_lines("start:\n    ret /* back */\n"), 2)

    def test_a_port_is_the_sum_of_its_files(self):
        with tempfile.TemporaryDirectory() as holder:
            folder = Path(holder) / "port" / "one"
            folder.mkdir(parents=True)
            (folder / "a.c").write_text("int a;\nint b;\n")
            (folder / "a.h").write_text("/* nothing */\nint a;\n")
            ports = (("one", ("one/*.[ch]",), 2), ("none", ("none/*.c",), 9))
            self.assertEqual(glue_lines.rows(Path(holder), ports),
                             [("one", ("one/*.[ch]",), 3, 2)])

    def test_a_table_is_replaced_between_its_marks(self):
        text = "x\n" + glue_lines.BEGIN + "old\n" + glue_lines.END + "y\n"
        self.assertEqual(glue_lines.put(text, "new\n"), text.replace("old", "new"))


class Guide(unittest.TestCase):
    """guide"""

    SOURCE = "int a;\n/* [one] */\nint b;\n\n/* [one] */\nint c;\n"
    TEXT = "text\n\n<!-- snippet: src/x.c one -->\n```c\nint b;\n```\nmore\n"

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.top = Path(holder.name)
        (self.top / "src").mkdir()
        (self.top / "src" / "x.c").write_text(self.SOURCE)
        (self.top / "CMakeLists.txt").write_text("add_library(x src/x.c)\n")

    def test_a_block_that_is_the_region_is_good(self):
        self.assertEqual(guide.problems(self.top, self.TEXT), [])

    def test_a_block_that_differs_is_not(self):
        found = guide.problems(self.top, self.TEXT.replace("int b", "int d"))
        self.assertEqual(found, ["[one] is not what src/x.c has: tests/tools/guide --write"])

    def test_a_block_is_updated(self):
        stale = self.TEXT.replace("int b;", "int d;\nint e;")
        self.assertEqual(guide.updated(self.top, stale), self.TEXT)

    def test_a_region_must_be_there_once(self):
        self.assertEqual(guide.problems(self.top, self.TEXT.replace("x.c one", "x.c two")),
                         ["src/x.c has 0 marks [two], needs two"])
        self.assertEqual(guide.problems(self.top, self.TEXT.replace("x.c", "y.c")),
                         ["src/y.c does not exist"])

    def test_code_without_a_source_is_found(self):
        found = guide.problems(self.top, self.TEXT + "```c\nint z;\n```\n")
        self.assertEqual(found, ["a block of C has no <!-- snippet: FILE REGION --> above it"])

    def test_a_file_that_is_not_compiled_is_found(self):
        (self.top / "CMakeLists.txt").write_text("add_library(x src/xx.c)\n")
        self.assertEqual(guide.problems(self.top, self.TEXT), ["src/x.c is not compiled"])

    def test_a_path_that_is_named_must_exist(self):
        found = guide.problems(self.top, self.TEXT + "see `src/x.c` and `port/none/y.h`\n")
        self.assertEqual(found, ["port/none/y.h does not exist"])

    def test_shell_blocks_are_run_in_order_until_one_fails(self):
        self.assertEqual(guide.run("<!-- run -->\n```sh\na=1\n```\n"
                                   "<!-- run -->\n```sh\ntest $a = 1\n```\n"), 0)
        self.assertNotEqual(guide.run("<!-- run -->\n```sh\nfalse\n```\n"), 0)
        self.assertNotEqual(guide.run("```sh\ntrue\n```\n"), 0)


if __name__ == "__main__":
    unittest.main()
