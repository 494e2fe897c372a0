#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# One end goes under full traffic, in every way an end can go. The other must
# be told at once (the limit allows for an emulated guest on a busy machine)
# and nothing may be left.

. "$(dirname "$0")/lib.sh"

limit=$((15000 * ${KSFT_SLOW:-1}))
declare -A spid cpid

# Each case begins with the whole topology, whatever the last one broke.
before()
{
	module_loaded || load
	if ! ip -n h1 link show eth1 || ! ip -n h2 link show eth2; then
		dissolve
		veth_pair 1500
	fi
	rdma link show siw1/1 || h1 rdma link add siw1 type siw netdev eth1
	rdma link show siw2/1 || h2 rdma link add siw2 type siw netdev eth2
}

start()	# PORT
{
	# Both ends in processes that can be killed by their own id.
	ip netns exec h1 "$(bin app)" serve 10.0.0.1 "$1" > "$work/s$1" 2>&1 &
	spid[$1]=$!
	until_ok 10 grep -q listening "$work/s$1" ||
		fail "server: $(cat "$work/s$1")"
	ip netns exec h2 "$(bin app)" stream 10.0.0.1 "$1" > "$work/c$1" 2>&1 &
	cpid[$1]=$!
	until_ok 10 grep -q running "$work/s$1" ||
		fail "server: $(cat "$work/s$1" "$work/c$1")"
	until_ok 10 grep -q running "$work/c$1" ||
		fail "client: $(cat "$work/c$1" "$work/s$1")"
}

told()	# FILE SINCE
{
	until_ok 5 grep -q told "$work/$1" || fail "$1 is never told"
	local took=$(($(now_ms) - $2))

	echo "$1 ${took} ms: $(grep told "$work/$1")"
	[ "$took" -le "$limit" ] || fail "$1 is told after $took ms"
}

both_end()	# PORT
{
	wait "${spid[$1]}" || true
	wait "${cpid[$1]}" || true
	leak_resources
}

kill_client()
{
	start 7001
	local t0
	t0=$(now_ms)

	kill -9 "${cpid[7001]}"
	told s7001 "$t0"
	both_end 7001
}

kill_server()
{
	start 7002
	local t0
	t0=$(now_ms)

	kill -9 "${spid[7002]}"
	told c7002 "$t0"
	both_end 7002
}

kill_both()
{
	start 7003
	kill -9 "${spid[7003]}" "${cpid[7003]}"
	both_end 7003
}

# Neither end need have come far: it is killed before it connects, while it
# does, or under traffic. KSFT_SEED repeats a run, KSFT_KILLS is its length.
kill_at_random()
{
	local rounds=${KSFT_KILLS:-0} seed=${KSFT_SEED:-$$} i port who

	[ "$rounds" != 0 ] || skip "only with KSFT_KILLS"
	echo "KSFT_SEED=$seed"
	RANDOM=$seed
	for ((i = 0; i < rounds; i++)); do
		port=$((7100 + i % 50))
		ip netns exec h1 "$(bin app)" serve 10.0.0.1 "$port" > \
			"$work/s$port" 2>&1 &
		spid[$port]=$!
		random_wait
		ip netns exec h2 "$(bin app)" stream 10.0.0.1 "$port" > \
			"$work/c$port" 2>&1 &
		cpid[$port]=$!
		random_wait
		who=$((RANDOM % 3))
		[ "$who" = 1 ] || kill -9 "${cpid[$port]}" 2> /dev/null || true
		[ "$who" = 0 ] || kill -9 "${spid[$port]}" 2> /dev/null || true
		survivor_ends "$who" "$port" || fail "round $i: $(cat "$work/s$port" \
			"$work/c$port")"
		[ $((i % 10)) != 9 ] || leak_resources
	done
	leak_resources
}

# 0 to 0.4 s, most often short.
random_wait()
{
	local ms=$((RANDOM % 20 * (RANDOM % 21)))

	sleep "$(printf 0.%03d "$ms")"
}

