# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# Card for a board that starts StarFive's own firmware from its flash: that reads partition 3, a FAT, and takes /vf2_uEnv.txt
# and /extlinux/extlinux.conf from it (starfive-tech/u-boot, include/configs/starfive-visionfive2.h).  Otherwise the card of ../layout.sh.  Needs mtools.
# FDT: the device tree to name; the firmware's own is of its vendor's dialect.
. boards/visionfive2/layout.sh
ROOT_START=72

# 32 MiB with the kernel, and where to find what
boot_fat() {
	local fat=$work/boot.fat

	printf '%s\n' fdt_high=0xffffffffffffffff initrd_high=0xffffffffffffffff kernel_addr_r=0x44000000 \
		fdt_addr_r=0x48000000 ramdisk_addr_r=0x48100000 >"$work/uEnv"
	sed "s|@CMDLINE@|$CMDLINE|" "$board/extlinux.conf" >"$work/extlinux"
	[ -z "${FDT:-}" ] || printf '\tfdt /board.dtb\n' >>"$work/extlinux"
	truncate -s 32M "$fat"
	mformat -i "$fat" -v BOOT ::
	mmd -i "$fat" ::/extlinux
	mcopy -i "$fat" "$kernel" ::/gnomon.bin
	mcopy -i "$fat" "$work/uEnv" ::/vf2_uEnv.txt
	mcopy -i "$fat" "$work/uEnv" ::/uEnv.txt
	mcopy -i "$fat" "$work/extlinux" ::/extlinux/extlinux.conf
	[ -z "${FDT:-}" ] || mcopy -i "$fat" "$FDT" ::/board.dtb
}

firmware_partitions() {
	boot_fat
	echo "4096 4096 2E54B353-1271-4842-806F-E436D6AF6985 spl $uboot/u-boot-spl.bin.normal.out"
	echo "8192 8192 BC13C2FF-59E6-4262-A352-B275FD6F7172 uboot $uboot/u-boot.itb"
	echo "16384 65536 EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 boot $work/boot.fat"
}
