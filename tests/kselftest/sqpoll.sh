#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Send queues that a thread of the kernel looks at: with the administrator's
# consent (sq_poll) and at the user's wish (SIW_SQ_POLL), through our provider.

. "$(dirname "$0")/lib.sh"

[ "$SIW_PROVIDER" != stock ] || skip_all "libsiw does not ask for it"

allow()	# MICROSECONDS
{
	local d

	for d in siw1 siw2; do
		echo "$1" > "/sys/class/infiniband/$d/siw/sq_poll"
	done
}

counter()	# DEVICE NAME
{
	sleep 0.05
	cat "/sys/class/infiniband/$1/ports/1/hw_counters/$2"
}

threads()
{
	cat /proc/[0-9]*/comm 2> /dev/null | grep '^siw_poll-' || true
}

no_threads()
{
	[ -z "$(threads)" ]
}

setting()
{
	local f=/sys/class/infiniband/siw1/siw/sq_poll v

	[ "$(cat "$f")" = 0 ] || fail "sq_poll is $(cat "$f") by default"
	for v in 1000001 -1 x ""; do
		! echo "$v" > "$f" || fail "sq_poll takes '$v'"
	done
	for v in 1000000 0; do
		echo "$v" > "$f"
		[ "$(cat "$f")" = "$v" ] || fail "sq_poll is $(cat "$f"), not $v"
	done
	echo 77 > /sys/module/siw/parameters/sq_poll
	h1 rdma link add siw3 type siw netdev lo
	v=$(cat /sys/class/infiniband/siw3/siw/sq_poll)
	rdma link del siw3
	echo 0 > /sys/module/siw/parameters/sq_poll
	[ "$v" = 77 ] || fail "a new device has sq_poll $v, not 77"
}

# Both ends under traffic, as in kill.sh.
start()	# PORT
{
	ip netns exec h1 "$(bin app)" serve 10.0.0.1 "$1" > "$work/s" 2>&1 &
	spid=$!
	until_ok 10 grep -q listening "$work/s" || fail "$(cat "$work/s")"
	ip netns exec h2 "$(bin app)" stream 10.0.0.1 "$1" > "$work/c" 2>&1 &
	cpid=$!
	until_ok 10 grep -q running "$work/c" ||
		fail "$(cat "$work/s" "$work/c")"
	[ "$(threads | wc -l)" = 2 ] || fail "threads: $(threads)"
	rdma -dd resource show qp | grep -q 'drv_sq_poll 500' ||
		fail "rdma resource does not show it"
}

ended()
{
	wait "$spid" || true
	wait "$cpid" || true
	leak_resources
	no_threads || fail "threads are left: $(threads)"
}

kill_one()
{
	local i

	for i in 1 2; do
		start $((7200 + i))
		if [ $((i % 2)) = 0 ]; then
			kill -9 "$cpid"
		else
			kill -9 "$spid"
		fi
		ended
	done
}

kill_both()
{
	start 7210
	kill -9 "$spid" "$cpid"
	ended
}

device_goes()
{
	start 7220
	rdma link del siw2
	until_ok 10 grep -q told "$work/c" || fail "$(cat "$work/c")"
	ended
	h2 rdma link add siw2 type siw netdev eth2
	allow 500
	start 7221
	ip -n h1 link del eth1
	ended
	dissolve
	topology
	allow 500
}

module_goes()
{
	start 7230
	unload
	ended
	load
	rdma_pair
	allow 500
}

moves()	# COUNTER FROM
{
	[ "$(counter siw2 "$1")" != "$2" ]
}

# Traffic goes on when the consent is taken back, by doorbells alone.
consent_ends()
{
	local polled rung

	start 7240
	polled=$(counter siw2 sq_polled)
	until_ok 10 moves sq_polled "$polled" || fail "is not polled"
	allow 0
	sleep 0.5
	polled=$(counter siw2 sq_polled)
	rung=$(counter siw2 doorbells)
	until_ok 10 moves doorbells "$rung" || fail "stands still"
	! moves sq_polled "$polled" || fail "is still polled"
	allow 500
	until_ok 10 moves sq_polled "$polled" || fail "is not polled again"
	kill -9 "$spid" "$cpid"
	ended
}

busy_packets()	# HOST
{
	"$1" nstat -az TcpExtBusyPollRxPackets |
		awk '/BusyPoll/ { print $2 }'
}

# Takes packets from the NICs, or does not.
nic_looked_into()	# yes|no
{
	local before after

	before=$(($(busy_packets h1) + $(busy_packets h2)))
	start $((7250 + ${#1}))
	sleep 1
	after=$(($(busy_packets h1) + $(busy_packets h2)))
	kill -9 "$spid" "$cpid"
	ended
	echo "packets taken by looking: $((after - before))"
	if [ "$1" = yes ]; then
		[ "$after" -gt "$before" ] || fail "none"
	else
		[ "$after" = "$before" ] || fail "nobody asked for it"
	fi
}

# Two NICs with queues, which veth has not.
busy_reading()
{
	no_links
	dissolve
	nic_pair 1500
	rdma_pair
	allow 500
	t "the NIC is not looked into" nic_looked_into no
	sysctl -qw net.core.busy_read=50
	t "the NIC is looked into with net.core.busy_read" nic_looked_into yes
	prog "NIC polled " "$(bin data_test)" send_sizes write_sizes read_sizes \
		both_ways threads
	prog "NIC polled " "$(bin error_test)" flush destroy
	sysctl -qw net.core.busy_read=0
	no_links
	nics_back
}

begin
topology
if [ ! -e /sys/class/infiniband/siw1/siw/sq_poll ]; then
	result 4 "polling of send queues" "the module cannot"
	finish
fi
t "the setting" setting
prog "" "$(bin sqpoll_test)" unasked refused
allow 1000000
prog "allowed " "$(bin sqpoll_test)" unasked nonsense
prog "" "$(bin sqpoll_test)" few_doorbells wake_ups many_qps idle_sleeps \
	full_socket error_flushes destroy_busy scribbler too_many
allow 500
export SIW_SQ_POLL=500
t "one end is killed" kill_one
t "both ends are killed" kill_both
t "the consent is taken back" consent_ends
t "the device goes" device_goes
t "the module goes" module_goes
if [ "${KSFT_SLOW:-1}" = 1 ]; then
	prog "polled " "$(bin data_test)"
	prog "polled " "$(bin error_test)"
else
	prog "polled " "$(bin error_test)" flush destroy scribbled
fi
[ ! -d /sys/class/net/nic1 ] || busy_reading
finish
