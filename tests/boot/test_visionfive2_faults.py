# SPDX-License-Identifier: BSD-2-Clause
"""A card that is pulled out and put back, sticks, misreads in bursts, is protected or smaller than it says.

Callers get EIO, the rest of the system lives, and e2fsck finds nothing to mend.  Time is virtual (-icount), and idle time
costs nothing.  Faults begin with the guest's read of a sector that belongs to no partition, so no test depends on how long
the boot takes.
"""
import re

import pytest

from test_visionfive2 import board, card, fsck, pytestmark  # noqa: F401 pylint: disable=unused-import

ARM_SECTOR = 1200000
ARM = f"dd if=/dev/mmcblk1 of=/dev/null bs=512 count=1 skip={ARM_SECTOR}; "
# what runs while there is no card lies in memory
START = ("mkdir /tmp/b; cp /bin/cat /bin/dd /bin/dmesg /bin/grep /bin/sleep /bin/md5sum /bin/cmp /bin/sync /bin/wc "
         "/bin/rm /tmp/b; export PATH=/tmp/b:/bin; dd if=/dev/urandom of=/before bs=64k count=16; sync; "
         "md5sum /before >/tmp/sum; ")
DROP = "echo 3 >/proc/sys/vm/drop_caches; "
ALIVE = "echo alive >/tmp/x; cat /tmp/x; "
SAME = DROP + 'md5sum /before | cmp - /tmp/sum; echo "same $?"; '
WORKS = 'dd if=/dev/urandom of=/after bs=64k count=16; sync /after; echo "fsync $?"; ' + SAME + "sync"
BACK = 'while [ $(dmesg | grep "SD QEMU" | wc -l) -lt 2 ]; do sleep 1; done; '
GONE = "while ! dmesg | grep -q 'taken out'; do %s done; "


def option(**faults):
    faults.setdefault("arm_sector", ARM_SECTOR)
    return " ".join(f"-global dw-mmc.{name.replace('_', '-')}={value}" for name, value in faults.items())


@pytest.mark.parametrize("busy", ["sleep 1;", "dd if=/dev/urandom of=/w bs=64k count=32; sync /w; cp /w /v; sync; "],
                         ids=["idle", "writing"])
