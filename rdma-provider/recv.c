// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Posting receives.
 */

#include "siw.h"

/**
 * siw_put_rqe() - write one receive into an RQ or SRQ and hand it over
 * @ring: the ring, which may be absent
 * @max_sge: SGEs an element may have
 * @wr: the request; no SGE at all is fine
 *
 * Context: the ring's lock is held.
 *
 * Return: 0; EINVAL for too many SGEs; ENOMEM if the ring is full.
 */
int siw_put_rqe(struct siw_ring *ring, uint32_t max_sge,
		const struct ibv_recv_wr *wr)
{
	struct siw_rqe *rqe;

	if ((uint32_t)wr->num_sge > max_sge)
		return EINVAL;
	if (!ring->base)
		return ENOMEM;
	rqe = siw_ring_at(ring, ring->pos);
	if (siw_wqe_is_valid(&rqe->flags))
		return ENOMEM;
	rqe->id = wr->wr_id;
	rqe->num_sge = wr->num_sge;
	siw_put_sge_list(rqe->sge, wr->sg_list, wr->num_sge);
	/* No bit but VALID: a stock kernel ignores the element otherwise */
	siw_wqe_publish(&rqe->flags, 0);
	ring->pos++;
	return 0;
}

int siw_post_recv(struct ibv_qp *ibqp, struct ibv_recv_wr *wr,
		  struct ibv_recv_wr **bad_wr)
{
	struct siw_qp *qp = to_siw_qp(ibqp);
	int ret = 0;

	if (ibqp->srq) {
		*bad_wr = wr;
		return EINVAL;
	}
	siw_lock(&qp->rq.lock);
	for (; wr; wr = wr->next) {
		ret = siw_put_rqe(&qp->rq.ring, qp->rq.max_sge, wr);
		if (ret) {
			*bad_wr = wr;
			break;
		}
	}
	siw_unlock(&qp->rq.lock);
	/*
	 * Nobody looks at the RQ of a broken QP any more; have the kernel
	 * flush it. If that fails there is nobody to be told: the requests
	 * are posted.
	 */
	if (siw_qp_needs_flush(qp))
		siw_ring_doorbell(qp);
	return ret;
}
