#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Life of a link: add and delete on every kind of netdev, refusals, renaming,
# MTU, up and down, removal of the netdev, deletion while it is in use.

. "$(dirname "$0")/lib.sh"

link_is()	# DEVICE WORD
{
	h1 rdma link show "$1/1" | grep -qw "$2"
}

# Each case starts with no device.
before()
{
	no_links
}

gone()	# DEVICE
{
	! rdma dev show "$1" > /dev/null 2>&1
}

mtu_of()	# DEVICE
{
	ibv_devinfo -d "$1" | awk '$1 == "active_mtu:" { print $2 }'
}

add_and_del()
{
	run h1 rdma link add siw7 type siw netdev eth1
	run h1 rdma link show siw7/1
	link_is siw7 ACTIVE
	link_is siw7 LINK_UP
	h1 rdma link show siw7/1 | grep -q "netdev eth1"
	run ibv_devinfo -v -d siw7
	ibv_devinfo -d siw7 | grep -q 'transport:.*iWARP'
	run rdma -d dev show siw7
	run rdma link del siw7
	gone siw7
}

add_many_times()
{
	local i

	for ((i = 0; i < 10; i++)); do
		h1 rdma link add siw7 type siw netdev eth1
		rdma link del siw7
	done
}

many_devices()
{
	local i

	for ((i = 0; i < 6; i++)); do
		ip -n h1 link add "m$i" type dummy
		ip -n h1 link set "m$i" up
		h1 rdma link add "siwm$i" type siw netdev "m$i"
	done
	[ "$(rdma link | grep -c siwm)" = 6 ]
	for ((i = 0; i < 6; i++)); do
		ip -n h1 link del "m$i"
		until_ok 3 gone "siwm$i" || fail "siwm$i outlives its netdev"
	done
}

# What the tool prints is the kernel's errno in words.
cause()	# NAME COMMAND...
{
	local name=$1 text
	shift

	echo "+ $*"
	if text=$("$@" 2>&1); then
		fail "not refused: $name"
	fi
	text=$(printf '%s\n' "$text" | tail -n 1)
	echo "$name: $text"
	printf '%s\t%s\n' "$text" "$name" >> "$work/causes"
}

distinct_errors()
{
	local same

	rm -f "$work/causes"
	run h1 rdma link add siw7 type siw netdev eth1
	run ip -n h1 link add dum0 type dummy
	run ip -n h1 link set dum0 up
	run ip -n h1 link add mon0 type nlmon
	run ip -n h1 link set mon0 up
	cause "netdev in use" h1 rdma link add siw8 type siw netdev eth1
	cause "name taken" h1 rdma link add siw7 type siw netdev dum0
	cause "no such netdev" h1 rdma link add siw8 type siw netdev none0
	cause "unsupported netdev" h1 rdma link add siw8 type siw netdev mon0
	cause "not permitted" h1 setpriv --bounding-set=-all --inh-caps=-all \
		--reuid=65534 rdma link add siw8 type siw netdev dum0
	cause "no such type" h1 rdma link add siw8 type nosuch netdev dum0
	gone siw8
	run ip -n h1 link del dum0
	run ip -n h1 link del mon0
	run rdma link del siw7
	same=$(cut -f1 "$work/causes" | sort | uniq -d)
	[ -z "$same" ] || fail "one error for several causes: $same"
}

refused_leave_nothing()
{
	local i

	run h1 rdma link add siw7 type siw netdev eth1
	for ((i = 0; i < 5; i++)); do
		refused h1 rdma link add siw8 type siw netdev eth1
		refused h1 rdma link add siw7 type siw netdev lo
	done
	[ "$(rdma dev | wc -l)" = 1 ]
	run rdma link del siw7
	refused rdma link del siw7
}

told()	# EVENT
{
	grep -q "event_type IBV_EVENT_$1 .*port 1" "$work/async" ||
		{ cat "$work/async"; return 1; }
}

