// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Bodies of the tracepoints.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
