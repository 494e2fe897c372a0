// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Connection manager: iw_cm operations and what iw_cm is told. Endpoints are
 * in ep.c, the startup exchange is in startup.c, listeners are in listen.c.
 */
#include <linux/err.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <rdma/iw_cm.h>

#include "cm.h"
#include "device.h"
#include "ep.h"
#include "listen.h"
#include "llp.h"
#include "netns.h"
#include "qp.h"
#include "rdv.h"
#include "stats.h"

static void ep_tell(struct siw_ep *ep, enum iw_cm_event_type type, int status)
{
	struct iw_cm_event ev = { .event = type, .status = status };

	/* iw_cm has an entry for each event of a connection: cannot fail */
	ep->cm_id->event_handler(ep->cm_id, &ev);
}

/* Somebody has heard, or is to hear, of the connection. */
static bool ep_has_user(const struct siw_ep *ep)
{
	return ep->cm_id || ep->rdv;
}

/* The last iw_cm hears of a connection that it knew as established. */
static void ep_tell_end(struct siw_ep *ep, int status)
{
	if (!ep->rdv) {
		ep_tell(ep, IW_CM_EVENT_DISCONNECT, status);
		ep_tell(ep, IW_CM_EVENT_CLOSE, status);
		siw_ep_drop_cm_id(ep);
	}
	siw_stat_inc(ep->sdev, status ? SIW_STAT_CONN_LOST :
					SIW_STAT_CONN_CLOSED);
}

/**
 * siw_cm_qp_released() - the QP has let go of the connection
 * @ep: endpoint
 * @how: whether the connection is closed in order or reset
 * @status: 0 for a disconnect in order, or a negative errno
 *
 * iw_cm hears of it at once; an orderly close goes on without the QP.
 *
 * Context: process, the QP's mutex not held.
 */
void siw_cm_qp_released(struct siw_ep *ep, enum siw_close_how how, int status)
{
	struct siw_qp *qp;

	mutex_lock(&ep->lock);
	qp = ep->qp;
	ep->qp = NULL;
	WRITE_ONCE(ep->qpn, 0);
	WRITE_ONCE(ep->attached, false);
	if (ep->state == SIW_EP_WAIT_FIRST && ep_has_user(ep)) {
		bool first = test_bit(SIW_EPE_FIRST, &ep->events);

		siw_ep_tell_established(ep, first ? 0 : status ? status :
							-ECONNRESET);
	}
	if (ep_has_user(ep))
		ep_tell_end(ep, status);
	if (how == SIW_CLOSE_ABORT)
		siw_ep_die(ep, true, status);
	else
		siw_ep_drain(ep, SIW_DRAIN_LAST_S, status);
	mutex_unlock(&ep->lock);
	siw_qp_put(qp);
}

/**
 * siw_cm_first_fpdu() - the first valid FPDU of a passive connection arrived
 * @ep: endpoint
 *
 * Context: softirq or process.
 */
void siw_cm_first_fpdu(struct siw_ep *ep)
{
	set_bit(SIW_EPE_FIRST, &ep->events);
	siw_ep_kick(ep);
}

/**
 * siw_cm_abort_connect() - give up connecting a QP that is to be destroyed
 * @qp: queue pair that nobody finds any more
 *
 * A startup exchange holds a reference on its QP, which destroying waits for.
 *
 * Context: process or softirq.
 */
void siw_cm_abort_connect(struct siw_qp *qp)
{
	struct siw_device *sdev = qp->sdev;
	struct siw_ep *ep;

	spin_lock_bh(&sdev->ep_lock);
	list_for_each_entry(ep, &sdev->eps, dev_node) {
		/* a connection ends through its QP, in order or not */
		if (READ_ONCE(ep->qpn) != qp->qpn || READ_ONCE(ep->attached))
			continue;
		set_bit(SIW_EPE_ABORT, &ep->events);
		siw_ep_kick(ep);
	}
	spin_unlock_bh(&sdev->ep_lock);
}

