// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * From work requests, and the peer's requests, to FPDUs.
 *
 * siw_tx_build() adds FPDUs of one message to the burst. A message in progress
 * goes on; else the next one starts, the peer's requests and ours by turns.
 */
#include <siw_ext_abi.h>

#include "counter.h"
#include "mem.h"
#include "mr.h"
#include "mw.h"
#include "odp.h"
#include "proto/rdmap.h"
#include "qp.h"

/* ------------------------------------------------- one FPDU of the burst --- */

/* Adds @len octets at the reserved place to the burst. */
static void tx_append(struct siw_qp *qp, u32 off, u32 len)
{
	struct siw_tx *tx = &qp->tx;
	struct page *page = siw_txbuf_page(&tx->buf);
	struct bio_vec *f = tx->nout ? &tx->out[tx->nout - 1] : NULL;

	if (f && f->bv_page == page && f->bv_offset + f->bv_len == off) {
		f->bv_len += len;
	} else {
		tx->out[tx->nout++] = (struct bio_vec) {
			.bv_page = page,
			.bv_len = len,
			.bv_offset = off,
		};
		get_page(page);
	}
	siw_txbuf_commit(&tx->buf, len);
	tx->out_len += len;
	tx->built += len;
}

/* Adds pages that the caller has a reference on. */
static void tx_append_runs(struct siw_qp *qp, const struct bio_vec *run,
			   int num)
{
	struct siw_tx *tx = &qp->tx;
	int i;

	for (i = 0; i < num; i++) {
		tx->out[tx->nout++] = run[i];
		tx->out_len += run[i].bv_len;
		tx->built += run[i].bv_len;
	}
}

/* Memory to build an unmarked FPDU of @size octets in. */
static void *tx_reserve(struct siw_qp *qp, u32 size, gfp_t gfp)
{
	struct siw_tx *tx = &qp->tx;
	u32 wire = size;
	void *p;

	if (qp->conn.tx_markers)
		wire = mpa_marked_size(tx->built, size);
	if (tx->nout == SIW_LLP_MAX_FRAGS &&
	    tx->buf.off + wire > page_size(siw_txbuf_page(&tx->buf)))
		return NULL;
	p = siw_txbuf_reserve(&tx->buf, wire, gfp);
	if (!p) {
		tx->starved = true;
		return NULL;
	}
	return tx->scratch ? tx->scratch : p;
}

/* Adds sealed FPDUs to the burst: one if it is still to be marked. */
static void tx_commit(struct siw_qp *qp, void *fpdu, u32 len, u32 num)
{
	struct siw_tx *tx = &qp->tx;
	u32 off = tx->buf.off;

	if (tx->scratch)
		len = mpa_mark(page_address(siw_txbuf_page(&tx->buf)) + off,
			       fpdu, tx->built, qp->conn.crc);
	tx_append(qp, off, len);
	siw_qp_stat_add(qp, SIW_STAT_TX_FPDUS, num);
}

/* The FPDU at @fpdu is complete but for pad, markers and CRC. */
static void tx_commit_one(struct siw_qp *qp, void *fpdu)
{
	u32 len = mpa_seal(fpdu, qp->conn.crc && !qp->tx.scratch);

	tx_commit(qp, fpdu, len, 1);
}

/* ---------------------------------------------------------- payload --- */

/* The pages are to be fetched; -EFAULT: they could not be. */
static int tx_absent(struct siw_tx *tx, u32 stag, u64 to, u32 len)
{
	if (tx->lost)
		return -EFAULT;
	tx->want = (struct siw_mem_want) {
		.stag = stag,
		.to = to,
		.len = len,
	};
	return -EAGAIN;
}

