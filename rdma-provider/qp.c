// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Queue pairs: life cycle and state.
 */
#define _GNU_SOURCE

#include <stdlib.h>
#include <unistd.h>

#include "siw.h"

/* The doorbell never changes, so that ringing is a write() and nothing else */
static void init_doorbell(struct siw_qp *qp)
{
	struct ibv_post_send *cmd = &qp->db.cmd;

	cmd->head.hdr.command = IB_USER_VERBS_CMD_POST_SEND;
	cmd->head.hdr.in_words = sizeof(qp->db) / 4;
	cmd->head.hdr.out_words = sizeof(qp->db_resp) / 4;
	cmd->req.response = (uintptr_t)&qp->db_resp;
	cmd->req.qp_handle = qp->vqp.qp.handle;
	cmd->req.wqe_size = SIW_DOORBELL_WQE_SIZE;
}

static int map_sq(struct siw_qp *qp, int fd,
		  const struct siw_uresp_create_qp_ext *drv)
{
	uint32_t stride = sizeof(struct siw_sqe);
	size_t tail = 0;
	int ret;

	if (qp->ext) {
		stride = drv->sqe_stride;
		tail = sizeof(struct siw_qp_ctrl);
		if (stride < SIW_EXT_STRIDE_UNIT || stride % 8)
			return EPROTO;
	}
	ret = siw_ring_map(&qp->sq.ring, fd, drv->v1.sq_key, drv->v1.num_sqe,
			   stride, tail);
	if (ret)
		return ret;
	if (qp->ext)
		qp->ctrl = siw_ring_tail(&qp->sq.ring);
	qp->sq.flags = calloc(drv->v1.num_sqe, sizeof(*qp->sq.flags));
	return qp->sq.flags ? 0 : ENOMEM;
}

/*
 * There is nothing to map for a QP with an SRQ, although the kernel reports a
 * size then, nor for one without receives. The key tells neither.
 */
static int map_rq(struct siw_qp *qp, int fd,
		  const struct siw_uresp_create_qp_ext *drv)
{
	uint32_t stride = sizeof(struct siw_rqe);

	if (qp->vqp.qp.srq || !drv->v1.num_rqe)
		return 0;
	if (qp->ext) {
		stride = drv->rqe_stride;
		if (stride < SIW_EXT_STRIDE_UNIT || stride % 8)
			return EPROTO;
	}
	return siw_ring_map(&qp->rq.ring, fd, drv->v1.rq_key, drv->v1.num_rqe,
			    stride, 0);
}

static void unmap_rings(struct siw_qp *qp)
{
	siw_ring_unmap(&qp->rq.ring);
	siw_ring_unmap(&qp->sq.ring);
	free(qp->sq.flags);
}

/* Limits are what the application asked for: the kernel may enforce them */
static void set_limits(struct siw_qp *qp, struct ibv_qp_cap *cap,
		       const struct siw_uresp_create_qp_ext *drv)
{
	qp->sq.max_sge = cap->max_send_sge;
	qp->rq.max_sge = cap->max_recv_sge;
	if (qp->ext) {
		qp->sq.data_off = offsetof(struct siw_sqe_ext, sge);
		qp->sq.inline_off = offsetof(struct siw_sqe_ext, sge);
		qp->sq.max_inline = drv->max_inline;
	} else {
		qp->sq.data_off = offsetof(struct siw_sqe, sge);
		qp->sq.inline_off = offsetof(struct siw_sqe, sge[1]);
		qp->sq.max_inline = SIW_MAX_INLINE;
	}
	cap->max_inline_data = qp->sq.max_inline;
}

/* SGEs and inline data must fit the elements the kernel has laid out */
static int check_layout(const struct siw_qp *qp)
{
	size_t sq = qp->sq.data_off + qp->sq.max_sge * sizeof(struct siw_sge);
	size_t rq = offsetof(struct siw_rqe, sge) +
		    qp->rq.max_sge * sizeof(struct siw_sge);

	if (sq > qp->sq.ring.stride ||
	    qp->sq.inline_off + qp->sq.max_inline > qp->sq.ring.stride)
		return EPROTO;
	if (qp->rq.ring.base && rq > qp->rq.ring.stride)
		return EPROTO;
	return 0;
}

