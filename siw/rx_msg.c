// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * One received segment: checked against what the peer was granted, placed,
 * and, as the last of its message, delivered.
 */
#include <siw_ext_abi.h>

#include "counter.h"
#include "cursor.h"
#include "mem.h"
#include "odp.h"
#include "proto/rdmap.h"
#include "qp.h"
#include "rx.h"
#include "srq.h"
#include "trace.h"

/* ---------------------------------------------------------- placement --- */

static void rx_place(struct siw_mem *mem, u64 to, struct siw_cursor *c,
		     u32 len)
{
	while (len) {
		u32 n = min(len, c->avail);

		siw_mem_copy_to(mem, to, c->p, n);
		siw_cursor_skip(c, n);
		to += n;
		len -= n;
	}
}

static enum iw_err rx_tagged_err(enum siw_mem_fault fault)
{
	static const enum iw_err map[] = {
		[SIW_MEM_OK] = IW_OK,
		[SIW_MEM_BAD_STAG] = IW_ERR_TAG_STAG,
		[SIW_MEM_BAD_PD] = IW_ERR_TAG_STREAM,
		[SIW_MEM_BAD_ACCESS] = IW_ERR_TAG_ACCESS,
		[SIW_MEM_WRAP] = IW_ERR_TAG_WRAP,
		[SIW_MEM_BOUNDS] = IW_ERR_TAG_BOUNDS,
		[SIW_MEM_ABSENT] = IW_ERR_NO_BUFFER,
	};

	return map[fault];
}

static enum iw_err rx_source_err(enum siw_mem_fault fault)
{
	static const enum iw_err map[] = {
		[SIW_MEM_OK] = IW_OK,
		[SIW_MEM_BAD_STAG] = IW_ERR_SRC_STAG,
		[SIW_MEM_BAD_PD] = IW_ERR_SRC_STREAM,
		[SIW_MEM_BAD_ACCESS] = IW_ERR_SRC_ACCESS,
		[SIW_MEM_WRAP] = IW_ERR_SRC_WRAP,
		[SIW_MEM_BOUNDS] = IW_ERR_SRC_BOUNDS,
		[SIW_MEM_ALIGN] = IW_ERR_ATOMIC_ALIGN,
		[SIW_MEM_ABSENT] = IW_ERR_NO_BUFFER,
	};

	return map[fault];
}

/**
 * siw_rx_check() - siw_mem_check(), and whether the QP is open for it at all
 * @qp: queue pair
 * @mem: from siw_mem_begin()
 * @to: first octet
 * @len: octets, not 0
 * @access: IB_ACCESS_* right needed
 *
 * Context: the receiver. Return: as siw_mem_check().
 */
enum siw_mem_fault siw_rx_check(struct siw_qp *qp, const struct siw_mem *mem,
				u64 to, u32 len, u32 access)
{
	enum siw_mem_fault fault = siw_mem_check(mem, &qp->base, to, len,
						 access);

	if (!fault && access & SIW_ACCESS_REMOTE & ~siw_qp_grants(qp))
		fault = SIW_MEM_BAD_ACCESS;
	return fault;
}

/* What the range, which was checked, lacks for being copied at once. */
static enum siw_mem_fault rx_present(struct siw_qp *qp,
				     const struct siw_mem *mem, u32 stag,
				     u64 to, u32 len)
{
	if (siw_mem_present(mem, to, len))
		return SIW_MEM_OK;
	/* the process has nothing there */
	if (qp->rx.lost)
		return SIW_MEM_BOUNDS;
	qp->rx.want = (struct siw_mem_want) {
		.stag = stag,
		.to = to,
		.len = len,
	};
	return SIW_MEM_ABSENT;
}

