#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh - tests the user programs on the host, by qemu-riscv64; prints TAP.
#
# usage: tests/user/run.sh [NAME]...
#
# sh/NAME.sh is run by our shell in a directory of its own; what it prints must be
# sh/NAME.out, which a POSIX shell printed too.  terminal.py drives the shell on a terminal.
# lib.c checks the library under picolibc, tools.sh compares the tools with the host's.

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
qemu=${QEMU_USER:-qemu-riscv64}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

make -s -C "$top" -f user/user.mk user-progs >&2 || { echo "Bail out! no programs"; exit 1; }

# programs by name, run by the emulator
mkdir -p "$work/bin"
for name in sh tools; do
	printf '#!/bin/sh\nexec %s %s/build/user/bin/%s "$@"\n' "$qemu" "$top" "$name" >"$work/bin/$name"
done
chmod +x "$work"/bin/*

test_script() {	# NAME
	mkdir "$work/$1"
	(cd "$work/$1" && HOME=$work SH=sh PATH=$work/bin:$PATH timeout 300 sh "$here/sh/$1.sh") \
		>"$work/$1.got" 2>"$work/$1.err" </dev/null
	diff "$here/sh/$1.out" "$work/$1.got" && return 0
	cat "$work/$1.err"
	return 1
}

test_lib() {
	make -s -C "$top" -f user/user.mk build/user/check/lib && "$qemu" "$top/build/user/check/lib"
}

test_pty() {
	python3 "$here/terminal.py" "$qemu" "$top/build/user/bin/sh"
}

test_tools() {
	bash "$here/tools.sh" "$qemu" "$top/build/user/bin/tools"
}

names=("$@")
if [ $# = 0 ]; then
	names=(lib tools pty)
	for f in "$here"/sh/*.sh; do f=${f##*/}; names+=("${f%.sh}"); done
fi
echo "1..${#names[@]}"
n=0 failed=0
for name in "${names[@]}"; do
	n=$((n + 1))
	case $name in
	lib | pty | tools) run=test_$name ;;
	*) run="test_script $name" ;;
	esac
	if $run >"$work/log" 2>&1; then
		echo "ok $n - user $name"
	else
		echo "not ok $n - user $name"
		sed 's/^/# /' "$work/log"
		failed=1
	fi
done
exit $failed
