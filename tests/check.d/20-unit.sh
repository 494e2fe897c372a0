#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: time-limit 300

cd "$(dirname "$0")/../.." || exit 1
exec make --no-print-directory -s -C tests/unit check
