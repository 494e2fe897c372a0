// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Memory windows: parts of a user's region that a work request opens to peers
 * and closes again.
 *
 * A bound window looks to the data paths like a region of its own: it borrows
 * a stretch of its region's page list. The region counts its windows and is
 * neither deregistered nor invalidated while it has some. Windows of type 2
 * are in a list of the one queue pair that may use them and die with it.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "device.h"
#include "mw.h"
#include "qp.h"

/* Local rights mean nothing to a window, yet applications name them. */
#define MW_ACCESS	(SIW_ACCESS_REMOTE | IB_ACCESS_LOCAL_WRITE | \
			 IB_ZERO_BASED)

static bool mw_is_type2(const struct siw_mem *mem)
{
	return mem->inval == SIW_INVAL_ALWAYS;
}

/**
 * siw_alloc_mw() - ib_device_ops.alloc_mw
 * @base: window, its domain and type filled in by the core
 * @udata: not used
 *
 * Context: process.
 * Return: 0, -ENOMEM without memory or at the device's limit, -ENOSPC.
 */
int siw_alloc_mw(struct ib_mw *base, struct ib_udata *udata)
{
	struct siw_device *sdev = to_siw_dev(base->device);
	struct siw_mem *mem;
	int rv = -ENOMEM;

	if (!siw_count_get(&sdev->num_mw, SIW_MAX_MW))
		return rv;
	mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	if (!mem)
		goto err_count;
	mem->kind = SIW_MEM_WINDOW;
	mem->pd = base->pd;
	if (base->type == IB_MW_TYPE_2)
		mem->inval = SIW_INVAL_ALWAYS;
	spin_lock_init(&mem->lock);
	INIT_LIST_HEAD(&mem->bound);
	rv = siw_mem_insert(sdev, mem, -1);
	if (rv)
		goto err_free;
	to_siw_mw(base)->mem = mem;
	base->rkey = mem->stag;
	return 0;

err_free:
	kfree(mem);
err_count:
	atomic_dec(&sdev->num_mw);
	return rv;
}

static void mw_own(struct siw_mem *mem, struct siw_qp *qp)
{
	mem->qp = &qp->base;
	spin_lock(&qp->mw_lock);
	list_add(&mem->bound, &qp->mws);
	spin_unlock(&qp->mw_lock);
}

static void mw_disown(struct siw_mem *mem)
{
	struct siw_qp *qp;

	if (!mem->qp)
		return;
	qp = container_of(mem->qp, struct siw_qp, base);
	spin_lock(&qp->mw_lock);
	list_del_init(&mem->bound);
	spin_unlock(&qp->mw_lock);
	mem->qp = NULL;
}

static void mw_unbind(struct siw_mem *mem)
{
	struct siw_mem *mr = mem->parent;

	lockdep_assert_held(&mem->lock);
	if (!mr)
		return;
	siw_mem_revoke(mem);
	mw_disown(mem);
	mem->kva = NULL;
	mem->parent = NULL;
	atomic_dec(&mr->windows);
}

/**
 * siw_dealloc_mw() - ib_device_ops.dealloc_mw
 * @base: window, bound or not
 *
 * When it returns, no peer reads or writes through it any more.
 *
 * Context: process. Return: 0.
 */
int siw_dealloc_mw(struct ib_mw *base)
{
	struct siw_mem *mem = to_siw_mw(base)->mem;

	spin_lock_bh(&mem->lock);
	mw_unbind(mem);
	mem->gone = true;
	spin_unlock_bh(&mem->lock);
	siw_mem_remove(mem);
	atomic_dec(&to_siw_dev(base->device)->num_mw);
	return 0;
}

static bool mw_fits(const struct siw_mem *mr, const struct siw_qp *qp,
		    const struct siw_bind *b)
{
	if (mr->kind != SIW_MEM_PAGES || !(mr->access & IB_ACCESS_MW_BIND))
		return false;
	/* a window must not give what its region's owner does not have */
	if (b->access & (IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_ATOMIC) &&
	    !(mr->access & IB_ACCESS_LOCAL_WRITE))
		return false;
	return !siw_mem_check(mr, &qp->base, b->addr, b->len, 0);
}

