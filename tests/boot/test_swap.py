# SPDX-License-Identifier: BSD-2-Clause
"""Memory larger than RAM: contents, swapoff under load, what is left behind, headers that lie."""
import hashlib
import os
import re
import struct
import subprocess

import pytest

from conftest import ROOT_OFFSET, TREE, fsck, make_ext2, read_back

PAGE = 4096
AREA = 16 << 20

SHAPES = [("release", 4, "64M", 72), ("debug", 2, "40M", 48)]


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
    one.good("leakcheck -m")
    one.good("swapoff -a")
    one.good("leakcheck -m")
    assert "/dev/" not in one.good("cat /proc/swaps")
    assert value(one, "/proc/meminfo", "SwapCached") == 0
    one.power_off()
    fsck(disk, ROOT_OFFSET)


@pytest.mark.parametrize("build,smp", [("release", 4), ("release", 1), ("debug", 2)])
def test_page_tables_go_too(machine, disk, build, smp):
    """Pages that have a page table each: with those of pages in swap memory would not be enough."""
    one = machine(disk, build=build, smp=smp, mem="64M")
    out, status = one.run("swaptest -r 1 -m 120 sparse", timeout=600)
    assert status == 0 and "not ok" not in out, out
    assert value(one, "/proc/vmstat", "oom_kill") == 0
    assert value(one, "/proc/vmstat", "pagetables_trimmed") > 1000
    one.good("leakcheck -m")
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_interruptions(machine, disk):
    """Pages that several spaces map go many at a time: other harts are interrupted for at most 1 of 20."""
    one = machine(disk, smp=4, mem="64M")
    for kind in ("shared", "file"):
        before = [value(one, "/proc/vmstat", key) for key in ("tlb_shootdown", "pgsteal_kswapd")]
        out, status = one.run(f"swaptest -r 1 -m 72 {kind}", timeout=600)
        assert status == 0 and "not ok" not in out, out
        after = [value(one, "/proc/vmstat", key) for key in ("tlb_shootdown", "pgsteal_kswapd")]
        shootdowns, evicted = after[0] - before[0], after[1] - before[1]
        assert evicted > 10000 and shootdowns * 20 <= evicted, f"{kind}: {shootdowns} for {evicted} pages"
    one.power_off()
    fsck(disk, ROOT_OFFSET)


FULL = os.environ.get("GNOMON_SWAP_FULL")
COPIES = ("(for i in 1 2 3 4 5 6; do dd if=/dev/zero of=copy bs=64k count=512 2>/dev/null; cp copy copy2; "
          "cmp copy copy2 || echo BAD; done) & ")


@pytest.mark.skipif(not FULL, reason="GNOMON_SWAP_FULL is not set")
@pytest.mark.parametrize("build,smp,mem", [("release", 4, "64M"), ("release", 1, "24M"), ("debug", 4, "64M")])
def test_full_size(machine, tmp_path, build, smp, mem):
    """512 MiB of swap, every kind of memory at its full size; GNOMON_SWAP_FULL is the seed."""
    area, data = make_area(tmp_path / "area.img", 512 << 20), tmp_path / "data.img"
    (tmp_path / "empty").mkdir()
    make_ext2(data, tmp_path / "empty", size="1G")
    disks = "".join(f"-drive if=none,id=hd{k},format=raw,file={path} -device virtio-blk-device,drive=hd{k} "
                    for k, path in enumerate((area, data), 1))
    one = machine(cmdline="root=/dev/vda1 rw init=/sbin/init console=ttyS0", qemu_args=disks, build=build, smp=smp, mem=mem)
    one.good("mkdir /data; for d in /dev/vda /dev/vdb /dev/vdc; do swapon $d || mount -t ext2 $d /data; done; cd /data; "
             "grep /data /proc/mounts; grep /dev/vd /proc/swaps")
    for what in ("-p 1 -m 400 private", "-p 8 -m 320 private", "-m 320 fork", "-m 200 shared", "-m 200 memfd",
                 "-m 512 file", "-m 600 all"):
        out, _ = one.run(f"{COPIES if 'all' in what else ''}swaptest -s {FULL} -r 1 {what}; wait", timeout=3600)
        assert "\nok - " in out and "not ok" not in out and "BAD" not in out, out
    assert value(one, "/proc/vmstat", "oom_kill") == 0
    one.good("leakcheck -m; cd /; umount /data; swapoff -a; leakcheck -m")
    one.power_off()
    fsck(data)


