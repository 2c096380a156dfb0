# SPDX-License-Identifier: BSD-2-Clause
"""Power cuts with a disk that has a volatile write cache.

QEMU's blklogwrites records every write and flush of a load (user/tests/crashload.c).
From that record the disk is put together as a cut at a random moment leaves it:
everything up to the last flush before, and of later writes any, or any sectors of
them.  e2fsck -p has to repair it without asking, and what crashload noted as promised
(in a partition of the same disk, so in the same order) has to be there.

GNOMON_CRASH_CUTS: how many; GNOMON_SEED (1) chooses load and cuts.
"""
import os
import pathlib
import random
import shutil
import struct
import subprocess

import pytest

from conftest import fsck

CUTS = int(os.environ.get("GNOMON_CRASH_CUTS", "30"))
SECONDS = int(os.environ.get("GNOMON_CRASH_SECONDS", "15"))
SEED = int(os.environ.get("GNOMON_SEED", "1"))
PROCS = 4
SECTOR = 512
FS_START, FS_SIZE = 1 << 20, 48 << 20
RECORD_START, REGION = FS_START + FS_SIZE, 1 << 20
FLUSH, FUA, DISCARD = 1, 2, 4


def make_disk(path, block):
    """GPT: a bare ext2, and room for the record."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    subprocess.run(["mkfs.ext2", "-q", "-b", str(block), str(part), f"{FS_SIZE >> 20}M"], check=True)
    with open(path, "wb") as file:
        file.truncate(RECORD_START + PROCS * REGION + (1 << 20))
    table = (f"label: gpt\nstart={FS_START >> 20}MiB, size={FS_SIZE >> 20}MiB\n"
             f"start={RECORD_START >> 20}MiB, size={PROCS * REGION >> 20}MiB\n")
    subprocess.run(["sfdisk", "-q", str(path)], input=table, text=True, check=True)
    subprocess.run(["dd", f"if={part}", f"of={path}", "bs=1M", f"seek={FS_START >> 20}",
                    "conv=notrunc,sparse", "status=none"], check=True)
    part.unlink()
    return path


def read_log(path):
    """Entries (offset, data), data None for a flush; the header may be older than they are."""
    entries = []
    with open(path, "rb") as file:
        magic, version, _, unit = struct.unpack("<QQQI", file.read(28))
        assert magic == 0x6A736677736872 and version == 1
        at = unit
        while True:
            file.seek(at)
            head = file.read(32)
            if len(head) < 32:
                break
            sector, count, flags, length = struct.unpack("<QQQQ", head)
            if not (count or flags or length):
                break
            at += unit
            assert not flags & DISCARD
            if flags & FLUSH:
                entries.append((0, None))
            if count:
                file.seek(at)
                data = file.read(count * unit)
                if len(data) < count * unit:
                    break
                entries.append((sector * unit, data))
                at += count * unit
            if flags & FUA:
                entries.append((0, None))
    return entries


def write_some(file, entry, choice, torn):
    """A write, or if torn some of its sectors."""
    offset, data = entry
    for k in range(0, len(data), SECTOR if torn else len(data)):
        if not torn or choice.random() < 0.5:
            file.seek(offset + k)
            file.write(data[k:k + SECTOR] if torn else data)


def byte_text(seed, size, first=0, end=0):
    """What crashload writes: zeros from first to end."""
    out = bytearray()
    for word in range((size + 3) // 4):
        value = ((seed + word) * 2654435761) & 0xFFFFFFFF
        value ^= value >> 15
        out += struct.pack("<I", value)
    end = min(end, size)
    if first < end:
        out[first:end] = bytes(end - first)
    return bytes(out[:size])


def promises(record):
    """path -> list of contents (seed, size, zeros) of which one must be there; paths of renames are one tuple."""
    kept = {}
    for k in range(0, len(record), SECTOR):
        line = record[k:k + SECTOR].rstrip(b"\0").decode("ascii", "replace").split()
        if not line:
            break
        what, name = line[0], line[1]
        old = [paths for paths in kept if name in paths]
        text = kept.pop(old[0]) if old else None
        if what == "keep":
            kept[(name,)] = [(int(line[3]), int(line[2]), int(line[4]), int(line[5]))]
        elif what == "either" and text:
            kept[old[0] + (line[2],)] = text
        elif what == "replace" and text:
            kept[old[0]] = text + [(int(line[3]), int(line[2]))]
    return kept


def check_promises(image, folder):
    """All promises of the record in the image hold for the files dumped into folder."""
    count = 0
    with open(image, "rb") as file:
        for number in range(PROCS):
            file.seek(RECORD_START + number * REGION)
            record = file.read(REGION)
            for paths, texts in promises(record).items():
                count += 1
                found = [folder / f"p{number}" / path for path in paths]
                found = [path.read_bytes() for path in found if path.exists()]
                good = any(data == byte_text(*text) for data in found for text in texts)
                assert good, (f"process {number}: {paths} should be {texts}, is "
                              f"{[len(data) for data in found] or 'gone'}")
    return count


def judge(image, folder):
    """e2fsck -p, then the promises; how many there were."""
    part = image.with_suffix(".fs")
    subprocess.run(["dd", f"if={image}", f"of={part}", "bs=1M", f"skip={FS_START >> 20}",
                    f"count={FS_SIZE >> 20}", "conv=sparse", "status=none"], check=True)
    before = image.with_suffix(".before")
    shutil.copyfile(part, before)
    done = subprocess.run(["e2fsck", "-p", str(part)], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode <= 1, f"e2fsck -p: {done.returncode}\n{done.stdout}\n(image: {before})"
    fsck(part)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    subprocess.run(["debugfs", "-R", f"rdump / {folder}", str(part)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    count = check_promises(image, folder)
    part.unlink()
    before.unlink()
    return count


def cut_all(entries, disk, work, cuts):
    """Judges disks cut at random entries; `disk` is the one before the first entry."""
    choice = random.Random(SEED)
    print(f"seed {SEED}: {len(entries)} writes and flushes")
    done = total = 0
    for at in sorted(choice.randrange(len(entries) + 1) for _ in range(cuts)):
        flushed = max((k for k in range(done, at) if entries[k][1] is None), default=done)
        with open(disk, "r+b") as file:
            for entry in entries[done:flushed]:
                if entry[1] is not None:
                    write_some(file, entry, choice, False)
        done = flushed
        image = work / "cut.img"
        subprocess.run(["cp", "--sparse=always", str(disk), str(image)], check=True)
        share, torn = choice.choice((0.0, 0.3, 0.7, 1.0)), choice.choice((0.0, 0.3))
        with open(image, "r+b") as file:
            for entry in entries[done:at]:
                if entry[1] is not None and choice.random() < share:
                    write_some(file, entry, choice, choice.random() < torn)
        try:
            total += judge(image, work / "files")
        except AssertionError as error:
            raise AssertionError(f"seed {SEED}, cut after {at} of {len(entries)}: {error}") from error
    return total


@pytest.mark.skipif(os.environ.get("GNOMON_UNDER") == "linux", reason="our own promises")
@pytest.mark.parametrize("build,block", [("release", 4096), ("debug", 1024)])
def test_power_cuts(machine, disk, tmp_path, build, block):
    """A load, its disk cut at many moments."""
    second = make_disk(tmp_path / "second.bin", block)
    start = pathlib.Path(shutil.copyfile(second, tmp_path / "start.bin"))
    log = tmp_path / "log.bin"
    log.touch()
    one = machine(disk, build=build, smp=4, mem="128M", qemu_args=(
        f"-blockdev driver=file,filename={second},node-name=data "
        f"-blockdev driver=file,filename={log},node-name=log "
        "-blockdev driver=blklogwrites,file=data,log=log,node-name=logged "
        "-device virtio-blk-device,drive=logged"))
    name = "vda" if "vdb1" not in one.good("cat /proc/partitions") else "vdb"
    if one.good("mount").count("/dev/vda1"):
        name = "vdb"
    elif "/dev/vdb1" in one.good("mount"):
        name = "vda"
    one.good(f"mount -t ext2 /dev/{name}1 /mnt")
    out = one.good(f"crashload -p {PROCS} -s {SEED & 0xFFFF} -t {SECONDS} /mnt /dev/{name}2",
                   timeout=SECONDS + 300)
    assert "done" in out, out
    one.pull_plug()
    count = cut_all(read_log(log), start, tmp_path, CUTS // 2)
    assert count > CUTS, f"only {count} promises"
    for path in tmp_path.glob("*.bin"):
        path.unlink()
