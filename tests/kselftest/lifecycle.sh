#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# A storm of comings and goings (lifecycle.py), of users and of all below them.
#
# LIFE_SECONDS	how long (default 20, on a debug kernel 180)
# LIFE_SEED	to repeat what was done; a failure prints it

. "$(dirname "$0")/lib.sh"

seconds=${LIFE_SECONDS:-$([ "${KSFT_SLOW:-1}" = 1 ] && echo 20 || echo 180)}
seed=${LIFE_SEED:-$(date +%s)}

storm()
{
	python3 "$here/lifecycle.py" "$(dirname "$(bin app)")" "$seed" \
		"$seconds" > "$work/storm" 2>&1 || {
		cat "$work/storm"
		fail "seed $seed"
	}
}

# On a fresh start, for settings and MTU are what the storm left
afterwards()
{
	leak_resources
	dissolve
	run rmmod siw
	load
	topology
	run "$(bin cm_test)" basic
	run "$(bin data_test)" both_ways send_imm
}

begin
topology
t "storm" storm
sed 's/^/# /' "$work/storm"
t "all works afterwards" afterwards
finish
