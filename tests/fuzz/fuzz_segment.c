// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Input: set of opcodes, receive state, ULPDU_Length, ULPDU. Headers that are
 * accepted must come back from the encoder, and state stays consistent.
 */
#include "fuzz.h"
#include "proto/rdmap.h"
#include "proto/term.h"

static void take_state(struct input *in, struct rdmap_rx *rx)
{
	u8 flags;
	int i;

	rdmap_rx_init(rx, take_u16(in));
	flags = take_u8(in);
	for (i = 0; i < RDMAP_QNS; i++)
		rx->msn[i] = flags & 0x80 ? take_u32(in) : 1;
	rx->open = flags & 1;
	if (rx->open) {
		rx->mo = take_u32(in);
		rx->opcode = take_u8(in) & RDMAP_OPCODE_MASK;
		rx->ulp_word = take_u32(in);
	}
	for (i = 0; i < 2; i++) {
		rx->tag[i].open = flags & 2 << i;
		rx->tag[i].stag = take_u8(in);
		rx->tag[i].to = take_u8(in);
	}
}

/* The header as we would send it, but for the bits receivers ignore. */
static void encode_again(const struct ddp_seg *seg, const u8 *ulpdu)
{
	u8 fpdu[RDMAP_UNTAGGED_FPDU_LEN];
	u32 n;

	if (seg->tagged)
		n = rdmap_put_tagged(fpdu, seg->opcode, seg->stag, seg->to,
				     seg->payload_len, seg->last);
	else
		n = rdmap_put_untagged(fpdu, seg->opcode, seg->ulp_word,
				       seg->msn, seg->mo, seg->payload_len,
				       seg->last);
	MUST(n == (u32)MPA_LEN_SIZE + seg->hdr_len);
	MUST(mpa_get_len(fpdu) == seg->ulpdu_len);
	MUST(fpdu[2] == (ulpdu[0] & ~DDP_RSVD));
	MUST(fpdu[3] == (ulpdu[1] & ~RDMAP_RSV));
	MUST(!memcmp(fpdu + 4, ulpdu + 2, n - 4));
}

static void check_commit(struct rdmap_rx *rx, const struct ddp_seg *seg,
			 u32 room)
{
	const struct rdmap_op *op = rdmap_op(seg->opcode);
	struct rdmap_rx before = *rx;
	u32 expect;

	if (rdmap_rx_check(rx, seg) || rdmap_check_size(seg, room))
		return;
	MUST(!memcmp(&before, rx, sizeof(before)));
	rdmap_rx_commit(rx, seg);
	if (seg->tagged) {
		MUST(!memcmp(before.msn, rx->msn, sizeof(rx->msn)));
		return;
	}
	MUST(seg->msn == before.msn[op->qn]);
	expect = before.msn[op->qn] +
		 (seg->last || !(op->flags & RDMAP_OP_PAYLOAD));
	MUST(rx->msn[op->qn] == expect);
	if (op->flags & RDMAP_OP_PAYLOAD) {
		MUST((u64)seg->mo + seg->payload_len <= room);
		MUST(rx->mo == (seg->last ? 0 : seg->mo + seg->payload_len));
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct term_quote q;
	struct rdmap_rx rx;
	struct ddp_seg seg;
	enum iw_err err;
	u16 ulpdu_len;
	u32 room;
	u8 *hdr;

	take_state(&in, &rx);
	room = take_u32(&in);
	ulpdu_len = take_u16(&in);
	/* less than the length says only where the rest is payload */
	if (in.left < ulpdu_len && in.left < (size_t)DDP_UNTAGGED_LEN)
		ulpdu_len = in.left;
	hdr = exact(in.p, min_t(size_t, ulpdu_len, in.left));
	err = rdmap_decode(hdr, ulpdu_len, rx.ops, &seg);
	if (!err) {
		MUST(rx.ops & BIT(seg.opcode));
		MUST(seg.hdr_len + seg.payload_len == ulpdu_len);
		encode_again(&seg, hdr);
		check_commit(&rx, &seg, room);
	} else {
		MUST(iw_err_info(err)->send);
	}
	term_quote_segment(&q, hdr, min_t(size_t, ulpdu_len, in.left),
			   ulpdu_len);
	MUST(q.len <= TERM_QUOTE_MAX && q.len <= ulpdu_len);
	free(hdr);
	return 0;
}