static int check_qp_attr(const struct ibv_qp_init_attr_ex *attr, bool ext)
{
	const uint32_t known = IBV_QP_INIT_ATTR_PD |
			       IBV_QP_INIT_ATTR_CREATE_FLAGS |
			       IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
	uint32_t sge = ext ? SIW_EXT_MAX_SEND_SGE : SIW_MAX_SGE;
	uint32_t recv_sge = ext ? SIW_EXT_MAX_RECV_SGE : SIW_MAX_SGE;
	uint32_t data = ext ? SIW_EXT_MAX_INLINE : SIW_MAX_INLINE;
	/* what a QP with an SRQ would receive itself is ignored */
	bool rq = !attr->srq;

	if (!(attr->comp_mask & IBV_QP_INIT_ATTR_PD) || !attr->pd)
		return EINVAL;
	if (attr->comp_mask & ~known || attr->qp_type != IBV_QPT_RC)
		return EOPNOTSUPP;
	if (attr->comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS &&
	    attr->create_flags)
		return EOPNOTSUPP;
	if (attr->cap.max_send_sge > sge || attr->cap.max_inline_data > data ||
	    (rq && attr->cap.max_recv_sge > recv_sge))
		return EINVAL;
	return 0;
}

/*
 * For how many microseconds a thread of the kernel shall look at a new SQ in vain:
 * the user's word, so that programs need not know. 0: not at all.
 */
static uint32_t wanted_sq_poll(struct ibv_context *context)
{
	const char *text = secure_getenv("SIW_SQ_POLL");
	unsigned long us;
	char *end;

	if (!text || *text < '0' || *text > '9' ||
	    !siw_has(context, SIW_FEAT_SQ_POLL))
		return 0;
	us = strtoul(text, &end, 10);
	if (*end)
		return 0;
	return us < UINT32_MAX ? us : UINT32_MAX;
}

static int create_qp_cmd(struct siw_qp *qp, struct ibv_context *context,
			 struct ibv_qp_init_attr_ex *attr,
			 struct siw_create_qp_resp *resp)
{
	size_t resp_size = offsetof(struct siw_create_qp_resp, drv) +
			   sizeof(resp->drv.v1);
	struct siw_create_qp_req req = {};
	size_t req_size = sizeof(req.cmd);
	struct ibv_qp_init_attr_ex core = *attr;
	int ret;

	if (qp->ext) {
		req.drv.layout = SIW_EXT_LAYOUT;
		req.drv.sq_poll = wanted_sq_poll(context);
		req_size = sizeof(req);
		resp_size = sizeof(*resp);
	}
	/* The kernel makes no QP without an SQ, applications do */
	if (!core.cap.max_send_wr)
		core.cap.max_send_wr = 1;
	core.comp_mask = IBV_QP_INIT_ATTR_PD;
	ret = ibv_cmd_create_qp_ex(context, &qp->vqp, &core, &req.cmd,
				   req_size, &resp->core, resp_size);
	if (!ret)
		attr->cap = core.cap;
	return ret;
}

static int finish_qp(struct siw_qp *qp, struct ibv_qp_init_attr_ex *attr,
		     const struct siw_uresp_create_qp_ext *drv)
{
	int fd = attr->pd->context->cmd_fd;
	int ret;

	qp->sig_all = attr->sq_sig_all;
	set_limits(qp, &attr->cap, drv);
	ret = map_sq(qp, fd, drv);
	if (!ret)
		ret = map_rq(qp, fd, drv);
	if (!ret)
		ret = check_layout(qp);
	if (ret)
		return ret;
	init_doorbell(qp);
	qp->sq.ops = siw_send_ops(qp);
	if (attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS)
		return siw_set_wr_functions(qp, attr->send_ops_flags);
	return 0;
}

