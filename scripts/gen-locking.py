#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Prints docs/locking.md, made from kernel/sync/lockorder.def; --check compares it with the file."""
import pathlib
import re
import sys

DATA = pathlib.Path("kernel/sync/lockorder.def")
PAGE = pathlib.Path("docs/locking.md")
RANK = re.compile(r'^LOCK_RANK\((\w+),\s*(sleep|spin),\s*"([^"]*)",\s*"([^"]*)"\)', re.M)

HEAD = """# Lock order

Generated from `kernel/sync/lockorder.def` by `scripts/gen-locking.py`; do not edit.

A thread takes a lock only if its rank comes after that of every lock it holds. The
run-time checker of debug builds reads the same list. Every spin rank comes after every
sleep rank, because who spins must not sleep. Locks of equal rank are held together only
in the order of the last column.

| # | rank | kind | guards | order among equals |
|---|------|------|--------|--------------------|
"""


def main():
    rows = RANK.findall(DATA.read_text("utf-8"))
    kinds = [kind for _, kind, _, _ in rows]
    if not rows or kinds != sorted(kinds):
        sys.exit("gen-locking: a sleep rank comes after a spin rank")
    text = HEAD + "".join(f"| {n} | `LOCK_{name}` | {kind} | {what} | {same or 'never together'} |\n"
                          for n, (name, kind, what, same) in enumerate(rows, 1))
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text("utf-8") != text:
            sys.exit(f"{PAGE} is not what scripts/gen-locking.py prints")
    else:
        print(text, end="")


main()
