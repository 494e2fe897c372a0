#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# A bad network between h1 and h2: packets are lost, reordered, doubled, altered, late;
# the link flaps. All operations transfer all octets unaltered all the same
# (data_test compares). Then peers that stop reading, vanish, or reset: the end is told
# in bounded time.
#
# NETFAULT=long	each fault with all cases of data_test; a link that flaps
# NETFAULT_SEED	to repeat where the resets fall

. "$(dirname "$0")/lib.sh"

slow=${KSFT_SLOW:-1}
ops=(inline_lists zero_length send_with_inv send_imm write_imm order atomics
	fence reads_beyond_depth both_ways)
# each of a size that a fault of one packet in a thousand still hits
bulk=(write_sizes read_sizes)
RANDOM=${NETFAULT_SEED:-$(($(date +%s) % 32768))}
seed=$RANDOM
RANDOM=$seed

qdisc()	# ARGS of netem in one word, or "off"
{
	local n args=$1

	for n in 1 2; do
		tc -n "h$n" qdisc del dev "eth$n" root 2>/dev/null || true
		# shellcheck disable=SC2086 # words
		[ "$args" = off ] || run tc -n "h$n" qdisc add dev "eth$n" \
			root netem limit 5000 $args
	done
}

# What TCP of both hosts has seen since they exist
seen()	# COUNTER
{
	local n

	for n in 1 2; do
		ip netns exec "h$n" nstat -asz "$1" 2>/dev/null
	done | awk -v c="$1" '$1 == c { sum += $2 } END { print sum + 0 }'
}

# Without them the cases above say nothing.
faults_were_real()
{
	local c n

	have nstat
	for c in TcpRetransSegs TcpInCsumErrors TcpExtTCPDSACKRecv \
			TcpExtTCPOFOQueue; do
		n=$(seen $c)
		echo "$c $n"
		[ "$n" -gt 0 ] || fail "no $c"
	done
}

faulty()	# NETEM CASES...
{
	local netem=$1
	shift

	[ "${NETFAULT:-}" != long ] || set --
	qdisc "$netem"
	"$(bin data_test)" "$@" > "$work/out" 2>&1 || {
		grep -v '^ok' "$work/out"
		qdisc off
		fail "under $netem"
	}
	grep -q '^ok' "$work/out" || fail "no case ran"
	qdisc off
	leak_resources
}

connected()
{
	[ -n "$(h2 ss -Htn state established)" ]
}

# The link goes while a case transfers; to begin one it has to be there.
flapping()	# CASES...
{
	local pid case i

	for case; do
		"$(bin data_test)" "$case" > "$work/out" 2>&1 &
		pid=$!
		until_ok 10 connected || true
		for ((i = 0; i < 4; i++)); do
			kill -0 "$pid" 2>/dev/null || break
			run ip -n h2 link set eth2 down
			sleep 0.$((RANDOM % 4 + 1))
			run ip -n h2 link set eth2 up
			sleep 0.$((RANDOM % 9 + 1))
		done
		wait "$pid" || {
			cat "$work/out"
			fail "$case under a flapping link"
		}
		run ip -n h2 addr replace fd00::2/64 dev eth2 nodad
		run ip -n h2 neigh flush dev eth2
		until_ok 20 neighbour 10.0.0.1 || fail "the link is dead"
	done
	leak_resources
}

setting()	# NAME VALUE
{
	local d

	for d in siw1 siw2; do
		echo "$2" > "/sys/class/infiniband/$d/siw/$1"
	done
}

start_pair()	# PORT
{
	"$(bin app)" serve 10.0.0.1 "$1" > "$work/s" 2>&1 &
	server=$!
	until_ok 10 grep -q listening "$work/s" || fail "$(cat "$work/s")"
	"$(bin app)" stream 10.0.0.1 "$1" > "$work/c" 2>&1 &
	client=$!
	until_ok 20 grep -q running "$work/c" ||
		fail "$(cat "$work/c" "$work/s")"
}

both_told()	# SECONDS
{
	until_ok "$1" grep -q told "$work/s" || fail "the server is never told"
	until_ok "$1" grep -q told "$work/c" || fail "the client is never told"
	wait "$server" || fail "$(cat "$work/s")"
	wait "$client" || fail "$(cat "$work/c")"
	leak_resources
}

no_tcp()	# PORT
{
	[ -z "$(h1 ss -Htn state established "sport = :$1")" ] &&
		[ -z "$(h2 ss -Htn state established "dport = :$1")" ]
}

