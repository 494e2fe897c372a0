# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Shell part of the siw kselftests. Source it, call "begin", run cases with
# "t NAME COMMAND..." and end with "finish".
#
#	+------------ h1 -----------+        +------------ h2 -----------+
#	| siw1 on eth1              |  veth  |              siw2 on eth2 |
#	| 10.0.0.1/24  fd00::1/64   +--------+   10.0.0.2/24  fd00::2/64 |
#	+---------------------------+        +---------------------------+
#
# Environment: SIW_KO (module file; empty: modprobe siw), SIW_PROVIDER ("stock", or
# a path for RDMAV_DRIVERS), KSFT_SLOW (how much slower this kernel is than usual),
# SIW_ELSEWHERE (scripts, or SCRIPT/PART, that are left to another kernel).

set -eu

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
suite=$(basename "$0" .sh)
SIW_KO=${SIW_KO:-}
SIW_PROVIDER=${SIW_PROVIDER:-stock}
export SIW_PROVIDER
if [ "$SIW_PROVIDER" != stock ]; then
	export RDMAV_DRIVERS=$SIW_PROVIDER
fi
KREL=$(uname -r)

kt_n=0
kt_pass=0
kt_fail=0
kt_skip=0
finished=
work=$(mktemp -d "/tmp/ksft-$suite.XXXXXX")
mark="ksft-$suite-$$-$(date +%s)"

# ------------------------------------------------------------------ KTAP

result()	# STATUS NAME [REASON]
{
	kt_n=$((kt_n + 1))
	case $1 in
	0)
		kt_pass=$((kt_pass + 1))
		echo "ok $kt_n $2"
		;;
	4)
		kt_skip=$((kt_skip + 1))
		echo "ok $kt_n $2 # SKIP ${3:-}"
		;;
	*)
		kt_fail=$((kt_fail + 1))
		echo "not ok $kt_n $2"
		;;
	esac
}

# Say why and leave the case, as skipped or as failed.
skip()
{
	echo "$*" > "$work/reason"
	exit 4
}

# Say why and leave the script; before "begin".
skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	rm -rf "$work"
	exit 4
}

fail()
{
	echo "FAILED: $*"
	exit 1
}

# Kill what this shell started and no longer waits for.
reap()
{
	local pid

	for pid in $(jobs -p); do
		kill -9 "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
}

# Whether this script, or PART of it, is left to another kernel.
elsewhere()	# [PART]
{
	[[ " ${SIW_ELSEWHERE:-} " = *" ${0##*/}${1:+/$1} "* ]]
}

if elsewhere; then
	skip_all "make check runs it on the other kernel"
fi

# One case: a function or command in a subshell with errexit on. What it
# printed is shown if it failed, or with VERBOSE=1. A function "before", if
# there is one, runs first.
t()	# NAME COMMAND...
{
	local name=$1 rc=0 pid began
	shift

	# no programs where the shell will do: an emulated fork() and exec() take long
	began=${EPOCHREALTIME/[.,]/}
	: > "$work/reason"
	if declare -F before > /dev/null; then
		before > /dev/null 2>&1 || true
	fi
	(
		set -eu
		trap reap EXIT
		"$@"
	) < /dev/null > "$work/case" 2>&1 &
	pid=$!
	wait "$pid" || rc=$?
	if [ "${VERBOSE:-0}" = 1 ] || { [ $rc -ne 0 ] && [ $rc -ne 4 ]; }; then
		tail -n 60 "$work/case" | sed 's/^/# /'
		[ $rc -eq 0 ] || echo "# exit status $rc"
	fi
	echo "# $name: $(((${EPOCHREALTIME/[.,]/} - began) / 1000)) ms"
	result $rc "$name" "$(< "$work/reason")"
}

