// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Submission without system calls: a thread looks at the send rings of a process.
 *
 * A user context has at most one such thread, for as long as it has queue pairs
 * that asked for it. While it is awake, SIW_QP_CTRL_TX_ACTIVE in each QP's control
 * word tells the process that it needs no doorbell. When nothing was posted for
 * some time, the thread clears the words, looks at all rings once more, and sleeps
 * until a doorbell.
 *
 * Where the administrator wants busy polling (net.core.busy_read), it also looks
 * into the NICs' queues that the QPs' packets come from, while it is awake.
 *
 * To the sender (tx.c) it is one more context that may call it at any time, as a
 * doorbell does. It burns a CPU outside of its process's limits, so that it needs
 * the administrator's consent (siw_dev_opts.sq_poll).
 */
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <siw_ext_abi.h>

#include "counter.h"
#include "poll.h"
#include "qp.h"
#include "ucontext.h"

/**
 * struct siw_poller - the thread of a user context
 * @sdev: the device
 * @task: the thread
 * @lock: guards @qps; held while their rings are looked at, so that a QP that has
 *	left is not known to the thread any more
 * @qps: queue pairs it looks at
 * @waiting: so many would have @lock: a turn is cut short
 * @napi: the NIC's queue that was looked into last in this turn; the thread's own
 * @us: for how long it may look in vain: the longest of theirs
 * @wait: where it sleeps
 * @woken: a doorbell came
 */
struct siw_poller {
	struct siw_device *sdev;
	struct task_struct *task;
	struct mutex lock;	/* qps */
	struct list_head qps;
	atomic_t waiting;
	unsigned int napi;
	u32 us;
	wait_queue_head_t wait;
	bool woken;
};

/* --------------------------------------------------------- the thread --- */

/* Whether the process needs a doorbell. */
static void poll_tell(struct siw_qp *qp, bool active)
{
	if (qp->poll.active == active)
		return;
	qp->poll.active = active;
	siw_qp_set_ctrl(qp, SIW_QP_CTRL_TX_ACTIVE,
			active ? SIW_QP_CTRL_TX_ACTIVE : 0);
}

/*
 * Is it worth while to call the sender? A ring it cannot take from now, because
 * TCP is full or a fence holds it, must not keep the thread busy: what it waits
 * for will call it.
 */
static bool poll_worth(struct siw_qp *qp, bool last)
{
	if (qp->poll.more)
		return true;
	if (READ_ONCE(qp->state) != IB_QPS_RTS || !siw_sq_posted(qp))
		return false;
	/* the flag may be older than what was posted: the last look is no guess */
	return last || (!READ_ONCE(qp->tx_waits) &&
			!test_bit(SIW_QPF_TX_STOP, &qp->flags));
}

static void poll_send(struct siw_qp *qp, bool last)
{
	u32 get = READ_ONCE(qp->sq_get);

	qp->poll.more = siw_tx_poll(qp);
	siw_qp_stat_add(qp, SIW_STAT_SQ_POLLED, READ_ONCE(qp->sq_get) - get);
	if (qp->poll.more && last) {
		siw_tx_kick_slow(qp);
		qp->poll.more = false;
	}
}

/* One look at a ring. True if something was posted since the one before. */
static bool poll_qp(struct siw_qp *qp, bool last)
{
	u32 get;

	if (poll_worth(qp, last))
		poll_send(qp, last);
	/*
	 * Also what somebody else has taken: the process is busy. What the peer
	 * wants to have sent is no reason to be awake.
	 */
	get = READ_ONCE(qp->sq_get);
	if (get == qp->poll.get)
		return false;
	qp->poll.get = get;
	return true;
}

/*
 * One look at what its peer has sent. True if that was something. QPs that share a
 * queue are neighbours more often than not.
 */
static bool poll_nic(struct siw_poller *p, struct siw_qp *qp)
{
	unsigned int napi = READ_ONCE(qp->poll.napi);

	if (!napi)
		return false;
	if (napi != p->napi) {
		siw_llp_busy_poll(napi);
		p->napi = napi;
	}
	if (!READ_ONCE(qp->poll.heard))
		return false;
	WRITE_ONCE(qp->poll.heard, false);
	return true;
}

/* One look at each ring, all in turn. True if there was something to do. */
static bool poll_turn(struct siw_poller *p)
{
	struct siw_qp *qp;
	bool busy = false;

	mutex_lock(&p->lock);
	p->napi = 0;
	list_for_each_entry(qp, &p->qps, poll.node) {
		poll_tell(qp, true);
		busy |= poll_qp(qp, false);
		busy |= poll_nic(p, qp);
		/* who makes or destroys a QP need not wait for all of them */
		if (atomic_read(&p->waiting)) {
			busy = true;
			break;
		}
		cond_resched();
	}
	mutex_unlock(&p->lock);
	return busy;
}

/* The last look before a rest. True if something was posted after all. */
static bool poll_last_turn(struct siw_poller *p)
{
	struct siw_qp *qp;
	bool busy = false;

	mutex_lock(&p->lock);
	WRITE_ONCE(p->woken, false);
	list_for_each_entry(qp, &p->qps, poll.node)
		poll_tell(qp, false);
	/*
	 * The words before the rings. Who posts has a full barrier between the
	 * request and the word: he sees that we go, or we see what he posted.
	 */
	smp_mb();
	list_for_each_entry(qp, &p->qps, poll.node) {
		busy |= poll_qp(qp, true);
		cond_resched();
	}
	mutex_unlock(&p->lock);
	return busy;
}

