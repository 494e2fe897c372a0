#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: each-kernel
# check: guest
# check: time-limit 1500
#
# tests/kselftest by kselftest's own runner, in one guest per kernel, first with
# the distribution's provider and then with ours.

set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
linux=$(tests/style/linux-scripts)
dir=$top/build/kselftest

# The layout that kselftest_install.sh makes.
(
	flock 9
	mkdir -p "$dir/siw"
	make -s -C tests/kselftest OUTPUT="$dir/siw" all >&2
	cp -rT "$linux/tools/testing/selftests/kselftest" "$dir/kselftest"
	cp "$linux/tools/testing/selftests/run_kselftest.sh" "$dir/"
	for t in "$dir"/siw/*.sh; do
		t=${t##*/}
		[ "$t" = lib.sh ] || [ ! -e "tests/kselftest/$t" ] || echo "siw:$t"
	done > "$dir/kselftest-list.txt"
) 9> "$top/build/kselftest.lock"

exec tests/vm/run --kver "$KVER" --time-limit 1400 \
	--name "kselftest-$KVER" -- tests/vm/kselftest "$dir"
