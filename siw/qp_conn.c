// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Connection of a QP: from the end of MPA startup to the end of the stream.
 *
 * Whoever finds that a connection must end calls siw_qp_down(), in any
 * context: it notes the first cause and queues down_work, which does the rest in
 * process context, in this order:
 *
 *	let the sender finish (graceful end), or stop it where it is
 *	become the sender, send a Terminate if one is due
 *	take the socket's events away, stop the receiver's worker
 *	complete everything that is posted
 *	hand the connection back to its endpoint
 */
#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <siw_ext_abi.h>

#include "cm.h"
#include "pager.h"
#include "pd.h"
#include "proto/mpa.h"
#include "qp.h"
#include "srq.h"
#include "trace.h"

/* How long a graceful end waits for requests that are posted. */
#define CONN_FINISH		(HZ / 2)
/*
 * When a peer that got the RTR Write is first reminded, if it says nothing, and
 * until when the time is doubled.
 */
#define CONN_NUDGE_MIN		(HZ / 5)
#define CONN_NUDGE_MAX		HZ
/*
 * How long the end of a connection waits for pages lent to TCP, and if nobody
 * wants to know what became of them.
 */
#define CONN_RECLAIM		(2 * HZ)
#define CONN_RECLAIM_HURRY	(HZ / 20)
/* How often the rings of a process are looked at after an error. */
#define CONN_SCAN_MIN		(HZ / 100)
#define CONN_SCAN_MAX		(HZ / 2)

/* ------------------------------------------------------- socket events --- */

static void conn_data_ready(void *ctx)
{
	siw_rx_ready(ctx);
}

static void conn_write_space(void *ctx)
{
	siw_tx_kick_slow(ctx);
}

static void conn_acked(void *ctx, u64 pos)
{
	siw_flight_delivered(ctx, pos);
}

static void conn_state_change(void *ctx)
{
	struct siw_qp *qp = ctx;

	switch (siw_llp_status(qp->llp)) {
	case SIW_LLP_PEER_CLOSED:
		if (siw_rdv_linger(qp))
			break;
		fallthrough;
	case SIW_LLP_DOWN:
		siw_qp_down(qp, SIW_DOWN_PEER, IW_ERR_CLOSED);
		break;
	default:
		break;
	}
}

static const struct siw_llp_ops conn_ops = {
	.data_ready = conn_data_ready,
	.write_space = conn_write_space,
	.state_change = conn_state_change,
	.acked = conn_acked,
};

/* ------------------------------------------------------------ attach --- */

static void conn_free_queues(struct siw_qp *qp)
{
	kvfree(qp->orq);
	kvfree(qp->irq);
	qp->orq = NULL;
	qp->irq = NULL;
}

static int conn_alloc_queues(struct siw_qp *qp)
{
	/* one more for the Read of the startup */
	u32 ord = roundup_pow_of_two(max_t(u32, qp->conn.ord, 1) + 1);
	u32 ird = roundup_pow_of_two(mpa_ird_slots(qp->conn.ird) + 1);

	conn_free_queues(qp);
	qp->orq = kvcalloc(ord, sizeof(*qp->orq), GFP_KERNEL);
	qp->irq = kvcalloc(ird, sizeof(*qp->irq), GFP_KERNEL);
	if (!qp->orq || !qp->irq) {
		conn_free_queues(qp);
		return -ENOMEM;
	}
	qp->orq_size = ord;
	qp->irq_size = ird;
	qp->orq_head = 0;
	qp->orq_tail = 0;
	qp->irq_head = 0;
	qp->irq_tail = 0;
	qp->acked = 0;
	qp->delivered = 0;
	qp->heard = 0;
	atomic_set(&qp->irq_busy, 0);
	return 0;
}