def test_pulled_out(board, tmp_path, busy):  # noqa: F811 pylint: disable=redefined-outer-name
    """Without its card the disk fails with EIO and the rest goes on; what was written meanwhile is there once the card is back."""
    out = ('dd if=/dev/urandom of=/during bs=64k count=16; md5sum /during >/tmp/during; sync /during; echo "out: fsync $?"; '
           'cat /bin/fptest >/tmp/r; echo "out: read $?"; ' + ALIVE)
    back = DROP + 'sync /during; sync; md5sum /during | cmp - /tmp/during; echo "kept $?"; '
    text, _ = board(START + ARM + GONE % busy + out + BACK + back + WORKS, arguments=option(pull_at_ms=1234, back_at_ms=40000))
    text = text[text.index("the card was taken out"):]
    assert re.search(r"^out: fsync [1-9]", text, re.M)
    assert re.search(r"^out: read [1-9]", text, re.M)
    assert "\nalive\n" in text
    assert "\nkept 0\n" in text and "\nfsync 0\n" in text and "\nsame 0\n" in text
    # of what cannot be written, little is said
    assert len(re.findall(r"\w+ error 5 at", text)) <= 10 * (40 // 5 + 2)
    fsck(board.disk, tmp_path)


def io_failures(out):
    """Names of mmaptest's tests that failed; each must have met EIO, or SIGBUS for a page that could not be read."""
    lines = re.split(r"^((?:not )?ok \d+ - .*\n)", out, flags=re.M)  # what a test says stands before and after its line
    failed = []
    for said, line, more in zip(lines[::2], lines[1::2], lines[2::2]):
        if line.startswith("not "):
            failed.append(line)
            assert re.search(r"errno 5\b|: 5, want|ended by signal 7\b", said + more), line + said + more
    return failed


def test_pulled_out_of_mmaptest(board, tmp_path):  # noqa: F811 pylint: disable=redefined-outer-name
    """The card leaves and comes back while mmaptest maps files of it: only tests whose I/O failed fail, and all pass once it is back."""
    run = 'mkdir /m; cp /bin/mmaptest /tmp/b; ' + ARM + 'mmaptest -d /m >/tmp/out; echo "ended $?"; '
    again = 'mmaptest -d /m >/tmp/again; echo "again $?"; cat /tmp/again; echo "end of it"; '
    text, _ = board(START + run + ALIVE + "cat /tmp/out; " + BACK + "sync; " + again + WORKS,
                    arguments=option(pull_at_ms=700, back_at_ms=1900))
    # it was out and back while the first one ran
    ended = text.index("\nended ")
    assert text.index("the card was taken out") < [m.start() for m in re.finditer("SD QEMU", text)][1] < ended
    first, second = text[ended:text.index("\nagain ")], text[text.index("\nagain "):text.index("\nend of it\n")]
    assert "\nalive\n" in first
    plan = int(re.search(r"^1\.\.(\d+)$", first, re.M).group(1))
    failed = io_failures(first)
    assert failed and len(failed) < plan / 4
    assert len(re.findall(r"^(?:not )?ok \d+ ", first, re.M)) == plan
    assert "\nagain 0\n" in text and "\nnot ok" not in second
    assert "\nfsync 0\n" in text and "\nsame 0\n" in text
    fsck(board.disk, tmp_path)


# three seconds in which the shell starts nothing and is never idle, so it needs nothing of the card itself
STAY = ("read s r </proc/uptime; s=${s%.*}; " + ARM +
        "while read u r </proc/uptime; [ ${u%.*} -lt $((s + 3)) ]; do :; done; ")


def test_pulled_out_of_stress(board, tmp_path):  # noqa: F811 pylint: disable=redefined-outer-name
    """The card leaves and comes back during `stress` on it: what needed it fails by EIO or SIGBUS, and all passes once it is back."""
    run = ('mkdir /s; cd /s; cp /bin/stress /tmp/b; stress -t 4 -p 1 -m 8 >/tmp/out & p=$!; sleep 1; ' + STAY + 'wait $p; echo "ended $?"; ' +
           ALIVE + 'cat /tmp/out; echo "end of it"; stress -t 2 -p 1 -m 8; echo "again $?"; cd /; ')
    text, _ = board(START + run + WORKS, arguments=option(pull_at_ms=300, back_at_ms=1200))
    first = text[text.index("\nended "):text.index("\nend of it\n")]
    assert len(re.findall("SD QEMU", text)) == 2 and text.rindex("SD QEMU") < text.index("\nended ")
    assert "\nalive\n" in first and re.search(r"(errno 5|signal 7)\b", text[:text.index("\nend of it\n")])
    for line in re.findall(r"^# .*\(errno .*", first, re.M):
        assert "(errno 5)" in line, first
    assert "\nagain 0\n" in text and "\nfsync 0\n" in text and "\nsame 0\n" in text
    fsck(board.disk, tmp_path)


def test_pulled_out_of_swaptest(board, tmp_path):  # noqa: F811 pylint: disable=redefined-outer-name
    """The card with the swap area leaves and comes back under pressure: who needs a page of it dies by SIGBUS, the others and the area go on."""
    run = ('swaptest -r 9 -m 90 private & p=$!; while ! grep -q "pswpout [1-9][0-9][0-9][0-9]" /proc/vmstat; do sleep 1; done; ' + STAY +
           'wait $p; echo "ended $?"; ' + ALIVE)
    again = 'swaptest -r 1 -m 64 private; echo "again $?"; swapoff -a && leakcheck -m; echo "off $?"; '
    text, _ = board(START + run + again + WORKS, append="mem=64M", arguments=option(pull_at_ms=200, back_at_ms=800))
    assert len(re.findall("SD QEMU", text)) == 2 and text.rindex("SD QEMU") < text.index("\nended ")
    killed = re.findall(r"^(\S+)\[\d+\]: unhandled signal 7 ", text, re.M)
    assert killed and set(killed) == {"swaptest"}
    assert re.search(r"^swap: mmcblk1p4: read error 5 at slot", text, re.M)
    assert re.search(r"^ended [1-9]", text, re.M) and "\nalive\n" in text and "oom" not in text
    assert "\nagain 0\n" in text and "\noff 0\n" in text
    assert "\nfsync 0\n" in text and "\nsame 0\n" in text
    fsck(board.disk, tmp_path)


def test_pulled_out_of_discard(board, tmp_path):  # noqa: F811 pylint: disable=redefined-outer-name
    """The card leaves while swapon discards an area and comes back: what was not discarded is told, and the area works."""
    out = ('swapoff -a; ' + ARM + 'swapon -d /dev/mmcblk1p4; echo "out: swapon $?"; grep swap_discarded /proc/vmstat; ')
    back = ('swapoff -a; swapon -d /dev/mmcblk1p4; echo "back: swapon $?"; grep swap_discarded /proc/vmstat; '
            'swaptest -r 1 -m 64 private; echo "all $?"; swapoff -a && leakcheck -m; echo "off $?"; ')
    text, _ = board(START + "cp /bin/swapon /tmp/b; " + out + ALIVE + BACK + back + WORKS, append="mem=64M",
                    arguments=option(pull_at_ms=100, back_at_ms=1500))
    assert re.search(r"^swap: /dev/mmcblk1p4: discard error 5$", text, re.M)
    assert "\nout: swapon 0\nswap_discarded 0\nalive\n" in text
    assert "\nback: swapon 0\nswap_discarded 65535\n" in text
    assert "\nall 0\n" in text and "\noff 0\n" in text and "\nfsync 0\n" in text and "\nsame 0\n" in text
    fsck(board.disk, tmp_path)


def test_stuck(board, tmp_path):  # noqa: F811 pylint: disable=redefined-outer-name
    """A card that holds the data line down for 15 s: EIO after the limit, and the disk is back once it lets go."""
    write = 'dd if=/dev/urandom of=/w bs=64k count=64; sync /w; echo "stuck: fsync $?"; '
    text, _ = board(START + ARM + write + ALIVE + "sleep 30; " + WORKS, arguments=option(stuck_after=2000, stuck_ms=15000))
    assert re.search(r"^stuck: fsync [1-9]", text, re.M)
    assert "\nalive\n" in text
    assert "\nfsync 0\n" in text and "\nsame 0\n" in text
    fsck(board.disk, tmp_path)


def test_bursts(board, tmp_path):  # noqa: F811 pylint: disable=redefined-outer-name
    """Wrong checksums eight blocks in a row, every 800 blocks: requests of a MiB get through, in pieces."""
    text, _ = board(START + ARM + "dd if=/dev/urandom of=/w bs=64k count=64; cp /w /v; sync; " + DROP +
                    'cmp /w /v; echo "compare $?"; ' + WORKS, arguments=option(crc_every=800, crc_burst=8))
    assert "again" in text
    assert "\ncompare 0\n" in text and "\nfsync 0\n" in text and "\nsame 0\n" in text
    fsck(board.disk, tmp_path)


def test_protected(board, tmp_path):  # noqa: F811 pylint: disable=redefined-outer-name
    """A card whose CSD says that it is protected is read, and never written."""
    text, _ = board('mount; echo a >/a; echo "write $?"; ls /bin | wc -l; ' + ALIVE, arguments=option(write_protect="on"))
    assert "write-protected" in text
    assert re.search(r"^write [1-9]", text, re.M)
    assert re.search(r" on / type ext2 \(ro", text)
    assert "\nalive\n" in text
    fsck(board.disk, tmp_path)


def test_counterfeit(board, tmp_path):  # noqa: F811 pylint: disable=redefined-outer-name
    """A card with less memory than it says: EIO beyond its end, for reads and writes; the rest works."""
    end = 16384 + 96 * 2048  # in the root file system
    text, _ = board(START + f'dd if=/dev/mmcblk1 of=/dev/null bs=512 count=64 skip={end}; echo "beyond: read $?"; '
                    'dd if=/dev/zero of=/big bs=1M count=160; sync /big; echo "beyond: fsync $?"; ' + ALIVE +
                    "rm /big; sync; " + WORKS, arguments=option(real_sectors=end, arm_sector=0))
    assert re.search(r"^beyond: read [1-9]", text, re.M)
    assert re.search(r"^beyond: fsync [1-9]", text, re.M)
    assert "\nalive\n" in text and "\nfsync 0\n" in text and "\nsame 0\n" in text
    fsck(board.disk, tmp_path)
