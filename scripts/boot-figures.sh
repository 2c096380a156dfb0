#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# boot-figures.sh [-l] - what booting costs: guest instructions to the first user
# command, size of the kernel, memory taken when nothing runs.
#
# One instruction is 1 ns (-icount shift=0), so the time CSR at the first command counts
# all of them, the firmware's too; but it also runs on, by leaps, while the machine waits
# for the disk of the host.  So the idle time of /proc/uptime is taken off, which is
# rounded down to 10 ms: the figure is at most 10 million too high.  With several harts
# that cannot be told apart, and the real time of the waits is in the figure: it is an upper
# bound, good only on a quiet host.  Idle memory is what an otherwise idle machine has
# less to give away than it has RAM:
#	reserved	RAM - MemTotal: firmware, image, frame structs
#	used		MemTotal - MemFree - what reclaim gives back
#			(Buffers, Cached, SReclaimable; not Shmem)
# -l boots Debian's Linux from the same disk instead.
# MEM, SMP: 256M and 1.
set -euo pipefail

cd "$(dirname "$0")/.."
line=boards/qemu-virt/run
[ "${1:-}" != -l ] || line=scripts/linux-run
mem=${MEM:-256M} smp=${SMP:-1}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a build/root "$work/root"
cat >"$work/first.c" <<'EOF'
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long now;
	double up, idle;
	char line[256];
	FILE *f;

	__asm__ volatile("rdtime %0" : "=r"(now));
	if (argc > 1 && !strcmp(argv[1], "time")) {
		f = fopen("/proc/uptime", "r");
		if (!f || fscanf(f, "%lf %lf", &up, &idle) != 2)
			return 1;
		printf("first command after %lu us, idle %.0f us\n", now / 10, idle * 1e6);
		return 0;
	}
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof line, f))
		fputs(line, stdout);
	return !f;
}
EOF
riscv64-linux-gnu-gcc -O2 -static -o "$work/root/bin/first" "$work/first.c"
scripts/mkimage.sh boards/qemu-virt "$work/root" build/gnomon.bin "$work/disk.img" >/dev/null
# shellcheck source=/dev/null
. boards/qemu-virt/layout.sh
sleep=off
[ "$smp" = 1 ] || sleep=on
DISK=$work/disk.img MEM=$mem SMP=$smp CMDLINE="$CMDLINE autorun=\"first time; sleep 10; first\"" \
	QEMU_ARGS="-icount shift=0,sleep=$sleep -seed 1 -rtc base=2024-01-01T00:00:00,clock=vm \
-global virtio-mmio.force-legacy=false" \
	"$line" </dev/null | tr -d '\r' >"$work/out" || { tail "$work/out"; exit 1; }

size build/obj-release/gnomon.elf | awk 'NR == 2 {
	printf "kernel: text %.0f KiB, data %.0f KiB, bss %.0f KiB: %.0f KiB\n", $1 / 1024, $2 / 1024, $3 / 1024, $4 / 1024 }'
awk -v mem="${mem%M}" -v smp="$smp" '
/^first command/ {
	count = smp > 1 ? $4 : $4 - $7
	printf "boot (%d hart%s): at most %.1f million instructions to the first command\n", smp, (smp > 1 ? "s" : ""), count / 1000
}
/^[A-Za-z]+: +[0-9]+ kB/ { kb[substr($1, 1, length($1) - 1)] = $2 }
END {
	if (!kb["MemTotal"]) { print "no figures"; exit 1 }
	reserved = mem * 1024 - kb["MemTotal"]
	used = kb["MemTotal"] - kb["MemFree"] - kb["Buffers"] - kb["Cached"] - kb["SReclaimable"] + kb["Shmem"]
	printf "idle memory: reserved %d KiB, used %d KiB: %.1f MiB of %d\n", reserved, used, (reserved + used) / 1024, mem
	for (k in kb)
		if (kb[k]) printf "  %s %d\n", k, kb[k] | "sort"
}' "$work/out"