/* Opens the element at hand, for as much as a burst may need of it. */
static int tx_open_source(struct siw_qp *qp, struct siw_mem_span *src)
{
	struct siw_tx_msg *msg = &qp->tx.msg;
	const struct siw_sge *sge = &msg->sge[msg->cur];
	u32 n = min_t(u32, sge->length - msg->cur_off, SIW_TX_BURST);
	u64 to = sge->laddr + msg->cur_off;
	struct siw_mem *mem = siw_mem_begin(qp->sdev, sge->lkey, &qp->tx.mems);
	int rv = 0;

	if (!mem)
		return -EFAULT;
	if (siw_mem_check(mem, &qp->base, to, n,
			  msg->remote ? IB_ACCESS_REMOTE_READ : 0))
		rv = -EFAULT;
	else if (unlikely(!siw_mem_present(mem, to, n)))
		rv = tx_absent(&qp->tx, sge->lkey, to, n);
	if (rv) {
		siw_mem_end(mem);
		return rv;
	}
	*src = (struct siw_mem_span) { .mem = mem, .to = to, .left = n };
	return 0;
}

static void tx_close_source(struct siw_mem_span *src)
{
	if (src->mem)
		siw_mem_end(src->mem);
	src->mem = NULL;
	src->left = 0;
}

/* Octets that are there, to be taken from an element that is open. */
static int tx_source(struct siw_qp *qp, struct siw_mem_span *src)
{
	struct siw_tx_msg *msg = &qp->tx.msg;

	tx_close_source(src);
	while (msg->cur_off == msg->sge[msg->cur].length) {
		msg->cur++;
		msg->cur_off = 0;
	}
	return tx_open_source(qp, src);
}

/*
 * Copies the next @len octets of the message to @dst. -EAGAIN: none were, pages
 * are missing; -EFAULT.
 */
static int tx_gather(struct siw_qp *qp, struct siw_mem_span *src, void *dst,
		     u32 len)
{
	struct siw_tx_msg *msg = &qp->tx.msg;
	u32 cur_off = msg->cur_off;
	u8 cur = msg->cur;
	int rv;

	if (msg->inl) {
		memcpy(dst, (const u8 *)msg->sge + msg->sent, len);
		return 0;
	}
	while (len) {
		u32 n;

		rv = src->left ? 0 : tx_source(qp, src);
		if (rv) {
			msg->cur = cur;
			msg->cur_off = cur_off;
			return rv;
		}
		n = min_t(u64, len, src->left);
		siw_mem_span_read(src, dst, n);
		msg->cur_off += n;
		dst += n;
		len -= n;
	}
	return 0;
}

/* The header of the next segment, of @n octets. Octets it takes. */
static u32 tx_put_head(struct siw_tx_msg *msg, void *p, u32 n)
{
	bool last = msg->sent + n == msg->len;

	if (msg->tagged)
		return rdmap_put_tagged(p, msg->opcode, msg->stag,
					msg->to + msg->sent, n, last);
	return rdmap_put_untagged(p, msg->opcode, msg->stag, msg->msn,
				  msg->sent, n, last);
}

static u32 tx_hdr_len(const struct siw_tx_msg *msg)
{
	return msg->tagged ? DDP_TAGGED_LEN : DDP_UNTAGGED_LEN;
}

static u32 tx_fpdu_size(const struct siw_tx_msg *msg, u32 n)
{
	return mpa_fpdu_size(tx_hdr_len(msg) + n);
}

/* Octets of payload in the next FPDU; 0: the message is sent, or has none. */
static u32 tx_next_payload(const struct siw_tx_msg *msg, u32 mulpdu)
{
	bool last;

	return ddp_next_payload(msg->len, msg->sent, mulpdu, msg->tagged,
				&last);
}

/* What can be built at once, in the memory that was reserved. */
static u32 tx_room(const struct siw_qp *qp)
{
	const struct siw_tx *tx = &qp->tx;

	/* where the markers of the next one fall is not known yet; the MSS fell */
	if (unlikely(tx->scratch) || !tx->buf.num || tx->out_len >= tx->burst)
		return 0;
	return min_t(u32, siw_txbuf_room(&tx->buf), tx->burst - tx->out_len);
}

/* ULPDU that fills the segment from here on, its markers included. */
static u32 tx_mulpdu(struct siw_qp *qp)
{
	struct siw_tx *tx = &qp->tx;
	u32 emss = siw_llp_emss(qp->llp);

	if (unlikely(emss != tx->emss)) {
		tx->emss = emss;
		tx->burst = SIW_TX_BURST;
		if (emss < SIW_TX_BURST / 2)
			tx->burst -= tx->burst % emss;
		emss = min_t(u32, emss, SIW_TXBUF_CHUNK);
		tx->mulpdu = mpa_mulpdu(emss & ~3, false);
	}
	/* the worst case of markers would leave a gap, and lose alignment */
	if (unlikely(qp->conn.tx_markers))
		return mpa_mulpdu_at(min_t(u32, emss, SIW_TXBUF_CHUNK),
				     tx->built);
	return tx->mulpdu;
}