vanish_busy()
{
	local t0

	setting peer_timeout 4
	start_pair 7601
	setting peer_timeout 30
	t0=$(now_ms)
	qdisc "loss 100%"
	both_told 20
	qdisc off
	t0=$(($(now_ms) - t0))
	echo "told after $t0 ms"
	[ "$t0" -ge 3000 ] || fail "sooner than a peer may be silent"
}

# Nothing is on its way: only keepalives can find out.
vanish_idle()
{
	setting peer_timeout 4
	start_pair 7602
	setting peer_timeout 30
	kill -STOP "$server" "$client"
	sleep "$slow"
	! no_tcp 7602 || fail "it ended before"
	qdisc "loss 100%"
	until_ok 20 no_tcp 7602 || fail "TCP is still there"
	qdisc off
	kill -CONT "$server" "$client"
	both_told 10
}

kib_free()
{
	awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
}

# Eight servers that write to somebody who does not read.
closed_window()
{
	local port ports=() pids=() before peer i

	setting server_first 1
	# all of them stand still before the first of them is given up
	setting peer_timeout 12
	for ((port = 7611; port <= 7618; port++)); do
		ports+=("$port")
		"$(bin app)" serve 10.0.0.1 "$port" > "$work/s$port" 2>&1 &
		pids+=($!)
	done
	for port in "${ports[@]}"; do
		until_ok 10 grep -q listening "$work/s$port" ||
			fail "$(cat "$work/s$port")"
	done
	before=$(kib_free)
	mkfifo "$work/hold"
	ip netns exec h2 python3 "$here/closed_window.py" 10.0.0.1 \
		"${ports[@]}" > "$work/peer" 2>&1 < "$work/hold" &
	peer=$!
	exec 7> "$work/hold"
	until_ok 20 grep -q closed "$work/peer" || fail "$(cat "$work/peer")"
	sleep 1
	echo "$((before - $(kib_free))) KiB for 8 connections"
	[ $((before - $(kib_free))) -lt 65536 ] || fail "too much memory"
	# two are killed while nothing moves, the others wait for the end
	kill -9 "${pids[0]}" "${pids[1]}"
	for i in 0 1; do
		wait "${pids[$i]}" || true
	done
	for ((i = 2; i < 8; i++)); do
		until_ok 40 grep -q told "$work/s${ports[$i]}" ||
			fail "never told: $(cat "$work/s${ports[$i]}")"
		wait "${pids[$i]}"
	done
	exec 7>&-
	wait "$peer" || fail "$(cat "$work/peer")"
	setting server_first 0
	setting peer_timeout 30
	leak_resources
}

resets()	# NUMBER
{
	local i n rst port

	for ((i = 0; i < $1; i++)); do
		port=$((7621 + i))
		n=$((RANDOM % 2 + 1))
		ip netns exec "h$n" python3 "$here/rst.py" "eth$n" "$port" \
			$((RANDOM % 400 + 200)) > "$work/rst" 2>&1 &
		rst=$!
		start_pair "$port"
		both_told 20
		wait "$rst" || fail "$(cat "$work/rst")"
		cat "$work/rst"
	done
}

command -v tc > /dev/null || skip_all "no tc"
begin
topology
echo "# seed $seed"
t "loss 0.1 %" faulty "loss 0.1%" "${bulk[@]}"
t "loss 2 %" faulty "loss 2%" "${ops[@]}"
t "loss 10 %" faulty "loss 10%" send_imm order atomics zero_length
t "reordering" faulty "delay 3ms reorder 75% 50%" write_sizes "${ops[@]}"
t "duplicates" faulty "duplicate 10%" read_sizes "${ops[@]}"
t "corruption" faulty "corrupt 1%" send_sizes "${ops[@]}"
t "delay that varies" faulty "delay 25ms 20ms" order send_imm
t "a delay of 100 ms" faulty "delay 100ms" order atomics write_imm
t "20 Mbit/s" faulty "rate 20mbit" order write_imm both_ways
t "the network was bad indeed" faults_were_real
sed 's/^/# /' "$work/case"
if [ "${NETFAULT:-}" = long ]; then
	t "the link flaps" flapping write_sizes both_ways threads
fi
t "a peer vanishes under traffic" vanish_busy
t "a peer vanishes from an idle connection" vanish_idle
t "peers that do not read" closed_window
t "resets" resets "$([ "${NETFAULT:-}" = long ] && echo 100 || echo 3)"
finish
