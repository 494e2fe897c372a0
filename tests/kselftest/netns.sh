#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Devices and network namespaces in the RDMA core's shared mode.

. "$(dirname "$0")/lib.sh"

gone()	# DEVICE
{
	! rdma dev show "$1" > /dev/null 2>&1
}

# Each case begins with the whole topology, whatever the last one broke.
before()
{
	if ! ip -n h1 link show eth1 || ! ip -n h2 link show eth2 ||
	   ! rdma link show siw1/1 || ! rdma link show siw2/1; then
		dissolve
		topology
	fi
	[ ! -e /run/netns/h3 ] || ip netns del h3
}

# Nobody in another namespace reaches the listener.
sockets_of_their_own()
{
	ip netns exec h1 rping -s -a 10.0.0.1 -p 7401 -C 1 > "$work/s" 2>&1 &
	local pid=$!

	wait_listen h1 7401
	! listening h2 7401 || fail "the listener shows in h2"
	! awk '$2 ~ /:1CE9$/ { f = 1 } END { exit !f }' /proc/net/tcp ||
		fail "the listener shows in the first namespace"
	run h2 rping -c -a 10.0.0.1 -p 7401 -C 1
	wait "$pid"
}

stream_start()
{
	ip netns exec h1 "$(bin app)" serve 10.0.0.1 "$1" > "$work/s" 2>&1 &
	s=$!
	until_ok 10 grep -q listening "$work/s"
	ip netns exec h2 "$(bin app)" stream 10.0.0.1 "$1" > "$work/c" 2>&1 &
	c=$!
	until_ok 10 grep -q running "$work/c" || fail "$(cat "$work/s" "$work/c")"
}

move_netdev()
{
	local s c

	stream_start 7402
	run ip netns add h3
	run ip -n h1 link set eth1 netns h3
	until_ok 3 grep -q told "$work/s" || fail "server is not told"
	wait "$s" || true
	gone siw1 && fail "the device went with the move"
	run ip -n h3 link set lo up
	run ip -n h3 addr add 10.0.0.1/24 dev eth1
	run ip -n h3 link set eth1 up
	until_ok 10 neighbour 10.0.0.1
	# No packet could leave any more: the client is told when the address is
	# there again and its next retransmission finds no connection.
	until_ok 25 grep -q told "$work/c" || fail "client is not told"
	wait "$c" || true
	run ip netns exec h3 rdma link show siw1/1
	ip netns exec h3 rdma link show siw1/1 | grep -q "netdev eth1"
	RIG_SRV_NS=h3 run "$(bin cm_test)" basic bye_client ||
		fail "no connection from the new namespace"
	run ip -n h3 link set eth1 netns h1
	run ip -n h1 addr add 10.0.0.1/24 dev eth1
	run ip -n h1 addr add fd00::1/64 dev eth1 nodad
	run ip -n h1 link set eth1 up
	until_ok 10 neighbour 10.0.0.1
	run "$(bin cm_test)" basic || fail "no connection after the return"
	run ip netns del h3
}

death()
{
	run ip netns add h3
	run ip link add etha netns h3 type veth peer name ethb netns h2
	run ip -n h3 addr add 10.0.3.1/24 dev etha
	run ip -n h3 link set etha up
	run ip -n h3 link set lo up
	run ip netns exec h3 rdma link add siwa type siw netdev etha
	run ip netns del h3
	until_ok 5 gone siwa || fail "siwa outlives its namespace"
}

# A namespace with a connection in it, held by a process outside.
death_with_connection()
{
	local s c

	stream_start 7403
	run ip netns del h1
	kill -9 "$s"
	wait "$s" || true
	until_ok 3 grep -q told "$work/c" || fail "client is not told"
	wait "$c" || true
	until_ok 8 gone siw1 || fail "siw1 outlives its namespace"
	run ip netns del h2
	until_ok 8 gone siw2 || fail "siw2 outlives its namespace"
	topology
}

exclusive_refused()
{
	# The mode cannot be changed once a namespace exists.
	refused rdma system set netns exclusive
	rdma system | grep -q "netns shared"
}

begin
topology
t "sockets live in the netdev's namespace" sockets_of_their_own
t "a netdev moves and keeps its device" move_netdev
t "a namespace dies with its device" death
t "a namespace dies under a connection" death_with_connection
t "shared mode stays" exclusive_refused
finish
