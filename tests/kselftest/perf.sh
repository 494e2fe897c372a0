#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# perftest's programs and what they can be asked for, with rdma_cm (-R) and
# without (queue pairs by rendezvous). A part of the matrix, or with KSFT_MATRIX=1
# all of it.

. "$(dirname "$0")/lib.sh"

port=18600

# Where a device's end of the connection comes from.
how()	# cm|qp DEVICE
{
	if [ "$1" = cm ]; then
		echo -R
	else
		echo "-x $(gid4 "$2")"
	fi
}

# A program that keeps an MR of the credits of an iWARP device when it closes
# is forgiven: its data went. So is one whose server was not listening yet
# between two connections: the client comes again.
forgiven()	# FILE...
{
	grep -qE "Couldn't destroy all SEND|Failed to destroy resources" "$@"
}

too_early()
{
	grep -qE 'RDMA_CM_EVENT_REJECTED|Unexpected CM event' "$work/cli"
}

# perftest's credits for Sends take the order of connect requests for the order of
# the connects, and packets of two CPUs overtake each other: be they of the program or
# of the worker that sends its MPA Requests.
one_cpu()	# PROGRAM ARGS...
{
	[[ $1 = ib_send_bw && " $* " = *" -q "* ]]
}

# CPUs of the workers that no CPU is named for. A queue that keeps an order has them
# for good in 6.1, from when the module is loaded.
workers=/sys/devices/virtual/workqueue/cpumask
all_cpus=$(cat $workers)
workers_on()	# MASK
{
	echo "$1" > $workers
}

once()	# MODE PROGRAM ARGS...
{
	local mode=$1 rc=0 s pin=
	shift

	port=$((port + 1))
	workers_on "$all_cpus"
	if one_cpu "$@"; then
		workers_on 2
		pin="taskset -c 1"
	fi
	# shellcheck disable=SC2046 # two words
	ip netns exec h1 timeout -k 5 300 "$@" -F -d siw1 -p "$port" \
		$(how "$mode" siw1) > "$work/srv" 2>&1 &
	s=$!
	wait_listen h1 "$port"
	# shellcheck disable=SC2046,SC2086
	h2 timeout -k 5 200 $pin "$@" -F -d siw2 -p "$port" $(how "$mode" siw2) \
		10.0.0.1 > "$work/cli" 2>&1 || rc=$?
	[ "$rc" -eq 0 ] || forgiven "$work/cli" || kill "$s" 2> /dev/null || true
	wait "$s" || rc=$?
	return "$rc"
}

# The client prints one line a size: size, iterations, figures, which are "inf" where
# a busy machine has led perftest's clock astray.
has_result()	# SIZE
{
	grep -qE "^ *$1 +[0-9]+ +([0-9.]+|inf)" "$work/cli"
}

perf()	# MODE SIZE PROGRAM ARGS...
{
	local mode=$1 size=$2 rc=0 try
	shift 2

	have "$1"
	for try in 1 2 3; do
		rc=0
		echo "+ $mode $*"
		once "$mode" "$@" || rc=$?
		if [ "$rc" -eq 0 ] || ! too_early || [ "$try" = 3 ]; then
			break
		fi
	done
	if [ "$rc" -ne 0 ] && ! forgiven "$work/srv" "$work/cli"; then
		sed 's/^/server: /' "$work/srv"
		cat "$work/cli"
		fail "status $rc"
	fi
	has_result "$size" || fail "no result: $(cat "$work/cli")"
}

with()	# MODE NAME OPTIONS...
{
	local mode=$1 word=-R
	shift
	[ "$mode" = cm ] || word=rendezvous
	port=$((port + 4))
	t "$* $word" perf "$mode" "$size" "$@"
}

atomic()	# MODE PROGRAM OPTIONS...
{
	if [ "$SIW_PROVIDER" = stock ]; then
		t "$2 ${*:3} $1" skip "libsiw has no atomics"
	else
		size=8
		with "$@"
	fi
}

# One case of each option, on changing programs.
part()	# MODE
{
	size=65536
	with "$1" ib_write_bw -n 20 -q 64 -t 4
	with "$1" ib_send_bw -n 20 -q 64 -t 4 -r 4
	with "$1" ib_send_bw -n 100 -b
	# not with -q: perftest's credits for iWARP count a shared queue's wrongly
	with "$1" ib_send_bw -n 50 --use-srq
	with "$1" ib_read_bw -n 100 -b -e
	size=64
	with "$1" ib_send_lat -n 100 -s 64 -I 64 -e
	with "$1" ib_write_lat -n 100 -s 64 -I 64
	with "$1" ib_read_lat -n 100 -s 64 -e
	atomic "$1" ib_atomic_lat -n 100
}

