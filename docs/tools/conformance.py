#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Conformance tables from the tags in code and tests.

A tag is a clause id in brackets in a comment: [blk-2.14], [drv.split-3.1], [AVPS BLK-4].
In src/, include/ and port/ it says where a clause is met, in tests/ which test proves it.
The ids, with a paraphrase each, are in docs/spec/.

  conformance.py --check    every clause is met and proven, or has a reason; tables are current
  conformance.py --write    write docs/conformance.md and docs/avps.md
  conformance.py --summary  print counts
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True
import csource  # noqa: E402  (beside this script; no cache left in the tree)

ROOT = Path(__file__).resolve().parents[2]
CODE_DIRS = ("include", "src", "port")
SUFFIXES = (".c", ".h", ".S", ".cpp")
TAG = re.compile(r"\[((?:drv\.)?[a-z][a-z0-9-]*-(?:\d+\.\d+|x\d+)|AVPS [A-Z]+-\d+)\]")
PREFIX = "core|feat|init|admin|split|packed|shm|pci|mmio|rng|blk|net|console|i2c|vsock"
LOOSE = re.compile(rf"\[(?:(?:drv\.)?(?:{PREFIX})-[x\d]|AVPS[ -])[^\]]*\]")
CHAPTERS = (
    ("2", "Status, features, configuration space, virtqueues"),
    ("3", "Initialization, suspend"),
    ("4.1", "virtio-pci"),
    ("4.2", "virtio-mmio"),
    ("5.1", "Network device"),
    ("5.2", "Block device"),
    ("5.3", "Console device"),
    ("5.4", "Entropy device"),
    ("5.10", "Socket device"),
    ("5.16", "I2C adapter"),
    ("6", "Device-independent features"),
)


@dataclass
class Clause:
    """One requirement and what is known about it."""

    id: str
    section: str
    keyword: str
    text: str
    reason: str = ""
    met: list = field(default_factory=list)
    tests: list = field(default_factory=list)

    @property
    def avps(self):
        return self.id.startswith("AVPS ")

    @property
    def places(self):
        """Where it is met; a file alone, from its opening comment, is too vague to count."""
        return [place for place in self.met if ":" in place]

    @property
    def state(self):
        if self.reason:
            return "not applicable"
        return "met" if self.places and self.tests else "unmet"


@dataclass
class Project:
    """The clauses with what the tags say, and the problems met on the way."""

    clauses: dict
    problems: list = field(default_factory=list)


def read_tsv(path):
    """Rows of a tab-separated file as dictionaries; '#' lines are comments."""
    if not path.exists():
        return []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"))) for line in lines[1:] if line]


def read_clauses(spec):
    """Project with all clauses and their reasons, and the set of ids that are only known."""
    project = Project({})
    for name, prefix in (("clauses.tsv", ""), ("avps.tsv", "AVPS ")):
        for row in read_tsv(spec / name):
            clause = Clause(prefix + row["id"], row["section"], row["keyword"], row["paraphrase"])
            if clause.id in project.clauses:
                project.problems.append(f"docs/spec/{name}: {clause.id} is listed twice")
            project.clauses[clause.id] = clause
    for row in read_tsv(spec / "not-applicable.tsv"):
        if row["id"] not in project.clauses:
            project.problems.append(f"docs/spec/not-applicable.tsv: no clause {row['id']}")
        elif not row.get("reason"):
            project.problems.append(f"docs/spec/not-applicable.tsv: {row['id']} has no reason")
        else:
            project.clauses[row["id"]].reason = row["reason"]
    known = {row["id"] for row in read_tsv(spec / "driver-clauses.tsv")}
    return project, known


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def tags_of(text, where, problems):
    """Yield (id, piece) for each tag in the comments of one source file."""
    comments, code, pieces = csource.parse(text)
    for comment in comments:
        for match in TAG.finditer(comment.text):
            yield match.group(1), csource.owner(comment, code, pieces)
        for match in LOOSE.finditer(comment.text):
            if not TAG.fullmatch(match.group()):
                line = line_of(text, comment.start + match.start())
                problems.append(f"{where}:{line}: malformed tag {match.group()}")


