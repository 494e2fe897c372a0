// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Rendezvous: queue pairs that are connected by modify_qp, without rdma_cm.
 *
 *	          RTR names the peer            attached
 *	   NONE ---------------------> WAIT ---------------> UP
 *	    ^                           | late, device gone,  | end of the
 *	    |           RESET           v modify to ERR       v connection
 *	    +------------------------ OVER <------------------+
 *
 * The state is under the QP's mutex. What takes time, or locks that come
 * before that one, is done by the one work item of the QP, which looks at the
 * state and does what is due: listen, connect, give up.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <rdma/ib_cache.h>
#include <rdma/iw_cm.h>

#include "cm.h"
#include "device.h"
#include "ep.h"
#include "llp.h"
#include "qp.h"
#include "rdv.h"
#include "stats.h"

/* Between two attempts to reach the peer, in milliseconds: doubled each time. */
#define RDV_RETRY_MIN		10
#define RDV_RETRY_MAX		500
/* The TCP handshake of one attempt, in seconds. */
#define RDV_CONNECT_S		3
/* How long receives stay posted after the peer has closed in order. */
#define RDV_LINGER		HZ

/* ------------------------------------------------------------- arguments - */

/* Entry 0 of the table, and those of peers: MAC address, then zeros. */
static bool gid_is_mac(const union ib_gid *gid)
{
	return !memchr_inv(gid->raw + ETH_ALEN, 0,
			   sizeof(*gid) - ETH_ALEN);
}

static bool ipv4_names_host(__be32 ip)
{
	return !ipv4_is_zeronet(ip) && !ipv4_is_multicast(ip) &&
	       !ipv4_is_lbcast(ip);
}

static bool gid_names_host(const union ib_gid *gid)
{
	struct in6_addr ip;

	memcpy(&ip, gid, sizeof(ip));
	if (ipv6_addr_v4mapped(&ip))
		return ipv4_names_host(ip.s6_addr32[3]);
	return !gid_is_mac(gid) && !ipv6_addr_is_multicast(&ip);
}

static bool gid_is_v4(const union ib_gid *gid)
{
	return ipv6_addr_v4mapped((const struct in6_addr *)gid);
}

static const union ib_gid *own_gid(const struct ib_global_route *grh)
{
	/* the core has looked it up */
	return grh->sgid_attr ? &grh->sgid_attr->gid : &zgid;
}

static int check_peer(const struct ib_qp_attr *attr)
{
	const struct ib_global_route *grh = &attr->ah_attr.grh;
	const union ib_gid *own;

	if (!(rdma_ah_get_ah_flags(&attr->ah_attr) & IB_AH_GRH) ||
	    !grh->sgid_index)
		return -EINVAL;
	own = own_gid(grh);
	if (!gid_names_host(own) || !gid_names_host(&grh->dgid) ||
	    gid_is_v4(own) != gid_is_v4(&grh->dgid))
		return -EINVAL;
	/* 0 and 1 are no queue pairs that somebody has created */
	if (attr->dest_qp_num < 2 || attr->dest_qp_num > RDV_QPN_MAX)
		return -EINVAL;
	return 0;
}

static void keep_rtr_attr(struct siw_rdv *rdv, const struct ib_qp_attr *attr,
			  int mask)
{
	rdv->grh = attr->ah_attr.grh;
	rdv->grh.sgid_attr = NULL;
	rdv->sl = rdma_ah_get_sl(&attr->ah_attr);
	rdv->path_mtu = mask & IB_QP_PATH_MTU ? attr->path_mtu : 0;
	rdv->rq_psn = mask & IB_QP_RQ_PSN ? attr->rq_psn : 0;
	rdv->min_rnr_timer = mask & IB_QP_MIN_RNR_TIMER ?
			     attr->min_rnr_timer : 0;
	rdv->max_dest_rd_atomic = mask & IB_QP_MAX_DEST_RD_ATOMIC ?
				  attr->max_dest_rd_atomic : SIW_MAX_IRD;
	rdv->max_rd_atomic = SIW_MAX_ORD;
}