/* ------------------------------------------------------------ events ----- */

/*
 * iw_cm's view of depths: an event's ird is what the local side may issue, its
 * ord what it is asked to serve (trap T-32). Values that were not negotiated
 * and those beyond the device are given as what the local side can do, so that
 * an application may copy them into its answer.
 */
static void ep_depths(struct siw_ep *ep, struct iw_cm_event *ev)
{
	u16 ird = ep->rcvd.ird;
	u16 ord = ep->rcvd.ord;

	if (!ep->rcvd.enhanced) {
		ird = MPA_DEPTH_NONE;
		ord = MPA_DEPTH_NONE;
	}
	ev->ird = min_t(u16, min(ird, ep->cfg.max_ord), U8_MAX);
	ev->ord = min_t(u16, min(ord, ep->cfg.max_ird), U8_MAX);
}

/* Events have eight bits for the length: no more than 255 octets get through. */
static void ep_private_data(struct siw_ep *ep, struct iw_cm_event *ev,
			    const void *pdata)
{
	ev->private_data_len = min_t(u16, ep->rcvd.pd_len, U8_MAX);
	if (ev->private_data_len)
		ev->private_data = (void *)pdata;
}

/**
 * siw_ep_tell_request() - CONNECT_REQUEST
 * @ep: passive endpoint with a complete Request; goes to WAIT_ACCEPT
 * @pdata: private data of the application in the Request
 *
 * Context: process, siw_ep.lock held.
 * Return: 0; -ENOMEM if iw_cm has no room for the event now; -ECONNABORTED if
 * the listener is gone. The state is unchanged on error.
 */
int siw_ep_tell_request(struct siw_ep *ep, const void *pdata)
{
	struct iw_cm_event ev = { .event = IW_CM_EVENT_CONNECT_REQUEST };
	int rv;

	if (ep->rdv) {
		siw_rdv_requested(ep, pdata);
		return 0;
	}
	rv = siw_ep_give_cookie(ep);
	if (rv)
		return rv;
	ev.provider_data = (void *)(uintptr_t)ep->cookie;
	siw_llp_local_addr(ep->llp, &ev.local_addr);
	siw_llp_remote_addr(ep->llp, &ev.remote_addr);
	siw_listen_report_addr(ep->sdev, &ev.local_addr);
	siw_listen_report_addr(NULL, &ev.remote_addr);
	ep_depths(ep, &ev);
	ep_private_data(ep, &ev, pdata);
	rv = siw_listen_tell(ep->lid, &ev);
	if (rv) {
		siw_ep_withdraw_cookie(ep);
		return rv;
	}
	siw_ep_set_state(ep, SIW_EP_WAIT_ACCEPT, SIW_ACCEPT_TIMEOUT_S, 0);
	return 0;
}

/**
 * siw_ep_tell_reply() - CONNECT_REPLY
 * @ep: active endpoint; goes to UP if @status is 0
 * @status: 0, -ECONNREFUSED after a reject, or another negative errno
 * @pdata: private data of the application in the Reply, or NULL
 *
 * A failure is the last that iw_cm hears of the connection.
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_tell_reply(struct siw_ep *ep, int status, const void *pdata)
{
	struct iw_cm_event ev = { .event = IW_CM_EVENT_CONNECT_REPLY };
	struct iw_cm_id *cm_id = ep->cm_id;

	if (ep->rdv) {
		siw_rdv_replied(ep, status);
		return;
	}
	ev.local_addr = cm_id->local_addr;
	ev.remote_addr = cm_id->remote_addr;
	if (!status) {
		siw_llp_local_addr(ep->llp, &ev.local_addr);
		siw_llp_remote_addr(ep->llp, &ev.remote_addr);
		siw_ep_set_state(ep, SIW_EP_UP, 0, 0);
	}
	ev.status = status;
	if (pdata) {
		ep_depths(ep, &ev);
		ep_private_data(ep, &ev, pdata);
	}
	/* only the copy of private data can fail */
	if (cm_id->event_handler(cm_id, &ev)) {
		status = -ENOMEM;
		ev.status = status;
		ev.private_data_len = 0;
		if (ep->attached)
			siw_qp_down(ep->qp, SIW_DOWN_ABORT, IW_ERR_LOCAL);
		cm_id->event_handler(cm_id, &ev);
	}
	if (status)
		siw_ep_drop_cm_id(ep);
	else
		siw_stat_inc(ep->sdev, SIW_STAT_CONN_ACTIVE);
}

