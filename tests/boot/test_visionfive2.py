# SPDX-License-Identifier: BSD-2-Clause
"""The card image on the emulated VisionFive 2: boot chain, shapes of the machine, a busy card and a faulty one.

Runs where the emulator is built: make test does that once, and keeps it (make board-qemu).  Time is virtual (-icount): results do not depend on how busy the host is.
"""
import os
import pathlib
import re
import shutil
import subprocess

import pexpect
import pytest

from conftest import BUILD, LOGS, TREE

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
EMULATOR = pathlib.Path(os.environ.get("QEMU_VISIONFIVE2") or
                        CACHE / "gnomon/qemu-visionfive2/source/build/qemu-system-riscv64")

pytestmark = pytest.mark.skipif(not os.access(EMULATOR, os.X_OK) or os.environ.get("GNOMON_BOARD") == "no",
                                reason=os.environ.get("GNOMON_BOARD_REASON") or
                                "no emulator of the board: make board-qemu builds it")
LIMIT = 600  # seconds of the host: a hang


@pytest.fixture(scope="session")
def card(tmp_path_factory):
    """The image, made once for the session from what is built."""
    image = tmp_path_factory.mktemp("card") / "card.img"
    subprocess.run(["scripts/mkimage.sh", "boards/visionfive2", "build/root", "build/gnomon.bin", image],
                   cwd=TREE, check=True)
    return image


