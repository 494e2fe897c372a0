#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Queue pairs without rdma_cm: rdv_test's cases, the programs that exchange
# QP numbers themselves, and everything that can go while a QP waits.

. "$(dirname "$0")/lib.sh"

port=721

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

# One program as server and client, on the device and GID of each.
pair()	# PROGRAM SERVER-GID CLIENT-GID ADDRESS OPTIONS...
{
	local prog=$1 sg=$2 cg=$3 addr=$4 rc=0 s
	shift 4

	have "$prog"
	h1 timeout -k 5 90 "$prog" -d siw1 "${gidopt--g}" "$sg" "$@" \
		> "$work/server" 2>&1 &
	s=$!
	wait_listen h1 18515
	run h2 timeout 60 "$prog" -d siw2 "${gidopt--g}" "$cg" "$@" "$addr" ||
		rc=$?
	wait "$s" || rc=$?
	[ $rc -eq 0 ] || {
		cat "$work/server"
		fail "status $rc"
	}
}

pair4()
{
	pair "$1" "$(gid4 siw1)" "$(gid4 siw2)" 10.0.0.1 "${@:2}"
}

pair6()
{
	pair "$1" "$(gid6 siw1)" "$(gid6 siw2)" 10.0.0.1 "${@:2}"
}

perf()
{
	gidopt=-x pair4 "$@"
}

# Of an iWARP device perftest forgets the credits' MR when it closes: what
# counts is that the data went.
perf_send()
{
	local rc=0

	(gidopt=-x pair4 ib_send_bw -n 200 -F) > "$work/send" 2>&1 || rc=$?
	cat "$work/send"
	[ $rc -eq 0 ] || grep -q "Couldn't destroy all SEND" "$work/send" ||
		fail "status $rc"
	[ "$(grep -cE '^ *65536 +200 ' "$work/send")" = 2 ] || fail "no result"
}

perf_atomic()
{
	[ "$SIW_PROVIDER" != stock ] || skip "libsiw has no atomics"
	perf ib_atomic_bw -n 200 -F
}

one_device()
{
	local g s rc=0

	g=$(gid4 siw1)
	h1 timeout -k 5 90 ibv_rc_pingpong -d siw1 -g "$g" -n 100 \
		> "$work/server" 2>&1 &
	s=$!
	wait_listen h1 18515
	run h1 timeout 60 ibv_rc_pingpong -d siw1 -g "$g" -n 100 10.0.0.1 ||
		rc=$?
	wait "$s" || rc=$?
	[ $rc -eq 0 ] || fail "status $rc: $(cat "$work/server")"
}

no_grh()
{
	local s

	h1 ibv_rc_pingpong -d siw1 -n 10 > "$work/server" 2>&1 &
	s=$!
	wait_listen h1 18515
	refused h2 timeout 20 ibv_rc_pingpong -d siw2 -n 10 10.0.0.1
	refused wait "$s"
	grep -q "Failed to modify QP to RTR" "$work/server"
}

# ------------------------------------------------------------------ waiting

# Both roles: 10.0.0.1 is lower and calls, 10.0.0.2 is higher and listens. The
# processes are in neither namespace, which would keep it.
start_waiting()
{
	"$(bin rdv_test)" wait siw1 10.0.0.1 10.0.0.2 > "$work/active" 2>&1 &
	active=$!
	"$(bin rdv_test)" wait siw2 10.0.0.2 10.0.0.1 > "$work/passive" 2>&1 &
	passive=$!
	until_ok 10 grep -q waiting "$work/active" || fail "active: $(cat "$work/active")"
	until_ok 10 grep -q waiting "$work/passive" || fail "passive: $(cat "$work/passive")"
	wait_listen h2 $port
	! listening h1 $port || fail "the active end listens"
}

stop_waiting()
{
	kill -9 "$active" "$passive" 2>/dev/null || true
	wait "$active" 2>/dev/null || true
	wait "$passive" 2>/dev/null || true
	! listening h2 $port || fail "still listening"
	leak_resources
}

