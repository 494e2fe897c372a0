/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counters that queue pairs are bound to.
 */
#ifndef _SIW_COUNTER_H
#define _SIW_COUNTER_H

#include <rdma/ib_verbs.h>
#include "qp.h"
#include "stats.h"

struct rdma_counter;

/**
 * struct siw_counter - sums of the queue pairs bound to it
 * @rcu: freed after a grace period
 * @val: by enum siw_stat
 */
struct siw_counter {
	struct rcu_head rcu;
	atomic64_t val[SIW_NUM_STATS];
};

void siw_counter_add(struct siw_qp *qp, enum siw_stat id, u64 n);

/*
 * What a bound queue pair does counts there and not with the device: the core
 * adds all counters to the device's. Any context.
 */
static inline void siw_qp_stat_add(struct siw_qp *qp, enum siw_stat id, u64 n)
{
	if (unlikely(rcu_access_pointer(qp->counter)))
		siw_counter_add(qp, id, n);
	else
		siw_stat_add(qp->sdev, id, n);
}

void siw_counter_term(struct siw_qp *qp, bool sent, const void *raw);
int siw_counter_bind_qp(struct rdma_counter *counter, struct ib_qp *qp);
int siw_counter_unbind_qp(struct ib_qp *qp);
int siw_counter_dealloc(struct rdma_counter *counter);
struct rdma_hw_stats *siw_counter_alloc_stats(struct rdma_counter *counter);
int siw_counter_update_stats(struct rdma_counter *counter);

#endif
