// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * MPA startup of both roles (RFC 5044 7.1, RFC 6581), and the end of a
 * connection after its QP let go. One function a state.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <rdma/iw_cm.h>

#include "cm.h"
#include "device.h"
#include "ep.h"
#include "listen.h"
#include "llp.h"
#include "proto/rdmap.h"
#include "proto/term.h"
#include "qp.h"
#include "rdv.h"
#include "stats.h"
#include "trace.h"

/* iw_cm had no room for a connect request: ask again after this time. */
#define OFFER_RETRY_MS		20

/* ------------------------------------------------------------ settings --- */

static u8 prefer_rtr(enum siw_rtr_pref pref)
{
	switch (pref) {
	case SIW_RTR_READ:
		return MPA_RTR_READ;
	case SIW_RTR_SEND:
		return MPA_RTR_SEND;
	default:
		return MPA_RTR_WRITE;
	}
}

/*
 * Rendezvous: both ends are ours, either may speak first, and what the
 * application granted is not raised.
 */
static void rdv_config(struct mpa_config *cfg)
{
	cfg->enhanced = true;
	cfg->p2p = true;
	cfg->rtr_prefer = MPA_RTR_WRITE;
	cfg->max_ird = cfg->ird;
}

/**
 * siw_ep_config() - what the device's settings and limits say
 * @ep: endpoint of either role; siw_ep.cfg is filled in
 * @ird: IRD the application wants
 * @ord: ORD likewise
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_config(struct siw_ep *ep, u32 ird, u32 ord)
{
	const struct siw_dev_opts *opts = &ep->sdev->opts;
	struct mpa_config *cfg = &ep->cfg;

	cfg->crc = READ_ONCE(opts->crc) == SIW_CRC_ON;
	cfg->markers = READ_ONCE(opts->markers);
	cfg->enhanced = READ_ONCE(opts->mpa_rev) >= MPA_REV_2;
	cfg->p2p = cfg->enhanced && READ_ONCE(opts->p2p);
	cfg->rtr = MPA_RTR_ALL;
	cfg->rtr_prefer = prefer_rtr(READ_ONCE(opts->rtr));
	cfg->max_ird = SIW_MAX_IRD;
	cfg->max_ord = SIW_MAX_ORD;
	cfg->ird = min_t(u32, ird, cfg->max_ird);
	cfg->ord = min_t(u32, ord, cfg->max_ord);
	if (ep->rdv)
		rdv_config(cfg);
}

/* ------------------------------------------------------------ endings ---- */

/* Startup of an active endpoint failed: the last that iw_cm hears. */
static void active_fail(struct siw_ep *ep, int status)
{
	/* of a rendezvous only the whole counts, not each attempt */
	if (!ep->rdv)
		siw_stat_inc(ep->sdev, status == -ETIMEDOUT ?
					       SIW_STAT_CONN_TIMEOUT :
					       SIW_STAT_CONN_FAILED);
	siw_ep_tell_reply(ep, status, NULL);
	siw_ep_die(ep, status == -ETIMEDOUT, status);
}

static void passive_fail(struct siw_ep *ep, bool reset, int status)
{
	siw_stat_inc(ep->sdev, status == -ETIMEDOUT ? SIW_STAT_CONN_TIMEOUT :
						      SIW_STAT_CONN_FAILED);
	siw_ep_die(ep, reset, status);
}

/* A Terminate as the first FPDU of the connection. */
static void send_terminate(struct siw_ep *ep, enum iw_err err,
			   const struct mpa_settings *set)
{
	u8 fpdu[RDMAP_TERM_FPDU_MAX + MPA_CRC_SIZE + 4];
	u8 marked[sizeof(fpdu) + 2 * MPA_MARKER_SIZE];
	u8 term[RDMAP_TERM_MAX];
	const void *out = fpdu;
	u8 len = term_encode(term, err, NULL);
	u32 size;

	rdmap_put_terminate(fpdu, term, len);
	size = mpa_seal(fpdu, set->crc);
	if (set->tx_markers) {
		size = mpa_mark(marked, fpdu, 0, set->crc);
		out = marked;
	}
	if (siw_llp_send_buf(ep->llp, out, size) != size)
		return;
	siw_stat_term(ep->sdev, true, term);
	trace_siw_term(ep->qpn, true, be32_to_cpup((__be32 *)term));
}