@pytest.fixture
def board(card, tmp_path, request):
    """run(commands, mem, hart, *arguments) -> output, exit status; errors of the guest against the hardware fail the test."""
    disk, errors = tmp_path / "card.img", tmp_path / "guest-errors"
    subprocess.run(["cp", "--sparse=always", card, disk], check=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (re.sub(r"\W+", "_", request.node.nodeid.split("/")[-1]) + ".log")

    def run(commands, mem="4G", hart="", arguments="", append=""):
        env = {**os.environ, "BOARD": "visionfive2", "QEMU": str(EMULATOR), "DISK": str(disk), "MEM": mem,
               "BOOT_HART": hart, "AUTORUN": commands, "APPEND": append, "BOOT": "",
               "QEMU_ARGS": f"-d guest_errors -D {errors} {arguments}"}
        done = subprocess.run(["/usr/bin/python3", "scripts/run.py"], cwd=TREE, env=env, timeout=LIMIT, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode("utf-8", "replace").replace("\r", "")
        with open(log, "a", encoding="utf-8") as file:
            file.write(text)
        print(text)  # pytest shows it when the test fails
        assert "PANIC:" not in text
        assert errors.read_text() == ""
        return text, done.returncode

    run.disk = disk
    return run


def fsck(disk, tmp_path):
    """e2fsck of the card's root file system, which starts at 8 MiB."""
    part = tmp_path / "root.ext2"
    subprocess.run(["dd", f"if={disk}", f"of={part}", "bs=1M", "skip=8", "count=256", "conv=sparse", "status=none"],
                   check=True)
    done = subprocess.run(["e2fsck", "-fn", part], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()
    part.unlink()


@pytest.mark.parametrize("mem,hart", [("2G", "1"), ("4G", "2"), ("8G", "3"), ("4G", "4")])
def test_boots(board, mem, hart):
    """OpenSBI and U-Boot as Debian ships them start the image on any hart; all four harts and all of the memory are there."""
    text, status = board("grep -c ^processor /proc/cpuinfo; free -m | head -2; cat /proc/swaps", mem, hart)
    assert status == 0
    assert "U-Boot 20" in text
    assert f"boot hart {hart} " in text
    assert "\n4\n" in text
    total = int(re.search(r"Mem:\s+(\d+)", text).group(1))
    assert total > int(mem[0]) * 1024 * 0.95
    assert re.search(r"partition\s+262140", text)


def test_same_image(card, tmp_path):
    """The kernel on the card is byte for byte the one that QEMU virt boots."""
    part, kernel = tmp_path / "root.ext2", tmp_path / "kernel"
    subprocess.run(["dd", f"if={card}", f"of={part}", "bs=1M", "skip=8", "count=256", "conv=sparse", "status=none"],
                   check=True)
    subprocess.run(["debugfs", "-R", f"dump /boot/gnomon.bin {kernel}", part], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert kernel.read_bytes() == (BUILD / "gnomon.bin").read_bytes()


@pytest.mark.skipif(not shutil.which("e2fsck"), reason="no e2fsck")
@pytest.mark.parametrize("faults", ["", "-global dw-mmc.crc-every=5000", "-global dw-mmc.timeout-every=97"],
                         ids=["sound", "checksums", "time-outs"])
def test_files(board, tmp_path, faults):
    """Files written, read back and compared, with a sound card and with one whose transfers fail now and then."""
    text, status = board("dd if=/dev/urandom of=/a bs=64k count=64; cp /a /b; sync; echo 3 >/proc/sys/vm/drop_caches; "
                         "cmp /a /b && md5sum /a /b; rm /b; sync", arguments=faults)
    assert status == 0, text[-2000:]
    sums = re.findall(r"^([0-9a-f]{32})  /[ab]$", text, re.M)
    assert len(sums) == 2 and sums[0] == sums[1]
    fsck(board.disk, tmp_path)


def test_swap(board, tmp_path):
    """Memory larger than RAM, swap on the card, which is told of what is not needed any more, at once and meanwhile."""
    text, status = board("swapoff -a; swapon -d /dev/mmcblk1p4 && cat /proc/swaps; grep swap_discarded /proc/vmstat; "
                         "swaptest -r 1 -m 54 private memfd; echo all $?; sleep 2; grep swap_discarded /proc/vmstat; "
                         "grep pswpout /proc/vmstat; leakcheck -m && swapoff -a", append="mem=48M")
    assert status == 0 and "\nall 0\n" in text, text[-2000:]
    assert re.search(r"^/dev/mmcblk1p4 +partition", text, re.M)
    first, after = (int(n) for n in re.findall(r"^swap_discarded (\d+)", text, re.M))
    assert first == 262140 // 4
    assert after - first > int(re.search(r"^pswpout (\d+)", text, re.M).group(1)) / 4
    fsck(board.disk, tmp_path)


def test_large_card(board, tmp_path):
    """A card of 4 GiB is an SDHC card (CSD version 2, addresses in blocks); the one of the other tests is an SDSC card."""
    os.truncate(board.disk, 4 << 30)
    text, status = board("dd if=/dev/urandom of=/a bs=64k count=16; dd if=/a of=/dev/mmcblk1 bs=64k seek=65520; "
                         "sync; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/mmcblk1 of=/b bs=64k skip=65520; cmp /a /b; echo \"same $?\"; "
                         "swapoff -a; swapon -d /dev/mmcblk1p4; echo \"swap $?\"; sync")
    assert status == 0 and "\nsame 0\n" in text and "\nswap 0\n" in text
    assert re.search(r": SDHC QEMU!, 4096 MiB, 4 bit, high speed", text)
    fsck(board.disk, tmp_path)


PROMPT = "StarFive # "
# clocks and reset of the watchdog, its lock, what it counts down from, on
START_WATCHDOG = ["mw.l 0x130201e8 0x80000000", "mw.l 0x130201ec 0x80000000", "setexpr.l v *0x13020304 \\& 0xffff9fff",
                  "mw.l 0x13020304 ${v}", "mw.l 0x13070c00 0x1acce551", "mw.l 0x13070000 %#x", "mw.l 0x13070008 3"]


@pytest.fixture
def u_boot(board, tmp_path):
    """u_boot(ticks, commands) -> pexpect at U-Boot's prompt, the watchdog counting down from ticks (24 MHz); our kernel will run the commands."""
    made = []

    def start(ticks, commands="true"):
        line = 'root=PARTLABEL=root rw init=/sbin/init console=ttyS0,115200 autorun="sh /boot/autorun"'
        conf, autorun = tmp_path / "extlinux.conf", tmp_path / "autorun"
        conf.write_text((TREE / "boards/visionfive2/extlinux.conf").read_text().replace("@CMDLINE@", line))
        autorun.write_text(commands + "\n")
        subprocess.run(["debugfs", "-w", "-f", "-", f"{board.disk}?offset={8 << 20}"], text=True, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       input=f"rm /boot/extlinux/extlinux.conf\nwrite {conf} /boot/extlinux/extlinux.conf\nwrite {autorun} /boot/autorun\n")
        env = {**os.environ, "QEMU": str(EMULATOR), "DISK": str(board.disk), "MEM": "2G", "BOOT_HART": "1", "DELAY": "1",
               "QEMU_ARGS": "", "SERIAL": "mon:stdio"}
        one = pexpect.spawn(str(TREE / "boards/visionfive2/run"), env=env, timeout=LIMIT, encoding="utf-8", codec_errors="replace")
        one.logfile_read = open(LOGS / f"u_boot_{ticks}.log", "w", encoding="utf-8")  # pylint: disable=consider-using-with
        made.append(one)
        one.expect("Hit any key to stop autoboot")
        one.send(" ")
        for command in START_WATCHDOG:
            one.expect(PROMPT)
            one.send(command.replace("%#x", f"{ticks:#x}") + "\r")
        return one

    yield start
    for one in made:
        one.close(force=True)
        one.logfile_read.close()


def test_watchdog_bites(u_boot):
    """A watchdog that nobody feeds resets the board (-no-reboot: the emulator ends) the second time it comes to zero."""
    one = u_boot(24_000_000 // 10)
    one.expect(PROMPT)
    one.send("sleep 100\r")
    one.expect(pexpect.EOF)
    assert PROMPT not in one.before
    one.close()
    assert one.exitstatus == 0


def test_watchdog_fed(u_boot):
    """One that firmware left running is fed by the kernel: nothing is reset in five of its periods."""
    one = u_boot(24_000_000 * 3, "sleep 15; echo fed")
    one.expect(PROMPT)
    one.send("boot\r")
    one.expect("watchdog: left running by firmware, 3000 ms")
    one.expect("autorun: exit status 0")
    one.expect(pexpect.EOF)


CARD_CLOCK = 49.5e6  # Hz of the model: 4 bits each


def test_boardcheck(board, tmp_path):
    """The report of `boardcheck`, with the watchdog running: what the model does is what the facts say, and transfers of a MiB
    take no more than their share of the card's clock (virtual time: the figure is always the same)."""
    text, status = board("boardcheck -s 8 -m 8 -r 2", append="watchdog=2")
    assert status == 0 and "boardcheck: 0 wrong" in text
    assert "watchdog: started, 2000 ms" in text
    for line in ("asid bits: 0", "accessed bit: fault", "dirty bit: fault", "timebase: 4000000", "timer: SBI"):
        assert f"note  {line}\n" in text
    assert int(re.search(r"interrupt:.* (\d+)  PLIC 30  rng@", text).group(1)) >= 3
    for kind in ("reads", "writes"):
        rate = float(re.search(rf"sequential {kind}: ([\d.]+) MB/s", text).group(1)) * 1e6
        assert rate >= 0.9 * CARD_CLOCK / 2
    fsck(board.disk, tmp_path)
