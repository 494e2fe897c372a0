#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: time-limit 60

exec "$(dirname "$0")/../tools/test_siw_check"
