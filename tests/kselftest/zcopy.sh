#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Payload by reference, over NICs that do not share memory, at MTU 9000.

. "$(dirname "$0")/lib.sh"

both()	# SETTING VALUE
{
	local d

	for d in siw1 siw2; do
		echo "$2" > /sys/class/infiniband/$d/siw/"$1"
	done
}

shape()	# NETEM...
{
	ip netns exec h1 tc qdisc replace dev eth1 root netem limit 10000 "$@"
	ip netns exec h2 tc qdisc replace dev eth2 root netem limit 10000 "$@"
}

unshape()
{
	ip netns exec h1 tc qdisc del dev eth1 root
	ip netns exec h2 tc qdisc del dev eth2 root
}

kill_loop()
{
	local i s

	for i in 1 2 3 4 5 6 7 8 9 10; do
		ip netns exec h1 "$(bin app)" serve 10.0.0.1 $((7200 + i)) \
			> "$work/srv" 2>&1 &
		s=$!
		wait_listen h1 $((7200 + i))
		ip netns exec h2 "$(bin app)" stream 10.0.0.1 $((7200 + i)) \
			> "$work/cli" 2>&1 &
		until_ok 10 grep -q running "$work/cli" || fail "no traffic"
		sleep 0.$((i * 7 % 10))
		kill -9 $!
		wait $! 2> /dev/null || true
		wait $s || fail "the server: $(cat "$work/srv")"
	done
}

[ -d /sys/class/net/nic1 ] || skip_all "only with two NICs (tests/vm/run --nics)"
begin
nic_pair 9000
rdma_pair
if [ ! -e /sys/class/infiniband/siw1/siw/zero_copy ]; then
	nics_back
	skip_all "this module sends nothing by reference"
fi
modprobe sch_netem
both zero_copy 16384
both crc off
prog "" "$(bin zcopy_test)" sends_lent lists writes disconnected_under_way \
	destroyed_under_way ended_when_full failed_half_way \
	unmapped_under_way
t "kill -9 while pages are under way" kill_loop
shape delay 2ms loss 2% reorder 20% duplicate 1%
prog "loss, CRC off: " "$(bin zcopy_test)" sends_lent lists writes
both crc on
prog "loss, CRC on: " "$(bin zcopy_test)" sends_copied lists writes
unshape
prog "CRC on: " "$(bin zcopy_test)" sends_copied reads_of_moving_memory
both crc off
both zero_copy 0
prog "switched off: " "$(bin zcopy_test)" sends_copied
no_links
nics_back
dissolve
veth_pair 9000
rdma_pair
both crc off
both zero_copy 16384
prog "between two of a host: " "$(bin zcopy_test)" sends_copied writes
finish
