// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Counters that queue pairs are bound to by `rdma statistic qp bind`.
 */
#include <linux/slab.h>
#include <rdma/rdma_counter.h>

#include "counter.h"
#include "device.h"

/**
 * siw_counter_add() - count for a queue pair that may be bound
 * @qp: queue pair
 * @id: what to count
 * @n: by how much
 *
 * Context: any.
 */
void siw_counter_add(struct siw_qp *qp, enum siw_stat id, u64 n)
{
	struct siw_counter *c;

	rcu_read_lock();
	c = rcu_dereference(qp->counter);
	if (c)
		atomic64_add(n, &c->val[id]);
	else
		siw_stat_add(qp->sdev, id, n);
	rcu_read_unlock();
}

/**
 * siw_counter_term() - count a Terminate of a queue pair
 * @qp: queue pair
 * @sent: by us, or received
 * @raw: its first RDMAP_TERM_MIN octets
 *
 * Context: any.
 */
void siw_counter_term(struct siw_qp *qp, bool sent, const void *raw)
{
	siw_qp_stat_add(qp, sent ? SIW_STAT_TERM_SENT : SIW_STAT_TERM_RCVD, 1);
	siw_qp_stat_add(qp, siw_stat_of_term(raw), 1);
}

static struct siw_counter *counter_find(const struct rdma_counter *counter)
{
	return xa_load(&to_siw_dev(counter->device)->counters, counter->id);
}

static int counter_create(struct rdma_counter *counter)
{
	struct siw_device *sdev = to_siw_dev(counter->device);
	struct siw_counter *c = kzalloc(sizeof(*c), GFP_KERNEL);
	u32 id;
	int rv;

	if (!c)
		return -ENOMEM;
	rv = xa_alloc(&sdev->counters, &id, c, xa_limit_31b, GFP_KERNEL);
	if (rv) {
		kfree(c);
		return rv;
	}
	counter->id = id;
	return 0;
}

/**
 * siw_counter_bind_qp() - ib_device_ops.counter_bind_qp
 * @counter: the core's, given its id with its first queue pair
 * @base: queue pair that is not bound
 *
 * Context: process. Return: 0, -ENOMEM, -EBUSY without a free id.
 */
int siw_counter_bind_qp(struct rdma_counter *counter, struct ib_qp *base)
{
	struct siw_qp *qp = to_siw_qp(base);

	if (!counter->id) {
		int rv = counter_create(counter);

		if (rv)
			return rv;
	}
	rcu_assign_pointer(qp->counter, counter_find(counter));
	base->counter = counter;
	return 0;
}

/**
 * siw_counter_unbind_qp() - ib_device_ops.counter_unbind_qp
 * @base: queue pair that is bound
 *
 * When it returns, the counter stands still.
 *
 * Context: process. Return: 0.
 */
int siw_counter_unbind_qp(struct ib_qp *base)
{
	RCU_INIT_POINTER(to_siw_qp(base)->counter, NULL);
	synchronize_rcu();
	base->counter = NULL;
	return 0;
}

/**
 * siw_counter_dealloc() - ib_device_ops.counter_dealloc
 * @counter: no queue pair is bound to it
 *
 * Context: process. Return: 0.
 */
int siw_counter_dealloc(struct rdma_counter *counter)
{
	struct siw_device *sdev = to_siw_dev(counter->device);
	struct siw_counter *c = xa_erase(&sdev->counters, counter->id);

	if (c)
		kfree_rcu(c, rcu);
	return 0;
}

/**
 * siw_counter_alloc_stats() - ib_device_ops.counter_alloc_stats
 * @counter: new
 *
 * Context: process.
 * Return: what the core stores values in, NULL without memory.
 */
struct rdma_hw_stats *siw_counter_alloc_stats(struct rdma_counter *counter)
{
	return siw_alloc_hw_port_stats(counter->device, counter->port);
}

/**
 * siw_counter_update_stats() - ib_device_ops.counter_update_stats
 * @counter: its stats are filled in
 *
 * Context: process. Return: 0.
 */
int siw_counter_update_stats(struct rdma_counter *counter)
{
	struct siw_counter *c = counter_find(counter);
	int i;

	for (i = 0; c && i < SIW_NUM_STATS; i++)
		counter->stats->value[i] = atomic64_read(&c->val[i]);
	return 0;
}