static void keep_rts_attr(struct siw_rdv *rdv, const struct ib_qp_attr *attr,
			  int mask)
{
	if (mask & IB_QP_SQ_PSN)
		rdv->sq_psn = attr->sq_psn;
	if (mask & IB_QP_TIMEOUT)
		rdv->timeout = attr->timeout;
	if (mask & IB_QP_RETRY_CNT)
		rdv->retry_cnt = attr->retry_cnt;
	if (mask & IB_QP_RNR_RETRY)
		rdv->rnr_retry = attr->rnr_retry;
	if (mask & IB_QP_MAX_QP_RD_ATOMIC)
		rdv->max_rd_atomic = attr->max_rd_atomic;
}

/* ------------------------------------------------------------ verbs ------ */

static void rdv_kick(struct siw_rdv *rdv, unsigned long delay)
{
	mod_delayed_work(siw_end_wq, &rdv->work, delay);
}

static void set_deadline(struct siw_qp *qp)
{
	qp->rdv.deadline = jiffies + READ_ONCE(qp->sdev->opts.rdv_timeout) * HZ;
}

static u32 next_gen(void)
{
	static atomic_t last = ATOMIC_INIT(0);
	u32 gen;

	do {
		gen = atomic_inc_return(&last);
	} while (!gen);
	return gen;
}

/**
 * siw_rdv_begin() - INIT to RTR with a peer: begin to look for it
 * @qp: queue pair in INIT, its mutex is held
 * @attr: attributes
 * @mask: which of them count: IB_QP_AV and IB_QP_DEST_QPN are among them
 *
 * Context: process.
 * Return: 0; -EINVAL if the peer or our own GID is no address; -EOPNOTSUPP if
 * the rendezvous is switched off.
 */
int siw_rdv_begin(struct siw_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	u16 port = READ_ONCE(qp->sdev->opts.rdv_port);
	struct siw_rdv *rdv = &qp->rdv;
	struct rdv_hello *n = &rdv->names;
	int rv;

	lockdep_assert_held(&qp->mutex);
	rv = check_peer(attr);
	if (rv)
		return rv;
	if (!port)
		return -EOPNOTSUPP;
	keep_rtr_attr(rdv, attr, mask);
	memcpy(n->src.gid, own_gid(&attr->ah_attr.grh), RDV_GID_LEN);
	memcpy(n->dst.gid, &rdv->grh.dgid, RDV_GID_LEN);
	n->src.qpn = qp->qpn;
	n->dst.qpn = attr->dest_qp_num;
	n->caps = SIW_RDV_CAPS;
	rdv->role = rdv_role(&n->src, &n->dst);
	rdv->port = port;
	rdv->rts = false;
	rdv->trying = false;
	rdv->closing = false;
	WRITE_ONCE(rdv->gone, false);
	rdv->delay = RDV_RETRY_MIN;
	rdv->retry = jiffies;
	set_deadline(qp);
	rdv->gen = next_gen();
	WRITE_ONCE(rdv->state, SIW_RDV_WAIT);
	siw_qp_set_state(qp, IB_QPS_RTR);
	if (rdv->role == RDV_PASSIVE)
		siw_rdv_expect(qp);
	rdv_kick(rdv, 0);
	return 0;
}

/* The sender reads the depth while it changes: either value will do. */
static void bound_ord(struct siw_qp *qp)
{
	if (qp->conn.ord > qp->rdv.max_rd_atomic)
		WRITE_ONCE(qp->conn.ord, qp->rdv.max_rd_atomic);
}

/**
 * siw_rdv_rts() - RTR to RTS of a QP that has named its peer
 * @qp: queue pair, its mutex is held
 * @attr: attributes
 * @mask: which of them count
 *
 * The connection may be up already or not. The wait begins anew: only now may
 * the peer have learned of us.
 *
 * Context: process. Return: 0, or -EINVAL where no peer was named.
 */
int siw_rdv_rts(struct siw_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	struct siw_rdv *rdv = &qp->rdv;

	lockdep_assert_held(&qp->mutex);
	if (rdv->state != SIW_RDV_WAIT && rdv->state != SIW_RDV_UP)
		return -EINVAL;
	keep_rts_attr(rdv, attr, mask);
	rdv->rts = true;
	if (rdv->state == SIW_RDV_UP)
		bound_ord(qp);
	else
		set_deadline(qp);
	return 0;
}

/**
 * siw_rdv_end() - the application ends the wait
 * @qp: queue pair, waiting or not, its mutex is held
 *
 * Context: process.
 */
