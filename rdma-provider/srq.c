// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Shared receive queues. Their rings have the version 1 layout always.
 */

#include "siw.h"

static struct siw_srq *new_srq(struct ibv_pd *pd)
{
	struct siw_home home;
	struct siw_srq *srq;

	srq = siw_obj_alloc(pd, sizeof(*srq), SIW_RESOURCE_SRQ, &home);
	if (!srq)
		return NULL;
	srq->home = home;
	siw_lock_init(&srq->lock, siw_single_threaded(&home));
	return srq;
}

static void free_srq(struct siw_srq *srq)
{
	siw_lock_destroy(&srq->lock);
	siw_obj_free(srq->home, srq, SIW_RESOURCE_SRQ);
}

/* Map what the kernel has created; takes the kernel object down on failure */
static struct ibv_srq *finish_srq(struct siw_srq *srq, int cmd_fd,
				  const struct siw_uresp_create_srq *drv,
				  uint32_t max_sge)
{
	int ret;

	srq->max_sge = max_sge;
	ret = siw_ring_map(&srq->ring, cmd_fd, drv->srq_key, drv->num_rqe,
			   sizeof(struct siw_rqe), 0);
	if (ret) {
		ibv_cmd_destroy_srq(&srq->vsrq.srq);
		free_srq(srq);
		errno = ret;
		return NULL;
	}
	return &srq->vsrq.srq;
}

struct ibv_srq *siw_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attr)
{
	struct siw_create_srq_resp resp = {};
	struct ibv_create_srq cmd;
	struct siw_srq *srq;

	attr->attr.srq_limit = 0;
	if (attr->attr.max_sge > SIW_MAX_SGE) {
		errno = EINVAL;
		return NULL;
	}
	srq = new_srq(pd);
	if (!srq)
		return NULL;
	if (ibv_cmd_create_srq(pd, &srq->vsrq.srq, attr, &cmd, sizeof(cmd),
			       &resp.core, sizeof(resp))) {
		free_srq(srq);
		return NULL;
	}
	return finish_srq(srq, pd->context->cmd_fd, &resp.drv,
			  attr->attr.max_sge);
}

static int check_srq_ex(const struct ibv_srq_init_attr_ex *attr)
{
	const uint32_t known = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD;

	if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_PD))
		return EINVAL;
	if (attr->comp_mask & ~known)
		return EOPNOTSUPP;
	if (attr->comp_mask & IBV_SRQ_INIT_ATTR_TYPE &&
	    attr->srq_type != IBV_SRQT_BASIC)
		return EOPNOTSUPP;
	if (attr->attr.max_sge > SIW_MAX_SGE)
		return EINVAL;
	return 0;
}

struct ibv_srq *siw_create_srq_ex(struct ibv_context *context,
				  struct ibv_srq_init_attr_ex *attr)
{
	struct siw_create_srq_resp resp = {};
	struct ibv_create_xsrq cmd;
	struct siw_srq *srq;

	errno = check_srq_ex(attr);
	if (errno)
		return NULL;
	attr->attr.srq_limit = 0;
	srq = new_srq(attr->pd);
	if (!srq)
		return NULL;
	if (ibv_cmd_create_srq_ex(context, &srq->vsrq, attr, &cmd, sizeof(cmd),
				  &resp.core, sizeof(resp))) {
		free_srq(srq);
		return NULL;
	}
	srq->vsrq.srq.pd = attr->pd;
	srq->vsrq.srq.srq_context = attr->srq_context;
	return finish_srq(srq, context->cmd_fd, &resp.drv, attr->attr.max_sge);
}

int siw_modify_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr, int mask)
{
	struct ibv_modify_srq cmd;

	return ibv_cmd_modify_srq(srq, attr, mask, &cmd, sizeof(cmd));
}

int siw_query_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr)
{
	struct ibv_query_srq cmd;

	return ibv_cmd_query_srq(srq, attr, &cmd, sizeof(cmd));
}

int siw_destroy_srq(struct ibv_srq *ibsrq)
{
	struct siw_srq *srq = to_siw_srq(ibsrq);
	int ret;

	ret = ibv_cmd_destroy_srq(ibsrq);
	if (ret)
		return ret;
	siw_ring_unmap(&srq->ring);
	free_srq(srq);
	return 0;
}

int siw_post_srq_recv(struct ibv_srq *ibsrq, struct ibv_recv_wr *wr,
		      struct ibv_recv_wr **bad_wr)
{
	struct siw_srq *srq = to_siw_srq(ibsrq);
	int ret = 0;

	siw_lock(&srq->lock);
	for (; wr; wr = wr->next) {
		ret = siw_put_rqe(&srq->ring, srq->max_sge, wr);
		if (ret) {
			*bad_wr = wr;
			break;
		}
	}
	siw_unlock(&srq->lock);
	return ret;
}