kill_waiting()
{
	local i

	for i in 1 2 3 4 5; do
		start_waiting
		stop_waiting
	done
}

# Sends that wait for an acknowledgment, both ends in one process.
start_stuck()
{
	"$(bin rdv_test)" stuck > "$work/stuck" 2>&1 &
	stuck=$!
	until_ok 15 grep -q stuck "$work/stuck" || fail "$(cat "$work/stuck")"
}

stop_stuck()
{
	kill -9 "$stuck"
	wait "$stuck" 2>/dev/null || true
	leak_resources
}

kill_stuck()
{
	local i

	for i in 1 2 3; do
		start_stuck
		stop_stuck
	done
	echo 1000 > /sys/class/infiniband/siw2/siw/rnr_wait
}

links_go_stuck()
{
	start_stuck
	run rdma link del siw1
	run rdma link del siw2
	stop_stuck
}

# Acknowledgments are in the stream: what is lost comes again.
lossy()
{
	local n rc=0

	command -v tc > /dev/null || skip "no tc"
	for n in 1 2; do
		run tc -n h$n qdisc add dev eth$n root netem loss 1%
	done
	run "$(bin rdv_test)" one_sided same long_both peer_refuses_long \
		unreceived_send || rc=$?
	for n in 1 2; do
		tc -n h$n qdisc del dev eth$n root
	done
	[ $rc -eq 0 ] || fail "status $rc"
}

shown()
{
	start_waiting
	run rdma resource show qp link siw1 -dd | tee "$work/qp"
	grep -q 'rendezvous connecting' "$work/qp"
	grep -q 'peer_gid ::ffff:10.0.0.2' "$work/qp"
	grep -q 'peer_qpn 77' "$work/qp"
	rdma resource show qp link siw2 -dd | grep -q 'rendezvous listening'
	stop_waiting
}

told()	# FILE
{
	until_ok 8 grep -q told "$work/$1" || fail "$1 is never told"
	cat "$work/$1"
}

links_go()
{
	start_waiting
	run rdma link del siw1
	run rdma link del siw2
	told active
	told passive
	stop_waiting
}

netdevs_go()
{
	start_waiting
	run ip -n h1 link del eth1
	told active
	told passive
	stop_waiting
}

# The netdev moves: its QPs cannot go on in the other namespace.
netdev_moves()
{
	start_waiting
	run ip -n h2 link set eth2 netns 1
	until_ok 8 grep -q 'catastrophic' "$work/passive" ||
		fail "no event: $(cat "$work/passive")"
	until_ok 5 eval "! listening h2 $port" || fail "still listening"
	run ip link set eth2 netns h2
	run ip -n h2 link del eth2
	kill -9 "$active" "$passive"
	wait "$active" "$passive" 2>/dev/null || true
}

namespace_goes()
{
	start_waiting
	run ip netns del h2
	told passive
	until_ok 8 eval '! rdma link show siw2/1' || fail "siw2 stays"
	kill -9 "$active" "$passive"
	wait "$active" "$passive" 2>/dev/null || true
}

module_goes()
{
	start_waiting
	run rdma link del siw1
	run rdma link del siw2
	until_ok 8 grep -qx 0 /sys/module/siw/refcnt || fail "refcount"
	run rmmod siw
	kill -9 "$active" "$passive"
	wait "$active" "$passive" 2>/dev/null || true
}

# A third host in a namespace of its own, which knows nothing of the others.
same_addresses()
{
	local rc=0

	run ip netns add h4
	ip -n h4 link set lo up
	run ip -n h4 link add eth4 type dummy
	run ip -n h4 addr add 10.0.0.2/24 dev eth4
	run ip -n h4 link set eth4 up
	run ip netns exec h4 rdma link add siw4 type siw netdev eth4
	run "$(bin rdv_test)" other_namespace || rc=$?
	run rdma link del siw4
	run ip netns del h4
	[ $rc -eq 0 ] || fail "status $rc"
}