def sources(root, folder):
    """The C files below a folder, in a fixed order."""
    return sorted(p for p in (root / folder).rglob("*") if p.suffix in SUFFIXES and p.is_file())


def add_once(places, place):
    if place not in places:
        places.append(place)


def scan_code(root, project, known):
    """Note for each clause where the code says it is met."""
    for folder in CODE_DIRS:
        for path in sources(root, folder):
            where = path.relative_to(root).as_posix()
            text = path.read_text(encoding="utf-8")
            for tag, piece in tags_of(text, where, project.problems):
                place = f"{where}:{piece.name}" if piece is not None and piece.name else where
                if tag in project.clauses:
                    add_once(project.clauses[tag].met, place)
                elif tag not in known:
                    project.problems.append(f"{place}: [{tag}] names no known clause")


class TestFile:
    """The test functions of one file, and which of them use which helper or table."""

    def __init__(self, text):
        _, self.code, self.pieces = csource.parse(text)
        self.body = {}
        for piece in self.pieces:
            if piece.name and piece.kind != "preprocessor":
                words = set(csource.WORD.findall(self.code[piece.start : piece.end]))
                self.body.setdefault(piece.name, set()).update(words - {piece.name})
        self.tests = {name for name in self.body if name.startswith("test_")}
        self.tables = [p.name for p in self.pieces if self.is_table(p)]
        self.registered = set().union(*(self.body[name] for name in self.tables), set())

    def is_table(self, piece):
        """Whether a piece registers tests: a table of CMUnitTest."""
        return bool(piece.name) and "CMUnitTest" in self.code[piece.start : piece.end]

    def reached_from(self, name):
        """The tests that `name` is, or that use it within this file."""
        if name in self.tests:
            return [name]
        return [test for test in self.body if test in self.tests and self.uses(test, name)]

    def uses(self, test, name):
        seen, todo = set(), [test]
        while todo:
            for word in self.body[todo.pop()]:
                if word == name:
                    return True
                if word in self.body and word not in seen and word not in self.tables:
                    seen.add(word)
                    todo.append(word)
        return False


def scan_tests(root, project, known):
    """Note for each clause which tests prove it."""
    for path in sources(root, "tests"):
        where = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        tests = TestFile(text)
        for tag, piece in tags_of(text, where, project.problems):
            name = piece.name if piece is not None else ""
            if tag not in project.clauses and tag not in known:
                project.problems.append(f"{where}:{name}: [{tag}] names no known clause")
                continue
            reached = tests.reached_from(name) if name else []
            if not reached:
                project.problems.append(f"{where}:{name}: [{tag}] belongs to no test")
            for test in reached:
                if test not in tests.registered:
                    project.problems.append(f"{where}:{test}: [{tag}] test is not registered")
                elif tag in project.clauses:
                    add_once(project.clauses[tag].tests, f"{where}:{test}")


def judge(project):
    """Problems of the clauses themselves."""
    for clause in project.clauses.values():
        if clause.reason and (clause.met or clause.tests):
            places = ", ".join(clause.met + clause.tests)
            project.problems.append(f"{clause.id}: not applicable, yet tagged at {places}")
        elif not clause.reason and not clause.places:
            project.problems.append(f"{clause.id}: no function is tagged with it")
        if not clause.reason and not clause.tests:
            project.problems.append(f"{clause.id}: no test is tagged with it")


def load(root):
    """Read everything below `root`."""
    project, known = read_clauses(root / "docs" / "spec")
    scan_code(root, project, known)
    scan_tests(root, project, known)
    judge(project)
    return project


def count(clauses):
    """(met, not applicable, unmet)"""
    states = [clause.state for clause in clauses]
    return tuple(states.count(state) for state in ("met", "not applicable", "unmet"))


def chapter_of(clause):
    """Index of the chapter whose number starts the section's."""
    for index, (number, _) in enumerate(CHAPTERS):
        if f"{clause.section}.".startswith(f"{number}."):
            return index
    return 0


