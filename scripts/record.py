#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boots the built image, types commands at the shell's prompt, and draws the session as an SVG.

    scripts/record.py 'uname -a' 'ps' >docs/run.svg

Works on a snapshot of build/disk.img.  What the firmware says before the kernel's first
line is left out; nothing else is changed.
"""
import html
import os
import re
import sys

import pexpect

PROMPT = r"\r\S+ # "
FIRST = "memory: "
CMDLINE = "root=/dev/vda1 rw init=/sbin/init console=ttyS0"
WIDTH, LINE, CHAR, PAD = 100, 17, 7.83, 12


def session(commands):
    """What the UART showed, from the kernel's first line on."""
    env = {**os.environ, "SNAPSHOT": "1", "CMDLINE": CMDLINE, "MEM": "256M", "SMP": "4"}
    child = pexpect.spawn("boards/qemu-virt/run", env=env, encoding="utf-8", timeout=120,
                          codec_errors="replace", dimensions=(50, WIDTH))
    text = ""
    for command in commands + ["poweroff"]:
        child.expect(PROMPT)
        text += child.before + child.after.lstrip("\r")
        child.send(command + "\n")
        child.expect(r"\r\n")
        text += child.before[child.before.rindex(command):] + "\n"
    child.expect(pexpect.EOF)
    text += child.before
    return text[text.index(FIRST):].replace("\n\n", "\n")


def lines_of(text):
    """The lines as a terminal shows them, cut to its width."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")
    out = []
    for line in text.rstrip().split("\n"):
        line = line.expandtabs(8).rstrip()
        out += [line[i:i + WIDTH] for i in range(0, len(line), WIDTH)] or [""]
    return out


def svg(lines):
    width, height = int(WIDTH * CHAR) + 2 * PAD, len(lines) * LINE + 2 * PAD
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
          f'viewBox="0 0 {width} {height}">')
    print(f'<rect width="{width}" height="{height}" rx="6" fill="#16191d"/>')
    print('<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13" fill="#d5d9de">')
    for n, line in enumerate(lines):
        typed = re.match(r"\S+ # .", line)
        style = ' fill="#8fd08f"' if typed else ""
        print(f'<text x="{PAD}" y="{PAD + (n + 1) * LINE - 5}"{style} xml:space="preserve">'
              f"{html.escape(line, quote=False)}</text>")
    print("</g>\n</svg>")


svg(lines_of(session(sys.argv[1:])))
