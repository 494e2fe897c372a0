// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Life of an endpoint: references, state, end, and the hand-over to the QP.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <rdma/iw_cm.h>

#include "cm.h"
#include "device.h"
#include "ep.h"
#include "listen.h"
#include "llp.h"
#include "netns.h"
#include "qp.h"
#include "trace.h"

/*
 * Between connect request and accept or reject iw_cm knows an endpoint by a
 * number: it may drop the request without a word, and an endpoint that has
 * died meanwhile must not be touched.
 */
static DEFINE_XARRAY_ALLOC1(ep_cookies);
static u32 ep_next_cookie;

static const char *const ep_state_names[SIW_EP_NUM_STATES] = {
	[SIW_EP_IDLE]		= "idle",
	[SIW_EP_CONNECTING]	= "connecting",
	[SIW_EP_WAIT_REPLY]	= "wait_reply",
	[SIW_EP_WAIT_REQUEST]	= "wait_request",
	[SIW_EP_OFFERED]	= "offered",
	[SIW_EP_WAIT_ACCEPT]	= "wait_accept",
	[SIW_EP_WAIT_FIRST]	= "wait_first",
	[SIW_EP_UP]		= "up",
	[SIW_EP_DRAINING]	= "draining",
	[SIW_EP_DEAD]		= "dead",
};

/* ------------------------------------------------------------ life ------- */

/* Takes a place among the device's endpoints, unless it is closed to new ones */
static int ep_register(struct siw_ep *ep, struct siw_device *sdev)
{
	int rv = 0;

	spin_lock_bh(&sdev->ep_lock);
	if (atomic_read(&sdev->num_eps) >= SIW_EP_GATE) {
		rv = -ENODEV;
	} else if (atomic_read(&sdev->num_eps) >= SIW_MAX_EP) {
		rv = -ENOBUFS;
	} else {
		atomic_inc(&sdev->num_eps);
		list_add_tail(&ep->dev_node, &sdev->eps);
	}
	spin_unlock_bh(&sdev->ep_lock);
	return rv;
}

/*
 * Many an application takes the order in which connections are asked for as the
 * one in which it asked for them: up to there they leave and come in the order of
 * their sockets' events. Later steps may wait for a QP, and for nobody else's.
 * The rendezvous may wait for the end of a connection that its QP had before.
 */
static struct workqueue_struct *ep_queue(const struct siw_ep *ep)
{
	if (ep->rdv)
		return siw_end_wq;
	switch (READ_ONCE(ep->state)) {
	case SIW_EP_CONNECTING:
	case SIW_EP_WAIT_REQUEST:
	case SIW_EP_OFFERED:
		return siw_start_wq;
	default:
		return siw_wq;
	}
}

/* The work takes over the timer's reference. */
static void ep_timeout(struct timer_list *t)
{
	struct siw_ep *ep = from_timer(ep, t, timer);

	if (!queue_work(ep_queue(ep), &ep->work))
		siw_ep_put(ep);
}

/**
 * siw_ep_timer() - have the endpoint looked at later
 * @ep: endpoint
 * @when: in jiffies, 0 for never
 *
 * Context: process, siw_ep.lock held; the caller has a reference.
 */
void siw_ep_timer(struct siw_ep *ep, unsigned long when)
{
	if (!when) {
		if (timer_delete(&ep->timer))
			siw_ep_put(ep);
		return;
	}
	siw_ep_get(ep);
	if (mod_timer(&ep->timer, when))
		siw_ep_put(ep);
}

/**
 * siw_ep_new() - create an endpoint
 * @sdev: device it belongs to
 *
 * Context: process; returns with siw_ep.lock held and a reference that the
 * caller drops, beside the one that siw_ep_die() drops.
 * Return: endpoint; ERR_PTR of -ENOMEM, -ENOBUFS (too many), -ENODEV (the
 * device is going).
 */
struct siw_ep *siw_ep_new(struct siw_device *sdev)
{
	struct siw_ep *ep = kzalloc(sizeof(*ep), GFP_KERNEL);
	int rv;

	if (!ep)
		return ERR_PTR(-ENOMEM);
	refcount_set(&ep->refs, 2);
	mutex_init(&ep->lock);
	INIT_WORK(&ep->work, siw_ep_work);
	timer_setup(&ep->timer, ep_timeout, 0);
	ep->sdev = sdev;
	mutex_lock(&ep->lock);
	rv = ep_register(ep, sdev);
	if (rv) {
		mutex_unlock(&ep->lock);
		kfree(ep);
		return ERR_PTR(rv);
	}
	return ep;
}

/**
 * siw_ep_get() - take a reference
 * @ep: endpoint
 *
 * Context: any.
 */
void siw_ep_get(struct siw_ep *ep)
{
	refcount_inc(&ep->refs);
}

/*
 * Wakes under the lock: whoever waits for the last endpoint takes the lock
 * once more before the device may go.
 */
