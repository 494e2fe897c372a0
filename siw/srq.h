/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Shared receive queues.
 */
#ifndef _SIW_SRQ_H
#define _SIW_SRQ_H

#include <linux/spinlock.h>
#include <rdma/ib_verbs.h>
#include <rdma/siw-abi.h>

struct siw_recv;

/**
 * struct siw_srq - a shared receive queue
 * @base: verbs object
 * @ring: receive elements, shared with user space for user queues
 * @mem: memory of @ring
 * @lock: guards @get, @put and the limit; taken in any context
 * @size: elements, a power of two
 * @max_sge: scatter elements of one receive
 * @get: next element to take, free running
 * @put: next element to fill (kernel users)
 * @limit: armed limit, 0 when not armed
 * @armed: raise SRQ_LIMIT_REACHED below @limit
 */
struct siw_srq {
	struct ib_srq base;
	struct siw_rqe *ring;
	struct siw_ring *mem;
	spinlock_t lock;	/* @get, @put, the limit */
	u32 size;
	u32 max_sge;
	u32 get;
	u32 put;
	u32 limit;
	bool armed;
};

static inline struct siw_srq *to_siw_srq(struct ib_srq *srq)
{
	return container_of(srq, struct siw_srq, base);
}

bool siw_srq_take(struct siw_srq *srq, struct siw_recv *rqe);

int siw_create_srq(struct ib_srq *srq, struct ib_srq_init_attr *attr,
		   struct ib_udata *udata);
int siw_modify_srq(struct ib_srq *srq, struct ib_srq_attr *attr,
		   enum ib_srq_attr_mask mask, struct ib_udata *udata);
int siw_query_srq(struct ib_srq *srq, struct ib_srq_attr *attr);
int siw_destroy_srq(struct ib_srq *srq, struct ib_udata *udata);
int siw_post_srq_recv(struct ib_srq *srq, const struct ib_recv_wr *wr,
		      const struct ib_recv_wr **bad_wr);

#endif
