// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The ibv_wr_* interface: a batch is built in the ring, its flags kept aside,
 * and handed over as a whole by wr_complete. From wr_start until then the SQ
 * is locked.
 */

#include "sqe.h"

static struct siw_qp *qp_of(struct ibv_qp_ex *ibqp)
{
	return siw_container(ibqp, struct siw_qp, vqp.qp_ex);
}

static void fail(struct siw_sq *sq, int err)
{
	sq->cur = NULL;
	if (!sq->err)
		sq->err = err;
}

static uint16_t *cur_flags(struct siw_sq *sq)
{
	return &sq->flags[(sq->ring.pos - 1) & sq->ring.mask];
}

/* Begin an element; NULL if the batch has failed or the ring is full */
static struct siw_sqe *begin(struct ibv_qp_ex *ibqp, enum ibv_wr_opcode opcode,
			     uint32_t rkey, uint64_t raddr)
{
	const struct siw_send_op *op = &siw_send_op_table[opcode];
	struct siw_qp *qp = qp_of(ibqp);
	struct siw_sq *sq = &qp->sq;

	if (sq->err)
		return NULL;
	sq->cur = siw_next_sqe(sq);
	if (!sq->cur || sq->ring.pos - sq->batch > sq->ring.mask) {
		fail(sq, ENOMEM);
		return NULL;
	}
	sq->cur_op = op;
	siw_put_head(qp, sq->cur, op, ibqp->wr_id, rkey, raddr);
	sq->ring.pos++;
	*cur_flags(sq) = siw_sqe_flags(qp, op, ibqp->wr_flags);
	return sq->cur;
}

static void wr_send(struct ibv_qp_ex *qp)
{
	begin(qp, IBV_WR_SEND, 0, 0);
}

static void wr_send_imm(struct ibv_qp_ex *qp, __be32 imm_data)
{
	struct siw_sqe *sqe = begin(qp, IBV_WR_SEND_WITH_IMM, 0, 0);

	if (sqe)
		siw_sqe_to_ext(sqe)->imm_data = imm_data;
}

static void wr_send_inv(struct ibv_qp_ex *qp, uint32_t rkey)
{
	begin(qp, IBV_WR_SEND_WITH_INV, rkey, 0);
}

static void wr_rdma_write(struct ibv_qp_ex *qp, uint32_t rkey, uint64_t raddr)
{
	begin(qp, IBV_WR_RDMA_WRITE, rkey, raddr);
}

static void wr_rdma_write_imm(struct ibv_qp_ex *qp, uint32_t rkey,
			      uint64_t raddr, __be32 imm_data)
{
	struct siw_sqe *sqe;

	sqe = begin(qp, IBV_WR_RDMA_WRITE_WITH_IMM, rkey, raddr);
	if (sqe)
		siw_sqe_to_ext(sqe)->imm_data = imm_data;
}

static void wr_rdma_read(struct ibv_qp_ex *qp, uint32_t rkey, uint64_t raddr)
{
	begin(qp, IBV_WR_RDMA_READ, rkey, raddr);
}

static void wr_atomic_cmp_swp(struct ibv_qp_ex *qp, uint32_t rkey,
			      uint64_t raddr, uint64_t compare, uint64_t swap)
{
	struct siw_sqe *sqe;

	sqe = begin(qp, IBV_WR_ATOMIC_CMP_AND_SWP, rkey, raddr);
	if (sqe)
		siw_put_atomic(sqe, compare, swap);
}

static void wr_atomic_fetch_add(struct ibv_qp_ex *qp, uint32_t rkey,
				uint64_t raddr, uint64_t add)
{
	struct siw_sqe *sqe;

	sqe = begin(qp, IBV_WR_ATOMIC_FETCH_AND_ADD, rkey, raddr);
	if (sqe)
		siw_put_atomic(sqe, add, 0);
}

static void wr_local_inv(struct ibv_qp_ex *qp, uint32_t rkey)
{
	begin(qp, IBV_WR_LOCAL_INV, rkey, 0);
}

static void wr_bind_mw(struct ibv_qp_ex *qp, struct ibv_mw *mw, uint32_t rkey,
		       const struct ibv_mw_bind_info *info)
{
	struct siw_sqe *sqe;

	if (!siw_bind_is_valid(mw, rkey, info)) {
		fail(&qp_of(qp)->sq, EINVAL);
		return;
	}
	sqe = begin(qp, IBV_WR_BIND_MW, rkey, info->addr);
	if (sqe)
		siw_put_bind(sqe, info);
}

static void wr_set_sge_list(struct ibv_qp_ex *ibqp, size_t num,
			    const struct ibv_sge *list)
{
	struct siw_qp *qp = qp_of(ibqp);
	struct siw_sq *sq = &qp->sq;

	if (sq->cur && siw_put_sges(qp, sq->cur, sq->cur_op, list, num))
		fail(sq, EINVAL);
}