/*
 * FPDUs of the message, as many as the memory that was reserved has room for. 1, 0:
 * not yet, or an error. @ulpdu: set to the length of the last one's ULPDU
 */
static int tx_build_copied(struct siw_qp *qp, u32 mulpdu, u32 *ulpdu,
			   gfp_t gfp)
{
	struct siw_tx_msg *msg = &qp->tx.msg;
	u32 n = tx_next_payload(msg, mulpdu);
	void *p = tx_reserve(qp, tx_fpdu_size(msg, n), gfp);
	u32 room = tx_room(qp);
	struct siw_mem_span src;
	u32 done = 0, fpdus = 0;
	int rv;

	if (!p)
		return 0;
	src.mem = NULL;
	src.left = 0;
	do {
		u32 hdr = tx_put_head(msg, p + done, n);

		rv = tx_gather(qp, &src, p + done + hdr, n);
		if (rv)
			break;
		*ulpdu = hdr - MPA_LEN_SIZE + n;
		done += mpa_seal(p + done, qp->conn.crc && !qp->tx.scratch);
		fpdus++;
		msg->sent += n;
		n = tx_next_payload(msg, mulpdu);
	} while (n && done + tx_fpdu_size(msg, n) <= room);
	tx_close_source(&src);
	if (!fpdus && rv == -EAGAIN)
		return 0;
	qp->tx.lost = false;
	if (!fpdus)
		return rv;
	/* those that miss pages come next, and will ask again */
	qp->tx.want.len = 0;
	tx_commit(qp, p, done, fpdus);
	return 1;
}

/*
 * Likewise, the payload where it lies: what is in front of it and behind it are
 * neighbours in a page of ours, and so is the header of the FPDU that follows.
 */
static int tx_build_lent(struct siw_qp *qp, u32 mulpdu, u32 *ulpdu, gfp_t gfp)
{
	struct bio_vec run[SIW_LLP_MAX_FRAGS - 2];
	struct siw_tx *tx = &qp->tx;
	u32 n = tx_next_payload(&tx->msg, mulpdu);
	u32 own = tx_fpdu_size(&tx->msg, n) - n;
	int room = SIW_LLP_MAX_FRAGS - 2 - tx->nout;
	int num;
	u32 hdr;
	void *p;

	p = tx_reserve(qp, own, gfp);
	if (!p)
		return 0;
	num = room > 0 ? siw_tx_lend(qp, run, room, n) : 0;
	if (!num && tx->nout) {
		/* a packet buffer ends where an FPDU does */
		tx->eor = true;
		return 0;
	}
	if (!num) {
		tx->msg.lend = false;
		return tx_build_copied(qp, mulpdu, ulpdu, gfp);
	}
	hdr = tx_put_head(&tx->msg, p, n);
	memset(p + hdr, 0, own - hdr);
	tx_append(qp, tx->buf.off, hdr);
	tx_append_runs(qp, run, num);
	tx_append(qp, tx->buf.off, own - hdr);
	siw_qp_stat_add(qp, SIW_STAT_TX_FPDUS, 1);
	siw_qp_stat_add(qp, SIW_STAT_TX_LENT, n);
	tx->msg.lent = true;
	tx->msg.sent += n;
	tx->lent = tx->built;
	*ulpdu = hdr - MPA_LEN_SIZE + n;
	return 1;
}

