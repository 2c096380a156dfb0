#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tools.sh QEMU TOOLS - what our tools print, compared with the host's.

set -u
qemu=$1 tools=$2
export LC_ALL=C TZ=UTC
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

# the command with our tool first in the pipeline, and with the host's
same() {
	if ! diff <(eval "$qemu $tools $1" 2>/dev/null; echo "status $?") \
		<(eval "$1" 2>/dev/null; echo "status $?"); then
		echo "differs: $1"
		failed=1
	fi
}

ours() { "$qemu" "$tools" "$@"; }

check() {
	if ! eval "$1"; then
		echo "failed: $1"
		failed=1
	fi
}

seq 1 30000 >big
head -c 300000 /dev/urandom >random
printf 'c 3\na 10\nb 2\na 10\n\nB 1' >words
: >empty
mkdir -p tree/a/b tree/c
cp words tree/a/w; cp random tree/c/r; ln -s ../a/w tree/c/link

for f in big random words empty; do
	same "md5sum $f"; same "sha256sum $f"; same "cat $f"; same "head -n 3 $f"; same "tail -n 3 $f"
	same "tail -n +3 $f"; same "tail -c 100 $f"; same "head -c 10 $f"; same "hexdump -C $f"
	check "ours mmapcopy $f | cmp - $f"
done
for o in "" -r -n -u -f "-k2 -n" "-k 2"; do same "sort $o words"; done
for o in "" -c -d -u; do same "uniq $o words"; done
same "cut -d' ' -f2 words"; same "cut -c1,3- words"; same "wc -l < big"; same "wc -w < words"
same "grep a words"; same "grep -c 1 big"; same "grep -v 1 big"; same "grep -n '^1*\$' big"
same "grep -i b words"; same "grep -F . words"; same "grep -E '(a|b) [0-9]+' words"; same "grep -q zzz words"
same "grep -l a words big"; same "grep -x 'a 10' words"; same "grep -o '[0-9]*0' words"
same "seq 5"; same "seq 2 3 12"; same "seq 3 -1 1"; same "basename /a/b.c .c"; same "basename /a/"
same "dirname /a/b"; same "dirname x"; same "readlink tree/c/link"; same "cmp big big"; same "cmp -s big words"
same "ls tree"; same "ls -a tree"; same "ls -R tree"; same "ls -1d tree/*"
same "printf '%s %d %x|%-5s|%03d\n' a 10 255 b 7 c"; same "echo -n a"; same "test 3 -gt 2"; same "test a = b"
same "true"; same "false"; same "env -i A=1"; same "stat nonexistent"; same "pwd"; same "uname -m | wc -l"
same "tr a-z A-Z < words"; same "tr -d 0-9 < words"; same "tr -s 10 < words"; same "tr '[:lower:]' x < words"
same "xargs -n 2 echo < words"; same "xargs < words"; same "tee t1 < words"; check "cmp t1 words"
check "diff <(ours find tree | sort) <(find tree | sort)"
check "diff <(ours find tree -type f -name '[rw]' | sort) <(find tree -type f -name '[rw]' | sort)"
check "ours cp -r tree copy && diff -r tree copy && [ -L copy/c/link ]"
check "ours mv copy moved && [ ! -e copy ] && diff -r tree moved"
check "! ours cp tree x 2>/dev/null && ! ours cp -r tree tree/a/x 2>/dev/null && [ ! -e x ]"
check "ours cp big words tree/c && cmp big tree/c/big"
check "! ours rm moved 2>/dev/null && ours rm -r moved && [ ! -e moved ]"
check "! ours ls nonexistent 2>/dev/null"
check "ours rm -f nonexistent && ! ours rm nonexistent 2>/dev/null"
check "ours mkdir -p p/q/r && [ -d p/q/r ] && ! ours mkdir p 2>/dev/null && ours rmdir p/q/r"
check "ours ln -s big soft && [ \$(readlink soft) = big ] && ours ln big hard && [ hard -ef big ]"
check "ours chmod 640 hard && [ \$(stat -c %a big) = 640 ] && ours chmod u+x,g-r,o=rx hard && [ \$(stat -c %a big) = 705 ]"
check "ours touch new && [ -e new ] && ours truncate -s 5k new && [ \$(stat -c %s new) = 5120 ]"
check "ours truncate -s -1k new && [ \$(stat -c %s new) = 4096 ]"
check "ours dd if=random of=d bs=1k count=7 skip=3 2>/dev/null && cmp d <(tail -c +3073 random | head -c 7168)"
check "ours dd if=words of=d bs=1 seek=100 conv=notrunc 2>/dev/null && [ \$(stat -c %s d) = 7168 ]"
check "[ \$(ours date +%s) -ge 1600000000 ] && [ \"\$(ours date +%Y)\" = \"\$(date +%Y)\" ]"
check "ours md5sum big words > sums && ours md5sum -c sums > /dev/null && echo x >> words && ! ours md5sum -c sums > /dev/null 2>&1"
check "ours sleep 0.01 && ours memmap | grep -q resident && ours ps | grep -q PID && ours free | grep -q Mem:"
check "ours yes x | head -n 2 | grep -c x | grep -q 2"
exit $failed
