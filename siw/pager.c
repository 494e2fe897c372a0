// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Pages that queue pairs wait for.
 *
 * Whoever serves a process's memory (a FUSE daemon, a dead NFS server) may let it wait
 * for ever, and may be that process itself, which ends only when its queue pairs
 * have. So nobody waits for a fetch: it has a reference on the pages, knows its
 * queue pair for as long as that wants to be known, and sleeps on a queue of its
 * process, as many sleepers would stop one that serves all. Only the module cannot
 * go meanwhile.
 */
#include <linux/cred.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "device.h"
#include "odp.h"
#include "pager.h"
#include "qp.h"

/* Threads of the kernel that a user context's fetches may keep waiting. */
#define PAGER_SLEEPERS		256
/*
 * Fetches of a user that sleep though nobody wants the pages any more: their processes
 * may be gone, so that no other limit counts them.
 */
#define PAGER_ALONE		128

/**
 * struct siw_pager_user - what pagers of a user have in common
 * @node: in pager_users
 * @uid: user
 * @pagers: how many; under pager_lock
 * @alone: fetches under way that nobody wants any more
 */
struct siw_pager_user {
	struct list_head node;
	kuid_t uid;
	unsigned int pagers;
	atomic_t alone;
};

/**
 * struct siw_fetch - pages being fetched
 * @work: fetches them
 * @ref: @work, and the queue pair
 * @lock: guards what follows up to @odp; taken under the socket's lock
 * @qp: queue pair, NULL: it does not want them any more
 * @done: tells it that @state has changed; under @lock
 * @state: how far it is
 * @alone: counted by the user
 * @odp: pages of the region; there is a reference while @state is busy
 * @first: page
 * @last: page
 */
struct siw_fetch {
	struct work_struct work;
	struct kref ref;
	spinlock_t lock;	/* see above */
	struct siw_qp *qp;
	void (*done)(struct siw_qp *qp);
	enum siw_fetch_state state;
	bool alone;
	struct siw_odp *odp;
	u64 first;
	u64 last;
};

static LIST_HEAD(pager_users);
static DEFINE_MUTEX(pager_lock);

/* ------------------------------------------------------------- user --- */

static struct siw_pager_user *pager_user_get(kuid_t uid)
{
	struct siw_pager_user *user;

	mutex_lock(&pager_lock);
	list_for_each_entry(user, &pager_users, node)
		if (uid_eq(user->uid, uid))
			goto found;
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		goto out;
	user->uid = uid;
	list_add(&user->node, &pager_users);
found:
	user->pagers++;
out:
	mutex_unlock(&pager_lock);
	return user;
}

static void pager_user_put(struct siw_pager_user *user)
{
	mutex_lock(&pager_lock);
	if (!--user->pagers) {
		list_del(&user->node);
		kfree(user);
	}
	mutex_unlock(&pager_lock);
}

/* ---------------------------------------------------------- process --- */

static void pager_free_work(struct work_struct *work)
{
	struct siw_pager *pager = container_of(work, struct siw_pager,
					       free_work);

	destroy_workqueue(pager->wq);
	pager_user_put(pager->user);
	kfree(pager);
}

/**
 * siw_pager_new() - a place for the fetches of a process
 *
 * Context: the process.
 * Return: the pager with one reference, or NULL without memory.
 */
struct siw_pager *siw_pager_new(void)
{
	struct siw_pager *pager = kzalloc(sizeof(*pager), GFP_KERNEL_ACCOUNT);

	if (!pager)
		return NULL;
	kref_init(&pager->ref);
	INIT_WORK(&pager->free_work, pager_free_work);
	pager->user = pager_user_get(current_uid());
	if (!pager->user)
		goto err_free;
	pager->wq = alloc_workqueue("siw_pager", WQ_HIGHPRI | WQ_UNBOUND,
				    PAGER_SLEEPERS);
	if (!pager->wq)
		goto err_user;
	return pager;

err_user:
	pager_user_put(pager->user);
err_free:
	kfree(pager);
	return NULL;
}

/* A fetch that ends may be the last, and cannot destroy the queue it runs on. */
static void pager_release(struct kref *ref)
{
	struct siw_pager *pager = container_of(ref, struct siw_pager, ref);

	queue_work(siw_pager_wq, &pager->free_work);
}

/**
 * siw_pager_put() - let go of a pager
 * @pager: with a reference of the caller
 *
 * Context: any.
 */
void siw_pager_put(struct siw_pager *pager)
{
	kref_put(&pager->ref, pager_release);
}

/* ------------------------------------------------------------ fetch --- */

static void fetch_release(struct kref *ref)
{
	kfree(container_of(ref, struct siw_fetch, ref));
}

