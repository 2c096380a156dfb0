# SPDX-License-Identifier: BSD-2-Clause
"""Memory larger than RAM: contents, swapoff under load, what is left behind, headers that lie."""
import re

import pytest

from conftest import ROOT_OFFSET, fsck

SHAPES = [("release", 4, "64M", 96), ("debug", 2, "40M", 48)]


def value(one, path, key):
    out, _ = one.run(f"grep {key} {path}")
    return int(re.search(rf"\b{key}:?\s+(\d+)", out).group(1))


def used(one):
    """Kilobytes of swap in use."""
    return value(one, "/proc/meminfo", "SwapTotal") - value(one, "/proc/meminfo", "SwapFree")


@pytest.mark.parametrize("build,smp,mem,mib", SHAPES)
def test_larger_than_memory(machine, disk, build, smp, mem, mib):
    one = machine(disk, build=build, smp=smp, mem=mem)
    out, status = one.run(f"swaptest -r 1 -m {mib} private fork shared memfd all", timeout=600)
    assert status == 0 and "not ok" not in out, out
    assert value(one, "/proc/vmstat", "pswpout") > 0 and value(one, "/proc/vmstat", "pswpin") > 0
    assert value(one, "/proc/vmstat", "oom_kill") == 0
    # what remains belongs to the shell and init
    assert used(one) < 4096
    out, status = one.run("swapoff -a && cat /proc/swaps")
    assert status == 0 and "/dev/" not in out
    assert value(one, "/proc/meminfo", "SwapCached") == 0
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_swapoff_under_load(machine, disk):
    one = machine(disk, smp=4, mem="64M")
    one.run("dd if=/dev/zero of=/swapfile bs=1M count=64 && mkswap /swapfile")
    out, status = one.run(
        "swaptest -m 80 -r 2 -p 3 private shared & p=$!; "
        "for i in 1 2 3 4 5 6; do swapon /swapfile; sleep 1; swapoff /swapfile; done; wait $p",
        timeout=600)
    assert status == 0 and out.count("\nok - ") == 2, out
    out, status = one.run("cat /proc/swaps; rm /swapfile")
    assert "/swapfile" not in out and status == 0
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_refused(machine, disk):
    one = machine(disk, smp=1)
    for make, why in (
            ("true", "no swap signature"),
            ("mkswap /f; printf 2 | dd of=/f bs=1 seek=1024 conv=notrunc", "version is not 1"),
            ("mkswap /f; truncate -s 80K /f", "more pages than there are"),
            ("rm /f; truncate -s 1M /f; mkswap /f", "has a hole")):
        one.run("rm -f /f; dd if=/dev/zero of=/f bs=4k count=64")
        out, status = one.run(f"{make}; swapon /f")
        assert status == 1 and why in out and "Invalid argument" in out, out
    out, status = one.run("swapon /dev/vda1")
    assert status == 1 and "busy" in out
    out, status = one.run("rm /f; swapoff /dev/vda2 && swapoff /dev/vda2")
    assert status == 1 and "Invalid argument" in out
    one.power_off()