static int conn_prepare(struct siw_qp *qp, const struct siw_conn *conn)
{
	int rv;

	lockdep_assert_held(&qp->mutex);
	if (test_bit(SIW_QPF_GONE, &qp->flags))
		return -EINVAL;
	if (test_bit(SIW_QPF_ATTACHED, &qp->flags))
		return -EISCONN;
	/* who named a peer is connected to that one alone */
	if (conn->rdv_gen != siw_rdv_wait_gen(qp))
		return -EINVAL;
	switch (qp->state) {
	case IB_QPS_RESET:
	case IB_QPS_INIT:
	case IB_QPS_RTR:
		break;
	default:
		return -EINVAL;
	}
	qp->conn = *conn;
	rv = conn_alloc_queues(qp);
	if (rv)
		return rv;
	rv = siw_tx_start(qp);
	if (rv) {
		conn_free_queues(qp);
		return rv;
	}
	siw_rx_start(qp);
	return 0;
}

static void conn_begin(struct siw_qp *qp, struct siw_ep *ep,
		       struct siw_llp *llp)
{
	qp->error = IW_OK;
	qp->down_cause = SIW_DOWN_NONE;
	qp->llp = siw_llp_get(llp);
	qp->ep = ep;
	siw_ep_get(ep);
	siw_qp_get(qp);
	atomic_inc(&to_siw_pd(qp->base.pd)->conns);
	clear_bit(SIW_QPF_RX_STOP, &qp->flags);
	clear_bit(SIW_QPF_HURRY, &qp->flags);
	clear_bit(SIW_QPF_LEAVE, &qp->flags);
	clear_bit(SIW_QPF_NUDGE, &qp->flags);
	clear_bit(SIW_QPF_REPLIED, &qp->flags);
	clear_bit(SIW_QPF_FLUSHED, &qp->flags);
	clear_bit(SIW_QPF_DYING, &qp->flags);
	/* a former life may have ended before the peer's first FPDU */
	assign_bit(SIW_QPF_TX_HOLD, &qp->flags, qp->conn.hold_tx);
	assign_bit(SIW_QPF_FIRST_FPDU, &qp->flags, qp->conn.notify_first);
	set_bit(SIW_QPF_ATTACHED, &qp->flags);
	siw_rdv_attached(qp);
	siw_qp_set_state(qp, IB_QPS_RTS);
	clear_bit(SIW_QPF_TX_STOP, &qp->flags);
	clear_bit_unlock(SIW_QPF_TX_BUSY, &qp->flags);
}

/*
 * As responder: the peer has sent nothing yet, and the administrator wants no
 * more patience than this (server_first).
 */
static bool conn_speak_first(struct siw_qp *qp)
{
	if (!test_and_clear_bit(SIW_QPF_TX_HOLD, &qp->flags))
		return false;
	siw_tx_kick_slow(qp);
	return true;
}

/*
 * Mainline siw as responder overlooks what comes while its accept is still
 * going on, the RTR and all behind it, until more comes; when the connection ends
 * so, its iw_cm dies of a BUG. One more Write of no octets, which means nothing
 * to anybody, wakes it up.
 */
static void conn_repeat_rtr(struct siw_qp *qp)
{
	set_bit(SIW_QPF_NUDGE, &qp->flags);
	siw_tx_kick_slow(qp);
	qp->nudge_delay *= 2;
	if (qp->nudge_delay <= CONN_NUDGE_MAX)
		queue_delayed_work(siw_wq, &qp->nudge_work, qp->nudge_delay);
}

static void conn_nudge_work(struct work_struct *work)
{
	struct siw_qp *qp = container_of(to_delayed_work(work), struct siw_qp,
					 nudge_work);

	if (READ_ONCE(qp->rx.heard) || test_bit(SIW_QPF_DYING, &qp->flags))
		return;
	/* no FPDU in front of our own Reply */
	if (qp->conn.hold_tx && !test_bit(SIW_QPF_REPLIED, &qp->flags))
		queue_delayed_work(siw_wq, &qp->nudge_work, 1);
	else if (!conn_speak_first(qp))
		conn_repeat_rtr(qp);
}

