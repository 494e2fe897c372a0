/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Filling in send queue elements of either layout. The caller holds the SQ's
 * lock and hands the element over when it is complete.
 */
#ifndef SIW_PROVIDER_SQE_H
#define SIW_PROVIDER_SQE_H

#include <string.h>

#include "siw.h"

enum siw_send_op_flags {
	SIW_SOP_KNOWN = 1 << 0,		/* a row that is filled in */
	SIW_SOP_EVENT = 1 << 1,		/* may solicit an event at the peer */
	SIW_SOP_INLINE_V1 = 1 << 2,	/* takes inline data everywhere */
	SIW_SOP_INLINE_EXT = 1 << 3,	/* takes them in the extended layout */
	SIW_SOP_ONE_SGE = 1 << 4,	/* the peer answers into one SGE */
	SIW_SOP_NO_DATA = 1 << 5,	/* moves no data of its own */
};

/**
 * struct siw_send_op - what a work request's opcode needs
 * @op: opcode of the SQE
 * @flags: bits of enum siw_send_op_flags
 * @features: feature bits without which it does not exist
 * @qp_ex: bit of enum ibv_qp_create_send_ops_flags
 */
struct siw_send_op {
	uint8_t op;
	uint8_t flags;
	uint16_t features;
	uint16_t qp_ex;
};

#define SIW_NUM_WR_OPCODES (IBV_WR_SEND_WITH_INV + 1)

extern const struct siw_send_op siw_send_op_table[SIW_NUM_WR_OPCODES];

static inline struct siw_sqe_ext *siw_sqe_to_ext(struct siw_sqe *sqe)
{
	return (struct siw_sqe_ext *)sqe;
}

/* The next element, or NULL while the kernel has not started the old one */
static inline struct siw_sqe *siw_next_sqe(struct siw_sq *sq)
{
	struct siw_sqe *sqe = siw_ring_at(&sq->ring, sq->ring.pos);

	return siw_wqe_is_valid(&sqe->flags) ? NULL : sqe;
}

static inline uint16_t siw_sqe_flags(const struct siw_qp *qp,
				     const struct siw_send_op *op,
				     unsigned int send_flags)
{
	uint16_t flags = 0;

	if (qp->sig_all || send_flags & IBV_SEND_SIGNALED)
		flags |= SIW_WQE_SIGNALLED;
	if (send_flags & IBV_SEND_SOLICITED && op->flags & SIW_SOP_EVENT)
		flags |= SIW_WQE_SOLICITED;
	/*
	 * A stock kernel refuses a fenced Read and then blocks the SQ on it.
	 * Leaving the fence out is safe: a peer answers Reads in order.
	 */
	if (send_flags & IBV_SEND_FENCE && (qp->ext || op->op != SIW_OP_READ))
		flags |= SIW_WQE_READ_FENCE;
	return flags;
}

static inline void siw_put_head(struct siw_qp *qp, struct siw_sqe *sqe,
				const struct siw_send_op *op, uint64_t id,
				uint32_t rkey, uint64_t raddr)
{
	sqe->id = id;
	sqe->num_sge = 0;
	sqe->opcode = op->op;
	sqe->rkey = rkey;
	sqe->raddr = raddr;
	/* A stock kernel reads the SGE of a Read, whatever num_sge says */
	if (op->op == SIW_OP_READ)
		memset((uint8_t *)sqe + qp->sq.data_off, 0,
		       sizeof(struct siw_sge));
}

static inline int siw_put_sges(struct siw_qp *qp, struct siw_sqe *sqe,
			       const struct siw_send_op *op,
			       const struct ibv_sge *sg, size_t num)
{
	size_t max = op->flags & SIW_SOP_ONE_SGE ? 1 : qp->sq.max_sge;

	if (num > max || (num && op->flags & SIW_SOP_NO_DATA))
		return EINVAL;
	sqe->num_sge = num;
	siw_put_sge_list((uint8_t *)sqe + qp->sq.data_off, sg, num);
	return 0;
}

static inline int siw_check_inline(const struct siw_qp *qp,
				   const struct siw_send_op *op)
{
	uint8_t need = qp->ext ? SIW_SOP_INLINE_EXT : SIW_SOP_INLINE_V1;

	return op->flags & need ? 0 : EINVAL;
}

/*
 * Append inline data behind the @used bytes already there. The source may be
 * any memory, registered or not.
 */
static inline int siw_put_inline(struct siw_qp *qp, struct siw_sqe *sqe,
				 size_t *used, const void *data, size_t len)
{
	if (len > qp->sq.max_inline - *used)
		return EINVAL;
	if (len)
		memcpy((uint8_t *)sqe + qp->sq.inline_off + *used, data, len);
	*used += len;
	return 0;
}

/* Note the length of the inline data; returns the flag to hand over */
static inline uint16_t siw_end_inline(struct siw_qp *qp, struct siw_sqe *sqe,
				      size_t len)
{
	if (qp->ext) {
		siw_sqe_to_ext(sqe)->inline_len = len;
		return SIW_WQE_INLINE;
	}
	if (!len)
		return 0;
	sqe->num_sge = 1;
	sqe->sge[0].length = len;
	return SIW_WQE_INLINE;
}

/* Operands of an atomic; @result comes with siw_put_sges() */
static inline void siw_put_atomic(struct siw_sqe *sqe, uint64_t compare_add,
				  uint64_t swap)
{
	struct siw_sqe_atomic *atomic = (void *)siw_sqe_to_ext(sqe)->sge;

	memset(&atomic->result, 0, sizeof(atomic->result));
	atomic->compare_add = compare_add;
	atomic->swap = swap;
}

static inline void siw_put_bind(struct siw_sqe *sqe,
				const struct ibv_mw_bind_info *info)
{
	struct siw_sqe_bind *bind = (void *)siw_sqe_to_ext(sqe)->sge;

	sqe->raddr = info->addr;
	bind->length = info->length;
	bind->mr_stag = info->mr ? info->mr->lkey : 0;
	bind->access = info->mw_access_flags;
}

/*
 * Posting is for windows of type 2; those of type 1 have ibv_bind_mw(). The
 * new STag must have the window's index, whatever its key.
 */
static inline bool siw_bind_is_valid(const struct ibv_mw *mw, uint32_t rkey,
				     const struct ibv_mw_bind_info *info)
{
	return mw->type == IBV_MW_TYPE_2 && rkey >> 8 == mw->rkey >> 8 &&
	       info->mr && info->length;
}

#endif
