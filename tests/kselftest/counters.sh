#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What an administrator sees: counters that move, resources with their
# details, tracepoints, and no word in dmesg in normal operation.

. "$(dirname "$0")/lib.sh"

trace=/sys/kernel/tracing

counter()	# DEVICE NAME
{
	rdma -j statistic show link "$1/1" | tr ',{}[]' '\n' |
		awk -F: -v n="\"$2\"" '$1 == n { print $2; f = 1 }
			END { exit !f }'
}

names()	# DEVICE
{
	rdma -j statistic show link "$1/1" | tr ',{}[]' '\n' |
		awk -F: '/^"[a-z_]*":[0-9]+$/ { gsub(/"/, "", $1); print $1 }' |
		grep -vx -e ifindex -e port
}

exist()
{
	run rdma statistic show link siw1/1
	[ "$(names siw1 | wc -l)" -ge 10 ] || fail "too few counters"
	local n

	for n in tx_bytes rx_bytes tx_fpdus rx_fpdus rx_crc_errors \
		 terminates_sent terminates_received connects_active \
		 connects_passive connects_rejected; do
		counter siw1 "$n" > /dev/null || fail "no counter $n"
	done
	[ -r /sys/class/infiniband/siw1/ports/1/hw_counters/tx_bytes ] ||
		fail "no hw_counters for node_exporter"
}

