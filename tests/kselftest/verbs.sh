#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Verbs objects, data transfer and errors between h1 and h2.

. "$(dirname "$0")/lib.sh"

begin
topology
prog "" "$(bin verbs_test)"
prog "" "$(bin data_test)"
prog "" "$(bin error_test)"
for d in siw1 siw2; do
	markers=/sys/class/infiniband/$d/siw/markers
	[ ! -e "$markers" ] || echo on > "$markers"
done
prog "markers " "$(bin data_test)" send_sizes late_receives
for d in siw1 siw2; do
	markers=/sys/class/infiniband/$d/siw/markers
	[ ! -e "$markers" ] || echo off > "$markers"
done
mtu 9000
prog "mtu9000 " "$(bin data_test)" -6 send_sizes write_sizes read_sizes \
	sge_lists
mtu 1450
prog "mtu1450 " "$(bin data_test)" write_sizes
finish
