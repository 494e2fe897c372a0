/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A place in received octets: in a packet buffer, or in linear memory.
 */
#ifndef _SIW_CURSOR_H
#define _SIW_CURSOR_H

#include <linux/skbuff.h>

/**
 * struct siw_cursor - walks octets once, run by run
 * @p: next octet
 * @avail: octets at @p
 * @skb: buffer @p lies in, NULL for linear memory
 * @frag: next fragment of @skb
 * @list: next buffer of the fragment list, or NULL
 *
 * Copying the structure keeps a place to come back to. The caller never goes
 * further than the octets there are.
 */
struct siw_cursor {
	const u8 *p;
	u32 avail;
	const struct sk_buff *skb;
	u32 frag;
	const struct sk_buff *list;
};

static inline void siw_cursor_buf(struct siw_cursor *c, const void *buf,
				  u32 len)
{
	*c = (struct siw_cursor) { .p = buf, .avail = len };
}

/* Fragments that are neighbours in memory, as of a large page, are one run. */
static inline void siw_cursor_frag(struct siw_cursor *c,
				   const struct skb_shared_info *sh)
{
	const skb_frag_t *f = &sh->frags[c->frag++];

	c->p = skb_frag_address(f);
	c->avail = skb_frag_size(f);
	while (c->frag < sh->nr_frags) {
		f = &sh->frags[c->frag];
		if (skb_frag_address(f) != c->p + c->avail)
			break;
		c->avail += skb_frag_size(f);
		c->frag++;
	}
}

static inline void siw_cursor_next(struct siw_cursor *c)
{
	const struct skb_shared_info *sh;

	do {
		if (!c->skb)
			return;
		sh = skb_shinfo(c->skb);
		if (c->frag < sh->nr_frags) {
			siw_cursor_frag(c, sh);
		} else {
			c->skb = c->list;
			if (!c->skb)
				return;
			c->list = c->skb->next;
			c->frag = 0;
			c->p = c->skb->data;
			c->avail = skb_headlen(c->skb);
		}
	} while (!c->avail);
}

/* @n octets further; there are as many. */
static inline void siw_cursor_skip(struct siw_cursor *c, u32 n)
{
	while (n >= c->avail && (n || !c->avail)) {
		n -= c->avail;
		c->avail = 0;
		siw_cursor_next(c);
		if (!c->avail)
			return;
	}
	c->p += n;
	c->avail -= n;
}

static inline void siw_cursor_skb(struct siw_cursor *c,
				  const struct sk_buff *skb, u32 off)
{
	c->p = skb->data;
	c->avail = skb_headlen(skb);
	c->skb = skb;
	c->frag = 0;
	c->list = skb_shinfo(skb)->frag_list;
	siw_cursor_skip(c, off);
}

static inline void siw_cursor_copy(struct siw_cursor *c, void *dst, u32 n)
{
	while (n) {
		u32 k = min(n, c->avail);

		memcpy(dst, c->p, k);
		siw_cursor_skip(c, k);
		dst += k;
		n -= k;
	}
}

#endif
