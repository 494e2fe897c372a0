// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Private pages that outgoing FPDUs are built in: what the CRC covers can
 * never change, and TCP takes it without another copy.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "txbuf.h"

static bool chunk_idle(const struct page *page)
{
	/* pairs with TCP's put of its last reference */
	return page_ref_count(page) == 1;
}

static void *chunk_use(struct siw_txbuf *b, u16 idx)
{
	b->cur = idx;
	b->off = 0;
	return page_address(b->chunk[idx]);
}

/* A QP that sends little gets by with one page. */
static void *chunk_add(struct siw_txbuf *b, u32 len, gfp_t gfp)
{
	u32 order = b->num ? SIW_TXBUF_ORDER : get_order(len);
	struct page *page;
	u16 next;

	do {
		page = alloc_pages(gfp | __GFP_COMP | __GFP_NOWARN |
				   __GFP_NORETRY, order);
	} while (!page && order && order-- > get_order(len));
	if (!page)
		return NULL;
	if (b->num < SIW_TXBUF_CHUNKS) {
		b->chunk[b->num] = page;
		return chunk_use(b, b->num++);
	}
	/*
	 * A receiver on the same machine may hold pages long after it has
	 * acknowledged them: leave the oldest ones to whoever has them. The
	 * socket's send buffer limits what is in flight, not this ring.
	 */
	next = (b->cur + 1) % SIW_TXBUF_CHUNKS;
	put_page(b->chunk[next]);
	b->chunk[next] = page;
	return chunk_use(b, next);
}

/**
 * siw_txbuf_reserve() - memory for an FPDU, and siw_txbuf_room() for more
 * @b: ring
 * @len: octets, at most SIW_TXBUF_CHUNK
 * @gfp: for a chunk more
 *
 * Allocates until the ring holds what a connection has in flight; beyond its
 * limit, a new chunk takes the place of the oldest.
 *
 * Context: the sender.
 * Return: contiguous memory in siw_txbuf_page(), to be kept by
 * siw_txbuf_commit(); NULL if memory is short.
 */
void *siw_txbuf_reserve(struct siw_txbuf *b, u32 len, gfp_t gfp)
{
	u16 i, idx;

	if (b->num) {
		struct page *page = b->chunk[b->cur];

		if (b->off && chunk_idle(page))
			b->off = 0;
		if (b->off + len <= page_size(page))
			return page_address(page) + b->off;
	}
	for (i = 1; i <= b->num; i++) {
		idx = b->cur + i;
		if (idx >= b->num)
			idx -= b->num;
		if (chunk_idle(b->chunk[idx]) &&
		    len <= page_size(b->chunk[idx]))
			return chunk_use(b, idx);
	}
	return chunk_add(b, len, gfp);
}

/**
 * siw_txbuf_free() - give back all chunks
 * @b: ring; pages TCP still holds live until it drops them
 *
 * Context: any, no sender.
 */
void siw_txbuf_free(struct siw_txbuf *b)
{
	while (b->num)
		put_page(b->chunk[--b->num]);
	b->cur = 0;
	b->off = 0;
}
