// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * RDMAP: opcode table, checks of received segments, messages of fixed format
 * (RFC 5040, RFC 7306).
 */
#include "rdmap.h"

#define TAGGED(name_)							\
	{ .name = name_,						\
	  .flags = RDMAP_OP_VALID | RDMAP_OP_TAGGED | RDMAP_OP_PAYLOAD }
#define SEND(name_, flags_)						\
	{ .name = name_, .qn = RDMAP_QN_SEND,				\
	  .flags = RDMAP_OP_VALID | RDMAP_OP_PAYLOAD | RDMAP_OP_RECV |	\
		   (flags_),						\
	  .size_err = IW_ERR_TOO_LONG }
#define IMM(name_, flags_)						\
	{ .name = name_, .qn = RDMAP_QN_SEND,				\
	  .flags = RDMAP_OP_VALID | RDMAP_OP_RECV | RDMAP_OP_IMM |	\
		   (flags_),						\
	  .max_len = RDMAP_IMM_LEN, .size_err = IW_ERR_IMM_LEN }
#define FIXED(name_, qn_, min_, max_, flags_)				\
	{ .name = name_, .qn = qn_, .flags = RDMAP_OP_VALID | (flags_),	\
	  .min_len = min_, .max_len = max_,				\
	  .size_err = IW_ERR_FIXED_LEN }

const struct rdmap_op rdmap_ops[RDMAP_OPCODES] = {
	[RDMAP_WRITE] = TAGGED("RDMA Write"),
	[RDMAP_READ_REQ] = FIXED("RDMA Read Request", RDMAP_QN_REQUEST,
				 RDMAP_READ_LEN, RDMAP_READ_LEN, RDMAP_OP_REQ),
	[RDMAP_READ_RESP] = TAGGED("RDMA Read Response"),
	[RDMAP_SEND] = SEND("Send", 0),
	[RDMAP_SEND_INV] = SEND("Send with Invalidate", RDMAP_OP_INV),
	[RDMAP_SEND_SE] = SEND("Send with SE", RDMAP_OP_SE),
	[RDMAP_SEND_SE_INV] = SEND("Send with SE and Invalidate",
				   RDMAP_OP_SE | RDMAP_OP_INV),
	[RDMAP_TERMINATE] = FIXED("Terminate", RDMAP_QN_TERMINATE,
				  RDMAP_TERM_MIN, RDMAP_TERM_MAX, 0),
	[RDMAP_IMM] = IMM("Immediate Data", 0),
	[RDMAP_IMM_SE] = IMM("Immediate Data with SE", RDMAP_OP_SE),
	[RDMAP_ATOMIC_REQ] = FIXED("Atomic Request", RDMAP_QN_REQUEST,
				   RDMAP_ATOMIC_LEN, RDMAP_ATOMIC_LEN,
				   RDMAP_OP_REQ),
	[RDMAP_ATOMIC_RESP] = FIXED("Atomic Response", RDMAP_QN_ATOMIC_RESP,
				    RDMAP_ATOMIC_RESP_LEN,
				    RDMAP_ATOMIC_RESP_LEN, 0),
	[0xc] = { .name = "unassigned 0xc" },
	[0xd] = { .name = "unassigned 0xd" },
	[0xe] = { .name = "unassigned 0xe" },
	[RDMAP_ACK] = { .name = "Acknowledgment",
			.flags = RDMAP_OP_VALID | RDMAP_OP_TAGGED },
};

/* ------------------------------------------------------------ receive --- */

