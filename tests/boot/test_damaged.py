# SPDX-License-Identifier: BSD-2-Clause
"""Damaged ext2 images, mounted for real, one in four with errors=continue: walked, read, written; the system goes on.

GNOMON_DAMAGED (20) images from GNOMON_SEED (1), in one partition each of a second disk, a hundred at a time.  The
images are those that the fuzzer changes too (tests/fuzz/bases.sh), and the damage names structures, so that most are mounted.
"""
import os
import random
import struct
import subprocess

import pytest

from conftest import ROOT_OFFSET, TREE

COUNT = int(os.environ.get("GNOMON_DAMAGED", "20"))
SEED = int(os.environ.get("GNOMON_SEED", "1"))
PER_DISK = 100
MIB = 1 << 20

USE = r"""
for p in /dev/vd[ab]*; do
	case $p in *[ab]) continue ;; esac
	grep -q "^$p " /proc/mounts && continue
	case $p in $1*) ;; *) continue ;; esac
	n=$((n + 1))
	o=remount-ro; [ $((n % 4)) = 0 ] && o=continue
	mount -t ext2 -o errors=$o $p /mnt || continue
	mounted=$((mounted + 1))
	( ls -la /mnt /mnt/* /mnt/*/*   # not -R: a directory may hold itself
	for f in /mnt/* /mnt/many/* /mnt/sub/* /mnt/sub/deeper/*; do [ -f $f ] && head -c 300000 $f; done
	cp /mnt/sub/indirect /mnt/copy; echo x >/mnt/new; echo y >>/mnt/hello; mkdir /mnt/dir
	cp /bin/sh /mnt/dir/sh; mv /mnt/hello /mnt/dir/moved; ln /mnt/dir/moved /mnt/linked
	rm -r /mnt/many; rm /mnt/sub/sparse; truncate -s 70000 /mnt/sub/deep; ln -s a /mnt/sym; rmdir /mnt/sub
	df; sync ) >/dev/null 2>&1
	umount /mnt || { umount -l /mnt; echo "damaged: $p stays busy"; }
done
echo "damaged: $mounted of $n mounted"
"""


def word(image, at):
    return struct.unpack_from("<I", image, at)[0] if at + 4 <= len(image) else 0


def place(image, block, rng):
    """Where the next change goes: a structure, or now and then anywhere."""
    descriptor = 2048 if block == 1024 else block
    ino = rng.choice((1, 10, 11, 12, 13, rng.randrange(100)))
    inode = word(image, descriptor + 8) * block + ino * struct.unpack_from("<H", image, 1024 + 88)[0]
    kind = rng.randrange(9)
    if kind == 0:
        return 1024 + rng.randrange(264)
    if kind == 1:
        return descriptor + rng.randrange(32)
    if kind < 5:
        return inode + rng.randrange(128)
    if kind < 7:
        return word(image, inode + 40 + 4 * rng.choice((0, 0, 1, 12, 13, 14))) * block + rng.randrange(200)
    if kind == 7:
        return word(image, descriptor + rng.choice((0, 4))) * block + rng.randrange(64)
    return rng.randrange(len(image))


def damaged(rng, bases):
    block = rng.choice((1024, 2048, 4096))
    image = bytearray((bases / f"base{block}.img").read_bytes())
    for _ in range(rng.choice((1, 2, 4, 12))):
        at = place(image, block, rng)
        value = rng.choice((bytes(4), b"\xff" * 4, rng.randbytes(4), bytes([rng.randrange(256)]),
                            struct.pack("<I", rng.randrange(1200)), rng.randbytes(2)))
        if at + len(value) <= len(image):
            image[at:at + len(value)] = value
    return image


def make_disk(path, images):
    """A GPT disk with an image in each partition."""
    with open(path, "wb") as file:
        file.truncate((len(images) + 3) * MIB)
    table = "label: gpt\n" + "".join(f"start={(i + 1) * 2048}, size=2048\n" for i in range(len(images)))
    subprocess.run(["sfdisk", "-q", str(path)], input=table, text=True, check=True, stdout=subprocess.DEVNULL)
    with open(path, "r+b") as file:
        for i, image in enumerate(images):
            file.seek((i + 1) * MIB)
            file.write(image)


def put_script(disk, path):
    path.write_text(USE, "utf-8")
    subprocess.run(["debugfs", "-w", "-f", "-", f"{disk}?offset={ROOT_OFFSET}"], check=True, text=True,
                   input=f"write {path} use.sh\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("first", range(0, COUNT, PER_DISK))
def test_damaged(machine, disk, tmp_path, first):
    subprocess.run(["bash", "tests/fuzz/bases.sh", str(tmp_path)], cwd=TREE, check=True)
    images = [damaged(random.Random(f"{SEED}/{n}"), tmp_path) for n in range(first, min(COUNT, first + PER_DISK))]
    second = tmp_path / "damaged.img"
    make_disk(second, images)
    put_script(disk, tmp_path / "use.sh")
    one = machine(disk, build="debug", smp=4,
                  qemu_args=(f"-drive if=none,id=hd1,format=raw,file={second},snapshot=on "
                             "-device virtio-blk-device,drive=hd1"))
    # the disk of the root has two partitions
    name = "/dev/vda" if "vda3" in one.good("ls /dev") else "/dev/vdb"
    out = one.good(f"sh /use.sh {name}", timeout=1800)
    assert f"of {len(images)} mounted" in out, out[-2000:]
    assert "stays busy" not in out, out[-2000:]
    assert one.good("echo alive") == "alive"
    one.power_off()