/* The next FPDUs of the message in progress. 1, 0: not yet, or an error. */
static int tx_build_segments(struct siw_qp *qp, gfp_t gfp)
{
	struct siw_tx *tx = &qp->tx;
	struct siw_tx_msg *msg = &tx->msg;
	u32 mulpdu = tx_mulpdu(qp);
	u32 ulpdu;
	int rv;

	if (unlikely(msg->lend) &&
	    tx_next_payload(msg, mulpdu) >= SIW_LEND_MIN)
		rv = tx_build_lent(qp, mulpdu, &ulpdu, gfp);
	else
		rv = tx_build_copied(qp, mulpdu, &ulpdu, gfp);
	if (rv <= 0 || msg->sent < msg->len)
		return rv;
	msg->active = false;
	/* the next message begins on a segment if this one had several */
	tx->eor = msg->len > ulpdu && ulpdu < mulpdu;
	if (msg->remote)
		atomic_dec(&qp->irq_busy);
	return 1;
}

/* ------------------------------------------------ the peer's requests --- */

static int tx_atomic_resp(struct siw_qp *qp, const struct siw_irq_entry *e,
			  gfp_t gfp)
{
	struct rdmap_atomic_resp resp = {
		.req_id = e->req_id,
		.value = e->orig,
	};
	void *p;

	p = tx_reserve(qp, mpa_fpdu_size(RDMAP_ATOMIC_RESP_FPDU_LEN), gfp);
	if (!p)
		return 0;
	rdmap_put_atomic_resp(p, qp->tx.msn.resp++, &resp);
	tx_commit_one(qp, p);
	atomic_dec(&qp->irq_busy);
	return 1;
}

static void tx_start_read_resp(struct siw_qp *qp,
			       const struct siw_irq_entry *e)
{
	struct siw_tx_msg *msg = &qp->tx.msg;

	*msg = (struct siw_tx_msg) {
		.active = true,
		.tagged = true,
		.remote = true,
		.opcode = RDMAP_READ_RESP,
		.len = e->len,
		.stag = e->sink_stag,
		.to = e->sink_to,
		.sge = &msg->src,
		.src = {
			.laddr = e->src_to,
			.length = e->len,
			.lkey = e->src_stag,
		},
	};
}

static bool tx_irq_waits(const struct siw_qp *qp)
{
	/* pairs with the receiver's store behind the entry */
	return qp->irq_head != smp_load_acquire(&qp->irq_tail);
}

static int tx_start_irq(struct siw_qp *qp, gfp_t gfp)
{
	struct siw_irq_entry e = qp->irq[qp->irq_head & (qp->irq_size - 1)];

	if (e.atomic) {
		if (!tx_atomic_resp(qp, &e, gfp))
			return 0;
	} else {
		tx_start_read_resp(qp, &e);
	}
	/* the receiver may fill the place again */
	smp_store_release(&qp->irq_head, qp->irq_head + 1);
	return 1;
}

/* ------------------------------------------------------- our requests --- */

static void tx_note(struct siw_qp *qp, u8 wait, u64 end, u8 status, u32 *idx)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	struct siw_flight fl = {
		.id = wqe->id,
		.end = end,
		.bytes = wqe->len,
		.opcode = siw_sq_opcode(wqe),
		.status = status,
		.wait = wait,
		.lent = qp->tx.msg.lent,
		.signalled = wqe->flags & SIW_WQE_SIGNALLED,
	};
	u32 i = siw_flight_add(qp, &fl);

	if (idx)
		*idx = i;
}

/* All elements exist and grant @access, before the first FPDU is built. */
static bool tx_sges_ok(struct siw_qp *qp, u32 access)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	u32 i;

	if (wqe->flags & SIW_WQE_INLINE)
		return true;
	for (i = 0; i < wqe->num_sge; i++) {
		const struct siw_sge *sge = &wqe->sge[i];
		enum siw_mem_fault fault;
		struct siw_mem *mem;

		if (!sge->length)
			continue;
		mem = siw_mem_begin(qp->sdev, sge->lkey, &qp->tx.mems);
		if (!mem)
			return false;
		fault = siw_mem_check(mem, &qp->base, sge->laddr,
				      sge->length, access);
		siw_mem_end(mem);
		if (fault)
			return false;
	}
	return true;
}

/* May the payload be read? */
static bool tx_source_ok(struct siw_qp *qp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;

	/* what fits any FPDU is checked as it is copied: nothing of it was sent */
	if (wqe->opcode != SIW_OP_SEND_WITH_IMM &&
	    wqe->len <= ddp_max_payload(tx_mulpdu(qp), false))
		return true;
	return tx_sges_ok(qp, 0);
}