/**
 * siw_ep_tell_established() - ESTABLISHED
 * @ep: passive endpoint that was accepted; goes to UP
 * @status: 0, or why the connection ended before; its end is told next
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_tell_established(struct siw_ep *ep, int status)
{
	struct iw_cm_event ev = {
		.event = IW_CM_EVENT_ESTABLISHED,
		.status = status,
	};

	siw_ep_set_state(ep, SIW_EP_UP, 0, status);
	if (!ep->rdv) {
		ep_depths(ep, &ev);
		ep->cm_id->event_handler(ep->cm_id, &ev);
	}
	if (!status)
		siw_stat_inc(ep->sdev, SIW_STAT_CONN_PASSIVE);
}

/* ------------------------------------------------------------ iw_cm ------ */

/**
 * siw_connect() - iw_cm operation: begin to connect
 * @cm_id: iw_cm's connection
 * @param: QP, depths and private data
 *
 * Context: process.
 * Return: 0, and a CONNECT_REPLY will come; -EINVAL (no such QP, private data
 * too long), -EAFNOSUPPORT, -ENODEV, -ENOMEM or an error of TCP.
 */
int siw_connect(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param)
{
	struct siw_device *sdev = to_siw_dev(cm_id->device);
	struct siw_ep *ep = siw_ep_new(sdev);
	int rv;

	if (IS_ERR(ep))
		return PTR_ERR(ep);
	cm_id->add_ref(cm_id);
	ep->cm_id = cm_id;
	ep->active = true;
	/* before the look-up: siw_destroy_qp() looks for it after that fails */
	WRITE_ONCE(ep->qpn, param->qpn);
	ep->qp = siw_qp_lookup(sdev, param->qpn);
	rv = ep->qp ? siw_ep_connect(ep, cm_id, param) : -EINVAL;
	if (rv)
		siw_ep_die(ep, true, rv);
	else
		siw_ep_kick(ep);
	mutex_unlock(&ep->lock);
	siw_ep_put(ep);
	return rv;
}

/* The endpoint of a connect request, locked and with its cookie's reference */
static struct siw_ep *ep_of_request(struct iw_cm_id *cm_id)
{
	struct siw_ep *ep = siw_ep_take_cookie((uintptr_t)cm_id->provider_data);

	if (!ep)
		return NULL;
	mutex_lock(&ep->lock);
	ep->cookie = 0;
	if (ep->state == SIW_EP_WAIT_ACCEPT)
		return ep;
	mutex_unlock(&ep->lock);
	siw_ep_put(ep);
	return NULL;
}

/**
 * siw_accept() - iw_cm operation: accept a connect request
 * @cm_id: iw_cm's connection
 * @param: QP, depths and private data
 *
 * The QP owns the connection before the Reply is sent, so that nothing the
 * peer answers with is missed.
 *
 * Context: process.
 * Return: 0, and ESTABLISHED will come; -ECONNRESET if the peer is gone, -ENOMEM
 * if there was none for the Reply; -EINVAL (no such QP, private data too long)
 * or what siw_qp_attach() returns: then the request is refused.
 */
int siw_accept(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param)
{
	struct siw_ep *ep = ep_of_request(cm_id);
	int rv;

	if (!ep)
		return -ECONNRESET;
	rv = siw_ep_accept(ep, cm_id, param);
	mutex_unlock(&ep->lock);
	siw_ep_put(ep);
	return rv;
}

