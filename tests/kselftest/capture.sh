#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Capture messages of all kinds on the wire between h1 and h2: tshark must
# find no malformed frame and no bad CRC, and the super-segments of 64 KiB
# Writes must be cut at FPDU boundaries.

. "$(dirname "$0")/lib.sh"

if ! command -v tcpdump > /dev/null || ! command -v tshark > /dev/null; then
	skip_all "no tcpdump or no tshark"
fi

pcap=$work/siw.pcap

record()	# FILE
{
	ip netns exec h1 tcpdump -U -i eth1 -s 0 -B 65536 -w "$1" tcp \
		> "$work/tcpdump" 2>&1 &
	dump=$!
	until_ok 10 grep -q 'listening on' "$work/tcpdump"
}

record_end()
{
	sleep 0.5
	kill -INT "$dump"
	wait "$dump" || true
	dump=
	tail -n 3 "$work/tcpdump" | sed 's/^/# /'
	if grep -q '[1-9][0-9]* packets dropped by kernel' "$work/tcpdump"; then
		echo "# tcpdump lost packets"
	fi
}

dissect()	# FILE ARGS...
{
	local file=$1
	shift

	tshark -n -r "$file" --disable-protocol rpcordma \
		--disable-protocol smb_direct "$@" 2> "$work/tshark.err" || {
		cat "$work/tshark.err"
		fail "tshark"
	}
}

# One look at the frames serves two cases: opcodes and faults by frame.
look()
{
	dissect "$pcap" -Y iwarp_mpa -T fields -e frame.number \
		-e iwarp_rdma.opcode -e _ws.malformed \
		-e iwarp_mpa.bad_length > "$work/frames"
}

all_kinds()
{
	local n op

	look
	n=$(awk -F '\t' '$2 != ""' "$work/frames" | wc -l)
	echo "$n frames with FPDUs"
	[ "$n" -gt 100 ] || fail "hardly any FPDU in the capture"
	cut -f2 "$work/frames" | tr ',' '\n' | grep . | sort | uniq -c |
		tee "$work/opcodes"
	# Write, Read Request, Read Response, Send, Send Invalidate, Send SE,
	# Terminate.
	for op in 0x00 0x01 0x02 0x03 0x04 0x05 0x07; do
		grep -qw -e "$op" "$work/opcodes" ||
			fail "no message of opcode $op"
	done
}

no_malformed()
{
	[ -s "$work/frames" ]
	awk -F '\t' '$3 != "" || $4 != ""' "$work/frames" > "$work/bad"
	head -n 20 "$work/bad"
	[ ! -s "$work/bad" ] || fail "malformed frames"
}

# tshark prints its verdict behind the CRC.
crc_good()
{
	local good bad

	dissect "$pcap" -Y iwarp_mpa.fpdu -O iwarp_mpa > "$work/text"
	good=$(grep -c 'CRC.*Good CRC32' "$work/text" || true)
	bad=$(grep -c 'CRC.*Bad CRC32' "$work/text" || true)
	echo "$good good, $bad bad"
	[ "$bad" = 0 ] || fail "bad CRC"
	[ "$good" -gt 100 ] || fail "hardly any CRC was checked"
}

aligned()	# FILE LEAST_PERCENT
{
	run /usr/bin/python3 "$here/fpdu_cuts.py" "$1" "$2"
}

writes()	# MTU FILE
{
	mtu "$1"
	record "$2"
	ip netns exec h1 ib_write_bw -R -F -d siw1 -p "76${1::2}" -s 65536 \
		-n 100 > "$work/srv" 2>&1 &
	local s=$!

	until_ok 10 listening h1 "76${1::2}" || true
	h2 ib_write_bw -R -F -d siw2 -p "76${1::2}" -s 65536 -n 100 10.0.0.1 \
		> "$work/cli" 2>&1 || cat "$work/srv" "$work/cli"
	wait "$s" || true
	record_end
}

begin
topology
record "$pcap"
"$(bin cm_test)" basic pdata reject depths server_first > "$work/log" ||
	echo "# not all connections worked"
"$(bin data_test)" sge_lists inline_data send_with_inv order cq_solicited \
	>> "$work/log" || echo "# not all transfers worked"
"$(bin error_test)" viol_write_bad_key viol_read_past_end viol_send_too_long \
	>> "$work/log" || echo "# not all violations were refused"
record_end
t "all kinds of messages" all_kinds
t "no malformed frame" no_malformed
t "every CRC is good" crc_good
writes 1500 "$work/w1500.pcap"
t "cuts on FPDUs at MTU 1500" aligned "$work/w1500.pcap" 90
writes 1450 "$work/w1450.pcap"
t "cuts on FPDUs at MTU 1450" aligned "$work/w1450.pcap" 90
writes 9000 "$work/w9000.pcap"
t "cuts on FPDUs at MTU 9000" aligned "$work/w9000.pcap" 90
pcap=$work/w1500.pcap
t "every CRC of the Writes is good" crc_good
finish