# Run a command between two looks; the named counters must have grown by at
# least so much.
grows()	# COMMAND... -- DEVICE:COUNTER:LEAST...
{
	local cmd=() spec dev rest name least old now

	while [ "$1" != -- ]; do
		cmd+=("$1")
		shift
	done
	shift
	for spec in "$@"; do
		dev=${spec%%:*}
		rest=${spec#*:}
		counter "$dev" "${rest%:*}" > "$work/old.$dev.${rest%:*}"
	done
	run "${cmd[@]}"
	for spec in "$@"; do
		dev=${spec%%:*}
		rest=${spec#*:}
		name=${rest%:*}
		least=${rest#*:}
		old=$(cat "$work/old.$dev.$name")
		now=$(counter "$dev" "$name")
		echo "$dev $name: $old -> $now"
		[ $((now - old)) -ge "$least" ] ||
			fail "$name grew by $((now - old)), not $least"
	done
}

# Peers must not guess STags, so nobody tells them to other users, nor addresses.
unnamed_stags()
{
	local shown

	rdma -dd resource show mr | grep -q ' rkey ' ||
		fail "the administrator sees no rkey"
	shown=$(setpriv --reuid=65534 --clear-groups --bounding-set=-all \
		--inh-caps=-all rdma -dd resource show mr)
	echo "$shown"
	grep -q 'drv_pages' <<< "$shown" || fail "no region"
	! grep -Eq 'key |stag |drv_va ' <<< "$shown" || fail "told to everybody"
}

# The resources of a connection under way, as the tool shows them.
details()
{
	ip netns exec h1 "$(bin app)" serve 10.0.0.1 7301 > "$work/s" 2>&1 &
	local s=$!
	until_ok 10 grep -q listening "$work/s"
	ip netns exec h2 "$(bin app)" stream 10.0.0.1 7301 > "$work/c" 2>&1 &
	local c=$!
	until_ok 10 grep -q running "$work/c"
	run rdma resource show
	run rdma -dd resource show qp
	run rdma -dd resource show cq
	run rdma -dd resource show mr
	unnamed_stags
	run rdma resource show pd
	run rdma resource show cm_id
	rdma resource show qp | grep 'link siw1/1' | grep -q 'state RTS' ||
		fail "no QP of siw1 in RTS"
	rdma resource show qp | grep 'link siw2/1' | grep -q 'comm app' ||
		fail "no owner of siw2's QP"
	rdma -dd resource show qp | grep -q '10.0.0.1' ||
		fail "QP details do not name the peer"
	rdma resource show cm_id | grep -q 'dst-addr 10.0.0.1:7301' ||
		fail "no cm_id to 10.0.0.1:7301"
	[ -n "$(rdma resource show cq)" ]
	[ -n "$(rdma resource show mr)" ]
	[ -n "$(rdma resource show pd)" ]
	kill -9 "$s" "$c" 2>/dev/null || true
	wait "$s" "$c" 2>/dev/null || true
}

# Number of a device's QP in RTS.
qpn()	# DEVICE
{
	rdma resource show qp | grep "link $1/1" | grep 'state RTS' |
		sed 's/.*lqpn \([0-9]*\).*/\1/'
}

# What a counter that QPs are bound to says.
bound_value()	# DEVICE NAME
{
	rdma statistic qp show link "$1/1" | grep -o "$2 [0-9]*" |
		cut -d' ' -f2 | grep -vx 0
}

# A counter of its own for a QP under traffic; the device's is the sum.
bound()
{
	local s c q n v before after

	ip netns exec h1 "$(bin app)" serve 10.0.0.1 7302 > "$work/s" 2>&1 &
	s=$!
	until_ok 10 grep -q listening "$work/s"
	ip netns exec h2 "$(bin app)" stream 10.0.0.1 7302 > "$work/c" 2>&1 &
	c=$!
	until_ok 10 grep -q running "$work/c"
	q=$(qpn siw2)
	before=$(counter siw2 tx_bytes)
	run rdma statistic qp bind link siw2/1 lqpn "$q"
	refused rdma statistic qp bind link siw2/1 lqpn "$q"
	until_ok 10 bound_value siw2 tx_bytes || fail "nothing is counted"
	run rdma statistic qp show link siw2/1
	n=$(rdma statistic qp show link siw2/1 |
		sed -n 's/.*cntn \([0-9]*\) .*/\1/p')
	v=$(bound_value siw2 tx_bytes)
	after=$(counter siw2 tx_bytes)
	[ "$after" -ge $((before + v)) ] ||
		fail "the device's counter lacks what is bound"
	kill -STOP "$c"
	sleep 0.5
	before=$(counter siw2 tx_bytes)
	run rdma statistic qp unbind link siw2/1 cntn "$n" lqpn "$q"
	after=$(counter siw2 tx_bytes)
	echo "$before octets, $after after unbinding"
	[ "$after" -ge "$before" ] || fail "octets were lost by unbinding"
	# and one that is bound to its end
	run rdma statistic qp bind link siw2/1 lqpn "$q"
	kill -9 "$s" "$c" 2>/dev/null || true
	wait "$s" "$c" 2>/dev/null || true
	until_ok 5 sh -c '! rdma statistic qp show link siw2/1 | grep -q cntn' ||
		fail "the counter is left"
}

tracepoints()
{
	[ -d "$trace"/events ] || skip "no tracefs"
	[ -d "$trace"/events/siw ] || fail "no events/siw"
	ls "$trace"/events/siw
	echo > "$trace"/trace
	echo 1 > "$trace"/events/siw/enable
	"$(bin cm_test)" basic reject
	"$(bin error_test)" viol_write_bad_key
	echo 0 > "$trace"/events/siw/enable
	grep -v '^#' "$trace"/trace > "$work/trace"
	head -n 60 "$work/trace"
	[ "$(wc -l < "$work/trace")" -ge 6 ] || fail "hardly anything is traced"
	grep -q siw_conn "$work/trace" || fail "no connection event"
	grep -q 'siw_term.* sent 1/1/00' "$work/trace" ||
		fail "the Terminate sent is not traced"
	grep -q 'siw_term.* received 1/1/00' "$work/trace" ||
		fail "the Terminate received is not traced"
	awk 'length($0) > 400 { exit 1 }' "$work/trace"
}

# Connections, data, and faults a peer can cause: the log stays empty.
silent()
{
	dmesg | sed -n "/$mark/,\$p" | grep -i siw | grep -v -e "$mark" \
		-e 'out-of-tree module taints' \
		-e 'module verification failed' > "$work/talk" || true
	cat "$work/talk"
	[ ! -s "$work/talk" ] || fail "siw talks in dmesg"
}

begin
topology
t "counters exist" exist
t "octets are counted" grows "$(bin data_test)" write_sizes -- \
	siw2:tx_bytes:20000000 siw1:rx_bytes:20000000 \
	siw2:tx_fpdus:10000 siw1:rx_fpdus:10000
t "connections are counted" grows "$(bin cm_test)" bye_client -- \
	siw2:connects_active:3 siw1:connects_passive:3
t "rejections are counted" grows "$(bin cm_test)" reject -- \
	siw2:connects_rejected:5
t "Terminates are counted" grows "$(bin error_test)" viol_write_bad_key -- \
	siw1:terminates_sent:1 siw2:terminates_received:1 \
	siw1:terminates_1_1_00:1 siw2:terminates_1_1_00:1 \
	siw1:rx_access_errors:1
t "resources have details" details
t "a queue pair has a counter of its own" bound
t "tracepoints tell of connections and errors" tracepoints
prog "" "$(bin cm_test)" from_tcp to_tcp
t "dmesg is silent" silent
finish