/* The checks of rdmap_decode() that rank after those of length. */
static enum iw_err check_controls(u8 ddp_ctrl, u8 rdmap_ctrl, bool known,
				  const struct rdmap_op *op,
				  const struct ddp_seg *seg)
{
	if (unlikely((ddp_ctrl & DDP_DV_MASK) != DDP_VERSION))
		return seg->tagged ? IW_ERR_TAG_VERSION : IW_ERR_UNTAG_VERSION;
	if (unlikely(rdmap_ctrl >> RDMAP_RV_SHIFT != RDMAP_VERSION))
		return IW_ERR_RDMAP_VERSION;
	if (unlikely(!known))
		return IW_ERR_OPCODE;
	if (unlikely(seg->tagged != !!(op->flags & RDMAP_OP_TAGGED)))
		return IW_ERR_OPCODE_TAG;
	if (unlikely(!seg->tagged && seg->qn != op->qn))
		return IW_ERR_QN;
	return IW_OK;
}

enum iw_err rdmap_decode(const void *ulpdu, u16 ulpdu_len, u16 ops,
			 struct ddp_seg *seg)
{
	const u8 *ctrl = ulpdu;
	const struct rdmap_op *op;
	bool known;
	u32 need;

	if (unlikely(ulpdu_len < DDP_CTRL_LEN))
		return IW_ERR_FPDU_LEN;
	op = rdmap_op(ctrl[1]);
	seg->opcode = ctrl[1] & RDMAP_OPCODE_MASK;
	known = op->flags & RDMAP_OP_VALID && ops & BIT(seg->opcode);

	need = ddp_hdr_len(ctrl[0]);
	if (known && !(ctrl[0] & DDP_TAGGED))
		need += op->min_len;
	if (unlikely(ulpdu_len < need))
		return IW_ERR_FPDU_LEN;

	ddp_decode(ulpdu, seg);
	seg->ulpdu_len = ulpdu_len;
	seg->payload_len = ulpdu_len - seg->hdr_len;
	return check_controls(ctrl[0], ctrl[1], known, op, seg);
}

void rdmap_rx_init(struct rdmap_rx *rx, u16 ops)
{
	int qn;

	memset(rx, 0, sizeof(*rx));
	rx->ops = ops;
	for (qn = 0; qn < RDMAP_QNS; qn++)
		rx->msn[qn] = RDMAP_FIRST_MSN;
}

static int tag_index(const struct ddp_seg *seg)
{
	return seg->opcode == RDMAP_READ_RESP;
}

static enum iw_err check_tagged(const struct rdmap_rx *rx,
				const struct ddp_seg *seg)
{
	int i = tag_index(seg);

	if (!rx->tag[i].open)
		return IW_OK;
	if (seg->stag != rx->tag[i].stag)
		return i ? IW_ERR_RESP_STAG : IW_ERR_TAG_CHANGED;
	/* a Writer is free to send the segments of a Write in any order */
	if (i && seg->to != rx->tag[i].to)
		return IW_ERR_RESP_BOUNDS;
	return IW_OK;
}

/* A further segment of the QN 0 message in progress. */
static enum iw_err check_same(const struct rdmap_rx *rx,
			      const struct ddp_seg *seg)
{
	if (seg->opcode != rx->opcode)
		return IW_ERR_OPCODE_CHANGED;
	if (rdmap_op(seg->opcode)->flags & RDMAP_OP_INV &&
	    seg->ulp_word != rx->ulp_word)
		return IW_ERR_ULP_WORD_CHANGED;
	return IW_OK;
}

enum iw_err rdmap_rx_check(const struct rdmap_rx *rx,
			   const struct ddp_seg *seg)
{
	if (unlikely(seg->opcode == RDMAP_ACK))
		return IW_OK;
	if (seg->tagged)
		return check_tagged(rx, seg);
	if (unlikely(seg->qn >= RDMAP_QNS))
		return IW_ERR_QN;
	if (unlikely(seg->qn == RDMAP_QN_TERMINATE && rx->terminated))
		return IW_ERR_TERM_TWICE;
	if (unlikely(seg->msn != rx->msn[seg->qn]))
		return IW_ERR_MSN;
	if (seg->qn != RDMAP_QN_SEND)
		return seg->mo ? IW_ERR_MO : IW_OK;
	if (unlikely(seg->mo != rx->mo))
		return IW_ERR_MO;
	return rx->open ? check_same(rx, seg) : IW_OK;
}

