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
bool siw_rq_take(struct siw_qp *qp, struct siw_rqe *rqe)
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

static void rq_flush(struct siw_qp *qp)
{
	struct siw_wc wc = {
		.opcode = SIW_OP_RECEIVE,
		.status = SIW_WC_WR_FLUSH_ERR,
		.vendor_err = siw_qp_vendor_err(qp),
	};
	unsigned long irq;
	bool fire = false;
	u32 n;

	if (!qp->rq)
		return;
	spin_lock_irqsave(&qp->rq_lock, irq);
	/* a process may post on and on: one ring full, no more */
	for (n = 0; n < qp->rq_size; n++) {
		struct siw_rqe *slot = siw_rq_slot(qp, qp->rq_get);

		/* pairs with the poster's release store */
		if (!(smp_load_acquire(&slot->flags) & SIW_WQE_VALID))
			break;
		wc.id = READ_ONCE(slot->id);
		/* the slot may be reused */
		smp_store_mb(slot->flags, 0);
		qp->rq_get++;
		fire |= siw_cq_push(qp->rcq, &qp->base, &wc);
	}
	spin_unlock_irqrestore(&qp->rq_lock, irq);
	if (fire)
		siw_cq_notify(qp->rcq);
}

static void sq_flush(struct siw_qp *qp)
{
	struct siw_wc wc = {
		.status = SIW_WC_WR_FLUSH_ERR,
		.vendor_err = siw_qp_vendor_err(qp),
	};
	unsigned long irq;
	bool fire = false;
	u32 n;

	spin_lock_irqsave(&qp->sq_lock, irq);
	/* as above */
	for (n = 0; n < qp->sq_size; n++) {
		if (!siw_sq_drop(qp, &wc.id, &wc.opcode))
			break;
		fire |= siw_cq_push(qp->scq, &qp->base, &wc);
	}
	spin_unlock_irqrestore(&qp->sq_lock, irq);
	if (fire)
		siw_cq_notify(qp->scq);
}

/**
 * siw_qp_flush_rings() - complete what is posted, in error
 * @qp: queue pair in error; no sender, no receiver
 *
 * Context: any.
 */
void siw_qp_flush_rings(struct siw_qp *qp)
{
	sq_flush(qp);
	rq_flush(qp);
}