void siw_rdv_end(struct siw_qp *qp)
{
	struct siw_rdv *rdv = &qp->rdv;

	lockdep_assert_held(&qp->mutex);
	if (rdv->state != SIW_RDV_WAIT)
		return;
	siw_rdv_forget(qp);
	WRITE_ONCE(rdv->state, SIW_RDV_OVER);
	/* the listener, an endpoint under way */
	rdv_kick(rdv, 0);
}

/**
 * siw_rdv_reset() - forget the peer
 * @qp: queue pair without a connection, its mutex is held
 *
 * Context: process.
 */
void siw_rdv_reset(struct siw_qp *qp)
{
	siw_rdv_end(qp);
	WRITE_ONCE(qp->rdv.state, SIW_RDV_NONE);
}

/**
 * siw_rdv_stop() - first thing when a QP is destroyed: no new endpoint
 * @qp: queue pair
 *
 * siw_rdv_exit() must follow when the connection has ended.
 *
 * Context: process.
 */
void siw_rdv_stop(struct siw_qp *qp)
{
	mutex_lock(&qp->mutex);
	siw_rdv_end(qp);
	mutex_unlock(&qp->mutex);
	cancel_delayed_work_sync(&qp->rdv.work);
}

/**
 * siw_rdv_exit() - last thing before a QP goes
 * @qp: queue pair without a connection
 *
 * Context: process.
 */
void siw_rdv_exit(struct siw_qp *qp)
{
	cancel_delayed_work_sync(&qp->rdv.work);
	siw_rdv_unlisten(qp);
}

/**
 * siw_rdv_named() - whether the peer was named by modify_qp
 * @qp: queue pair
 *
 * Context: any.
 * Return: true from RTR until RESET.
 */
bool siw_rdv_named(const struct siw_qp *qp)
{
	return READ_ONCE(qp->rdv.state) != SIW_RDV_NONE;
}

/**
 * siw_rdv_shown() - the state an application sees
 * @qp: queue pair with a peer, its mutex is held
 *
 * RTR and RTS are what it asked for, whether connected or not.
 *
 * Context: process. Return: state.
 */
enum ib_qp_state siw_rdv_shown(const struct siw_qp *qp)
{
	if (qp->state != IB_QPS_RTR && qp->state != IB_QPS_RTS)
		return qp->state;
	return qp->rdv.rts ? IB_QPS_RTS : IB_QPS_RTR;
}

/**
 * siw_rdv_query() - attributes as they were set
 * @qp: queue pair, its mutex is held
 * @attr: filled in if a peer was named
 *
 * Context: process.
 */
void siw_rdv_query(const struct siw_qp *qp, struct ib_qp_attr *attr)
{
	const struct siw_rdv *rdv = &qp->rdv;
	union ib_gid dgid;

	if (!siw_rdv_named(qp))
		return;
	attr->qp_state = siw_rdv_shown(qp);
	attr->cur_qp_state = attr->qp_state;
	attr->dest_qp_num = rdv->names.dst.qpn;
	dgid = rdv->grh.dgid;
	rdma_ah_set_grh(&attr->ah_attr, &dgid, rdv->grh.flow_label,
			rdv->grh.sgid_index, rdv->grh.hop_limit,
			rdv->grh.traffic_class);
	rdma_ah_set_sl(&attr->ah_attr, rdv->sl);
	rdma_ah_set_port_num(&attr->ah_attr, SIW_PORT);
	if (rdv->path_mtu)
		attr->path_mtu = rdv->path_mtu;
	attr->rq_psn = rdv->rq_psn;
	attr->sq_psn = rdv->sq_psn;
	attr->timeout = rdv->timeout;
	attr->retry_cnt = rdv->retry_cnt;
	attr->rnr_retry = rdv->rnr_retry;
	attr->min_rnr_timer = rdv->min_rnr_timer;
	attr->max_rd_atomic = rdv->rts ? rdv->max_rd_atomic : 0;
	attr->max_dest_rd_atomic = rdv->max_dest_rd_atomic;
}

/**
 * siw_rdv_state_name() - for people
 * @qp: queue pair
 *
 * Context: any. Return: a word, or NULL if no peer was named.
 */
const char *siw_rdv_state_name(const struct siw_qp *qp)
{
	switch (READ_ONCE(qp->rdv.state)) {
	case SIW_RDV_WAIT:
		return qp->rdv.role == RDV_PASSIVE ? "listening" : "connecting";
	case SIW_RDV_UP:
		return "connected";
	case SIW_RDV_OVER:
		return "over";
	default:
		return NULL;
	}
}

