#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The programs people run: those of rdma-core, perftest, qperf, fio, and
# sockets programs over rsockets; at MTU 1500 and 9000, over IPv4 and IPv6.

. "$(dirname "$0")/lib.sh"

preload=
for f in /usr/lib/*/rsocket/librspreload.so /usr/lib64/rsocket/librspreload.so; do
	[ ! -e "$f" ] || preload=$f
done
srv_pid=
port=7100
# a status that counts as success too
also=0

# Server in h1; "client" then runs the other half and both must succeed.
server()	# COMMAND...
{
	echo "+ h1 $*"
	ip netns exec h1 timeout -k 5 120 "$@" > "$work/srv" 2>&1 &
	srv_pid=$!
}

client()	# COMMAND...
{
	local rc=0

	echo "+ h2 $*"
	h2 timeout -k 5 60 "$@" || rc=$?
	[ "$rc" -eq 0 ] || [ "$rc" -eq "$also" ] || {
		sed 's/^/server: /' "$work/srv"
		kill "$srv_pid" 2>/dev/null || true
		fail "client ends with $rc"
	}
}

server_ends()
{
	local rc=0

	( sleep 30; kill "$srv_pid"; sleep 5; kill -9 "$srv_pid" ) > /dev/null 2>&1 &
	local dog=$!
	wait "$srv_pid" || rc=$?
	kill "$dog" 2>/dev/null || true
	[ "$rc" -eq 0 ] || [ "$rc" -eq "$also" ] || {
		sed 's/^/server: /' "$work/srv"
		fail "server ends with $rc"
	}
}

# Servers that serve for ever.
server_killed()
{
	kill "$srv_pid"
	wait "$srv_pid" || true
}

tool_rping()
{
	have rping
	server rping -s -a "$A" -p "$port" -C 20 -S 4000 -V
	wait_listen h1 "$port"
	client rping -c -a "$A" -p "$port" -C 20 -S 4000 -V -v
	server_ends
}

tool_ucmatose()
{
	have ucmatose
	server ucmatose -b "$A" -f "$F" -p "$port" -c 8 -C 10 -S 1000
	wait_listen h1 "$port"
	client ucmatose -s "$A" -f "$F" -p "$port" -c 8 -C 10 -S 1000
	server_ends
}

# These two have no address option on the server: always the wildcard.
tool_rdma_server()
{
	[ "$F" != ipv6 ] || skip "rdma_server listens on IPv4 only"
	have rdma_server
	server rdma_server -p "$port"
	wait_listen h1 "$port"
	client rdma_client -s "$A" -p "$port"
	server_ends
}

tool_rstream()	# SIZE COUNT [OPTIONS]
{
	local how=(-S "$1" -C "$2" -I 1 -T v "${@:3}")

	have rstream
	server rstream -b "$A" -f "$F" -p "$port" "${how[@]}"
	wait_listen h1 "$port"
	client rstream -s "$A" -f "$F" -p "$port" "${how[@]}"
	server_ends
}

# Ends with POLLHUP (16) when the other side was faster to close: rstream looks
# at nothing else, though poll said that there is something to read.
tool_rstream_poll()
{
	also=16
	tool_rstream 65536 8 -T a
}

tool_rstream_all()
{
	local size

	for size in 64 4096 65536 1048576; do
		tool_rstream "$size" 8
	done
}

tool_rcopy()
{
	have rcopy
	head -c 300000 /dev/urandom > "$work/file"
	server rcopy -p "$port"
	wait_listen h1 "$port"
	# an option first would make it a server
	client rcopy "$work/file" "$A:$work/copy" -p "$port"
	server_killed
	cmp "$work/file" "$work/copy"
}

# librspreload's select() is wrong (see rsselect.c): ours goes before it.
tool_iperf3()
{
	have iperf3
	[ -n "$preload" ] || skip "no librspreload"
	[ -e "$(bin librsselect.so)" ] || skip "no librsselect.so"
	local both

	both="$(bin librsselect.so) $preload"
	server env LD_PRELOAD="$both" iperf3 -s -1 -B "$A" -p "$port"
	wait_listen h1 "$port"
	client env LD_PRELOAD="$both" iperf3 -c "$A" -p "$port" -n 4M
	server_ends
}

# Its server names the port before it listens there (seen with strace: write()
# of the port, then rdma_listen()), so a quick client may be refused on any
# device: each test is tried again then.
tool_qperf()
{
	local what tries

	[ "$F" != ipv6 ] || skip "qperf takes IPv4 only"
	have qperf
	server qperf -lp "$port"
	wait_listen h1 "$port"
	for what; do
		for tries in 1 2 3 4 5; do
			echo "+ h2 qperf $what, try $tries"
			! h2 timeout -k 5 60 qperf -lp "$port" "$A" -t 1 -cm 1 \
				-vvs "$what" > "$work/cli" 2>&1 || break
			cat "$work/cli"
			grep -q "Event rejected" "$work/cli" && [ "$tries" -lt 5 ] || {
				sed 's/^/server: /' "$work/srv"
				fail "$what"
			}
		done
	done
	server_killed
}

perftest()	# PROGRAM ARGS...
{
	# Debian's 4.5 asks for IPv4 addresses only, whatever --ipv6 says.
	[ "$F" != ipv6 ] || skip "perftest resolves its peer as IPv4 only"
	have "$1"
	perf_pair "$port" "$@"
}

tool_fio()	# VERB
{
	have fio
	fio --enghelp | grep -q rdma || skip "fio has no rdma engine"
	[ "$F" != ipv6 ] || skip "fio resolves its peer as IPv4 only"
	server fio --output-format=terse --name=s --ioengine=rdma --port="$port" \
		--rw=read --bs=64k --size=2m
	wait_listen h1 "$port"
	client fio --name=c --ioengine=rdma --hostname="$A" --port="$port" \
		--verb="$1" --rw=write --bs=64k --size=2m --iodepth=4
	server_ends
}

# Some programs fork, and a failed case would leave their children.
strays()
{
	local ns

	for ns in h1 h2; do
		ip netns pids "$ns" | xargs -r kill -9
	done
}

next()
{
	port=$((port + 1))
	t "$label $1" "${@:2}"
	strays 2> /dev/null
}

round()	# MTU FAMILY
{
	mtu "$1"
	label="mtu $1 $2"
	F=ip
	A=10.0.0.1
	if [ "$2" = ipv6 ]; then
		F=ipv6
		A=fd00::1
	fi
}

# Every program once.
main()
{
	next "rping" tool_rping
	next "ib_send_lat" perftest ib_send_lat -s 64 -n 50
	next "ib_write_lat" perftest ib_write_lat -s 64 -n 50
	next "ib_read_lat" perftest ib_read_lat -s 64 -n 50
	next "ib_send_bw" perftest ib_send_bw -s 65536 -n 50
	next "ib_write_bw" perftest ib_write_bw -s 65536 -n 50
	next "ib_read_bw" perftest ib_read_bw -s 65536 -n 50
	next "ucmatose" tool_ucmatose
	next "rdma_server" tool_rdma_server
	next "rstream, all sizes" tool_rstream_all
	next "iperf3 over rsockets" tool_iperf3
	# its Writes but one come with immediate data
	next "qperf rc" tool_qperf rc_lat rc_bw rc_rdma_read_lat
	next "fio rdma write" tool_fio write
	# no flow control: it counts on receives being waited for
	next "fio rdma send" tool_fio send
}

# What needs one round only, whichever this kernel has.
more()
{
	next "rstream, poll" tool_rstream_poll
	next "rstream, nonblocking" tool_rstream 65536 8 -T n
	next "ib_send_bw -b" perftest ib_send_bw -s 65536 -n 50 -b
	next "ib_write_bw -q 4" perftest ib_write_bw -s 8192 -n 50 -q 4
	next "ib_send_lat -e" perftest ib_send_lat -s 64 -n 50 -e
	next "rcopy" tool_rcopy
	next "fio rdma read" tool_fio read
}

begin
topology
seen_more=
for mtu in 1500 9000; do
	for family in ipv4 ipv6; do
		if ! elsewhere "$mtu-$family"; then
			round "$mtu" "$family"
			main
			if [ "$family" = ipv4 ] && [ -z "$seen_more" ]; then
				seen_more=1
				more
			fi
		fi
	done
done
finish