static enum siw_mem_fault rx_place_stag(struct siw_qp *qp, u32 stag, u64 to,
					struct siw_cursor *c, u32 len,
					u32 access)
{
	struct siw_mem *mem = siw_mem_begin(qp->sdev, stag, &qp->rx.mems);
	enum siw_mem_fault fault;

	if (!mem)
		return SIW_MEM_BAD_STAG;
	fault = siw_rx_check(qp, mem, to, len, access);
	if (!fault)
		fault = rx_present(qp, mem, stag, to, len);
	if (!fault)
		rx_place(mem, to, c, len);
	siw_mem_end(mem);
	return fault;
}

/* -------------------------------------------------------- RDMA Write --- */

static enum iw_err rx_write(struct siw_qp *qp, const struct ddp_seg *seg,
			    const void *ulpdu, struct siw_cursor *c)
{
	enum siw_mem_fault fault = SIW_MEM_OK;

	if (!qp->rx.proto.tag[0].open)
		qp->rx.write_len = 0;
	/* STag and TO of no octets must not be looked at (RFC 5041 5.2) */
	if (seg->payload_len)
		fault = rx_place_stag(qp, seg->stag, seg->to, c,
				      seg->payload_len,
				      IB_ACCESS_REMOTE_WRITE);
	if (!fault)
		qp->rx.write_len += seg->payload_len;
	return rx_tagged_err(fault);
}

/* --------------------------------------------- Send and Immediate Data --- */

static bool rx_take_receive(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	u64 room = 0;
	u32 i;

	if (rx->rqe_valid)
		return true;
	if (qp->srq ? !siw_srq_take(qp->srq, rx->rqe) :
		      !siw_rq_take(qp, rx->rqe))
		return false;
	for (i = 0; i < rx->rqe->num_sge; i++)
		room += rx->rqe->sge[i].length;
	rx->room = min_t(u64, room, U32_MAX);
	rx->rqe_valid = true;
	rx->cur = 0;
	rx->cur_off = 0;
	rx->placed = 0;
	return true;
}

static void rx_complete_receive(struct siw_qp *qp, struct siw_wc *wc)
{
	struct siw_rx *rx = &qp->rx;

	wc->id = rx->rqe->id;
	rx->rqe_valid = false;
	siw_rq_complete(qp, wc);
}

/*
 * A message of the peer was received. Its acknowledgment is due before anybody
 * knows: it must be in front of what the application answers, as on other
 * transports.
 */
static void rx_received(struct siw_qp *qp, struct siw_wc *wc)
{
	WRITE_ONCE(qp->rx.ack, qp->rx.done + qp->rx.wire);
	rx_complete_receive(qp, wc);
}

static enum iw_err rx_receive_failed(struct siw_qp *qp, u8 status,
				     enum iw_err err)
{
	struct siw_wc wc = {
		.opcode = SIW_OP_RECEIVE,
		.status = status,
	};

	rx_complete_receive(qp, &wc);
	return err;
}

static enum siw_mem_fault rx_scatter(struct siw_qp *qp, struct siw_cursor *c,
				     u32 len)
{
	struct siw_rx *rx = &qp->rx;
	u32 cur_off = rx->cur_off;
	u32 left = len;
	u8 cur = rx->cur;

	while (left) {
		const struct siw_sge *sge = &rx->rqe->sge[cur];
		enum siw_mem_fault fault = SIW_MEM_OK;
		u32 n;

		/* rdmap_check_size() has seen to it */
		if (WARN_ON_ONCE(cur >= rx->rqe->num_sge))
			return SIW_MEM_BOUNDS;
		n = min(left, sge->length - cur_off);
		if (n)
			fault = rx_place_stag(qp, sge->lkey,
					      sge->laddr + cur_off, c, n,
					      IB_ACCESS_LOCAL_WRITE);
		if (fault)
			return fault;
		cur_off += n;
		left -= n;
		if (cur_off == sge->length) {
			cur++;
			cur_off = 0;
		}
	}
	rx->cur = cur;
	rx->cur_off = cur_off;
	rx->placed += len;
	return SIW_MEM_OK;
}