struct ibv_qp *siw_create_qp_ex(struct ibv_context *context,
				struct ibv_qp_init_attr_ex *attr)
{
	bool ext = siw_has(context, SIW_FEAT_EXT_QP);
	struct siw_create_qp_resp resp = {};
	struct siw_home home;
	struct siw_qp *qp;
	bool unused;
	int ret;

	errno = check_qp_attr(attr, ext);
	if (errno)
		return NULL;
	qp = siw_obj_alloc(attr->pd, sizeof(*qp), SIW_RESOURCE_QP, &home);
	if (!qp)
		return NULL;
	qp->home = home;
	qp->ext = ext;
	unused = siw_single_threaded(&home);
	siw_lock_init(&qp->sq.lock, unused);
	siw_lock_init(&qp->rq.lock, unused);
	ret = create_qp_cmd(qp, context, attr, &resp);
	if (ret)
		goto free_qp;
	ret = finish_qp(qp, attr, &resp.drv);
	if (ret)
		goto destroy_qp;
	return &qp->vqp.qp;

destroy_qp:
	ibv_cmd_destroy_qp(&qp->vqp.qp);
	unmap_rings(qp);
free_qp:
	siw_lock_destroy(&qp->sq.lock);
	siw_lock_destroy(&qp->rq.lock);
	siw_obj_free(home, qp, SIW_RESOURCE_QP);
	errno = ret;
	return NULL;
}

struct ibv_qp *siw_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
	struct ibv_qp_init_attr_ex ex = {
		.qp_context = attr->qp_context,
		.send_cq = attr->send_cq,
		.recv_cq = attr->recv_cq,
		.srq = attr->srq,
		.cap = attr->cap,
		.qp_type = attr->qp_type,
		.sq_sig_all = attr->sq_sig_all,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = pd,
	};
	struct ibv_qp *qp;

	qp = siw_create_qp_ex(pd->context, &ex);
	if (qp)
		attr->cap = ex.cap;
	return qp;
}

static void forget_completions(struct ibv_qp *qp)
{
	siw_cq_forget(qp->send_cq, qp->qp_num);
	if (qp->recv_cq != qp->send_cq)
		siw_cq_forget(qp->recv_cq, qp->qp_num);
}

/*
 * Up to Linux 6.4 the kernel's GID table is empty for an instant when an
 * address of the netdev comes or goes.
 */
static int modify_again(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask)
{
	struct ibv_modify_qp cmd;
	int ret, tries = 10;

	for (;;) {
		memset(&cmd, 0, sizeof(cmd));
		ret = ibv_cmd_modify_qp(qp, attr, mask, &cmd, sizeof(cmd));
		if (ret != ENODATA || !(mask & IBV_QP_AV) || !--tries)
			return ret;
		usleep(1000);
	}
}

int siw_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask)
{
	int ret = modify_again(qp, attr, mask);

	/* as of a queue pair just created: the kernel has emptied the rings */
	if (!ret && mask & IBV_QP_STATE && attr->qp_state == IBV_QPS_RESET)
		forget_completions(qp);
	return ret;
}

int siw_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
		 struct ibv_qp_init_attr *init_attr)
{
	struct ibv_query_qp cmd;

	return ibv_cmd_query_qp(qp, attr, mask, init_attr, &cmd, sizeof(cmd));
}

int siw_destroy_qp(struct ibv_qp *ibqp)
{
	struct siw_qp *qp = to_siw_qp(ibqp);
	int ret;

	ret = ibv_cmd_destroy_qp(ibqp);
	if (ret)
		return ret;
	forget_completions(ibqp);
	unmap_rings(qp);
	siw_lock_destroy(&qp->sq.lock);
	siw_lock_destroy(&qp->rq.lock);
	siw_obj_free(qp->home, qp, SIW_RESOURCE_QP);
	return 0;
}