/* ------------------------------------------------- connection of the QP -- */

/**
 * siw_rdv_wait_gen() - which connection a QP takes
 * @qp: queue pair, its mutex is held
 *
 * Context: process.
 * Return: number of its wait; 0 if it waits for none of the rendezvous.
 */
u32 siw_rdv_wait_gen(const struct siw_qp *qp)
{
	return qp->rdv.state == SIW_RDV_WAIT ? qp->rdv.gen : 0;
}

/**
 * siw_rdv_attached() - the QP is connected
 * @qp: queue pair, its mutex is held; siw_qp.conn is set
 *
 * Context: process.
 */
void siw_rdv_attached(struct siw_qp *qp)
{
	struct siw_rdv *rdv = &qp->rdv;

	lockdep_assert_held(&qp->mutex);
	if (rdv->state != SIW_RDV_WAIT)
		return;
	siw_rdv_forget(qp);
	rdv->trying = false;
	bound_ord(qp);
	WRITE_ONCE(rdv->state, SIW_RDV_UP);
	rdv_kick(rdv, 0);
}

/**
 * siw_rdv_released() - the connection has ended
 * @qp: queue pair, its mutex is held
 *
 * Context: process.
 */
void siw_rdv_released(struct siw_qp *qp)
{
	lockdep_assert_held(&qp->mutex);
	if (qp->rdv.state == SIW_RDV_UP)
		WRITE_ONCE(qp->rdv.state, SIW_RDV_OVER);
}

/**
 * siw_rdv_linger() - the peer has closed in order
 * @qp: connected queue pair
 *
 * Nobody but rdma_cm would tell the application, which may still be busy with
 * completions of ours, that receives are about to be flushed: they stay
 * posted for a moment.
 *
 * Context: any, the socket may be locked.
 * Return: true if the connection ends later by itself.
 */
bool siw_rdv_linger(struct siw_qp *qp)
{
	struct siw_rdv *rdv = &qp->rdv;

	if (READ_ONCE(rdv->state) != SIW_RDV_UP)
		return false;
	if (!READ_ONCE(rdv->closing)) {
		rdv->linger = jiffies + RDV_LINGER;
		/* pairs with the work, which looks at the time after that */
		smp_store_release(&rdv->closing, true);
		rdv_kick(rdv, RDV_LINGER);
	}
	return true;
}

/* ------------------------------------------------------------ attempts --- */

static void attempt_config(struct siw_ep *ep, struct siw_qp *qp)
{
	siw_qp_get(qp);
	ep->qp = qp;
	WRITE_ONCE(ep->qpn, qp->qpn);
	ep->rdv = true;
	ep->active = true;
}

/* What an attempt needs of the QP, in a copy. */
struct attempt {
	struct rdv_hello names;
	struct sockaddr_storage local;
	struct sockaddr_storage remote;
	enum rdv_role role;
	u32 gen;
	u8 ird;
	u8 tos;
};

static int attempt_open(struct siw_ep *ep, struct net *net,
			const struct attempt *at)
{
	struct sockaddr_storage remote = at->remote;
	struct siw_llp *llp;
	int rv;

	llp = siw_llp_open(net, at->local.ss_family,
			   READ_ONCE(ep->sdev->netdev->mtu), at->tos, at->tos);
	if (IS_ERR(llp))
		return PTR_ERR(llp);
	siw_ep_set_llp(ep, llp, net);
	rv = siw_llp_bind(llp, &at->local, false);
	/* a TCP socket that connects to itself reads what it writes */
	if (!rv && at->role == RDV_SELF)
		siw_llp_local_addr(llp, &remote);
	if (!rv) {
		siw_ep_own(ep);
		rv = siw_llp_connect(llp, &remote);
	}
	return rv;
}

static int attempt_begin(struct siw_ep *ep, const struct attempt *at)
{
	struct net *net;
	int rv;

	ep->rdv_gen = at->gen;
	ep->self = at->role == RDV_SELF;
	siw_ep_config(ep, at->ird, SIW_MAX_ORD);
	ep->pdata = kmalloc(RDV_FRAME_LEN, GFP_KERNEL);
	if (!ep->pdata)
		return -ENOMEM;
	rdv_encode(ep->pdata, &at->names);
	ep->pdata_len = RDV_FRAME_LEN;
	net = siw_device_get_net(ep->sdev);
	if (!net)
		return -ENODEV;
	rv = attempt_open(ep, net, at);
	put_net(net);
	if (!rv)
		siw_ep_set_state(ep, SIW_EP_CONNECTING, RDV_CONNECT_S, 0);
	return rv;
}