static enum iw_err rx_invalidate(struct siw_qp *qp, u32 stag)
{
	switch (siw_mem_invalidate(&qp->base, stag, true)) {
	case SIW_MEM_OK:
		return IW_OK;
	case SIW_MEM_BAD_PD:
		return IW_ERR_INV_STREAM;
	default:
		return IW_ERR_INV_STAG;
	}
}

static enum iw_err rx_deliver_send(struct siw_qp *qp,
				   const struct ddp_seg *seg)
{
	u16 flags = rdmap_op(seg->opcode)->flags;
	struct siw_wc wc = {
		.opcode = SIW_OP_RECEIVE,
		.bytes = qp->rx.placed,
	};
	enum iw_err err;

	if (flags & RDMAP_OP_INV) {
		err = rx_invalidate(qp, seg->ulp_word);
		if (err)
			return err;
		wc.flags |= SIW_WC_WITH_INV;
		wc.ex = seg->ulp_word;
	}
	if (qp->rx.send_imm && !(flags & RDMAP_OP_INV)) {
		wc.flags |= SIW_WC_WITH_IMM;
		wc.ex = (__force u32)qp->rx.imm;
	}
	qp->rx.send_imm = false;
	if (flags & RDMAP_OP_SE)
		wc.flags |= SIW_WC_SOLICITED;
	rx_received(qp, &wc);
	return IW_OK;
}

static enum iw_err rx_send(struct siw_qp *qp, const struct ddp_seg *seg,
			   const void *ulpdu, struct siw_cursor *c)
{
	enum siw_mem_fault fault;
	enum iw_err err;

	if (!rx_take_receive(qp))
		return IW_ERR_NO_BUFFER;
	err = rdmap_check_size(seg, qp->rx.room);
	if (err)
		return rx_receive_failed(qp, SIW_WC_LOC_LEN_ERR, err);
	fault = rx_scatter(qp, c, seg->payload_len);
	if (fault == SIW_MEM_ABSENT)
		return IW_ERR_NO_BUFFER;
	if (fault)
		return rx_receive_failed(qp, SIW_WC_LOC_PROT_ERR,
					 IW_ERR_DDP_LOCAL);
	return seg->last ? rx_deliver_send(qp, seg) : IW_OK;
}

/*
 * The octets go to the completion, none to memory (Q15): to one of their own,
 * or to that of the Send behind them.
 */
static enum iw_err rx_imm(struct siw_qp *qp, const struct ddp_seg *seg,
			  const void *ulpdu, struct siw_cursor *c)
{
	struct siw_wc wc = {
		.opcode = SIW_OP_EXT_RECV_WRITE_IMM,
		.flags = SIW_WC_WITH_IMM,
		.bytes = qp->rx.write_len,
	};
	enum iw_err err = rdmap_check_size(seg, 0);
	const void *hdr = ulpdu + DDP_UNTAGGED_LEN;

	if (!err && rdmap_imm_of_send(hdr)) {
		qp->rx.imm = rdmap_get_imm(hdr);
		qp->rx.send_imm = true;
		return IW_OK;
	}
	/* a receive is there before its size matters */
	if (!rx_take_receive(qp))
		return IW_ERR_NO_BUFFER;
	if (err)
		return rx_receive_failed(qp, SIW_WC_LOC_LEN_ERR, err);
	wc.ex = (__force u32)rdmap_get_imm(hdr);
	if (rdmap_op(seg->opcode)->flags & RDMAP_OP_SE)
		wc.flags |= SIW_WC_SOLICITED;
	qp->rx.write_len = 0;
	rx_received(qp, &wc);
	return IW_OK;
}

/* ----------------------------------------------- requests of the peer --- */

static bool rx_irq_full(struct siw_qp *qp)
{
	/* the sender has copied what it took; pairs with tx_start_irq() */
	u32 irq_head = smp_load_acquire(&qp->irq_head);

	return atomic_read(&qp->irq_busy) >= mpa_ird_slots(qp->conn.ird) ||
	       qp->irq_tail - irq_head >= qp->irq_size;
}

