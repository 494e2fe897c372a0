#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The kernel's 9P client over RDMA. The server in h1 is diod, which speaks TCP,
# behind p9_relay. The client makes its connections in the first namespace,
# whoever mounts, so that h2 is another name of that one here.

. "$(dirname "$0")/lib.sh"

exported=/run/ksft-9p.export
mnt=/run/ksft-9p.mnt
grown=$work/big
octets=$((25000000 / ${KSFT_SLOW:-1}))

need()
{
	local m

	command -v diod > /dev/null || skip_all "no diod"
	for m in 9p 9pnet 9pnet_rdma; do
		modinfo "$m" > /dev/null 2>&1 || skip_all "no module $m"
	done
}

two_hosts()
{
	ip netns add h1
	ip netns attach h2 $$
	ip link add eth2 mtu 1500 type veth peer name eth1 netns h1 mtu 1500
	plumb
	rdma_pair
}

server_up()
{
	run modprobe 9pnet_rdma
	mkdir -p "$exported" "$mnt"
	run mount -t tmpfs -o size=200m export "$exported"
	# grandchildren, which the end of the case leaves alone
	(nsenter --net=/run/netns/h1 diod -f -n -N -c /dev/null \
		-l 127.0.0.1:564 -e "$exported" > "$work/diod" 2>&1 &)
	wait_listen h1 564
	("$(bin p9_relay)" 10.0.0.1 5640 127.0.0.1 564 \
		> "$work/relay" 2>&1 &)
	wait_listen h1 5640
}

mount_it()	# OPTIONS
{
	run timeout 60 mount -t 9p -o "trans=rdma,port=5640,aname=$exported" \
		-o "version=9p2000.L,access=any,uname=root,$1" 10.0.0.1 "$mnt"
	grep " $mnt 9p " /proc/mounts | tee "$work/mounts"
	grep -q trans=rdma "$work/mounts"
}

# What goes in on one side is what the other side has and what comes back.
big_file()
{
	local before
	before=$(sent siw2)

	run dd if="$grown" of="$mnt/big" bs=1M status=none
	forget
	run cmp "$grown" "$exported/big"
	[ $(($(sent siw2) - before)) -gt $((octets / 25 * 24)) ] ||
		fail "the data did not go over siw2"
	before=$(sent siw1)
	# cmp alone would ask for 4096 octets at a time
	dd if="$mnt/big" bs=1M status=none | run cmp "$grown" -
	[ $(($(sent siw1) - before)) -gt $((octets / 25 * 24)) ] ||
		fail "the data did not come from siw1"
}

# Sizes around pages and messages, odd octets at the end.
small_files()
{
	local dir=$work/small size

	mkdir -p "$dir"
	for size in 0 1 3 900 1023 1024 1025 3900 4095 4096 4097 8193 32768 \
	    65511 65512 65513 65537 262145; do
		head -c "$size" /dev/urandom > "$dir/f$size"
	done
	ln -s f4097 "$dir/link"
	mkdir "$dir/many"
	(cd "$dir/many" && head -c 5000 /dev/urandom | split -b 777 -a 3)
	tree_survives "$dir"
}

# Each job has a request under way.
verify()
{
	have fio
	run timeout 100 fio --name=v --directory="$mnt" --rw=randwrite \
		--bssplit=4k/40:64k/30:128k/20:512/10 --size=384k --numjobs=8 \
		--ioengine=psync --verify=crc32c --verify_fatal=1 \
		--do_verify=1 --minimal --group_reporting
	run rm "$mnt"/v.*
}

served()
{
	rdma resource show qp | grep -q 'link siw1/.* state RTS'
}

# The client does not reconnect. It is at rest as its device goes: 9pnet_rdma
# never ends a request that is under way then (its process waits to be killed),
# and loses the memory for the answer (a warning of kmem_cache_destroy() at the
# end of the mount). It gives the device back when it is unmounted, not before;
# "umount -f" would make it ask once more and wait for ever.
link_goes()
{
	local del rc=0

	mount_it msize=65560,cache=none
	run cp "$grown" "$mnt/last"
	run timeout 30 rdma link del siw2 &
	del=$!
	until_ok 20 eval '! served' || fail "the connection stays"
	refused timeout 20 cat "$mnt/last" 2> "$work/told" > /dev/null
	run grep 'Input/output error' "$work/told"
	run timeout 20 umount "$mnt"
	wait "$del" || rc=$?
	[ "$rc" -eq 0 ] || fail "the link stays: $rc"
	refused rdma link show siw2/1
	run cmp "$grown" "$exported/last"
}

# Whatever happened: no mount stays, nor a server.
all_gone()
{
	# not h2, which is where everything else runs; first, since a mount ends
	# without asking the server once its connection has gone
	ip netns pids h1 | xargs -r kill -9
	until_ok 10 eval '! served' || true
	! mountpoint -q "$mnt" || umount -l "$mnt"
	! mountpoint -q "$exported" || umount "$exported"
}

server_down()
{
	all_gone
	# this machine's root may be on the other two
	until_ok 10 modprobe -r 9pnet_rdma || fail "$(lsmod | grep 9p)"
	[ ! -d /sys/module/9pnet_rdma ]
	modprobe -r 9p 9pnet 2> /dev/null || true
}

need
begin
trap 'rc=$?; all_gone > /dev/null 2>&1 || true; set +e; (exit "$rc"); cleanup' EXIT
two_hosts
head -c "$octets" /dev/urandom > "$grown"
t "server comes up" server_up
for o in msize=65560,cache=none msize=32768,cache=loose; do
	t "mount, $o" mount_it "$o"
	t "big file, $o" big_file
	t "small files, $o" small_files
	t "fio verifies, $o" verify
	t "unmount, $o" umount_it
done
t "client's link goes" link_goes
t "server goes" server_down
finish
