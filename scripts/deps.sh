#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# deps.sh [LIST] - install the packages of LIST (packages.txt) that are missing.
#
# Says what it does, and does nothing (and asks nothing of apt) when everything
# is there.  GNOMON_DEPS=no turns it off, GNOMON_DEPS=list prints what is missing.
set -euo pipefail

list=${1:-$(dirname "$0")/packages.txt}

say() { echo "deps: $*" >&2; }

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# apt can install it: a real package with a candidate
is_offered() {
	[[ $(apt-cache policy "$1" 2>/dev/null) == *"Candidate: "[0-9]* ]]
}

# Puts the lines of the list that nothing installed satisfies into missing[].
find_missing() {
	local line name found

	missing=()
	while IFS= read -r line; do
		line=${line%%#*}
		[ "${line// /}" ] || continue
		found=
		for name in ${line//|/ }; do
			if is_installed "$name"; then found=$name; fi
		done
		[ "$found" ] || missing+=("$line")
	done <"$list"
}

# Puts one package for each missing line into wanted[].
choose() {
	local line name pick

	wanted=()
	for line in "${missing[@]}"; do
		pick=
		for name in ${line//|/ }; do
			if is_offered "$name"; then pick=$name; break; fi
		done
		[ "$pick" ] || { say "apt offers no package for: $line"; exit 1; }
		wanted+=("$pick")
	done
}

main() {
	local root=()

	[ "${GNOMON_DEPS-}" != no ] || exit 0
	if ! type dpkg-query apt-get >/dev/null 2>&1; then
		say "no apt here; install the equivalents of $list yourself"
		exit 0
	fi
	find_missing
	if [ "${GNOMON_DEPS-}" = list ]; then
		[ ${#missing[@]} = 0 ] || printf '%s\n' "${missing[@]}"
		exit 0
	fi
	[ ${#missing[@]} -gt 0 ] || exit 0
	say "missing: ${missing[*]}"
	if [ "$(id -u)" != 0 ]; then
		type sudo >/dev/null 2>&1 || { say "not root, and no sudo; run $0 as root"; exit 1; }
		root=(sudo)
	fi
	say "apt-get update"
	"${root[@]}" apt-get -qq update
	choose
	say "apt-get install ${wanted[*]}"
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -y --no-install-recommends install "${wanted[@]}" >&2
	find_missing
	[ ${#missing[@]} = 0 ] || { say "still missing: ${missing[*]}"; exit 1; }
	say "done"
}

main
