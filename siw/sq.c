// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Taking work requests out of a send ring.
 *
 * The ring may be shared with a process that writes into it at any time: each
 * word is read once, into the private copy, and judged there.
 */
#include <siw_ext_abi.h>

#include "qp.h"
#include "ring.h"
#include "tx.h"

#define OPS_V1		(BIT(SIW_OP_WRITE) | BIT(SIW_OP_READ) | \
			 BIT(SIW_OP_READ_LOCAL_INV) | BIT(SIW_OP_SEND) | \
			 BIT(SIW_OP_SEND_REMOTE_INV))
#define OPS_EXT		(OPS_V1 | BIT(SIW_OP_SEND_WITH_IMM) | \
			 BIT(SIW_OP_EXT_WRITE_WITH_IMM) | \
			 BIT(SIW_OP_FETCH_AND_ADD) | \
			 BIT(SIW_OP_COMP_AND_SWAP) | \
			 BIT(SIW_OP_INVAL_STAG) | BIT(SIW_OP_EXT_BIND_MW))
/* windows are for processes: the core has no call to bind one */
#define OPS_KERNEL	((OPS_EXT & ~BIT(SIW_OP_EXT_BIND_MW)) | \
			 BIT(SIW_OP_REG_MR))
#define OPS_ALL		(OPS_EXT | OPS_KERNEL)
#define OPS_INLINE	(BIT(SIW_OP_SEND) | BIT(SIW_OP_SEND_REMOTE_INV) | \
			 BIT(SIW_OP_SEND_WITH_IMM) | \
			 BIT(SIW_OP_WRITE) | BIT(SIW_OP_EXT_WRITE_WITH_IMM))
#define OPS_ATOMIC	(BIT(SIW_OP_FETCH_AND_ADD) | \
			 BIT(SIW_OP_COMP_AND_SWAP))
#define OPS_ONE_SGE	(BIT(SIW_OP_READ) | BIT(SIW_OP_READ_LOCAL_INV) | \
			 OPS_ATOMIC)

/* The first 24 octets, the same in every layout. */
struct sq_head {
	__aligned_u64 id;
	__u16 flags;
	__u8 num_sge;
	__u8 opcode;
	__u32 rkey;
	__aligned_u64 raddr;
};

static u32 sq_ops(const struct siw_qp *qp)
{
	switch (qp->layout) {
	case SIW_QP_V1:
		return OPS_V1;
	case SIW_QP_EXT:
		return OPS_EXT;
	default:
		return OPS_KERNEL;
	}
}

static int sq_copy_inline(struct siw_qp *qp, struct siw_wqe *wqe,
			  const void *slot)
{
	const struct siw_sqe_ext *ext = slot;
	const struct siw_sqe *v1 = slot;
	const void *data;
	u32 max;

	if (qp->layout == SIW_QP_V1) {
		wqe->len = READ_ONCE(v1->sge[0].length);
		data = &v1->sge[1];
		max = SIW_MAX_INLINE;
	} else {
		wqe->len = READ_ONCE(ext->inline_len);
		data = ext->sge;
		max = qp->cap.max_inline_data;
	}
	if (wqe->len > max || !(BIT(wqe->opcode) & OPS_INLINE))
		return -EINVAL;
	memcpy(wqe->sge, data, wqe->len);
	return 0;
}

static void sq_copy_atomic(struct siw_wqe *wqe, const struct siw_sqe_ext *slot)
{
	const struct siw_sqe_atomic *at = (const void *)slot->sge;

	wqe->num_sge = 1;
	memcpy(wqe->sge, &at->result, sizeof(at->result));
	wqe->sge[0].length = sizeof(u64);
	wqe->operand[0] = READ_ONCE(at->compare_add);
	wqe->operand[1] = READ_ONCE(at->swap);
}

static void sq_copy_bind(struct siw_wqe *wqe, const struct siw_sqe_ext *slot)
{
	const struct siw_sqe_bind *bind = (const void *)slot->sge;

	wqe->num_sge = 0;
	wqe->operand[0] = READ_ONCE(bind->length);
	wqe->operand[1] = READ_ONCE(bind->mr_stag);
	wqe->imm = READ_ONCE(bind->access);
}

