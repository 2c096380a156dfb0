#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Fails on a struct field that does not say which lock guards it.

A struct whose comment above says

    /* Field markings and the corresponding locks:
     * (m) the map's lock   (a) atomic   (c) constant after creation
     */

marks each field with letters of that legend, in a comment that begins on the
line where the field ends:

    u64 start;      /* (m) first byte */
    u32 refs;       /* (a) */
    u64 offset;     /* (m,o) either to read, both to write */
    u32 flags;      /* (o: the backing's lock) a remark may follow the letter */

A nested struct or union marks its inner fields; a marked one (on its closing
line) need not.
"""
import pathlib
import re
import sys

LEGEND = "Field markings and the corresponding locks:"
LETTER = re.compile(r"\(([A-Za-z](?:[,/|+][A-Za-z])*)(?::[^)]*)?\)")
STRUCT = re.compile(r"^\s*(?:typedef\s+|static\s+)*(?:struct|union)\b[^;()]*$")


def legend_at(lines, i):
    """The letters of the legend whose first line is i, and the line after it."""
    text = ""
    while i < len(lines):
        text += lines[i] + "\n"
        i += 1
        if "*/" in lines[i - 1]:
            break
    body = text.split(LEGEND, 1)[1]
    return set(re.findall(r"\(([A-Za-z])\)", body)), i


def split_comment(line, inside):
    """(code, comment, still inside a comment) of one line."""
    code = comment = ""
    while line:
        mark = "*/" if inside else "/*"
        head, found, line = line.partition(mark)
        if inside:
            comment += head
        else:
            code += head
        if found:
            inside = not inside
    return code.split("//")[0], comment + ("" if "//" not in code else code.split("//", 1)[1]), inside


def check_struct(path, lines, i, letters):
    """Complaints about the struct that starts at line i."""
    out, depth, inside, statement, pending = [], 0, False, "", [[]]
    for i in range(i, len(lines)):
        code, comment, inside = split_comment(lines[i], inside)
        marks = [x for m in LETTER.finditer(comment) if not m.start() or not comment[:m.start()].strip()
                 for x in re.split(r"[,/|+]", m.group(1))]
        text = code.strip()
        if text.startswith("#"):
            continue
        statement += " " + text
        if "{" in text and "}" in text:
            text = re.sub(r"\{.*\}", "", text)  # a nested struct on one line is one field
        if "{" in text:
            depth += 1
            pending.append([])
            statement = ""
        if text.startswith("}"):
            depth -= 1
            inner = pending.pop()
            if not depth:
                return out + inner
            if not marks:
                pending[-1] += inner
            statement = ""
        elif text.endswith(";"):
            if not marks:
                pending[-1].append(f"{path}:{i + 1}: no lock letter: {statement.strip()}")
            statement = ""
        for mark in marks:
            if mark not in letters:
                out.append(f"{path}:{i + 1}: letter ({mark}) is not in the legend")
    return out + [f"{path}: struct without end"]


def check_file(path):
    lines = path.read_text("utf-8").splitlines()
    out, count, i = [], 0, 0
    while i < len(lines):
        if LEGEND not in lines[i]:
            i += 1
            continue
        letters, after = legend_at(lines, i)
        if not letters:
            out.append(f"{path}:{i + 1}: a legend without letters")
        i = after
        while i < len(lines) and not STRUCT.match(lines[i]):
            i += 1
        if i == len(lines):
            out.append(f"{path}: a legend without a struct below it")
            break
        count += 1
        out += check_struct(path, lines, i, letters)
    return out, count


def main():
    bad, structs = [], 0
    for top in ("sbi", "kernel", "drivers", "fs"):
        for path in sorted(pathlib.Path(top).rglob("*.[ch]")):
            out, count = check_file(path)
            bad += out
            structs += count
    for line in bad:
        print(line)
    if bad:
        sys.exit(f"check-lock-letters: {len(bad)} complaints about {structs} structs")


main()
