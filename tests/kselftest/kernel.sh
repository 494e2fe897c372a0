#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# A user of the verbs inside the kernel, kmod/siw_ktest.c, which "make ktest"
# builds (or SIW_KTEST names): atomics, data, what is refused, and figures.

. "$(dirname "$0")/lib.sh"

ktest=${SIW_KTEST:-${SIW_TOP:-$here/../..}/build/$KREL/ktest/siw_ktest.ko}
result=/sys/module/siw_ktest/parameters/result

# insmod runs the test, and fails as it does; the kernel log has the reason.
ktest()	# TEST [PARAMETER=VALUE...]
{
	local rc=0

	run nsenter --net=/run/netns/h1 insmod "$ktest" addr=10.0.0.1 \
		test="$1" "${@:2}" || rc=$?
	if [ $rc -ne 0 ]; then
		said | grep siw_ktest: || true
		fail "$1"
	fi
	cat "$result"
	rmmod siw_ktest
}

# No figure is too low, but none at all is a failure.
figures()
{
	local out what

	for what in "bw size=65536 count=200" "bw size=64 count=1000" \
		 "lat size=64 count=200" "lat size=4096 count=100"; do
		# shellcheck disable=SC2086 # words
		out=$(ktest $what)
		echo "$out"
		[[ ${out##*$'\n'} =~ ^[0-9.]*[1-9][0-9.]*\ (MB/s|ns)$ ]] ||
			fail "no figure"
	done
}

not_a_test()
{
	refused nsenter --net=/run/netns/h1 insmod "$ktest" addr=10.0.0.1 \
		test=nonsense
	# nobody has this address: there is no connection
	refused nsenter --net=/run/netns/h1 insmod "$ktest" addr=10.0.0.77 \
		test=data
}

[ -e "$ktest" ] || skip_all "no $ktest (make ktest)"
begin
modprobe rdma_cm
topology
t "atomics" ktest atomic
t "atomics refused" ktest refused
t "data" ktest data
t "no handler is called from posting" ktest chain
t "figures" figures
t "nothing is left of what fails" not_a_test
finish
