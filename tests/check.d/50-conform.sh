#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: each-kernel
# check: guest
# check: time-limit 1500
#
# The wire conformance cases against our module, strict verdicts: under 6.1
# with the distribution's provider, under newer kernels with ours.

set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
make -s -C tests/conform agent >&2

case $KVER in
6.1.*)	provider=stock ;;
*)	provider=$top/build/provider/libsiw ;;
esac

exec tests/vm/run --kver "$KVER" --time-limit 1400 --name "conform-$KVER" \
	--env SIW_PROVIDER="$provider" -- tests/conform/run.sh
