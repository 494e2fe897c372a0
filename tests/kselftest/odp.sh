#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# On-demand paging, between h1 and h2.

. "$(dirname "$0")/lib.sh"

# A process whose memory does not come can be killed, and its device deleted; the
# module stays until who keeps the memory has ended.
link_del_never()
{
	local keeper waiter rc=0

	"$(bin odp_test)" wait > "$work/keeper" &
	waiter=$!
	if ! until_ok 20 test -s "$work/keeper"; then
		kill "$waiter" 2> /dev/null
		wait "$waiter" || rc=$?
		[ $rc -ne 4 ] || skip "no memory that is never there"
		fail "no memory is waited for"
	fi
	keeper=$(< "$work/keeper")
	# shellcheck disable=SC2064
	trap "kill -9 $keeper 2> /dev/null || true; reap" EXIT
	run timeout 10 rdma link del siw2
	kill -9 "$waiter"
	until_ok 10 bash -c "! kill -0 $waiter" || fail "is not killed"
	run timeout 10 rdma link del siw1
	refused rmmod siw
	kill -9 "$keeper"
	until_ok 10 rmmod siw || fail "the module is used by nobody"
	load
}

begin
topology
prog "" "$(bin odp_test)"
t link_del_never link_del_never
finish
