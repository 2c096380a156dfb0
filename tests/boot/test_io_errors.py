# SPDX-License-Identifier: BSD-2-Clause
"""A disk that fails writes: for a while, or from some moment on.

QEMU's blkdebug counts writes by its state, and fails those of some states.
GNOMON_SEED (1) is the load's.
"""
import os
import re
import shutil
import subprocess

import pytest

from conftest import TREE, fsck, make_ext2

SEED = int(os.environ.get("GNOMON_SEED", "1"))
SIZE = 24 << 20

pytestmark = pytest.mark.skipif(os.environ.get("GNOMON_UNDER") == "linux", reason="our own promises")


def rules(failing, last):
    """State n is the n-th write: those of `failing` fail once; and all from `last` on, if it is not 0."""
    text = ""
    for n in range(1, max(failing[-1] if failing else 0, last) + 1):
        text += f'[set-state]\nevent = "write_aio"\nstate = "{n}"\nnew_state = "{n + 1}"\n'
    for n in failing:
        text += f'[inject-error]\nevent = "write_aio"\niotype = "write"\nerrno = "5"\nonce = "on"\nstate = "{n}"\n'
    if last:
        text += f'[inject-error]\nevent = "write_aio"\niotype = "write"\nerrno = "5"\nstate = "{last}"\n'
    return text


def boot(machine, disk, tmp_path, block, text, **shape):
    """A machine with an ext2 on a bad second disk; its image and device."""
    image = tmp_path / "bad.img"
    subprocess.run(["mkfs.ext2", "-q", "-b", str(block), str(image), f"{SIZE >> 20}M"], check=True)
    (tmp_path / "rules").write_text(text)
    one = machine(disk, qemu_args=(f"-drive if=none,id=hd1,format=raw,file=blkdebug:{tmp_path / 'rules'}:{image} "
                                   "-device virtio-blk-device,drive=hd1"), **shape)
    return one, image, "vda" if "vda1" not in one.good("cat /proc/partitions") else "vdb"


@pytest.mark.parametrize("build,block", [("debug", 1024), ("release", 4096)])
def test_fails_for_a_while(machine, disk, tmp_path, build, block):
    """Every error is told, and once writes go well again nothing is missing."""
    failing = [*range(40, 90), *range(120, 260), *range(300, 1100)]
    one, image, name = boot(machine, disk, tmp_path, block, rules(failing, 0), build=build, smp=4, mem="128M")
    one.good(f"mount -t ext2 /dev/{name} /mnt")
    out = one.good(f"errtest -s {SEED} load /mnt /model", timeout=600)
    told, others = map(int, re.search(r"done: told (\d+) times, others (\d+) times", out).groups())
    assert told > 5 and others, out
    one.good("umount /mnt")
    assert "are lost" not in one.good("dmesg")
    one.good(f"mount -t ext2 /dev/{name} /mnt")
    assert "good" in one.good("errtest check /mnt /model")
    one.good("umount /mnt")
    one.power_off()
    fsck(image)


def test_fails_for_good(machine, disk, tmp_path):
    """Nothing hangs: sync, remount, umount and power off end and say what is lost; what fsync confirmed before is there."""
    one, image, name = boot(machine, disk, tmp_path, 1024, rules([], 60), build="debug", smp=2, mem="64M")
    one.good(f"mount -t ext2 /dev/{name} /mnt")
    one.good("echo kept >/mnt/kept; sync")
    out, _ = one.run("for i in 1 2 3 4 5 6 7 8 9; do cp /bin/sh /mnt/copy$i; sync; done; echo", timeout=300)
    assert one.run("dd if=/dev/zero of=/mnt/more bs=64k count=30 conv=fsync")[1] != 0
    assert one.run("mount -o remount,ro /mnt")[1] != 0
    # more than memory may hold of it: refused, and nobody is killed for it
    out, status = one.run("dd if=/dev/zero of=/mnt/big bs=64k count=300", timeout=300)
    assert status in (0, 1), out
    out, _ = one.run("umount /mnt; dmesg | tail -30", timeout=300)
    assert re.search(r"inode \d+: \d+ pages of \d+ bytes are lost", out), out
    assert re.search(r"\d+ changed blocks of directories, inodes and maps are lost", out), out
    assert "out of memory" not in one.good("dmesg").lower()
    # again: what it reads is what the disk has; it cannot be written
    one.good(f"mount -t ext2 /dev/{name} /mnt")
    assert one.good("cat /mnt/kept") == "kept"
    assert "ro," in one.good(f"grep {name} /proc/mounts")
    one.power_off()
    repaired = subprocess.run(["e2fsck", "-p", str(image)], check=False, stdout=subprocess.PIPE)
    assert repaired.returncode <= 1, repaired.stdout