static void wr_set_sge(struct ibv_qp_ex *qp, uint32_t lkey, uint64_t addr,
		       uint32_t length)
{
	struct ibv_sge sge = { .addr = addr, .length = length, .lkey = lkey };

	wr_set_sge_list(qp, 1, &sge);
}

static void wr_set_inline_data_list(struct ibv_qp_ex *ibqp, size_t num,
				    const struct ibv_data_buf *list)
{
	struct siw_qp *qp = qp_of(ibqp);
	struct siw_sq *sq = &qp->sq;
	size_t used = 0;
	size_t i;

	if (!sq->cur)
		return;
	if (siw_check_inline(qp, sq->cur_op)) {
		fail(sq, EINVAL);
		return;
	}
	for (i = 0; i < num; i++) {
		if (siw_put_inline(qp, sq->cur, &used, list[i].addr,
				   list[i].length)) {
			fail(sq, EINVAL);
			return;
		}
	}
	*cur_flags(sq) |= siw_end_inline(qp, sq->cur, used);
}

static void wr_set_inline_data(struct ibv_qp_ex *qp, void *addr, size_t length)
{
	struct ibv_data_buf buf = { .addr = addr, .length = length };

	wr_set_inline_data_list(qp, 1, &buf);
}

static void wr_start(struct ibv_qp_ex *ibqp)
{
	struct siw_sq *sq = &qp_of(ibqp)->sq;

	siw_lock(&sq->lock);
	sq->batch = sq->ring.pos;
	sq->cur = NULL;
	sq->err = 0;
}

static int wr_complete(struct ibv_qp_ex *ibqp)
{
	struct siw_qp *qp = qp_of(ibqp);
	struct siw_sq *sq = &qp->sq;
	struct siw_sqe *sqe;
	uint32_t pos;
	int ret;

	ret = sq->err;
	if (ret) {
		sq->ring.pos = sq->batch;
	} else {
		for (pos = sq->batch; pos != sq->ring.pos; pos++) {
			sqe = siw_ring_at(&sq->ring, pos);
			siw_wqe_publish(&sqe->flags,
					sq->flags[pos & sq->ring.mask]);
		}
		ret = siw_sq_kick(qp, sq->batch);
	}
	siw_unlock(&sq->lock);
	return ret;
}

static void wr_abort(struct ibv_qp_ex *ibqp)
{
	struct siw_sq *sq = &qp_of(ibqp)->sq;

	sq->ring.pos = sq->batch;
	siw_unlock(&sq->lock);
}

static uint64_t supported(const struct siw_qp *qp)
{
	uint64_t flags = 0;
	unsigned int i;

	for (i = 0; i < SIW_NUM_WR_OPCODES; i++)
		if (qp->sq.ops & 1U << i)
			flags |= siw_send_op_table[i].qp_ex;
	return flags;
}

/**
 * siw_set_wr_functions() - give a new queue pair the ibv_wr_* interface
 * @qp: the queue pair, complete otherwise
 * @send_ops: bits of enum ibv_qp_create_send_ops_flags the application wants
 *
 * Functions nobody asked for stay NULL: calling one is a programming error.
 *
 * Return: 0; EOPNOTSUPP if one of the operations does not exist here.
 */
int siw_set_wr_functions(struct siw_qp *qp, uint64_t send_ops)
{
	struct ibv_qp_ex *ex = &qp->vqp.qp_ex;

	if (send_ops & ~supported(qp))
		return EOPNOTSUPP;
	ex->wr_start = wr_start;
	ex->wr_complete = wr_complete;
	ex->wr_abort = wr_abort;
	ex->wr_set_sge = wr_set_sge;
	ex->wr_set_sge_list = wr_set_sge_list;
	ex->wr_set_inline_data = wr_set_inline_data;
	ex->wr_set_inline_data_list = wr_set_inline_data_list;
	if (send_ops & IBV_QP_EX_WITH_RDMA_WRITE)
		ex->wr_rdma_write = wr_rdma_write;
	if (send_ops & IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM)
		ex->wr_rdma_write_imm = wr_rdma_write_imm;
	if (send_ops & IBV_QP_EX_WITH_SEND)
		ex->wr_send = wr_send;
	if (send_ops & IBV_QP_EX_WITH_SEND_WITH_IMM)
		ex->wr_send_imm = wr_send_imm;
	if (send_ops & IBV_QP_EX_WITH_RDMA_READ)
		ex->wr_rdma_read = wr_rdma_read;
	if (send_ops & IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP)
		ex->wr_atomic_cmp_swp = wr_atomic_cmp_swp;
	if (send_ops & IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD)
		ex->wr_atomic_fetch_add = wr_atomic_fetch_add;
	if (send_ops & IBV_QP_EX_WITH_LOCAL_INV)
		ex->wr_local_inv = wr_local_inv;
	if (send_ops & IBV_QP_EX_WITH_BIND_MW)
		ex->wr_bind_mw = wr_bind_mw;
	if (send_ops & IBV_QP_EX_WITH_SEND_WITH_INV)
		ex->wr_send_inv = wr_send_inv;
	qp->vqp.comp_mask |= VERBS_QP_EX;
	return 0;
}
