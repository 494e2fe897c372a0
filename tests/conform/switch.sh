#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Changes the endpoint under test for a case (iwarp-conform --switch): its
# device's settings, or the network between h1 and h2. Status 77: not possible
# here. run.sh exports what is used: AGENT, AGENT_ADDR, AGENT_PORT, RUNDIR.

set -eu
. "${SIW_TOP:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/vm/lib.sh"

PARAMS=/sys/module/siw/parameters

stop_agent()
{
	local pid

	[ -e "$RUNDIR/agent.pid" ] || return 0
	pid=$(cat "$RUNDIR/agent.pid")
	rm -f "$RUNDIR/agent.pid"
	kill "$pid" 2>/dev/null || return 0
	wait_for 10 test ! -d "/proc/$pid" || kill -9 "$pid" 2>/dev/null || true
}

start_agent()
{
	# exec: the process that is killed later has to be the agent itself
	(exec ip netns exec h2 setsid "$AGENT" "$AGENT_ADDR" "$AGENT_PORT" \
		>>"$RUNDIR/agent.out" 2>&1 </dev/null) &
	echo $! >"$RUNDIR/agent.pid"
	wait_for 20 tcp_listens h2 "$AGENT_PORT"
}

# settings take effect on devices made afterwards
new_device()
{
	stop_agent
	rdma link del siw2
	on h2 rdma link add siw2 type siw netdev eth2
	wait_for 5 test -e /sys/class/infiniband/siw2
	start_agent
}

set_param()
{
	[ -w "$PARAMS/$1" ] || { echo "the module has no setting $1" >&2; exit 77; }
	[ -e "$RUNDIR/$1.was" ] || cat "$PARAMS/$1" >"$RUNDIR/$1.was"
	case $2 in
	on) echo 1 ;;
	off) echo 0 ;;
	*) echo "$2" ;;
	esac >"$PARAMS/$1"
	new_device
}

restore_params()
{
	local was changed=0

	for was in "$RUNDIR"/*.was; do
		[ -e "$was" ] || continue
		cat "$was" >"$PARAMS/$(basename "$was" .was)"
		rm -f "$was"
		changed=1
	done
	[ $changed = 0 ] || new_device
}

timestamps()
{
	on h1 sysctl -qw net.ipv4.tcp_timestamps="$1"
	on h2 sysctl -qw net.ipv4.tcp_timestamps="$1"
}

no_netem()
{
	on h1 tc qdisc del dev eth1 root 2>/dev/null || true
	on h2 tc qdisc del dev eth2 root 2>/dev/null || true
}

netem()
{
	modprobe -q sch_netem || true
	on h1 tc qdisc replace dev eth1 root netem "$@" || exit 77
	on h2 tc qdisc replace dev eth2 root netem "$@" || exit 77
}

what=$1
shift
case $what in
crc|markers|p2p|mpa_rev|server_first)	set_param "$what" "$1" ;;
mtu)		set_mtu "$1" ;;
timestamps)	timestamps "$([ "$1" = off ] && echo 0 || echo 1)" ;;
netem)		read -ra words <<<"$*"; netem "${words[@]}" ;;
default)	no_netem; set_mtu 1500; timestamps 1; restore_params ;;
start)		start_agent ;;
stop)		stop_agent ;;
*)		echo "unknown setting $what" >&2; exit 77 ;;
esac