static void tx_start_payload(struct siw_qp *qp, u8 opcode, bool tagged)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	struct siw_tx_msg *msg = &qp->tx.msg;

	*msg = (struct siw_tx_msg) {
		.active = true,
		.tagged = tagged,
		.inl = wqe->flags & SIW_WQE_INLINE,
		.lend = siw_tx_may_lend(qp),
		.opcode = opcode,
		.len = wqe->len,
		.stag = wqe->rkey,
		.to = wqe->raddr,
		.sge = wqe->sge,
	};
	/* trap T-01: RNICs refuse STag 0 even in messages without octets */
	if (tagged && !msg->len && !msg->stag)
		msg->stag = 1;
}

/* An Immediate Data message: on its own, or announcing a Send. */
static int tx_put_imm(struct siw_qp *qp, u8 opcode, u32 kind, gfp_t gfp)
{
	struct siw_tx *tx = &qp->tx;
	void *p;

	p = tx_reserve(qp, mpa_fpdu_size(RDMAP_IMM_FPDU_LEN), gfp);
	if (!p)
		return 0;
	rdmap_put_imm(p, opcode, tx->msn.send++,
		      (__force __be32)tx->wqe.imm, kind);
	tx_commit_one(qp, p);
	return 1;
}

static int tx_start_send(struct siw_qp *qp, gfp_t gfp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	bool inv = wqe->opcode == SIW_OP_SEND_REMOTE_INV;
	u8 opcode;

	if (wqe->opcode == SIW_OP_SEND_WITH_IMM &&
	    !tx_put_imm(qp, RDMAP_IMM, RDMAP_IMM_OF_SEND, gfp))
		return 0;
	if (wqe->flags & SIW_WQE_SOLICITED)
		opcode = inv ? RDMAP_SEND_SE_INV : RDMAP_SEND_SE;
	else
		opcode = inv ? RDMAP_SEND_INV : RDMAP_SEND;
	tx_start_payload(qp, opcode, false);
	if (!inv)
		qp->tx.msg.stag = 0;
	qp->tx.msg.msn = qp->tx.msn.send++;
	return 1;
}

static int tx_start_write(struct siw_qp *qp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;

	tx_start_payload(qp, RDMAP_WRITE, true);
	if (wqe->opcode == SIW_OP_EXT_WRITE_WITH_IMM)
		qp->tx.msg.imm = wqe->flags & SIW_WQE_SOLICITED ?
				 RDMAP_IMM_SE : RDMAP_IMM;
	return 1;
}

static void tx_orq_entry(const struct siw_wqe *wqe, struct siw_orq_entry *e)
{
	*e = (struct siw_orq_entry) {
		.len = wqe->len,
		.opcode = wqe->opcode,
		.sink_stag = 1,
		.inv_stag = wqe->num_sge ? wqe->sge[0].lkey : 0,
	};
	if (wqe->len) {
		e->sink_stag = wqe->sge[0].lkey;
		e->sink_to = wqe->sge[0].laddr;
	}
}

static int tx_read_req(struct siw_qp *qp, gfp_t gfp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	struct siw_orq_entry e;
	struct rdmap_read_req req;
	void *p;

	p = tx_reserve(qp, mpa_fpdu_size(RDMAP_READ_FPDU_LEN), gfp);
	if (!p)
		return 0;
	tx_orq_entry(wqe, &e);
	req = (struct rdmap_read_req) {
		.sink_stag = e.sink_stag,
		.sink_to = e.sink_to,
		.size = e.len,
		.src_stag = e.len || wqe->rkey ? wqe->rkey : 1,
		.src_to = wqe->raddr,
	};
	tx_note(qp, SIW_FLIGHT_READ, 0, 0, &e.flight);
	siw_orq_add(qp, &e);
	rdmap_put_read_req(p, qp->tx.msn.req++, &req);
	tx_commit_one(qp, p);
	return 1;
}

