#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: time-limit 300
#
# What of the provider can be tested without a kernel: its layouts against the
# installed library, its rings against a simulated kernel.

cd "$(dirname "$0")/../.." || exit 1
exec make --no-print-directory -s -C rdma-provider check