static void conn_nudge_later(struct siw_qp *qp)
{
	u32 ms = READ_ONCE(qp->sdev->opts.server_first);

	/* the RTR of a peer that has promised one is waited for */
	if (qp->conn.hold_tx && ms && !qp->conn.notify_first)
		qp->nudge_delay = msecs_to_jiffies(ms);
	else if (qp->conn.rtr == SIW_RTR_MSG_WRITE)
		qp->nudge_delay = CONN_NUDGE_MIN;
	else
		return;
	queue_delayed_work(siw_wq, &qp->nudge_work, qp->nudge_delay);
}

/**
 * siw_qp_replied() - the Reply of a responder is on its way
 * @qp: attached queue pair, of which the caller's endpoint has a reference
 *
 * Context: any.
 */
void siw_qp_replied(struct siw_qp *qp)
{
	set_bit(SIW_QPF_REPLIED, &qp->flags);
}

/**
 * siw_qp_attach() - connect a QP
 * @qp: queue pair
 * @ep: endpoint of the connection; the QP takes a reference
 * @llp: its socket, right after (initiator) or before (responder) the Reply
 * @conn: what was negotiated
 *
 * The QP goes to RTS and owns the socket's events. Octets that wait in the
 * socket are processed, requests that were posted before are sent. Afterwards
 * siw_cm_qp_released() is called exactly once.
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL when the QP's state does not allow it, -EISCONN, -ENOMEM.
 */
int siw_qp_attach(struct siw_qp *qp, struct siw_ep *ep, struct siw_llp *llp,
		  const struct siw_conn *conn)
{
	int rv;

	/* its end may wait, with the mutex, and all startups would wait for it */
	if (test_bit(SIW_QPF_ATTACHED, &qp->flags))
		return -EISCONN;
	mutex_lock(&qp->mutex);
	rv = conn_prepare(qp, conn);
	if (!rv) {
		conn_begin(qp, ep, llp);
		siw_llp_set_patience(llp,
				     READ_ONCE(qp->sdev->opts.peer_timeout));
		siw_llp_set_owner(llp, &conn_ops, qp);
		siw_rx_kick(qp);
		siw_tx_kick_slow(qp);
		conn_nudge_later(qp);
		/* an event that came before we owned them */
		conn_state_change(qp);
	}
	mutex_unlock(&qp->mutex);
	return rv;
}

/* -------------------------------------------------------------- down --- */

/*
 * TCP tells of the peer's FIN while a Terminate, or the fault to be answered by
 * one, may still wait to be read.
 */
static void conn_peer_had_cause(struct siw_qp *qp, enum siw_down_cause cause,
				enum iw_err err)
{
	if ((cause == SIW_DOWN_TERM || cause == SIW_DOWN_PROTO) &&
	    cmpxchg(&qp->down_cause, SIW_DOWN_PEER, cause) == SIW_DOWN_PEER)
		WRITE_ONCE(qp->error, err);
}

/**
 * siw_qp_down() - the connection must end
 * @qp: queue pair
 * @cause: who wants it
 * @err: fault, of SIW_DOWN_PROTO
 *
 * The first cause counts, except that an abort hurries a graceful end, and
 * that what is found in front of a FIN comes before the FIN.
 *
 * Context: any.
 */
void siw_qp_down(struct siw_qp *qp, enum siw_down_cause cause,
		 enum iw_err err)
{
	if (cause != SIW_DOWN_LOCAL)
		set_bit(SIW_QPF_HURRY, &qp->flags);
	if (test_and_set_bit(SIW_QPF_DYING, &qp->flags)) {
		conn_peer_had_cause(qp, cause, err);
		return;
	}
	qp->error = err;
	WRITE_ONCE(qp->down_cause, cause);
	trace_siw_qp_down(qp->qpn, cause, iw_err_name(err));
	queue_work(siw_end_wq, &qp->down_work);
}

