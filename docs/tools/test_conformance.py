# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the conformance tables: run with `python3 -m unittest` in this folder."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import conformance
import csource
import device_matrix

CODE = """\
/* SPDX */
/** @file x.c */
#include "x.h"

/** Above a type [blk-1.3]. */
struct wire {
    int member; /* inside it [blk-1.4] */
};

/* Above a function: [blk-2.3] */
static __attribute__((cold)) int blk_write(int (*cb)(void), const char *s)
{
    const char *no = "[blk-9.9]"; /* literals are no comments */
    if (s[0] == '}') {
        return 1; /* [drv.blk-1.1] */
    }
    return 0;
}

static const int table[] = {1, 2}; /* trailing [blk-2.4] */
#define LIMIT 3 /* [AVPS BLK-4] */
"""
TEST = """\
static const int cases[] = {1}; /* [blk-1.3] */
static void helper(void) { (void)cases; }
/* [blk-1.4] */
static void test_writes_fail(void **state)
{
    helper(); /* [blk-2.3] */
    /* [blk-2.4] and [AVPS BLK-4] */
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
"""
CLAUSES = "id\tsection\tkeyword\thash\tparaphrase\n" + "".join(
    f"blk-{n}\t5.2.5.2\tMUST\t0\tsomething\n" for n in ("1.3", "1.4", "2.3", "2.4")
)
AVPS = "id\tsection\tkeyword\tnumber\tbasis\tparaphrase\nBLK-4\t2.6.1\tMUST\t-\tdraft\tdiscard\n"


class SourceTest(unittest.TestCase):
    def test_comments_find_their_declaration(self):
        comments, code, pieces = csource.parse(CODE)
        names = [csource.owner(comment, code, pieces).name for comment in comments]
        write = "blk_write"
        wire = "struct wire"
        self.assertEqual(names, ["", "", wire, wire, write, write, write, "table", "LIMIT"])

    def test_macro_calls_and_extern_c_do_not_confuse(self):
        text = 'extern "C" {\nWIRE(struct a, 2);\n/* [x] */\nNODISCARD int f(int a[2]);\n}\n'
        comments, code, pieces = csource.parse(text)
        self.assertEqual(csource.owner(comments[0], code, pieces).name, "f")


class ProjectTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.put("docs/spec/clauses.tsv", CLAUSES)
        self.put("docs/spec/avps.tsv", AVPS)
        self.put("docs/spec/driver-clauses.tsv", "id\tsection\thash\ndrv.blk-1.1\t5.2\t0\n")
        self.put("src/x.c", CODE)
        self.put("tests/test_x.c", TEST)

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def problems(self):
        return conformance.load(self.root).problems

    def test_complete_project_has_no_problem(self):
        project = conformance.load(self.root)
        self.assertEqual(project.problems, [])
        self.assertEqual(project.clauses["blk-2.3"].met, ["src/x.c:blk_write"])
        self.assertEqual(project.clauses["blk-1.3"].tests, ["tests/test_x.c:test_writes_fail"])

    def test_unknown_tag_is_reported(self):
        self.put("src/y.c", "/* [blk-9.9] */\nint y;\n")
        self.assertEqual(self.problems(), ["src/y.c:y: [blk-9.9] names no known clause"])

    def test_malformed_tag_is_reported(self):
        self.put("src/y.c", "/* [blk-1.3, blk-1.4] */\nint y;\n")
        self.assertEqual(self.problems(), ["src/y.c:1: malformed tag [blk-1.3, blk-1.4]"])

    def test_clause_without_code_or_test_is_reported(self):
        self.put("docs/spec/clauses.tsv", CLAUSES + "blk-2.5\t5.2.6.2\tMUST\t0\tmore\n")
        expected = ["blk-2.5: no function is tagged with it", "blk-2.5: no test is tagged with it"]
        self.assertEqual(self.problems(), expected)

    def test_a_files_opening_comment_is_too_vague(self):
        self.put("src/x.c", CODE.replace("[blk-2.3]", "").replace("SPDX", "[blk-2.3]"))
        self.assertEqual(self.problems(), ["blk-2.3: no function is tagged with it"])

    def test_reason_settles_a_clause_but_excludes_tags(self):
        self.put("docs/spec/clauses.tsv", CLAUSES + "blk-2.5\t5.2.6.2\tMUST\t0\tmore\n")
        self.put("docs/spec/not-applicable.tsv", "id\treason\nblk-2.5\tnot offered\n")
        self.assertEqual(self.problems(), [])
        self.put("src/y.c", "/* [blk-2.5] */\nint y;\n")
        self.assertEqual(self.problems(), ["blk-2.5: not applicable, yet tagged at src/y.c:y"])

    def test_unregistered_test_is_no_proof(self):
        self.put("tests/test_x.c", TEST.replace("cmocka_unit_test(test_writes_fail),", ""))
        problems = self.problems()
        self.assertIn("tests/test_x.c:test_writes_fail: [blk-1.4] test is not registered", problems)
        self.assertIn("blk-1.4: no test is tagged with it", problems)

    def test_tag_outside_every_test_is_reported(self):
        self.put("tests/support.c", "/* [blk-1.3] */\nint helper(void);\n")
        self.assertEqual(self.problems(), ["tests/support.c:helper: [blk-1.3] belongs to no test"])

    def test_stale_page_is_reported(self):
        project = conformance.load(self.root)
        for name, text in conformance.pages(project).items():
            self.put(f"docs/{name}", text)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertEqual(conformance.check(self.root, project), 0)
            self.put("docs/avps.md", "old")
            self.assertEqual(conformance.check(self.root, project), 1)
        self.assertIn("docs/avps.md is stale", out.getvalue())


class MatrixTest(unittest.TestCase):
    def test_feature_tables_become_rows(self):
        code = """
enum { VIRTIO_X_F_A = 3, VIRTIO_X_F_B };
#define VIRTIO_X_F_C 65U
static const struct avps_feature x_features[] = {
    AVPS_FEATURE_NEEDS_AND_ANY(VIRTIO_X_F_C, AVPS_FEATURE_OFFERED, VIRTIO_X_F_A, 1, 2),
    AVPS_FEATURE(VIRTIO_X_F_A, AVPS_FEATURE_REQUIRED),
};
"""
        rows = device_matrix.features_of(code, device_matrix.values_of(code))
        self.assertEqual([(f.bit, f.name, f.rule, f.needs) for f in rows],
                         [(65, "C", "offered", "A and 1 or 2"), (3, "A", "required", "-")])


if __name__ == "__main__":
    unittest.main()