static int tx_atomic_req(struct siw_qp *qp, gfp_t gfp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	bool add = wqe->opcode == SIW_OP_FETCH_AND_ADD;
	struct rdmap_atomic_req req = {
		.aop = add ? RDMAP_AOP_FETCH_ADD : RDMAP_AOP_CMP_SWAP,
		.req_id = qp->tx.msn.req,
		.stag = wqe->rkey,
		.to = wqe->raddr,
		.data = wqe->operand[add ? 0 : 1],
		.mask = add ? 0 : U64_MAX,
		.compare = add ? 0 : wqe->operand[0],
		.compare_mask = U64_MAX,
	};
	struct siw_orq_entry e;
	void *p;

	p = tx_reserve(qp, mpa_fpdu_size(RDMAP_ATOMIC_FPDU_LEN), gfp);
	if (!p)
		return 0;
	qp->tx.wqe.len = sizeof(u64);
	tx_orq_entry(wqe, &e);
	e.req_id = req.req_id;
	tx_note(qp, SIW_FLIGHT_READ, 0, 0, &e.flight);
	siw_orq_add(qp, &e);
	rdmap_put_atomic_req(p, qp->tx.msn.req++, &req);
	tx_commit_one(qp, p);
	return 1;
}

static u8 tx_bind(struct siw_qp *qp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	struct siw_bind bind = {
		.stag = wqe->rkey,
		.mr_stag = wqe->operand[1],
		.access = wqe->imm,
		.addr = wqe->raddr,
		.len = wqe->operand[0],
	};

	return siw_mw_bind(qp, &bind) ? SIW_WC_EXT_MW_BIND_ERR :
	       SIW_WC_SUCCESS;
}

/* What has no FPDU: done as soon as everything before it is. */
static u8 tx_local(struct siw_qp *qp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;

	if (wqe->opcode == SIW_OP_EXT_BIND_MW)
		return tx_bind(qp);
	if (wqe->opcode == SIW_OP_REG_MR)
		return siw_mr_fast_reg((void *)(uintptr_t)wqe->raddr,
				       wqe->rkey, wqe->imm) ?
		       SIW_WC_LOC_PROT_ERR : SIW_WC_SUCCESS;
	return siw_mem_invalidate(&qp->base, wqe->rkey, false) ?
	       SIW_WC_LOC_QP_OP_ERR : SIW_WC_SUCCESS;
}

static bool tx_is_request(const struct siw_wqe *wqe)
{
	switch (wqe->opcode) {
	case SIW_OP_READ:
	case SIW_OP_READ_LOCAL_INV:
	case SIW_OP_FETCH_AND_ADD:
	case SIW_OP_COMP_AND_SWAP:
		return true;
	default:
		return false;
	}
}

/* A fence, the ORD or a slow consumer may hold a request back. */
static bool tx_may_start(struct siw_qp *qp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;

	if (wqe->flags & SIW_WQE_READ_FENCE && !siw_orq_empty(qp))
		return false;
	if (siw_flight_full(qp))
		return false;
	/* where there is no ORD at all it is started, to fail */
	return !tx_is_request(wqe) || !qp->conn.ord || siw_orq_room(qp);
}

static int tx_fail(struct siw_qp *qp, u8 status)
{
	/* a part of it may be with TCP, by reference */
	tx_note(qp, SIW_FLIGHT_LENT, qp->tx.lent, status, NULL);
	return -EINVAL;
}

static int tx_start_request(struct siw_qp *qp, gfp_t gfp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;

	if (!qp->conn.ord)
		return tx_fail(qp, SIW_WC_LOC_QP_OP_ERR);
	if (!tx_sges_ok(qp, IB_ACCESS_LOCAL_WRITE))
		return tx_fail(qp, SIW_WC_LOC_PROT_ERR);
	if (wqe->opcode == SIW_OP_READ || wqe->opcode == SIW_OP_READ_LOCAL_INV)
		return tx_read_req(qp, gfp);
	return tx_atomic_req(qp, gfp);
}