@pytest.mark.parametrize("mib", [24, pytest.param(512, marks=pytest.mark.skipif(not FULL, reason="GNOMON_SWAP_FULL is not set"))])
def test_msync_reaches_the_disk(machine, disk, tmp_path, mib):
    """A file that 4 processes map and dirty at random is what msync left, on the disk of a machine that stops then."""
    data = tmp_path / "data.img"
    (tmp_path / "empty").mkdir()
    make_ext2(data, tmp_path / "empty", size="1G")
    one = machine(disk, smp=4, mem="64M", qemu_args=f"-drive if=none,id=hd1,format=raw,file={data} -device virtio-blk-device,drive=hd1")
    one.good("mkdir /data; mount -t ext2 /dev/vda /data || mount -t ext2 /dev/vdb /data; cd /data; grep /data /proc/mounts")
    out, status = one.run(f"swaptest -k -s {FULL or 1} -r 1 -p 4 -m {mib} file", timeout=3600)
    assert status == 0, out
    want = one.good("md5sum swaptest.tmp", timeout=600).split()[0]
    one.pull_plug()
    assert subprocess.run(["e2fsck", "-p", data], check=False, stdout=subprocess.DEVNULL).returncode in (0, 1)
    got = read_back(data, "/swaptest.tmp", tmp_path / "swaptest.tmp")
    assert got.stat().st_size == mib << 20
    with open(got, "rb") as file:
        assert hashlib.file_digest(file, "md5").hexdigest() == want
    got.unlink()


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


def make_area(path, size=AREA):
    path.write_bytes(b"")
    with open(path, "r+b") as file:
        file.truncate(size)
    subprocess.run(["mkswap", "-q", str(path)], check=True, stderr=subprocess.DEVNULL)
    return path


def boot_with(machine, image, driver="raw", **options):
    """The usual system without swap, with one more disk."""
    cmdline = "root=/dev/vda1 rw init=/sbin/init console=ttyS0"
    return machine(cmdline=cmdline, qemu_args=(f"-drive if=none,id=hd1,format={driver},file={image} "
                                               "-device virtio-blk-device,drive=hd1"), **options)


def second_name(one):
    return "/dev/vda" if "vdb1" in one.good("ls /dev").split() else "/dev/vdb"


