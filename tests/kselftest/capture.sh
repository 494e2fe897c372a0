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

# Writes of 64 KiB at an MTU: nine super-segments of ten must end with an FPDU.
cuts()	# MTU
{
	local pcap=$work/w$1.pcap

	mtu "$1"
	record "$pcap"
	perf_pair "76${1::2}" ib_write_bw -s 65536 -n 100
	record_end
	run /usr/bin/python3 "$here/fpdu_cuts.py" "$pcap" 90
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
t "cuts on FPDUs at MTU 1500" cuts 1500
t "cuts on FPDUs at MTU 1450" cuts 1450
t "cuts on FPDUs at MTU 9000" cuts 9000
pcap=$work/w1500.pcap
t "every CRC of the Writes is good" crc_good
finish