# A server that no client has reached waits for one. Whoever runs is told.
survivor_ends()	# WHO-WAS-KILLED PORT
{
	local end=$(($(now_ms) + limit))

	while kill -0 "${spid[$2]}" 2> /dev/null ||
	      kill -0 "${cpid[$2]}" 2> /dev/null; do
		[ "$1" != 0 ] || grep -q running "$work/s$2" ||
			kill -9 "${spid[$2]}" 2> /dev/null || true
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
	wait "${spid[$2]}" "${cpid[$2]}" 2> /dev/null || true
}

# A stopped end is alive: the other goes on or waits, nobody is told.
stop_and_go()
{
	start 7004
	kill -STOP "${spid[7004]}"
	sleep 0.5
	! grep -q told "$work/c7004" || fail "told of a stopped peer"
	kill -CONT "${spid[7004]}"
	kill -9 "${spid[7004]}"
	until_ok 5 grep -q told "$work/c7004" || fail "client is never told"
	both_end 7004
}

bystander()
{
	start 7005
	start 7006

	kill -9 "${cpid[7005]}"
	wait "${spid[7005]}" || true
	wait "${cpid[7005]}" || true
	sleep 0.3
	! grep -q told "$work/c7006" || fail "the other connection ended"
	! grep -q told "$work/s7006" || fail "the other connection ended"
	kill -9 "${cpid[7006]}"
	wait "${cpid[7006]}" || true
	both_end 7006
}

three_at_once()
{
	local p

	for p in 7011 7012 7013; do
		start "$p"
	done
	kill -9 "${cpid[7011]}" "${spid[7012]}" "${cpid[7013]}"
	for p in 7011 7012 7013; do
		wait "${spid[$p]}" || true
		wait "${cpid[$p]}" || true
	done
	leak_resources
}

del_link()	# DEVICE NETNS NETDEV PORT OTHER
{
	start "$4"
	local t0
	t0=$(now_ms)

	run timeout 5 rdma link del "$1"
	told "c$4" "$t0"
	told "s$4" "$t0"
	both_end "$4"
	run ip netns exec "$2" rdma link add "$1" type siw netdev "$3"
}

remove_netdev()
{
	start 7023
	local t0
	t0=$(now_ms)

	run timeout 5 ip -n h1 link del eth1
	told c7023 "$t0"
	told s7023 "$t0"
	wait "${spid[7023]}" || true
	wait "${cpid[7023]}" || true
	ip netns del h1
	ip netns del h2
	topology
}

remove_module()
{
	start 7024
	local t0
	t0=$(now_ms)

	run timeout 5 rdma link del siw1
	run timeout 5 rdma link del siw2
	run timeout 5 rmmod siw
	told c7024 "$t0"
	told s7024 "$t0"
	both_end 7024
	load
	rdma_pair
}

# The processes do not react, yet the module goes.
remove_module_stopped()
{
	start 7025
	kill -STOP "${spid[7025]}" "${cpid[7025]}"
	run timeout 5 rdma link del siw1
	run timeout 5 rdma link del siw2
	run timeout 5 rmmod siw
	kill -9 "${spid[7025]}" "${cpid[7025]}"
	wait "${spid[7025]}" || true
	wait "${cpid[7025]}" || true
	load
	rdma_pair
}

# Set-up and tear-down at the same time.
del_link_while_connecting()
{
	local i pid

	for ((i = 0; i < 3; i++)); do
		CM_LOOPS=100000 "$(bin cm_test)" loop > /dev/null 2>&1 &
		pid=$!
		sleep 0.$((5 + i))
		run timeout 10 rdma link del siw2
		run timeout 10 rdma link del siw1
		pkill -9 -P "$pid" 2>/dev/null || true
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		rdma_pair
	done
	leak_resources
}

begin
topology
t "kill -9 of the client" kill_client
t "kill -9 of the server" kill_server
t "kill -9 of both" kill_both
t "kill -9 at random moments" kill_at_random
t "a stopped end is not a dead one" stop_and_go
t "the other connection lives on" bystander
t "three connections at once" three_at_once
t "link of the server is deleted" del_link siw1 h1 eth1 7021
t "link of the client is deleted" del_link siw2 h2 eth2 7022
t "netdev is removed" remove_netdev
t "module is removed" remove_module
t "module is removed under stopped programs" remove_module_stopped
t "links are deleted while connections come" del_link_while_connecting
finish