# A program that prints KTAP itself: its cases become cases of this script.
prog()	# PREFIX COMMAND...
{
	local prefix=$1 line name rc=0 ended=
	shift

	echo "# + $*"
	while IFS= read -r line; do
		name=${line#*ok }
		name=${name#* }
		case $line in
		"ok "*"# SKIP "*)
			result 4 "$prefix${name%% #*}" "${line##*# SKIP }"
			;;
		"ok "*) result 0 "$prefix$name" ;;
		"not ok "*) result 1 "$prefix$name" ;;
		"1.."*) ended=1 ;;
		"TAP version"* | "# Totals"*) ;;
		"KSFT-EXIT "*) rc=${line#* } ;;
		"#"*) echo "$line" ;;
		*) echo "# $line" ;;
		esac
	done < <("$@" 2>&1 || echo "KSFT-EXIT $?")
	if [ -z "$ended" ]; then
		result 1 "${prefix}runs to its end"
	elif [ "$rc" -gt 4 ]; then
		result 1 "${prefix}exits in order ($rc)"
	fi
}

# ------------------------------------------------------------------ commands

run()
{
	echo "+ $*"
	"$@"
}

# Must fail; prints how.
refused()
{
	local rc=0

	echo "+ ! $*"
	"$@" || rc=$?
	[ $rc -ne 0 ] || fail "not refused: $*"
}

h1()
{
	ip netns exec h1 "$@"
}

h2()
{
	ip netns exec h2 "$@"
}

now_ms()
{
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

# Poll a condition, a command that prints nothing of interest.
until_ok()	# SECONDS COMMAND...
{
	local end=$(($(now_ms) + $1 * 1000 * ${KSFT_SLOW:-1}))
	shift

	until "$@" > /dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

have()
{
	command -v "$1" > /dev/null || skip "no $1"
}

# Wait till something listens on a TCP port of a namespace. The listener may
# belong to rdma_cm, whose ports show only as sockets of the kernel.
listening()	# NETNS PORT
{
	local hex

	hex=$(printf ':%04X' "$2")
	ip netns exec "$1" cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk -v p="$hex" '$4 == "0A" && substr($2, length($2) - 4) == p {
			f = 1 } END { exit !f }'
}

wait_listen()
{
	until_ok 40 listening "$1" "$2" || fail "nobody listens on port $2"
}

# The index of an address in a device's table.
gid_of()	# DEVICE BEGINNING
{
	local f gid

	for f in /sys/class/infiniband/"$1"/ports/1/gids/*; do
		read -r gid < "$f" || continue
		[[ $gid == $2* ]] || continue
		echo "${f##*/}"
		return
	done
	fail "$1 has no GID like $2"
}

gid4()
{
	gid_of "$1" 0000:0000:0000:0000:0000:ffff:
}

gid6()
{
	gid_of "$1" fd00:
}

# Addresses of h1 come and go while something else is tested.
churn_start()
{
	(
		while :; do
			ip -n h1 addr add 10.0.77.1/24 dev eth1
			ip -n h1 addr add fd00:77::1/64 dev eth1 nodad
			ip -n h1 addr del 10.0.77.1/24 dev eth1
			ip -n h1 addr del fd00:77::1/64 dev eth1
		done
	) > /dev/null 2>&1 &
	churn=$!
}

churn_stop()
{
	kill "$churn" 2>/dev/null || true
	wait "$churn" 2>/dev/null || true
	ip -n h1 addr del 10.0.77.1/24 dev eth1 2>/dev/null || true
	ip -n h1 addr del fd00:77::1/64 dev eth1 2>/dev/null || true
}

# Octets that a device has sent so far, all of them iWARP's.
sent()	# DEVICE
{
	rdma statistic show link "$1/1" | grep -o 'tx_bytes [0-9]*' |
		cut -d' ' -f2
}

# File systems over RDMA: $mnt is the mount, of $exported at the server.
umount_it()
{
	run timeout 60 umount "$mnt"
}

forget()
{
	sync -f "$mnt"
	echo 3 > /proc/sys/vm/drop_caches
}

