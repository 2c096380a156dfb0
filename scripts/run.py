#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the image for `make run`.

Everything comes from the environment: BOARD MEM SMP DISK BOOT QEMU_ARGS go to
boards/$BOARD/run; FDT is the device tree that the card was made with, if any; APPEND is added to the kernel's command line; AUTORUN holds
shell commands that the guest's init runs before it powers off (on boards where U-Boot
limits the command line they go into a file on the card).

Without AUTORUN this becomes the emulator.  With it, all output is passed on, and
the exit status is that of the last command, taken from the line
"autorun: exit status N".  It is 1 if the kernel panics or stops without that line.
"""
import os
import re
import select
import subprocess
import sys
import tempfile
import time

STATUS = re.compile(rb"autorun: exit status (\d+)")
PANIC = b"PANIC:"
# after the last line that matters the machine powers off; longer is a hang
POWER_OFF_SECONDS = 60


def board_cmdline(board):
    """CMDLINE of the board's layout file."""
    script = '. "$1" && printf %s "$CMDLINE"'
    return subprocess.run(["bash", "-c", script, "-", f"{board}/layout.sh"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def quoted(text):
    """TEXT as a quoted value of a kernel parameter: \\ and " get a backslash."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def set_extlinux(board, disk, cmdline, autorun):
    """Puts the command line into the disk's extlinux.conf, for U-Boot; autorun (or None) into /boot/autorun."""
    # U-Boot's macro reader takes one backslash from each run of them, and gives ' and $
    # without one a meaning
    cmdline = re.sub(r"(\\+)", r"\1\\", cmdline)
    cmdline = re.sub(r"(?<!\\)(['$])", r"\\\1", cmdline)
    script = '. "$1" && printf %s "$ROOT_START"'
    start = subprocess.run(["bash", "-c", script, "-", f"{board}/layout.sh"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    with open(f"{board}/extlinux.conf", encoding="utf-8") as file:
        text = file.read().replace("@CMDLINE@", cmdline)
    if os.environ.get("FDT"):
        text += "\tfdt /boot/board.dtb\n"
    files = {"/boot/extlinux/extlinux.conf": text}
    if autorun is not None:
        files["/boot/autorun"] = autorun + "\n"
    with tempfile.TemporaryDirectory(dir="build") as folder:
        requests = ""
        for target, text in files.items():
            path = f"{folder}/{os.path.basename(target)}"
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            requests += f"rm {target}\nwrite {path} {target}\n"
        subprocess.run(["debugfs", "-w", "-f", "-", f"{disk}?offset={int(start) << 20}"],
                       input=requests, text=True, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def watch(process):
    """Passes the output on until the machine stops; returns the exit status."""
    out = process.stdout.fileno()
    seen, status, panic, deadline = b"", None, False, None
    while True:
        timeout = None if deadline is None else max(0, deadline - time.monotonic())
        if not select.select([out], [], [], timeout)[0]:
            process.kill()
            process.wait()
            print("\nrun: the machine did not power off", file=sys.stderr)
            return 1
        data = os.read(out, 65536)
        if not data:
            break
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        # only whole lines are searched: a status may arrive in two parts
        *lines, seen = (seen + data).split(b"\n")
        for line in lines:
            match = STATUS.search(line)
            if match:
                status = int(match.group(1))
            panic |= PANIC in line
        if (status is not None or panic) and deadline is None:
            deadline = time.monotonic() + POWER_OFF_SECONDS
    code = process.wait()
    panic |= PANIC in seen
    if panic:
        print("run: the kernel panicked", file=sys.stderr)
        return 1
    if status is None:
        print(f"run: stopped without an exit status (emulator: {code})", file=sys.stderr)
        return 1
    return status


def main():
    env = os.environ
    board = "boards/" + (env.get("BOARD") or "qemu-virt")
    autorun = env.get("AUTORUN", "")
    words = [board_cmdline(board), env.get("APPEND", "")]
    # U-Boot takes no more than 256 characters where its configuration says so
    in_file = autorun if board.endswith("/visionfive2") else None
    if autorun:
        words.append("autorun=" + quoted("sh /boot/autorun" if in_file else autorun))
    env["CMDLINE"] = " ".join(word for word in words if word)
    if env.get("BOOT") == "uboot" or board.endswith("/visionfive2"):
        env["PATH"] += ":/usr/sbin:/sbin"
        set_extlinux(board, env.get("DISK") or "build/disk.img", env["CMDLINE"], in_file)
    if not autorun:
        os.execv(f"{board}/run", ["run"])
    # standard input is not passed on: nobody is to answer, and no end of input
    # or Ctrl-A of a script is to reach the emulator's monitor
    with subprocess.Popen([f"{board}/run"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as process:
        try:
            return watch(process)
        except KeyboardInterrupt:
            process.kill()
            return 130


sys.exit(main())