/* Requests posted before a disconnect are sent, if the peer reads. */
static void conn_finish_sending(struct siw_qp *qp)
{
	unsigned long until = jiffies + CONN_FINISH;
	unsigned long fetched_until = jiffies + SIW_FETCH_WAIT;

	siw_tx_run(qp);
	while (!siw_tx_idle(qp) && !test_bit(SIW_QPF_HURRY, &qp->flags)) {
		/* pages have a time of their own */
		if (READ_ONCE(qp->tx.fetch) &&
		    time_before(jiffies, fetched_until))
			until = jiffies + CONN_FINISH;
		else if (!time_before(jiffies, until))
			break;
		usleep_range(2000, 4000);
	}
}

static void conn_send_terminate(struct siw_qp *qp)
{
	/* each half quotes for itself: the other may have found a fault too */
	const struct term_quote *q = qp->error == IW_ERR_SRC_REVOKED ?
				     &qp->tx.quote : &qp->rx.quote;
	u8 term[RDMAP_TERM_MAX];
	u8 len;

	len = term_encode(term, qp->error, q);
	if (!len)
		return;
	memcpy(qp->term_sent, term, sizeof(qp->term_sent));
	trace_siw_term(qp->qpn, true, get_unaligned_be32(term));
	siw_tx_terminate(qp, term, len);
}

/* Status of a Send or Write that the peer has refused. */
static u8 conn_refusal(const struct term_info *t)
{
	if (t->layer == RDMAP_LAYER_DDP) {
		switch (t->etype) {
		case DDP_ETYPE_TAGGED:
			return SIW_WC_REM_ACCESS_ERR;
		case DDP_ETYPE_UNTAGGED:
			/* no receive */
			return t->code == 0x02 ? SIW_WC_EXT_RNR_ERR :
			       SIW_WC_REM_INV_REQ_ERR;
		default:
			return SIW_WC_EXT_REM_OP_ERR;
		}
	}
	switch (t->etype) {
	case RDMAP_ETYPE_PROTECTION:
		return SIW_WC_REM_ACCESS_ERR;
	case RDMAP_ETYPE_OPERATION:
		return SIW_WC_REM_INV_REQ_ERR;
	default:
		return SIW_WC_EXT_REM_OP_ERR;
	}
}

static bool conn_is_request_op(u8 opcode)
{
	return opcode == RDMAP_WRITE ||
	       (opcode < RDMAP_OPCODES &&
		rdmap_op(opcode)->flags & RDMAP_OP_RECV);
}

/*
 * Is the Terminate about what the peer was to answer? A Write or a Send is, for all that
 * is known, complete by then, and a Read that waits is none the worse for it. Who
 * quotes nothing may mean the Read.
 */
static bool conn_is_about_read(const struct siw_qp *qp,
			       const struct term_info *t)
{
	if (t->layer != RDMAP_LAYER_RDMAP ||
	    (t->etype != RDMAP_ETYPE_PROTECTION &&
	     t->etype != RDMAP_ETYPE_OPERATION))
		return false;
	return qp->term_about >= RDMAP_OPCODES ||
	       rdmap_op(qp->term_about)->flags & RDMAP_OP_REQ;
}

/*
 * Whose request it is that the peer refused. A Read is the oldest one without
 * an answer.
 */
static void conn_blame(struct siw_qp *qp)
{
	struct siw_orq_entry *e = siw_orq_first(qp);
	struct term_info t;
	u8 status;

	term_decode(qp->term_rcvd, sizeof(qp->term_rcvd), &t);
	if (qp->conn.acks && conn_is_request_op(qp->term_about)) {
		siw_flight_blame(qp, conn_refusal(&t));
		return;
	}
	if (!e || e->rtr || !conn_is_about_read(qp, &t))
		return;
	status = t.etype == RDMAP_ETYPE_PROTECTION ? SIW_WC_REM_ACCESS_ERR :
		 SIW_WC_REM_INV_REQ_ERR;
	siw_flight_answered(qp, e->flight, status);
}