/*
 * The Reply accepts, but we cannot go on. In enhanced mode the peer is told
 * why (RFC 6581 8).
 */
static void active_terminate(struct siw_ep *ep, enum iw_err err,
			     const struct mpa_settings *set, int status)
{
	trace_siw_error(ep->qpn, iw_err_name(err), 0);
	if (set->enhanced)
		send_terminate(ep, err, set);
	siw_stat_inc(ep->sdev, SIW_STAT_CONN_FAILED);
	siw_ep_tell_reply(ep, status, NULL);
	siw_ep_drain(ep, SIW_DRAIN_TIMEOUT_S, status);
}

/* ------------------------------------------------------------ frames ----- */

/*
 * Reads on in the frame that is due, never an octet beyond it: what follows a
 * Reply belongs to the QP. Returns 0 when the frame is complete; -EAGAIN;
 * -EPROTO with *@err for an ill-formed one; -EPIPE at the end of the stream;
 * another error of TCP.
 */
static int read_frame(struct siw_ep *ep, enum mpa_frame kind,
		      enum iw_err *err)
{
	u16 need = MPA_STARTUP_LEN;
	u16 pd_len;
	int n;

	for (;;) {
		if (ep->have >= MPA_STARTUP_LEN) {
			*err = mpa_startup_check(ep->buf, kind, &pd_len);
			if (*err)
				return -EPROTO;
			need = MPA_STARTUP_LEN + pd_len;
		}
		if (ep->have == need)
			return 0;
		n = siw_llp_recv(ep->llp, ep->buf + ep->have, need - ep->have);
		if (n <= 0)
			return n ? n : -EPIPE;
		ep->have += n;
	}
}

static int send_frame(struct siw_ep *ep, enum mpa_frame kind,
		      const struct mpa_params *p, const void *pdata)
{
	int len = mpa_startup_encode(ep->buf, sizeof(ep->buf), kind, p, pdata);
	int n;

	if (len < 0)
		return len;
	ep->have = 0;
	n = siw_llp_send_buf(ep->llp, ep->buf, len);
	if (n < 0)
		return n;
	/* a fresh socket takes a frame whole, or something is very wrong */
	return n == len ? 0 : -ENOBUFS;
}

/* ------------------------------------------------------------ active ----- */

static bool same_addr(const struct sockaddr_storage *a,
		      const struct sockaddr_storage *b)
{
	return !memcmp(a, b, a->ss_family == AF_INET6 ?
			     sizeof(struct sockaddr_in6) :
			     offsetof(struct sockaddr_in, sin_zero));
}

static void clear_port(struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6)
		((struct sockaddr_in6 *)addr)->sin6_port = 0;
	else
		((struct sockaddr_in *)addr)->sin_port = 0;
}

static int try_open(struct siw_ep *ep, struct net *net,
		    const struct sockaddr_storage *local, bool mapped)
{
	struct iw_cm_id *cm_id = ep->cm_id;
	u32 mtu = READ_ONCE(ep->sdev->netdev->mtu);
	struct siw_llp *llp;
	int rv;

	llp = siw_llp_open(net, local->ss_family, mtu, cm_id->tos,
			   cm_id->tos_set);
	if (IS_ERR(llp))
		return PTR_ERR(llp);
	siw_ep_set_llp(ep, llp, net);
	rv = siw_llp_bind(llp, local, mapped);
	if (!rv) {
		siw_ep_own(ep);
		rv = siw_llp_connect(llp, &cm_id->m_remote_addr);
	}
	if (rv)
		siw_ep_close_llp(ep, true);
	return rv;
}

static bool port_taken(int rv)
{
	return rv == -EADDRINUSE || rv == -EADDRNOTAVAIL;
}

/*
 * rdma_cm picked the local port from a port space of its own: TCP may use it
 * for something else. Then any port will do, unless it is a mapped one, which
 * the peer must see. If TCP has none left, the port is shared: only the
 * connection as a whole must be unique.
 */
