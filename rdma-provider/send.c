// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Posting to the send queue: ibv_post_send() and the doorbell rule.
 */

#include "sqe.h"

#define SIW_FEAT_EXT_RINGS (SIW_FEAT_EXT_QP | SIW_FEAT_EXT_CQ)

const struct siw_send_op siw_send_op_table[SIW_NUM_WR_OPCODES] = {
	[IBV_WR_RDMA_WRITE] = {
		.op = SIW_OP_WRITE,
		.flags = SIW_SOP_KNOWN | SIW_SOP_INLINE_V1 | SIW_SOP_INLINE_EXT,
		.qp_ex = IBV_QP_EX_WITH_RDMA_WRITE,
	},
	[IBV_WR_RDMA_WRITE_WITH_IMM] = {
		.op = SIW_OP_EXT_WRITE_WITH_IMM,
		.flags = SIW_SOP_KNOWN | SIW_SOP_EVENT | SIW_SOP_INLINE_EXT,
		.features = SIW_FEAT_EXT_RINGS | SIW_FEAT_IMM,
		.qp_ex = IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM,
	},
	[IBV_WR_SEND] = {
		.op = SIW_OP_SEND,
		.flags = SIW_SOP_KNOWN | SIW_SOP_EVENT | SIW_SOP_INLINE_V1 |
			 SIW_SOP_INLINE_EXT,
		.qp_ex = IBV_QP_EX_WITH_SEND,
	},
	[IBV_WR_SEND_WITH_IMM] = {
		.op = SIW_OP_SEND_WITH_IMM,
		.flags = SIW_SOP_KNOWN | SIW_SOP_EVENT | SIW_SOP_INLINE_EXT,
		.features = SIW_FEAT_EXT_RINGS | SIW_FEAT_IMM,
		.qp_ex = IBV_QP_EX_WITH_SEND_WITH_IMM,
	},
	[IBV_WR_RDMA_READ] = {
		.op = SIW_OP_READ,
		.flags = SIW_SOP_KNOWN | SIW_SOP_ONE_SGE,
		.qp_ex = IBV_QP_EX_WITH_RDMA_READ,
	},
	[IBV_WR_ATOMIC_CMP_AND_SWP] = {
		.op = SIW_OP_COMP_AND_SWAP,
		.flags = SIW_SOP_KNOWN | SIW_SOP_ONE_SGE,
		.features = SIW_FEAT_EXT_RINGS | SIW_FEAT_ATOMIC,
		.qp_ex = IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP,
	},
	[IBV_WR_ATOMIC_FETCH_AND_ADD] = {
		.op = SIW_OP_FETCH_AND_ADD,
		.flags = SIW_SOP_KNOWN | SIW_SOP_ONE_SGE,
		.features = SIW_FEAT_EXT_RINGS | SIW_FEAT_ATOMIC,
		.qp_ex = IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD,
	},
	[IBV_WR_LOCAL_INV] = {
		.op = SIW_OP_INVAL_STAG,
		.flags = SIW_SOP_KNOWN | SIW_SOP_NO_DATA,
		.features = SIW_FEAT_EXT_RINGS | SIW_FEAT_LOCAL_INV,
		.qp_ex = IBV_QP_EX_WITH_LOCAL_INV,
	},
	[IBV_WR_BIND_MW] = {
		.op = SIW_OP_EXT_BIND_MW,
		.flags = SIW_SOP_KNOWN | SIW_SOP_NO_DATA,
		.features = SIW_FEAT_EXT_RINGS | SIW_FEAT_MW,
		.qp_ex = IBV_QP_EX_WITH_BIND_MW,
	},
	[IBV_WR_SEND_WITH_INV] = {
		.op = SIW_OP_SEND_REMOTE_INV,
		.flags = SIW_SOP_KNOWN | SIW_SOP_EVENT | SIW_SOP_INLINE_EXT,
		.qp_ex = IBV_QP_EX_WITH_SEND_WITH_INV,
	},
};

/**
 * siw_send_ops() - which work requests a queue pair takes
 * @qp: the queue pair, its layout known
 *
 * Return: a bit per enum ibv_wr_opcode.
 */
uint32_t siw_send_ops(const struct siw_qp *qp)
{
	uint32_t ops = 0;
	unsigned int i;

	for (i = 0; i < SIW_NUM_WR_OPCODES; i++) {
		const struct siw_send_op *op = &siw_send_op_table[i];

		if (op->flags & SIW_SOP_KNOWN &&
		    siw_has(qp->vqp.qp.context, op->features))
			ops |= 1U << i;
	}
	return ops;
}

