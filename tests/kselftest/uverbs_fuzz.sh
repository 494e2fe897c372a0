#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Altered commands and maps (uverbs_fuzz).
#
# FUZZ_SECONDS	how long (default 10)
# FUZZ_SEED	first session, to repeat one

. "$(dirname "$0")/lib.sh"

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
