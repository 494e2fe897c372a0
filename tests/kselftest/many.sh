#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Many queue pairs: traffic on 200 connections at once, then 1024 connections, with two
# queue pairs each, that are merely there. KSFT_QPS=4096 makes them more.

. "$(dirname "$0")/lib.sh"

begin
topology
# connections want a queue to wait in
h1 sysctl -q -w net.core.somaxconn=4096 net.ipv4.tcp_max_syn_backlog=4096
prog "" "$(bin many_test)"
finish
