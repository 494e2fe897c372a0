// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Rendezvous, passive ends: who waits for whom, and the TCP listeners. There
 * is one listener a namespace, address and port, open only while a QP waits
 * there. A connection from an address that nobody waits for is reset at once.
 *
 * Lock order: rdv_listen_lock, then siw_acceptor.lock, then siw_ep.lock
 * of a new endpoint. rdv_wait_lock is innermost.
 */
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "acceptor.h"
#include "device.h"
#include "ep.h"
#include "llp.h"
#include "qp.h"
#include "rdv.h"

/* TCP's own queue, and startups under way, of a listener. */
#define RDV_BACKLOG		128
#define RDV_MAX_HALF_OPEN	256

/**
 * struct siw_rdv_listener - one TCP socket that listens
 * @acc: the socket
 * @node: in the list of listeners, under rdv_listen_lock
 * @users: QPs that wait; under rdv_listen_lock
 */
struct siw_rdv_listener {
	struct siw_acceptor acc;
	struct list_head node;
	int users;
};

static DEFINE_MUTEX(rdv_listen_lock);	/* list, users */
static LIST_HEAD(rdv_listeners);

static DEFINE_SPINLOCK(rdv_wait_lock);	/* table */
static DEFINE_HASHTABLE(rdv_waiting, 10);

/* ------------------------------------------------------------ addresses -- */

/**
 * siw_rdv_addr() - socket address of a GID
 * @sdev: device on whose link the address counts
 * @gid: IPv4-mapped or IPv6 GID
 * @port: TCP port
 * @addr: filled in
 *
 * Context: any.
 */
void siw_rdv_addr(struct siw_device *sdev, const u8 *gid, u16 port,
		  struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
	struct sockaddr_in *in = (struct sockaddr_in *)addr;
	struct in6_addr ip;

	memcpy(&ip, gid, sizeof(ip));
	memset(addr, 0, sizeof(*addr));
	if (ipv6_addr_v4mapped(&ip)) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = ip.s6_addr32[3];
		return;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_addr = ip;
	if (ipv6_addr_type(&ip) & IPV6_ADDR_LINKLOCAL)
		in6->sin6_scope_id = sdev->netdev->ifindex;
}

/**
 * siw_rdv_gid() - GID of a socket address
 * @addr: address
 * @gid: RDV_GID_LEN octets, filled in; zeros if there is none
 *
 * Context: any.
 */
void siw_rdv_gid(const struct sockaddr_storage *addr, u8 *gid)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
	struct in6_addr ip = {};

	if (addr->ss_family == AF_INET)
		ipv6_addr_set_v4mapped(in->sin_addr.s_addr, &ip);
	else if (addr->ss_family == AF_INET6)
		ip = in6->sin6_addr;
	memcpy(gid, &ip, sizeof(ip));
}

static bool addr_same(const struct sockaddr_storage *a,
		      const struct sockaddr_storage *b)
{
	/* both are from siw_rdv_addr(): no stray octets */
	return !memcmp(a, b, sizeof(struct sockaddr_in6));
}

/* ------------------------------------------------------------ table ------ */

static u32 gids_hash(const u8 *own, const u8 *peer)
{
	return jhash(own, RDV_GID_LEN, jhash(peer, RDV_GID_LEN, 0));
}

/**
 * siw_rdv_expect() - enter a QP that waits as passive end
 * @qp: queue pair, its mutex is held
 *
 * Context: process.
 */
void siw_rdv_expect(struct siw_qp *qp)
{
	const struct rdv_hello *n = &qp->rdv.names;

	spin_lock(&rdv_wait_lock);
	hash_add(rdv_waiting, &qp->rdv.node,
		 gids_hash(n->src.gid, n->dst.gid));
	spin_unlock(&rdv_wait_lock);
}

/**
 * siw_rdv_forget() - the QP does not wait any more
 * @qp: queue pair, entered or not, its mutex is held
 *
 * Context: process.
 */
void siw_rdv_forget(struct siw_qp *qp)
{
	spin_lock(&rdv_wait_lock);
	hash_del(&qp->rdv.node);
	spin_unlock(&rdv_wait_lock);
}

/**
 * siw_rdv_find() - a QP that waits
 * @net: namespace of the connection
 * @sdev: device it must be of; NULL for any in @net
 * @own: GID at our end of a connection
 * @peer: GID at its other end
 * @hello: names the peer gave; NULL for any QP that waits for @peer at @own
 * @gen: set to the number of the QP's wait
 *
 * Context: process. Return: QP with a reference for the caller, or NULL.
 */
struct siw_qp *siw_rdv_find(const struct net *net,
			    const struct siw_device *sdev, const u8 *own,
			    const u8 *peer, const struct rdv_hello *hello,
			    u32 *gen)
{
	struct siw_qp *qp, *found = NULL;

	spin_lock(&rdv_wait_lock);
	hash_for_each_possible(rdv_waiting, qp, rdv.node,
			       gids_hash(own, peer)) {
		const struct rdv_hello *n = &qp->rdv.names;

		/* namespaces may have the same addresses, devices link-local ones */
		if (sdev ? qp->sdev != sdev :
			   !net_eq(siw_device_net(qp->sdev), net))
			continue;
		if (memcmp(n->src.gid, own, RDV_GID_LEN) ||
		    memcmp(n->dst.gid, peer, RDV_GID_LEN))
			continue;
		if (hello && (rdv_compare(&n->src, &hello->dst) ||
			      rdv_compare(&n->dst, &hello->src)))
			continue;
		if (refcount_inc_not_zero(&qp->refs)) {
			*gen = qp->rdv.gen;
			found = qp;
			break;
		}
	}
	spin_unlock(&rdv_wait_lock);
	return found;
}