/* Of a QP that is destroyed nobody hears any more. */
static void conn_forget_work(struct siw_qp *qp)
{
	qp->rx.rqe_valid = false;
	siw_flight_forget(qp);
	siw_qp_drop_rings(qp);
}

static void conn_flush(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;

	siw_qp_set_state(qp, IB_QPS_ERR);
	siw_qp_set_ctrl(qp, SIW_QP_CTRL_ERROR, SIW_QP_CTRL_ERROR);
	if (test_bit(SIW_QPF_GONE, &qp->flags)) {
		conn_forget_work(qp);
		return;
	}
	if (rx->rqe_valid) {
		struct siw_wc wc = {
			.id = rx->rqe->id,
			.opcode = SIW_OP_RECEIVE,
			.status = SIW_WC_WR_FLUSH_ERR,
			.vendor_err = siw_qp_vendor_err(qp),
		};

		rx->rqe_valid = false;
		siw_rq_complete(qp, &wc);
	}
	siw_flight_flush(qp);
	set_bit(SIW_QPF_FLUSHED, &qp->flags);
	/* who posts now sees the flag, or we see what was posted */
	smp_mb__after_atomic();
	siw_qp_flush_rings(qp);
}

/**
 * siw_qp_event() - raise an event of a QP
 * @qp: queue pair
 * @type: event
 *
 * Context: process, no lock of ours held.
 */
void siw_qp_event(struct siw_qp *qp, enum ib_event_type type)
{
	struct ib_event ev = {
		.device = qp->base.device,
		.element.qp = &qp->base,
		.event = type,
	};

	if (qp->base.event_handler)
		qp->base.event_handler(&ev, qp->base.qp_context);
}

/**
 * siw_qp_last_wqe() - a QP takes nothing more from its SRQ, if it has one
 * @qp: queue pair that has gone to state ERR
 *
 * ib_drain_qp() waits for it, also where there was no connection.
 *
 * Context: process, no lock of ours held.
 */
void siw_qp_last_wqe(struct siw_qp *qp)
{
	if (qp->srq)
		siw_qp_event(qp, IB_EVENT_QP_LAST_WQE_REACHED);
}

static bool conn_is_access_err(enum iw_err err)
{
	const struct iw_err_info *info = iw_err_info(err);

	return (info->layer == RDMAP_LAYER_RDMAP &&
		info->etype == RDMAP_ETYPE_PROTECTION) ||
	       (info->layer == RDMAP_LAYER_DDP &&
		info->etype == DDP_ETYPE_TAGGED);
}

/* Without rdma_cm nobody else tells that a connection was lost. */
static bool conn_lost(const struct siw_qp *qp, int status)
{
	return siw_rdv_named(qp) && status && qp->error != IW_OK;
}

static void conn_raise_events(struct siw_qp *qp, int status)
{
	switch (qp->down_cause) {
	case SIW_DOWN_PROTO:
		if (conn_is_access_err(qp->error))
			siw_qp_event(qp, IB_EVENT_QP_ACCESS_ERR);
		else if (qp->error == IW_ERR_LOCAL)
			siw_qp_event(qp, IB_EVENT_QP_FATAL);
		else
			siw_qp_event(qp, IB_EVENT_QP_REQ_ERR);
		break;
	case SIW_DOWN_TERM:
		siw_qp_event(qp, IB_EVENT_QP_FATAL);
		break;
	default:
		if (conn_lost(qp, status))
			siw_qp_event(qp, IB_EVENT_QP_FATAL);
		break;
	}
	siw_qp_last_wqe(qp);
}

/*
 * Who uses no rdma_cm has no way to ask for an orderly end, and what a
 * completed request has sent must arrive though the QP is destroyed next.
 */