static int ep_open(struct siw_ep *ep, struct net *net)
{
	struct iw_cm_id *cm_id = ep->cm_id;
	struct sockaddr_storage local = cm_id->m_local_addr;
	bool mapped = !same_addr(&cm_id->local_addr, &local);
	int rv;

	if (local.ss_family != cm_id->m_remote_addr.ss_family ||
	    (local.ss_family != AF_INET && local.ss_family != AF_INET6))
		return -EAFNOSUPPORT;
	rv = try_open(ep, net, &local, mapped);
	if (!port_taken(rv) || mapped)
		return rv;
	clear_port(&local);
	rv = try_open(ep, net, &local, false);
	if (port_taken(rv))
		rv = try_open(ep, net, &cm_id->m_local_addr, true);
	return rv;
}

static int active_open(struct siw_ep *ep)
{
	struct net *net = siw_device_get_net(ep->sdev);
	int rv;

	if (!net)
		return -ENODEV;
	rv = ep_open(ep, net);
	put_net(net);
	if (!rv)
		siw_ep_set_state(ep, SIW_EP_CONNECTING, SIW_CONNECT_TIMEOUT_S,
				 0);
	return rv;
}

/**
 * siw_ep_connect() - begin the active side
 * @ep: new endpoint with cm_id and QP
 * @cm_id: addresses, type of service
 * @param: depths and private data
 *
 * Context: process, siw_ep.lock held; siw_ep_kick() must follow.
 * Return: 0; -EINVAL if there is too much private data (RFC 6581 9),
 * -EAFNOSUPPORT, -ENODEV, -ENOMEM or an error of TCP.
 */
int siw_ep_connect(struct siw_ep *ep, struct iw_cm_id *cm_id,
		   const struct iw_cm_conn_param *param)
{
	siw_ep_config(ep, param->ird, param->ord);
	/* plain client/server needs no revision 2 (ENH-06, trap T-06) */
	ep->enhanced = ep->cfg.p2p;
	ep->cfg.enhanced = ep->enhanced;
	if (param->private_data_len > mpa_pd_max(ep->enhanced))
		return -EINVAL;
	if (param->private_data_len) {
		ep->pdata = kmemdup(param->private_data,
				    param->private_data_len, GFP_KERNEL);
		if (!ep->pdata)
			return -ENOMEM;
		ep->pdata_len = param->private_data_len;
	}
	return active_open(ep);
}

/*
 * Of the RTR types a Send is offered only on demand: it costs the peer a
 * posted receive. Whatever the Reply names is taken, though (trap T-05).
 */
static int send_request(struct siw_ep *ep)
{
	ep->cfg.rtr = MPA_RTR_WRITE | MPA_RTR_READ | ep->cfg.rtr_prefer;
	mpa_request(&ep->cfg, &ep->sent);
	ep->cfg.rtr = MPA_RTR_ALL;
	ep->sent.pd_len = ep->pdata_len;
	return send_frame(ep, MPA_REQUEST, &ep->sent, ep->pdata);
}

static void run_connecting(struct siw_ep *ep)
{
	int rv;

	switch (siw_llp_status(ep->llp)) {
	case SIW_LLP_CONNECTING:
		return;
	case SIW_LLP_DOWN:
		rv = siw_llp_error(ep->llp);
		active_fail(ep, rv ? rv : -ECONNRESET);
		return;
	default:
		break;
	}
	if (ep->self) {
		siw_rdv_self_up(ep);
		return;
	}
	rv = send_request(ep);
	if (rv)
		active_fail(ep, rv == -EPIPE ? -ECONNRESET : rv);
	else
		siw_ep_set_state(ep, SIW_EP_WAIT_REPLY, SIW_REPLY_TIMEOUT_S, 0);
}

/* A peer of revision 1 closes on an enhanced Request (trap T-10). */
static void retry_plain(struct siw_ep *ep)
{
	int rv;

	siw_ep_close_llp(ep, true);
	ep->enhanced = false;
	ep->cfg.enhanced = false;
	ep->cfg.p2p = false;
	rv = active_open(ep);
	if (rv)
		active_fail(ep, rv);
}

static void active_up(struct siw_ep *ep, const struct mpa_settings *set,
		      const void *pdata)
{
	int rv;

	if (ep->rdv && !siw_rdv_peer_ok(ep, pdata)) {
		active_fail(ep, -EPROTO);
		return;
	}
	rv = siw_ep_attach(ep, set);
	if (rv)
		active_terminate(ep, IW_ERR_MPA_LOCAL, set, rv);
	else
		siw_ep_tell_reply(ep, 0, pdata);
}