enum iw_err rdmap_check_size(const struct ddp_seg *seg, u32 room)
{
	const struct rdmap_op *op = rdmap_op(seg->opcode);

	if (seg->tagged)
		return IW_OK;
	if (op->flags & RDMAP_OP_PAYLOAD)
		return (u64)seg->mo + seg->payload_len > room ?
		       op->size_err : IW_OK;
	if (seg->payload_len > op->max_len || !seg->last)
		return op->size_err;
	if (op->flags & RDMAP_OP_IMM && seg->payload_len < op->max_len)
		return op->size_err;
	return IW_OK;
}

static void commit_tagged(struct rdmap_rx *rx, const struct ddp_seg *seg)
{
	int i = tag_index(seg);

	rx->tag[i].open = !seg->last;
	rx->tag[i].stag = seg->stag;
	rx->tag[i].to = seg->to + seg->payload_len;
}

void rdmap_rx_commit(struct rdmap_rx *rx, const struct ddp_seg *seg)
{
	if (unlikely(seg->opcode == RDMAP_ACK))
		return;
	if (seg->tagged) {
		commit_tagged(rx, seg);
		return;
	}
	if (seg->qn != RDMAP_QN_SEND) {
		rx->msn[seg->qn]++;
		rx->terminated |= seg->qn == RDMAP_QN_TERMINATE;
		return;
	}
	rx->open = !seg->last;
	if (seg->last) {
		rx->msn[RDMAP_QN_SEND]++;
		rx->mo = 0;
		return;
	}
	rx->opcode = seg->opcode;
	rx->ulp_word = seg->ulp_word;
	rx->mo += seg->payload_len;
}

void rdmap_rx_advance(struct rdmap_rx *rx, const struct ddp_seg *seg, u32 len)
{
	if (seg->tagged)
		rx->tag[tag_index(seg)].to += len;
	else
		rx->mo += len;
}

void rdmap_get_read_req(const void *hdr, struct rdmap_read_req *r)
{
	const struct rdmap_read_hdr *h = hdr;

	r->sink_stag = be32_to_cpu(h->sink_stag);
	r->sink_to = be64_to_cpu(h->sink_to);
	r->size = be32_to_cpu(h->size);
	r->src_stag = be32_to_cpu(h->src_stag);
	r->src_to = be64_to_cpu(h->src_to);
}

void rdmap_read_advance(struct rdmap_read_req *r, u32 done)
{
	done = min_t(u32, done, r->size);
	r->sink_to += done;
	r->src_to += done;
	r->size -= done;
}

enum iw_err rdmap_get_atomic_req(const void *hdr, struct rdmap_atomic_req *r)
{
	const struct rdmap_atomic_hdr *h = hdr;

	r->aop = be32_to_cpu(h->aop) & RDMAP_AOP_MASK;
	r->req_id = be32_to_cpu(h->req_id);
	r->stag = be32_to_cpu(h->stag);
	r->to = be64_to_cpu(h->to);
	r->data = be64_to_cpu(h->data);
	r->mask = be64_to_cpu(h->mask);
	r->compare = be64_to_cpu(h->compare);
	r->compare_mask = be64_to_cpu(h->compare_mask);
	if (r->aop != RDMAP_AOP_FETCH_ADD && r->aop != RDMAP_AOP_CMP_SWAP)
		return IW_ERR_ATOMIC_OPCODE;
	return IW_OK;
}

void rdmap_get_atomic_resp(const void *hdr, struct rdmap_atomic_resp *r)
{
	const struct rdmap_atomic_resp_hdr *h = hdr;

	r->req_id = be32_to_cpu(h->req_id);
	r->value = be64_to_cpu(h->value);
}

