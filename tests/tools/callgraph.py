# SPDX-License-Identifier: BSD-3-Clause
"""The library's call graph with stack sizes, from the .ci files of gcc -fcallgraph-info=su.

A call through a table that src/ defines itself (device models, transports, commands) is resolved to
every function that such a table names, by a designated initialiser, for that member. What remains are the integrator's ops: they
are listed by name, their stack is the integrator's.
"""
import re
from dataclasses import dataclass, field
from pathlib import Path

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)" label: "([^"]*)" \}')
STACK = re.compile(r"(\d+) bytes \(([a-z,]+)\)")
MEMBER_CALL = re.compile(r"\b(\w+(?:(?:->|\.)\w+)*)(?:->|\.)(\w+)\s*\(")
UNKNOWN = "an unknown function"
TABLE = re.compile(r"const struct (\w+) \w+(?:\[\])? = \{(.*?)\n?\s*\};", re.S)
INITIALISER = re.compile(r"\.(\w+)\s*=\s*&?(\w+)\b")
STRUCT = re.compile(r"^struct (\w+) \{(.*?)\n\};", re.S | re.M)
MEMBER = re.compile(r"\(\*(\w+)\)\(")
VARIABLE = re.compile(r"\bstruct (\w+) \*?(?:const )?(\w+)")
INDIRECT = "__indirect_call"


@dataclass
class Function:
    """One function of the library: where, how much stack, whom it calls."""
    title: str
    stack: int
    kind: str
    calls: set = field(default_factory=set)   # titles
    ops: set = field(default_factory=set)     # members called through the integrator's tables
    outside: set = field(default_factory=set) # functions that the library does not define

    @property
    def name(self):
        """The function's name as nm prints it."""
        return self.title.rsplit(":", 1)[-1]


class Tables:
    """The ops tables of the sources: which functions stand behind `path->member(...)`."""

    def __init__(self, top):
        self._members = {}    # (struct, member) -> names of functions
        self._fields = {}     # (struct, field) -> struct that it is or points to
        self._public = set()  # (struct, member) that an integrator may fill
        for folder in ("include", "src"):
            for path in sorted((Path(top) / folder).rglob("*.[ch]")):
                self._read(path.read_text(), folder == "include")

    def _read(self, text, is_public):
        for struct, body in STRUCT.findall(text):
            for kind, field_name in VARIABLE.findall(body):
                self._fields[struct, field_name] = kind
            if is_public:
                self._public |= {(struct, member) for member in MEMBER.findall(body)}
        for struct, body in TABLE.findall(text):
            for member, name in INITIALISER.findall(body):
                self._members.setdefault((struct, member), set()).add(name)

    def struct_of(self, path, before):
        """The struct that `path` (["dev", "ops"]) is or points to; `before`: the source up to it."""
        kinds = [kind for kind, name in VARIABLE.findall(before) if name == path[0]]
        struct = kinds[-1] if kinds else None
        for name in path[1:]:
            struct = self._fields.get((struct, name))
        return struct

    def behind(self, struct, member):
        """Names of the library's own functions that the call may reach."""
        return self._members.get((struct, member), set())

    def is_integrators(self, struct, member):
        """Whether the call may reach a function of the integrator's, or cannot be told."""
        return struct is None or (struct, member) in self._public


def called_member(location):
    """-> (path, member, source up to the call) of the indirect call at 'file:line:column'."""
    name, line, column = location.rsplit(":", 2)
    lines = Path(name).read_text().split("\n")
    start = int(line) - 1
    text = " ".join(lines[start:start + 3])
    after = [match for match in MEMBER_CALL.finditer(text) if match.end() >= int(column)]
    if not after:
        return [], UNKNOWN, ""
    path, member = after[0].groups()
    return re.split(r"->|\.", path), member, "\n".join(lines[:start + 1])


class CallGraph:
    """All functions of a build, by title; see the module's text."""

    def __init__(self, build, top):
        self.functions = {}
        edges = []
        for path in sorted(Path(build).rglob("*.ci")):
            edges += self._read_file(path.read_text())
        self._by_name = {}
        for function in self.functions.values():
            self._by_name.setdefault(function.name.split(".")[0], set()).add(function.title)
        self._tables = Tables(top)
        for source, target, location in edges:
            self._add_edge(self.functions[source], target, location)

    def _read_file(self, text):
        for title, label in NODE.findall(text):
            stack = STACK.search(label)
            if stack:
                self.functions[title] = Function(title, int(stack[1]), stack[2])
        return EDGE.findall(text)

    def _add_edge(self, function, target, location):
        if target == INDIRECT:
            path, member, before = called_member(location)
            struct = self._tables.struct_of(path, before) if path else None
            for name in self._tables.behind(struct, member):
                function.calls |= self._by_name.get(name, set())
            if self._tables.is_integrators(struct, member):
                function.ops.add(member if struct else UNKNOWN)
        elif target in self.functions:
            function.calls.add(target)
        else:
            function.outside.add(target)

    def unknown_calls(self):
        """Names of functions with an indirect call that is not `receiver->member(...)`."""
        return sorted(function.name for function in self.functions.values()
                      if UNKNOWN in function.ops)

    def find(self, name):
        """The function of that name, or None."""
        return self.functions.get(name)

    def cycles(self):
        """Groups of functions that call each other, directly or not."""
        order, low, stack, found = {}, {}, [], []

        def visit(title):
            order[title] = low[title] = len(order)
            stack.append(title)
            for callee in sorted(self.functions[title].calls):
                if callee not in order:
                    visit(callee)
                    low[title] = min(low[title], low[callee])
                elif callee in stack:
                    low[title] = min(low[title], order[callee])
            if low[title] == order[title]:
                group = stack[stack.index(title):]
                del stack[stack.index(title):]
                if len(group) > 1 or title in self.functions[title].calls:
                    found.append(sorted(group))

        for title in sorted(self.functions):
            if title not in order:
                visit(title)
        return found

    def reachable(self, title):
        """Titles of everything that a call of `title` can run, itself included."""
        seen, todo = set(), [title]
        while todo:
            current = todo.pop()
            if current not in seen:
                seen.add(current)
                todo += self.functions[current].calls
        return seen

    def worst_stack(self, title, known=None):
        """Bytes of the deepest path from `title`; the graph must have no cycle."""
        known = {} if known is None else known
        if title not in known:
            function = self.functions[title]
            known[title] = function.stack + max(
                (self.worst_stack(callee, known) for callee in function.calls), default=0)
        return known[title]