static void conclude(struct siw_ep *ep)
{
	struct mpa_settings set;
	const void *pdata;
	enum iw_err err;

	err = mpa_startup_decode(ep->buf, ep->have, MPA_REPLY, &ep->rcvd,
				 &pdata);
	if (!err)
		err = mpa_conclude(&ep->cfg, &ep->sent, &ep->rcvd, &set);
	switch (err) {
	case IW_OK:
		active_up(ep, &set, pdata);
		return;
	case IW_ERR_REJECTED:
		if (!ep->rdv)
			siw_stat_inc(ep->sdev, SIW_STAT_CONN_REJECTED);
		siw_ep_tell_reply(ep, -ECONNREFUSED, pdata);
		siw_ep_die(ep, false, -ECONNREFUSED);
		return;
	case IW_ERR_MPA_IRD:
	case IW_ERR_MPA_RTR:
		active_terminate(ep, err, &set, -EPROTO);
		return;
	default:
		trace_siw_error(ep->qpn, iw_err_name(err), 0);
		active_fail(ep, -EPROTO);
	}
}

static void run_wait_reply(struct siw_ep *ep)
{
	enum iw_err err = IW_OK;
	int rv = read_frame(ep, MPA_REPLY, &err);

	switch (rv) {
	case 0:
		conclude(ep);
		return;
	case -EAGAIN:
		return;
	case -EPROTO:
		trace_siw_error(ep->qpn, iw_err_name(err), ep->have);
		active_fail(ep, rv);
		return;
	case -EPIPE:
	case -ECONNRESET:
		if (!ep->have && ep->enhanced)
			retry_plain(ep);
		else
			active_fail(ep, -ECONNRESET);
		return;
	default:
		active_fail(ep, rv);
	}
}

static void late_active(struct siw_ep *ep)
{
	active_fail(ep, -ETIMEDOUT);
}

/* ------------------------------------------------------------ passive ---- */

/* The initiator owes us silence until it has our Reply (RFC 5044 7.1.2). */
static bool peer_waits(struct siw_ep *ep)
{
	if (siw_llp_readable(ep->llp)) {
		trace_siw_error(0, iw_err_name(IW_ERR_MPA_TRAILING), 0);
		return false;
	}
	return siw_llp_status(ep->llp) == SIW_LLP_UP;
}

/* A rendezvous is judged when the Request is complete. */
static bool still_wanted(struct siw_ep *ep)
{
	return ep->rdv || siw_listen_alive(ep->lid);
}

static void run_offered(struct siw_ep *ep)
{
	const void *pdata;
	int rv;

	if (!still_wanted(ep) || !peer_waits(ep)) {
		passive_fail(ep, false, -ECONNABORTED);
		return;
	}
	mpa_startup_decode(ep->buf, ep->have, MPA_REQUEST, &ep->rcvd, &pdata);
	rv = siw_ep_tell_request(ep, pdata);
	if (rv == -ENOMEM)
		ep->poll = true;
	else if (rv)
		passive_fail(ep, false, rv);
}

static void run_wait_request(struct siw_ep *ep)
{
	enum iw_err err = IW_OK;
	int rv = read_frame(ep, MPA_REQUEST, &err);
	const void *pdata;

	if (rv == -EAGAIN && still_wanted(ep))
		return;
	if (rv) {
		trace_siw_error(0, iw_err_name(err), ep->have);
		passive_fail(ep, false, rv);
		return;
	}
	err = mpa_startup_decode(ep->buf, ep->have, MPA_REQUEST, &ep->rcvd,
				 &pdata);
	/* a reject has no depths of the application: name those asked for */
	siw_ep_config(ep, ep->rcvd.ord, ep->rcvd.ird);
	if (err || (ep->rcvd.enhanced && !ep->cfg.enhanced)) {
		/* revision 2 is switched off: RST asks for revision 1 (T-10) */
		passive_fail(ep, true, -EPROTO);
		return;
	}
	siw_ep_set_state(ep, SIW_EP_OFFERED, SIW_REQUEST_TIMEOUT_S, 0);
}

