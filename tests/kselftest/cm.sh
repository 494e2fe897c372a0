#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Connection management between h1 and h2, then with three devices in h1 and
# a cable from each to h2:
#
#	h1: siw1 on eth1 10.0.0.1, siwa on etha 10.0.1.1, siwb on ethb 10.0.2.1
#	h2: siw2 on eth2 10.0.0.2,         ethA 10.0.1.2,         ethB 10.0.2.2
#
# SILENT_PEERS	how many connect and say nothing (default 2000)

. "$(dirname "$0")/lib.sh"

second_pair()	# LETTER NUMBER
{
	local a=$1 b=${1^^} n=$2

	run ip link add "eth$a" netns h1 type veth peer name "eth$b" netns h2
	run ip -n h1 addr add "10.0.$n.1/24" dev "eth$a"
	run ip -n h2 addr add "10.0.$n.2/24" dev "eth$b"
	run ip -n h1 addr add "fd00:$n::1/64" dev "eth$a" nodad
	run ip -n h2 addr add "fd00:$n::2/64" dev "eth$b" nodad
	run ip -n h1 link set "eth$a" up
	run ip -n h2 link set "eth$b" up
	run h1 rdma link add "siw$a" type siw netdev "eth$a"
	run h2 rdma link add "siw$b" type siw netdev "eth$b"
	until_ok 10 neighbour "10.0.$n.1"
	until_ok 10 neighbour "fd00:$n::1"
}

established()	# PORT
{
	h1 ss -Htn state established "sport = :$1" | wc -l
}

timed_out()
{
	cat /sys/class/infiniband/siw1/ports/1/hw_counters/connects_timed_out
}

kib()	# WORD of /proc/meminfo
{
	awk -v w="$1:" '$1 == w { print $2 }' /proc/meminfo
}

# Peers that connect and say nothing: no more than 1024 get past TCP's own
# queue, they die by the timer, and one that speaks is served all the same.
silent_peers()	# NUMBER
{
	local n gone='' peak=0 most=0 dead server client slab
	local crowd=$((500 / ${KSFT_SLOW:-1}))

	dead=$(timed_out)
	slab=$(kib Slab)
	ip netns exec h1 "$(bin app)" serve 10.0.0.1 7401 > "$work/s" 2>&1 &
	server=$!
	wait_listen h1 7401
	h2 python3 "$here/half_open.py" 10.0.0.1 7401 "$1" \
		$((15 * ${KSFT_SLOW:-1})) > "$work/half" 2>&1 &
	client=$!
	while kill -0 $client 2>/dev/null; do
		n=$(established 7401)
		[ "$n" -le "$peak" ] || peak=$n
		[ "$n" -gt 0 ] || [ "$peak" -lt "$crowd" ] || gone=1
		n=$(($(kib Slab) - slab))
		[ "$n" -le "$most" ] || most=$n
		sleep 0.3
	done
	wait $client || fail "no peers: $(cat "$work/half")"
	dead=$(($(timed_out) - dead))
	cat "$work/half"
	echo "at most $peak connections at a time, $dead timed out," \
		"$most KiB of slab with what the peers have"
	[ "$peak" -ge "$crowd" ] || fail "there was no crowd"
	[ -n "$gone" ] || fail "silent peers live on"
	[ "$dead" -ge 500 ] || fail "not by the timer"
	[ "$peak" -le 1200 ] || fail "more than TCP and siw allow"
	# a peer's own socket, file and inode are 5 KiB, a debug kernel's more
	[ "$most" -le $((($1 * 6 + 16384) * (${KSFT_SLOW:-1} > 1 ? 4 : 1))) ] ||
		fail "more memory than the crowd accounts for"
	ip netns exec h2 "$(bin app)" stream 10.0.0.1 7401 > "$work/c" 2>&1 &
	client=$!
	until_ok 20 grep -q running "$work/c" ||
		fail "not served: $(cat "$work/c" "$work/s")"
	kill -9 $client $server
	wait $client $server || true
	leak_resources
}

# TCP's urgent octet is one of the stream: reading goes on behind it.
urgent()
{
	local server

	ip netns exec h1 "$(bin app)" serve 10.0.0.1 7402 > "$work/s" 2>&1 &
	server=$!
	wait_listen h1 7402
	h2 python3 "$here/urgent.py" 10.0.0.1 7402 ||
		fail "$(cat "$work/s")"
	until_ok 20 grep -q told "$work/s" || fail "never told"
	wait $server || true
}

begin
topology
prog "" "$(bin cm_test)"
t "a peer that sends an urgent octet" urgent
t "peers that connect and say nothing" silent_peers "${SILENT_PEERS:-2000}"
sed -n 's/^at most/# &/p' "$work/case"
CM_LOOPS=100 prog "ipv6 " "$(bin cm_test)" -6 basic pdata reject depths \
	source_bound closed_port no_host to_tcp from_tcp bye_exit loop many_client \
	listen_tcp restart port_taken reuseaddr server_ self_ tos
t "two more devices in each host" eval "second_pair a 1; second_pair b 2"
RIG_TARGETS="10.0.0.1=siw1 10.0.1.1=siwa 10.0.2.1=siwb" \
	prog "three " "$(bin cm_test)" owner_ listen_ restart self_
RIG_TARGETS="fd00::1=siw1 fd00:1::1=siwa fd00:2::1=siwb 10.0.1.1=siwa" \
	prog "three ipv6 " "$(bin cm_test)" -6 owner_wild self_
finish
