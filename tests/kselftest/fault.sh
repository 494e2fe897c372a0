#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Allocations fail: first each one of each call in turn (fault_test), then
# those under siw's own functions by chance, in workers and softirq too, while
# connections come and go. Needs a kernel with fault injection, say the one of
# "make debug-kernel"; others skip.

. "$(dirname "$0")/lib.sh"

debugfs=/sys/kernel/debug

if [ ! -e /proc/self/fail-nth ] || [ ! -d $debugfs/failslab ]; then
	skip_all "no fault injection in this kernel"
fi

knob()	# NAME VALUE, for all kinds of faults that have it
{
	local f

	for f in "$debugfs"/fail*/"$1"; do
		[ ! -e "$f" ] || echo "$2" > "$f"
	done
}

# The guest's root: a fid that 9p's client could not give back for want of memory is
# taken as free there and refused by the server, for ever.
spare_9p()
{
	local text

	# those of __init and __exit are far away
	text=$(awk '$3 ~ /^p9_client_/ && $3 !~ /(init|exit)$/ &&
		    tolower($2) == "t" { print $1 }' /proc/kallsyms | sort)
	[ -n "$text" ] || return 0
	knob reject-start "0x${text%%[[:space:]]*}"
	knob reject-end "0x${text##*[[:space:]]}"
}

# Failures of allocations that may sleep count, of user pages do not: such a
# process is killed, which says nothing of siw.
setup_faults()
{
	spare_9p
	knob stacktrace-depth 32
	knob probability 0
	knob times -1
	knob verbose 0
	knob ignore-gfp-wait N
	echo 0 > $debugfs/fail_page_alloc/min-order
}

# Where the functions of the module are: first and last address.
text()	# NUMBER of the line
{
	awk '$4 == "[siw]" && tolower($2) == "t" { print $1 }' /proc/kallsyms |
		sort | sed -n "$1p"
}

# Hit what is called, however deep, from functions of the module.
chance()	# PERCENT
{
	knob require-start "0x$(text 1)"
	knob require-end "0x$(text '$')"
	echo "$1" > $debugfs/failslab/probability
	echo "$1" > $debugfs/fail_page_alloc/probability
}

no_chance()
{
	knob probability 0
	knob require-start 0
	knob require-end 0xffffffffffffffff
}

# What the programs make of it is their affair. Nothing may crash or leak, and
# afterwards all works.
by_chance()	# PERCENT PROGRAM ARGS
{
	local percent=$1
	shift

	chance "$percent"
	"$@" > "$work/chance" 2>&1 || true
	no_chance
	echo "under faults: $(grep -c '^ok' "$work/chance") passed," \
		"$(grep -c '^not ok' "$work/chance") failed"
	leak_resources
	run "$@"
}

begin
topology
run ip -n h2 link add dumf type dummy
setup_faults
faults_are on
prog "" "$(bin fault_test)"
for p in 3 30; do
	t "connections, $p % fail" by_chance $p "$(bin cm_test)" basic pdata \
		reject depths server_
	t "data, $p % fail" by_chance $p "$(bin data_test)" send_sizes \
		write_sizes read_sizes
	t "errors, $p % fail" by_chance $p "$(bin error_test)" flush_ viol_
done
faults_are off
finish
