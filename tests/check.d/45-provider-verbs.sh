#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: each-kernel
# check: guest
# check: no-debug
# check: time-limit 900
#
# Our provider on our module and on the stock one of the same kernel.

set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
make -s -C rdma-provider >&2
make -s -C rdma-provider/test all >&2
tests/interop/build-mainline "$KVER" >&2

exec tests/vm/run --kver "$KVER" --time-limit 800 --name "provider-$KVER" \
	--env SIW_STOCK_KO="$top/build/mainline/$KVER/siw.ko" \
	--allow "changed security contexts after opening" \
	-- rdma-provider/test/guest