static void ep_unregister(struct siw_device *sdev)
{
	spin_lock_bh(&sdev->ep_lock);
	if (!(atomic_dec_return(&sdev->num_eps) & (SIW_EP_GATE - 1)))
		wake_up_all(&sdev->ep_wait);
	spin_unlock_bh(&sdev->ep_lock);
}

/**
 * siw_ep_put() - drop a reference
 * @ep: endpoint
 *
 * Context: softirq or process.
 */
void siw_ep_put(struct siw_ep *ep)
{
	struct siw_device *sdev = ep->sdev;

	if (!refcount_dec_and_test(&ep->refs))
		return;
	kfree(ep->pdata);
	kfree(ep);
	ep_unregister(sdev);
}

/**
 * siw_ep_kick() - have the endpoint look at what happened
 * @ep: endpoint
 *
 * Context: softirq or process. The queued work holds a reference.
 */
void siw_ep_kick(struct siw_ep *ep)
{
	siw_ep_get(ep);
	/* one that is in line keeps its place */
	if (!queue_work(ep_queue(ep), &ep->work))
		siw_ep_put(ep);
}

/**
 * siw_ep_set_state() - enter a state
 * @ep: endpoint
 * @state: new state
 * @timeout_s: seconds the state may last, 0 for ever
 * @status: why, 0 or a negative errno, for the trace
 *
 * Outside of the endpoint's own work, siw_ep_kick() must follow for the
 * timeout to count.
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_set_state(struct siw_ep *ep, enum siw_ep_state state,
		      unsigned int timeout_s, int status)
{
	lockdep_assert_held(&ep->lock);
	trace_siw_ep_state(ep, ep_state_names[ep->state],
			   ep_state_names[state], status);
	WRITE_ONCE(ep->state, state);
	ep->poll = false;
	ep->deadline = timeout_s ? (jiffies + timeout_s * HZ) | 1 : 0;
}

static void ep_llp_event(void *ctx)
{
	siw_ep_kick(ctx);
}

static void ep_llp_write_space(void *ctx)
{
}

static const struct siw_llp_ops ep_llp_ops = {
	.data_ready	= ep_llp_event,
	.write_space	= ep_llp_write_space,
	.state_change	= ep_llp_event,
};

/**
 * siw_ep_set_llp() - give an endpoint its socket
 * @ep: endpoint without one
 * @llp: socket, whose reference passes over
 * @net: its namespace, see siw_netns_hold()
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_set_llp(struct siw_ep *ep, struct siw_llp *llp, struct net *net)
{
	siw_netns_hold(net);
	ep->llp = llp;
	ep->net = net;
}

/**
 * siw_ep_close_llp() - close the socket of an endpoint, if it has one
 * @ep: endpoint that no QP is attached to
 * @reset: close with a reset instead of FIN
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_close_llp(struct siw_ep *ep, bool reset)
{
	struct siw_llp *llp = ep->llp;

	if (!llp)
		return;
	ep->llp = NULL;
	if (reset)
		siw_llp_abort(llp);
	else
		siw_llp_close(llp);
	siw_llp_put(llp);
	siw_netns_release(ep->net);
}

/**
 * siw_ep_own() - let the socket's events come to the endpoint
 * @ep: endpoint with a socket
 *
 * Context: process, siw_ep.lock held. What happened before is not repeated:
 * siw_ep_kick() must follow.
 */
void siw_ep_own(struct siw_ep *ep)
{
	siw_llp_set_owner(ep->llp, &ep_llp_ops, ep);
}

static void ep_drop_qp(struct siw_ep *ep)
{
	struct siw_qp *qp = ep->qp;

	WRITE_ONCE(ep->qpn, 0);
	ep->qp = NULL;
	if (qp)
		siw_qp_put(qp);
}

/**
 * siw_ep_drop_cm_id() - iw_cm has heard the last of the connection
 * @ep: endpoint
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_drop_cm_id(struct siw_ep *ep)
{
	struct iw_cm_id *cm_id = ep->cm_id;

	ep->cm_id = NULL;
	if (cm_id)
		cm_id->rem_ref(cm_id);
}

/**
 * siw_ep_take_cookie() - the endpoint behind a cookie, which is spent
 * @cookie: number or 0
 *
 * Context: process.
 * Return: endpoint with the cookie's reference, or NULL if it is no more.
 */
struct siw_ep *siw_ep_take_cookie(u32 cookie)
{
	return cookie ? xa_erase(&ep_cookies, cookie) : NULL;
}

/**
 * siw_ep_withdraw_cookie() - make the endpoint unknown to iw_cm
 * @ep: endpoint, with or without a cookie
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_withdraw_cookie(struct siw_ep *ep)
{
	if (siw_ep_take_cookie(ep->cookie))
		siw_ep_put(ep);
	ep->cookie = 0;
}

/**
 * siw_ep_give_cookie() - choose the number iw_cm shall know the endpoint by
 * @ep: endpoint; siw_ep.cookie is set
 *
 * Context: process, siw_ep.lock held.
 * Return: 0, -ENOMEM or -EBUSY.
 */