/*
 * The endpoint reports with siw_rdv_replied() if this returns 0. It has no
 * part in the QP before attempt_config().
 */
static int attempt(struct siw_qp *qp, const struct attempt *at)
{
	struct siw_ep *ep = siw_ep_new(qp->sdev);
	int rv;

	if (IS_ERR(ep))
		return PTR_ERR(ep);
	attempt_config(ep, qp);
	rv = attempt_begin(ep, at);
	if (rv)
		siw_ep_die(ep, true, rv);
	else
		siw_ep_kick(ep);
	mutex_unlock(&ep->lock);
	siw_ep_put(ep);
	return rv;
}

static void attempt_failed(struct siw_qp *qp, u32 gen, int status)
{
	struct siw_rdv *rdv = &qp->rdv;

	mutex_lock(&qp->mutex);
	if (siw_rdv_wait_gen(qp) == gen) {
		rdv->trying = false;
		rdv->retry = jiffies + msecs_to_jiffies(rdv->delay);
		rdv->delay = min_t(unsigned int, 2 * rdv->delay,
				   RDV_RETRY_MAX);
		/* no other attempt will fare better */
		if (status == -ENODEV)
			WRITE_ONCE(rdv->gone, true);
		rdv_kick(rdv, 0);
	}
	mutex_unlock(&qp->mutex);
}

/* ------------------------------------------------------------ work ------- */

/* What the work is to do, decided under the QP's mutex. */
enum rdv_step {
	RDV_STEP_NOTHING,
	RDV_STEP_LISTEN,
	RDV_STEP_CONNECT,
	RDV_STEP_FAIL,
};

static enum rdv_step next_step(struct siw_qp *qp)
{
	struct siw_rdv *rdv = &qp->rdv;

	/* pairs with siw_rdv_linger() */
	if (smp_load_acquire(&rdv->closing) &&
	    time_after_eq(jiffies, rdv->linger) &&
	    rdv->state == SIW_RDV_UP)
		siw_qp_down(qp, SIW_DOWN_PEER, IW_ERR_CLOSED);
	if (rdv->state != SIW_RDV_WAIT)
		return RDV_STEP_NOTHING;
	if (READ_ONCE(rdv->gone) || time_after_eq(jiffies, rdv->deadline))
		return RDV_STEP_FAIL;
	if (rdv->role == RDV_PASSIVE)
		return RDV_STEP_LISTEN;
	if (rdv->trying || time_before(jiffies, rdv->retry))
		return RDV_STEP_NOTHING;
	rdv->trying = true;
	return RDV_STEP_CONNECT;
}

/* Under the mutex: RDV_STEP_FAIL. */
static void give_up(struct siw_qp *qp)
{
	siw_rdv_forget(qp);
	WRITE_ONCE(qp->rdv.state, SIW_RDV_OVER);
	qp->error = READ_ONCE(qp->rdv.gone) ? IW_ERR_LOCAL :
					      IW_ERR_MPA_TIMEOUT;
	siw_qp_to_error(qp);
}

static void fill_attempt(struct siw_qp *qp, struct attempt *at)
{
	const struct siw_rdv *rdv = &qp->rdv;
	bool listens = rdv->role == RDV_PASSIVE;

	at->names = rdv->names;
	at->role = rdv->role;
	at->gen = rdv->gen;
	at->ird = rdv->max_dest_rd_atomic;
	at->tos = rdv->grh.traffic_class;
	siw_rdv_addr(qp->sdev, rdv->names.src.gid, listens ? rdv->port : 0,
		     &at->local);
	siw_rdv_addr(qp->sdev, rdv->names.dst.gid, rdv->port, &at->remote);
}

