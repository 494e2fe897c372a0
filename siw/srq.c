// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Shared receive queues.
 */
#include <linux/log2.h>
#include <rdma/uverbs_ioctl.h>

#include "device.h"
#include "ring.h"
#include "srq.h"
#include "stats.h"
#include "ucontext.h"

static struct siw_rqe *srq_elem(const struct siw_srq *srq, u32 idx)
{
	return srq->ring + (idx & (srq->size - 1));
}

/* The element @limit - 1 places ahead is not posted: below the limit. */
static bool srq_below_limit(struct siw_srq *srq)
{
	struct siw_rqe *rqe;

	if (!srq->armed)
		return false;
	rqe = srq_elem(srq, srq->get + srq->limit - 1);
	if (READ_ONCE(rqe->flags) == SIW_WQE_VALID)
		return false;
	srq->armed = false;
	return true;
}

static void srq_limit_event(struct siw_srq *srq)
{
	struct ib_event ev = {
		.device = srq->base.device,
		.element.srq = &srq->base,
		.event = IB_EVENT_SRQ_LIMIT_REACHED,
	};

	siw_stat_inc(to_siw_dev(srq->base.device), SIW_STAT_SRQ_LIMITS);
	if (srq->base.event_handler)
		srq->base.event_handler(&ev, srq->base.srq_context);
}

/**
 * siw_srq_take() - take the oldest receive
 * @srq: queue
 * @rqe: private copy, with room for SIW_MAX_SGE elements
 *
 * Context: any.
 * Return: false if none is posted.
 */
bool siw_srq_take(struct siw_srq *srq, struct siw_recv *rqe)
{
	bool taken, limit = false;
	unsigned long irq;

	spin_lock_irqsave(&srq->lock, irq);
	taken = siw_rqe_take(srq_elem(srq, srq->get), rqe, SIW_MAX_SGE);
	if (taken) {
		srq->get++;
		limit = srq_below_limit(srq);
	}
	spin_unlock_irqrestore(&srq->lock, irq);
	if (limit)
		srq_limit_event(srq);
	return taken;
}

static int srq_answer_user(struct siw_srq *srq, struct ib_udata *udata)
{
	struct siw_uresp_create_srq resp = {};
	u64 key;
	int rv;

	if (udata->outlen < sizeof(resp))
		return -EINVAL;
	rv = siw_ring_expose(srq->mem, &key);
	if (rv)
		return rv;
	resp.num_rqe = srq->size;
	resp.srq_key = key;
	return ib_copy_to_udata(udata, &resp, sizeof(resp));
}

/**
 * siw_create_srq() - ib_device_ops.create_srq
 * @base: queue
 * @init: sizes wanted, set to those granted; a process sets the limit later
 * @udata: driver bytes, NULL for kernel users
 *
 * Context: process.
 * Return: 0, -EOPNOTSUPP for other than basic queues, -EINVAL for sizes out of
 * range, -ENOMEM.
 */
int siw_create_srq(struct ib_srq *base, struct ib_srq_init_attr *init,
		   struct ib_udata *udata)
{
	struct siw_device *sdev = to_siw_dev(base->device);
	struct ib_srq_attr *attr = &init->attr;
	struct siw_srq *srq = to_siw_srq(base);
	int rv;

