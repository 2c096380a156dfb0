# SPDX-License-Identifier: BSD-2-Clause
"""vmbench, a static Linux program: every row verifies its data and must not FAIL; and scale."""
import re

import pytest

from conftest import make_ext2, fsck

TESTS = ("null_syscall sig_self anon_touch anon_touch_default anon_touch_2thr anon_read anon_dontneed cow "
         "fork_small fork_big fork_big_default fork_exec mmap_munmap mprotect file_write file_read "
         "file_fault")
# the rows that these print
ROWS = ("null_syscall sig_self anon_touch_4k munmap_4k anon_touch_default munmap_default anon_touch_2thr "
        "anon_read_zero anon_write_after_read anon_dontneed cow_fault cow_reuse fork_small fork_big "
        "fork_big_default fork_exec spawn_exec mmap_munmap_4k mmap_munmap_1m mmap_touch_munmap_4k "
        "mprotect_toggle mprotect_split write_new_64k write_over_64k read_4k read_64k "
        "fault_shared_read fault_private_read fault_shared_write fault_private_write").split()


@pytest.mark.parametrize("build,smp", [("release", 1), ("release", 4), ("debug", 2)])
def test_rows(machine, tmp_path, vmbench, record_property, build, smp):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "vmbench").write_bytes(vmbench.read_bytes())
    (folder / "vmbench").chmod(0o755)
    (folder / "work").mkdir()
    image = make_ext2(tmp_path / "vmbench.img", folder, size="256M")
    one = machine(build=build, smp=smp,
                  qemu_args=(f"-drive if=none,id=hd1,format=raw,file={image} "
                             "-device virtio-blk-device,drive=hd1"))
    name = "/dev/vda" if "vdb1" in one.good("ls /dev").split() else "/dev/vdb"
    one.good(f"mount -t ext2 {name} /mnt")
    # the release machine on one hart with vmbench's own sizes, the others with less
    size = "" if (build, smp) == ("release", 1) else "-s 8 -f 8"
    out, status = one.run(f"/mnt/vmbench -r 1 {size} -d /mnt/work {TESTS}", timeout=900)
    good = [row for row in ROWS if any(line.startswith(row + " ") and "FAIL" not in line and
                                       "min=" in line for line in out.splitlines())]
    bad = [row for row in ROWS if row not in good]
    record_property("tap", {"passed": len(good), "skipped": 0, "failed": bad})
    one.good("umount /mnt")
    one.power_off()
    fsck(image)
    assert not bad, f"{bad}\n{out[-3000:]}"
    assert status == 0, out[-3000:]


def test_scale(machine):
    """Two processes beside one: that it measures each kind; what it measures is for an idle machine."""
    one = machine(smp=2)
    out = one.good("scale -r 3")
    rows = re.findall(r"^(\w+) +one +([1-9]\d*)/s two +([1-9]\d*)/s ratio [\d.]+ \(", out, re.M)
    assert [row[0] for row in rows] == "user call fault read same pipe".split(), out
    one.power_off()


def test_scale_needs_two_harts(machine):
    """On one hart it says so, and no worker stays behind."""
    one = machine(smp=1)
    out, status = one.run("scale -r 1 user")
    assert status == 2 and "fewer than 2 harts" in out, out
    assert "scale" not in one.good("ps")
    one.power_off()
