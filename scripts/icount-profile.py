#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
icount-profile.py [-n N] [-k KERNEL.elf] -- COMMAND - where the guest instructions of a command go.

Boots build/gnomon.bin on one hart, runs the command in the shell, and counts every instruction from its start to its end by the source file of its function
(-s: by function). It needs an image with the command in it: DISK (build/disk.img). QEMU is told to execute one instruction at a time,
so choose a small amount of work: a hundred million instructions take some minutes.
"""
import argparse
import bisect
import collections
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parent.parent
KERNEL = 0xffffffff80000000


def symbols(elf):
    """Sorted addresses, and for each the function and its source file."""
    text = subprocess.run(["riscv64-unknown-elf-nm", "-l", "-n", elf], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True).stdout
    found = []
    for line in text.splitlines():
        word = line.split()
        if len(word) >= 3 and word[1] in "tT":
            source = word[3].rsplit(":", 1)[0] if len(word) > 3 else "assembler"
            found.append((int(word[0], 16), word[2], os.path.relpath(source, TREE) if os.path.isabs(source) else source))
    return found


def run(command, disk, work):
    """Counts by address, and what the command printed."""
    log, monitor = f"{work}/log", f"{work}/monitor"
    os.mkfifo(log)
    line = f'root=/dev/vda1 rw init=/sbin/init console=ttyS0 autorun="sleep 2; echo @START; sleep 2; {command}; echo @END; sleep 1"'
    count = subprocess.Popen(["awk", "-F/", "{ n[$2]++ } END { for (k in n) print n[k], k }", log], stdout=subprocess.PIPE, text=True)
    qemu = subprocess.Popen(
        ["qemu-system-riscv64", "-M", "virt", "-m", "256M", "-smp", "1", "-no-reboot", "-kernel", str(TREE / "build/gnomon.bin"),
         "-append", line, "-drive", f"if=none,id=hd,format=raw,snapshot=on,file={disk}", "-device", "virtio-blk-device,drive=hd",
         "-singlestep", "-icount", "shift=0,sleep=off", "-D", log, "-display", "none", "-serial", "stdio",
         "-monitor", f"unix:{monitor},server,nowait"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    talk, out = None, []
    for text in qemu.stdout:
        text = text.strip()
        if text == "@START":
            talk = socket.socket(socket.AF_UNIX)
            talk.connect(monitor)
            talk.send(b"log exec,nochain\n")
            time.sleep(.2)
        elif text == "@END" and talk:
            talk.send(b"log none\n")
        elif talk:
            out.append(text)
    qemu.wait()
    counts = count.communicate()[0]
    return {int(w[1], 16): int(w[0]) for w in map(str.split, counts.splitlines()) if len(w) == 2}, out


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("-n", type=int, default=25, help="lines")
    parser.add_argument("-s", action="store_true", help="by function")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    found = symbols(TREE / "build/gnomon.elf")
    starts = [address for address, _, _ in found]
    with tempfile.TemporaryDirectory() as work:
        counts, out = run(" ".join(args.command), os.environ.get("DISK", TREE / "build/disk.img"), work)
    where = collections.Counter()
    for pc, n in counts.items():
        if pc < KERNEL:
            where["firmware" if 0x80000000 <= pc < 0x80200000 else "user"] += n
        else:
            _, name, source = found[bisect.bisect_right(starts, pc) - 1]
            where[f"{source}: {name}" if args.s else source] += n
    total = sum(where.values())
    print(*out, sep="\n")
    print(f"{total} instructions")
    for name, n in where.most_common(args.n):
        print(f"{100 * n / max(total, 1):6.1f} % {n:12} {name}")


if __name__ == "__main__":
    sys.exit(main())
