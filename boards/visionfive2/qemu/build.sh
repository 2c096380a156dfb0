#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# build.sh - QEMU with the machine "visionfive2", from Debian's source package.
#
# Takes the source of Debian trixie's QEMU 10 (scripts/debian.py), applies Debian's patches, hooks.patch and the models in hw/,
# and builds riscv64-softmmu with everything optional off: about 5 minutes of one core, once.  The result stays in
# ${XDG_CACHE_HOME:-~/.cache}/gnomon/qemu-visionfive2; a changed model builds only what changed.  Prints the emulator's path.
# Status 3: it cannot be built here (the reason goes to standard error).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gnomon/qemu-visionfive2
tree=$cache/source
emulator=$tree/build/qemu-system-riscv64
stamp=$cache/stamp

cannot() { echo "board-qemu: $*" >&2; exit 3; }

hash=$(cat "$here"/hooks.patch "$here"/hw/* "$here/build.sh" | sha256sum | cut -c1-16)
if [ -x "$emulator" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ]; then
	echo "$emulator"
	exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

unpack() {
	local files p
	files=$("$top/scripts/debian.py" --source qemu) || cannot "no source package of QEMU"
	ls "$files"/qemu_10.*.orig.tar.xz >/dev/null 2>&1 || cannot "this is not QEMU 10: $(ls "$files")"
	rm -rf "$tree" "$tree.new"
	mkdir "$tree.new"
	tar -xf "$files"/qemu_*.orig.tar.xz -C "$tree.new" --strip-components=1
	tar -xf "$files"/qemu_*.debian.tar.xz -C "$tree.new"
	while read -r p _; do
		case $p in '' | '#'*) continue ;; esac
		patch -d "$tree.new" -p1 -s <"$tree.new/debian/patches/$p" || cannot "Debian's $p does not apply"
	done <"$tree.new/debian/patches/series"
	mv "$tree.new" "$tree"
}

# Only files that differ, so that make's times stay true.
install_models() {
	local f
	mkdir -p "$tree/hw/visionfive2"
	for f in "$here"/hw/*; do
		cmp -s "$f" "$tree/hw/visionfive2/${f##*/}" || cp "$f" "$tree/hw/visionfive2/"
	done
	if ! cmp -s "$here/hooks.patch" "$tree/.hooks"; then
		if [ -f "$tree/.hooks" ]; then
			patch -d "$tree" -p1 -s -R <"$tree/.hooks"
		fi
		patch -d "$tree" -p1 -s <"$here/hooks.patch" || cannot "hooks.patch does not apply"
		cp "$here/hooks.patch" "$tree/.hooks"
	fi
	echo 'CONFIG_VISIONFIVE2=y' >"$tree/configs/devices/riscv64-softmmu/visionfive2.mak"
}

# QEMU 10 wants meson 1.5: Debian 12's is older, so trixie's package is unpacked beside the source.
meson_path() {
	if meson --version 2>/dev/null | awk -F. '{ exit !($1 > 1 || ($1 == 1 && $2 >= 5)) }'; then
		return
	fi
	meson=$("$top/scripts/debian.py" meson) || cannot "no meson 1.5"
	export PYTHONPATH=$meson/usr/lib/python3/dist-packages
}

configure() {
	mkdir -p "$tree/build"
	cd "$tree/build"
	[ -f build.ninja ] && return
	../configure --target-list=riscv64-softmmu --without-default-features --without-default-devices \
		--with-devices-riscv64=visionfive2 --enable-system --enable-tcg --enable-fdt=system \
		--disable-download --disable-install-blobs --disable-docs --disable-tools >"$cache/configure.log" 2>&1 ||
		cannot "configure failed: $cache/configure.log"
}

"$top/scripts/deps.sh" "$here/packages.txt" >&2 || cannot "packages are missing"
for tool in flock patch ninja pkg-config gcc python3; do
	command -v $tool >/dev/null || cannot "no $tool"
done
pkg-config --exists glib-2.0 || cannot "no libglib2.0-dev"
[ -d "$tree" ] || unpack
install_models
meson_path
configure
ninja -C "$tree/build" qemu-system-riscv64 >"$cache/build.log" 2>&1 || cannot "build failed: $cache/build.log"
echo "$hash" >"$stamp"
echo "$emulator"
