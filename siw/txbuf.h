/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Private pages that outgoing FPDUs are built in.
 */
#ifndef _SIW_TXBUF_H
#define _SIW_TXBUF_H

#include <linux/mm.h>
#include <linux/types.h>

/* The largest FPDU built; larger segments carry several. */
#define SIW_TXBUF_ORDER		3
#define SIW_TXBUF_CHUNK		(PAGE_SIZE << SIW_TXBUF_ORDER)
#define SIW_TXBUF_CHUNKS	48

/**
 * struct siw_txbuf - ring of chunks
 * @chunk: pages, each a power of two
 * @num: chunks there are
 * @cur: chunk that is being filled
 * @off: first free octet in it
 *
 * TCP takes a reference on a chunk for each run of octets it was given and
 * drops it when the peer has acknowledged them. A chunk that only we hold is
 * free again: no list, no lock. Owned by the sender.
 */
struct siw_txbuf {
	struct page *chunk[SIW_TXBUF_CHUNKS];
	u16 num;
	u16 cur;
	u32 off;
};

void *siw_txbuf_reserve(struct siw_txbuf *b, u32 len, gfp_t gfp);
void siw_txbuf_free(struct siw_txbuf *b);

/**
 * siw_txbuf_page() - page that siw_txbuf_reserve() gave memory of
 * @b: ring
 *
 * Context: the sender. Return: head page of the present chunk.
 */
static inline struct page *siw_txbuf_page(const struct siw_txbuf *b)
{
	return b->chunk[b->cur];
}

/**
 * siw_txbuf_room() - octets there are at the reserved place
 * @b: ring
 *
 * Context: the sender. Return: octets to the end of the present chunk.
 */
static inline u32 siw_txbuf_room(const struct siw_txbuf *b)
{
	return page_size(siw_txbuf_page(b)) - b->off;
}

/**
 * siw_txbuf_commit() - keep octets of the memory reserved last
 * @b: ring
 * @len: octets
 *
 * Context: the sender.
 */
static inline void siw_txbuf_commit(struct siw_txbuf *b, u32 len)
{
	b->off += len;
}

#endif