u8 rdmap_rtr_type(const struct ddp_seg *seg, const struct rdmap_read_req *r)
{
	if (!seg->last)
		return 0;
	switch (seg->opcode) {
	case RDMAP_SEND:
		return seg->mo || seg->payload_len ? 0 : MPA_RTR_SEND;
	case RDMAP_WRITE:
		return seg->payload_len ? 0 : MPA_RTR_WRITE;
	case RDMAP_READ_REQ:
		return r->size ? 0 : MPA_RTR_READ;
	default:
		return 0;
	}
}

/* --------------------------------------------------------------- send --- */

u32 rdmap_put_read_req(void *fpdu, u32 msn, const struct rdmap_read_req *r)
{
	u32 len = rdmap_put_untagged(fpdu, RDMAP_READ_REQ, 0, msn, 0,
				     RDMAP_READ_LEN, true);
	struct rdmap_read_hdr *h = fpdu + len;

	h->sink_stag = cpu_to_be32(r->sink_stag);
	h->sink_to = cpu_to_be64(r->sink_to);
	h->size = cpu_to_be32(r->size);
	h->src_stag = cpu_to_be32(r->src_stag);
	h->src_to = cpu_to_be64(r->src_to);
	return len + RDMAP_READ_LEN;
}

u32 rdmap_put_imm(void *fpdu, u8 opcode, u32 msn, __be32 data, u32 kind)
{
	u32 len = rdmap_put_untagged(fpdu, opcode, 0, msn, 0, RDMAP_IMM_LEN,
				     true);
	struct rdmap_imm_hdr *h = fpdu + len;

	h->data = data;
	h->kind = cpu_to_be32(kind);
	return len + RDMAP_IMM_LEN;
}

u32 rdmap_put_atomic_req(void *fpdu, u32 msn, const struct rdmap_atomic_req *r)
{
	u32 len = rdmap_put_untagged(fpdu, RDMAP_ATOMIC_REQ, 0, msn, 0,
				     RDMAP_ATOMIC_LEN, true);
	struct rdmap_atomic_hdr *h = fpdu + len;
	bool swap = r->aop == RDMAP_AOP_CMP_SWAP;

	h->aop = cpu_to_be32(r->aop & RDMAP_AOP_MASK);
	h->req_id = cpu_to_be32(r->req_id);
	h->stag = cpu_to_be32(r->stag);
	h->to = cpu_to_be64(r->to);
	h->data = cpu_to_be64(r->data);
	h->mask = cpu_to_be64(r->mask);
	h->compare = cpu_to_be64(swap ? r->compare : 0);
	h->compare_mask = cpu_to_be64(swap ? r->compare_mask : ~0ull);
	return len + RDMAP_ATOMIC_LEN;
}

u32 rdmap_put_atomic_resp(void *fpdu, u32 msn,
			  const struct rdmap_atomic_resp *r)
{
	u32 len = rdmap_put_untagged(fpdu, RDMAP_ATOMIC_RESP, 0, msn, 0,
				     RDMAP_ATOMIC_RESP_LEN, true);
	struct rdmap_atomic_resp_hdr *h = fpdu + len;

	h->req_id = cpu_to_be32(r->req_id);
	h->value = cpu_to_be64(r->value);
	return len + RDMAP_ATOMIC_RESP_LEN;
}

u32 rdmap_put_terminate(void *fpdu, const void *term, u8 len)
{
	u32 at = rdmap_put_untagged(fpdu, RDMAP_TERMINATE, 0, RDMAP_FIRST_MSN,
				    0, len, true);

	memcpy(fpdu + at, term, len);
	return at + len;
}

/* ------------------------------------------------------------ atomics --- */

u64 rdmap_atomic_result(const struct rdmap_atomic_req *r, u64 orig)
{
	if (r->aop == RDMAP_AOP_CMP_SWAP)
		return rdmap_cmp_swap(orig, r->compare, r->compare_mask,
				      r->data, r->mask);
	return rdmap_fetch_add(orig, r->data, r->mask);
}
