# SPDX-License-Identifier: BSD-2-Clause
"""Debian's busybox, unmodified, as init on an image by mkfs.ext2 -d: a bare file system, no partitions."""
import hashlib
import random
import subprocess

import pytest

from conftest import fsck, make_ext2, read_back

FILES = 500
APPEND = "root=/dev/vda rw init=/bin/sh console=ttyS0"


@pytest.fixture
def tree(tmp_path, busybox):
    """A root folder with busybox, its names, and files of every size."""
    root = tmp_path / "root"
    for name in ("bin", "dev", "proc", "tmp", "etc", "files"):
        (root / name).mkdir(parents=True)
    (root / "bin/busybox").write_bytes(busybox.read_bytes())
    (root / "bin/busybox").chmod(0o755)
    for name in ("sh ls find md5sum cp tar cat echo wc sort mkdir rm mount umount poweroff sleep ps "
                 "kill grep head diff sync yes dd seq test true false chmod").split():
        (root / "bin" / name).symlink_to("busybox")
    rng = random.Random(1)
    for i in range(FILES):
        size = rng.choice((0, 1, 100, 4095, 4096, 4097, 13 * 4096, rng.randrange(300000)))
        path = root / f"files/d{i % 17}/e{i % 5}/file{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return root


@pytest.fixture
def shell(machine, tmp_path, tree):
    """shell(block=..., ...): busybox sh on such an image."""
    def boot(block=4096, **options):
        image = make_ext2(tmp_path / "busybox.img", tree, block=block)
        one = machine(image, cmdline=APPEND, **options)
        one.good("export PATH=/bin; mount -t proc proc /proc")
        return one, image
    return boot


def stop(one):
    one.good("umount /proc; sync")
    # a shell as process 1 has no init to tell: force
    one.power_off("poweroff -f")


def host_sums(tree):
    return {"/" + str(path.relative_to(tree)): hashlib.md5(path.read_bytes()).hexdigest()
            for path in (tree / "files").rglob("*") if path.is_file()}


@pytest.mark.parametrize("block,build", [(1024, "release"), (2048, "debug"), (4096, "release")])
def test_files(shell, tree, block, build):
    one, image = shell(block=block, build=build)
    out = one.good("find /files -type f -exec md5sum {} +", timeout=600)
    sums = dict(reversed(line.split("  ", 1)) for line in out.splitlines())
    assert sums == host_sums(tree)
    listed = one.good("ls -lR /files /bin /etc", timeout=600)
    assert sum(f"file{i}" in listed for i in range(FILES)) == FILES
    # processes come and go under /proc; nowhere else may anything be missing
    one.run("ls -lR / >/tmp/all 2>/tmp/err", timeout=600)
    assert one.run("grep -v /proc /tmp/err") == ("", 1)
    assert int(one.good("grep -c 'file[0-9]' /tmp/all")) >= FILES
    one.good("cp -r /files /copy && diff -r /files /copy", timeout=600)
    one.good("tar cf /all.tar -C / files && mkdir /out && tar xf /all.tar -C /out && "
             "diff -r /files /out/files", timeout=600)
    stop(one)
    fsck(image)


def test_host_reads_what_it_wrote(shell, tree, tmp_path):
    """The host unpacks the guest's archive to the same bytes."""
    one, image = shell()
    one.good("tar cf /all.tar -C / files", timeout=600)
    stop(one)
    fsck(image)
    archive = read_back(image, "/all.tar", tmp_path / "all.tar")
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", str(archive), "-C", str(tmp_path / "out")], check=True)
    subprocess.run(["diff", "-r", str(tree / "files"), str(tmp_path / "out/files")], check=True)


def test_pipes(shell):
    one, _ = shell()
    assert one.good("seq 20000 | sort -n | wc -l", timeout=600) == "20000"  # a switch for each line where harts are shared
    assert one.good("yes | head -n 1000 | wc -l") == "1000"
    assert one.good("find /files -type f | grep file | sort | wc -l") == str(FILES)
    assert one.good("cat /files/*/*/* | md5sum") == one.good(
        "cat /files/*/*/* | cat | cat | cat | md5sum")
    stop(one)


def test_background_jobs(shell):
    one, _ = shell()
    one.good("(sleep 1; echo done >/tmp/mark) &")
    one.good("wait; cat /tmp/mark | grep done")
    one.good("for i in 1 2 3 4 5 6 7 8; do md5sum /files/*/*/* >/tmp/sum$i & done; wait", timeout=600)
    for i in range(2, 9):
        one.good(f"diff /tmp/sum1 /tmp/sum{i}")
    stop(one)


def test_interrupt_character(shell):
    """Ctrl-C needs a controlling terminal: a shell of its own session."""
    one, _ = shell()
    # the inner shell says it: a signal between fork and exec would be lost with the outer one's handler
    one.send("/bin/busybox setsid -c /bin/sh -c 'trap \"echo got-int\" INT; "
             "sh -c \"echo wai\\\"\\\"ting; exec sleep 1000\"; true'\n")
    one.expect("waiting\r*\n")
    one.ctrl("c")
    one.expect("got-int\r*\n")
    one.wait_prompt()
    assert one.good("echo alive") == "alive"
    stop(one)
