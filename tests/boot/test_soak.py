# SPDX-License-Identifier: BSD-2-Clause
"""Short runs of what `make soak` does for an hour: the system call fuzzer, and all workloads in a loop.

GNOMON_SOAK: seconds of each (120); GNOMON_SEED: where the seeds come from (1).
"""
import os
import subprocess
import sys

from conftest import ROOT_OFFSET, TREE, fsck

SECONDS = int(os.environ.get("GNOMON_SOAK", "120"))
SEED = int(os.environ.get("GNOMON_SEED", "1"))


def test_sysfuzz(machine, disk):
    """Random and plausible system calls from 8 processes: nothing panics, sticks or leaks."""
    one = machine(disk, build="debug", smp=4, append=f"chaos={SEED},64 audit=16")
    part = max(5, SECONDS // 5)
    for k in range(5):
        out = one.good(f"sysfuzz -s {SEED + k} -p 8 -t {part}", timeout=part + 400)
        assert " 0 stuck" in out, out[-2000:]
        out, status = one.run("leakcheck -a /tmp/counts", timeout=400)
        assert status == 0, out
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_soak():
    done = subprocess.run([sys.executable, "scripts/soak.py", str(SEED), str(SECONDS)], cwd=TREE, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
