# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# Image layout of QEMU's virt machine; scripts/mkimage.sh reads it.
# Sizes in MiB.  OpenSBI comes with QEMU, U-Boot from outside: none is on the disk.
ROOT_START=1
ROOT_SIZE=${ROOT_SIZE:-256}
SWAP_SIZE=${SWAP_SIZE:-256}
CMDLINE="root=/dev/vda1 rw init=/sbin/init console=ttyS0 swap=/dev/vda2"
