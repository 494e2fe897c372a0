#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# NVMe over Fabrics in one machine: target on siw1, host on siw2, both in
# the first namespace, where the kernel's users of RDMA live.

. "$(dirname "$0")/lib.sh"

cfs=/sys/kernel/config/nvmet
nqn=nqn.2014-08.org.example:siw

need()
{
	local m

	command -v nvme > /dev/null || skip_all "no nvme-cli"
	for m in nvmet-rdma nvme-rdma; do
		modinfo $m > /dev/null 2>&1 || skip_all "no module $m"
	done
}

target_up()
{
	run modprobe -a nvmet nvmet-rdma
	mountpoint -q /sys/kernel/config ||
		run mount -t configfs none /sys/kernel/config
	if modprobe brd rd_nr=1 rd_size=32768 2>/dev/null; then
		backing=/dev/ram0
	else
		truncate -s 32M "$work/disk"
		backing=$(losetup -f --show "$work/disk")
	fi
	echo "$backing" > "$work/backing"
	mkdir "$cfs/subsystems/$nqn"
	echo 1 > "$cfs/subsystems/$nqn/attr_allow_any_host"
	mkdir "$cfs/subsystems/$nqn/namespaces/1"
	echo -n "$backing" > "$cfs/subsystems/$nqn/namespaces/1/device_path"
	echo 1 > "$cfs/subsystems/$nqn/namespaces/1/enable"
	mkdir "$cfs/ports/1"
	echo rdma > "$cfs/ports/1/addr_trtype"
	echo ipv4 > "$cfs/ports/1/addr_adrfam"
	echo 10.8.0.1 > "$cfs/ports/1/addr_traddr"
	echo 4420 > "$cfs/ports/1/addr_trsvcid"
	[ ! -e "$cfs/ports/1/param_inline_data_size" ] ||
		cat "$cfs/ports/1/param_inline_data_size"
	ln -s "$cfs/subsystems/$nqn" "$cfs/ports/1/subsystems/$nqn"
}

target_down()
{
	[ -d "$cfs/ports/1" ] || return 0
	rm -f "$cfs/ports/1/subsystems/$nqn"
	rmdir "$cfs/ports/1"
	rmdir "$cfs/subsystems/$nqn/namespaces/1"
	rmdir "$cfs/subsystems/$nqn"
	modprobe -r nvmet-rdma || rmmod nvmet_rdma
	modprobe -r nvmet || true
	case $(cat "$work/backing") in
	/dev/loop*) losetup -d "$(cat "$work/backing")" ;;
	*) modprobe -r brd || true ;;
	esac
}

disk()
{
	local d

	for d in /sys/block/nvme*; do
		# a path of a multipath disk has no device node
		[ -b "/dev/${d##*/}" ] || continue
		if grep -q "$nqn" "$d/device/subsysnqn" 2>/dev/null ||
		   grep -q "$nqn" "$d"/device/nvme*/subsysnqn 2>/dev/null; then
			echo "/dev/${d##*/}"
			return 0
		fi
	done
	return 1
}

connect()	# OPTIONS...
{
	run modprobe nvme-rdma
	run timeout 20 nvme connect -t rdma -a 10.8.0.1 -s 4420 -n "$nqn" \
		-i 2 "$@"
	until_ok 10 disk || fail "no block device"
	disk
}

discover()
{
	run modprobe nvme-rdma
	run timeout 20 nvme discover -t rdma -a 10.8.0.1 -s 4420 |
		tee "$work/disc"
	grep -q "$nqn" "$work/disc"
}

verify()
{
	local d

	d=$(disk)
	run timeout 60 fio --name=v --filename="$d" --direct=1 --rw=randwrite \
		--bssplit=4k/40:64k/30:128k/20:512/10 --size=8m --iodepth=8 \
		--ioengine=libaio --verify=crc32c --verify_fatal=1 \
		--do_verify=1 --minimal
}

read_back()
{
	local d

	d=$(disk)
	head -c 4000000 /dev/urandom > "$work/data"
	run dd if="$work/data" of="$d" bs=1M oflag=direct conv=fsync \
		iflag=fullblock 2>&1 || run dd if="$work/data" of="$d" bs=1M \
		conv=fsync iflag=fullblock
	echo 3 > /proc/sys/vm/drop_caches
	cmp -n 4000000 "$work/data" "$d"
}

disconnect()
{
	run timeout 20 nvme disconnect -n "$nqn"
	! disk || fail "the disk stays"
}

link_deleted()
{
	connect --ctrl-loss-tmo=3 --reconnect-delay=1
	local d
	d=$(disk)

	timeout 30 dd if=/dev/zero of="$d" bs=64k count=100000 oflag=direct \
		> /dev/null 2>&1 &
	sleep 0.5
	run timeout 20 rdma link del siw2
	run timeout 20 rdma link del siw1
	until_ok 25 eval '! disk' || run timeout 20 nvme disconnect -n "$nqn"
	wait || true
}

host_unload()
{
	run modprobe -r nvme-rdma
}

need
begin
one_host
t "target comes up" target_up
t "host discovers" discover
t "host connects" connect
t "fio verifies" verify
t "data come back" read_back
t "host disconnects" disconnect
t "host connects again" connect
t "fio verifies again" verify
t "host disconnects again" disconnect
t "links are deleted under traffic" link_deleted
t "host unloads" host_unload
t "target goes" target_down
ip link del eth1
finish
