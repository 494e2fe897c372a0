// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Posting: requests of kernel users, and the doorbell of processes.
 */
#include <siw_ext_abi.h>

#include "counter.h"
#include "mr.h"
#include "qp.h"
#include "ring.h"

static int post_opcode(enum ib_wr_opcode op)
{
	switch (op) {
	case IB_WR_SEND:
		return SIW_OP_SEND;
	case IB_WR_SEND_WITH_INV:
		return SIW_OP_SEND_REMOTE_INV;
	case IB_WR_SEND_WITH_IMM:
		return SIW_OP_SEND_WITH_IMM;
	case IB_WR_RDMA_WRITE:
		return SIW_OP_WRITE;
	case IB_WR_RDMA_WRITE_WITH_IMM:
		return SIW_OP_EXT_WRITE_WITH_IMM;
	case IB_WR_RDMA_READ:
		return SIW_OP_READ;
	case IB_WR_RDMA_READ_WITH_INV:
		return SIW_OP_READ_LOCAL_INV;
	case IB_WR_ATOMIC_FETCH_AND_ADD:
		return SIW_OP_FETCH_AND_ADD;
	case IB_WR_ATOMIC_CMP_AND_SWP:
		return SIW_OP_COMP_AND_SWAP;
	case IB_WR_LOCAL_INV:
		return SIW_OP_INVAL_STAG;
	case IB_WR_REG_MR:
		return SIW_OP_REG_MR;
	default:
		return -EOPNOTSUPP;
	}
}

static u16 post_flags(const struct ib_send_wr *wr)
{
	u16 flags = SIW_WQE_VALID;

	if (wr->send_flags & IB_SEND_SIGNALED)
		flags |= SIW_WQE_SIGNALLED;
	if (wr->send_flags & IB_SEND_SOLICITED)
		flags |= SIW_WQE_SOLICITED;
	if (wr->send_flags & IB_SEND_FENCE)
		flags |= SIW_WQE_READ_FENCE;
	if (wr->send_flags & IB_SEND_INLINE)
		flags |= SIW_WQE_INLINE;
	return flags;
}

static int post_inline(struct siw_qp *qp, struct siw_sqe_ext *slot,
		       const struct ib_send_wr *wr)
{
	void *dst = slot->sge;
	u32 len = 0;
	int i;

	for (i = 0; i < wr->num_sge; i++) {
		const struct ib_sge *sge = &wr->sg_list[i];

		if (sge->length > qp->cap.max_inline_data - len)
			return -EINVAL;
		memcpy(dst + len, (void *)(uintptr_t)sge->addr, sge->length);
		len += sge->length;
	}
	slot->inline_len = len;
	slot->num_sge = 0;
	return 0;
}

static int post_sges(struct siw_qp *qp, struct siw_sqe_ext *slot,
		     const struct ib_send_wr *wr)
{
	int i;

	if (wr->num_sge < 0 || wr->num_sge > qp->cap.max_send_sge)
		return -EINVAL;
	if (wr->send_flags & IB_SEND_INLINE)
		return post_inline(qp, slot, wr);
	slot->num_sge = wr->num_sge;
	for (i = 0; i < wr->num_sge; i++) {
		slot->sge[i].laddr = wr->sg_list[i].addr;
		slot->sge[i].length = wr->sg_list[i].length;
		slot->sge[i].lkey = wr->sg_list[i].lkey;
	}
	return 0;
}

static int post_atomic(struct siw_sqe_ext *slot, const struct ib_send_wr *wr)
{
	struct siw_sqe_atomic *at = (void *)slot->sge;

	if (wr->num_sge != 1 || wr->sg_list[0].length != sizeof(u64))
		return -EINVAL;
	slot->rkey = atomic_wr(wr)->rkey;
	slot->raddr = atomic_wr(wr)->remote_addr;
	at->result.laddr = wr->sg_list[0].addr;
	at->result.lkey = wr->sg_list[0].lkey;
	at->compare_add = atomic_wr(wr)->compare_add;
	at->swap = atomic_wr(wr)->swap;
	return 0;
}

static int post_reg_mr(struct siw_sqe_ext *slot, const struct ib_send_wr *wr)
{
	slot->num_sge = 0;
	slot->raddr = (uintptr_t)to_siw_mr(reg_wr(wr)->mr);
	slot->rkey = reg_wr(wr)->key;
	slot->imm_data = reg_wr(wr)->access;
	return 0;
}

