# SPDX-License-Identifier: BSD-2-Clause
"""Boots images and talks to them over the UART.

Every test gets its own copy of a disk, and its UART log in build/test-logs/boot/.
Timeouts only detect hangs: HANG is what no working machine needs for one step.

With GNOMON_UNDER=linux the tests run on Debian's Linux instead, to check them.
"""
import json
import os
import pathlib
import re
import subprocess

import pexpect
import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = TREE / "build"
LOGS = BUILD / "test-logs" / "boot"
HANG = int(os.environ.get("GNOMON_HANG", "180"))
CMDLINE = "root=/dev/vda1 rw init=/sbin/init console=ttyS0 swap=/dev/vda2"
PROMPT = r"# "

os.environ["PATH"] += ":/usr/sbin:/sbin"


# ---- results: one pytest test may stand for many TAP lines -------------------------


class Results:
    """Counts on the controller; TAP counts come with the reports from the workers."""

    def __init__(self):
        self.passed = self.skipped = 0
        self.failed = []

    def add(self, report):
        if report.when == "call" or report.outcome != "passed":
            if report.outcome == "passed":
                self.passed += 1
            elif report.outcome == "skipped":
                self.skipped += 1
            else:
                self.failed.append(report.nodeid)
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == "tap":
                    self.passed += value["passed"]
                    self.skipped += value["skipped"]
                    self.failed += [f"{report.nodeid}: {line}" for line in value["failed"]]


RESULTS = Results()


def pytest_runtest_logreport(report):
    RESULTS.add(report)


def pytest_collectreport(report):
    if report.failed:
        RESULTS.failed.append(report.nodeid or "collection")


def pytest_sessionfinish(session):
    path = os.environ.get("GNOMON_RESULTS")
    if path and not hasattr(session.config, "workerinput"):
        pathlib.Path(path).write_text(json.dumps(vars(RESULTS)), "utf-8")


def pytest_collection_modifyitems(items):
    """The files with the longest tests first, so that none of them runs last and alone."""
    items.sort(key=lambda item: not item.path.name.startswith(("test_visionfive2", "test_soak")))


class Tap:
    """What a guest's TAP output says."""

    LINE = re.compile(r"^(ok|not ok)\b[ \t]*(\d*)[ \t]*-?[ \t]*(.*)$")

    def __init__(self, text):
        self.passed = self.skipped = 0
        self.failed = []
        # the kernel's own messages begin with the time
        text = re.sub(r"^\[[ 0-9.]+\] ", "", text.replace("\r", ""), flags=re.M)
        plans = re.findall(r"^1\.\.(\d+)\s*$", text, re.M)
        for line in text.splitlines():
            match = self.LINE.match(line.strip())
            if not match:
                continue
            if re.search(r"#\s*skip", line, re.I):
                self.skipped += 1
            elif match.group(1) == "ok":
                self.passed += 1
            else:
                self.failed.append(match.group(3))
        self.total = self.passed + self.skipped + len(self.failed)
        self.planned = int(plans[-1]) if plans else None

    def check(self, record_property):
        """Records the counts and fails unless there are as many as planned, all good."""
        record_property("tap", {"passed": self.passed, "skipped": self.skipped,
                                "failed": self.failed})
        assert self.total, "no TAP line"
        assert self.planned is not None, "no TAP plan"
        assert self.total == self.planned, f"{self.total} TAP results of {self.planned}"
        assert not self.failed, f"{len(self.failed)} failed: {self.failed}"


@pytest.fixture
def tap(record_property):
    """tap(text): checks TAP output and counts its lines as tests."""
    return lambda text: Tap(text).check(record_property)


# ---- the machine -----------------------------------------------------------------


class Panic(AssertionError):
    """The kernel said PANIC: the text has what followed."""