def row(clause):
    """One line of a table."""
    ident = clause.id.removeprefix("AVPS ")
    if clause.reason:
        place, tests = f"not applicable: {clause.reason}", "-"
    else:
        place = "<br>".join(f"`{place}`" for place in clause.places) or "**not met**"
        tests = "<br>".join(f"`{test.split(':')[1]}`" for test in clause.tests) or "**not proven**"
    cells = (ident, clause.section, clause.keyword, clause.text, place, tests)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table(clauses):
    """A Markdown table of clauses."""
    head = "| id | section | keyword | in short | met at | proven by |\n|---|---|---|---|---|---|"
    return "\n".join([head, *(row(clause) for clause in clauses)])


def intro(title, what, clauses):
    """The opening of a page."""
    met, reasoned, unmet = count(clauses)
    return (
        "<!-- SPDX-License-Identifier: BSD-3-Clause -->\n"
        f"# {title}\n\n{what}\n\n"
        "Generated by `docs/tools/conformance.py --write` from the tags in code and tests; do not\n"
        "edit. Reasons in the fifth column come from `docs/spec/not-applicable.tsv`.\n\n"
        f"{len(clauses)} rows: {met} met and proven by a test, {reasoned} not applicable, "
        f"{unmet} open.\n"
    )


def conformance_page(clauses):
    """docs/conformance.md"""
    what = (
        "Device clauses of VIRTIO 1.4 and where each is met. The wording is the project's own;\n"
        "the section number leads to the specification's, which alone is binding."
    )
    head = "| part | met | not applicable | open |\n|---|---|---|---|"
    parts = [intro("Conformance with VIRTIO 1.4", what, clauses), head]
    groups = [[c for c in clauses if chapter_of(c) == i] for i in range(len(CHAPTERS))]
    for (number, title), group in zip(CHAPTERS, groups):
        met, reasoned, unmet = count(group)
        parts.append(f"| {number} {title} | {met} | {reasoned} | {unmet} |")
    for (number, title), group in zip(CHAPTERS, groups):
        parts.append(f"\n## {number} {title}\n\n{table(group)}")
    return "\n".join(parts) + "\n"


def avps_page(clauses):
    """docs/avps.md"""
    what = (
        "Requirements of the Automotive Virtual Platform Specification (AVPS) v2.0 on\n"
        "conformance, boot and the devices that the library has, and where each is met. The\n"
        "ids are local to this project: the published requirement numbers and the exact\n"
        "wording were not at hand, so keyword and paraphrase rest on public drafts, or are\n"
        "unverified (column `basis` of `docs/spec/avps.tsv`), and want checking against the\n"
        "published text."
    )
    return intro("AVPS requirements", what, clauses) + "\n" + table(clauses) + "\n"


def pages(project):
    """File name -> text of the generated pages."""
    every = list(project.clauses.values())
    return {
        "conformance.md": conformance_page([c for c in every if not c.avps]),
        "avps.md": avps_page([c for c in every if c.avps]),
    }


def check(root, project):
    """Print each problem; the number of them."""
    for name, text in pages(project).items():
        path = root / "docs" / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            project.problems.append(f"docs/{name} is stale: run docs/tools/conformance.py --write")
    for problem in project.problems:
        print(problem)
    return len(project.problems)


def summary(project):
    """Print counts per id prefix and in all."""
    groups = {}
    for clause in project.clauses.values():
        groups.setdefault(clause.id.rsplit("-", 1)[0], []).append(clause)
    groups["all"] = list(project.clauses.values())
    print(f"{'':12} {'met':>5} {'n/a':>5} {'unmet':>5}")
    for name, clauses in groups.items():
        print(f"{name:12} " + " ".join(f"{number:5}" for number in count(clauses)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="report problems, fail if there are any")
    mode.add_argument("--write", action="store_true", help="write the generated pages")
    mode.add_argument("--summary", action="store_true", help="print counts")
    parser.add_argument("--root", type=Path, default=ROOT, help="top of the source tree")
    options = parser.parse_args()
    project = load(options.root)
    if options.check:
        return 1 if check(options.root, project) else 0
    if options.write:
        for name, text in pages(project).items():
            (options.root / "docs" / name).write_text(text, encoding="utf-8")
    else:
        summary(project)
    return 0


if __name__ == "__main__":
    sys.exit(main())
