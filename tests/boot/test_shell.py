# SPDX-License-Identifier: BSD-2-Clause
"""The project's own shell and tools."""
import pytest

from conftest import ROOT_OFFSET, fsck

# command line, output, exit status
CASES = [
    ("echo hello", "hello", 0),
    ("true", "", 0),
    ("false", "", 1),
    ("no_such_program_here 2>/dev/null", "", 127),
    ("echo a b | cat", "a b", 0),
    ("echo one; echo two", "one\ntwo", 0),
    ("false || echo or; true && echo and", "or\nand", 0),
    ("h=x; echo 'single $h' \"double $h\"", "single $h double x", 0),
    ("x=5; echo $x \"$x\" '$x'", "5 5 $x", 0),
    ("for i in 1 2 3; do echo $i; done", "1\n2\n3", 0),
    ("i=; while test \"$i\" != xxx; do i=x$i; done; echo $i", "xxx", 0),
    ("if false; then echo yes; else echo no; fi", "no", 0),
    ("echo out >/tmp/o; echo more >>/tmp/o; cat </tmp/o", "out\nmore", 0),
    ("ls /no/such 2>/tmp/err; test -s /tmp/err && echo said", "said", 0),
    ("mkdir /tmp/g; cd /tmp/g; echo >b; echo >a; echo *; cd /", "a b", 0),
    ("mkdir -p /root/d/e/f && ls /root/d/e && rm -r /root/d && ls /root/d 2>/dev/null || echo gone",
     "f\ngone", 0),
    ("echo text >/root/one && cp /root/one /root/two && mv /root/two /root/three && cat /root/three",
     "text", 0),
    ("ln /root/one /root/hard && ln -s one /root/soft && cat /root/hard /root/soft", "text\ntext", 0),
    ("sh -c 'exit 9'", "", 9),
    ("sh -c 'kill -9 $$'", None, 137),
    ("echo '#!/bin/sh' >/root/s; echo 'echo script $1' >>/root/s; chmod +x /root/s; /root/s arg",
     "script arg", 0),
    ("mmapcopy /root/one", "text", 0),
]


@pytest.mark.parametrize("build", ["release", "debug"])
def test_commands(machine, disk, build, record_property):
    one = machine(disk, build=build)
    wrong = []
    for command, want, status in CASES:
        out, got = one.run(command)
        if got != status or (want is not None and out != want):
            wrong.append(f"{command}: {out!r} and {got}, not {want!r} and {status}")
    record_property("tap", {"passed": len(CASES) - len(wrong), "skipped": 0, "failed": wrong})
    one.power_off()
    fsck(disk, ROOT_OFFSET)
    assert not wrong, "\n".join(wrong)


TOOLS = ["ps", "free", "vmstat", "mount", "df", "dmesg", "ls -l /", "cat /proc/self/maps",
         "cat /proc/self/status", "cat /proc/meminfo", "cat /proc/vmstat", "cat /proc/mounts",
         "cat /proc/self/stat", "cat /proc/cpuinfo", "cat /proc/uptime", "memmap $$"]


def test_tools(machine):
    one = machine()
    for tool in TOOLS:
        assert one.good(tool), f"{tool} printed nothing"
    one.power_off()


def test_interrupt_character(machine):
    """Ctrl-C ends the foreground program with SIGINT, and the shell goes on."""
    one = machine()
    one.send("sh -c 'echo run\"\"ning; exec sleep 1000'\n")
    one.expect(r"running\r*\n")
    one.ctrl("c")
    one.wait_prompt()
    assert one.good("echo alive") == "alive"
    one.power_off()


def test_jobs(machine):
    one = machine()
    one.good("sleep 1000 &")
    assert "sleep" in one.good("jobs")
    assert "sleep" in one.good("ps")
    one.good("kill %1 || kill $!")
    one.run("wait")
    assert "sleep" not in one.good("ps")
    one.power_off()


def test_stop_and_continue(machine):
    """Ctrl-Z stops the foreground job; fg goes on with it."""
    one = machine()
    one.send("sh -c 'echo run\"\"ning; exec cat'\n")
    one.expect(r"running\r*\n")
    one.send("marker-line\n")
    # once typed and once by cat: it runs
    one.expect("marker-line\r*\n")
    one.expect("marker-line\r*\n")
    one.ctrl("z")
    one.wait_prompt()
    assert "cat" in one.good("jobs")
    one.send("fg\n")
    one.expect(r"\n[^\n]*cat[^\n]*\n")
    one.send("second-line\n")
    one.expect("second-line\r*\n")
    one.expect("second-line\r*\n")
    one.ctrl("d")
    one.wait_prompt()
    one.power_off()


def test_line_editing_and_history(machine):
    one = machine()
    one.good("echo first-command")
    # a typing error mended with backspace
    one.send("echo mistaje\x7f\x7fke\n")
    one.expect(r"\nmistake\r*\n")
    one.wait_prompt()
    # cursor up brings it back
    one.send("\x1b[A\n")
    one.expect(r"\nmistake\r*\n")
    one.wait_prompt()
    one.power_off()
