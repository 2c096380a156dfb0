# SPDX-License-Identifier: BSD-2-Clause
"""mmaptest and the other TAP programs of user/tests, on real shapes of machines."""
import pytest

from conftest import ROOT_OFFSET, TREE, fsck

SHAPES = [("release", 1, "256M"), ("release", 4, "256M"), ("debug", 4, "256M"), ("debug", 2, "64M")]


@pytest.mark.parametrize("build,smp,mem", SHAPES)
def test_mmaptest(machine, disk, tap, build, smp, mem):
    one = machine(disk, build=build, smp=smp, mem=mem)
    out, status = one.run("mmaptest", timeout=600)
    tap(out)
    assert status == 0
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_tmpfs(machine, tap):
    """Its files on a tmpfs."""
    one = machine(build="debug", smp=4)
    one.good("mount -t tmpfs none /mnt")
    out, status = one.run("mmaptest -d /mnt", timeout=600)
    tap(out)
    assert status == 0
    one.good("umount /mnt")
    one.power_off()


def programs():
    """Programs of user/tests that print TAP: those that say so in their first comment."""
    found = []
    for path in sorted((TREE / "user/tests").glob("*")):
        source = path if path.suffix == ".c" else path / "main.c"
        if path.stem in ("mmaptest", "fsmodel") or not source.is_file():
            continue
        if "TAP" in source.read_text("utf-8")[:2000]:
            found.append(path.stem)
    return found


@pytest.mark.parametrize("program", programs())
def test_program(machine, disk, tap, program):
    one = machine(disk, build="debug", smp=4)
    out, status = one.run(program, timeout=600)
    tap(out)
    assert status == 0
    one.power_off()
    fsck(disk, ROOT_OFFSET)
