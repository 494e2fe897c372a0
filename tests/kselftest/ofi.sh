#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# libfabric's verbs provider between h1 and h2, and OpenMPI above it.

. "$(dirname "$0")/lib.sh"

port=47600

# ------------------------------------------------------------------ libfabric

# It checks what it receives (-c), and goes through sizes up to 1 MiB.
pingpong()	# PROVIDER TYPE OPTIONS...
{
	local how s rc=0

	have fi_pingpong
	port=$((port + 1))
	how=(-p "$1" -e "$2" -c "${@:3}")
	echo "+ h1 fi_pingpong ${how[*]}"
	h1 timeout -k 5 90 fi_pingpong "${how[@]}" -d siw1 \
		-B "$port" > "$work/srv" 2>&1 &
	s=$!
	wait_listen h1 "$port"
	run h2 timeout -k 5 60 fi_pingpong "${how[@]}" \
		-d siw2 -P "$port" 10.0.0.1 > "$work/cli" 2>&1 ||
		rc=$?
	wait "$s" || rc=$?
	cat "$work/srv" "$work/cli"
	[ "$rc" -eq 0 ] || fail "status $rc"
	grep -qE '^[0-9]+[kmg]? +[0-9]+ +=[0-9]+ ' "$work/cli" ||
		fail "no result"
	! grep -qi 'data check error' "$work/srv" "$work/cli" || fail "wrong data"
}

# ------------------------------------------------------------------ OpenMPI

# How mpirun starts its daemon on a "host": in its namespace, with a name of its
# own and one device, as two machines have.
make_agent()
{
	cat > "$work/agent" <<-'A'
		#!/bin/bash
		host=$1
		shift
		export FI_VERBS_DEVICE_NAME=siw${host#h}
		exec ip netns exec "$host" unshare --uts bash -c \
			"hostname $host; $*"
	A
	chmod +x "$work/agent"
}

mpi()	# RANKS CASE...
{
	local n=$1 rc=0
	shift

	have mpirun
	[ -x "$(bin mpi_test)" ] || skip "no mpi_test (no mpicc)"
	make_agent
	HOME=$work FI_PROVIDER="verbs;ofi_rxm" run timeout -k 5 110 \
		"$work/agent" h1 mpirun --allow-run-as-root -np "$n" \
		--host "h1:$((n / 2)),h2:$((n / 2))" --map-by node \
		--mca plm_rsh_agent "$work/agent" --mca plm rsh \
		--mca oob_tcp_if_include 10.0.0.0/24 \
		--mca pml cm --mca mtl ofi --mca mpi_yield_when_idle 1 \
		--mca btl_base_warn_component_unused 0 \
		-x FI_PROVIDER ${RDMAV_DRIVERS:+-x RDMAV_DRIVERS} \
		"$(bin mpi_test)" "$@" > "$work/mpi" 2>&1 || rc=$?
	cat "$work/mpi"
	[ "$rc" -eq 0 ] || fail "status $rc"
	grep -q "all is well on $n ranks" "$work/mpi"
}

# Octets that have left a device.
sent()	# DEVICE
{
	rdma statistic show link "$1/1" | grep -o 'tx_bytes [0-9]*' |
		cut -d' ' -f2
}

mpi_over_siw()	# OCTETS-AT-LEAST RANKS CASE...
{
	local before least=$1
	before=$(sent siw1)
	shift

	mpi "$@"
	[ $(($(sent siw1) - before)) -gt "$least" ] ||
		fail "the data did not go over siw1"
}

begin
topology
t "fi_pingpong verbs msg" pingpong verbs msg -I 6
t "fi_pingpong verbs msg, 100000 octets" pingpong verbs msg -S 100000
t "fi_pingpong ofi_rxm rdm" pingpong "verbs;ofi_rxm" rdm -I 6
t "fi_pingpong ofi_rxm rdm, tagged" pingpong "verbs;ofi_rxm" rdm -m tagged
t "MPI ping-pong" mpi_over_siw 1000000 2 pingpong
# its last vector has 69905 elements of 8 octets
t "MPI allreduce" mpi_over_siw 500000 2 allreduce
t "MPI, two ranks a host" mpi_over_siw 1000000 4 pingpong allreduce alltoall
finish