static enum siw_close_how conn_close_how(const struct siw_qp *qp)
{
	if (qp->down_cause != SIW_DOWN_ABORT ||
	    (siw_rdv_named(qp) && qp->error == IW_OK))
		return SIW_CLOSE_GRACEFUL;
	return SIW_CLOSE_ABORT;
}

static bool conn_reclaim_over(const struct siw_qp *qp, unsigned long begun)
{
	bool hurry = test_bit(SIW_QPF_GONE, &qp->flags) ||
		     (test_bit(SIW_QPF_LEAVE, &qp->flags) && qp->conn.acks);

	return conn_close_how(qp) == SIW_CLOSE_ABORT ||
	       time_after(jiffies, begun + (hurry ? CONN_RECLAIM_HURRY :
						    CONN_RECLAIM));
}

/*
 * Pages that were lent to TCP are their owner's again when the requests are
 * completed, be it in error: nothing of them may be sent after that.
 */
static void conn_reclaim(struct siw_qp *qp)
{
	unsigned long begun = jiffies;

	while (siw_tx_lends(qp)) {
		siw_flight_delivered(qp, siw_llp_acked(qp->llp));
		if (siw_llp_status(qp->llp) == SIW_LLP_DOWN)
			return;
		if (conn_reclaim_over(qp, begun)) {
			siw_llp_reset(qp->llp);
			return;
		}
		usleep_range(1000, 2000);
	}
}

/* Both paths have stopped, for good; nothing is posted that is not flushed. */
static void conn_stop_paths(struct siw_qp *qp)
{
	if (qp->down_cause == SIW_DOWN_LOCAL)
		conn_finish_sending(qp);
	/* what the peer sent before its FIN counts */
	if (qp->down_cause == SIW_DOWN_PEER)
		siw_rx_finish(qp);
	siw_tx_own(qp);
	if (qp->down_cause == SIW_DOWN_PROTO)
		conn_send_terminate(qp);
	siw_llp_set_owner(qp->llp, NULL, NULL);
	cancel_delayed_work_sync(&qp->nudge_work);
	siw_rx_reset(qp);
	/* a Terminate, of either end, is the last word */
	if (qp->down_cause != SIW_DOWN_TERM && qp->down_cause != SIW_DOWN_PROTO)
		siw_tx_last_ack(qp);
	conn_reclaim(qp);
	siw_tx_abandon(qp);
	siw_tx_reset(qp);
}

static int conn_status(const struct siw_qp *qp)
{
	switch (qp->down_cause) {
	case SIW_DOWN_LOCAL:
		return 0;
	case SIW_DOWN_PEER:
		return siw_llp_status(qp->llp) == SIW_LLP_DOWN ?
		       -ECONNRESET : 0;
	default:
		return -ECONNABORTED;
	}
}

static void conn_scan_later(struct siw_qp *qp)
{
	if (qp->layout == SIW_QP_V1)
		queue_delayed_work(siw_end_wq, &qp->scan_work,
				   qp->scan_delay);
}

static void conn_down_work(struct work_struct *work)
{
	struct siw_qp *qp = container_of(work, struct siw_qp, down_work);
	struct siw_ep *ep = qp->ep;
	enum siw_close_how how;
	int status;

	mutex_lock(&qp->mutex);
	conn_stop_paths(qp);
	if (qp->down_cause == SIW_DOWN_TERM)
		conn_blame(qp);
	conn_flush(qp);
	how = conn_close_how(qp);
	status = conn_status(qp);
	atomic_dec(&to_siw_pd(qp->base.pd)->conns);
	siw_llp_put(qp->llp);
	qp->llp = NULL;
	qp->ep = NULL;
	conn_free_queues(qp);
	siw_rdv_released(qp);
	clear_bit(SIW_QPF_ATTACHED, &qp->flags);
	qp->scan_delay = CONN_SCAN_MIN;
	conn_scan_later(qp);
	mutex_unlock(&qp->mutex);

	conn_raise_events(qp, status);
	siw_cm_qp_released(ep, how, status);
	siw_ep_put(ep);
	siw_qp_put(qp);
}

