// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * TCP sockets that listen. Connections are accepted by a worker and counted
 * until their startup is decided; beyond the limits they stay in TCP's queue,
 * which is bounded, until one of the others leaves or a new one comes.
 */
#include <linux/delay.h>
#include <linux/err.h>

#include "acceptor.h"
#include "cm.h"
#include "device.h"
#include "ep.h"
#include "llp.h"
#include "netns.h"

/* Passive startups under way, of all sockets together. */
#define MAX_HALF_OPEN		8192
/* Connections accepted in one go. */
#define ACCEPT_BATCH		64
/* Memory was short: it may be there again after this time. */
#define ACCEPT_RETRY_MS		20

static atomic_t siw_half_open = ATOMIC_INIT(0);

/* Acceptors that MAX_HALF_OPEN keeps from accepting, referenced; first in line. */
static LIST_HEAD(starved);
static DEFINE_SPINLOCK(starved_lock);

/* A crowd of silent peers must not keep others waiting for long. */
static unsigned int request_timeout(struct siw_acceptor *acc)
{
	bool crowd = atomic_read(&acc->half_open) > acc->limit / 2 ||
		     atomic_read(&siw_half_open) > MAX_HALF_OPEN / 2;

	return crowd ? SIW_REQUEST_CROWD_S : SIW_REQUEST_TIMEOUT_S;
}

static void new_connection(struct siw_acceptor *acc, struct siw_llp *llp)
{
	struct siw_ep *ep = acc->ops->endpoint(acc, llp);

	if (IS_ERR(ep)) {
		siw_llp_abort(llp);
		siw_llp_put(llp);
		return;
	}
	siw_ep_set_llp(ep, llp, acc->net);
	ep->acceptor = acc;
	refcount_inc(&acc->refs);
	atomic_inc(&acc->half_open);
	atomic_inc(&siw_half_open);
	siw_ep_set_state(ep, SIW_EP_WAIT_REQUEST, request_timeout(acc), 0);
	siw_ep_own(ep);
	siw_ep_kick(ep);
	mutex_unlock(&ep->lock);
	siw_ep_put(ep);
}

static bool room_for_all(void)
{
	return atomic_read(&siw_half_open) < MAX_HALF_OPEN;
}

static void starve(struct siw_acceptor *acc)
{
	spin_lock(&starved_lock);
	if (list_empty(&acc->starved)) {
		refcount_inc(&acc->refs);
		list_add_tail(&acc->starved, &starved);
	}
	spin_unlock(&starved_lock);
}

static void starve_no_more(struct siw_acceptor *acc)
{
	bool listed;

	spin_lock(&starved_lock);
	listed = !list_empty(&acc->starved);
	list_del_init(&acc->starved);
	spin_unlock(&starved_lock);
	if (listed)
		siw_acceptor_put(acc);
}

/*
 * There may be room again: who waits longest has a look. It goes on with the next
 * one when it has left some, perhaps because its peers have gone meanwhile.
 */
static void feed_starved(void)
{
	struct siw_acceptor *acc = NULL;

	/* the count before the list; pairs with may_accept() */
	smp_mb();
	if (list_empty(&starved))
		return;
	spin_lock(&starved_lock);
	if (room_for_all())
		acc = list_first_entry_or_null(&starved, struct siw_acceptor,
					       starved);
	if (acc)
		list_del_init(&acc->starved);
	spin_unlock(&starved_lock);
	if (!acc)
		return;
	siw_acceptor_kick(acc);
	siw_acceptor_put(acc);
}

static bool may_accept(struct siw_acceptor *acc)
{
	if (atomic_read(&acc->half_open) >= READ_ONCE(acc->limit))
		return false;
	if (room_for_all())
		return true;
	starve(acc);
	/* the last one may have left before this one was on the list */
	smp_mb();
	return room_for_all();
}

/*
 * Accepts what waits; 1 if more may, 0 if not, -errno if memory was short: nobody
 * tells once more of a connection that stays in TCP's queue. A peer that connects
 * as fast as it is accepted must not keep the lock from who closes the socket.
 */
static int accept_some(struct siw_acceptor *acc)
{
	struct siw_llp *llp;
	int i;

	lockdep_assert_held(&acc->lock);
	for (i = 0; i < ACCEPT_BATCH; i++) {
		if (!acc->llp || !may_accept(acc))
			return 0;
		llp = siw_llp_accept(acc->llp);
		if (llp == ERR_PTR(-EAGAIN) || llp == ERR_PTR(-EINVAL))
			return 0;
		if (IS_ERR(llp))
			return PTR_ERR(llp);
		new_connection(acc, llp);
	}
	return 1;
}

