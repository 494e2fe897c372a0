#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# rdma-core's own tests, those that belong to no vendor, against a siw
# device: none may fail, and as many must pass as are known to.
# pyverbs_absent.txt names those that can pass on no iWARP device. One case a
# file of tests.

. "$(dirname "$0")/lib.sh"

src=/usr/share/doc/rdma-core/tests

unpack()
{
	mkdir "$work/tests"
	cp $src/*.py $src/*.py.gz "$work/tests"
	gunzip "$work"/tests/*.gz
	rm -f "$work"/tests/test_*mlx5* "$work"/tests/test_*efa* \
		"$work"/tests/test_*cuda*
}

# A netdev with a parent, whose address the tests find (tests/vm/run --nics).
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

run_all()
{
	timeout 500 /usr/bin/python3 "$here/pyverbs_run.py" "$work/tests" siw7 \
		"$here/pyverbs_absent.txt" > "$work/log" 2>&1 || true
	[ ! -d /out ] || cp "$work/log" /out/pyverbs.log
	tail -n 1 "$work/log" | grep -qx END || {
		tail -n 30 "$work/log"
		fail "the tests did not run to their end"
	}
}

of_file()	# NAME
{
	local word name bad=0

	grep -E "^(PASS|FAIL|SKIP) tests\.$1\." "$work/log" > "$work/mine" ||
		fail "no test ran"
	cut -c1-150 "$work/mine"
	while read -r word name _; do
		[ "$word" = FAIL ] || continue
		bad=1
		echo "FAILED: $name"
		grep -B 40 "^FAIL $name" "$work/log" | grep '^#' | tail -n 12
	done < "$work/mine"
	[ "$bad" = 0 ] || fail "rdma-core's tests fail"
	grep -q '^PASS' "$work/mine" || skip "nothing of it applies"
}

# A test that starts to skip is a loss, too.
enough()
{
	local want=90 passed

	[ "$SIW_PROVIDER" != stock ] || want=38
	passed=$(grep -c '^PASS' "$work/log")
	sed -n 's/^\(PASS\|FAIL\|SKIP\) .*/\1/p' "$work/log" | sort | uniq -c
	[ "$nic" != veth7 ] || skip "no netdev with a parent"
	[ "$passed" -ge "$want" ] || fail "only $passed passed, not $want"
}

/usr/bin/python3 -c 'import pyverbs' 2>/dev/null || skip_all "no python3-pyverbs"
[ -d $src ] || skip_all "no $src"
begin
unpack
# some skip without
echo 24 > /proc/sys/vm/nr_hugepages
nic=$(netdev)
# The wire behind it may lead nowhere: send nothing.
sysctl -q -w "net.ipv6.conf.$nic.disable_ipv6=1"
ip addr add 10.7.0.1/24 dev "$nic"
ip link set "$nic" up
ip link set lo up
rdma link add siw7 type siw netdev "$nic"
t "tests run to their end" run_all
for f in "$work"/tests/test_*.py; do
	f=$(basename "$f" .py)
	t "$f" of_file "$f"
done
t "enough of them pass" enough
rdma link del siw7
ip addr del 10.7.0.1/24 dev "$nic"
ip link set "$nic" down
[ "$nic" != veth7 ] || ip link del veth7
echo 0 > /proc/sys/vm/nr_hugepages
finish