/*
 * A version 1 provider posts receives without telling anybody, and to a QP in
 * error too. They must be flushed: look again and again, less and less often.
 * Kernel users have us look when they post.
 */
static void conn_scan_work(struct work_struct *work)
{
	struct siw_qp *qp = container_of(to_delayed_work(work), struct siw_qp,
					 scan_work);

	/* a QP that is reset meanwhile has requests that are not for us */
	mutex_lock(&qp->mutex);
	if (qp->state == IB_QPS_ERR) {
		siw_qp_flush_rings(qp);
		qp->scan_delay = min_t(unsigned long, 2 * qp->scan_delay,
				       CONN_SCAN_MAX);
		conn_scan_later(qp);
	}
	mutex_unlock(&qp->mutex);
}

/**
 * siw_qp_flush_soon() - complete what is posted, in error, by a worker
 * @qp: queue pair in error
 *
 * Context: any.
 */
void siw_qp_flush_soon(struct siw_qp *qp)
{
	mod_delayed_work(siw_end_wq, &qp->scan_work, 0);
}

/**
 * siw_qp_to_error() - to state ERR from a state without a connection
 * @qp: queue pair, its mutex is held
 *
 * Context: process.
 */
void siw_qp_to_error(struct siw_qp *qp)
{
	lockdep_assert_held(&qp->mutex);
	conn_flush(qp);
	qp->scan_delay = CONN_SCAN_MIN;
	conn_scan_later(qp);
}

/**
 * siw_qp_vendor_err() - why the connection ended
 * @qp: queue pair
 *
 * Context: any.
 * Return: the Terminate sent or received as in struct siw_cqe_ext, or 0.
 */
u32 siw_qp_vendor_err(const struct siw_qp *qp)
{
	const struct iw_err_info *info;
	struct term_info t;

	switch (qp->down_cause) {
	case SIW_DOWN_PROTO:
		info = iw_err_info(qp->error);
		return 0x10000 | info->layer << 12 | info->etype << 8 |
		       info->code;
	case SIW_DOWN_TERM:
		term_decode(qp->term_rcvd, sizeof(qp->term_rcvd), &t);
		return 0x10000 | t.layer << 12 | t.etype << 8 | t.code;
	default:
		return 0;
	}
}

/**
 * siw_qp_init_conn() - set up the connection part of a new QP
 * @qp: queue pair, rings and capabilities are set
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int siw_qp_init_conn(struct siw_qp *qp)
{
	int rv;

	INIT_WORK(&qp->down_work, conn_down_work);
	INIT_DELAYED_WORK(&qp->scan_work, conn_scan_work);
	INIT_DELAYED_WORK(&qp->nudge_work, conn_nudge_work);
	/* no sender until there is a connection */
	qp->flags = BIT(SIW_QPF_TX_STOP) | BIT(SIW_QPF_TX_BUSY) |
		    BIT(SIW_QPF_DYING);
	rv = siw_tx_init(qp);
	if (rv)
		return rv;
	rv = siw_rx_init(qp);
	if (rv)
		siw_tx_exit(qp);
	return rv;
}

/**
 * siw_qp_exit_conn() - end the connection of a QP that goes away, and wait
 * @qp: queue pair
 *
 * Context: process.
 */
void siw_qp_exit_conn(struct siw_qp *qp)
{
	/* whoever has the mutex for long makes haste */
	set_bit(SIW_QPF_GONE, &qp->flags);
	/* an attach is through and ends below, or comes too late */
	mutex_lock(&qp->mutex);
	mutex_unlock(&qp->mutex);
	siw_qp_down(qp, SIW_DOWN_ABORT, IW_OK);
	flush_work(&qp->down_work);
	cancel_delayed_work_sync(&qp->scan_work);
	siw_tx_exit(qp);
	siw_rx_exit(qp);
}
