// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * DDP (RFC 5041): segment headers and tagged ranges.
 */
#include "ddp.h"

void ddp_decode(const void *hdr, struct ddp_seg *seg)
{
	const struct ddp_tagged_hdr *t = hdr;
	const struct ddp_untagged_hdr *u = hdr;

	seg->tagged = t->ddp_ctrl & DDP_TAGGED;
	seg->last = t->ddp_ctrl & DDP_LAST;
	seg->hdr_len = ddp_hdr_len(t->ddp_ctrl);
	if (seg->tagged) {
		seg->stag = be32_to_cpu(t->stag);
		seg->to = be64_to_cpu(t->to);
	} else {
		seg->ulp_word = be32_to_cpu(u->ulp_word);
		seg->qn = be32_to_cpu(u->qn);
		seg->msn = be32_to_cpu(u->msn);
		seg->mo = be32_to_cpu(u->mo);
	}
}

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
