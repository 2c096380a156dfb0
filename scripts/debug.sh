#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# debug.sh - gdb on the booting kernel (make debug).
#
# The emulator runs in the background and waits for gdb; its UART goes to
# build/console.log and to the socket build/console, which
#	scripts/console.py build/console
# connects to another terminal.  The emulator ends with gdb.
# GDB_PORT: where gdb and the emulator meet (1234).  GDB_ARGS: more for gdb.
set -euo pipefail

port=${GDB_PORT:-1234}
board=boards/${BOARD:-qemu-virt}
# shellcheck source=/dev/null
. "$board/layout.sh"
CMDLINE="$CMDLINE ${APPEND:-}"
SERIAL=chardev:console
QEMU_ARGS="${QEMU_ARGS:-} -S -gdb tcp:127.0.0.1:$port -monitor none \
-chardev socket,id=console,path=build/console,server=on,wait=off,logfile=build/console.log"
export CMDLINE SERIAL QEMU_ARGS

rm -f build/console build/console.log
setsid "$board/run" </dev/null >build/debug.log 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null || true' EXIT
trap '' INT
for ((i = 0; i < 100; i++)); do
	[ ! -S build/console ] || break
	kill -0 $pid 2>/dev/null || { cat build/debug.log >&2; exit 1; }
	sleep 0.1
done
echo "UART: build/console.log; or, in another terminal: scripts/console.py build/console"
echo "before the kernel is mapped high, only hbreak works"
declare -a extra="(${GDB_ARGS:-})"
gdb-multiarch -q build/gnomon.elf -ex 'set pagination off' \
	-ex "target remote 127.0.0.1:$port" -x scripts/gdb/gnomon.py "${extra[@]}"
