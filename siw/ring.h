/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Elements of receive rings: hand-over between who posts and who consumes.
 *
 * A process may write anything into its rings at any time. Each word is read
 * once, into private memory, and judged there.
 */
#ifndef _SIW_RING_H
#define _SIW_RING_H

#include <rdma/ib_verbs.h>
#include <rdma/siw-abi.h>

/**
 * struct siw_recv - private copy of a receive
 * @id: of the work request
 * @num_sge: elements at @sge
 * @sge: scatter elements
 */
struct siw_recv {
	u64 id;
	u32 num_sge;
	struct siw_sge sge[];
};

/* A slot of our provider may have more elements than version 1 declares. */
static inline struct siw_sge *siw_rqe_sge(struct siw_rqe *slot)
{
	return (void *)slot + offsetof(struct siw_rqe, sge);
}

/**
 * siw_slot_free() - give a slot back to who posts
 * @flags: its flags, which held SIW_WQE_VALID
 *
 * What was read of the slot was read before. The barrier behind it pairs with
 * the poster's, between its last element and its look whether to ring.
 *
 * Context: any.
 */
static inline void siw_slot_free(u16 *flags)
{
	/* whoever sees it free may write at once */
	smp_store_release(flags, 0);
	/* before we look at the next one, or at nothing more */
	smp_mb();
}

/**
 * siw_rqe_take() - take a receive out of its slot
 * @slot: element shared with the poster
 * @rqe: private copy
 * @max_sge: elements there is room for at @rqe
 *
 * A count of scatter elements above @max_sge is cut: what a scribbling process
 * gets is a short receive.
 *
 * Context: any; one consumer at a time.
 * Return: false if the slot is not posted.
 */
static inline bool siw_rqe_take(struct siw_rqe *slot, struct siw_recv *rqe,
				u32 max_sge)
{
	u32 n;

	/* pairs with the poster's release store of the flags */
	if (smp_load_acquire(&slot->flags) != SIW_WQE_VALID)
		return false;
	rqe->id = READ_ONCE(slot->id);
	n = min_t(u32, READ_ONCE(slot->num_sge), max_sge);
	rqe->num_sge = n;
	memcpy(rqe->sge, siw_rqe_sge(slot), n * sizeof(rqe->sge[0]));
	siw_slot_free(&slot->flags);
	return true;
}

/**
 * siw_rqe_fill() - post a receive of a kernel user
 * @slot: next element
 * @wr: the receive
 * @max_sge: elements allowed
 *
 * Context: any, under the queue's lock.
 * Return: 0, -ENOMEM if the ring is full, -EINVAL for too many elements.
 */
static inline int siw_rqe_fill(struct siw_rqe *slot,
			       const struct ib_recv_wr *wr, u32 max_sge)
{
	struct siw_sge *sge = siw_rqe_sge(slot);
	int i;

	/* pairs with siw_rqe_take() giving the slot back */
	if (smp_load_acquire(&slot->flags))
		return -ENOMEM;
	if (wr->num_sge < 0 || wr->num_sge > max_sge)
		return -EINVAL;
	slot->id = wr->wr_id;
	slot->num_sge = wr->num_sge;
	for (i = 0; i < wr->num_sge; i++) {
		sge[i].laddr = wr->sg_list[i].addr;
		sge[i].length = wr->sg_list[i].length;
		sge[i].lkey = wr->sg_list[i].lkey;
	}
	/* the receive before its owner changes */
	smp_store_release(&slot->flags, SIW_WQE_VALID);
	return 0;
}

#endif
