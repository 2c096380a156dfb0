# SPDX-License-Identifier: BSD-2-Clause
"""Damaged disks: a message and a refused mount or an error, never a wild access."""
import random
import re
import struct
import subprocess

import pexpect
import pytest

from conftest import BUILD, make_ext2

MIB = 1 << 20


def patch(image, offset, data):
    with open(image, "r+b") as file:
        file.seek(offset)
        file.write(data)


def superblock(image, offset, fmt, value):
    patch(image, 1024 + offset, struct.pack("<" + fmt, value))


def make_second(tmp_path, name="second.img", block=1024):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for i in range(40):
        (folder / f"sub/file{i}").write_bytes(bytes([i]) * (i * 700))
    (folder / "link").symlink_to("sub/file1")
    return make_ext2(tmp_path / name, folder, size="8M", block=block)


def boot_with(machine, image, **options):
    """The usual system, with the damaged image as its second disk."""
    return machine(build="debug", qemu_args=(f"-drive if=none,id=hd1,format=raw,file={image},snapshot=on "
                                             "-device virtio-blk-device,drive=hd1"), **options)


def second_name(one):
    """QEMU's buses list the last device first: the disk without partitions is the second."""
    names = one.good("ls /dev").split()
    return "/dev/vda" if "vdb1" in names else "/dev/vdb"


DAMAGES = {
    "no magic": lambda i: superblock(i, 56, "H", 0),
    "unknown incompatible feature": lambda i: superblock(i, 96, "I", 0x80000000),
    "block size 2^63": lambda i: superblock(i, 24, "I", 53),
    "no inodes per group": lambda i: superblock(i, 40, "I", 0),
    "no blocks per group": lambda i: superblock(i, 32, "I", 0),
    "blocks per group beyond bitmap": lambda i: superblock(i, 32, "I", 0xffffffff),
    "inodes per group beyond bitmap": lambda i: superblock(i, 40, "I", 0xffffffff),
    "more blocks than the disk": lambda i: superblock(i, 4, "I", 0xfffffff0),
    "inode size 0": lambda i: superblock(i, 88, "H", 0),
    "inode size 3": lambda i: superblock(i, 88, "H", 3),
    "inode size 65535": lambda i: superblock(i, 88, "H", 65535),
    "first data block beyond": lambda i: superblock(i, 20, "I", 0xffffffff),
    "descriptor points beyond the disk": lambda i: patch(i, 2048, struct.pack("<III", *[0xfffffff0] * 3)),
    "descriptors are noise": lambda i: patch(i, 2048, random.Random(2).randbytes(1024)),
    "superblock is noise": lambda i: patch(i, 1024, random.Random(3).randbytes(1024)),
    "empty": lambda i: patch(i, 0, bytes(64 * 1024)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_refused_mount(machine, tmp_path, damage):
    image = make_second(tmp_path)
    DAMAGES[damage](image)
    one = boot_with(machine, image)
    out, status = one.run(f"mount -t ext2 {second_name(one)} /mnt")
    assert status != 0, f"mounted a disk with {damage}"
    assert out, "mount said nothing"
    one.power_off()


@pytest.mark.parametrize("seed", range(12))
def test_noise_in_metadata(machine, tmp_path, seed):
    """Random bytes over metadata: commands may fail, the system must not."""
    rng = random.Random(seed)
    image = make_second(tmp_path, block=(1024, 2048, 4096)[seed % 3])
    for _ in range(40):
        patch(image, rng.randrange(2048, 400 * 1024), rng.randbytes(rng.choice((1, 2, 4, 64))))
    one = boot_with(machine, image)
    one.run(f"mount -t ext2 {second_name(one)} /mnt")
    for command in ("ls -lR /mnt >/dev/null", "cat /mnt/sub/* >/dev/null", "cp /mnt/sub/file9 /mnt/copy",
                    "mkdir /mnt/new", "rm /mnt/sub/file3", "mv /mnt/sub/file4 /mnt/moved",
                    "rm -r /mnt/sub", "df", "sync", "cd /; umount /mnt"):
        one.run(command, timeout=300)
    assert one.good("echo alive") == "alive"
    one.power_off()


def test_directory_with_two_names(machine, tmp_path):
    """An entry that leads back to its own directory, or to one that has another name: no deadlock, no loop."""
    image = make_second(tmp_path)
    subprocess.run(["debugfs", "-w", "-f", "-", str(image)], check=True, text=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, input="ln sub sub/itself\nln <2> sub/root\nmkdir other\nln sub other/sub\n")
    one = boot_with(machine, image)
    one.good(f"mount -t ext2 {second_name(one)} /mnt")
    for command in ("ls -lR /mnt", "rmdir /mnt/sub/itself", "mv /mnt/sub/root /mnt/sub/new", "rm -r /mnt/other",
                    "mv /mnt/sub /mnt/other/sub", "rmdir /mnt/sub/root", "mv /mnt/sub /mnt/sub/itself/x", "umount /mnt"):
        one.run(command)
    assert one.good("echo alive") == "alive"
    one.power_off()


def gpt_damage(kind):
    """A damaged copy of the built disk's partition table (both copies)."""
    def change(image):
        size = image.stat().st_size
        headers = (512, size - 512)
        if kind == "entry count":
            for at in headers:
                patch(image, at + 80, struct.pack("<I", 0xffffffff))
        elif kind == "entry size":
            for at in headers:
                patch(image, at + 84, struct.pack("<I", 1))
        elif kind == "partition beyond the disk":
            patch(image, 1024 + 32, struct.pack("<QQ", 1 << 40, 1 << 41))
            patch(image, size - 33 * 512 + 32, struct.pack("<QQ", 1 << 40, 1 << 41))
        elif kind == "noise":
            for at in headers:
                patch(image, at, random.Random(4).randbytes(512))
    return change


@pytest.mark.parametrize("kind", ["entry count", "entry size", "partition beyond the disk", "noise"])
def test_bad_partition_table(machine, disk, kind):
    """No root can be found: the kernel says so and stops; it reads nothing it should not."""
    gpt_damage(kind)(disk)
    one = machine(disk, build="debug", wait=False)
    one.child.expect("PANIC:[^\n]*\n")
    assert re.search(r"root|vda1", one.child.after), one.child.after
    one.child.expect(pexpect.EOF)


@pytest.mark.parametrize("what", ["truncated", "entry outside", "noise after header", "huge segment",
                                  "not a program"])
def test_bad_program(machine, tmp_path, what):
    """execve of a damaged program fails with an error or the program dies; never the kernel."""
    folder = tmp_path / "programs"
    folder.mkdir()
    good = (BUILD / "root/bin/sh").read_bytes()
    bad = bytearray(good)
    if what == "truncated":
        bad = bad[:100]
    elif what == "entry outside":
        bad[24:32] = struct.pack("<Q", 0xffffffffffff0000)
    elif what == "noise after header":
        bad[64:600] = random.Random(5).randbytes(536)
    elif what == "huge segment":
        phoff = struct.unpack_from("<Q", bad, 32)[0]
        bad[phoff + 40:phoff + 48] = struct.pack("<Q", 1 << 62)
    else:
        bad = bytearray(b"\x7fELF but not really\n")
    (folder / "bad").write_bytes(bad)
    (folder / "bad").chmod(0o755)
    image = make_ext2(tmp_path / "programs.img", folder, size="8M")
    one = boot_with(machine, image)
    one.good(f"mount -t ext2 {second_name(one)} /mnt")
    _, status = one.run("/mnt/bad </dev/null")
    assert status != 0
    assert one.good("echo alive") == "alive"
    one.power_off()
