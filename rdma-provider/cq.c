// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Completion queues: life cycle, polling, arming. None but the life cycle
 * enters the kernel.
 */

#include <string.h>

#include "siw.h"

/* By the kernel's opcode, any octet: the verbs' opcode + 1, or 0 for none */
static const uint8_t wc_opcode[256] = {
	[SIW_OP_WRITE] = 1 + IBV_WC_RDMA_WRITE,
	[SIW_OP_READ] = 1 + IBV_WC_RDMA_READ,
	[SIW_OP_READ_LOCAL_INV] = 1 + IBV_WC_RDMA_READ,
	[SIW_OP_SEND] = 1 + IBV_WC_SEND,
	[SIW_OP_SEND_WITH_IMM] = 1 + IBV_WC_SEND,
	[SIW_OP_SEND_REMOTE_INV] = 1 + IBV_WC_SEND,
	[SIW_OP_FETCH_AND_ADD] = 1 + IBV_WC_FETCH_ADD,
	[SIW_OP_COMP_AND_SWAP] = 1 + IBV_WC_COMP_SWAP,
	[SIW_OP_RECEIVE] = 1 + IBV_WC_RECV,
	[SIW_OP_INVAL_STAG] = 1 + IBV_WC_LOCAL_INV,
	[SIW_OP_EXT_WRITE_WITH_IMM] = 1 + IBV_WC_RDMA_WRITE,
	[SIW_OP_EXT_BIND_MW] = 1 + IBV_WC_BIND_MW,
	[SIW_OP_EXT_RECV_WRITE_IMM] = 1 + IBV_WC_RECV_RDMA_WITH_IMM,
};

static const uint8_t wc_status[SIW_NUM_EXT_WC_STATUS] = {
	[SIW_WC_SUCCESS] = IBV_WC_SUCCESS,
	[SIW_WC_LOC_LEN_ERR] = IBV_WC_LOC_LEN_ERR,
	[SIW_WC_LOC_PROT_ERR] = IBV_WC_LOC_PROT_ERR,
	[SIW_WC_LOC_QP_OP_ERR] = IBV_WC_LOC_QP_OP_ERR,
	[SIW_WC_WR_FLUSH_ERR] = IBV_WC_WR_FLUSH_ERR,
	[SIW_WC_BAD_RESP_ERR] = IBV_WC_BAD_RESP_ERR,
	[SIW_WC_LOC_ACCESS_ERR] = IBV_WC_LOC_ACCESS_ERR,
	[SIW_WC_REM_ACCESS_ERR] = IBV_WC_REM_ACCESS_ERR,
	[SIW_WC_REM_INV_REQ_ERR] = IBV_WC_REM_INV_REQ_ERR,
	[SIW_WC_GENERAL_ERR] = IBV_WC_GENERAL_ERR,
	[SIW_NUM_WC_STATUS ... SIW_WC_EXT_MW_BIND_ERR - 1] = IBV_WC_GENERAL_ERR,
	[SIW_WC_EXT_MW_BIND_ERR] = IBV_WC_MW_BIND_ERR,
	[SIW_WC_EXT_REM_OP_ERR] = IBV_WC_REM_OP_ERR,
	[SIW_WC_EXT_RNR_ERR] = IBV_WC_RNR_RETRY_EXC_ERR,
};

static enum ibv_wc_opcode cqe_opcode(const struct siw_cqe_ext *cqe)
{
	uint8_t op = wc_opcode[cqe->opcode];

	return op ? op - 1 : IBV_WC_SEND;
}

/* The kernel's number indexes our table only after a check */
static enum ibv_wc_status cqe_status(const struct siw_cqe_ext *cqe)
{
	uint16_t status = __atomic_load_n(&cqe->status, __ATOMIC_RELAXED);

	if (status >= SIW_NUM_EXT_WC_STATUS || !wc_opcode[cqe->opcode])
		return IBV_WC_GENERAL_ERR;
	return wc_status[status];
}

static unsigned int cqe_wc_flags(const struct siw_cqe_ext *cqe)
{
	unsigned int flags = 0;

	if (cqe->status != SIW_WC_SUCCESS)
		return 0;
	if (cqe->flags & SIW_CQE_WITH_IMM)
		flags |= IBV_WC_WITH_IMM;
	if (cqe->flags & SIW_CQE_WITH_INV)
		flags |= IBV_WC_WITH_INV;
	return flags;
}

