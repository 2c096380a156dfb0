# SPDX-License-Identifier: BSD-2-Clause
"""The image comes up on every shape of machine, and goes down again."""
import itertools
import os
import subprocess

import pexpect
import pytest

from conftest import BUILD, ROOT_OFFSET, TREE, fsck

SHAPES = list(itertools.product(("release", "debug"), (1, 2, 4, 8), ("32M", "256M", "4G")))


@pytest.mark.parametrize("build,smp,mem", SHAPES)
def test_shape(machine, disk, build, smp, mem):
    one = machine(disk, build=build, smp=smp, mem=mem)
    harts = one.good("cat /proc/cpuinfo").count("processor")
    assert harts == smp
    total = int(one.good("cat /proc/meminfo").split("MemTotal:")[1].split()[0]) // 1024
    size = int(mem[:-1]) * (1024 if mem.endswith("G") else 1)
    # the firmware, the kernel and its frame table take their part
    assert size * 3 // 4 - 4 <= total <= size, f"{total} MiB of {size}"
    assert one.good("ls /") != ""
    one.power_off()
    fsck(disk, ROOT_OFFSET)


@pytest.mark.parametrize("build,legacy", itertools.product(("release", "debug"), ("on", "off")))
def test_virtio(machine, disk, build, legacy):
    """Both forms of the virtio-mmio transport."""
    one = machine(disk, build=build, qemu_args=f"-global virtio-mmio.force-legacy={legacy}")
    one.good("cp /bin/sh /root/copy && cmp /bin/sh /root/copy")
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_no_sstc(machine):
    """Timer by SBI where the tree has no Sstc."""
    one = machine(qemu_args="-cpu rv64,sstc=off")
    one.good("sleep 1")
    one.power_off()


@pytest.mark.parametrize("cpu", ["rv64", "sifive-u54", "rv64,zba=off,zbb=off"])
def test_cpu(machine, cpu):
    """Sv57 and Sv39 alone (the U54), with extensions and without."""
    one = machine(qemu_args=f"-cpu {cpu}")
    one.good("ls /bin")
    one.power_off()


def test_uboot(machine, disk):
    """OpenSBI, then U-Boot, which reads extlinux.conf and the kernel from our ext2."""
    one = machine(disk, boot="uboot", wait=False)
    one.expect("Retrieving file: /boot/gnomon.bin")
    one.expect("Starting kernel")
    one.wait_prompt()
    assert "root=/dev/vda1" in one.good("cat /proc/cmdline")
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_boot_twice(machine, disk):
    """What one boot wrote the next one reads."""
    one = machine(disk)
    one.good("echo remembered >/root/note && sync")
    one.power_off()
    one = machine(disk)
    assert one.good("cat /root/note") == "remembered"
    one.power_off()
    fsck(disk, ROOT_OFFSET)


def test_sync_then_plug_pulled(machine, disk):
    """After sync, stopping the machine at once loses nothing."""
    one = machine(disk)
    one.good("echo kept >/root/note && sync")
    one.pull_plug()
    one = machine(disk)
    assert one.good("cat /root/note") == "kept"
    one.power_off()


@pytest.mark.parametrize("command,status", [("true", 0), ("false", 1), ("exit 7", 7),
                                            ('test "a b" = "a b" && exit 5; exit 6', 5)])
def test_autorun(disk, command, status):
    """make run AUTORUN=... ends with the status of the last command."""
    env = {**os.environ, "DISK": str(disk), "AUTORUN": command, "SMP": "2", "MEM": "256M",
           "BOARD": "qemu-virt", "APPEND": "", "BOOT": "", "QEMU_ARGS": ""}
    done = subprocess.run(["/usr/bin/python3", "scripts/run.py"], cwd=TREE, env=env, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
                          errors="replace")
    assert done.returncode == status, done.stdout[-3000:]


@pytest.mark.parametrize("append,message", [("root=/dev/nothing", "nothing"),
                                            ("init=/no/such/program", "/no/such/program")])
def test_cannot_start(machine, append, message):
    """Without a root or an init the kernel says what is missing, and stops with failure."""
    one = machine(append=append, wait=False)
    one.child.expect("PANIC:[^\n]*\n")
    text = one.child.after
    one.child.expect(pexpect.EOF)
    assert message in text + one.child.before
    one.child.close()
    assert one.child.exitstatus not in (0, None)


def test_images_exist():
    for name in ("gnomon.bin", "gnomon.elf", "disk.img"):
        assert (BUILD / name).exists()