# Programs times options.
all()	# MODE
{
	local p o

	size=65536
	for p in ib_write_bw ib_read_bw ib_send_bw; do
		for o in "" "-e" "-b" "-b -e" "-q 8" "-q 8 -b" "-l 8" "-Q 16" \
		    "-N" "--use_old_post_send" "--report-both -b"; do
			# perftest has no events for Writes, and waits for one
			# that does not come when it has no credit for a Send
			[[ $p == ib_read_bw || $o != *-e ]] || continue
			# shellcheck disable=SC2086
			with "$1" $p -n 64 $o
		done
		o=
		[ "$p" != ib_send_bw ] || o="-r 4"
		# shellcheck disable=SC2086
		with "$1" $p -n 20 -q 64 -t 4 $o
		# shellcheck disable=SC2086
		with "$1" $p -n 20 -q 64 -t 4 $o -b
	done
	for o in "" "-b"; do
		# shellcheck disable=SC2086
		with "$1" ib_send_bw -n 20 --use-srq $o
	done
	size=8388608
	for p in ib_write_bw ib_read_bw ib_send_bw; do
		with "$1" "$p" -a -n 5
	done
	size=64
	for o in "-I 64" "-I 64 -l 4" "-I 64 -b" "-I 0"; do
		# shellcheck disable=SC2086
		with "$1" ib_send_bw -n 200 -s 64 $o
		# shellcheck disable=SC2086
		with "$1" ib_write_bw -n 200 -s 64 $o
	done
	for o in "" "-I 64"; do
		# shellcheck disable=SC2086
		with "$1" ib_send_lat -n 100 -s 64 $o
		# shellcheck disable=SC2086
		with "$1" ib_send_lat -n 100 -s 64 -e $o
		# shellcheck disable=SC2086
		with "$1" ib_write_lat -n 100 -s 64 $o
	done
	with "$1" ib_send_lat -n 100 -s 64 --use-srq
	with "$1" ib_read_lat -n 100 -s 64
	with "$1" ib_read_lat -n 100 -s 64 -e
	with "$1" ib_read_lat -n 100 -s 64 -o 1
	size=8388608
	for p in ib_send_lat ib_write_lat ib_read_lat; do
		with "$1" "$p" -a -n 5
	done
	for o in "" "-A CMP_AND_SWAP" "-e" "-b" "-q 8" "-q 64 -t 4" "-b -q 4"; do
		# shellcheck disable=SC2086
		atomic "$1" ib_atomic_bw -n 64 $o
	done
	for o in "" "-A CMP_AND_SWAP" "-e"; do
		# shellcheck disable=SC2086
		atomic "$1" ib_atomic_lat -n 64 $o
	done
}

pingpong()	# PROGRAM OPTIONS...
{
	local s rc=0

	have "$1"
	h1 timeout -k 5 90 "$1" -d siw1 -g "$(gid4 siw1)" "${@:2}" \
		> "$work/srv" 2>&1 &
	s=$!
	wait_listen h1 18515
	run h2 timeout 60 "$1" -d siw2 -g "$(gid4 siw2)" "${@:2}" 10.0.0.1 ||
		rc=$?
	wait "$s" || rc=$?
	[ "$rc" -eq 0 ] || fail "status $rc: $(cat "$work/srv")"
}

if [ -z "${KSFT_ULP:-}${KSFT_MATRIX:-}" ]; then
	skip_all "only with KSFT_ULP=1 or KSFT_MATRIX=1"
fi
workers_on 2
begin
topology
if [ -n "${KSFT_MATRIX:-}" ]; then
	modes=all
	for o in "" "-e" "-c" "-s 1000000 -n 20" "-m 1024"; do
		# shellcheck disable=SC2086
		t "ibv_rc_pingpong $o" pingpong ibv_rc_pingpong -n 100 $o
	done
	for o in "" "-e" "-q 64" "-s 100000"; do
		# shellcheck disable=SC2086
		t "ibv_srq_pingpong $o" pingpong ibv_srq_pingpong -n 100 $o
	done
else
	modes=part
	t "ibv_srq_pingpong -q 64" pingpong ibv_srq_pingpong -n 100 -q 64
fi
$modes cm
$modes qp
workers_on "$all_cpus"
finish
