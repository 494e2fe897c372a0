#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The iWARP port mapper (rdma-core's iwpmd) and what needs it: LIO's iSER target
# listens for plain iSCSI on the TCP port that its RDMA side wants as well. The port
# mapper serves the first namespace only, so all is there.

. "$(dirname "$0")/lib.sh"

cfs=/sys/kernel/config/target
iqn=iqn.2014-08.org.example:siw
port=7300

need()
{
	command -v iwpmd > /dev/null || skip_all "no iwpmd"
	command -v python3 > /dev/null || skip_all "no python3"
}

# ------------------------------------------------------------------ port mapper

mapper_up()
{
	run modprobe iw_cm
	iwpmd -s > "$work/iwpmd.log" 2>&1 &
	echo $! > "$work/iwpmd.pid"
	disown
	until_ok 10 eval "ss -Hlun | grep -q ':3935 '" ||
		fail "iwpmd does not serve: $(cat "$work/iwpmd.log")"
	echo on > /sys/class/infiniband/siw1/siw/port_map
	echo on > /sys/class/infiniband/siw2/siw/port_map
	run grep -x on /sys/class/infiniband/siw1/siw/port_map
}

mapper_down()
{
	[ ! -s "$work/iwpmd.pid" ] || kill "$(cat "$work/iwpmd.pid")" || true
	rm -f "$work/iwpmd.pid"
}

# A program of TCP on the port, before rdma_cm listens there.
taken()
{
	port=$((port + 1))
	python3 -c '
import socket, sys, time
s = socket.socket()
s.bind(("10.8.0.1", int(sys.argv[1])))
s.listen()
print("bound", flush=True)
time.sleep(100)' "$port" > "$work/taken" &
	until_ok 10 grep -q bound "$work/taken"
}

rping_pair()
{
	local s rc=0

	timeout 40 rping -s -a 10.8.0.1 -p "$port" -C "$1" -S 3000 -V \
		> "$work/srv" 2>&1 &
	s=$!
	until_ok 10 eval "rdma resource show cm_id | grep -q ':$port '" ||
		fail "no listener: $(cat "$work/srv")"
	run timeout 30 rping -c -a 10.8.0.1 -p "$port" -C "$1" -S 3000 -V ||
		rc=$?
	wait "$s" || rc=$?
	[ "$rc" -eq 0 ] || fail "status $rc: $(cat "$work/srv")"
}

not_mapped()
{
	taken
	refused timeout 20 rping -s -a 10.8.0.1 -p "$port" -C 1
}

mapped()
{
	taken
	rping_pair 20
}

# The connection uses ports that iwpmd chose, not those of rdma_cm.
mapped_ports()
{
	local s c

	port=$((port + 10))
	timeout 40 rping -s -a 10.8.0.1 -p "$port" -C 100000000 &
	s=$!
	until_ok 10 eval "rdma resource show cm_id | grep -q ':$port '"
	timeout 30 rping -c -a 10.8.0.1 -p "$port" -C 100000000 &
	c=$!
	until_ok 10 eval "rdma resource show qp | grep -q RTS"
	rdma resource show cm_id
	grep -v ' 00000000:0000 0A' /proc/net/tcp
	! grep -qi "$(printf ':%04X' "$port") .* 01 " /proc/net/tcp ||
		fail "a connection has the port $port"
	rdma resource show cm_id | grep -q "10.8.0.1:$port"
	kill "$c" "$s" 2> /dev/null || true
	wait "$c" "$s" || true
}

# Without the daemon ports are what they are.
mapper_gone()
{
	mapper_down
	port=$((port + 20))
	rping_pair 5
}

# ------------------------------------------------------------------ iSER

