#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Loops every workload on a debug kernel with delay injection (make soak).

    soak.py SEED SECONDS [SMP [MEM]]

Each round boots once, with seeds that follow from SEED and the round's number: two rounds of workloads (in
parallel, in the shell, until their time is over; objects and frames are counted after each part), then one of the
kernel's self-tests, and so on until the time is over.  After each round e2fsck judges the disk.  Ends with a verdict:
exit status 0 if there was no panic, no report, no leak, no failure and no hang, and the file system was clean.

Logs are build/soak/ROUND.log; what repeats a round is printed: soak.py SEED SECONDS --round N.
"""
import os
import pathlib
import random
import re
import subprocess
import sys
import time

OUT = pathlib.Path("build/soak")
ROOT = 1 << 20
# a part and its counting that take this much longer than they should hang
PATIENCE = 300
# lines of a log that are shown, from the first bad one on
MORE = 120
BAD = re.compile(r"PANIC:|UBSan|LEAK|does not die|^not ok|\bFAIL\b|killing (init|sh)\[", re.M)

SHELL_JOB = r"""
i=0
while [ $i -lt 25 ]; do
	i=$((i + 1))
	ls -lR /bin /etc | grep -c . >/dev/null
	mkdir -p /root/sh/$i && cp /etc/* /root/sh/$i && mv /root/sh/$i /root/sh/moved$i
	cat /root/sh/moved$i/* | sort | uniq | wc -l >/dev/null
	( (echo a; echo b) | while read x; do echo $x; done ) | cat >/root/sh/out
	rm -r /root/sh/moved$i
done
"""


def jobs(rng, seconds):
    """Shell commands that take about SECONDS each."""
    seed = rng.randrange(1 << 31)
    return {
        "sysfuzz": f"sysfuzz -s {seed} -p 8 -t {seconds}",
        "stress": f"stress -s {seed} -p 2 -m 24 -t {seconds}",
        "fsmodel": f"mkdir -p /root/model && fsmodel -s {seed} -p 4 -t {seconds} -d /root/model; rm -rf /root/model",
        "mmaptest": "mmaptest -s -t 900",  # a hang is what it looks for, not slowness
        "shell": "sh /root/shelljob.sh",
    }


def script(rng, seconds):
    """The guest's script for one round."""
    part = max(10, min(60, seconds // 4))
    lines = ["rm -f /tmp/counts"]
    # every job once before the first counts: what is kept for ever is kept then
    lines += jobs(rng, 3).values()
    lines.append("leakcheck -a /tmp/counts")
    left = seconds - 20
    while left > 0 or len(lines) < 10:
        some = jobs(rng, part)
        names = rng.sample(sorted(some), rng.randrange(1, 4))
        if "sysfuzz" not in names and rng.randrange(2):
            names.append("sysfuzz")
        lines.append(f"echo soak: {' '.join(names)}")
        lines += [f"({some[name]}) &" for name in names]
        lines += ["wait", "leakcheck -a /tmp/counts || echo soak: LEAK"]
        left -= part
    lines.append("echo soak: done")
    return "\n".join(lines) + "\n"


def put(disk, name, text):
    """Writes a file into /root of the disk image."""
    path = OUT / name
    path.write_text(text, "utf-8")
    subprocess.run(["debugfs", "-w", "-f", "-", f"{disk}?offset={ROOT}"], check=True, text=True,
                   input=f"cd /root\nrm {name}\nwrite {path} {name}\n", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def boot(disk, log, build, append, autorun, limit, smp, mem):
    """Runs the machine; returns what is wrong with it, or None."""
    env = {**os.environ, "DISK": str(disk), "SMP": str(smp), "MEM": mem, "APPEND": append, "AUTORUN": autorun,
           "KERNEL": f"build/obj-{build}/gnomon.bin"}
    with open(log, "wb") as out:
        process = subprocess.Popen(["timeout", str(limit), sys.executable, "scripts/run.py"], env=env,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        code = process.wait()
    text = log.read_text("utf-8", errors="replace")
    bad = BAD.search(text)
    if bad:
        lines = text[text.rfind("\n", 0, bad.start()) + 1:].splitlines()
        return f"{log}: " + "\n".join(line.strip() for line in lines[:MORE])
    if code == 124:
        return f"{log}: hangs: nothing ended within {limit} s"
    if autorun and code:
        return f"{log}: exit status {code}"
    if autorun and "soak: done" not in text:
        return f"{log}: the script did not end"
    if not autorun and "ktest: 0 failed" not in text:
        return f"{log}: self-tests did not end well"
    return None


def fsck(disk):
    done = subprocess.run(["e2fsck", "-fn", f"{disk}?offset={ROOT}"], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    return f"e2fsck -fn {disk}:\n{done.stdout[-2000:]}" if done.returncode else None


def one_round(seed, number, seconds, smp, mem):
    """Returns what went wrong, or None."""
    rng = random.Random(f"{seed}/{number}")
    disk, log = OUT / "disk.img", OUT / f"{number}.log"
    build = "ubsan" if os.path.exists("build/obj-ubsan/gnomon.bin") and number % 2 == 1 else "debug"
    append = f"chaos={rng.randrange(1 << 31)},{rng.choice((16, 64, 256))} audit={rng.choice((1, 8, 64))}"
    ktest = number % 3 == 2
    print(f"soak: round {number}: {build}, {append}{', self-tests' if ktest else ''}", flush=True)
    subprocess.run(["cp", "--sparse=always", "build/disk.img", str(disk)], check=True)
    if ktest:
        append += f" ktest=1 ktest.seed={rng.randrange(1 << 31)}"
        return boot(disk, log, build, append, "", PATIENCE, smp, mem)
    put(disk, "soak.sh", script(rng, seconds))
    put(disk, "shelljob.sh", SHELL_JOB)
    wrong = boot(disk, log, build, append, "sh /root/soak.sh", 4 * seconds + PATIENCE, smp, mem)
    return wrong or fsck(disk)


def main():
    only = int(sys.argv[sys.argv.index("--round") + 1]) if "--round" in sys.argv else None
    numbers = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
    seed, seconds = int(numbers[0]), int(numbers[1])
    smp = int(numbers[2]) if len(numbers) > 2 and only is None else 4
    mem = numbers[3] if len(numbers) > 3 and only is None else "256M"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    OUT.mkdir(parents=True, exist_ok=True)
    start, number, wrong = time.monotonic(), only or 0, []
    print(f"soak: seed {seed}, {seconds} s, {smp} harts", flush=True)
    while True:
        length = int(min(300, max(20, seconds - (time.monotonic() - start))))
        problem = one_round(seed, number, length, smp, mem)
        if problem:
            print(f"soak: round {number}: {problem}\nsoak: again: scripts/soak.py {seed} {seconds} --round {number}",
                  flush=True)
            wrong.append(problem)
        number += 1
        if only is not None or time.monotonic() - start >= seconds:
            break
    (OUT / "disk.img").unlink(missing_ok=True)
    rounds = 1 if only is not None else number
    print(f"soak: {rounds} rounds in {time.monotonic() - start:.0f} s, {len(wrong)} of them went wrong", flush=True)
    sys.exit(1 if wrong else 0)


main()
