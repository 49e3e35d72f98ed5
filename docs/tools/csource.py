# SPDX-License-Identifier: BSD-3-Clause
"""A small reader of C sources: which comment belongs to which top-level declaration.

It is no parser. It splits a file into comments and code, and the code into top-level pieces
(functions, types, variables, macros, other preprocessor lines), which is what tags need.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.S | re.X,
)
DEFINE = re.compile(r"#\s*define\s+(\w+)")
WORD = re.compile(r"\w+")


@dataclass
class Piece:
    """A top-level piece of code: [start, end) in the file. `name` is '' for unnamed ones."""

    kind: str
    name: str
    start: int
    end: int


@dataclass
class Comment:
    """A comment and where it stands."""

    text: str
    start: int
    end: int


def blank(text):
    """The same number of characters and lines, without content."""
    return re.sub(r"[^\n]", " ", text)


def split(text):
    """Return (comments, code): code has comments and literals blanked, offsets unchanged."""
    comments = []

    def replace(match):
        if match.lastgroup == "comment":
            comments.append(Comment(match.group(), match.start(), match.end()))
            return blank(match.group())
        return '"' + blank(match.group()[1:-1]) + '"'

    return comments, TOKEN.sub(replace, text)


def preprocessor(code):
    """Blank the preprocessor lines of `code`; return (code, pieces)."""
    pieces = []

    def replace(match):
        line = match.group()
        define = DEFINE.match(line.strip())
        start = match.start() + len(line) - len(line.lstrip())
        name = define.group(1) if define else ""
        pieces.append(Piece("macro" if define else "preprocessor", name, start, match.end()))
        return blank(line)

    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", replace, code, flags=re.M), pieces


def flat(chunk):
    """The top level of a declaration: bodies, arguments and attributes reduced to brackets."""
    chunk = re.sub(r"__attribute__\s*\(\(.*?\)\)|_Alignas\s*\(.*?\)", " ", chunk, flags=re.S)
    out, depth = [], 0
    for char in chunk:
        if char in ")}]":
            depth -= 1
        if depth == 0:
            out.append(char)
        if char in "({[":
            depth += 1
    return "".join(out)


def name_of(chunk):
    """(kind, name) of a declaration."""
    top = flat(chunk)
    head = top.split("=")[0]
    body = re.search(r"\b(struct|union|enum)\s+(\w+)\s*\{", head)
    if body and "(" not in head:
        return "type", f"{body.group(1)} {body.group(2)}"
    if "=" in top:
        names = WORD.findall(head.replace("{", " "))
        return "variable", names[-1] if names else ""
    calls = re.findall(r"(\w+)\s*\(", head)
    if calls:
        return "function", calls[-1]
    names = WORD.findall(head)
    return "variable", names[-1] if names else ""


def declarations(code):
    """Top-level declarations of code that has no preprocessor lines."""
    # the opening of an extern "C" block is not a nesting level
    code = re.sub(r'extern\s+"\s*"\s*\{', lambda m: blank(m.group()), code)
    pieces, depth, start = [], 0, None
    for at, char in enumerate(code):
        if start is None:
            if char.isspace() or char in ";}":
                continue
            start = at
        if char in "({[":
            depth += 1
        elif char in ")}]":
            depth = max(depth - 1, 0)
        ends_body = char == "}" and depth == 0 and is_function(code[start : at + 1])
        if depth == 0 and (char == ";" or ends_body):
            kind, name = name_of(code[start : at + 1].rstrip(";"))
            pieces.append(Piece(kind, name, start, at + 1))
            start = None
    return pieces


def is_function(chunk):
    """Whether a chunk that ends in a body is a function's."""
    return re.search(r"\)\s*\{\s*\}?$", flat(chunk)) is not None and "=" not in flat(chunk)


def parse(text):
    """Return (comments, code, pieces in order)."""
    comments, code = split(text)
    rest, pieces = preprocessor(code)
    pieces += declarations(rest)
    return comments, code, sorted(pieces, key=lambda piece: piece.start)


def owner(comment, code, pieces):
    """The piece a comment belongs to: around it, before it on its line, or next after it."""
    line = code.rfind("\n", 0, comment.start) + 1
    for piece in pieces:
        around = piece.start <= comment.start < piece.end
        trailing = line < piece.end <= comment.start
        if around or trailing or piece.start >= comment.end:
            return piece
    return None