class Machine:
    """One emulated machine.  UART output in .log, everything so far in .text."""

    def __init__(self, disk, log, *, smp=2, mem="256M", append="", cmdline=CMDLINE,
                 build="release", qemu_args="", boot="", kernel=None, prompt=PROMPT):
        self.prompt, self.log, self.text = prompt, log, ""
        env = {"PATH": os.environ["PATH"], "DISK": str(disk), "SMP": str(smp), "MEM": mem,
               "CMDLINE": f"{cmdline} {append}".strip(), "BOOT": boot, "QEMU_ARGS": qemu_args,
               "KERNEL": str(kernel or BUILD / f"obj-{build}" / "gnomon.bin"), "SERIAL": "mon:stdio"}
        line = TREE / "boards/qemu-virt/run"
        if os.environ.get("GNOMON_UNDER") == "linux" and not boot:
            line = TREE / "scripts/linux-run"
            env["HOME"] = os.environ.get("HOME", "/")
        log.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(log, "w", encoding="utf-8", errors="replace")
        self.child = pexpect.spawn(str(line), env=env, cwd=str(TREE),
                                   encoding="utf-8", codec_errors="replace", timeout=HANG,
                                   echo=False, maxread=65536)
        self.child.logfile_read = self.file
        self.child.delaybeforesend = None
        self.serial = 0

    def expect(self, patterns, timeout=HANG):
        """Waits for one of the regular expressions; returns its number.  A panic fails at once."""
        if isinstance(patterns, str):
            patterns = [patterns]
        got = self.child.expect(["PANIC:", *patterns, pexpect.EOF, pexpect.TIMEOUT], timeout=timeout)
        self.text += self.child.before + (self.child.after if isinstance(self.child.after, str) else "")
        if got == 0:
            raise Panic(self.panic_text())
        if got == len(patterns) + 1:
            raise AssertionError(f"the machine stopped while waiting for {patterns}: {self.end()}")
        if got == len(patterns) + 2:
            raise AssertionError(f"nothing for {timeout} s but waited for {patterns}: {self.end()}")
        return got - 1

    def panic_text(self):
        """The rest of what a panicking kernel prints."""
        try:
            self.child.expect(pexpect.EOF, timeout=30)
        except pexpect.TIMEOUT:
            pass
        return "PANIC:" + (self.child.before or "")[-6000:]

    def end(self):
        """The last lines of output, for messages."""
        return "\n" + "\n".join((self.text + (self.child.before or "")).splitlines()[-12:])

    def wait_prompt(self, timeout=HANG):
        self.expect(self.prompt, timeout)

    def send(self, text):
        self.child.send(text)

    def ctrl(self, letter):
        self.child.send(chr(ord(letter.upper()) - 64))

    def run(self, command, timeout=HANG):
        """Runs a shell command line at the prompt; returns (output, exit status)."""
        self.start(command)
        return self.finish(timeout)

    def start(self, command):
        """Types a command line; its output is between two marks.

        The shell joins the quoted halves of a mark, so the line as typed does not hold it.
        """
        self.serial += 1
        stop = "" if command.rstrip().endswith("&") else ";"
        self.send(f'echo "@b""{self.serial}@"; {command}{stop} echo "@e""{self.serial}@" $?\n')
        self.expect(rf"@b{self.serial}@\r*\n")

    def finish(self, timeout=HANG):
        """Waits for the end of what start() began; returns (output, exit status)."""
        self.expect(rf"@e{self.serial}@ (\d+)\r*\n", timeout)
        status = int(self.child.match.group(1))
        out = self.child.before.replace("\r", "").rstrip("\n")
        self.wait_prompt(timeout)
        return out, status

    def good(self, command, timeout=HANG):
        """The output of a command that must succeed."""
        out, status = self.run(command, timeout)
        assert status == 0, f"{command}: exit status {status}\n{out[-3000:]}"
        return out

    def wait_end(self, timeout=HANG):
        """Waits for the emulator to end; returns its exit status."""
        self.expect_end(timeout)
        self.child.close()
        return self.child.exitstatus

    def expect_end(self, timeout):
        got = self.child.expect(["PANIC:", pexpect.EOF, pexpect.TIMEOUT], timeout=timeout)
        self.text += self.child.before if isinstance(self.child.before, str) else ""
        if got == 0:
            raise Panic(self.panic_text())
        assert got == 1, f"the machine did not power off: {self.end()}"

    def power_off(self, command="poweroff"):
        """Powers off from the shell; the emulator must end with status 0."""
        self.send(command + "\n")
        status = self.wait_end()
        assert status == 0, f"the emulator ended with {status}: {self.end()}"

    def pull_plug(self):
        """Stops the machine at once."""
        self.child.close(force=True)
        self.file.close()


