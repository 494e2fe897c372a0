#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: time-limit 120

exec "$(dirname "$0")/../conform/selftest.py"