static void acceptor_work(struct work_struct *work)
{
	struct siw_acceptor *acc =
		container_of(work, struct siw_acceptor, work);
	int more;

	mutex_lock(&acc->lock);
	more = accept_some(acc);
	mutex_unlock(&acc->lock);
	if (more < 0)
		msleep(ACCEPT_RETRY_MS);
	if (more)
		siw_acceptor_kick(acc);
	feed_starved();
	siw_acceptor_put(acc);
}

static void acceptor_event(void *ctx)
{
	siw_acceptor_kick(ctx);
}

static void acceptor_ignore(void *ctx)
{
}

static const struct siw_llp_ops acceptor_llp_ops = {
	.data_ready	= acceptor_event,
	.write_space	= acceptor_ignore,
	.state_change	= acceptor_ignore,
};

/**
 * siw_acceptor_init() - prepare one, without a socket
 * @acc: acceptor, zeroed; the caller sets siw_acceptor.limit
 * @ops: the user's part
 * @net: namespace
 * @addr: local address
 *
 * The caller has a reference afterwards.
 *
 * Context: process.
 */
void siw_acceptor_init(struct siw_acceptor *acc,
		       const struct siw_acceptor_ops *ops, struct net *net,
		       const struct sockaddr_storage *addr)
{
	refcount_set(&acc->refs, 1);
	acc->ops = ops;
	acc->net = net;
	acc->addr = *addr;
	mutex_init(&acc->lock);
	INIT_LIST_HEAD(&acc->starved);
	INIT_WORK(&acc->work, acceptor_work);
}

/**
 * siw_acceptor_put() - give up a reference
 * @acc: acceptor
 *
 * Context: any that siw_acceptor_ops.free allows.
 */
void siw_acceptor_put(struct siw_acceptor *acc)
{
	if (refcount_dec_and_test(&acc->refs))
		acc->ops->free(acc);
}

/**
 * siw_acceptor_kick() - have a look whether connections can be accepted
 * @acc: acceptor
 *
 * Context: any.
 */
void siw_acceptor_kick(struct siw_acceptor *acc)
{
	refcount_inc(&acc->refs);
	if (!queue_work(siw_wq, &acc->work))
		siw_acceptor_put(acc);
}

static int listen_on(struct siw_acceptor *acc, struct siw_llp *llp,
		     const struct siw_acceptor_params *params)
{
	int rv = 0;

	if (acc->addr.ss_family == AF_INET6)
		rv = siw_llp_set_v6only(llp, params->v6only);
	if (!rv)
		rv = siw_llp_bind(llp, &acc->addr, params->mapped);
	if (rv)
		return rv;
	acc->llp = llp;
	siw_llp_set_owner(llp, &acceptor_llp_ops, acc);
	return siw_llp_listen(llp, params->backlog);
}

/**
 * siw_acceptor_open() - listen
 * @acc: acceptor that nobody else has
 * @params: how
 *
 * Context: process. The caller holds the namespace.
 * Return: 0, or -EADDRINUSE, -ENOMEM or another error of TCP: then only
 * siw_acceptor_put() is left to do.
 */
int siw_acceptor_open(struct siw_acceptor *acc,
		      const struct siw_acceptor_params *params)
{
	struct siw_llp *llp;
	int rv;

	llp = siw_llp_open(acc->net, acc->addr.ss_family, params->mtu,
			   params->tos, params->tos_set);
	if (IS_ERR(llp))
		return PTR_ERR(llp);
	siw_netns_hold(acc->net);
	rv = listen_on(acc, llp, params);
	if (!rv)
		return 0;
	acc->llp = NULL;
	siw_llp_abort(llp);
	siw_llp_put(llp);
	siw_netns_release(acc->net);
	/* an early connection may have queued the work */
	if (cancel_work_sync(&acc->work))
		siw_acceptor_put(acc);
	return rv;
}

/**
 * siw_acceptor_close() - listen no more
 * @acc: acceptor that is open; the caller's reference stays
 *
 * Context: process, siw_acceptor.lock not held.
 */
void siw_acceptor_close(struct siw_acceptor *acc)
{
	mutex_lock(&acc->lock);
	siw_llp_close(acc->llp);
	siw_llp_put(acc->llp);
	acc->llp = NULL;
	mutex_unlock(&acc->lock);
	starve_no_more(acc);
	siw_netns_release(acc->net);
}

/**
 * siw_acceptor_leave() - an endpoint is not half open any more
 * @ep: endpoint, passive or not
 *
 * Context: process, siw_ep.lock held.
 */
void siw_acceptor_leave(struct siw_ep *ep)
{
	struct siw_acceptor *acc = ep->acceptor;

	if (!acc)
		return;
	ep->acceptor = NULL;
	atomic_dec(&acc->half_open);
	atomic_dec(&siw_half_open);
	/* others first: this one is kicked each time, too */
	feed_starved();
	/* it may have stopped accepting because there were too many */
	siw_acceptor_kick(acc);
	siw_acceptor_put(acc);
}