# ---- disks ------------------------------------------------------------------------


ROOT_OFFSET = 1 << 20


def fsck(image, offset=0):
    """e2fsck -fn on a file system in a file; fails with what it says."""
    path = f"{image}?offset={offset}" if offset else str(image)
    done = subprocess.run(["e2fsck", "-fn", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    assert done.returncode == 0, f"e2fsck -fn {image}: {done.returncode}\n{done.stdout[-4000:]}"


def make_ext2(image, folder, size="256M", block=4096, options=()):
    """A bare ext2 file system with the files of a folder."""
    image.unlink(missing_ok=True)
    subprocess.run(["mkfs.ext2", "-q", "-b", str(block), *options, "-E", "root_owner=0:0",
                    "-d", str(folder), str(image), size], check=True)
    return image


def read_back(image, path, to, offset=0):
    """Copies one file out of an ext2 image."""
    source = f"{image}?offset={offset}" if offset else str(image)
    subprocess.run(["debugfs", "-R", f'dump "{path}" "{to}"', source], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return to


def copy_disk(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)], check=True)
    return target


def log_name(nodeid):
    return re.sub(r"[^A-Za-z0-9_.=-]+", "_", nodeid.split("/")[-1]).strip("_")


@pytest.fixture
def disk(tmp_path):
    """A fresh copy of the built disk image; removed again, as it is large."""
    path = copy_disk(BUILD / "disk.img", tmp_path / "disk.img")
    yield path
    path.unlink()


@pytest.fixture
def machine(request, tmp_path):
    """machine(disk=..., smp=..., ...): boots; prompt=None does not wait for a prompt."""
    made, name = [], log_name(request.node.nodeid)

    def boot(disk=None, wait=True, **options):
        if disk is None:
            disk = copy_disk(BUILD / "disk.img", tmp_path / f"disk{len(made)}.img")
        suffix = f".{len(made)}" if made else ""
        one = Machine(disk, LOGS / f"{name}{suffix}.log", **options)
        made.append(one)
        if wait:
            one.wait_prompt()
        return one

    yield boot
    for one in made:
        one.pull_plug()
    for path in tmp_path.glob("*.img"):
        path.unlink()


# ---- other people's programs --------------------------------------------------------


def debian_package(name):
    """The folder of an unpacked riscv64 package, fetched once into a cache."""
    out = subprocess.run([str(TREE / "scripts/debian.py"), name], check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    return pathlib.Path(out.strip())


@pytest.fixture(scope="session")
def busybox():
    """Debian's busybox-static for riscv64, unmodified."""
    return debian_package("busybox-static") / "usr/bin/busybox"


@pytest.fixture(scope="session")
def vmbench(tmp_path_factory):
    """vmbench, built static; shared/ lies beside the tree."""
    source = TREE.parent / "shared/bench/vmbench.c"
    if not source.exists():
        pytest.skip("no ../shared/bench/vmbench.c beside this tree")
    out = tmp_path_factory.mktemp("vmbench") / "vmbench"
    subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-static", "-pthread", "-o", str(out),
                    str(source)], check=True)
    return out