updown()
{
	run h1 rdma link add siw7 type siw netdev eth1
	stdbuf -oL ibv_asyncwatch -d siw7 > "$work/async" 2>&1 &
	until_ok 5 grep -q 'async event FD' "$work/async" ||
		fail "$(cat "$work/async")"
	run ip -n h1 link set eth1 down
	until_ok 3 link_is siw7 DOWN || fail "not down: $(rdma link)"
	until_ok 3 told PORT_ERR || fail "nobody is told that it is down"
	refused told PORT_ACTIVE
	run ip -n h1 link set eth1 up
	until_ok 3 link_is siw7 ACTIVE || fail "not up: $(rdma link)"
	until_ok 3 told PORT_ACTIVE || fail "nobody is told that it is up"
	kill "$!"
	wait "$!" 2>/dev/null || true
	run rdma link del siw7
}

carrier()
{
	run h1 rdma link add siw7 type siw netdev eth1
	run ip -n h2 link set eth2 down
	until_ok 3 link_is siw7 DOWN || fail "no carrier, yet $(rdma link)"
	run ip -n h2 link set eth2 up
	until_ok 3 link_is siw7 ACTIVE || fail "carrier, yet $(rdma link)"
	run rdma link del siw7
}

mtu_change()
{
	local want got

	run h1 rdma link add siw7 type siw netdev eth1
	for want in 9000:4096 1500:1024 2500:2048 600:512; do
		run ip -n h1 link set eth1 mtu "${want%:*}"
		got=$(mtu_of siw7)
		[ "$got" = "${want#*:}" ] ||
			fail "MTU ${want%:*} is shown as $got"
	done
	run ip -n h1 link set eth1 mtu 1500
	run rdma link del siw7
}

rename_netdev()
{
	run h1 rdma link add siw7 type siw netdev eth1
	run ip -n h1 link set eth1 down
	run ip -n h1 link set eth1 name other1
	run ip -n h1 link set other1 up
	run h1 rdma link show siw7/1
	h1 rdma link show siw7/1 | grep -q "netdev other1"
	run ip -n h1 link set other1 down
	run ip -n h1 link set other1 name eth1
	run ip -n h1 link set eth1 up
	run rdma link del siw7
}

rename_device()
{
	local pid

	run h1 rdma link add siw7 type siw netdev eth1
	"$(bin app)" hold siw7 > "$work/hold" 2>&1 &
	pid=$!
	until_ok 5 grep -q running "$work/hold"
	run rdma dev set siw7 name siwx
	gone siw7
	link_is siwx ACTIVE
	run rdma link del siwx
	wait "$pid" || fail "$(cat "$work/hold")"
}

del_while_held()
{
	local pid

	run h1 rdma link add siw7 type siw netdev eth1
	"$(bin app)" hold siw7 > "$work/hold" 2>&1 &
	pid=$!
	until_ok 5 grep -q running "$work/hold" || fail "$(cat "$work/hold")"
	run timeout 5 rdma link del siw7
	gone siw7
	until_ok 2 grep -q told "$work/hold" || fail "holder is not told"
	wait "$pid" || fail "$(cat "$work/hold")"
	run h1 rdma link add siw7 type siw netdev eth1
	run rdma link del siw7
}

unload_while_held()
{
	local pid

	run h1 rdma link add siw7 type siw netdev eth1
	"$(bin app)" hold siw7 > "$work/hold" 2>&1 &
	pid=$!
	until_ok 5 grep -q running "$work/hold"
	kill -STOP "$pid"
	run timeout 5 rdma link del siw7
	run timeout 5 rmmod siw
	kill -CONT "$pid"
	wait "$pid" || fail "$(cat "$work/hold")"
	load
}

netdev_removed()
{
	local pid

	run h1 rdma link add siw7 type siw netdev eth1
	"$(bin app)" hold siw7 > "$work/hold" 2>&1 &
	pid=$!
	until_ok 5 grep -q running "$work/hold"
	run timeout 5 ip -n h1 link del eth1
	until_ok 3 gone siw7 || fail "siw7 outlives its netdev"
	until_ok 2 grep -q told "$work/hold" || fail "holder is not told"
	wait "$pid" || fail "$(cat "$work/hold")"
	ip netns del h1
	ip netns del h2
	veth_pair 1500
}