/**
 * siw_reject() - iw_cm operation: refuse a connect request
 * @cm_id: iw_cm's connection
 * @pdata: private data of the application, may be NULL
 * @pd_len: octets at @pdata
 *
 * Context: process.
 * Return: 0, also if the peer is gone already.
 */
int siw_reject(struct iw_cm_id *cm_id, const void *pdata, u8 pd_len)
{
	struct siw_ep *ep = ep_of_request(cm_id);

	if (!ep)
		return 0;
	siw_ep_refuse(ep, pdata, pd_len, -ECONNREFUSED);
	mutex_unlock(&ep->lock);
	siw_ep_put(ep);
	return 0;
}

/* ------------------------------------------------------------ device ----- */

static bool eps_gone(struct siw_device *sdev)
{
	return !(atomic_read(&sdev->num_eps) & (SIW_EP_GATE - 1));
}

/* Closes the gate and has all endpoints end. */
static void eps_abort(struct siw_device *sdev)
{
	struct siw_ep *ep;

	spin_lock_bh(&sdev->ep_lock);
	atomic_add(SIW_EP_GATE, &sdev->num_eps);
	list_for_each_entry(ep, &sdev->eps, dev_node) {
		set_bit(SIW_EPE_ABORT, &ep->events);
		siw_ep_kick(ep);
	}
	spin_unlock_bh(&sdev->ep_lock);
}

static void eps_wait(struct siw_device *sdev)
{
	wait_event(sdev->ep_wait, eps_gone(sdev));
	/* the last one has left ep_unregister() */
	spin_lock_bh(&sdev->ep_lock);
	spin_unlock_bh(&sdev->ep_lock);
}

/**
 * siw_cm_device_down() - end all of a device that goes
 * @sdev: device
 *
 * Resets its connections, tells iw_cm of their end, closes its listening
 * sockets. Afterwards the device neither connects nor accepts any more. May be
 * called again.
 *
 * Context: process; waits for endpoints' work and for the QPs to let go.
 */
void siw_cm_device_down(struct siw_device *sdev)
{
	/* first: nobody opens a socket behind those that close */
	eps_abort(sdev);
	siw_listen_device_off(sdev);
	siw_rdv_device_off(sdev);
	eps_wait(sdev);
}

/**
 * siw_cm_device_leaving() - reset connections while there is still a way out
 * @sdev: device whose netdev is about to be removed, siw_cm_device_down()
 *	follows
 *
 * Peers would else find out by their own time limits.
 *
 * Context: process, RTNL may be held, so that the wait has a limit.
 */
void siw_cm_device_leaving(struct siw_device *sdev)
{
	eps_abort(sdev);
	siw_rdv_device_off(sdev);
	wait_event_timeout(sdev->ep_wait, eps_gone(sdev), HZ / 4);
}

/**
 * siw_cm_device_moved() - the device's netdev changes its namespace
 * @sdev: device
 *
 * Ends connections and closes sockets as siw_cm_device_down() does; then, when
 * the netdev has arrived, opens those listeners again that belong to the
 * namespace it is in now.
 *
 * Context: process, RTNL not held; waits as siw_cm_device_down() does.
 */
void siw_cm_device_moved(struct siw_device *sdev)
{
	siw_cm_device_down(sdev);
	/* a netdev moves from first to last under RTNL */
	rtnl_lock();
	rtnl_unlock();
	atomic_sub(SIW_EP_GATE, &sdev->num_eps);
	siw_listen_device_on(sdev);
}

/**
 * siw_cm_init() - at module load
 *
 * Return: 0 or -ENOMEM.
 */
int siw_cm_init(void)
{
	return siw_netns_init();
}

/**
 * siw_cm_exit() - at module unload, all devices are gone
 */
void siw_cm_exit(void)
{
	siw_ep_check_all_gone();
	siw_rdv_check_all_gone();
	siw_netns_exit();
}
