#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Altered commands and maps (uverbs_fuzz).
#
# FUZZ_SECONDS	how long (default 10)
# FUZZ_SEED	first session, to repeat one
#
# Not in make check: with libsiw on 6.1 a session once went on until its alarm,
# which is not understood.

. "$(dirname "$0")/lib.sh"

[ -n "${FUZZ_SECONDS:-}${KSFT_SLOW:-}" ] ||
	skip_all "only with FUZZ_SECONDS, or on the debug kernel"

seed=${FUZZ_SEED:-$(($(date +%s) * 100000))}

fuzz()
{
	"$(bin uverbs_fuzz)" siw1 "$seed" "${FUZZ_SECONDS:-10}" \
		> "$work/fuzz" 2>&1 || {
		cat "$work/fuzz"
		fail "seed $seed"
	}
	leak_resources
}

begin
topology
t "altered commands" fuzz
echo "# from seed $seed on: $(cat "$work/fuzz")"
t "all works afterwards" "$(bin data_test)" order both_ways
finish
