#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The wire conformance cases, to be run in a guest (tests/vm/run).
#
#	h1: iwarp-conform, plain TCP         h2: agent on verbs, RDMA device siw2
#
# SIW_KO, SIW_PROVIDER   module and provider under test
# CONFORM_ARGS           more arguments for iwarp-conform (--case, --lenient ...)
# CONFORM_FAMILY         4 (default) or 6
# CONFORM_AGENT          the agent's binary (default build/conform/agent)
# Results: KTAP on stdout; report.rst, report.json and log/ in /out.

set -eu
SIW_TOP=${SIW_TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
export SIW_TOP
. "$SIW_TOP/tests/vm/lib.sh"

export AGENT=${CONFORM_AGENT:-$SIW_TOP/build/conform/agent}
export AGENT_ADDR=10.0.0.2 AGENT_PORT=7471 RUNDIR=/tmp/conform
PEER_ADDR=10.0.0.1
if [ "${CONFORM_FAMILY:-4}" = 6 ]; then
	AGENT_ADDR=fd00::2
	PEER_ADDR=fd00::1
fi
OUT=${CONFORM_OUT:-/out}
read -ra MORE <<<"${CONFORM_ARGS:-}"

[ -x "$AGENT" ] || { echo "Bail out! no agent at $AGENT"; exit 1; }
mkdir -p "$RUNDIR" "$OUT"
load_siw
two_hosts
add_links
"$SIW_TOP/tests/conform/switch.sh" start

status=0
on h1 "$SIW_TOP/tools/iwarp-conform" --agent "[$AGENT_ADDR]:$AGENT_PORT" \
	--listen "[$PEER_ADDR]" --slack "${CONFORM_SLACK:-3}" \
	--switch "$SIW_TOP/tests/conform/switch.sh" --jobs "${CONFORM_JOBS:-4}" \
	--report "$OUT/report.rst" --json "$OUT/report.json" --log "$OUT/log" \
	"${MORE[@]}" || status=$?

"$SIW_TOP/tests/conform/switch.sh" stop || true
cp "$RUNDIR/agent.out" "$OUT/" 2>/dev/null || true
exit $status