parent()
{
	local dev p

	for p in /sys/class/net/*/device; do
		[ -e "$p" ] || skip "no netdev with a parent"
		dev=${p%/device}
		dev=${dev##*/}
		break
	done
	# The wire behind it may lead nowhere: send nothing.
	run sysctl -q -w "net.ipv6.conf.$dev.disable_ipv6=1"
	run ip link set "$dev" up
	run rdma link add siw7 type siw netdev "$dev"
	ls "/sys/class/infiniband/siw7/device/net" ||
		fail "no device/net"
	[ -e "/sys/class/infiniband/siw7/device/net/$dev" ]
	run rdma link del siw7
	run ip link set "$dev" down
}

# --- kinds of netdevs, each in h1 with an address, used for a connection ----

kind_ends()	# NETDEV
{
	run ip -n h1 addr add 10.9.0.1/24 dev "$1"
	run ip -n h1 link set "$1" up
	run h1 rdma link add siwk type siw netdev "$1"
	run h1 rdma link show siwk/1
	RIG_SRV_ADDR=10.9.0.1 run "$(bin cm_test)" self_own ||
		fail "no connection over $1"
	run rdma link del siwk
}

kind_vlan()
{
	run ip -n h1 link add link eth1 name eth1.5 type vlan id 5
	kind_ends eth1.5
	run h1 rdma link add siwk type siw netdev eth1.5
	run ip -n h1 link del eth1.5
	until_ok 3 gone siwk || fail "siwk outlives its VLAN"
}

kind_bond()
{
	run ip -n h1 link add bond0 type bond mode active-backup miimon 100
	run ip -n h1 link add bd0 type dummy
	run ip -n h1 link set bd0 down
	run ip -n h1 link set bd0 master bond0
	kind_ends bond0
	run ip -n h1 link del bond0
	run ip -n h1 link del bd0
}

kind_bridge()
{
	run ip -n h1 link add br0 type bridge
	run ip -n h1 link add bp0 type dummy
	run ip -n h1 link set bp0 master br0
	run ip -n h1 link set bp0 up
	kind_ends br0
	run ip -n h1 link del br0
	run ip -n h1 link del bp0
}

kind_tap()
{
	run ip -n h1 tuntap add dev tap7 mode tap
	kind_ends tap7
	run ip -n h1 link del tap7
}

kind_tun()
{
	run ip -n h1 tuntap add dev tun7 mode tun
	case $KREL in
	6.1.*)
		# rdma_cm of 6.1 matches a MAC address, and tun has none.
		run h1 rdma link add siwk type siw netdev tun7
		run rdma link del siwk
		;;
	*) kind_ends tun7 ;;
	esac
	run ip -n h1 link del tun7
}

kind_lo()
{
	run h1 rdma link add siwk type siw netdev lo
	run h1 rdma link show siwk/1
	link_is siwk ACTIVE
	case $KREL in
	6.1.*) ;;
	*) RIG_SRV_ADDR=127.0.0.1 run "$(bin cm_test)" self_own ;;
	esac
	run rdma link del siwk
}

kind_dummy()
{
	run ip -n h1 link add dum7 type dummy
	kind_ends dum7
	run ip -n h1 link del dum7
}

begin
veth_pair 1500
modprobe tun 2>/dev/null || true
t "add and delete" add_and_del
t "add and delete ten times" add_many_times
t "six devices" many_devices
t "each refusal has an errno of its own" distinct_errors
t "refusals leave nothing" refused_leave_nothing
t "port follows up and down" updown
t "port follows the carrier" carrier
t "port follows the MTU" mtu_change
t "netdev is renamed" rename_netdev
t "device is renamed while open" rename_device
t "link is deleted while open" del_while_held
t "module is removed while open" unload_while_held
t "netdev is removed while open" netdev_removed
t "device has the netdev's parent" parent
t "vlan" kind_vlan
t "bond" kind_bond
t "bridge" kind_bridge
t "tap" kind_tap
t "tun" kind_tun
t "loopback" kind_lo
t "dummy" kind_dummy
finish