# ------------------------------------------------------------------ settings

settings()
{
	local d=/sys/class/infiniband/siw1/siw bad

	[ "$(cat $d/rdv_port)" = $port ]
	[ "$(cat $d/rdv_timeout)" = 60 ]
	for bad in 65536 -1 x ''; do
		refused eval "echo '$bad' > $d/rdv_port"
		refused eval "echo '$bad' > $d/rdv_timeout"
	done
	refused eval "echo 0 > $d/rdv_timeout"
}

another_port()
{
	local d

	for d in siw1 siw2; do
		echo 7210 > /sys/class/infiniband/$d/siw/rdv_port
	done
	pair4 ibv_rc_pingpong -n 50
	echo 0 > /sys/class/infiniband/siw1/siw/rdv_port
	refused eval '(pair4 ibv_rc_pingpong -n 50)'
	for d in siw1 siw2; do
		echo $port > /sys/class/infiniband/$d/siw/rdv_port
	done
	reap
}

# The port is taken by a program: no connection, then, when it is free, one.
port_taken()
{
	local nc

	ip netns exec h2 python3 -c '
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("10.0.0.2", '$port'))
s.listen()
print("bound", flush=True)
time.sleep(3)' > "$work/taken" &
	nc=$!
	until_ok 10 grep -q bound "$work/taken"
	pair4 ibv_rc_pingpong -n 50
	kill "$nc" 2>/dev/null || true
}

# Of Linux 6.1's table everything is gone for an instant, which libsiw tells.
churn()
{
	local i rc=0

	churn_start
	case $KREL-$SIW_PROVIDER in
	6.1.*-stock) export GID_HOLES=1 ;;
	6.1.*) "$(bin rdv_test)" rtr_always || rc=$? ;;
	*)
		for i in "" -6; do
			# shellcheck disable=SC2086 # no word, or one
			"$(bin rdv_test)" $i entry_stays &&
				"$(bin rdv_test)" $i rtr_always || rc=$?
		done
		;;
	esac
	for ((i = 0; i < 4 && rc == 0; i++)); do
		"$(bin rdv_test)" passive_first same_device reset_and_again ||
			rc=$?
	done
	unset GID_HOLES
	churn_stop
	[ $rc -eq 0 ] || fail "status $rc"
}

begin
topology
prog "" "$(bin rdv_test)"
prog "ipv6 " "$(bin rdv_test)" -6 active passive same self attributes refused \
	last port_closed hostile nobody
t "settings" settings
t "ibv_rc_pingpong" pair4 ibv_rc_pingpong -n 200
t "ibv_rc_pingpong, IPv6" pair6 ibv_rc_pingpong -n 200
t "ibv_rc_pingpong, events" pair4 ibv_rc_pingpong -n 200 -e
t "ibv_rc_pingpong on one device" one_device
t "ibv_rc_pingpong without a GID" no_grh
t "ibv_srq_pingpong" pair4 ibv_srq_pingpong -n 200
t "ibv_srq_pingpong, IPv6" pair6 ibv_srq_pingpong -n 200 -e
t "ib_send_bw without -R" perf_send
t "ib_atomic_bw without -R" perf_atomic
for p in ib_write_bw ib_read_bw ib_send_lat ib_write_lat; do
	t "$p without -R" perf $p -n 100 -F
done
t "another port, and none" another_port
t "the port is taken" port_taken
t "addresses come and go" churn
t "other hosts have the same addresses" same_addresses
t "shown by rdma resource" shown
t "packets are lost" lossy
t "processes are killed" kill_waiting
t "processes are killed with Sends under way" kill_stuck
t "links are deleted" links_go
t "links are deleted with Sends under way" links_go_stuck
t "netdevs are deleted" netdevs_go
t "a netdev moves" netdev_moves
t "a namespace is deleted" namespace_goes
t "the module is removed" module_goes
finish
