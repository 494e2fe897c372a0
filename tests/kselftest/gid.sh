#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The GID table while addresses come and go: entry 0 never changes, and a
# bind beside an address event neither fails nor hurts the kernel.

. "$(dirname "$0")/lib.sh"

gid0()
{
	h1 cat /sys/class/infiniband/siw1/ports/1/gids/0
}

gid0_constant()
{
	local first now i

	first=$(gid0)
	echo "GID 0 is $first"
	[ "$first" != 0000:0000:0000:0000:0000:0000:0000:0000 ]
	for ((i = 0; i < 10; i++)); do
		now=$(gid0)
		[ "$now" = "$first" ] || fail "became $now"
	done
}

gid0_over_mac_change()
{
	local first

	first=$(gid0)
	run ip -n h1 link set eth1 down
	run ip -n h1 link set eth1 mtu 1400
	run ip -n h1 link set eth1 up
	[ "$(gid0)" = "$first" ] || fail "became $(gid0)"
	run ip -n h1 link set eth1 mtu 1500
}

begin
topology
t "GID 0 is set and stays" gid0_constant
t "GID 0 stays over down, up and MTU" gid0_over_mac_change
# An interface that goes down forgets its IPv6 addresses.
ip -n h1 addr add fd00::1/64 dev eth1 nodad 2>/dev/null || true
ip -n h2 neigh flush all
until_ok 10 neighbour 10.0.0.1
until_ok 10 neighbour fd00::1
churn_start
t "GID 0 stays while addresses change" gid0_constant
BIND_MS=5000 prog "churn " "$(bin cm_test)" gid_bind_loop
BIND_MS=2000 prog "churn ipv6 " "$(bin cm_test)" -6 gid_bind_loop
prog "churn " "$(bin cm_test)" basic bye_client self_loopback
churn_stop
prog "" "$(bin cm_test)" self_loopback self_own
prog "ipv6 " "$(bin cm_test)" -6 self_loopback self_own
finish
