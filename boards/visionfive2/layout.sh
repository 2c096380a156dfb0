# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# Card layout of the VisionFive 2; scripts/mkimage.sh reads it.  Sizes in MiB.
# U-Boot's documentation, board/starfive/visionfive2: the boot ROM finds the first stage by its type, the first stage takes the second from
# partition number 2; both are Debian's, from the package u-boot-starfive.
ROOT_START=8
ROOT_SIZE=${ROOT_SIZE:-256}
SWAP_SIZE=${SWAP_SIZE:-256}
DISK_SIZE=${DISK_SIZE:-1024} # the emulated card wants a power of two
CMDLINE="root=PARTLABEL=root rw init=/sbin/init console=ttyS0,115200 swap=PARTLABEL=swap"

uboot=$(scripts/debian.py u-boot-starfive)/usr/lib/u-boot/starfive_visionfive2

firmware_partitions() {
	echo "4096 4096 2E54B353-1271-4842-806F-E436D6AF6985 spl $uboot/u-boot-spl.bin.normal.out"
	echo "8192 8192 BC13C2FF-59E6-4262-A352-B275FD6F7172 uboot $uboot/u-boot.itb"
}

# FDT: a device tree for U-Boot to hand over instead of its own
stage_boot() {
	[ -n "${FDT:-}" ] || return 0
	cp "$FDT" "$1/board.dtb"
	printf '\tfdt /boot/board.dtb\n' >>"$1/extlinux/extlinux.conf"
}
