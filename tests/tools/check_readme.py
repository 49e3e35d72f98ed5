#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The code in the README is the code that tests/install compiles and runs.  --write updates it."""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?<=```c\n).*?(?=```)", re.S)
MARK = "/* [embed] */\n"


def snippet():
    """The part of the consumer between the marks."""
    return (TOP / "tests/install/consumer.c").read_text().split(MARK)[1]


def main():
    path = TOP / "README.md"
    text = path.read_text()
    if "--write" in sys.argv:
        path.write_text(BLOCK.sub(lambda _: snippet(), text, count=1))
        return 0
    if BLOCK.search(text).group(0) == snippet():
        return 0
    print("README.md does not show tests/install/consumer.c: run tests/tools/check_readme.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
