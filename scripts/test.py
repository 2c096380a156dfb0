#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs every test (make test), or the suites named: build check host user boot.

Each suite counts what passed, failed and was skipped; what it printed is in
build/test-logs/.  The last line has the sums.  A suite that counts nothing has
failed: nothing is left out in silence.

GNOMON_FUZZ_RUNS: inputs for each fuzzer of the host suite (5000).
GNOMON_TESTS: arguments for the boot suite's pytest instead of tests/boot, quoted as in a shell.
"""
import concurrent.futures
import glob
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

LOGS = pathlib.Path("build/test-logs")
PYTHON = "/usr/bin/python3"
FUZZ_RUNS = int(os.environ.get("GNOMON_FUZZ_RUNS", "5000"))
TAP = re.compile(r"^(ok|not ok)\b(.*)$", re.M)


class Count:
    """Sums of one suite, and the names of what failed."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.names = []

    def one(self, name, good):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            self.names.append(name)

    def tap(self, name, text, status):
        """Counts the TAP lines of a program that ended with STATUS."""
        results = [(kind, rest) for kind, rest in TAP.findall(text)]
        for kind, rest in results:
            if re.search(r"#\s*skip", rest, re.I):
                self.skipped += 1
            else:
                self.one(f"{name}: {rest.strip(' -')}", kind == "ok")
        bad = [kind for kind, _ in results if kind == "not ok"]
        plan = re.search(r"^1\.\.(\d+)", text, re.M)
        if plan and int(plan.group(1)) != len(results):
            self.one(f"{name}: {len(results)} results of {plan.group(1)}", False)
        elif not results or (status and not bad):
            self.one(f"{name}: exit status {status}, {len(results)} results", False)


def run(log, command, **env):
    """Runs COMMAND with its output in a log; returns (exit status, output)."""
    path = LOGS / f"{log}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                check=False, env={**os.environ, **env}).returncode
    return status, path.read_text("utf-8", errors="replace")


def tail(text, lines=15):
    for line in text.strip().splitlines()[-lines:]:
        print("    " + line, flush=True)


def make(log, *args):
    """Runs make; prints the end of its output when it fails."""
    env = {name: "" for name in ("MAKEFLAGS", "MFLAGS", "AUTORUN", "APPEND", "QEMU_ARGS", "DISK")}
    status, text = run(log, ["make", "--no-print-directory", f"-j{os.cpu_count()}", *args],
                       MAKELEVEL="1", **env)
    if status:
        tail(text, 30)
    return status, text


def suite_build(count):
    """Both builds, and no warning in any of it: release last, its image is the disk's."""
    for build in ("debug", "release"):
        status, text = make(f"build-{build}", f"BUILD={build}")
        count.one(f"build {build}", status == 0)
        warnings = [line for line in text.splitlines() if "warning:" in line]
        for path in glob.glob(f"build/obj-{build}/**/*.warn", recursive=True):
            warnings += pathlib.Path(path).read_text("utf-8").splitlines()
        count.one(f"build {build} without a warning", not warnings)
        tail("\n".join(warnings))


def suite_check(count):
    for check in ("format", "cppcheck", "locks", "includes", "lock-letters", "lock-order",
                  "size"):
        status, text = make(f"check-{check}", f"check-{check}")
        if status == 0 and "  SKIP  " in text:
            count.skipped += 1
        else:
            count.one(f"check {check}", status == 0)


def stem(path, prefix):
    return os.path.basename(path)[len(prefix):-2]


def fuzz_one(path):
    """A short run of one fuzzer."""
    name = stem(path, "fuzz_")
    return make(f"host/fuzz-{name}", "fuzz", f"TARGET={name}", f"RUNS={FUZZ_RUNS}")


def host_one(path):
    name = "test_" + stem(path, "test_")
    if not os.access(f"build/host/{name}", os.X_OK):
        return None
    return run(f"host/{name}", [f"build/host/{name}"], CMOCKA_MESSAGE_OUTPUT="TAP",
               UBSAN_OPTIONS="print_stacktrace=1")