# What goes in is what the server has and what comes back; nothing stays of it.
tree_survives()	# DIR
{
	run cp -r "$1" "$mnt/small"
	forget
	run diff -r "$1" "$exported/small"
	run diff -r "$1" "$mnt/small"
	[ "$(find "$mnt/small" | wc -l)" = "$(find "$1" | wc -l)" ]
	run rm -r "$mnt/small" "$1"
	[ ! -e "$exported/small" ]
}

# perftest, server in h1 and client in h2; what they said is in $work/srv and
# $work/cli. The server is deaf between the first of its connections and the
# others: a client that is too fast is refused and comes again.
perf_pair()	# PORT PROGRAM ARGS...
{
	local port=$1 s tries rc
	shift

	for tries in 1 2 3; do
		rc=0
		ip netns exec h1 timeout -k 5 120 "$@" -R -F -d siw1 -p "$port" \
			> "$work/srv" 2>&1 &
		s=$!
		wait_listen h1 "$port"
		if h2 timeout -k 5 60 "$@" -R -F -d siw2 -p "$port" 10.0.0.1 \
				> "$work/cli" 2>&1; then
			wait "$s" || rc=$?
			break
		fi
		rc=1
		kill "$s" 2> /dev/null || true
		wait "$s" || true
		grep -qE "CM_EVENT_REJECTED|Connection refused" "$work/cli" || break
		echo "refused, try $tries"
	done
	[ $rc -eq 0 ] || {
		cat "$work/srv" "$work/cli"
		fail "$1"
	}
}

# Write what passes eth1 of h1 to a file, up to "record_end".
record()	# FILE
{
	recorded=$1
	ip netns exec h1 tcpdump -U -i eth1 -s 0 -B 65536 -w "$1" tcp \
		> "$work/tcpdump" 2>&1 &
	tcpdump=$!
	until_ok 10 grep -q 'listening on' "$work/tcpdump" ||
		fail "tcpdump: $(cat "$work/tcpdump")"
}

# The kernel holds packets back from tcpdump for up to a second, and at its end
# tcpdump drops what it has not been given: wait until nothing comes any more.
record_end()
{
	local size last=-1

	while size=$(stat -c %s "$recorded"); [ "$size" != "$last" ]; do
		last=$size
		sleep 1.5
	done
	kill -INT "$tcpdump"
	wait "$tcpdump" || true
	tail -n 3 "$work/tcpdump" | sed 's/^/# /'
	if grep -q '[1-9][0-9]* packets dropped by kernel' "$work/tcpdump"; then
		echo "# tcpdump lost packets"
	fi
}

# ------------------------------------------------------------------ module

module_loaded()
{
	[ -d /sys/module/siw ]
}

load()
{
	local m

	modprobe -a ib_uverbs rdma_ucm
	if [ -n "$SIW_KO" ]; then
		for m in $(modinfo -F depends "$SIW_KO" | tr , ' '); do
			modprobe "$m"
		done
		insmod "$SIW_KO"
	else
		modprobe siw
	fi
}

unload()
{
	! module_loaded || rmmod siw
}

no_links()
{
	local dev

	for dev in $(rdma -j link show 2>/dev/null |
		     grep -o '"ifname":"[^"]*"' | cut -d'"' -f4 | sort -u); do
		rdma link del "$dev" 2>/dev/null || true
	done
}

# ------------------------------------------------------------------ topology

# The first packets of a new link may be lost: ask until h1 answers h2.
neighbour()	# ADDRESS
{
	ip -n h2 neigh show "$1" | grep -q lladdr && return
	h2 bash -c "echo > /dev/udp/$1/9" || true
	sleep 0.1
	ip -n h2 neigh show "$1" | grep -q lladdr
}

