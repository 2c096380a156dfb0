#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Fails on a function over 120 lines or a .c file over 900; prints what is measured.

A function begins at a line that starts a body with { in column one and ends at
the } in column one, which is how this tree is formatted.
"""
import pathlib
import sys

MAX_FUNCTION, MAX_FILE = 120, 900


def functions(lines):
    """(first line, number of lines) of each function body, with its heading."""
    start = heading = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = heading or number
        elif line == "}" and start:
            yield start, number - start + 1
            start = heading = None
        elif line and not line[0].isspace() and line[0] not in "#/*})":
            # a heading, unless it ended without a body; its parameters may go on
            heading = None if line.endswith((";", "}", "{", "*/")) else number
        elif not line:
            heading = None


def main():
    sizes, bad = [], []
    for top in ("sbi", "kernel", "drivers", "fs"):
        for path in sorted(pathlib.Path(top).rglob("*.c")):
            lines = path.read_text("utf-8").splitlines()
            if len(lines) > MAX_FILE:
                bad.append(f"{path}: {len(lines)} lines, at most {MAX_FILE} are wanted")
            for start, length in functions(lines):
                sizes.append(length)
                if length > MAX_FUNCTION:
                    bad.append(f"{path}:{start}: a function of {length} lines, at most {MAX_FUNCTION}")
    sizes.sort()
    if sizes:
        print(f"        {len(sizes)} functions: median {sizes[len(sizes) // 2]} lines, "
              f"p90 {sizes[len(sizes) * 9 // 10]}, longest {sizes[-1]}")
    for line in bad:
        print(line)
    sys.exit(1 if bad else 0)


main()