# what is wrong: offset in the header, bytes, what the kernel says
HEADERS = {
    "no signature": (PAGE - 10, b"SWAPSPACE3", "no swap signature"),
    "old signature": (PAGE - 10, b"SWAP-SPACE", "version 0"),
    "version 2": (1024, struct.pack("<I", 2), "version is not 1"),
    "other byte order": (1024, struct.pack(">I", 1), "other byte order"),
    "no pages": (1028, struct.pack("<I", 0), "last page cannot be"),
    "beyond the device": (1028, struct.pack("<I", AREA // PAGE), "more pages than there are"),
    "2^32 pages": (1028, struct.pack("<I", 0xffffffff), "last page cannot be"),
    "long bad list": (1032, struct.pack("<I", 1000), "longer than the header"),
    "bad page 0": (1032, struct.pack("<I", 1), "names one that cannot be"),
}


def test_names(machine, disk):
    """/proc/swaps has paths that swapoff takes, whatever the area was called when it came in; blanks as in Linux."""
    cmdline = "root=/dev/vda1 rw init=/sbin/init console=ttyS0 mem=64M swap=PARTLABEL=swap"
    one = machine(disk, build="debug", smp=2, mem="256M", cmdline=cmdline)
    assert 48 << 10 < value(one, "/proc/meminfo", "MemTotal") < 64 << 10
    one.good("mkdir /s; ln -s /s /t; dd if=/dev/zero of='/s/a b' bs=1M count=4; cd /t; mkswap 'a b'; swapon './a b'")
    out = one.good("cat /proc/swaps")
    assert re.search(r"^/dev/vda2 +partition\t", out, re.M) and re.search(r"^/s/a\\040b +file\t", out, re.M), out
    one.good("cd /; swapoff -a")
    assert len(one.good("cat /proc/swaps").split("\n")) == 1
    one.power_off()


def test_tags(machine, disk):
    """Areas by what the partition table and their headers call them, from the command line and from fstab."""
    one = machine(disk, cmdline="root=/dev/vda1 rw init=/sbin/init console=ttyS0")
    one.good("swapoff -a; mkswap -L 'it is' /dev/vda2")
    header = one.good("dd if=/dev/vda2 bs=1 skip=1036 count=16 2>/dev/null | hexdump -C")
    digits = "".join(header.split("\n", 1)[0].split("|")[0].split()[1:17])
    uuid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    part = one.good("ls -l /dev/disk/by-partuuid")
    part = re.search(r"(\S+) -> ../../vda2", part).group(1)
    for tag in ("PARTLABEL=swap", f"PARTUUID={part.upper()}", 'LABEL="it is"', f"UUID={uuid}"):
        one.good(f"swapon '{tag}' && grep '^/dev/vda2 ' /proc/swaps && swapoff '{tag}'")
    for tag in ("PARTLABEL=none", "PARTLABEL=", "LABEL=it", "LABEL=", "UUID=it", "UUID="):
        out, status = one.run(f"swapon {tag}")
        assert status != 0 and "no such area" in out, out
    one.good("mkswap -L label /dev/vda2; cp /etc/fstab /tmp/before")
    for tag in ("PARTLABEL=swap", "LABEL=label"):
        one.good(f"(cat /tmp/before; echo '{tag} none swap sw,pri=5 0 0') >/etc/fstab")
        one.good("swapon -a && swapon -a && grep '^/dev/vda2 .*\t5$' /proc/swaps && swapoff -a")
    one.power_off()


def test_damaged_headers(machine, tmp_path):
    """One machine: the header is written by the guest itself, from files made here."""
    area = make_area(tmp_path / "area.img")
    one = boot_with(machine, area, build="debug")
    name = second_name(one)
    one.good(f"dd if={name} of=/tmp/header bs=4096 count=1")
    for what, (offset, data, reason) in HEADERS.items():
        text = "".join(f"\\{byte:03o}" for byte in data)
        one.good(f"printf '{text}' | dd of={name} bs=1 seek={offset} conv=notrunc; sync")
        out, status = one.run(f"swapon {name}")
        assert status != 0 and reason in out, f"{what}: {out}"
        one.good(f"dd if=/tmp/header of={name} bs=4096 count=1 conv=notrunc; sync")
    one.good(f"swapon {name}; grep {name} /proc/swaps; swapoff {name}")
    one.power_off()


def test_no_room(machine, tmp_path):
    """swapoff without room: ENOMEM, and nothing is lost."""
    area = make_area(tmp_path / "area.img", 96 << 20)
    one = boot_with(machine, area, build="debug", mem="64M")
    name = second_name(one)
    one.good(f"swapon {name}")
    one.send("eatmem 90 20 &\n")
    one.expect("eatmem: 90 MiB")
    out, status = one.run(f"swapoff {name}")
    assert status != 0 and "memory" in out.lower(), out
    assert one.run("wait")[1] == 0
    one.good(f"swapoff {name}")
    one.power_off()


OOM_ROUNDS = int(os.environ.get("GNOMON_OOM", "25"))


@pytest.mark.parametrize("build", ["release", "debug"])
def test_out_of_memory(machine, tmp_path, build):
    """Each hog is killed by name, and nobody else, while a bystander checks its memory and a file is copied."""
    rounds = OOM_ROUNDS if build == "release" else max(OOM_ROUNDS // 5, 1)
    area = make_area(tmp_path / "area.img", 8 << 20)
    one = boot_with(machine, area, build=build, smp=4, mem="40M")
    one.good(f"swapon {second_name(one)}")
    script = ("(while [ ! -e /tmp/stop ]; do swaptest -m 4 -p 2 -r 1 private memfd >/tmp/o || echo BAD; "
              "cp /bin/sh /tmp/sh && cmp /bin/sh /tmp/sh || echo BAD; done; echo ended) & "
              f"for i in $(seq {rounds}); do eatmem 0; echo hog $?; done; touch /tmp/stop; wait")
    out, _ = one.run(script, timeout=900)
    assert "BAD" not in out and "ended" in out, out
    assert len(re.findall(r"killing eatmem\[\d+\]", out)) == rounds == out.count("hog 137"), out
    assert len(re.findall("out of memory:", out)) == rounds, out
    # who has nothing but areas has the kernel's memory
    out, _ = one.run("eatmem 10 300 & cp /bin/eatmem /tmp/hog; /tmp/hog areas; echo hog $?; kill %1; wait", timeout=600)
    assert re.search(r"killing hog\[\d+\]", out) and "hog 137" in out and "killing eatmem" not in out, out
    # an adjusted one goes first, however small
    out, _ = one.run("sh -c 'echo 1000 >/proc/self/oom_score_adj; sleep 100' & eatmem 0 & wait; echo", timeout=300)
    assert re.search(r"killing sleep\[\d+\].* oom_score_adj 1000", out), out
    one.power_off()


def faulty_drive(tmp_path, kind, *sectors):
    """A swap area whose disk fails reads or writes, all or those of some sectors."""
    area = make_area(tmp_path / "area.img", 64 << 20)
    rules = tmp_path / "rules"
    rule = f'[inject-error]\nevent = "{kind}_aio"\niotype = "{kind}"\nerrno = "5"\n'
    rules.write_text("".join(f'{rule}sector = "{sector}"\n' for sector in sectors) or rule)
    return f"blkdebug:{rules}:{area}"


def test_read_error(machine, tmp_path):
    """A slot that cannot be read kills who needs that page, and nobody else."""
    bad = range(1000, 16000, 1000)  # one of them may be some idle process's for good
    one = boot_with(machine, faulty_drive(tmp_path, "read", *(slot * 8 for slot in bad)), build="debug", smp=2, mem="40M")
    one.good(f"swapon {second_name(one)}")
    out, _ = one.run("while ! dmesg | grep 'read error'; do eatmem 60; done", timeout=600)
    assert re.search(r"vd[ab]: read error 5 at slot [0-9]+000\b", out), out
    assert out.count("unhandled signal 7") == 1, out
    out, status = one.run("swaptest -m 4 private")
    assert status == 0, out
    one.power_off()


def test_write_error(machine, tmp_path):
    """A slot that cannot be written is not used again; its page stays."""
    one = boot_with(machine, faulty_drive(tmp_path, "write", 1000 * 8), build="debug", smp=2, mem="40M")
    one.good(f"swapon {second_name(one)}")
    check = "swaptest -m 48 -p 3 -r 1 private shared || echo BAD"
    # with others it failed first; alone it is tried when its turn comes, unless it is in use again by then
    out, _ = one.run(f"while ! dmesg | grep 'write error 5 at slot'; do {check}; done; {check}", timeout=900)
    assert "BAD" not in out and "not ok" not in out, out
    found = one.good("dmesg | grep 'write error 5 at slot'")
    assert re.findall(r"at slot (\d+)", found) == ["1000"], found
    one.good(f"swapoff {second_name(one)}")
    assert "/dev" not in one.good("cat /proc/swaps")
    one.power_off()


def test_discard(machine, tmp_path):
    """swapon -d: the device is told of what is not needed, at once and as it comes free; without it, of nothing."""
    area = make_area(tmp_path / "area.img", 64 << 20)
    with open(area, "r+b") as file:
        file.seek(PAGE)
        file.write(b"\x5a" * ((64 << 20) - PAGE))

    def blocks():
        os.sync()  # the host may not have given them places yet
        return area.stat().st_blocks * 512 >> 20

    load = "swaptest -m 64 -r 1 private"
    one = machine(cmdline="root=/dev/vda1 rw init=/sbin/init console=ttyS0", build="debug", smp=2, mem="40M",
                  qemu_args=(f"-drive if=none,id=hd1,format=raw,discard=unmap,file={area} "
                             "-device virtio-blk-device,drive=hd1"))
    name = second_name(one)
    one.good(f"swapon {name}")
    assert blocks() >= 63 and value(one, "/proc/vmstat", "swap_discarded") == 0
    one.good(f"{load}; swapoff {name}; swapon -donce {name}")
    assert blocks() <= 1 and value(one, "/proc/vmstat", "swap_discarded") == (64 << 20) // PAGE - 1
    one.good(f"{load}; swapoff {name}; sync")
    full = blocks()
    # what swaptest had there goes, with nobody waiting for it; pieces too small for a command may stay
    one.good(f"swapon -d {name}; {load}")
    assert full >= 16
    for _ in range(100):
        if blocks() < full / 2:
            break
        one.good("sleep 1")
    assert blocks() < full / 2
    assert value(one, "/proc/vmstat", "swap_discarded") >= 2 * ((64 << 20) // PAGE - 1) + full * 256 / 2
    one.good(f"swapoff {name}")
    one.power_off()
    subprocess.run(["swaplabel", str(area)], check=True, stdout=subprocess.DEVNULL)


def test_overcommit(machine, disk):
    """Promises are kept with overcommit_memory 2; the sum of promises returns to what it was."""
    one = machine(disk, smp=2, mem="128M")
    before = value(one, "/proc/meminfo", "Committed_AS")
    one.good("swapoff -a; echo 2 >/proc/sys/vm/overcommit_memory; eatmem 20")
    out, status = one.run("eatmem 100")
    assert status == 1 and "Cannot allocate memory" in out
    one.good("echo 1 >/proc/sys/vm/overcommit_memory; eatmem 60")
    assert one.run("echo 3 >/proc/sys/vm/overcommit_memory")[1] != 0
    one.good("echo 0 >/proc/sys/vm/swappiness; echo 200 >/proc/sys/vm/swappiness; echo 60 >/proc/sys/vm/swappiness")
    assert one.run("echo 201 >/proc/sys/vm/swappiness")[1] != 0
    one.good("echo 0 >/proc/sys/vm/overcommit_memory; sh -c 'sh -c true; true'")
    assert one.run("eatmem 300")[1] == 1
    assert abs(value(one, "/proc/meminfo", "Committed_AS") - before) < 64
    one.power_off()


def test_fstab(machine, disk):
    """A swap file of /etc/fstab is in use after the next boot; power off gives it up and the file system is clean."""
    one = machine(disk, smp=2)
    one.good("dd if=/dev/zero of=/sf bs=1M count=8; mkswap /sf; echo '/sf none swap pri=5' >>/etc/fstab")
    one.power_off()
    one = machine(disk, smp=2)
    assert re.search(r"/sf +file\t+8188\t+0\t+5", one.good("cat /proc/swaps"))
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_trace(machine, disk, tmp_path):
    """The guest misses as often as the simulator does on the trace that the guest recorded."""
    subprocess.run(["make", "-s", "build/clocksim"], cwd=TREE, check=True)
    one = machine(disk, smp=1, mem="40M", append="trace=60000")
    # whatever order pages are recorded in, most of them come in more than once
    one.good("echo >/proc/trace; swaptest -m 48 -p 1 -r 1 private; cat /proc/trace >/root/trace; sync", timeout=600)
    one.power_off()
    read_back(disk, "/root/trace", tmp_path / "trace", ROOT_OFFSET)
    done = subprocess.run([TREE / "build/clocksim", tmp_path / "trace"], check=True, text=True, stdout=subprocess.PIPE)
    found = re.search(r"counted (\d+) misses, (\d+) of them first ones; the clock here (\d+)", done.stdout)
    assert found, done.stdout
    guest, first, simulated = map(int, found.groups())
    assert guest > first * 3 // 2, done.stdout
    assert abs(simulated - guest) * 100 <= guest * 8, done.stdout