/* The region to bind to, kept by its count of windows, or NULL. */
static struct siw_mem *mw_region(struct siw_qp *qp, const struct siw_bind *b)
{
	struct siw_mem *mr = siw_mem_begin(qp->sdev, b->mr_stag, NULL);
	bool ok;

	if (!mr)
		return NULL;
	ok = mw_fits(mr, qp, b) && atomic_inc_unless_negative(&mr->windows);
	siw_mem_end(mr);
	return ok ? mr : NULL;
}

static void mw_open(struct siw_mem *mem, struct siw_mem *mr,
		    const struct siw_bind *b)
{
	u64 off = b->addr - mr->va + mr->first_off;
	u32 page = off >> PAGE_SHIFT;

	mem->parent = mr;
	mem->kva = mr->kva + page;
	mem->num_pages = mr->num_pages - page;
	mem->first_off = off & ~PAGE_MASK;
	mem->va = b->access & IB_ZERO_BASED ? 0 : b->addr;
	mem->len = b->len;
	mem->access = b->access & SIW_ACCESS_REMOTE;
	WRITE_ONCE(mem->stag, b->stag);
	/* all of it before who finds the window valid */
	smp_store_release(&mem->valid, true);
}

static int mw_bind(struct siw_mem *mem, struct siw_qp *qp,
		   const struct siw_bind *b)
{
	struct siw_mem *mr;

	lockdep_assert_held(&mem->lock);
	if (mem->gone || b->access & ~MW_ACCESS)
		return -EINVAL;
	/* who has the old STag of a window must not reach the new binding */
	if (mw_is_type2(mem) ? mem->parent || !b->len : mem->stag == b->stag)
		return -EINVAL;
	if (!b->len) {
		mw_unbind(mem);
		WRITE_ONCE(mem->stag, b->stag);
		return 0;
	}
	mr = mw_region(qp, b);
	if (!mr)
		return -EINVAL;
	mw_unbind(mem);
	if (mw_is_type2(mem))
		mw_own(mem, qp);
	mw_open(mem, mr, b);
	return 0;
}

/**
 * siw_mw_bind() - execute a bind work request
 * @qp: queue pair it was posted to
 * @b: the request, not judged yet
 *
 * A bind that is refused leaves the window as it was.
 *
 * Context: the sender of a user's QP. Return: 0 or -EINVAL.
 */
int siw_mw_bind(struct siw_qp *qp, const struct siw_bind *b)
{
	struct siw_mem *mem;
	int rv = -EINVAL;

	rcu_read_lock();
	mem = siw_mem_find(qp->sdev, b->stag);
	if (mem && mem->kind == SIW_MEM_WINDOW && mem->pd == qp->base.pd) {
		spin_lock_bh(&mem->lock);
		rv = mw_bind(mem, qp, b);
		spin_unlock_bh(&mem->lock);
	}
	rcu_read_unlock();
	return rv;
}

/**
 * siw_mw_invalidate() - unbind a window that may be
 * @mem: window
 * @stag: STag it was found by
 *
 * Context: softirq or process, under RCU, not between siw_mem_begin() and
 * _end(). Return: false if somebody else was faster.
 */
bool siw_mw_invalidate(struct siw_mem *mem, u32 stag)
{
	bool mine;

	spin_lock_bh(&mem->lock);
	mine = mem->parent && mem->stag == stag;
	if (mine)
		mw_unbind(mem);
	spin_unlock_bh(&mem->lock);
	return mine;
}

/**
 * siw_mw_forget_qp() - unbind the windows of a queue pair
 * @qp: queue pair, nobody is its sender any more
 *
 * Context: process.
 */
void siw_mw_forget_qp(struct siw_qp *qp)
{
	struct siw_mem *mem;

	do {
		spin_lock_bh(&qp->mw_lock);
		mem = list_first_entry_or_null(&qp->mws, struct siw_mem,
					       bound);
		/* keeps it while its own lock is not held yet */
		rcu_read_lock();
		spin_unlock_bh(&qp->mw_lock);
		if (mem) {
			spin_lock_bh(&mem->lock);
			if (mem->qp == &qp->base)
				mw_unbind(mem);
			spin_unlock_bh(&mem->lock);
		}
		rcu_read_unlock();
	} while (mem);
}
