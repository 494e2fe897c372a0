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

# The table without empty entries, "NUMBER GID" a line.
gids()
{
	local f gid

	for f in /sys/class/infiniband/siw1/ports/1/gids/*; do
		read -r gid < "$f" || continue
		[[ $gid =~ ^[0:]+$ ]] || echo "${f##*/} $gid"
	done | sort -n
}

known()	# LINES
{
	[ "$(comm -23 <(sort <<< "$1") <(gids | sort))" = "" ]
}

full()
{
	[ "$(gids | wc -l)" -ge 32 ]
}

# More addresses than entries: who has one keeps it, and 31 have one.
more_than_fit()
{
	local first i

	first=$(gids)
	echo "$first"
	[[ $first == *$'\n'"1 0000:0000:0000:0000:0000:ffff:"* ]]
	for ((i = 0; i < 20; i++)); do
		ip -n h1 addr add "10.0.78.$i/32" dev eth1
		ip -n h1 addr add "fd00:78::$i/128" dev eth1 nodad
	done
	until_ok 10 full || fail "not full: $(gids)"
	known "$first" || fail "changed: $(gids)"
	[ "$(gids | wc -l)" = 32 ]
	for ((i = 0; i < 20; i++)); do
		ip -n h1 addr del "10.0.78.$i/32" dev eth1
		ip -n h1 addr del "fd00:78::$i/128" dev eth1
	done
	until_ok 10 eval '[ "$(gids)" = "$first" ]' || fail "then: $(gids)"
}

# An address that comes or goes leaves the entries of others alone.
entries_stay()
{
	local first

	first=$(gids)
	run ip -n h1 addr add 10.0.79.1/24 dev eth1
	until_ok 10 eval 'gids | grep -q ffff:0a00:4f01' || fail "$(gids)"
	known "$first" || fail "changed: $(gids)"
	run ip -n h1 addr del 10.0.79.1/24 dev eth1
	until_ok 10 eval '[ "$(gids)" = "$first" ]' || fail "then: $(gids)"
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
t "entries stay while addresses come and go" entries_stay
t "more addresses than entries" more_than_fit
churn_start
t "GID 0 stays while addresses change" gid0_constant
BIND_MS=5000 prog "churn " "$(bin cm_test)" gid_bind_loop
BIND_MS=2000 prog "churn ipv6 " "$(bin cm_test)" -6 gid_bind_loop
prog "churn " "$(bin cm_test)" basic bye_client self_loopback
churn_stop
prog "" "$(bin cm_test)" self_loopback self_own
prog "ipv6 " "$(bin cm_test)" -6 self_loopback self_own
finish
