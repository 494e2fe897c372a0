#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: each-kernel
# check: guest
# check: time-limit 1200
#
# Mutated streams with a valid CRC against our module.

set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
make -s -C tests/conform agent >&2

exec tests/vm/run --kver "$KVER" --time-limit 1100 --name "storm-$KVER" \
	--env SIW_PROVIDER="$top/build/provider/libsiw" \
	--env STORM_STREAMS="${STORM_STREAMS:-3000}" -- tests/conform/storm.sh