static void rx_irq_add(struct siw_qp *qp, const struct siw_irq_entry *e)
{
	qp->irq[qp->irq_tail & (qp->irq_size - 1)] = *e;
	atomic_inc(&qp->irq_busy);
	/* the entry before the index; pairs with tx_irq_waits() */
	smp_store_release(&qp->irq_tail, qp->irq_tail + 1);
	if (e->len >= SIW_TX_FAR_MIN)
		siw_tx_kick_far(qp);
	else
		siw_tx_kick(qp);
}

static enum iw_err rx_check_source(struct siw_qp *qp, u32 stag, u64 to,
				   u32 len, u32 access)
{
	struct siw_mem *mem = siw_mem_begin(qp->sdev, stag, &qp->rx.mems);
	enum siw_mem_fault fault;

	if (!mem)
		return IW_ERR_SRC_STAG;
	fault = siw_rx_check(qp, mem, to, len, access);
	siw_mem_end(mem);
	return rx_source_err(fault);
}

static enum iw_err rx_read_req(struct siw_qp *qp, const struct ddp_seg *seg,
			       const void *ulpdu, struct siw_cursor *c)
{
	struct rdmap_read_req req;
	struct siw_irq_entry e;
	enum iw_err err;

	if (rx_irq_full(qp))
		return IW_ERR_IRD;
	err = rdmap_check_size(seg, 0);
	if (err)
		return err;
	rdmap_get_read_req(ulpdu + DDP_UNTAGGED_LEN, &req);
	/* source of no octets must not be looked at (RFC 5040 5.2.1) */
	if (req.size) {
		if (!qp->conn.ird)
			return IW_ERR_IRD;
		err = rx_check_source(qp, req.src_stag, req.src_to, req.size,
				      IB_ACCESS_REMOTE_READ);
		if (err)
			return err;
	}
	e = (struct siw_irq_entry) {
		.src_stag = req.src_stag,
		.src_to = req.src_to,
		.sink_stag = req.sink_stag,
		.sink_to = req.sink_to,
		.len = req.size,
	};
	rx_irq_add(qp, &e);
	return IW_OK;
}

static u64 rx_atomic_do(u64 *p, const struct rdmap_atomic_req *req)
{
	u64 old = READ_ONCE(*p);

	while (!try_cmpxchg64(p, &old, rdmap_atomic_result(req, old)))
		;
	return old;
}

static enum iw_err rx_atomic_mem(struct siw_qp *qp,
				 const struct rdmap_atomic_req *req, u64 *orig)
{
	struct siw_mem *mem = siw_mem_begin(qp->sdev, req->stag, &qp->rx.mems);
	enum siw_mem_fault fault;

	if (!mem)
		return IW_ERR_SRC_STAG;
	fault = siw_rx_check(qp, mem, req->to, sizeof(u64),
			     IB_ACCESS_REMOTE_ATOMIC);
	if (!fault)
		fault = rx_present(qp, mem, req->stag, req->to, sizeof(u64));
	if (!fault) {
		u64 *p = siw_mem_ptr(mem, req->to);

		/* aligned by iova and by address, or never */
		if (IS_ALIGNED((unsigned long)p, sizeof(u64)))
			*orig = rx_atomic_do(p, req);
		else
			fault = SIW_MEM_ALIGN;
	}
	siw_mem_end(mem);
	return rx_source_err(fault);
}

static enum iw_err rx_atomic_req(struct siw_qp *qp, const struct ddp_seg *seg,
				 const void *ulpdu, struct siw_cursor *c)
{
	struct siw_irq_entry e = { .atomic = true };
	struct rdmap_atomic_req req;
	enum iw_err err;

	if (!qp->conn.ird || rx_irq_full(qp))
		return IW_ERR_IRD;
	err = rdmap_check_size(seg, 0);
	if (err)
		return err;
	err = rdmap_get_atomic_req(ulpdu + DDP_UNTAGGED_LEN, &req);
	if (err)
		return err;
	if (!IS_ALIGNED(req.to, sizeof(u64)))
		return IW_ERR_ATOMIC_ALIGN;
	err = rx_atomic_mem(qp, &req, &e.orig);
	if (err)
		return err;
	e.req_id = req.req_id;
	rx_irq_add(qp, &e);
	return IW_OK;
}