/* Everything the rest of this file reads from a version 1 CQE */
static void from_v1(struct siw_cqe_ext *out, const struct siw_cqe *cqe)
{
	out->id = cqe->id;
	out->flags = SIW_CQE_VALID;
	out->opcode = cqe->opcode;
	out->status = cqe->status;
	out->bytes = cqe->status == SIW_WC_SUCCESS ? cqe->bytes : 0;
	out->imm_data = 0;
	out->qp_num = cqe->qp_id;
	out->timestamp = 0;
}

/* CQEs of both layouts have one size, which the compiler then knows */
static struct siw_cqe *cqe_at(const struct siw_cq *cq, uint32_t pos)
{
	return (struct siw_cqe *)cq->ring.base + (pos & cq->ring.mask);
}

/* Give the slot of the next completion back */
static void release_cqe(struct siw_cq *cq, struct siw_cqe *cqe)
{
	siw_cqe_release(&cqe->flags);
	cq->ring.pos++;
}

/* The next completion, or NULL */
static inline struct siw_cqe *next_valid(struct siw_cq *cq)
{
	struct siw_cqe *cqe = cqe_at(cq, cq->ring.pos);

	return siw_cqe_is_valid(&cqe->flags) ? cqe : NULL;
}

static uint32_t cqe_qp_num(const struct siw_cq *cq, const struct siw_cqe *cqe)
{
	return cq->ext ? ((const struct siw_cqe_ext *)cqe)->qp_num :
			 (uint32_t)cqe->qp_id;
}

/* Completions that wait */
static uint32_t count_valid(const struct siw_cq *cq)
{
	uint32_t n = 0;

	while (n <= cq->ring.mask &&
	       siw_cqe_is_valid(&cqe_at(cq, cq->ring.pos + n)->flags))
		n++;
	return n;
}

/**
 * siw_cq_forget() - drop the completions of a queue pair that is gone, or reset
 * @ibcq: where it completed to; NULL does nothing
 * @qp_num: its number, which another queue pair may get at once
 *
 * An application that has destroyed a queue pair has freed what the wr_ids of
 * its requests point to. It may count on their slots, too: the others move up
 * behind each other, which gives back those at the front.
 */
void siw_cq_forget(struct ibv_cq *ibcq, uint32_t qp_num)
{
	struct siw_cq *cq;
	struct siw_cqe *cqe;
	uint32_t i, to;

	if (!ibcq)
		return;
	cq = to_siw_cq(ibcq);
	siw_lock(&cq->lock);
	i = count_valid(cq);
	to = i;
	while (i--) {
		cqe = cqe_at(cq, cq->ring.pos + i);
		if (cqe_qp_num(cq, cqe) != qp_num)
			*cqe_at(cq, cq->ring.pos + --to) = *cqe;
	}
	while (to--)
		release_cqe(cq, next_valid(cq));
	siw_unlock(&cq->lock);
}

static inline void cqe_to_wc(struct ibv_wc *wc, const struct siw_cqe_ext *cqe)
{
	wc->wr_id = cqe->id;
	wc->opcode = cqe_opcode(cqe);
	wc->imm_data = cqe->imm_data;
	wc->qp_num = cqe->qp_num;
	if (cqe->status == SIW_WC_SUCCESS) {
		wc->status = wc_opcode[cqe->opcode] ? IBV_WC_SUCCESS :
						      IBV_WC_GENERAL_ERR;
		wc->vendor_err = 0;
		wc->byte_len = cqe->bytes;
		wc->wc_flags = cqe_wc_flags(cqe);
	} else {
		wc->status = cqe_status(cqe);
		wc->vendor_err = cqe->vendor_err;
		wc->byte_len = 0;
		wc->wc_flags = 0;
	}
	wc->src_qp = 0;
	wc->pkey_index = 0;
	wc->slid = 0;
	wc->sl = 0;
	wc->dlid_path_bits = 0;
}