lio_up()
{
	local tpg=$cfs/iscsi/$iqn/tpgt_1

	modinfo ib_isert > /dev/null 2>&1 || skip "no module ib_isert"
	# the target core complains of a folder for its state that is not there
	mkdir -p /etc/target /var/target
	run modprobe -a target_core_mod iscsi_target_mod ib_isert
	mountpoint -q /sys/kernel/config ||
		run mount -t configfs none /sys/kernel/config
	mkdir -p "$cfs/core/rd_mcp_0/disk"
	echo "rd_pages=8192" > "$cfs/core/rd_mcp_0/disk/control"
	echo 1 > "$cfs/core/rd_mcp_0/disk/enable"
	mkdir -p "$cfs/iscsi"
	mkdir "$cfs/iscsi/$iqn"
	mkdir "$tpg"
	echo 0 > "$tpg/attrib/authentication"
	echo 0 > "$tpg/attrib/demo_mode_write_protect"
	echo 1 > "$tpg/attrib/generate_node_acls"
	echo 1 > "$tpg/attrib/cache_dynamic_acls"
	mkdir "$tpg/lun/lun_0"
	ln -s "$cfs/core/rd_mcp_0/disk" "$tpg/lun/lun_0/port"
	mkdir "$tpg/np/10.8.0.1:3260"
	echo 1 > "$tpg/np/10.8.0.1:3260/iser"
	echo 1 > "$tpg/enable"
}

login()
{
	command -v iscsiadm > /dev/null || skip "no open-iscsi"
	run modprobe -a ib_iser sd_mod
	mkdir -p /run/lock/iscsi /etc/iscsi
	echo "InitiatorName=iqn.2014-08.org.example:host" \
		> /etc/iscsi/initiatorname.iscsi
	pgrep -x iscsid > /dev/null || run iscsid
	# by plain iSCSI: over iSER the initiator complains of itself
	run timeout 30 iscsiadm -m discovery -t st -p 10.8.0.1
	run iscsiadm -m node -T "$iqn" -p 10.8.0.1 -o update \
		-n iface.transport_name -v iser
	run timeout 60 iscsiadm -m node -T "$iqn" -p 10.8.0.1 -l
	until_ok 10 disk || fail "no block device"
	iscsiadm -m session -P 1 | tee "$work/session"
	grep -q 'Iface Transport: iser' "$work/session"
}

disk()
{
	local d

	for d in /sys/block/sd*; do
		[ -b "/dev/${d##*/}" ] || continue
		! grep -q LIO-ORG "$d/device/vendor" 2> /dev/null || {
			echo "/dev/${d##*/}"
			return 0
		}
	done
	return 1
}

verify()
{
	local d
	d=$(disk)

	head -c 8000000 /dev/urandom > "$work/data"
	run dd if="$work/data" of="$d" bs=256k conv=fsync iflag=fullblock \
		status=none
	echo 3 > /proc/sys/vm/drop_caches
	run cmp -n 8000000 "$work/data" "$d"
	run timeout 60 fio --name=v --filename="$d" --direct=1 --rw=randwrite \
		--bssplit=4k/40:64k/30:128k/20:512/10 --size=8m --iodepth=8 \
		--ioengine=libaio --verify=crc32c --verify_fatal=1 \
		--do_verify=1 --minimal
}

logout()
{
	run timeout 60 iscsiadm -m node -T "$iqn" -p 10.8.0.1 -u
	run iscsiadm -m node -T "$iqn" -p 10.8.0.1 -o delete
	run pkill -x iscsid
	run modprobe -r ib_iser
}

lio_down()
{
	local tpg=$cfs/iscsi/$iqn/tpgt_1

	[ -d "$tpg" ] || return 0
	echo 0 > "$tpg/enable"
	rmdir "$tpg/np/10.8.0.1:3260"
	rm "$tpg/lun/lun_0/port"
	rmdir "$tpg/lun/lun_0" "$tpg" "$cfs/iscsi/$iqn" "$cfs/iscsi"
	rmdir "$cfs/core/rd_mcp_0/disk" "$cfs/core/rd_mcp_0"
	run modprobe -r ib_isert
}

need
begin
trap 'rc=$?; mapper_down; set +e; (exit "$rc"); cleanup' EXIT
one_host
t "a port that TCP has cannot be had" not_mapped
t "the port mapper comes up" mapper_up
t "a port that TCP has, mapped" mapped
t "what the connection uses is mapped" mapped_ports
t "iSER target comes up" lio_up
t "iSER initiator logs in" login
t "iSER data are right" verify
t "iSER initiator logs out" logout
t "iSER target goes" lio_down
t "the port mapper goes" mapper_gone
ip link del eth1
finish
