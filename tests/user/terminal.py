#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""terminal.py QEMU SH: job control, interrupts and line editing of the shell on a terminal."""
import os
import re
import signal
import sys
import tempfile
import time

import pexpect

child = None
PROMPT = "@@ "
QEMU = "qemu-riscv64"


def run(keys, *wanted):
    """Types a line; after its echo, the wanted texts must come, then a new prompt."""
    child.send(keys + "\r")
    child.expect_exact("\r\n")
    for text in wanted:
        child.expect_exact(text)
    child.expect_exact("\r" + PROMPT + "\x1b[K")


def processes(field, value):
    """The names of the processes with this parent (field 0) or in this process group (1), sorted."""
    names = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
                name, *numbers = re.match(r"\d+ \((.*)\) \S (\d+) (\d+)", file.read()).groups()
        except OSError:
            continue
        if int(numbers[field]) == value:
            names.append(name)
    return sorted(names)


def settle(field, value, names):
    """Waits until those programs run: a signal that comes while qemu-riscv64 executes another program is lost."""
    end = time.monotonic() + 60
    while processes(field, value()) != sorted(names):
        assert time.monotonic() < end, processes(field, value())
        time.sleep(0.02)


def start(keys, text, *names):
    """Types a line whose command stays in the foreground once it has printed text and, if given, those programs run."""
    child.send(keys + "\r")
    child.expect_exact("\r\n")
    child.expect_exact(text)
    if names:
        settle(1, lambda: os.tcgetpgrp(child.child_fd), names)


def control(letter, *wanted):
    child.sendcontrol(letter)
    for text in wanted:
        child.expect_exact(text)
    child.expect_exact("\r" + PROMPT + "\x1b[K")


def jobs():
    run("sleep 1000 &", "[1] ")
    settle(0, lambda: child.pid, ["sleep"])
    run("jobs", "[1]+  Running", "sleep 1000 &")
    run("kill %1; wait %1; echo s$?", "s143")
    start("sh -c 'echo up; exec sleep 1000'", "up\r\n", "sleep")
    control("c", "\r\n")
    run("echo s$?", "s130")
    start("sh -c 'echo up; exec sleep 1000'", "up\r\n", "sleep")
    control("z", "Stopped")
    run("echo s$?", "s148")
    run("bg", "Running")
    start("fg", "sleep 1000'\r\n")
    control("c", "\r\n")
    run("jobs; echo none", "none\r\n")


def pipelines():
    start("sh -c 'echo up; cat' | cat", "up\r\n", "cat", "cat", QEMU)
    control("z", "Stopped")
    start("fg", "| cat\r\n")
    child.send("text\r")
    child.expect_exact("text\r\ntext\r\n")
    control("d")
    run("cat &", "[1] ")
    run("wait %1; jobs", "Stopped")
    run("kill %1; wait %1; echo s$?", "s143")
    start("while true; do echo loop; sleep 1; done", "loop\r\n", "sleep")
    control("c", "\r\n")
    run("echo s$?", "s130")
    start("echo up; while :; do :; done", "up\r\n")
    control("c")
    run("echo s$?", "s130")


def editing(directory):
    left, right, up, down = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
    run("echo abc" + left * 2 + "x", "axbc\r\n")
    run("bc\x01" + "echo a\x05d", "abcd\r\n")
    run("ho f\x1b[Hec\x1b[Foo", "foo\r\n")
    run("echo one two\x17three", "one three\r\n")
    run("junk\x15echo clean", "clean\r\n")
    run("echo keep cut" + left * 4 + "\x0b", "keep\r\n")
    run("echo ab" + left + "\x7f", "b\r\n")
    run("echo ab" + left + "\x1b[3~", "a\r\n")
    run("echo first", "first\r\n")
    run("echo second", "second\r\n")
    run(up + up, "first\r\n")
    run("typed\x15" + up, "first\r\n")
    open(os.path.join(directory, "unique-name"), "w").close()
    os.mkdir(os.path.join(directory, "unique-dir"))
    run("echo uni\tn\t", "unique-name \r\n".replace(" ", ""))
    run("ech\t unique-d\t", "unique-dir/\r\n")
    child.send("echo unique-\t\t")
    child.expect_exact("unique-dir/")
    child.expect_exact("unique-name")
    control("c", "^C")
    run("echo " + "x" * 200 + "y", "x" * 200 + "y\r\n")
    run("echo 'a\rb'", "a\r\nb\r\n")
    run("cat <<E\r$((6*7))\rE", "42\r\n")


def errors():
    run("echo ${nope?unset here}", "unset here")
    run("echo s$?", "s2")
    run("if; echo no", "syntax error")
    run("readonly r=1; r=2", "read only")
    run("f() { for i in 1; do r=3; done; }; f >/dev/null", "read only")
    run("echo alive", "alive\r\n")
    run("sh -c 'kill -SEGV $$'", "Segmentation fault")


def main():
    global child
    qemu, shell = sys.argv[1:3]
    # ignored where this was started by nohup or in a script's background, and what is ignored stays so in all programs begun here
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    with tempfile.TemporaryDirectory() as directory:
        wrapper = os.path.join(directory, "sh")
        with open(wrapper, "w") as f:
            f.write(f'#!/bin/sh\nexec {qemu} {shell} "$@"\n')
        os.chmod(wrapper, 0o755)
        env = {"PATH": directory + ":/usr/bin:/bin", "PS1": PROMPT, "HOME": directory}
        child = pexpect.spawn(qemu, [shell], env=env, cwd=directory, timeout=60, encoding="latin-1")
        child.logfile_read = sys.stdout
        child.expect_exact("\r" + PROMPT + "\x1b[K")
        for part in (jobs, pipelines, lambda: editing(directory), errors):
            part()
        child.sendcontrol("d")
        child.expect(pexpect.EOF)


main()
