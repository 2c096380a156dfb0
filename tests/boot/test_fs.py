# SPDX-License-Identifier: BSD-2-Clause
"""Many processes at a file system; then e2fsck judges, and every file equals its model."""
import os

import pytest

from conftest import ROOT_OFFSET, fsck

SECONDS = int(os.environ.get("GNOMON_FS_SECONDS", "80"))


@pytest.mark.parametrize("build,smp,mem", [("release", 4, "256M"), ("debug", 4, "64M")])
def test_model(machine, disk, build, smp, mem):
    """fsmodel: create, rename, truncate, map, write and delete from 8 processes."""
    seconds = SECONDS if build == "release" else SECONDS // 2
    one = machine(disk, build=build, smp=smp, mem=mem)
    one.good("mkdir -p /root/model")
    out = one.good(f"fsmodel -p 8 -t {seconds} -d /root/model", timeout=seconds + 600)
    assert "FAIL" not in out
    one.power_off()
    fsck(disk, ROOT_OFFSET)
    # the model survives the power cycle: every file is compared once more
    one = machine(disk, smp=smp, mem=mem)
    one.good("fsmodel -c -p 8 -d /root/model", timeout=600)
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_disk_full(machine, disk):
    """ENOSPC fails the write; nothing else breaks, and the space comes back."""
    one = machine(disk)
    out, status = one.run("dd if=/dev/zero of=/root/big bs=65536 count=10000", timeout=600)
    assert status != 0, out
    one.good("rm /root/big && sync")
    one.good("dd if=/dev/zero of=/root/again bs=65536 count=500 && rm /root/again", timeout=600)
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_many_names(machine, disk):
    """A name in a directory of many costs what it costs in one of few, also when the caches are too small for all."""
    one = machine(disk, smp=1, mem="64M", qemu_args="-icount shift=0,sleep=off")
    out = one.good("dirtest -f /root/many 2000 30000", timeout=600)
    few, many = ([float(x) for x in line.split()] for line in out.splitlines()[-2:])
    assert (few[0], many[0]) == (2000, 30000)
    # thousands of instructions, in steps of 5
    for name, small, large in zip(("make", "stat", "absent", "cold", "list", "unlink"), few[1:], many[1:]):
        assert large < 3 * small + 20, f"{name}: {out}"
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_reads_ahead_by_calls(machine, disk):
    """Who reads 2 MiB of a file in calls of 1 MiB finds most of the next MiB read ahead, by large requests; with calls of 4 KiB, 128 KiB."""
    one = machine(disk, smp=1, mem="128M")
    one.good("dd if=/dev/urandom of=/root/f bs=64k count=128; sync")
    taken = {}
    for size, count in (("1024k", 2), ("4k", 512)):
        one.good("echo 3 >/proc/sys/vm/drop_caches; ls /root/f; dd if=/dev/null of=/dev/null; cat /proc/diskstats")
        before, after = ([int(n) for n in one.good(f"{command}; sleep 1; cat /proc/diskstats").split(" vda ")[1].splitlines()[0].split()]
                         for command in (":", f"dd if=/root/f of=/dev/null bs={size} count={count}"))
        taken[size] = after[0] - before[0], (after[2] - before[2]) // 2  # requests, KiB
    few, much = taken["1024k"]
    many, little = taken["4k"]
    assert few <= 18 and 2800 <= much <= 3300 and many >= 17 and 2048 <= little <= 2400, taken
    one.power_off()


def test_unlinked_but_open(machine, disk):
    """A deleted file that is open can be read, and its blocks come back afterwards."""
    one = machine(disk)
    one.good("echo kept >/root/f; exec 3</root/f; rm /root/f; cat <&3 | grep kept; exec 3<&-")
    one.power_off()
    fsck(disk, ROOT_OFFSET)