int siw_ep_give_cookie(struct siw_ep *ep)
{
	int rv;

	siw_ep_get(ep);
	rv = xa_alloc_cyclic(&ep_cookies, &ep->cookie, ep, xa_limit_31b,
			     &ep_next_cookie, GFP_KERNEL);
	if (rv < 0) {
		ep->cookie = 0;
		siw_ep_put(ep);
		return rv;
	}
	return 0;
}

/**
 * siw_ep_die() - end the endpoint
 * @ep: endpoint that no QP is attached to
 * @reset: close the connection with a reset instead of FIN
 * @status: why, for the trace
 *
 * iw_cm has been told what it must hear. The caller holds a reference of its
 * own, or does not touch @ep again.
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_die(struct siw_ep *ep, bool reset, int status)
{
	struct siw_device *sdev = ep->sdev;

	siw_ep_set_state(ep, SIW_EP_DEAD, 0, status);
	siw_ep_close_llp(ep, reset);
	siw_ep_withdraw_cookie(ep);
	siw_listen_leave(ep);
	ep_drop_qp(ep);
	siw_ep_drop_cm_id(ep);
	spin_lock_bh(&sdev->ep_lock);
	list_del(&ep->dev_node);
	spin_unlock_bh(&sdev->ep_lock);
	siw_ep_timer(ep, 0);
	siw_ep_put(ep);
}

/**
 * siw_ep_drain() - close in order: FIN, then read on until the peer's FIN
 * @ep: endpoint that no QP is attached to
 * @last_s: seconds after which it ends, whatever the peer sends meanwhile
 * @status: why, for the trace
 *
 * Closing at once with input unread would reset the connection, and the peer
 * might lose a Terminate or a Reply it has not read yet (trap T-24). As long as it
 * sends it may be one that does not read meanwhile.
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_drain(struct siw_ep *ep, unsigned int last_s, int status)
{
	siw_ep_withdraw_cookie(ep);
	siw_listen_leave(ep);
	ep_drop_qp(ep);
	if (atomic_read(&ep->sdev->num_eps) >= SIW_EP_GATE) {
		siw_ep_die(ep, true, status);
		return;
	}
	siw_ep_set_state(ep, SIW_EP_DRAINING, SIW_DRAIN_TIMEOUT_S, status);
	ep->drain_end = jiffies + last_s * HZ;
	siw_llp_shutdown_write(ep->llp);
	siw_ep_own(ep);
	siw_ep_kick(ep);
}

/* ------------------------------------------------------------ QP --------- */

static enum siw_rtr ep_rtr(const struct mpa_settings *set)
{
	switch (set->rtr) {
	case MPA_RTR_WRITE:
		return SIW_RTR_MSG_WRITE;
	case MPA_RTR_READ:
		return SIW_RTR_MSG_READ;
	case MPA_RTR_SEND:
		return SIW_RTR_MSG_SEND;
	default:
		return SIW_RTR_MSG_NONE;
	}
}

static void ep_trace_conn(struct siw_ep *ep, const struct siw_conn *conn)
{
	struct sockaddr_storage local, remote;

	siw_llp_local_addr(ep->llp, &local);
	siw_llp_remote_addr(ep->llp, &remote);
	trace_siw_conn(ep->qpn, ep->active, &local, &remote, conn->crc,
		       conn->ird, conn->ord);
}

/**
 * siw_ep_attach() - hand the connection to the QP
 * @ep: endpoint with a QP
 * @set: outcome of the negotiation
 *
 * From here on the connection ends only through siw_cm_qp_released().
 *
 * Context: process, siw_ep.lock held.
 * Return: 0 or what siw_qp_attach() returned.
 */
int siw_ep_attach(struct siw_ep *ep, const struct mpa_settings *set)
{
	struct siw_conn conn = {
		.crc = set->crc,
		.tx_markers = set->tx_markers,
		.rx_markers = set->rx_markers,
		.hold_tx = set->hold,
		.notify_first = !ep->active && set->p2p,
		.rtr = ep->active ? ep_rtr(set) : SIW_RTR_MSG_NONE,
		.ird = set->ird,
		.ord = set->ord,
		.rdv_gen = ep->rdv_gen,
		.peer_caps = ep->peer_caps,
		.acks = ep->rdv && ep->peer_caps & RDV_CAP_ACK,
	};
	int rv;

	if (trace_siw_conn_enabled())
		ep_trace_conn(ep, &conn);
	rv = siw_qp_attach(ep->qp, ep, ep->llp, &conn);
	if (!rv)
		WRITE_ONCE(ep->attached, true);
	return rv;
}

/**
 * siw_ep_check_all_gone() - at module unload: no endpoint may be left
 */
void siw_ep_check_all_gone(void)
{
	WARN_ON(!xa_empty(&ep_cookies));
	xa_destroy(&ep_cookies);
}