/* ------------------------------------------------------------ accepting -- */

/* The device of a QP that waits for this peer, by an endpoint of it. */
static struct siw_ep *ep_for(struct siw_acceptor *acc, struct siw_llp *llp)
{
	struct sockaddr_storage addr;
	u8 own[RDV_GID_LEN], peer[RDV_GID_LEN];
	struct siw_qp *qp;
	struct siw_ep *ep;
	u32 gen;

	siw_llp_local_addr(llp, &addr);
	siw_rdv_gid(&addr, own);
	siw_llp_remote_addr(llp, &addr);
	siw_rdv_gid(&addr, peer);
	qp = siw_rdv_find(acc->net, NULL, own, peer, NULL, &gen);
	if (!qp)
		return ERR_PTR(-ECONNREFUSED);
	ep = siw_ep_new(qp->sdev);
	siw_qp_put(qp);
	if (!IS_ERR(ep))
		ep->rdv = true;
	return ep;
}

static void listener_free(struct siw_acceptor *acc)
{
	kfree(container_of(acc, struct siw_rdv_listener, acc));
}

static const struct siw_acceptor_ops listener_ops = {
	.endpoint	= ep_for,
	.free		= listener_free,
};

/* ------------------------------------------------------------ sockets ---- */

static struct siw_rdv_listener *
listener_create(struct net *net, const struct sockaddr_storage *addr, u32 mtu)
{
	const struct siw_acceptor_params params = {
		.mtu		= mtu,
		.backlog	= RDV_BACKLOG,
	};
	struct siw_rdv_listener *ln = kzalloc(sizeof(*ln), GFP_KERNEL);
	int rv;

	if (!ln)
		return ERR_PTR(-ENOMEM);
	siw_acceptor_init(&ln->acc, &listener_ops, net, addr);
	ln->acc.limit = RDV_MAX_HALF_OPEN;
	rv = siw_acceptor_open(&ln->acc, &params);
	if (rv) {
		siw_acceptor_put(&ln->acc);
		return ERR_PTR(rv);
	}
	list_add(&ln->node, &rdv_listeners);
	return ln;
}

static void listener_close(struct siw_rdv_listener *ln)
{
	siw_acceptor_close(&ln->acc);
	list_del(&ln->node);
	siw_acceptor_put(&ln->acc);
}

static struct siw_rdv_listener *
listener_get(struct net *net, const struct sockaddr_storage *addr, u32 mtu)
{
	struct siw_rdv_listener *ln;

	list_for_each_entry(ln, &rdv_listeners, node)
		if (ln->acc.net == net && addr_same(&ln->acc.addr, addr))
			return ln;
	return listener_create(net, addr, mtu);
}

static int listen_in(struct siw_qp *qp, struct net *net,
		     const struct sockaddr_storage *addr)
{
	u32 mtu = READ_ONCE(qp->sdev->netdev->mtu);
	struct siw_rdv_listener *ln;

	mutex_lock(&rdv_listen_lock);
	ln = listener_get(net, addr, mtu);
	if (!IS_ERR(ln)) {
		ln->users++;
		qp->rdv.ln = ln;
	}
	mutex_unlock(&rdv_listen_lock);
	return PTR_ERR_OR_ZERO(ln);
}

/**
 * siw_rdv_listen() - have a TCP listener for a QP that waits
 * @qp: queue pair
 * @addr: from siw_rdv_addr()
 *
 * Context: process, only by siw_rdv.work, no lock held.
 * Return: 0, -ENODEV if the device or its namespace goes, -ENOMEM or an error
 * of TCP.
 */
int siw_rdv_listen(struct siw_qp *qp, const struct sockaddr_storage *addr)
{
	struct net *net;
	int rv;

	if (qp->rdv.ln && addr_same(&qp->rdv.ln->acc.addr, addr))
		return 0;
	siw_rdv_unlisten(qp);
	if (atomic_read(&qp->sdev->num_eps) >= SIW_EP_GATE)
		return -ENODEV;
	net = siw_device_get_net(qp->sdev);
	if (!net)
		return -ENODEV;
	rv = listen_in(qp, net, addr);
	put_net(net);
	return rv;
}

/**
 * siw_rdv_unlisten() - the QP needs its TCP listener no more
 * @qp: queue pair, with or without one
 *
 * The last one to leave closes it.
 *
 * Context: process, by siw_rdv.work or when that runs no more; no lock held.
 */
void siw_rdv_unlisten(struct siw_qp *qp)
{
	struct siw_rdv_listener *ln = qp->rdv.ln;

	if (!ln)
		return;
	qp->rdv.ln = NULL;
	mutex_lock(&rdv_listen_lock);
	if (!--ln->users)
		listener_close(ln);
	mutex_unlock(&rdv_listen_lock);
}

/**
 * siw_rdv_check_all_gone() - at module unload: nobody may wait any more
 */
void siw_rdv_check_all_gone(void)
{
	WARN_ON(!list_empty(&rdv_listeners));
	WARN_ON(!hash_empty(rdv_waiting));
}
