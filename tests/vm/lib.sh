# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# shellcheck shell=bash
#
# Functions for scripts that run in a guest.
#
#	h1                      h2          network namespaces
#	eth1 ---- veth pair ---- eth2       10.0.0.1/24  10.0.0.2/24
#	siw1                    siw2        fd00::1/64   fd00::2/64
#
#	. "$SIW_TOP/tests/vm/lib.sh"
#	load_siw; two_hosts; add_links
#	on h2 rping -s -a 10.0.0.2 &
#	on h1 rping -c -a 10.0.0.2 -C 10
#
# The same script runs in a pair of guests (tests/vm/pair, SIW_PAIR is set): then
# h1 is the guest it runs in, h2 the other one, and the cable joins them.

SIW_KO=${SIW_KO:-/nonexistent}
SIW_PROVIDER=${SIW_PROVIDER:-stock}
SIW_PAIR=${SIW_PAIR:-}
# Where the second guest of a pair takes commands.
export SIW_REMOTE_PORT=7000

# say TEXT: a progress line on stderr
say()
{
	echo "$*" >&2
}

# load_rdma: the RDMA core and everything siw modules and verbs programs need
load_rdma()
{
	local m

	# As on a machine with udev, the CPU's own CRC comes before its users.
	modprobe -q crc32c_intel || true
	for m in libcrc32c ib_core ib_uverbs iw_cm rdma_cm rdma_ucm ib_umad; do
		modprobe -q "$m" ||
			{ say "cannot load $m"; return 1; }
	done
}

# load_siw [PARAMETER=VALUE...]: load SIW_KO ("modprobe" when it is a name)
load_siw()
{
	load_rdma || return
	# shellcheck disable=SC2016 # for the other guest to expand
	[ -z "$SIW_PAIR" ] || on h2 bash -c \
		'. "$SIW_TOP/tests/vm/lib.sh"; load_siw "$@"' - "$@" || return
	insmod "$SIW_KO" "$@" || { say "cannot load $SIW_KO"; return 1; }
	provider_env
}

# unload_siw: remove links and module; status of rmmod
unload_siw()
{
	del_links
	[ -z "$SIW_PAIR" ] || on h2 rmmod siw || return
	rmmod siw
}

# provider_env: let libibverbs use the provider SIW_PROVIDER names
provider_env()
{
	if [ "$SIW_PROVIDER" = stock ]; then
		unset RDMAV_DRIVERS IBV_DRIVERS
		return
	fi
	local path=${SIW_PROVIDER%.so}

	# libibverbs adds -rdmav34.so to what it is given.
	export RDMAV_DRIVERS=${path%-rdmav*}
}

# on HOST COMMAND...: run a program on a host
on()
{
	local host=$1

	shift
	if [ -n "$SIW_PAIR" ] && [ "$host" = h1 ]; then
		"$@"
	elif [ -n "$SIW_PAIR" ]; then
		"$SIW_TOP/tests/vm/remote" run 10.0.0.2 "$SIW_REMOTE_PORT" "$@"
	else
		ip netns exec "$host" "$@"
	fi
}

# cable_end N: give this guest of a pair its end of the cable
cable_end()
{
	sysctl -qw net.ipv6.conf.all.accept_dad=0 \
		net.ipv6.conf.default.accept_dad=0
	ip link set eth0 name "eth$1"
	ip link set "eth$1" up
	ip addr add "10.0.0.$1/24" dev "eth$1"
	ip addr add "fd00::$1/64" dev "eth$1" nodad
}

# two_hosts [MTU]: namespaces h1 and h2, cable, addresses (default MTU 1500)
two_hosts()
{
	local mtu=${1:-1500} n

	if [ -n "$SIW_PAIR" ]; then
		set_mtu "$mtu"
		return
	fi
	modprobe -q veth
	ip netns add h1
	ip netns add h2
	ip link add eth1 netns h1 type veth peer name eth2 netns h2
	for n in 1 2; do
		ip -n h$n link set lo up
		on h$n sysctl -qw net.ipv6.conf.eth$n.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0
		ip -n h$n link set eth$n mtu "$mtu" up
		ip -n h$n addr add 10.0.0.$n/24 dev eth$n
		ip -n h$n addr add fd00::$n/64 dev eth$n nodad
	done
}

# set_mtu MTU: of both ends of the cable
set_mtu()
{
	on h1 ip link set eth1 mtu "$1"
	on h2 ip link set eth2 mtu "$1"
}

# no_hosts: take two_hosts down again
no_hosts()
{
	[ -z "$SIW_PAIR" ] || return 0
	ip netns del h1
	ip netns del h2
}

# add_links: an RDMA device on each host
add_links()
{
	on h1 rdma link add siw1 type siw netdev eth1 &&
	on h2 rdma link add siw2 type siw netdev eth2 || return
	wait_for 5 on h1 test -e /sys/class/infiniband/siw1 &&
	wait_for 5 on h2 test -e /sys/class/infiniband/siw2
}

# del_links: every RDMA device of a siw module
del_links()
{
	local dev

	[ -z "$SIW_PAIR" ] || on h2 rdma link del siw2 2>/dev/null || true
	for dev in /sys/class/infiniband/*; do
		[ -e "$dev" ] || continue
		rdma link del "${dev##*/}" 2>/dev/null || true
	done
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds; status 1 if it does not
wait_for()
{
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# tcp_listens HOST PORT: does a TCP socket, kernel's or program's, listen there?
tcp_listens()
{
	on "$1" ss -Htln "sport = :$2" | grep -q .
}

# cm_listens HOST PORT: does an rdma_cm id listen on the port?
cm_listens()
{
	on "$1" rdma resource show cm_id 2>/dev/null |
		grep -q "state LISTEN .*:$2 "
}