# Names and addresses for eth1 in h1 and eth2 in h2.
plumb()
{
	ip -n h1 addr add 10.0.0.1/24 dev eth1
	ip -n h2 addr add 10.0.0.2/24 dev eth2
	ip -n h1 addr add fd00::1/64 dev eth1 nodad
	ip -n h2 addr add fd00::2/64 dev eth2 nodad
	ip -n h1 link set lo up
	ip -n h2 link set lo up
	ip -n h1 link set eth1 up
	ip -n h2 link set eth2 up
	until_ok 10 neighbour 10.0.0.1 || fail "no link between h1 and h2"
	until_ok 10 neighbour fd00::1 || fail "no link between h1 and h2"
}

veth_pair()	# MTU
{
	ip netns add h1
	ip netns add h2
	ip link add eth1 netns h1 mtu "$1" type veth peer name eth2 netns h2 \
		mtu "$1"
	plumb
}

# The two NICs of "tests/vm/run --nics": what one sends the other receives in
# memory of its own. Give them back before the namespaces go.
nic_pair()	# MTU
{
	ip netns add h1
	ip netns add h2
	ip link set nic0 netns h1 name eth1 mtu "$1"
	ip link set nic1 netns h2 name eth2 mtu "$1"
	plumb
}

nics_back()
{
	ip -n h1 link set eth1 down
	ip -n h2 link set eth2 down
	ip -n h1 link set eth1 netns 1 name nic0
	ip -n h2 link set eth2 netns 1 name nic1
}

rdma_pair()
{
	h1 rdma link add siw1 type siw netdev eth1
	h2 rdma link add siw2 type siw netdev eth2
}

# Both ends in the first namespace, for users inside of the kernel; "ip link del
# eth1" ends it.
one_host()
{
	ip link add eth1 type veth peer name eth2
	ip addr add 10.8.0.1/24 dev eth1
	ip addr add 10.8.0.2/24 dev eth2
	ip link set eth1 up
	ip link set eth2 up
	rdma link add siw1 type siw netdev eth1
	rdma link add siw2 type siw netdev eth2
}

# Two hosts with a device each.
topology()
{
	veth_pair 1500
	rdma_pair
}

dissolve()
{
	local ns

	no_links
	for ns in h1 h2 h3; do
		[ ! -e "/run/netns/$ns" ] || ip netns del "$ns"
	done
}

mtu()
{
	ip -n h1 link set eth1 mtu "$1"
	ip -n h2 link set eth2 mtu "$1"
}

# ------------------------------------------------------------------ oracle

