#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Fails on an include that goes up the layers.

A file may include headers of its own folder, of folders on its own line of the
table, and of folders on lines above it.  A header named *_internal.h belongs to
its folder alone.  Includes are written from the root of the tree.
"""
import pathlib
import re
import sys

# lowest first; the folders of one line may include each other
LAYERS = [
    ["sbi", "kernel/lib"],
    ["kernel/riscv", "kernel/sync", "kernel/sched"],
    ["kernel/mem"],
    ["drivers/core"],
    ["drivers/irq", "drivers/clock", "drivers/reset", "drivers/gpio", "drivers/i2c", "drivers/serial", "drivers/block",
     "drivers/mmc", "drivers/soc"],
    ["kernel/vm"],
    ["fs/vfs"],
    ["fs/ext2", "fs/tmpfs", "fs/devfs", "fs/pipe"],
    ["kernel/proc", "fs/tty"],
    ["fs/procfs"],
    ["kernel/ipc"],
    ["kernel/syscall"],
    ["kernel/boot", "kernel/ktest"],
]

# mechanisms that every layer uses, wherever they lie: registering start-up functions
# and command line parameters and self-tests, and stopping
FOR_ALL = {"kernel/boot/init.h", "kernel/boot/params.h", "kernel/boot/panic.h",
           "kernel/boot/ktest.h"}

# (including file or folder, included header): the reason
ALLOWED = {
    ("kernel/sched", "kernel/mem/frame.h"): "stacks of threads are frames",
    ("kernel/sched", "kernel/mem/slab.h"): "threads come from a slab cache",
    ("kernel/sched", "drivers/core/device.h"): "the device tree tells the timer's frequency",
    ("kernel/riscv", "kernel/mem/frame.h"): "page tables are frames",
    ("kernel/riscv", "kernel/mem/slab.h"): "per-hart areas, FPU states and ranges of addresses",
    ("kernel/riscv", "drivers/core/device.h"): "the device tree tells of harts, ISA and interrupts",
    ("kernel/riscv/mmu.c", "kernel/boot/boot.h"): "takes over the page tables of early boot",
    ("kernel/lib/print.c", "kernel/riscv/hart.h"): "a message tells its hart",
    ("kernel/lib/print.c", "kernel/sched/thread.h"): "who holds the message ring",
    ("kernel/lib/print.c", "kernel/sched/time.h"): "a message tells its time",
    ("kernel/lib/random.c", "kernel/sync/spinlock.h"): "the generator's state is shared",
}

# (including folder, folder whose *_internal.h it may see): the reason
KIN = {
    ("kernel/boot", "kernel/riscv"): "starts it, and stops its harts in a panic",
    ("kernel/boot", "kernel/sched"): "starts it, and walks its run queues in a panic",
    ("kernel/riscv", "kernel/sched"): "idle threads and reschedule interrupts",
    ("kernel/sched", "kernel/riscv"): "context switch and timer",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
RANK = {folder: rank for rank, line in enumerate(LAYERS) for folder in line}


def folder_of(path):
    """The longest folder of the table that holds the path, or None."""
    parts = path.split("/")[:-1]
    while parts:
        if "/".join(parts) in RANK:
            return "/".join(parts)
        parts.pop()
    return None


def complaint(path, header):
    """What is wrong with PATH including HEADER, or None."""
    mine, its = folder_of(path), folder_of(header)
    if mine is None:
        return f"{'/'.join(path.split('/')[:-1])} has no line in the table of layers"
    if its is None:
        if not pathlib.Path(header).exists():
            return f'"{header}" is not a path from the root'
        return f"{header} is in no layer"
    if header.endswith("_internal.h") and its != mine and (mine, its) not in KIN:
        return f"{header} is private to {its}"
    if RANK[its] <= RANK[mine] or header in FOR_ALL:
        return None
    if (mine, header) in ALLOWED or (path, header) in ALLOWED:
        return None
    return f"{mine} includes {header}, which is above it"


def main():
    bad = count = 0
    for top in ("sbi", "kernel", "drivers", "fs"):
        for path in sorted(pathlib.Path(top).rglob("*.[chS]")):
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                count += 1
                text = complaint(str(path), match.group(1))
                if text:
                    bad += 1
                    print(f"{path}:{number}: {text}")
    if bad:
        sys.exit(f"check-includes: {bad} of {count} includes are wrong")


main()
