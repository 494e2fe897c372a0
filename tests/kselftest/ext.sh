#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Verbs beyond what libsiw offers, between h1 and h2.

. "$(dirname "$0")/lib.sh"

begin
topology
prog "" "$(bin ext_test)"
finish