/* Fills a slot that is not handed over yet. */
static int post_fill(struct siw_qp *qp, struct siw_sqe_ext *slot,
		     const struct ib_send_wr *wr)
{
	int op = post_opcode(wr->opcode);

	if (op < 0)
		return op;
	slot->id = wr->wr_id;
	slot->opcode = op;
	switch (op) {
	case SIW_OP_FETCH_AND_ADD:
	case SIW_OP_COMP_AND_SWAP:
		return post_atomic(slot, wr);
	case SIW_OP_REG_MR:
		return post_reg_mr(slot, wr);
	case SIW_OP_INVAL_STAG:
		slot->num_sge = 0;
		slot->rkey = wr->ex.invalidate_rkey;
		return 0;
	case SIW_OP_SEND_REMOTE_INV:
		slot->rkey = wr->ex.invalidate_rkey;
		return post_sges(qp, slot, wr);
	case SIW_OP_SEND_WITH_IMM:
		slot->imm_data = (__force u32)wr->ex.imm_data;
		return post_sges(qp, slot, wr);
	case SIW_OP_SEND:
		return post_sges(qp, slot, wr);
	case SIW_OP_EXT_WRITE_WITH_IMM:
		slot->imm_data = (__force u32)wr->ex.imm_data;
		break;
	}
	slot->rkey = rdma_wr(wr)->rkey;
	slot->raddr = rdma_wr(wr)->remote_addr;
	return post_sges(qp, slot, wr);
}

static int post_kernel(struct siw_qp *qp, const struct ib_send_wr *wr,
		       const struct ib_send_wr **bad_wr)
{
	unsigned long irq;
	int rv = 0;

	spin_lock_irqsave(&qp->sq_lock, irq);
	for (; wr; wr = wr->next) {
		struct siw_sqe_ext *slot = siw_sq_slot(qp, qp->sq_put);

		rv = -ENOMEM;
		/* pairs with siw_sq_load() giving the slot back */
		if (smp_load_acquire(&slot->flags))
			break;
		rv = post_fill(qp, slot, wr);
		if (rv)
			break;
		/* the request before its owner changes */
		smp_store_release(&slot->flags, post_flags(wr));
		qp->sq_put++;
	}
	spin_unlock_irqrestore(&qp->sq_lock, irq);
	if (rv)
		*bad_wr = wr;
	return rv;
}

static void post_run(struct siw_qp *qp)
{
	if (qp->layout == SIW_QP_KERNEL) {
		siw_tx_kick(qp);
		return;
	}
	siw_tx_run(qp);
	siw_poll_wake(qp);
}

/* A kernel user may not be called back from its own call (core_locking.rst). */
static void post_flush(struct siw_qp *qp)
{
	if (!test_bit(SIW_QPF_FLUSHED, &qp->flags))
		return;
	if (qp->layout == SIW_QP_KERNEL) {
		siw_qp_flush_soon(qp);
		return;
	}
	/* another thread may bring the QP to a new life, and post to that */
	mutex_lock(&qp->mutex);
	if (qp->state == IB_QPS_ERR)
		siw_qp_flush_rings(qp);
	mutex_unlock(&qp->mutex);
}

/**
 * siw_post_send() - ib_device_ops.post_send
 * @base: queue pair
 * @wr: list of requests; NULL from a process, which has filled its ring
 * @bad_wr: set to the first one refused
 *
 * Before the connection is up, requests wait. In error, they are flushed, and
 * so is what a process posted to the receive ring.
 *
 * Context: process for the doorbell of a process, which takes siw_qp.mutex in error;
 * any for kernel users.
 * Return: 0, -EINVAL for a malformed request, -ENOMEM if the queue is full,
 * -EOPNOTSUPP for an unknown opcode.
 */
int siw_post_send(struct ib_qp *base, const struct ib_send_wr *wr,
		  const struct ib_send_wr **bad_wr)
{
	struct siw_qp *qp = to_siw_qp(base);
	int rv = 0;

	if (qp->layout == SIW_QP_KERNEL) {
		rv = post_kernel(qp, wr, bad_wr);
	} else {
		if (wr) {
			*bad_wr = wr;
			return -EINVAL;
		}
		siw_qp_stat_add(qp, SIW_STAT_DOORBELLS, 1);
	}
	/* what was posted before the state is looked at */
	smp_mb();
	switch (READ_ONCE(qp->state)) {
	case IB_QPS_RTS:
		post_run(qp);
		break;
	case IB_QPS_ERR:
		post_flush(qp);
		break;
	default:
		break;
	}
	return rv;
}

/**
 * siw_post_recv() - ib_device_ops.post_recv, kernel users
 * @base: queue pair
 * @wr: list of receives
 * @bad_wr: set to the first one refused
 *
 * Context: any.
 * Return: 0, -EINVAL for user queues, with an SRQ or too many elements,
 * -ENOMEM if the queue is full.
 */
int siw_post_recv(struct ib_qp *base, const struct ib_recv_wr *wr,
		  const struct ib_recv_wr **bad_wr)
{
	struct siw_qp *qp = to_siw_qp(base);
	unsigned long irq;
	int rv = 0;

	if (qp->layout != SIW_QP_KERNEL || !qp->rq) {
		*bad_wr = wr;
		return -EINVAL;
	}
	spin_lock_irqsave(&qp->rq_lock, irq);
	for (; wr; wr = wr->next) {
		rv = siw_rqe_fill(siw_rq_slot(qp, qp->rq_put), wr,
				  qp->cap.max_recv_sge);
		if (rv)
			break;
		qp->rq_put++;
	}
	spin_unlock_irqrestore(&qp->rq_lock, irq);
	if (rv)
		*bad_wr = wr;
	/* pairs with the flush: it sees the receive or we see the flag */
	smp_mb();
	post_flush(qp);
	return rv;
}
