#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the kernel's symbol table for backtraces.

Reads `nm -n` of the kernel on standard input and writes an assembly file with

    ksyms_count         u64     number of symbols
    ksyms_offsets       u32[]   offset from _text, ascending
    ksyms_name_offsets  u32[]   offset into ksyms_names
    ksyms_names                 NUL-terminated strings

in the read-only section .ksyms.  Empty input makes an empty table.
"""
import sys


def text_symbols(lines):
    """(offset, name) of each text symbol at or above _text, one an address."""
    base, found = None, []
    for line in lines:
        parts = line.split()
        if len(parts) != 3:
            continue
        value, kind, name = int(parts[0], 16), parts[1], parts[2]
        if name == "_text":
            base = value
        if kind in "tTwW" and not name.startswith((".L", "$", "__func__")):
            found.append((value, name))
    if base is None:
        if found:
            sys.exit("ksyms: the kernel defines no symbol _text")
        return []
    table = {}
    for value, name in found:
        if 0 <= value - base < 1 << 32:
            old = table.get(value)
            # of several names for one address, linker marks (_text, __start) last
            if old is None or (old.startswith("_") and not name.startswith("_")):
                table[value] = name
    return sorted((value - base, name) for value, name in table.items())


def main():
    symbols = text_symbols(sys.stdin)
    out = ['\t.section .ksyms,"a",@progbits', "\t.balign 8"]

    def label(name):
        out.append(f"\t.globl {name}\n{name}:")

    label("ksyms_count")
    out.append(f"\t.quad {len(symbols)}")
    label("ksyms_offsets")
    out += [f"\t.word {offset:#x}" for offset, _ in symbols]
    label("ksyms_name_offsets")
    at = 0
    for _, name in symbols:
        out.append(f"\t.word {at:#x}")
        at += len(name.encode()) + 1
    label("ksyms_names")
    out += [f'\t.asciz "{name}"' for _, name in symbols]
    out.append("\t.balign 8")
    print("\n".join(out))


main()
