#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Mutated streams against the endpoint in h2, to be run in a guest
# (tests/vm/run, which also judges what the kernel logs).
#
# STORM_STREAMS   how many (default 3000; 100000 for a full run)
# STORM_SEED      to repeat a run
# STORM_SECONDS   stop then, whatever is left

set -eu
SIW_TOP=${SIW_TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
export SIW_TOP
. "$SIW_TOP/tests/vm/lib.sh"

export AGENT=$SIW_TOP/build/conform/agent
export AGENT_ADDR=10.0.0.2 AGENT_PORT=7471 RUNDIR=/tmp/conform
seed=${STORM_SEED:-$(date +%s)}

mkdir -p "$RUNDIR"
load_siw
two_hosts
add_links
"$SIW_TOP/tests/conform/switch.sh" start

status=0
on h1 "$SIW_TOP/build/conform/storm" "$AGENT_ADDR" "$AGENT_PORT" \
	"${STORM_STREAMS:-3000}" "$seed" "${STORM_SECONDS:-0}" || status=$?
# still serving, and nothing left behind
on h1 "$SIW_TOP/tools/iwarp-conform" --agent "$AGENT_ADDR:$AGENT_PORT" \
	--slack 3 --case TC-098,TC-103,TC-151 | sed 's/^/# /'
[ "${PIPESTATUS[0]}" = 0 ] || status=1
"$SIW_TOP/tests/conform/switch.sh" stop
unload_siw || status=1
exit $status