/* Starts the loaded request. 1, 0: not yet, or -EINVAL: it failed. */
static int tx_start_wqe(struct siw_qp *qp, gfp_t gfp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	u8 status;

	if (tx_is_request(wqe))
		return tx_start_request(qp, gfp);
	switch (wqe->opcode) {
	case SIW_OP_SEND:
	case SIW_OP_SEND_REMOTE_INV:
	case SIW_OP_SEND_WITH_IMM:
	case SIW_OP_WRITE:
	case SIW_OP_EXT_WRITE_WITH_IMM:
		if (!tx_source_ok(qp))
			return tx_fail(qp, SIW_WC_LOC_PROT_ERR);
		break;
	default:
		status = tx_local(qp);
		if (status)
			return tx_fail(qp, status);
		tx_note(qp, SIW_FLIGHT_DONE, 0, 0, NULL);
		return 1;
	}
	if (wqe->opcode == SIW_OP_WRITE ||
	    wqe->opcode == SIW_OP_EXT_WRITE_WITH_IMM)
		return tx_start_write(qp);
	return tx_start_send(qp, gfp);
}

static int tx_next_wqe(struct siw_qp *qp, gfp_t gfp)
{
	struct siw_tx *tx = &qp->tx;
	int rv;

	if (!tx->loaded) {
		rv = siw_flight_full(qp) ? 0 : siw_sq_load(qp, &tx->wqe);
		if (rv < 0)
			return tx_fail(qp, SIW_WC_LOC_QP_OP_ERR);
		if (!rv)
			return 0;
		tx->loaded = true;
	}
	if (!tx_may_start(qp))
		return 0;
	rv = tx_start_wqe(qp, gfp);
	if (rv)
		tx->loaded = false;
	return rv;
}

static int tx_send_imm(struct siw_qp *qp, gfp_t gfp)
{
	if (!tx_put_imm(qp, qp->tx.msg.imm, 0, gfp))
		return 0;
	qp->tx.msg.imm = 0;
	return 1;
}

/* All of a message is built: what its request waits for now. */
static void tx_note_sent(struct siw_qp *qp)
{
	struct siw_tx *tx = &qp->tx;
	u8 wait = SIW_FLIGHT_SENT;

	if (tx->msg.lent) {
		/* behind all of it, though the last octets may be copied */
		tx->lent = tx->built;
		wait = SIW_FLIGHT_LENT;
	}
	if (qp->conn.acks)
		wait = SIW_FLIGHT_ACKED;
	tx_note(qp, wait, tx->built, 0, NULL);
}

/* Goes on with the message in progress; notes its end. */
static int tx_continue(struct siw_qp *qp, gfp_t gfp)
{
	struct siw_tx_msg *msg = &qp->tx.msg;
	int rv;

	if (msg->active) {
		rv = tx_build_segments(qp, gfp);
		if (rv < 0) {
			msg->active = false;
			msg->imm = 0;
			return msg->remote ? -EACCES :
			       tx_fail(qp, SIW_WC_LOC_PROT_ERR);
		}
	} else {
		rv = tx_send_imm(qp, gfp);
	}
	if (rv > 0 && !msg->active && !msg->imm && !msg->remote)
		tx_note_sent(qp);
	return rv;
}

/* ---------------------------------------------------------------- RTR --- */

static int tx_rtr_read(struct siw_qp *qp, void *p)
{
	struct rdmap_read_req req = { .sink_stag = 1, .src_stag = 1 };
	struct siw_orq_entry e = {
		.opcode = SIW_OP_READ,
		.sink_stag = 1,
		.rtr = true,
	};

	siw_orq_add(qp, &e);
	rdmap_put_read_req(p, qp->tx.msn.req++, &req);
	return 1;
}

/* The message that tells the peer that it may send (RFC 6581 9.2). */
static int tx_send_rtr(struct siw_qp *qp, gfp_t gfp)
{
	void *p = tx_reserve(qp, mpa_fpdu_size(RDMAP_READ_FPDU_LEN), gfp);

	if (!p)
		return 0;
	switch (qp->tx.rtr) {
	case SIW_RTR_MSG_READ:
		tx_rtr_read(qp, p);
		break;
	case SIW_RTR_MSG_SEND:
		rdmap_put_send(p, RDMAP_SEND, 0, qp->tx.msn.send++, 0, 0,
			       true);
		break;
	default:
		rdmap_put_write(p, 1, 0, 0, true);
		break;
	}
	tx_commit_one(qp, p);
	qp->tx.rtr = SIW_RTR_MSG_NONE;
	return 1;
}

