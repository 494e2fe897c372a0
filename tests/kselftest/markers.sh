#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# perftest with MPA markers in both directions, with CRC and without: the octets
# on the wire are followed one by one, tshark judges the CRCs, and the programs
# check their data.

. "$(dirname "$0")/lib.sh"

if ! command -v tcpdump > /dev/null || ! command -v tshark > /dev/null ||
	! command -v ib_write_bw > /dev/null; then
	skip_all "no tcpdump, tshark or perftest"
fi

setting()	# NAME VALUE
{
	echo "$2" > "/sys/class/infiniband/siw1/siw/$1"
	echo "$2" > "/sys/class/infiniband/siw2/siw/$1"
}

# tshark takes a marker right behind a CRC for the CRC, and does not find the FPDU
# behind that marker. All others it must find good.
crc_verdict()	# CAPTURE CRC
{
	local good bad edges

	tshark -n -r "$1" --disable-protocol rpcordma \
		--disable-protocol smb_direct -Y iwarp_mpa.fpdu -O iwarp_mpa \
		> "$work/text" 2> "$work/tshark.err" || fail "tshark"
	good=$(grep -c 'CRC.*Good CRC32' "$work/text" || true)
	bad=$(grep -c 'CRC.*Bad CRC32' "$work/text" || true)
	echo "tshark: $good good CRCs, $bad bad"
	edges=$(awk '/end where a marker begins/ { print $1 }' "$work/stream")
	[ "$bad" -le $((2 * edges)) ] || fail "bad CRC"
	[ "$2" = off ] || [ "$good" -gt 50 ] || fail "hardly any CRC was checked"
}

# LEAST: markers that must be seen in the direction that has fewer
marked()	# CRC LEAST PROGRAM ARGS...
{
	local crc=$1 least=$2 pcap=$work/marked.pcap
	local port=$((7700 + kt_n))
	shift 2

	setting markers on
	setting crc "$crc"
	record "$pcap"
	perf_pair $port "$@"
	record_end
	/usr/bin/python3 "$here/mpa_stream.py" "$pcap" "$crc" "$least" \
		> "$work/stream" || { cat "$work/stream"; fail "stream"; }
	cat "$work/stream"
	crc_verdict "$pcap" "$crc"
}

# tshark loses its way in marked super-segments.
one_by_one()
{
	ip netns exec "h$1" ethtool -K "eth$1" tso off gso off gro off
}

begin
topology
one_by_one 1
one_by_one 2
t "Writes both ways, markers, CRC on" marked on 500 ib_write_bw -b -s 65536 -n 10
t "Reads, markers, CRC on" marked on 1 ib_read_bw -s 65536 -n 10
t "Sends both ways, markers, CRC on" marked on 200 ib_send_bw -b -s 8192 -n 20
t "small Sends, markers, CRC on" marked on 5 ib_send_lat -s 100 -n 50
t "Writes both ways, markers, CRC off" marked off 500 ib_write_bw -b -s 65536 -n 10
t "small Sends, markers, CRC off" marked off 5 ib_send_lat -s 100 -n 50
finish
