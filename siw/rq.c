// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Receive queue, and flushing both queues of a QP in error.
 */
#include <siw_ext_abi.h>

#include "cq.h"
#include "qp.h"
#include "ring.h"

/**
 * siw_rq_take() - take the oldest receive
 * @qp: queue pair without an SRQ
 * @rqe: private copy
 *
 * Context: any.
 * Return: false if none is posted.
 */
bool siw_rq_take(struct siw_qp *qp, struct siw_recv *rqe)
{
	unsigned long irq;
	bool taken;

	if (!qp->rq)
		return false;
	spin_lock_irqsave(&qp->rq_lock, irq);
	taken = siw_rqe_take(siw_rq_slot(qp, qp->rq_get), rqe,
			     qp->cap.max_recv_sge);
	if (taken)
		qp->rq_get++;
	spin_unlock_irqrestore(&qp->rq_lock, irq);
	return taken;
}

/**
 * siw_rq_complete() - complete a receive
 * @qp: queue pair
 * @wc: the completion
 *
 * Context: any, no lock held that a completion handler takes.
 */
void siw_rq_complete(struct siw_qp *qp, const struct siw_wc *wc)
{
	if (siw_cq_push(qp->rcq, &qp->base, wc))
		siw_cq_notify(qp->rcq);
}

static bool rq_drop(struct siw_qp *qp, u64 *id)
{
	struct siw_rqe *slot = siw_rq_slot(qp, qp->rq_get);

	/* pairs with the poster's release store */
	if (!(smp_load_acquire(&slot->flags) & SIW_WQE_VALID))
		return false;
	*id = READ_ONCE(slot->id);
	siw_slot_free(&slot->flags);
	qp->rq_get++;
	return true;
}

/* A piece of one queue: true if there may be more. */
static bool rq_flush(struct siw_qp *qp, struct siw_wc *wc, bool tell)
{
	unsigned long irq;
	bool fire = false;
	u32 n;

	wc->opcode = SIW_OP_RECEIVE;
	spin_lock_irqsave(&qp->rq_lock, irq);
	for (n = 0; n < SIW_FLUSH_BATCH && rq_drop(qp, &wc->id); n++) {
		if (tell)
			fire |= siw_cq_push(qp->rcq, &qp->base, wc);
	}
	spin_unlock_irqrestore(&qp->rq_lock, irq);
	if (fire)
		siw_cq_notify(qp->rcq);
	return n == SIW_FLUSH_BATCH;
}

static bool sq_flush(struct siw_qp *qp, struct siw_wc *wc, bool tell)
{
	unsigned long irq;
	bool fire = false;
	u32 n;

	spin_lock_irqsave(&qp->sq_lock, irq);
	for (n = 0; n < SIW_FLUSH_BATCH; n++) {
		if (!siw_sq_drop(qp, &wc->id, &wc->opcode))
			break;
		if (tell)
			fire |= siw_cq_push(qp->scq, &qp->base, wc);
	}
	spin_unlock_irqrestore(&qp->sq_lock, irq);
	if (fire)
		siw_cq_notify(qp->scq);
	return n == SIW_FLUSH_BATCH;
}

/* A process may post on and on: one ring full, no more. */
static void empty_rings(struct siw_qp *qp, bool tell)
{
	struct siw_wc wc = {
		.status = SIW_WC_WR_FLUSH_ERR,
		.vendor_err = siw_qp_vendor_err(qp),
	};
	u32 n;

	for (n = 0; n < qp->sq_size && sq_flush(qp, &wc, tell);)
		n += SIW_FLUSH_BATCH;
	if (!qp->rq)
		return;
	for (n = 0; n < qp->rq_size && rq_flush(qp, &wc, tell);)
		n += SIW_FLUSH_BATCH;
}

/**
 * siw_qp_drop_rings() - forget what is posted
 * @qp: queue pair without a connection, on its way to RESET or destroyed
 *
 * Context: any.
 */
void siw_qp_drop_rings(struct siw_qp *qp)
{
	empty_rings(qp, false);
}

/**
 * siw_qp_flush_rings() - complete what is posted, in error
 * @qp: queue pair in error; no sender, no receiver
 *
 * Context: process, siw_qp.mutex held, lest the queue pair leave its error.
 */
void siw_qp_flush_rings(struct siw_qp *qp)
{
	empty_rings(qp, true);
}
