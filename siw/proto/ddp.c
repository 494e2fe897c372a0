// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * DDP (RFC 5041): segment headers and tagged ranges.
 */
#include "ddp.h"

enum iw_err ddp_range_err(u64 to, u32 len, u64 base, u64 size)
{
	u64 end = to + len;
	u64 off = to - base;	/* beyond any size if @to is below @base */

	/* an end of exactly 2^64 is the end of the address space, no wrap */
	if (unlikely(end < to && end != 0))
		return IW_ERR_TAG_WRAP;
	if (unlikely(off > size || len > size - off))
		return IW_ERR_TAG_BOUNDS;
	return IW_OK;
}