/* How long to look in vain, in ns. The administrator may change his mind. */
static u64 poll_patience(const struct siw_poller *p)
{
	u32 us = min(READ_ONCE(p->us), READ_ONCE(p->sdev->opts.sq_poll));

	return (u64)us * NSEC_PER_USEC;
}

static void poll_awake(struct siw_poller *p)
{
	u64 last = ktime_get_ns();
	u64 patience;

	while (!kthread_should_stop()) {
		patience = poll_patience(p);
		if (patience && poll_turn(p)) {
			last = ktime_get_ns();
		} else if (ktime_get_ns() - last >= patience) {
			if (!poll_last_turn(p) || !patience)
				return;
			last = ktime_get_ns();
		}
		cpu_relax();
		/* others want the CPU; and nobody waits for us to sleep */
		cond_resched_tasks_rcu_qs();
	}
}

static int poll_thread(void *arg)
{
	struct siw_poller *p = arg;

	while (!kthread_should_stop()) {
		wait_event_idle(p->wait,
				READ_ONCE(p->woken) || kthread_should_stop());
		poll_awake(p);
	}
	return 0;
}

/**
 * siw_poll_wake() - a doorbell came: more will follow
 * @qp: queue pair that can be posted to, polled or not
 *
 * Context: process.
 */
void siw_poll_wake(struct siw_qp *qp)
{
	struct siw_poller *p = qp->poll.poller;

	if (!p || !READ_ONCE(p->sdev->opts.sq_poll) || READ_ONCE(p->woken))
		return;
	WRITE_ONCE(p->woken, true);
	wake_up(&p->wait);
}

/* ---------------------------------------------------------- life cycle --- */

static struct siw_poller *poll_start(struct siw_device *sdev)
{
	struct siw_poller *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	p->sdev = sdev;
	mutex_init(&p->lock);
	INIT_LIST_HEAD(&p->qps);
	init_waitqueue_head(&p->wait);
	/* more of them than CPUs are no help to anybody */
	if (!siw_count_get(&sdev->num_pollers, num_online_cpus()))
		goto err_free;
	p->task = kthread_run(poll_thread, p, "siw_poll-%d",
			      task_tgid_nr(current));
	if (IS_ERR(p->task))
		goto err_count;
	return p;

err_count:
	atomic_dec(&sdev->num_pollers);
err_free:
	kfree(p);
	return NULL;
}

static void poll_stop(struct siw_poller *p)
{
	kthread_stop(p->task);
	atomic_dec(&p->sdev->num_pollers);
	kfree(p);
}

static void poll_lock(struct siw_poller *p)
{
	atomic_inc(&p->waiting);
	mutex_lock(&p->lock);
	atomic_dec(&p->waiting);
}

/* The longest time that one of those that are left asked for. */
static void poll_set_us(struct siw_poller *p)
{
	struct siw_qp *qp;
	u32 us = 0;

	lockdep_assert_held(&p->lock);
	list_for_each_entry(qp, &p->qps, poll.node)
		us = max(us, qp->poll.us);
	WRITE_ONCE(p->us, us);
}

/**
 * siw_poll_join() - have the send ring of a new QP looked at
 * @qp: queue pair of a process, with a control word, all else set up
 * @udata: request of the process that creates it
 * @us: for how long it wants to be looked at in vain, in microseconds, 0: no
 *	polling
 *
 * If the administrator does not allow it, the device has a poller for each CPU, or
 * no thread can be made, the QP lives by doorbells alone: siw_qp_poll.us stays 0.
 *
 * Context: process.
 */
void siw_poll_join(struct siw_qp *qp, struct ib_udata *udata, u32 us)
{
	struct siw_ucontext *uctx =
		rdma_udata_to_drv_context(udata, struct siw_ucontext, base);
	struct siw_poller *p;

	us = min(us, READ_ONCE(qp->sdev->opts.sq_poll));
	if (!us)
		return;
	mutex_lock(&uctx->poll_lock);
	p = uctx->poller;
	if (!p)
		p = poll_start(qp->sdev);
	if (p) {
		uctx->poller = p;
		qp->poll.poller = p;
		qp->poll.us = us;
		poll_lock(p);
		list_add_tail(&qp->poll.node, &p->qps);
		WRITE_ONCE(p->us, max(p->us, us));
		mutex_unlock(&p->lock);
	}
	mutex_unlock(&uctx->poll_lock);
}

/**
 * siw_poll_leave() - undo siw_poll_join()
 * @qp: queue pair that nobody can post to any more, polled or not
 *
 * When it returns, the QP is unknown to the poller; with its last QP that is gone
 * too. A turn under way is waited for.
 *
 * Context: process.
 */
void siw_poll_leave(struct siw_qp *qp)
{
	struct siw_poller *p = qp->poll.poller;
	struct siw_ucontext *uctx;
	bool empty;

	if (!p)
		return;
	uctx = qp->sq_mem->uctx;
	mutex_lock(&uctx->poll_lock);
	poll_lock(p);
	list_del(&qp->poll.node);
	poll_tell(qp, false);
	if (qp->poll.us == p->us)
		poll_set_us(p);
	empty = list_empty(&p->qps);
	mutex_unlock(&p->lock);
	qp->poll.poller = NULL;
	if (empty) {
		uctx->poller = NULL;
		poll_stop(p);
	}
	mutex_unlock(&uctx->poll_lock);
}
