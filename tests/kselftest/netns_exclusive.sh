#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The RDMA core's exclusive mode: a device is seen in one namespace only. The
# mode must be chosen before any namespace exists, so the core is reloaded.

. "$(dirname "$0")/lib.sh"

core_modules="rdma_ucm rdma_cm iw_cm ib_cm ib_uverbs"

reload_core()	# PARAMETERS
{
	local m

	unload
	for m in nvme_rdma nvmet_rdma rpcrdma $core_modules ib_core; do
		[ ! -d "/sys/module/$m" ] || modprobe -r "$m" || true
	done
	[ ! -d /sys/module/ib_core ] || return 1
	modprobe ib_core "$@"
	load
}

starts_in_its_namespace()
{
	run rdma system
	rdma system | grep -q "netns exclusive"
	run h1 rdma dev
	h1 rdma dev | grep -q siw1 || fail "siw1 is not in h1"
	h2 rdma dev | grep -q siw2 || fail "siw2 is not in h2"
	! h2 rdma dev | grep -q siw1 || fail "siw1 is seen in h2"
	[ -z "$(rdma dev)" ] || fail "seen in the first namespace: $(rdma dev)"
}

pair_works()	# NETNS PORT
{
	ip netns exec "$1" rping -s -a 10.0.0.1 -p "$2" -C 3 > "$work/s" 2>&1 &
	local pid=$!

	wait_listen "$1" "$2"
	run h2 rping -c -a 10.0.0.1 -p "$2" -C 3 -v
	wait "$pid" || fail "server: $(cat "$work/s")"
}

open_only_inside()
{
	run h1 ibv_devinfo -d siw1
	refused ibv_devinfo -d siw1
	refused h2 ibv_devinfo -d siw1
}

set_netns()
{
	run ip netns add h3
	ip netns exec h1 "$(bin app)" hold siw1 > "$work/hold" 2>&1 &
	local pid=$!
	until_ok 5 grep -q running "$work/hold" || fail "$(cat "$work/hold")"
	run h1 rdma dev set siw1 netns h3
	ip netns exec h3 rdma dev | grep -q siw1 || fail "siw1 is not in h3"
	! h1 rdma dev | grep -q siw1 || fail "siw1 is still in h1"
	until_ok 2 grep -q told "$work/hold" ||
		echo "the holder keeps its context"
	run ip netns exec h3 rdma dev set siw1 netns h1
	h1 rdma dev | grep -q siw1
	kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	pair_works h1 7502
	run ip netns del h3
}

death_returns()
{
	run ip netns add h3
	run h1 rdma dev set siw1 netns h3
	run ip netns del h3
	until_ok 5 eval "rdma dev | grep -q siw1" ||
		fail "siw1 is lost: $(rdma dev)"
	run rdma dev set siw1 netns h1
	pair_works h1 7503
}

del_all()
{
	h1 rdma link del siw1
	h2 rdma link del siw2
}

begin
if ! reload_core netns_mode=0; then
	modprobe -a ib_uverbs rdma_ucm
	module_loaded || load
	t "exclusive mode" skip "the RDMA core cannot be reloaded"
	finish
fi
topology
t "a device starts in its netdev's namespace" starts_in_its_namespace
t "a device is opened only there" open_only_inside
t "h1 and h2 talk" pair_works h1 7501
t "rdma dev set netns" set_netns
t "a dead namespace gives the device back" death_returns
t "links are deleted" del_all
dissolve
reload_core netns_mode=1 || true
finish