/* When the work has to look again, whatever happens. */
static void look_again(struct siw_qp *qp, bool soon)
{
	struct siw_rdv *rdv = &qp->rdv;
	unsigned long next = rdv->deadline;
	unsigned long delay = 0;

	mutex_lock(&qp->mutex);
	if (rdv->state == SIW_RDV_UP && READ_ONCE(rdv->closing))
		next = rdv->linger;
	else if (rdv->state != SIW_RDV_WAIT)
		goto out;
	else if (rdv->role != RDV_PASSIVE && !rdv->trying &&
		 time_before(rdv->retry, next))
		next = rdv->retry;
	if (time_before(jiffies, next))
		delay = next - jiffies;
	if (soon)
		delay = min(delay, msecs_to_jiffies(RDV_RETRY_MAX));
	queue_delayed_work(siw_end_wq, &rdv->work, delay);
out:
	mutex_unlock(&qp->mutex);
}

/* Endpoints that the QP has no use for any more. */
static void abort_attempts(struct siw_qp *qp)
{
	struct siw_device *sdev = qp->sdev;
	struct siw_ep *ep;

	spin_lock_bh(&sdev->ep_lock);
	list_for_each_entry(ep, &sdev->eps, dev_node) {
		if (READ_ONCE(ep->qpn) != qp->qpn || !ep->rdv ||
		    READ_ONCE(ep->attached))
			continue;
		set_bit(SIW_EPE_ABORT, &ep->events);
		siw_ep_kick(ep);
	}
	spin_unlock_bh(&sdev->ep_lock);
}

static void failed(struct siw_qp *qp)
{
	siw_stat_inc(qp->sdev, SIW_STAT_CONN_TIMEOUT);
	siw_qp_event(qp, IB_EVENT_QP_FATAL);
	siw_qp_last_wqe(qp);
}

static void rdv_work(struct work_struct *work)
{
	struct siw_qp *qp = container_of(to_delayed_work(work), struct siw_qp,
					 rdv.work);
	struct attempt at;
	enum rdv_step step;
	bool over;
	int rv = 0;

	mutex_lock(&qp->mutex);
	step = next_step(qp);
	if (step == RDV_STEP_FAIL)
		give_up(qp);
	over = qp->rdv.state != SIW_RDV_WAIT && qp->rdv.state != SIW_RDV_UP;
	fill_attempt(qp, &at);
	mutex_unlock(&qp->mutex);

	if (step == RDV_STEP_LISTEN)
		rv = siw_rdv_listen(qp, &at.local);
	else
		siw_rdv_unlisten(qp);
	if (over)
		abort_attempts(qp);
	if (step == RDV_STEP_CONNECT)
		rv = attempt(qp, &at);
	if (step == RDV_STEP_FAIL)
		failed(qp);
	if (rv && step == RDV_STEP_CONNECT)
		attempt_failed(qp, at.gen, rv);
	if (rv == -ENODEV)
		WRITE_ONCE(qp->rdv.gone, true);
	look_again(qp, rv);
}

/**
 * siw_rdv_init() - set up the rendezvous part of a new QP
 * @qp: queue pair
 *
 * Context: process.
 */
void siw_rdv_init(struct siw_qp *qp)
{
	INIT_DELAYED_WORK(&qp->rdv.work, rdv_work);
	INIT_HLIST_NODE(&qp->rdv.node);
}

/**
 * siw_rdv_device_off() - no QP of a device waits any longer
 * @sdev: device whose netdev goes or changes its namespace
 *
 * Context: process, RTNL may be held.
 */
void siw_rdv_device_off(struct siw_device *sdev)
{
	struct siw_qp *qp;
	unsigned long qpn;

	xa_lock_irq(&sdev->qps);
	xa_for_each(&sdev->qps, qpn, qp) {
		if (READ_ONCE(qp->rdv.state) != SIW_RDV_WAIT)
			continue;
		WRITE_ONCE(qp->rdv.gone, true);
		rdv_kick(&qp->rdv, 0);
	}
	xa_unlock_irq(&sdev->qps);
}

/* ------------------------------------------------------------ endpoints -- */

/* The addresses TCP has, the names in the frame and the QP's must agree. */
static bool names_match(struct siw_ep *ep, const struct rdv_hello *hello)
{
	struct sockaddr_storage addr;
	u8 gid[RDV_GID_LEN];

	siw_llp_local_addr(ep->llp, &addr);
	siw_rdv_gid(&addr, gid);
	if (memcmp(gid, hello->dst.gid, sizeof(gid)))
		return false;
	siw_llp_remote_addr(ep->llp, &addr);
	siw_rdv_gid(&addr, gid);
	return !memcmp(gid, hello->src.gid, sizeof(gid));
}

