#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Verbs beyond what libsiw offers, between h1 and h2.

. "$(dirname "$0")/lib.sh"

begin
# exporters of dma-bufs: the one or the other, built in or not
modprobe -a udmabuf vgem 2>/dev/null || true
topology
prog "" "$(bin ext_test)"
finish