static void run_wait_accept(struct siw_ep *ep)
{
	if (!peer_waits(ep))
		passive_fail(ep, false, -ECONNRESET);
}

static void late_passive(struct siw_ep *ep)
{
	passive_fail(ep, true, -ETIMEDOUT);
}

static void late_offered(struct siw_ep *ep)
{
	siw_stat_inc(ep->sdev, SIW_STAT_CONN_TIMEOUT);
	siw_ep_refuse(ep, NULL, 0, -ETIMEDOUT);
}

/**
 * siw_ep_refuse() - send a rejecting Reply and close
 * @ep: passive endpoint with a complete Request, no QP attached
 * @pdata: private data of the application, may be NULL
 * @pd_len: octets at @pdata
 * @status: why, for the trace
 *
 * Context: process, siw_ep.lock held.
 */
void siw_ep_refuse(struct siw_ep *ep, const void *pdata, u16 pd_len,
		   int status)
{
	struct mpa_params rep;

	siw_stat_inc(ep->sdev, SIW_STAT_CONN_REJECTED);
	if (mpa_respond_reject(&ep->cfg, &ep->rcvd, &rep)) {
		siw_ep_die(ep, true, status);
		return;
	}
	rep.pd_len = pd_len;
	if (send_frame(ep, MPA_REPLY, &rep, pdata))
		siw_ep_die(ep, false, status);
	else
		siw_ep_drain(ep, SIW_DRAIN_TIMEOUT_S, status);
}

/*
 * The Reply is on its way, iw_cm will hear of the connection's end. In
 * client/server mode it is established for our side now: what the application
 * sends is held back by the QP until the first FPDU has come.
 */
static void accepted(struct siw_ep *ep, struct iw_cm_id *cm_id, bool p2p)
{
	if (cm_id)
		cm_id->add_ref(cm_id);
	ep->cm_id = cm_id;
	siw_listen_leave(ep);
	if (p2p) {
		siw_ep_set_state(ep, SIW_EP_WAIT_FIRST, SIW_FIRST_TIMEOUT_S, 0);
		siw_ep_kick(ep);
	} else {
		siw_ep_tell_established(ep, 0);
	}
}

static int reply(struct siw_ep *ep, struct iw_cm_id *cm_id,
		 const struct iw_cm_conn_param *param)
{
	struct mpa_settings set;
	struct mpa_params rep;
	int rv;

	if (mpa_respond(&ep->cfg, &ep->rcvd, &rep, &set))
		return -EPROTO;
	rep.pd_len = param->private_data_len;
	rv = siw_ep_attach(ep, &set);
	if (rv)
		return rv;
	rv = send_frame(ep, MPA_REPLY, &rep, param->private_data);
	if (rv) {
		/* the QP lets go of us, iw_cm hears no more than this error */
		siw_listen_leave(ep);
		siw_ep_set_state(ep, SIW_EP_UP, 0, rv);
		siw_qp_down(ep->qp, SIW_DOWN_ABORT, IW_ERR_LOCAL);
		/* a Reply is the first that is sent: there is room for it */
		return rv == -EAGAIN || rv == -ENOMEM ? -ENOMEM : -ECONNRESET;
	}
	siw_qp_replied(ep->qp);
	accepted(ep, cm_id, set.p2p);
	return 0;
}

/**
 * siw_ep_accept() - send an accepting Reply
 * @ep: endpoint in WAIT_ACCEPT, or OFFERED one of the rendezvous
 * @cm_id: iw_cm's connection, NULL for one of the rendezvous
 * @param: QP, depths and private data
 *
 * Context: process, siw_ep.lock held.
 * Return: as siw_accept(); on error the endpoint ends by itself.
 */
int siw_ep_accept(struct siw_ep *ep, struct iw_cm_id *cm_id,
		  const struct iw_cm_conn_param *param)
{
	int rv;

	siw_ep_config(ep, param->ird, param->ord);
	if (!peer_waits(ep)) {
		passive_fail(ep, false, -ECONNRESET);
		return -ECONNRESET;
	}
	rv = -EINVAL;
	if (param->private_data_len <= mpa_pd_max(ep->rcvd.enhanced))
		ep->qp = siw_qp_lookup(ep->sdev, param->qpn);
	if (ep->qp) {
		WRITE_ONCE(ep->qpn, param->qpn);
		rv = reply(ep, cm_id, param);
	}
	if (rv && !ep->attached)
		siw_ep_refuse(ep, NULL, 0, rv);
	return rv;
}