/* ----------------------------------------------------- acknowledging --- */

/**
 * siw_tx_owes_ack() - does the peer wait for an acknowledgment
 * @qp: queue pair
 *
 * Context: any; a guess unless the caller is the sender.
 * Return: true if a request of the peer was handled that it was not told of.
 */
bool siw_tx_owes_ack(const struct siw_qp *qp)
{
	return qp->conn.acks && READ_ONCE(qp->rx.ack) != READ_ONCE(qp->tx.ack);
}

/**
 * siw_tx_build_ack() - add an acknowledgment to the burst
 * @qp: queue pair; the caller is the sender
 * @gfp: for pages
 *
 * Context: process or softirq.
 * Return: 1, or 0 if there is no room.
 */
int siw_tx_build_ack(struct siw_qp *qp, gfp_t gfp)
{
	struct siw_tx *tx = &qp->tx;
	void *p = tx_reserve(qp, mpa_fpdu_size(DDP_TAGGED_LEN), gfp);
	u64 pos;

	if (!p)
		return 0;
	pos = READ_ONCE(qp->rx.ack);
	rdmap_put_ack(p, pos);
	tx_commit_one(qp, p);
	WRITE_ONCE(tx->ack, pos);
	/* the message in progress goes on with a segment of its own */
	tx->eor = tx->msg.active;
	return 1;
}

/* A message in progress is interrupted between two bursts only. */
static bool tx_ack_now(const struct siw_qp *qp)
{
	return siw_tx_owes_ack(qp) &&
	       (!qp->tx.out_len || !qp->tx.msg.active);
}

/**
 * siw_tx_more() - is there another FPDU to build
 * @qp: queue pair; the caller is the sender
 *
 * Context: process or softirq.
 * Return: false if there is hardly one, though siw_tx_build() may find one.
 */
bool siw_tx_more(const struct siw_qp *qp)
{
	const struct siw_tx_msg *msg = &qp->tx.msg;

	return msg->active || msg->imm || siw_sq_posted(qp) || tx_irq_waits(qp);
}

/**
 * siw_tx_build() - add the next FPDUs to the burst
 * @qp: queue pair; the caller is the sender
 * @gfp: for pages, should the ring need more
 *
 * Context: process or softirq.
 * Return: 1: go on; 0: nothing to do, or no room in the ring of pages or the
 * burst; -EINVAL: a work request failed, its completion is noted; -EACCES:
 * the source of a Read Response is gone.
 */
int siw_tx_build(struct siw_qp *qp, gfp_t gfp)
{
	struct siw_tx *tx = &qp->tx;
	int rv;

	if (unlikely(tx->rtr))
		return tx_send_rtr(qp, gfp);
	if (tx_ack_now(qp))
		return siw_tx_build_ack(qp, gfp);
	if (tx->msg.active || tx->msg.imm)
		return tx_continue(qp, gfp);
	if (unlikely(test_bit(SIW_QPF_NUDGE, &qp->flags))) {
		clear_bit(SIW_QPF_NUDGE, &qp->flags);
		tx->rtr = SIW_RTR_MSG_WRITE;
		return tx_send_rtr(qp, gfp);
	}
	if (tx_irq_waits(qp) && !tx->turn) {
		tx->turn = true;
		return tx_start_irq(qp, gfp);
	}
	tx->turn = false;
	rv = tx_next_wqe(qp, gfp);
	if (!rv && tx_irq_waits(qp))
		rv = tx_start_irq(qp, gfp);
	return rv;
}

/**
 * siw_tx_build_terminate() - add a Terminate to the burst
 * @qp: queue pair; the caller is the sender
 * @term: Terminate header
 * @len: its octets
 *
 * Context: process. Return: false if memory is short.
 */
bool siw_tx_build_terminate(struct siw_qp *qp, const void *term, u8 len)
{
	void *p = tx_reserve(qp, mpa_fpdu_size(DDP_UNTAGGED_LEN + len),
			     GFP_NOIO);

	if (!p)
		return false;
	rdmap_put_terminate(p, term, len);
	tx_commit_one(qp, p);
	return true;
}
