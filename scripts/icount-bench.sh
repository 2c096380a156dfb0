#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# icount-bench.sh [-l] [-r REPS] [ROW|GROUP]... - what vmbench's rows cost in guest
# instructions, beside Linux's from ../shared/linux-baseline.tsv.
#
# One instruction is 1 ns, one hart, 256 MiB, the same emulator arguments as the
# baseline's.  ratio is our cost over lean Linux's, bar what we ask of ourselves.
# -l runs Debian's Linux from the same disk instead: the rig checked by itself.
# Default: the groups cpu and file, -r 5.  The raw lines stay in build/icount.out.
# BASELINE: the table (../shared/linux-baseline.tsv); VMBENCH: its source.
set -euo pipefail

cd "$(dirname "$0")/.."
line=boards/qemu-virt/run reps=5
while getopts lr: option; do
	case $option in
	l) line=scripts/linux-run ;;
	r) reps=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
rows=${*:-cpu file}
baseline=${BASELINE:-../shared/linux-baseline.tsv}
source=${VMBENCH:-../shared/bench/vmbench.c}
[ -f "$baseline" ] && [ -f "$source" ] || { echo "icount-bench: no $baseline or $source" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a build/root "$work/root"
mkdir -p "$work/root/bench"
riscv64-linux-gnu-gcc -O2 -static -pthread -o "$work/root/bench/vmbench" "$source"
ROOT_SIZE=${ROOT_SIZE:-512} scripts/mkimage.sh boards/qemu-virt "$work/root" build/gnomon.bin "$work/disk.img"
# shellcheck source=/dev/null
. boards/qemu-virt/layout.sh

# sleep first: on Linux the kernel's own start-up work must be over
command="sleep 5; cd /bench; ./vmbench -r $reps $rows"
extra=
case $line in
*linux-run)
	extra="init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off lsm= audit=0 cgroup_disable=memory no4lvl"
	;;
esac
DISK=$work/disk.img MEM=256M SMP=1 CMDLINE="$CMDLINE $extra autorun=\"$command\"" \
	QEMU_ARGS="-icount shift=0,sleep=off -seed 1 -rtc base=2024-01-01T00:00:00,clock=vm \
-global virtio-mmio.force-legacy=false" \
	"$line" </dev/null | tr -d '\r' | tee build/icount.out >&2

awk '
BEGIN { f = "%-22s %-13s %12s %12s %7s %6s %s\n" }
NR == FNR {
	if ($0 !~ /^#/) { lean[$1] = $2; bar[$1] = $5 }
	next
}
FNR == 1 { printf f, "row", "unit", "gnomon", "linux lean", "ratio", "bar", "" }
$2 == "FAIL" { print; failed = 1; next }
$4 !~ /^min=/ { next }
{
	rate = $3 ~ /^(MB|files)\/s$/
	best = substr(rate ? $5 : $4, 5) + 0
	if (!($1 in lean)) { printf f, $1, $3, best, "-", "-", "-", ""; next }
	ratio = rate ? lean[$1] / best : best / lean[$1]
	printf f, $1, $3, best, lean[$1], sprintf("%.3f", ratio), bar[$1], ratio <= bar[$1] ? "ok" : "over"
	sum += log(ratio); n++; over += ratio > bar[$1]; half += ratio > 0.5
}
END {
	if (!n) { print "no row was measured"; exit 1 }
	printf "%d rows: geometric mean of the ratios %.3f; %d over their bar, %d over half of Linux\n",
		n, exp(sum / n), over, half
	exit failed
}' "$baseline" build/icount.out