int siw_poll_cq(struct ibv_cq *ibcq, int num, struct ibv_wc *wc)
{
	struct siw_cq *cq = to_siw_cq(ibcq);
	struct siw_cqe_ext copy;
	struct siw_cqe *cqe;
	int i;

	siw_lock(&cq->lock);
	for (i = 0; i < num; i++) {
		cqe = next_valid(cq);
		if (!cqe)
			break;
		if (cq->ext) {
			cqe_to_wc(&wc[i], (struct siw_cqe_ext *)cqe);
		} else {
			from_v1(&copy, cqe);
			cqe_to_wc(&wc[i], &copy);
		}
		release_cqe(cq, cqe);
	}
	siw_unlock(&cq->lock);
	return i;
}

/*
 * The caller polls once more after arming. The fence keeps that poll from
 * being done before the kernel can see the word. Who waits for any completion
 * goes on doing so though somebody else waits for a solicited one.
 */
int siw_req_notify_cq(struct ibv_cq *ibcq, int solicited_only)
{
	struct siw_cq *cq = to_siw_cq(ibcq);
	uint32_t word = SIW_NOTIFY_SOLICITED;

	if (!solicited_only)
		word |= SIW_NOTIFY_NEXT_COMPLETION;
	siw_lock(&cq->arm);
	__atomic_fetch_or(&cq->ctrl->flags, word, __ATOMIC_RELAXED);
	siw_ring_fence();
	siw_unlock(&cq->arm);
	return 0;
}

static bool next_cqe(struct siw_cq *cq)
{
	struct siw_cqe *cqe = next_valid(cq);

	if (!cqe)
		return false;
	if (cq->ext)
		memcpy(&cq->cur, cqe, sizeof(cq->cur));
	else
		from_v1(&cq->cur, cqe);
	release_cqe(cq, cqe);
	cq->vcq.cq_ex.wr_id = cq->cur.id;
	cq->vcq.cq_ex.status = cqe_status(&cq->cur);
	return true;
}

static int start_poll(struct ibv_cq_ex *ibcq, struct ibv_poll_cq_attr *attr)
{
	struct siw_cq *cq = siw_container(ibcq, struct siw_cq, vcq.cq_ex);

	if (attr->comp_mask)
		return EINVAL;
	siw_lock(&cq->lock);
	if (next_cqe(cq))
		return 0;
	siw_unlock(&cq->lock);
	return ENOENT;
}

static int next_poll(struct ibv_cq_ex *ibcq)
{
	struct siw_cq *cq = siw_container(ibcq, struct siw_cq, vcq.cq_ex);

	return next_cqe(cq) ? 0 : ENOENT;
}

static void end_poll(struct ibv_cq_ex *ibcq)
{
	struct siw_cq *cq = siw_container(ibcq, struct siw_cq, vcq.cq_ex);

	siw_unlock(&cq->lock);
}

static const struct siw_cqe_ext *cur_cqe(struct ibv_cq_ex *ibcq)
{
	return &siw_container(ibcq, struct siw_cq, vcq.cq_ex)->cur;
}

static enum ibv_wc_opcode read_opcode(struct ibv_cq_ex *cq)
{
	return cqe_opcode(cur_cqe(cq));
}

static uint32_t read_vendor_err(struct ibv_cq_ex *cq)
{
	const struct siw_cqe_ext *cqe = cur_cqe(cq);

	return cqe->status == SIW_WC_SUCCESS ? 0 : cqe->vendor_err;
}

static uint32_t read_byte_len(struct ibv_cq_ex *cq)
{
	const struct siw_cqe_ext *cqe = cur_cqe(cq);

	return cqe->status == SIW_WC_SUCCESS ? cqe->bytes : 0;
}

static __be32 read_imm_data(struct ibv_cq_ex *cq)
{
	return cur_cqe(cq)->imm_data;
}

static uint32_t read_qp_num(struct ibv_cq_ex *cq)
{
	return cur_cqe(cq)->qp_num;
}

static unsigned int read_wc_flags(struct ibv_cq_ex *cq)
{
	return cqe_wc_flags(cur_cqe(cq));
}