# Lines of a device's resource summary that still count something.
resources()
{
	rdma resource show | sed 's/^[0-9]*: //' | while read -r dev rest; do
		# shellcheck disable=SC2086
		set -- $rest
		while [ $# -gt 1 ]; do
			[ "$2" = 0 ] || echo "$dev $1 $2"
			shift 2
		done
	done
}

no_resources()
{
	[ -z "$(resources)" ]
}

# From here on allocations fail, which the kernel may say, until "off".
faults_are()	# on or off
{
	echo "ksft-faults: $1" > /dev/kmsg
}

# What the kernel said since the start of this suite; while allocations fail,
# what comes below is left out: the trace of a failed page allocation, and with
# "-r" (raw levels) everything.
said()	# [-r]
{
	dmesg "$@" | sed -n "/$mark/,\$p" | awk -v raw="${1:-}" '
		/ksft-faults: on/ { faults = 1 }
		/ksft-faults: off/ { faults = 0 }
		/(page allocation failure|vmalloc error): / { failure = NR }
		faults && raw { next }
		faults && /Call Trace/ && failure && NR - failure < 8 { next }
		{ print }'
}

# What the kernel said, without the data races of others (as tests/vm/dmesg-check).
said_of_us()
{
	said "$@" | awk '/BUG: KCSAN: / { foreign = !/\[siw\]/ }
		/==================/ { foreign = 0; next } !foreign'
}

# Complaints since the start of this suite, without what the RDMA core and
# the module loader say on any system.
complaints()
{
	said_of_us -r | sed -n 's/^<[0-4]>//p' | grep -Ev \
		-e 'loading out-of-tree module taints' \
		-e 'module verification failed' \
		-e 'iwpm_register_pid: Unable to send a nlmsg' \
		-e 'hrtimer: interrupt took' \
		-e 'virtio_net .*(NETDEV WATCHDOG|TX timeout)' \
		-e 'speed is unknown, defaulting to to' \
		-e 'nvme[0-9].*(no available path|failing I/O|I/O error)' \
		-e 'I/O error.* dev nvme' \
		-e 'MODE SENSE: unimplemented page' \
		-e '^\[[ 0-9.]+\] {1,2}(in [^ ]+\[[0-9a-f]+\+[0-9a-f]+\].*)?$' \
		-e "$mark" || true
	said_of_us | grep -E \
		'WARNING:|BUG:|Oops|Call Trace|blocked for more than' || true
}

leak_resources()
{
	until_ok 5 no_resources || {
		resources
		rdma resource show qp
		rdma resource show cm_id
		fail "resources are left"
	}
}

leak_module()
{
	module_loaded || return 0
	no_links
	until_ok 3 grep -qx 0 /sys/module/siw/refcnt ||
		fail "refcount is $(cat /sys/module/siw/refcnt)"
	run rmmod siw
	! module_loaded
}

leak_dmesg()
{
	local text

	text=$(complaints)
	[ -z "$text" ] || {
		echo "$text"
		fail "the kernel complained"
	}
}

leak_oracle()
{
	t "no resource is left" leak_resources
	t "the module unloads" leak_module
	t "the kernel did not complain" leak_dmesg
}

# ------------------------------------------------------------------ frame


cleanup()
{
	local rc=$?

	trap - EXIT
	# timeout says it more than once
	trap '' INT TERM HUP
	[ -n "$finished" ] || echo "Bail out! status $rc"
	reap
	if module_loaded; then
		dissolve
		rmmod siw 2>/dev/null || true
	else
		dissolve 2>/dev/null || true
	fi
	rm -rf "$work"
	exit $rc
}

# The limits that tests give to their programs are for a kernel of usual speed.
slow_limits()
{
	[ "${KSFT_SLOW:-1}" != 1 ] || return 0
	mkdir -p "$work/bin"
	cat > "$work/bin/timeout" <<'E'
#!/bin/bash
how=()
while :; do
	case $1 in
	-k | -s) how+=("$1" "$2"); shift ;;
	-*) how+=("$1") ;;
	*) break ;;
	esac
	shift
done
exec /usr/bin/timeout "${how[@]}" $(($1 * KSFT_SLOW)) "${@:2}"
E
	chmod +x "$work/bin/timeout"
	PATH=$work/bin:$PATH
}

begin()
{
	[ "$(id -u)" = 0 ] || skip_all "must be root"
	slow_limits
	if ! command -v rdma > /dev/null || ! command -v ip > /dev/null; then
		skip_all "no iproute2"
	fi
	echo "TAP version 13"
	trap cleanup EXIT
	trap 'exit 1' INT TERM HUP
	echo "$mark" > /dev/kmsg
	if module_loaded; then
		no_links
		rmmod siw
	fi
	if ! load; then
		echo "not ok 1 the module loads"
		echo "1..1"
		exit 1
	fi
	echo "# kernel $KREL, provider $SIW_PROVIDER, module ${SIW_KO:-siw}"
}

finish()
{
	finished=1
	reap
	unset -f before
	leak_oracle
	echo "1..$kt_n"
	echo "# Totals: pass:$kt_pass fail:$kt_fail skip:$kt_skip"
	echo "# $SECONDS s"
	[ $kt_fail -eq 0 ] || exit 1
	[ $kt_pass -gt 0 ] || exit 4
	exit 0
}

# Name of a program built here or beside this file.
bin()
{
	if [ -x "$here/$1" ]; then
		echo "$here/$1"
	else
		echo "${KSFT_BIN:-$here}/$1"
	fi
}