/* -------------------------------------------------- answers to our own --- */

static bool rx_is_atomic(const struct siw_orq_entry *e)
{
	return e->opcode == SIW_OP_FETCH_AND_ADD ||
	       e->opcode == SIW_OP_COMP_AND_SWAP;
}

/* Does the segment go on with the answer to the oldest Read (Q14)? */
static enum iw_err rx_match_read(struct siw_qp *qp,
				 const struct siw_orq_entry *e,
				 const struct ddp_seg *seg)
{
	u32 left;

	if (!e || rx_is_atomic(e))
		return IW_ERR_RESP_UNSOLICITED;
	left = e->len - qp->rx.got;
	if (!e->len)
		return seg->payload_len || !seg->last ?
		       IW_ERR_RESP_BOUNDS : IW_OK;
	if (seg->stag != e->sink_stag)
		return IW_ERR_RESP_STAG;
	if (seg->to != e->sink_to + qp->rx.got || seg->payload_len > left ||
	    seg->last != !(left - seg->payload_len))
		return IW_ERR_RESP_BOUNDS;
	return IW_OK;
}

static u8 rx_read_status(struct siw_qp *qp, const struct siw_orq_entry *e)
{
	if (e->opcode != SIW_OP_READ_LOCAL_INV)
		return SIW_WC_SUCCESS;
	return siw_mem_invalidate(&qp->base, e->inv_stag, false) ?
	       SIW_WC_LOC_QP_OP_ERR : SIW_WC_SUCCESS;
}

static enum iw_err rx_read_resp(struct siw_qp *qp, const struct ddp_seg *seg,
				const void *ulpdu, struct siw_cursor *c)
{
	struct siw_orq_entry *e = siw_orq_first(qp);
	enum siw_mem_fault fault = SIW_MEM_OK;
	enum iw_err err = rx_match_read(qp, e, seg);
	u8 status;

	if (err)
		return err;
	if (seg->payload_len)
		fault = rx_place_stag(qp, seg->stag, seg->to, c,
				      seg->payload_len, IB_ACCESS_LOCAL_WRITE);
	if (fault == SIW_MEM_ABSENT)
		return IW_ERR_NO_BUFFER;
	if (fault) {
		siw_orq_done(qp, SIW_WC_LOC_PROT_ERR);
		return rx_tagged_err(fault);
	}
	qp->rx.got += seg->payload_len;
	if (!seg->last)
		return IW_OK;
	qp->rx.got = 0;
	status = rx_read_status(qp, e);
	siw_orq_done(qp, status);
	/* no request succeeds behind one that failed */
	return status == SIW_WC_SUCCESS ? IW_OK : IW_ERR_LOCAL;
}

static enum iw_err rx_atomic_resp(struct siw_qp *qp,
				  const struct ddp_seg *seg,
				  const void *ulpdu, struct siw_cursor *unused)
{
	struct siw_orq_entry *e = siw_orq_first(qp);
	struct rdmap_atomic_resp resp;
	enum siw_mem_fault fault;
	struct siw_cursor c;
	enum iw_err err;

	if (!e || !rx_is_atomic(e))
		return IW_ERR_ATOMIC_UNSOLICITED;
	err = rdmap_check_size(seg, 0);
	if (err)
		return err;
	rdmap_get_atomic_resp(ulpdu + DDP_UNTAGGED_LEN, &resp);
	if (resp.req_id != e->req_id)
		return IW_ERR_ATOMIC_RESP_ID;
	/* verbs want it in host order */
	siw_cursor_buf(&c, &resp.value, sizeof(resp.value));
	fault = rx_place_stag(qp, e->sink_stag, e->sink_to, &c,
			      sizeof(resp.value), IB_ACCESS_LOCAL_WRITE);
	if (fault == SIW_MEM_ABSENT)
		return IW_ERR_NO_BUFFER;
	siw_orq_done(qp, fault ? SIW_WC_LOC_PROT_ERR : SIW_WC_SUCCESS);
	return fault ? IW_ERR_LOCAL : IW_OK;
}