static uint64_t read_completion_ts(struct ibv_cq_ex *cq)
{
	return cur_cqe(cq)->timestamp;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static uint64_t read_wallclock_ns(struct ibv_cq_ex *cq)
{
	return cur_cqe(cq)->timestamp + now_ns(CLOCK_REALTIME) -
	       now_ns(CLOCK_MONOTONIC);
}

/* What iWARP has no notion of reads as zero */

static uint32_t read_zero32(struct ibv_cq_ex *cq)
{
	(void)cq;
	return 0;
}

static uint8_t read_zero8(struct ibv_cq_ex *cq)
{
	(void)cq;
	return 0;
}

static void set_poll_functions(struct ibv_cq_ex *cq)
{
	cq->start_poll = start_poll;
	cq->next_poll = next_poll;
	cq->end_poll = end_poll;
	cq->read_opcode = read_opcode;
	cq->read_vendor_err = read_vendor_err;
	cq->read_byte_len = read_byte_len;
	cq->read_imm_data = read_imm_data;
	cq->read_qp_num = read_qp_num;
	cq->read_src_qp = read_zero32;
	cq->read_wc_flags = read_wc_flags;
	cq->read_slid = read_zero32;
	cq->read_sl = read_zero8;
	cq->read_dlid_path_bits = read_zero8;
	cq->read_completion_ts = read_completion_ts;
	cq->read_completion_wallclock_ns = read_wallclock_ns;
}

/* Run the command; in and out are version 1 without the kernel's advert */
static int create_cq_cmd(struct siw_cq *cq, struct ibv_context *context,
			 const struct ibv_cq_init_attr_ex *attr,
			 struct siw_create_cq_resp *resp)
{
	struct siw_create_cq_req req = {};
	size_t req_size = sizeof(req.cmd);

	cq->ext = siw_has(context, SIW_FEAT_EXT_CQ);
	if (cq->ext) {
		req.drv.layout = SIW_EXT_LAYOUT;
		req_size = sizeof(req);
	}
#if SIW_PABI >= 59
	return ibv_cmd_create_cq_ex(context, attr, NULL, &cq->vcq, &req.cmd,
				    req_size, &resp->core, sizeof(*resp), 0);
#else
	return ibv_cmd_create_cq_ex(context, attr, &cq->vcq, &req.cmd,
				    req_size, &resp->core, sizeof(*resp), 0);
#endif
}

static struct siw_cq *new_cq(struct ibv_context *context,
			     const struct ibv_cq_init_attr_ex *attr,
			     struct ibv_pd *pd, bool single_threaded)
{
	struct siw_create_cq_resp resp = {};
	struct siw_home home;
	struct siw_cq *cq;
	int ret;

	cq = siw_obj_alloc(pd, sizeof(*cq), SIW_RESOURCE_CQ, &home);
	if (!cq)
		return NULL;
	cq->home = home;
	single_threaded |= siw_single_threaded(&home);
	siw_lock_init(&cq->lock, single_threaded);
	siw_lock_init(&cq->arm, single_threaded);
	ret = create_cq_cmd(cq, context, attr, &resp);
	if (ret)
		goto free_cq;
	ret = siw_ring_map(&cq->ring, context->cmd_fd, resp.drv.cq_key,
			   resp.drv.num_cqe, sizeof(struct siw_cqe),
			   sizeof(struct siw_cq_ctrl));
	if (ret)
		goto destroy_cq;
	cq->ctrl = siw_ring_tail(&cq->ring);
	set_poll_functions(&cq->vcq.cq_ex);
	return cq;

destroy_cq:
	ibv_cmd_destroy_cq(&cq->vcq.cq);
free_cq:
	siw_lock_destroy(&cq->arm);
	siw_lock_destroy(&cq->lock);
	siw_obj_free(home, cq, SIW_RESOURCE_CQ);
	errno = ret;
	return NULL;
}

struct ibv_cq *siw_create_cq(struct ibv_context *context, int cqe,
			     struct ibv_comp_channel *channel, int vector)
{
	struct ibv_cq_init_attr_ex attr = {
		.cqe = cqe,
		.channel = channel,
		.comp_vector = vector,
	};
	struct siw_cq *cq;

	if (cqe < 1) {
		errno = EINVAL;
		return NULL;
	}
	cq = new_cq(context, &attr, NULL, false);
	return cq ? &cq->vcq.cq : NULL;
}

static int check_cq_ex(struct ibv_context *context,
		       const struct ibv_cq_init_attr_ex *attr)
{
	const uint64_t ts = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |
			    IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK;
	const uint32_t masks = IBV_CQ_INIT_ATTR_MASK_FLAGS |
			       IBV_CQ_INIT_ATTR_MASK_PD;
	const uint32_t flags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED |
			       IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN;

	if (!attr->cqe)
		return EINVAL;
	if (attr->comp_mask & ~masks ||
	    attr->wc_flags & ~(IBV_WC_STANDARD_FLAGS | ts))
		return EOPNOTSUPP;
	if (attr->wc_flags & ts &&
	    !siw_has(context, SIW_FEAT_EXT_CQ | SIW_FEAT_CQ_TS))
		return EOPNOTSUPP;
	if (!(attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS))
		return 0;
	if (attr->flags & ~flags)
		return EOPNOTSUPP;
	if (attr->flags & IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN &&
	    !siw_has(context, SIW_FEAT_IGN_OVERRUN))
		return EOPNOTSUPP;
	return 0;
}

struct ibv_cq_ex *siw_create_cq_ex(struct ibv_context *context,
				   struct ibv_cq_init_attr_ex *attr)
{
	struct ibv_cq_init_attr_ex core = *attr;
	struct ibv_pd *pd = NULL;
	bool single = false;
	struct siw_cq *cq;

	errno = check_cq_ex(context, attr);
	if (errno)
		return NULL;
	if (attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_PD)
		pd = attr->parent_domain;
	if (attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS)
		single = attr->flags & IBV_CREATE_CQ_ATTR_SINGLE_THREADED;
	/* Domains and threads are none of the kernel's business */
	core.comp_mask &= IBV_CQ_INIT_ATTR_MASK_FLAGS;
	/* one timestamp serves both clocks, and the core has one flag */
	if (core.wc_flags & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)
		core.wc_flags |= IBV_WC_EX_WITH_COMPLETION_TIMESTAMP;
	core.flags &= IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN;
	core.parent_domain = NULL;
	cq = new_cq(context, &core, pd, single);
	return cq ? &cq->vcq.cq_ex : NULL;
}

/*
 * Pollers are kept out for the length of a system call; the notify word is
 * taken over by the kernel. Should the new ring not map, the CQ is lost: the
 * kernel writes to it already. The old one stays mapped, so that polling finds
 * nothing rather than a fault.
 */
int siw_resize_cq(struct ibv_cq *ibcq, int cqe)
{
	struct siw_cq *cq = to_siw_cq(ibcq);
	struct siw_resize_cq_resp resp = {};
	struct siw_ring ring = {};
	struct ibv_resize_cq cmd;
	int ret;

	if (!siw_has(ibcq->context, SIW_FEAT_CQ_RESIZE))
		return EOPNOTSUPP;
	if (cqe < 1)
		return EINVAL;
	siw_lock(&cq->lock);
	siw_lock(&cq->arm);
	ret = ibv_cmd_resize_cq(ibcq, cqe, &cmd, sizeof(cmd), &resp.core,
				sizeof(resp));
	if (!ret)
		ret = siw_ring_map(&ring, ibcq->context->cmd_fd,
				   resp.drv.cq_key, resp.drv.num_cqe,
				   sizeof(struct siw_cqe),
				   sizeof(struct siw_cq_ctrl));
	if (!ret) {
		siw_ring_unmap(&cq->ring);
		cq->ring = ring;
		cq->ctrl = siw_ring_tail(&cq->ring);
	}
	siw_unlock(&cq->arm);
	siw_unlock(&cq->lock);
	return ret;
}

int siw_modify_cq(struct ibv_cq *cq, struct ibv_modify_cq_attr *attr)
{
	struct ibv_modify_cq cmd;

	return ibv_cmd_modify_cq(cq, attr, &cmd, sizeof(cmd));
}

int siw_destroy_cq(struct ibv_cq *ibcq)
{
	struct siw_cq *cq = to_siw_cq(ibcq);
	int ret;

	ret = ibv_cmd_destroy_cq(ibcq);
	if (ret)
		return ret;
	siw_ring_unmap(&cq->ring);
	siw_lock_destroy(&cq->arm);
	siw_lock_destroy(&cq->lock);
	siw_obj_free(cq->home, cq, SIW_RESOURCE_CQ);
	return 0;
}