def test_power_off_with_errors(machine, disk, tmp_path):
    """Power off with what cannot be written."""
    one, _, name = boot(machine, disk, tmp_path, 4096, rules([], 30), build="debug", smp=2, mem="64M")
    one.good(f"mount -t ext2 /dev/{name} /mnt")
    one.run("for i in 1 2 3 4 5 6 7 8 9; do cp /bin/sh /mnt/copy$i; sync; done; echo", timeout=300)
    one.power_off()
    assert re.search(r"inode \d+: \d+ pages of \d+ bytes are (lost|not written)", one.text), one.end()



@pytest.mark.parametrize("how,later", [("", False), ("remount-ro", False), ("continue", False), ("panic", False), ("continue", True)])
def test_errors_option(machine, disk, tmp_path, how, later):
    """Damage that is met: what the option says that the mount, or later a remount, gave."""
    image = tmp_path / "damaged.img"
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "bad").write_bytes(bytes(3000))
    (folder / "sound").write_bytes(b"sound")
    subprocess.run(["mkfs.ext2", "-q", "-b", "1024", "-d", str(folder), str(image), "4M"], check=True)
    ino = re.search(r"Inode: (\d+)", subprocess.run(["debugfs", "-R", "stat bad", str(image)], check=True, text=True,
                                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout).group(1)
    subprocess.run(["debugfs", "-w", "-R", f"set_inode_field <{ino}> block[0] 3", str(image)], check=True,
                   stderr=subprocess.DEVNULL)
    one = machine(disk, build="debug", qemu_args=(f"-drive if=none,id=hd1,format=raw,file={image} "
                                                  "-device virtio-blk-device,drive=hd1"))
    name = "vda" if "vda1" not in one.good("cat /proc/partitions") else "vdb"
    assert one.run(f"mount -t ext2 -o errors=sometimes /dev/{name} /mnt")[1] != 0
    option = f"errors={how}" if how else "nocheck"
    one.good(f"mount -t ext2 -o {'errors=panic' if later else option} /dev/{name} /mnt")
    if later:
        assert one.run("mount -o remount,errors=sometimes /mnt")[1] != 0
        assert "errors=panic" in one.good("cat /proc/mounts")
        one.good(f"mount -o remount,{option} /mnt")
    if how == "panic":
        one.send("cat /mnt/bad\n")
        with pytest.raises(AssertionError, match="errors=panic"):
            one.expect("never")
        return
    assert one.run("cat /mnt/bad")[1] != 0
    assert (one.run("echo x >/mnt/new")[1] == 0) == (how == "continue")
    assert ("errors=continue" in one.good("cat /proc/mounts")) == (how == "continue")
    assert one.good("cat /mnt/sound") == "sound"
    one.good("umount /mnt")
    one.power_off()
    assert "with errors" in subprocess.run(["dumpe2fs", "-h", str(image)], check=True, text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


@pytest.mark.parametrize("page", [1, 2, 3])
def test_program_is_read_again(machine, disk, tmp_path, page):
    """A page of a program that could not be read once is read again when it is needed: an old error kills nobody."""
    folder, image = tmp_path / "folder", tmp_path / "bad.img"
    folder.mkdir()
    shutil.copy(TREE / "build/root/bin/faulty", folder / "program")
    make_ext2(image, folder, size="8M")
    found = subprocess.run(["debugfs", "-R", f"bmap /program {page}", str(image)], check=True, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    (tmp_path / "rules").write_text(f'[inject-error]\nevent = "read_aio"\niotype = "read"\nerrno = "5"\nonce = "on"\nsector = "{int(found) * 8}"\n')
    one = machine(disk, qemu_args=(f"-drive if=none,id=hd1,format=raw,file=blkdebug:{tmp_path / 'rules'}:{image} "
                                   "-device virtio-blk-device,drive=hd1"))
    out, status = one.run("mount -t ext2 /dev/vda /mnt || mount -t ext2 /dev/vdb /mnt; /mnt/program exit 7")
    assert status == 7 and "unhandled" not in out, out
    assert "read error 5" in one.good("dmesg")
    one.power_off()
