# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""iwarp-conform: an independent iWARP peer that judges other endpoints."""