static void run_wait_first(struct siw_ep *ep)
{
	if (test_bit(SIW_EPE_FIRST, &ep->events))
		siw_ep_tell_established(ep, 0);
}

static void late_first(struct siw_ep *ep)
{
	siw_stat_inc(ep->sdev, SIW_STAT_CONN_TIMEOUT);
	ep->deadline = 0;
	siw_qp_down(ep->qp, SIW_DOWN_ABORT, IW_ERR_MPA_TIMEOUT);
}

/* ------------------------------------------------------------ the end ---- */

static void run_draining(struct siw_ep *ep)
{
	/* asked first: what the peer sent before its FIN waits by then */
	bool up = siw_llp_status(ep->llp) == SIW_LLP_UP;
	unsigned long next = jiffies + SIW_DRAIN_TIMEOUT_S * HZ;
	int n = siw_llp_drain(ep->llp);

	if (n < 0 || !up)
		siw_ep_die(ep, false, 0);
	else if (n)
		ep->deadline = (time_before(next, ep->drain_end) ? next :
				ep->drain_end) | 1;
}

static void late_draining(struct siw_ep *ep)
{
	siw_ep_die(ep, false, -ETIMEDOUT);
}

static void run_nothing(struct siw_ep *ep)
{
}

static const struct {
	void (*run)(struct siw_ep *ep);		/* something happened */
	void (*late)(struct siw_ep *ep);	/* the deadline has passed */
} states[SIW_EP_NUM_STATES] = {
	[SIW_EP_IDLE]		= { run_nothing,	run_nothing },
	[SIW_EP_CONNECTING]	= { run_connecting,	late_active },
	[SIW_EP_WAIT_REPLY]	= { run_wait_reply,	late_active },
	[SIW_EP_WAIT_REQUEST]	= { run_wait_request,	late_passive },
	[SIW_EP_OFFERED]	= { run_offered,	late_offered },
	[SIW_EP_WAIT_ACCEPT]	= { run_wait_accept,	late_passive },
	[SIW_EP_WAIT_FIRST]	= { run_wait_first,	late_first },
	[SIW_EP_UP]		= { run_nothing,	run_nothing },
	[SIW_EP_DRAINING]	= { run_draining,	late_draining },
	[SIW_EP_DEAD]		= { run_nothing,	run_nothing },
};

static void abort_ep(struct siw_ep *ep)
{
	if (ep->attached)
		siw_qp_down(ep->qp, SIW_DOWN_ABORT, IW_ERR_LOCAL);
	else if (ep->state == SIW_EP_CONNECTING ||
		 ep->state == SIW_EP_WAIT_REPLY)
		active_fail(ep, -ECONNABORTED);
	else if (ep->state != SIW_EP_DEAD)
		siw_ep_die(ep, true, -ECONNABORTED);
}

/* The next look at the deadline, unless an event comes first. */
static void rearm(struct siw_ep *ep)
{
	unsigned long when = ep->deadline;

	if (ep->poll)
		when = (jiffies + msecs_to_jiffies(OFFER_RETRY_MS)) | 1;
	siw_ep_timer(ep, when);
}

/**
 * siw_ep_work() - handle what happened to an endpoint
 * @work: siw_ep.work
 *
 * Context: process, on siw_wq or siw_start_wq.
 */
void siw_ep_work(struct work_struct *work)
{
	struct siw_ep *ep = container_of(work, struct siw_ep, work);
	enum siw_ep_state state;

	mutex_lock(&ep->lock);
	if (test_and_clear_bit(SIW_EPE_ABORT, &ep->events))
		abort_ep(ep);
	do {
		state = ep->state;
		states[state].run(ep);
	} while (ep->state != state);
	if (ep->deadline && time_after_eq(jiffies, ep->deadline))
		states[state].late(ep);
	if (ep->state != SIW_EP_DEAD)
		rearm(ep);
	mutex_unlock(&ep->lock);
	siw_ep_put(ep);
}