static int sq_copy_sges(struct siw_qp *qp, struct siw_wqe *wqe,
			const void *slot)
{
	const struct siw_sqe_ext *ext = slot;
	const struct siw_sqe *v1 = slot;
	u64 len = 0;
	u32 i;

	if (wqe->num_sge > qp->cap.max_send_sge)
		return -EINVAL;
	memcpy(wqe->sge, qp->layout == SIW_QP_V1 ? v1->sge : ext->sge,
	       wqe->num_sge * sizeof(wqe->sge[0]));
	for (i = 0; i < wqe->num_sge; i++)
		len += wqe->sge[i].length;
	if (len > U32_MAX)
		return -EINVAL;
	wqe->len = len;
	if (BIT(wqe->opcode) & OPS_ONE_SGE && wqe->num_sge > 1)
		return -EINVAL;
	return 0;
}

static int sq_copy(struct siw_qp *qp, struct siw_wqe *wqe, const void *slot)
{
	wqe->len = 0;
	if (wqe->opcode >= 32 || !(BIT(wqe->opcode) & sq_ops(qp)))
		return -EINVAL;
	if (qp->layout != SIW_QP_V1)
		wqe->imm = READ_ONCE(((struct siw_sqe_ext *)slot)->imm_data);
	if (wqe->flags & SIW_WQE_INLINE)
		return sq_copy_inline(qp, wqe, slot);
	if (BIT(wqe->opcode) & OPS_ATOMIC) {
		sq_copy_atomic(wqe, slot);
		return 0;
	}
	if (wqe->opcode == SIW_OP_EXT_BIND_MW) {
		sq_copy_bind(wqe, slot);
		return 0;
	}
	return sq_copy_sges(qp, wqe, slot);
}

/**
 * siw_sq_load() - take the next work request
 * @qp: queue pair; the caller is the sender
 * @wqe: private copy
 *
 * Context: any.
 * Return: 1, 0 if none is posted, -EINVAL for one that breaks the rules: it is
 * taken all the same, with @wqe->id, opcode and flags set.
 */
int siw_sq_load(struct siw_qp *qp, struct siw_wqe *wqe)
{
	struct sq_head *slot = siw_sq_slot(qp, qp->sq_get);
	u16 flags;
	int rv;

	/* pairs with the poster's release store */
	flags = smp_load_acquire(&slot->flags);
	if (!(flags & SIW_WQE_VALID))
		return 0;
	wqe->flags = flags;
	wqe->id = READ_ONCE(slot->id);
	wqe->opcode = READ_ONCE(slot->opcode);
	wqe->num_sge = READ_ONCE(slot->num_sge);
	wqe->rkey = READ_ONCE(slot->rkey);
	wqe->raddr = READ_ONCE(slot->raddr);
	rv = sq_copy(qp, wqe, slot);
	if (qp->sig_all)
		wqe->flags |= SIW_WQE_SIGNALLED;
	/* before the barrier behind the slot: who looks next looks further */
	WRITE_ONCE(qp->sq_get, qp->sq_get + 1);
	siw_slot_free(&slot->flags);
	return rv ? rv : 1;
}

static u8 sq_known(u8 opcode)
{
	return opcode < 32 && BIT(opcode) & OPS_ALL ? opcode : SIW_OP_SEND;
}

/**
 * siw_sq_opcode() - opcode to show in a completion
 * @wqe: request from siw_sq_load(), good or not
 *
 * Context: any. Return: a known enum siw_opcode or siw_ext_opcode.
 */
u8 siw_sq_opcode(const struct siw_wqe *wqe)
{
	return sq_known(wqe->opcode);
}

/**
 * siw_sq_drop() - take the next work request only to flush it
 * @qp: queue pair in error, sq_lock held
 * @id: set to its wr_id
 * @opcode: set to its opcode, as siw_sq_opcode() shows it
 *
 * Context: any; no sender is at work, see siw_qp_flush_rings().
 * Return: false if none is posted.
 */
bool siw_sq_drop(struct siw_qp *qp, u64 *id, u8 *opcode)
{
	struct sq_head *slot = siw_sq_slot(qp, qp->sq_get);

	/* pairs with the poster's release store */
	if (!(smp_load_acquire(&slot->flags) & SIW_WQE_VALID))
		return false;
	*id = READ_ONCE(slot->id);
	*opcode = sq_known(READ_ONCE(slot->opcode));
	/* before the barrier behind the slot: who looks next looks further */
	WRITE_ONCE(qp->sq_get, qp->sq_get + 1);
	siw_slot_free(&slot->flags);
	return true;
}

/**
 * siw_sq_posted() - does a work request wait in the ring
 * @qp: queue pair
 *
 * Context: any; a guess unless the caller is the sender.
 * Return: true if one does.
 */
bool siw_sq_posted(const struct siw_qp *qp)
{
	const struct sq_head *slot = siw_sq_slot(qp, READ_ONCE(qp->sq_get));

	return READ_ONCE(slot->flags) & SIW_WQE_VALID;
}
