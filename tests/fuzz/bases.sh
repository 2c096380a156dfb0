#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bases.sh DIR - what the fuzzers start from: DIR/base{1024,2048,4096}.img, small sound ext2 images with files of
# every shape, and some inputs for each target.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
dir=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$dir" "$tree/sub/deeper" "$tree/many"
echo hello >"$tree/hello"
for ((i = 0; i < 60; i++)); do
	echo $i >"$tree/many/a-name-of-some-length-$i"
done
head -c 100000 /dev/zero | tr '\0' x >"$tree/sub/indirect"
# holes, and blocks behind double and triple indirection
echo end | dd of="$tree/sub/sparse" bs=1 seek=3000000 status=none
echo end | dd of="$tree/sub/deep" bs=1 seek=100000000 status=none
ln -s hello "$tree/fast"
ln -s "$(head -c 200 /dev/zero | tr '\0' n)" "$tree/slow"
ln "$tree/hello" "$tree/sub/deeper/hardlink"
mkfifo "$tree/sub/fifo"
# inputs to start from: noise, a device tree, a program's headers
for name in ext2 fdt elf partition; do
	mkdir -p "$dir/corpus-$name"
	/usr/bin/python3 -c 'import random, sys
for k in range(20):
    noise = random.Random(k)
    data = bytes(noise.choice((0, 0, 0, 1, 2, 4, 64, 255, noise.randrange(256))) for _ in range(100 + 40 * k))
    open(f"{sys.argv[1]}/noise{k}", "wb").write(data)' "$dir/corpus-$name"
done
qemu-system-riscv64 -M virt,dumpdtb="$dir/tree.dtb" -display none >/dev/null 2>&1 || true
[ ! -s "$dir/tree.dtb" ] || cp "$dir/tree.dtb" "$dir/corpus-fdt/qemu"
head -c 1000 build/root/bin/sh >"$dir/corpus-elf/sh" 2>/dev/null || true
for block in 4096 2048 1024; do
	image=$dir/base$block.img
	rm -f "$image.new"
	mkfs.ext2 -q -F -b $block -N 128 -E root_owner=0:0 -d "$tree" "$image.new" 1M >/dev/null
	mv "$image.new" "$image"
done
