#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# NFS over RDMA: nfsd in h1 exports a tmpfs, h2 mounts it. The programs enter
# the network namespace alone, so that a mount outlives the one that made it.

. "$(dirname "$0")/lib.sh"

exported=/run/ksft-nfs.export
mnt=/run/ksft-nfs.mnt
grown=$work/big

need()
{
	local p

	for p in rpcbind rpc.mountd rpc.nfsd exportfs nfsdcld mount.nfs; do
		command -v "$p" > /dev/null || skip_all "no $p"
	done
	for p in rpcrdma nfsd nfsv3 nfsv4; do
		modinfo "$p" > /dev/null 2>&1 || skip_all "no module $p"
	done
}

n1()
{
	nsenter --net=/run/netns/h1 "$@"
}

n2()
{
	nsenter --net=/run/netns/h2 "$@"
}

server_up()
{
	run modprobe -a nfsd rpcrdma
	mkdir -p "$exported" "$mnt" /run/rpc_pipefs /run/rpcbind
	run mount -t tmpfs -o size=200m export "$exported"
	# nfsd asks nfsdcld about its clients, through a pipe
	run n1 mount -t rpc_pipefs pipefs /run/rpc_pipefs
	run n1 mount -t nfsd nfsd /proc/fs/nfsd
	run n1 rpcbind -w
	run n1 exportfs -i -o \
		"fsid=0,rw,async,no_root_squash,insecure,no_subtree_check" \
		"*:$exported"
	run n1 nfsdcld -p /run/rpc_pipefs
	run n1 rpc.mountd
	run n1 rpc.nfsd --rdma=20049 4
	run grep -q 'rdma 20049' /proc/fs/nfsd/portlist
	wait_listen h1 20049
}

mount_it()	# OPTIONS PATH
{
	run n2 timeout 60 mount -t nfs -o "rdma,port=20049,$1" \
		"10.0.0.1:$2" "$mnt"
	grep " $mnt nfs" /proc/mounts | tee "$work/mounts"
	grep -q proto=rdma "$work/mounts"
}

# What goes in on one side is what the other side has and what comes back.
big_file()
{
	local before
	before=$(sent siw2)

	run dd if="$grown" of="$mnt/big" bs=1M status=none
	forget
	run cmp "$grown" "$exported/big"
	run cmp "$grown" "$mnt/big"
	[ $(($(sent siw2) - before)) -gt 24000000 ] ||
		fail "the data did not go over siw2"
}

direct_io()
{
	run dd if="$grown" of="$mnt/direct" bs=1M count=8 oflag=direct \
		status=none
	run dd if="$grown" of="$mnt/direct" bs=4k seek=100 skip=300 count=64 \
		oflag=direct conv=notrunc status=none
	run dd if="$mnt/direct" of="$work/direct" bs=64k iflag=direct \
		status=none
	run cmp "$work/direct" "$exported/direct"
	run cmp -n 262144 -i 409600:1228800 "$work/direct" "$grown"
	run cmp -n 409600 "$work/direct" "$grown"
	run cmp -n 7716864 -i 671744 "$work/direct" "$grown"
}

# Sizes around those that change how a Read or Write is sent: inline, one
# segment, several, odd octets at the end.
small_files()
{
	local dir=$work/small n=0 size

	mkdir -p "$dir"
	for size in 0 1 3 900 1023 1024 1025 3900 4095 4096 4097 8193 32768 \
	    65537 262145; do
		n=$((n + 1))
		head -c "$size" /dev/urandom > "$dir/f$size"
		ln -sf "f$size" "$dir/link$n"
	done
	mkdir "$dir/many"
	(cd "$dir/many" && head -c 5000 /dev/urandom | split -b 333 -a 3)
	tree_survives "$dir"
}

verify()
{
	have fio
	run timeout 100 fio --name=v --directory="$mnt" --direct=1 \
		--rw=randwrite --bssplit=4k/40:64k/30:128k/20:512/10 --size=3m \
		--numjobs=2 --iodepth=8 --ioengine=libaio --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --minimal --group_reporting
}

begun()
{
	[ "$(stat -c %s "$exported/again")" -gt 2000000 ]
}

# The device goes while data flow, and returns; a hard mount waits, and goes on.
link_returns()	# DEVICE HOST NETDEV
{
	local dd rc=0 busy=0

	run rm -f "$exported/again"
	dd if="$grown" of="$mnt/again" bs=64k oflag=dsync status=none &
	dd=$!
	until_ok 20 begun || fail "nothing is written"
	run timeout 30 rdma link del "$1" || rc=$?
	kill -0 "$dd" 2> /dev/null || busy=$?
	run "$2" rdma link add "$1" type siw netdev "$3"
	[ "$rc" -eq 0 ] || fail "the link stays"
	[ "$busy" -eq 0 ] || fail "the copy was over"
	wait "$dd" || rc=$?
	[ "$rc" -eq 0 ] || fail "the copy ends with $rc"
	sync -f "$mnt"
	run cmp "$grown" "$exported/again"
	run rm "$mnt/again"
}

server_down()
{
	run n1 rpc.nfsd 0
	all_gone
	until_ok 10 modprobe -r rpcrdma || fail "$(lsmod | grep rpcrdma)"
}

# Whatever happened: no mount stays, nor a daemon, which are in the background.
all_gone()
{
	local m ns

	! mountpoint -q "$mnt" || umount -f -l "$mnt"
	for ns in h1 h2; do
		ip netns pids "$ns" | xargs -r kill -9
	done
	for m in /proc/fs/nfsd "$exported" /run/rpc_pipefs; do
		! mountpoint -q "$m" || umount "$m"
	done
}

need
begin
trap 'rc=$?; all_gone > /dev/null 2>&1 || true; set +e; (exit "$rc"); cleanup' EXIT
topology
head -c 25000000 /dev/urandom > "$grown"
t "server comes up" server_up
for v in 3 4.2; do
	# version 4 sees the export as its root
	case $v in
	4.2) t "mount, version $v" mount_it vers=$v / ;;
	*) t "mount, version $v" mount_it vers=$v "$exported" ;;
	esac
	t "big file, version $v" big_file
	t "direct I/O, version $v" direct_io
	t "small files, version $v" small_files
	[ $v != 4.2 ] || {
		t "fio verifies" verify
		t "client's link goes and returns" link_returns siw2 h2 eth2
		t "server's link goes and returns" link_returns siw1 h1 eth1
	}
	t "unmount, version $v" umount_it
done
t "server goes" server_down
finish
