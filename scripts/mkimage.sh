#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# mkimage.sh BOARD-FOLDER ROOT-FOLDER KERNEL IMAGE - make a disk image.
#
# GPT; firmware partitions if the board's layout has any, then "root": ext2 with
# the files of ROOT-FOLDER, the kernel as /boot/gnomon.bin and
# /boot/extlinux/extlinux.conf for U-Boot; then "swap".  Needs neither root nor
# mounts.  The same input makes the same bytes, and every file belongs to root.
#
# layout.sh sets ROOT_START, ROOT_SIZE, SWAP_SIZE, maybe DISK_SIZE (MiB) and CMDLINE, and may define
#	firmware_partitions	prints a line for each: START SIZE TYPE NAME FILE (sectors)
#	stage_boot FOLDER	adds to what is in the root file system's /boot
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

[ $# = 4 ] || { echo "usage: mkimage.sh BOARD-FOLDER ROOT-FOLDER KERNEL IMAGE" >&2; exit 2; }
board=$1 root=$2 kernel=$3 image=$4
# shellcheck source=/dev/null
. "$board/layout.sh"

epoch=${SOURCE_DATE_EPOCH:-1704067200}
# what the e2fsprogs of different releases take for the time
export SOURCE_DATE_EPOCH=$epoch E2FSPROGS_FAKE_TIME=$epoch
DISK_UUID=6F0D0A4E-0000-4000-8000-676E6F6D6F6E
ROOT_UUID=6f0d0a4e-0001-4000-8000-676e6f6d6f6e
SWAP_UUID=6f0d0a4e-0002-4000-8000-676e6f6d6f6e
swap_start=$((ROOT_START + ROOT_SIZE))

work=$(mktemp -d "${TMPDIR:-/tmp}/mkimage.XXXXXX")
trap 'rm -rf "$work"' EXIT

stage() {
	mkdir -p "$work/root/boot/extlinux"
	cp -a "$root/." "$work/root/"
	cp "$kernel" "$work/root/boot/gnomon.bin"
	sed "s|@CMDLINE@|$CMDLINE|" "$board/extlinux.conf" >"$work/root/boot/extlinux/extlinux.conf"
	if declare -F stage_boot >/dev/null; then stage_boot "$work/root/boot"; fi
	find "$work/root" -exec touch -h -d "@$epoch" {} +
}

# what mkfs.ext2 takes from the host: owners and times
make_neutral() {
	local path

	cd "$work/root"
	find . -printf '/%P\n' | sort | while IFS= read -r path; do
		printf 'sif "%s" uid 0\nsif "%s" gid 0\n' "$path" "$path"
		for field in atime ctime mtime; do
			printf 'sif "%s" %s @%d\n' "$path" "$field" "$epoch"
		done
	done
	for field in atime ctime mtime; do printf 'sif /lost+found %s @%d\n' "$field" "$epoch"; done
	for field in mkfs_time wtime lastcheck; do printf 'ssv %s @%d\n' "$field" "$epoch"; done
}

make_root() {
	local part=$work/part1

	truncate -s "${ROOT_SIZE}M" "$part"
	mkfs.ext2 -q -b 4096 -L root -U "$ROOT_UUID" -E "hash_seed=$ROOT_UUID,root_owner=0:0" \
		-d "$work/root" "$part"
	(make_neutral) >"$work/neutral"
	debugfs -w -f "$work/neutral" "$part" >"$work/debugfs.out" 2>&1
	if grep -v -e '^debugfs' "$work/debugfs.out" | grep .; then
		echo "mkimage: debugfs failed" >&2
		exit 1
	fi
	# the time of the last write, which debugfs sets when it closes: s_wtime
	perl -e 'print pack("V", shift)' "$epoch" |
		dd of="$part" bs=1 seek=$((1024 + 48)) conv=notrunc status=none
	e2fsck -fn "$part" >"$work/e2fsck.out" 2>&1 || { cat "$work/e2fsck.out" >&2; exit 1; }
}

make_swap() {
	truncate -s "${SWAP_SIZE}M" "$work/part2"
	mkswap -q -L swap -U "$SWAP_UUID" "$work/part2" 2>/dev/null
}

assemble() {
	local new=$work/disk

	truncate -s "${DISK_SIZE:-$((swap_start + SWAP_SIZE + 1))}M" "$new"
	: >"$work/firmware"
	if declare -F firmware_partitions >/dev/null; then firmware_partitions >"$work/firmware"; fi
	sfdisk -q "$new" <<-END
		label: gpt
		label-id: $DISK_UUID
		$(n=3; while read -r start size type name file; do
			echo "name=$name, start=$start, size=$size, type=$type, uuid=6f0d0a4e-000$n-4000-8000-676e6f6d6f6e"
			n=$((n + 1))
		done <"$work/firmware")
		name=root, start=${ROOT_START}MiB, size=${ROOT_SIZE}MiB, type=linux, uuid=$ROOT_UUID, attrs=LegacyBIOSBootable
		name=swap, start=${swap_start}MiB, size=${SWAP_SIZE}MiB, type=swap, uuid=$SWAP_UUID
	END
	while read -r start size type name file; do
		[ "$(stat -c %s "$file")" -le $((size * 512)) ] || { echo "mkimage: $file is too large" >&2; exit 1; }
		dd if="$file" of="$new" bs=512 seek="$start" conv=notrunc status=none
	done <"$work/firmware"
	dd if="$work/part1" of="$new" bs=1M seek="$ROOT_START" conv=notrunc,sparse status=none
	dd if="$work/part2" of="$new" bs=1M seek="$swap_start" conv=notrunc,sparse status=none
	cp --sparse=always "$new" "$image.new"
	mv "$image.new" "$image"
}

stage
make_root
make_swap
assemble
