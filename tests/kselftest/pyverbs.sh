#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# rdma-core's own tests, those that belong to no vendor, against a siw
# device. pyverbs_known.txt names those that fail on any siw device; no other
# may. One case a file of tests.

. "$(dirname "$0")/lib.sh"

src=/usr/share/doc/rdma-core/tests

skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	exit 4
}

unpack()
{
	mkdir "$work/tests"
	cp $src/*.py $src/*.py.gz "$work/tests"
	gunzip "$work"/tests/*.gz
	rm -f "$work"/tests/*mlx5* "$work"/tests/*efa* "$work"/tests/*cuda*
}

# A netdev with a parent lets the tests find its address.
netdev()
{
	local p

	for p in /sys/class/net/*/device; do
		[ -e "$p" ] || continue
		p=${p%/device}
		echo "${p##*/}"
		return
	done
	ip link add veth7 type veth peer name veth8
	ip link set veth8 up
	echo veth7
}

judge()	# FILE
{
	local name

	sed -n "s/^\(test_[^ ]*\) (\([^)]*\)).*\.\.\. \([A-Za-z]*\).*/\3 \2.\1/p" \
		"$work/$1.log" | sort > "$work/verdicts"
	sed -n 's/^\(FAIL\|ERROR\): \(test_[^ ]*\) (\([^)]*\))/FAIL \3.\2/p' \
		"$work/$1.log" | sort -u > "$work/failed"
	cut -d' ' -f1 "$work/verdicts" | sort | uniq -c
	while read -r _ name; do
		if grep -qx "$name" "$work/known"; then
			echo "known: $name"
		else
			echo "NEW: $name"
		fi
	done < "$work/failed" > "$work/judged"
	cat "$work/judged"
	if grep -q ^NEW "$work/judged"; then
		tail -n 150 "$work/$1.log"
		fail "failures no siw device should have"
	fi
	grep -q '^\(OK\|FAILED\)' "$work/$1.log" || {
		tail -n 40 "$work/$1.log"
		fail "no verdict"
	}
	if ! grep -qv '^skipped' "$work/verdicts"; then
		skip "every test of it is skipped"
	fi
}

module_of_tests()	# NAME
{
	(cd "$work/tests" && timeout 60 python3 run_tests.py -v --dev siw7 \
		"$1") > "$work/$1.log" 2>&1 || true
	judge "$1"
	[ ! -d /out ] || cp "$work/$1.log" /out
}

python3 -c 'import pyverbs' 2>/dev/null || skip_all "no python3-pyverbs"
[ -d $src ] || skip_all "no $src"
begin
unpack
grep -v '^#' "$here/pyverbs_known.txt" | cut -d' ' -f1 > "$work/known" || true
dev=$(netdev)
ip addr add 10.7.0.1/24 dev "$dev"
ip link set "$dev" up
ip link set lo up
rdma link add siw7 type siw netdev "$dev"
for f in "$work"/tests/test_*.py; do
	f=$(basename "$f" .py)
	t "$f" module_of_tests "$f"
done
rdma link del siw7
[ "$dev" != veth7 ] || ip link del veth7
finish