def suite_host(count):
    status, text = make("host-build", "-k", "host-build")
    count.one("host tests build", status == 0)
    tests, fuzzers = (sorted(glob.glob(pattern))
                      for pattern in ("tests/host/test_*.c", "tests/fuzz/fuzz_*.c"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        fuzzed = pool.map(fuzz_one, fuzzers)
        tested = pool.map(host_one, tests)
    for path, result in zip(tests, tested):
        name = "test_" + stem(path, "test_")
        if not result:
            count.one(f"host {name}: not built", False)
            continue
        before = count.failed
        count.tap(f"host {name}", result[1], result[0])
        if count.failed > before:
            tail(result[1], 30)
    for path, (status, text) in zip(fuzzers, fuzzed):
        done = re.search(r"number_of_executed_units: (\d+)", text)
        count.one(f"fuzz {stem(path, 'fuzz_')}",
                  status == 0 and done and int(done.group(1)) >= FUZZ_RUNS)


def suite_user(count):
    if not os.path.exists("tests/user/run.sh"):
        return
    status, text = run("user", ["bash", "tests/user/run.sh"])
    if TAP.search(text):
        count.tap("user", text, status)
    else:
        count.one("tests/user/run.sh", status == 0)
    if count.failed:
        tail(text, 30)


def start_board():
    """Begins to build the emulated VisionFive 2, unless it is in the cache: the suites before boot leave a processor idle."""
    if os.environ.get("GNOMON_BOARD") == "no" or os.environ.get("QEMU_VISIONFIVE2"):
        return None
    return subprocess.Popen(["nice", "boards/visionfive2/qemu/build.sh"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def board_built(building):
    """Where it could not be built, says why, and its tests are skipped."""
    said = building.communicate()[1] if building else ""
    if building and building.returncode:
        reason = (said.strip().splitlines() or ["build.sh failed"])[-1]
        print(f"boot: the VisionFive 2 is not tested: {reason}", flush=True)
        os.environ["GNOMON_BOARD_REASON"] = reason


def suite_boot(count):
    """pytest; what it counts, TAP lines of guests included, comes back in a file."""
    results = LOGS / "boot.json"
    results.unlink(missing_ok=True)
    targets = shlex.split(os.environ.get("GNOMON_TESTS", "tests/boot"))
    status = subprocess.run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=8",
                             "-n", str(os.cpu_count()), *targets],
                            stdin=subprocess.DEVNULL, check=False,
                            env={**os.environ, "GNOMON_RESULTS": str(results)}).returncode
    if not results.exists():
        count.one(f"boot: pytest ended with {status}", False)
        return
    data = json.loads(results.read_text("utf-8"))
    count.passed += data["passed"]
    count.skipped += data["skipped"]
    count.failed += len(data["failed"])
    count.names += data["failed"]
    if status and not data["failed"]:
        count.one(f"boot: pytest ended with {status}", False)


SUITES = {"build": suite_build, "check": suite_check, "host": suite_host, "user": suite_user,
          "boot": suite_boot}


def main():
    wanted = sys.argv[1:] or list(SUITES)
    unknown = [name for name in wanted if name not in SUITES]
    if unknown:
        sys.exit(f"test: no suite {unknown[0]}; there are {' '.join(SUITES)}")
    LOGS.mkdir(parents=True, exist_ok=True)
    counts, building = [], None
    for name in wanted:
        print(f"== {name}", flush=True)
        count, start = Count(), time.monotonic()
        if "boot" in wanted and not building and name != "build":
            building = start_board()
        if name == "boot":
            board_built(building)
        SUITES[name](count)
        if not (count.passed or count.failed or count.skipped) and name != "user":
            count.one(f"{name}: no test ran", False)
        counts.append(count)
        print(f"-- {name}: {count.passed} passed, {count.failed} failed, {count.skipped} skipped, "
              f"{time.monotonic() - start:.0f} s", flush=True)
    names = [name for count in counts for name in count.names]
    if names:
        print("\nfailed:")
        for name in names:
            print("  " + name)
    passed, failed, skipped = (sum(getattr(count, what) for count in counts)
                               for what in ("passed", "failed", "skipped"))
    last = f"{passed} passed, {failed} failed"
    print("\n" + last + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed else 0)


main()