static int check_opcode(const struct siw_qp *qp, unsigned int opcode)
{
	if (opcode < SIW_NUM_WR_OPCODES && qp->sq.ops & 1U << opcode)
		return 0;
	return opcode <= IBV_WR_DRIVER1 ? EOPNOTSUPP : EINVAL;
}

static int put_data(struct siw_qp *qp, struct siw_sqe *sqe,
		    const struct siw_send_op *op, const struct ibv_send_wr *wr,
		    uint16_t *flags)
{
	size_t used = 0;
	int ret;
	int i;

	if (wr->num_sge < 0)
		return EINVAL;
	if (!(wr->send_flags & IBV_SEND_INLINE) ||
	    op->flags & SIW_SOP_NO_DATA)
		return siw_put_sges(qp, sqe, op, wr->sg_list, wr->num_sge);
	ret = siw_check_inline(qp, op);
	for (i = 0; !ret && i < wr->num_sge; i++)
		ret = siw_put_inline(qp, sqe, &used,
				     (void *)(uintptr_t)wr->sg_list[i].addr,
				     wr->sg_list[i].length);
	if (!ret)
		*flags |= siw_end_inline(qp, sqe, used);
	return ret;
}

/* What the opcodes differ in; the rest is the same for all of them */
static int put_wr(struct siw_qp *qp, struct siw_sqe *sqe,
		  const struct siw_send_op *op, const struct ibv_send_wr *wr)
{
	uint32_t rkey = 0;
	uint64_t raddr = 0;

	switch (wr->opcode) {
	case IBV_WR_RDMA_WRITE_WITH_IMM:
		siw_sqe_to_ext(sqe)->imm_data = wr->imm_data;
		fallthrough;
	case IBV_WR_RDMA_WRITE:
	case IBV_WR_RDMA_READ:
		rkey = wr->wr.rdma.rkey;
		raddr = wr->wr.rdma.remote_addr;
		break;
	case IBV_WR_SEND_WITH_IMM:
		siw_sqe_to_ext(sqe)->imm_data = wr->imm_data;
		break;
	case IBV_WR_SEND_WITH_INV:
	case IBV_WR_LOCAL_INV:
		rkey = wr->invalidate_rkey;
		break;
	case IBV_WR_ATOMIC_CMP_AND_SWP:
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		rkey = wr->wr.atomic.rkey;
		raddr = wr->wr.atomic.remote_addr;
		siw_put_atomic(sqe, wr->wr.atomic.compare_add,
			       wr->wr.atomic.swap);
		break;
	case IBV_WR_BIND_MW:
		if (!siw_bind_is_valid(wr->bind_mw.mw, wr->bind_mw.rkey,
				       &wr->bind_mw.bind_info))
			return EINVAL;
		siw_put_bind(sqe, &wr->bind_mw.bind_info);
		rkey = wr->bind_mw.rkey;
		raddr = wr->bind_mw.bind_info.addr;
		break;
	default:
		break;
	}
	siw_put_head(qp, sqe, op, wr->wr_id, rkey, raddr);
	return 0;
}

static int post_one(struct siw_qp *qp, const struct ibv_send_wr *wr)
{
	const struct siw_send_op *op;
	struct siw_sqe *sqe;
	uint16_t flags;
	int ret;

	ret = check_opcode(qp, wr->opcode);
	if (ret)
		return ret;
	op = &siw_send_op_table[wr->opcode];
	sqe = siw_next_sqe(&qp->sq);
	if (!sqe)
		return ENOMEM;
	flags = siw_sqe_flags(qp, op, wr->send_flags);
	ret = put_wr(qp, sqe, op, wr);
	if (!ret)
		ret = put_data(qp, sqe, op, wr, &flags);
	if (ret)
		return ret;
	siw_wqe_publish(&sqe->flags, flags);
	qp->sq.ring.pos++;
	return 0;
}

/*
 * Does the kernel need a doorbell to see the elements from @first on? Not if
 * the one before @first still waits to be started: then it looks at the next
 * slot by itself. A batch as large as the ring has no element before it.
 */