/* Up to where the peer has handled what we sent. */
static enum iw_err rx_ack(struct siw_qp *qp, const struct ddp_seg *seg,
			  const void *ulpdu, struct siw_cursor *c)
{
	if (seg->payload_len || seg->to > READ_ONCE(qp->tx.built))
		return IW_ERR_RESP_UNSOLICITED;
	qp->heard = seg->to;
	siw_flight_acked(qp, seg->to);
	return IW_OK;
}

/* ---------------------------------------------------------- Terminate --- */

/* What kind of message the peer complains about. */
static u8 rx_term_about(const void *hdr, u32 len)
{
	struct term_info t;

	term_decode(hdr, len, &t);
	return t.ddp && t.ddp_len >= DDP_CTRL_LEN ?
	       t.ddp[1] & RDMAP_OPCODE_MASK : RDMAP_OPCODES;
}

static enum iw_err rx_terminate(struct siw_qp *qp, const struct ddp_seg *seg,
				const void *ulpdu, struct siw_cursor *c)
{
	const u8 *hdr = ulpdu + DDP_UNTAGGED_LEN;
	__be32 raw;

	if (rdmap_check_size(seg, 0))
		return IW_ERR_FIXED_LEN;
	/* rdmap_decode() made sure of that many octets */
	memcpy(&raw, hdr, sizeof(raw));
	memcpy(qp->term_rcvd, hdr, sizeof(qp->term_rcvd));
	qp->term_about = rx_term_about(hdr, seg->payload_len);
	trace_siw_term(qp->qpn, false, be32_to_cpu(raw));
	siw_counter_term(qp, false, hdr);
	return IW_ERR_TERMINATED;
}

/**
 * siw_rx_segment() - handle a segment whose headers are in order
 * @qp: queue pair
 * @seg: passed rdmap_decode() and rdmap_rx_check()
 * @ulpdu: its first octets: as many as there are of RDMAP_HDRS_MAX
 * @payload: its first octet after the DDP header
 *
 * Context: the receiver.
 * Return: IW_OK, or the fault that ends the stream. A tagged segment that fails
 * leaves no octet anywhere, a Send may have filled elements before the one
 * that failed. %IW_ERR_NO_BUFFER: nothing was done, the caller may try again.
 */
enum iw_err siw_rx_segment(struct siw_qp *qp, const struct ddp_seg *seg,
			   const void *ulpdu, struct siw_cursor *payload)
{
	static enum iw_err (*const handlers[RDMAP_OPCODES])(struct siw_qp *,
			const struct ddp_seg *, const void *,
			struct siw_cursor *) = {
		[RDMAP_WRITE] = rx_write,
		[RDMAP_READ_REQ] = rx_read_req,
		[RDMAP_READ_RESP] = rx_read_resp,
		[RDMAP_SEND] = rx_send,
		[RDMAP_SEND_INV] = rx_send,
		[RDMAP_SEND_SE] = rx_send,
		[RDMAP_SEND_SE_INV] = rx_send,
		[RDMAP_TERMINATE] = rx_terminate,
		[RDMAP_IMM] = rx_imm,
		[RDMAP_IMM_SE] = rx_imm,
		[RDMAP_ATOMIC_REQ] = rx_atomic_req,
		[RDMAP_ATOMIC_RESP] = rx_atomic_resp,
		[RDMAP_ACK] = rx_ack,
	};

	/* rdmap_decode() lets only opcodes through that have a handler */
	return handlers[seg->opcode](qp, seg, ulpdu, payload);
}