	if (init->srq_type != IB_SRQT_BASIC)
		return -EOPNOTSUPP;
	if (udata)
		attr->srq_limit = 0;
	if (!attr->max_wr || attr->max_wr > SIW_MAX_SRQ_WR ||
	    attr->max_sge > SIW_MAX_SGE || attr->srq_limit > attr->max_wr)
		return -EINVAL;
	if (!siw_count_get(&sdev->num_srq, SIW_MAX_SRQ))
		return -ENOMEM;
	spin_lock_init(&srq->lock);
	srq->size = roundup_pow_of_two(attr->max_wr);
	srq->max_sge = attr->max_sge;
	srq->limit = attr->srq_limit;
	srq->armed = srq->limit != 0;
	srq->mem = siw_ring_alloc(udata, srq->size * sizeof(struct siw_rqe));
	if (IS_ERR(srq->mem)) {
		rv = PTR_ERR(srq->mem);
		goto err_count;
	}
	srq->ring = srq->mem->mem;
	if (udata) {
		rv = srq_answer_user(srq, udata);
		if (rv)
			goto err_ring;
	}
	attr->max_wr = srq->size;
	return 0;

err_ring:
	siw_ring_free(srq->mem);
err_count:
	atomic_dec(&sdev->num_srq);
	return rv;
}

/**
 * siw_modify_srq() - ib_device_ops.modify_srq: arm the limit
 * @base: queue
 * @attr: the limit, 0 disarms
 * @mask: what of @attr counts
 * @udata: not used
 *
 * Context: process.
 * Return: 0, -EOPNOTSUPP for a new size, -EINVAL for a limit above the size.
 */
int siw_modify_srq(struct ib_srq *base, struct ib_srq_attr *attr,
		   enum ib_srq_attr_mask mask, struct ib_udata *udata)
{
	struct siw_srq *srq = to_siw_srq(base);
	bool limit = false;

	if (mask & IB_SRQ_MAX_WR)
		return -EOPNOTSUPP;
	if (!(mask & IB_SRQ_LIMIT))
		return 0;
	if (attr->srq_limit > srq->size)
		return -EINVAL;
	spin_lock_irq(&srq->lock);
	srq->limit = attr->srq_limit;
	srq->armed = srq->limit != 0;
	limit = srq_below_limit(srq);
	spin_unlock_irq(&srq->lock);
	if (limit)
		srq_limit_event(srq);
	return 0;
}

/**
 * siw_query_srq() - ib_device_ops.query_srq
 * @base: queue
 * @attr: filled in
 *
 * Context: process. Return: 0.
 */
int siw_query_srq(struct ib_srq *base, struct ib_srq_attr *attr)
{
	struct siw_srq *srq = to_siw_srq(base);

	spin_lock_irq(&srq->lock);
	attr->max_wr = srq->size;
	attr->max_sge = srq->max_sge;
	attr->srq_limit = srq->armed ? srq->limit : 0;
	spin_unlock_irq(&srq->lock);
	return 0;
}

/**
 * siw_destroy_srq() - ib_device_ops.destroy_srq
 * @base: queue, no QP uses it any more
 * @udata: not used
 *
 * Context: process. Return: 0.
 */
int siw_destroy_srq(struct ib_srq *base, struct ib_udata *udata)
{
	struct siw_srq *srq = to_siw_srq(base);

	siw_ring_free(srq->mem);
	atomic_dec(&to_siw_dev(base->device)->num_srq);
	return 0;
}

/**
 * siw_post_srq_recv() - ib_device_ops.post_srq_recv, kernel users
 * @base: queue
 * @wr: list of receives
 * @bad_wr: set to the first one refused
 *
 * Context: any.
 * Return: 0, -EINVAL for user queues or too many elements, -ENOMEM if full.
 */
int siw_post_srq_recv(struct ib_srq *base, const struct ib_recv_wr *wr,
		      const struct ib_recv_wr **bad_wr)
{
	struct siw_srq *srq = to_siw_srq(base);
	unsigned long irq;
	int rv = 0;

	if (base->uobject) {
		*bad_wr = wr;
		return -EINVAL;
	}
	spin_lock_irqsave(&srq->lock, irq);
	for (; wr; wr = wr->next) {
		rv = siw_rqe_fill(srq_elem(srq, srq->put), wr, srq->max_sge);
		if (rv)
			break;
		srq->put++;
	}
	spin_unlock_irqrestore(&srq->lock, irq);
	if (rv)
		*bad_wr = wr;
	return rv;
}