static void fetch_end(struct siw_fetch *f, enum siw_fetch_state state)
{
	spin_lock_bh(&f->lock);
	f->state = state;
	if (f->alone)
		atomic_dec(&siw_odp_pager(f->odp)->user->alone);
	if (f->qp)
		f->done(f->qp);
	spin_unlock_bh(&f->lock);
	siw_odp_put(f->odp);
	kref_put(&f->ref, fetch_release);
	/* what is left of fetch_work() is waited for when the queue is destroyed */
	module_put(THIS_MODULE);
}

static void fetch_work(struct work_struct *work)
{
	struct siw_fetch *f = container_of(work, struct siw_fetch, work);
	int err = siw_odp_read(f->odp, f->first, f->last);

	fetch_end(f, err ? SIW_FETCH_LOST : SIW_FETCH_THERE);
}

/* What is left of it is waited for when the queue is destroyed. */
static void fetch_refused_work(struct work_struct *work)
{
	struct siw_fetch *f = container_of(work, struct siw_fetch, work);

	siw_odp_put(f->odp);
	kfree(f);
	module_put(THIS_MODULE);
}

/* As siw_fetch_begin(), with a reference on the module. */
static int fetch_start(struct siw_fetch **slot, struct siw_fetch *f)
{
	struct siw_pager *pager = siw_odp_pager(f->odp);

	if (atomic_read(&pager->user->alone) >= PAGER_ALONE) {
		/* the last reference may not be given up here, see siw_odp_put() */
		INIT_WORK(&f->work, fetch_refused_work);
		queue_work(siw_pager_wq, &f->work);
		return -EDQUOT;
	}
	INIT_WORK(&f->work, fetch_work);
	kref_init(&f->ref);
	kref_get(&f->ref);
	spin_lock_init(&f->lock);
	f->state = SIW_FETCH_BUSY;
	WRITE_ONCE(*slot, f);
	queue_work(pager->wq, &f->work);
	return 0;
}

/**
 * siw_fetch_begin() - have pages fetched that a queue pair lacks
 * @slot: NULL; the caller sees to it that only one uses it at a time. Stays so if there
 *	is nothing to fetch: the data path will find out why
 * @qp: queue pair
 * @want: range of a region with on-demand paging
 * @done: called with @qp at the end, in process context and unable to sleep; not
 *	after siw_fetch_forget()
 * @gfp: how to get memory
 *
 * Context: process or softirq.
 * Return: 0, -ENOMEM, -EDQUOT if the user has too many that nobody wants any more,
 * -ENODEV if the module is being unloaded.
 */
int siw_fetch_begin(struct siw_fetch **slot, struct siw_qp *qp,
		    const struct siw_mem_want *want,
		    void (*done)(struct siw_qp *qp), gfp_t gfp)
{
	struct siw_fetch *f = kzalloc(sizeof(*f), gfp);

	if (!f)
		return -ENOMEM;
	/* not while it is going: rmmod has begun to wait for its connections to end */
	if (!try_module_get(THIS_MODULE)) {
		kfree(f);
		return -ENODEV;
	}
	f->qp = qp;
	f->done = done;
	f->odp = siw_odp_get(qp->sdev, want, &f->first, &f->last);
	if (f->odp)
		return fetch_start(slot, f);
	module_put(THIS_MODULE);
	kfree(f);
	return 0;
}

/**
 * siw_fetch_take() - how far a fetch is
 * @slot: as in siw_fetch_begin(); NULL afterwards if the fetch is over
 *
 * Context: process or softirq.
 * Return: its state, %SIW_FETCH_NONE if there is none.
 */
enum siw_fetch_state siw_fetch_take(struct siw_fetch **slot)
{
	struct siw_fetch *f = *slot;
	enum siw_fetch_state state;

	if (!f)
		return SIW_FETCH_NONE;
	spin_lock_bh(&f->lock);
	state = f->state;
	spin_unlock_bh(&f->lock);
	if (state != SIW_FETCH_BUSY) {
		WRITE_ONCE(*slot, NULL);
		kref_put(&f->ref, fetch_release);
	}
	return state;
}

/**
 * siw_fetch_forget() - do not wait for a fetch any longer
 * @f: what was in a slot, which is empty now, or NULL
 *
 * Context: process, no lock that a data path takes.
 */
void siw_fetch_forget(struct siw_fetch *f)
{
	if (!f)
		return;
	spin_lock_bh(&f->lock);
	f->qp = NULL;
	f->alone = f->state == SIW_FETCH_BUSY;
	if (f->alone)
		atomic_inc(&siw_odp_pager(f->odp)->user->alone);
	spin_unlock_bh(&f->lock);
	/* one that has not begun does not have to */
	if (cancel_work(&f->work))
		fetch_end(f, SIW_FETCH_LOST);
	kref_put(&f->ref, fetch_release);
}