static bool needs_doorbell(const struct siw_qp *qp, uint32_t first)
{
	const struct siw_ring *ring = &qp->sq.ring;
	struct siw_sqe *prev;
	uint32_t ctrl;

	siw_ring_fence();
	if (qp->ctrl) {
		ctrl = __atomic_load_n(&qp->ctrl->flags, __ATOMIC_RELAXED);
		if (ctrl & SIW_QP_CTRL_ERROR)
			return true;
		if (ctrl & SIW_QP_CTRL_TX_ACTIVE)
			return false;
	}
	if (ring->pos - first > ring->mask)
		return true;
	prev = siw_ring_at(ring, first - 1);
	return !siw_wqe_is_valid(&prev->flags);
}

/*
 * Take back everything from @first on, last first. Should the kernel have
 * started one of them it is at work in spite of what it answered, and will
 * find the others: they stay posted.
 */
static bool withdraw(struct siw_sq *sq, uint32_t first)
{
	struct siw_ring *ring = &sq->ring;
	struct siw_sqe *sqe;
	uint32_t pos = ring->pos;
	uint16_t flags;

	while (pos != first) {
		sqe = siw_ring_at(ring, pos - 1);
		flags = siw_wqe_withdraw(&sqe->flags);
		if (!(flags & SIW_WQE_VALID))
			break;
		pos--;
		sq->flags[pos & ring->mask] = flags;
	}
	if (pos == first) {
		ring->pos = first;
		return true;
	}
	for (; pos != ring->pos; pos++) {
		sqe = siw_ring_at(ring, pos);
		siw_wqe_publish(&sqe->flags, sq->flags[pos & ring->mask]);
	}
	return false;
}

/**
 * siw_sq_kick() - make sure the kernel sees the elements just published
 * @qp: the queue pair, its SQ locked
 * @first: count of the first of them
 *
 * A stock kernel that has refused a doorbell never looks at what is in the
 * ring, and neither at anything behind it. So nothing must stay there.
 *
 * Return: 0; a positive errno if the doorbell failed, and then nothing from
 * @first on is posted.
 */
int siw_sq_kick(struct siw_qp *qp, uint32_t first)
{
	int ret;

	if (qp->sq.ring.pos == first || !needs_doorbell(qp, first))
		return 0;
	ret = siw_ring_doorbell(qp);
	if (ret && !withdraw(&qp->sq, first))
		ret = 0;
	return ret;
}

int siw_post_send(struct ibv_qp *ibqp, struct ibv_send_wr *wr,
		  struct ibv_send_wr **bad_wr)
{
	struct siw_qp *qp = to_siw_qp(ibqp);
	struct ibv_send_wr *first_wr = wr;
	uint32_t first;
	int ret = 0;
	int err;

	siw_lock(&qp->sq.lock);
	first = qp->sq.ring.pos;
	for (; wr; wr = wr->next) {
		ret = post_one(qp, wr);
		if (ret)
			break;
	}
	err = siw_sq_kick(qp, first);
	siw_unlock(&qp->sq.lock);
	if (err) {
		*bad_wr = first_wr;
		return err;
	}
	if (ret)
		*bad_wr = wr;
	return ret;
}

static int post_bind(struct siw_qp *qp, const struct ibv_mw_bind *bind,
		     uint32_t rkey)
{
	const struct siw_send_op *op = &siw_send_op_table[IBV_WR_BIND_MW];
	uint32_t first = qp->sq.ring.pos;
	struct siw_sqe *sqe;

	sqe = siw_next_sqe(&qp->sq);
	if (!sqe)
		return ENOMEM;
	siw_put_head(qp, sqe, op, bind->wr_id, rkey, 0);
	siw_put_bind(sqe, &bind->bind_info);
	siw_wqe_publish(&sqe->flags, siw_sqe_flags(qp, op, bind->send_flags));
	qp->sq.ring.pos++;
	return siw_sq_kick(qp, first);
}

/* A type 1 window: its next STag is ours to choose */
int siw_bind_mw(struct ibv_qp *ibqp, struct ibv_mw *mw,
		struct ibv_mw_bind *bind)
{
	struct siw_qp *qp = to_siw_qp(ibqp);
	uint32_t rkey;
	int ret;

	ret = check_opcode(qp, IBV_WR_BIND_MW);
	if (ret)
		return ret;
	siw_lock(&qp->sq.lock);
	rkey = ibv_inc_rkey(mw->rkey);
	ret = post_bind(qp, bind, rkey);
	if (!ret)
		mw->rkey = rkey;
	siw_unlock(&qp->sq.lock);
	return ret;
}
