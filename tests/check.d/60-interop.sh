#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: each-kernel
# check: guest
# check: time-limit 2700
#
# Our module for the newest kernel against the mainline siw of each.

exec "$(dirname "$0")/../interop/interop" --quick --mainline "$KVER"