/**
 * siw_rdv_peer_ok() - whether an accepting Reply is from whom we look for
 * @ep: active endpoint
 * @pdata: private data of the Reply, siw_ep.rcvd.pd_len octets
 *
 * Context: process, siw_ep.lock held.
 * Return: true if it names the pair as we do.
 */
bool siw_rdv_peer_ok(struct siw_ep *ep, const void *pdata)
{
	struct rdv_hello sent, got;

	if (!rdv_decode(ep->pdata, ep->pdata_len, &sent) ||
	    !rdv_decode(pdata, ep->rcvd.pd_len, &got))
		return false;
	ep->peer_caps = got.caps;
	return !rdv_compare(&sent.src, &got.dst) &&
	       !rdv_compare(&sent.dst, &got.src) && names_match(ep, &got);
}

/**
 * siw_rdv_replied() - an attempt has ended
 * @ep: active endpoint; goes to UP if @status is 0
 * @status: 0 or a negative errno
 *
 * Context: process, siw_ep.lock held.
 */
void siw_rdv_replied(struct siw_ep *ep, int status)
{
	if (!status) {
		siw_ep_set_state(ep, SIW_EP_UP, 0, 0);
		siw_stat_inc(ep->sdev, SIW_STAT_CONN_ACTIVE);
	} else if (ep->qp) {
		attempt_failed(ep->qp, ep->rdv_gen, status);
	}
}

static void accept_pair(struct siw_ep *ep, const struct rdv_hello *hello,
			struct siw_qp *qp)
{
	struct rdv_hello own = {
		.src = hello->dst,
		.dst = hello->src,
		.caps = SIW_RDV_CAPS,
	};
	u8 frame[RDV_FRAME_LEN];
	struct iw_cm_conn_param param = {
		.private_data = frame,
		.private_data_len = sizeof(frame),
		.ord = SIW_MAX_ORD,
		.ird = READ_ONCE(qp->rdv.max_dest_rd_atomic),
		.qpn = qp->qpn,
	};

	rdv_encode(frame, &own);
	ep->peer_caps = hello->caps;
	/* a failure has ended the endpoint; the QP waits on, or is gone */
	siw_ep_accept(ep, NULL, &param);
}

/**
 * siw_rdv_requested() - a peer names a pair
 * @ep: passive endpoint with a complete Request; ends or is accepted
 * @pdata: private data of the Request, siw_ep.rcvd.pd_len octets
 *
 * Only a QP that waits for just this peer is handed the connection.
 *
 * Context: process, siw_ep.lock held.
 */
void siw_rdv_requested(struct siw_ep *ep, const void *pdata)
{
	struct siw_qp *qp = NULL;
	struct rdv_hello hello;
	u32 gen;

	if (rdv_decode(pdata, ep->rcvd.pd_len, &hello) && ep->rcvd.p2p &&
	    names_match(ep, &hello))
		qp = siw_rdv_find(NULL, ep->sdev, hello.dst.gid, hello.src.gid,
				  &hello, &gen);
	if (qp) {
		ep->rdv_gen = gen;
		accept_pair(ep, &hello, qp);
	} else {
		siw_ep_refuse(ep, NULL, 0, -ECONNREFUSED);
	}
	if (qp)
		siw_qp_put(qp);
}

/**
 * siw_rdv_self_up() - a TCP socket is connected to itself
 * @ep: active endpoint of a QP that is its own peer
 *
 * Both ends are one: there is nothing to negotiate.
 *
 * Context: process, siw_ep.lock held.
 */
void siw_rdv_self_up(struct siw_ep *ep)
{
	const struct mpa_config *cfg = &ep->cfg;
	struct mpa_settings set = {
		.rev = MPA_REV_2,
		.enhanced = true,
		.crc = cfg->crc,
		.ird = cfg->ird,
		.ord = cfg->ird,
	};
	struct sockaddr_storage local, remote;
	int rv = -ECONNREFUSED;

	siw_llp_local_addr(ep->llp, &local);
	siw_llp_remote_addr(ep->llp, &remote);
	ep->peer_caps = SIW_RDV_CAPS;
	if (!memcmp(&local, &remote, sizeof(local)))
		rv = siw_ep_attach(ep, &set);
	siw_rdv_replied(ep, rv);
	if (rv)
		siw_ep_die(ep, true, rv);
}
