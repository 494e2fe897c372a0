/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * DDP: segment headers in host order and the cutting of messages into
 * segments (RFC 5041).
 */
#ifndef SIW_PROTO_DDP_H
#define SIW_PROTO_DDP_H

#include <iwarp/ddp.h>
#include "err.h"
#include "port.h"

/**
 * struct ddp_seg - headers of one received segment, in host order
 * @opcode: enum rdmap_opcode
 * @tagged: T bit
 * @last: L bit
 * @hdr_len: octets of DDP header, RDMAP's control octet included
 * @ulpdu_len: octets of ULPDU
 * @payload_len: octets of ULPDU after the DDP header
 * @stag: tagged: buffer
 * @to: tagged: offset of the first payload octet
 * @ulp_word: untagged: octets 2 to 5, the STag to invalidate where the opcode
 *	has one
 * @qn: untagged: queue
 * @msn: untagged: message sequence number
 * @mo: untagged: offset of the first payload octet in the message
 */
struct ddp_seg {
	u8	opcode;
	bool	tagged;
	bool	last;
	u8	hdr_len;
	u16	ulpdu_len;
	u16	payload_len;
	union {
		struct {
			u32	stag;
			u64	to;
		};
		struct {
			u32	ulp_word;
			u32	qn;
			u32	msn;
			u32	mo;
		};
	};
};

/**
 * ddp_hdr_len() - length of a DDP header
 * @ctrl: DDP control octet
 *
 * Context: any.
 * Return: 14 or 18.
 */
static inline u8 ddp_hdr_len(u8 ctrl)
{
	return ctrl & DDP_TAGGED ? DDP_TAGGED_LEN : DDP_UNTAGGED_LEN;
}

/**
 * ddp_decode() - read a DDP header without judging it
 * @hdr: ULPDU, of which ddp_hdr_len() octets are present
 * @seg: DDP members are filled in, but for @seg->ulpdu_len and payload_len
 *
 * Context: any.
 */
static inline void ddp_decode(const void *hdr, struct ddp_seg *seg)
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

/**
 * ddp_put_tagged() - write a tagged header
 * @h: destination
 * @ulp_ctrl: RDMAP control octet
 * @stag: buffer
 * @to: offset of the segment's first octet
 * @last: last segment of its message
 *
 * Context: any.
 */
static inline void ddp_put_tagged(struct ddp_tagged_hdr *h, u8 ulp_ctrl,
				  u32 stag, u64 to, bool last)
{
	h->ddp_ctrl = DDP_TAGGED | (last ? DDP_LAST : 0) | DDP_VERSION;
	h->ulp_ctrl = ulp_ctrl;
	h->stag = cpu_to_be32(stag);
	h->to = cpu_to_be64(to);
}

/**
 * ddp_put_untagged() - write an untagged header
 * @h: destination
 * @ulp_ctrl: RDMAP control octet
 * @ulp_word: STag to invalidate or 0
 * @qn: queue
 * @msn: message sequence number
 * @mo: offset of the segment's first octet
 * @last: last segment of its message
 *
 * Context: any.
 */
static inline void ddp_put_untagged(struct ddp_untagged_hdr *h, u8 ulp_ctrl,
				    u32 ulp_word, u32 qn, u32 msn, u32 mo,
				    bool last)
{
	h->ddp_ctrl = (last ? DDP_LAST : 0) | DDP_VERSION;
	h->ulp_ctrl = ulp_ctrl;
	h->ulp_word = cpu_to_be32(ulp_word);
	h->qn = cpu_to_be32(qn);
	h->msn = cpu_to_be32(msn);
	h->mo = cpu_to_be32(mo);
}

/**
 * ddp_max_payload() - payload of a segment that is not the last
 * @mulpdu: from mpa_mulpdu()
 * @tagged: kind of segment
 *
 * Context: any.
 * Return: octets (RFC 5041 5.2).
 */
static inline u32 ddp_max_payload(u32 mulpdu, bool tagged)
{
	return mulpdu - (tagged ? DDP_TAGGED_LEN : DDP_UNTAGGED_LEN);
}

/**
 * ddp_next_payload() - cut the next segment of a message
 * @msg_len: octets of the message
 * @done: octets already cut, at most @msg_len
 * @mulpdu: from mpa_mulpdu()
 * @tagged: kind of segment
 * @last: set if this is the last segment
 *
 * A message without octets is one segment (RFC 5041 5.2).
 *
 * Context: any.
 * Return: payload octets of the segment.
 */
static inline u32 ddp_next_payload(u32 msg_len, u32 done, u32 mulpdu,
				   bool tagged, bool *last)
{
	u32 left = msg_len - done;
	u32 max = ddp_max_payload(mulpdu, tagged);

	*last = left <= max;
	return *last ? left : max;
}

/**
 * ddp_expect() - make a segment's header that of the next one of its message
 * @hdr: header of a segment that is not the last, as received
 * @pos: TO, or MO, of the next one
 *
 * Context: any.
 */
static inline void ddp_expect(void *hdr, u64 pos)
{
	struct ddp_untagged_hdr *u = hdr;
	struct ddp_tagged_hdr *t = hdr;

	if (t->ddp_ctrl & DDP_TAGGED)
		t->to = cpu_to_be64(pos);
	else
		u->mo = cpu_to_be32(pos);
}

/**
 * ddp_is_expected() - has a segment the header that was expected
 * @hdr: from ddp_expect()
 * @p: header of the segment; it may change meanwhile, for nothing but the
 *	verdict is taken from it
 * @len: octets of the header
 *
 * Context: any.
 * Return: true if all octets are the same.
 */
static inline bool ddp_is_expected(const void *hdr, const void *p, u32 len)
{
	u64 a[3], b[3];

	/* they overlap: 14 octets are two words, 18 are three */
	memcpy(&a[0], hdr, 8);
	memcpy(&b[0], p, 8);
	memcpy(&a[1], hdr + 4, 8);
	memcpy(&b[1], p + 4, 8);
	memcpy(&a[2], hdr + len - 8, 8);
	memcpy(&b[2], p + len - 8, 8);
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]));
}

/**
 * ddp_range_err() - check a tagged range (RFC 5041 7.1)
 * @to: first octet
 * @len: octets, not 0
 * @base: first octet of the buffer
 * @size: octets of the buffer, which does not reach beyond 2^64
 *
 * Context: any.
 * Return: IW_OK, IW_ERR_TAG_WRAP or IW_ERR_TAG_BOUNDS, in this order.
 */
enum iw_err ddp_range_err(u64 to, u32 len, u64 base, u64 size);

#endif /* SIW_PROTO_DDP_H */
