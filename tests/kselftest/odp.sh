#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# On-demand paging, between h1 and h2.

. "$(dirname "$0")/lib.sh"

begin
topology
prog "" "$(bin odp_test)"
finish
