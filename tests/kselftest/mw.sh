#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Memory windows between h1 and h2.

. "$(dirname "$0")/lib.sh"

begin
topology
prog "" "$(bin mw_test)"
finish
