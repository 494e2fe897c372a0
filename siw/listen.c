// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * TCP listeners. For a wildcard or loopback address rdma_cm asks every device
 * to listen on the same port, so there is one socket per namespace, address
 * and port, and each connection goes to the device that owns its local
 * address.
 */
#include <linux/err.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/net_namespace.h>
#include <rdma/iw_cm.h>
#include <rdma/rdma_cm.h>

#include "acceptor.h"
#include "cm.h"
#include "device.h"
#include "ep.h"
#include "listen.h"
#include "llp.h"

/* TCP's own queue is at least this long: short bursts are the rule. */
#define MIN_BACKLOG		64
/* Passive startups under way that a listener may have, at least. */
#define MIN_HALF_OPEN		1024

/**
 * struct siw_listener - one TCP socket that listens for cm_ids
 * @acc: the socket; referenced by the list and by each siw_listen_id
 * @node: in the list of listeners, under siw_listen_lock
 * @v6only: the socket option; constant
 * @ids: listening cm_ids, one a device; under siw_acceptor.lock
 * @num_ids: entries of @ids; under siw_listen_lock
 */
struct siw_listener {
	struct siw_acceptor acc;
	struct list_head node;
	bool v6only;
	struct list_head ids;
	int num_ids;
};

/* Outermost lock of listening: the two lists, and who has which socket. */
static DEFINE_MUTEX(siw_listen_lock);
static LIST_HEAD(siw_listeners);
static LIST_HEAD(siw_listen_ids);

/* ------------------------------------------------------------ addresses -- */

static bool addr_is_loopback(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET)
		return ipv4_is_loopback(((struct sockaddr_in *)addr)
					->sin_addr.s_addr);
	return ipv6_addr_loopback(&((struct sockaddr_in6 *)addr)->sin6_addr);
}

/* An IPv6 socket shows IPv4 peers with mapped addresses; rdma_cm wants IPv4 */
static void addr_unmap(struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (addr->ss_family != AF_INET6 ||
	    !ipv6_addr_v4mapped(&in6->sin6_addr))
		return;
	in.sin_port = in6->sin6_port;
	in.sin_addr.s_addr = in6->sin6_addr.s6_addr32[3];
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, &in, sizeof(in));
}

static bool addr_equal(const struct sockaddr_storage *a,
		       const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (struct sockaddr_in *)a;
	const struct sockaddr_in *b4 = (struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)a;
	const struct sockaddr_in6 *b6 = (struct sockaddr_in6 *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port &&
		       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port &&
	       a6->sin6_scope_id == b6->sin6_scope_id &&
	       ipv6_addr_equal(&a6->sin6_addr, &b6->sin6_addr);
}

/* The netdev that has an address; only to be compared, under RCU. */
static struct net_device *addr_owner(struct net *net,
				     const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;

	if (addr->ss_family == AF_INET)
		return __ip_dev_find(net, ((struct sockaddr_in *)addr)
					  ->sin_addr.s_addr, false);
	if (ipv6_addr_type(&in6->sin6_addr) & IPV6_ADDR_LINKLOCAL)
		return dev_get_by_index_rcu(net, in6->sin6_scope_id);
	return ipv6_dev_find(net, &in6->sin6_addr, NULL);
}

static void dev_addr4(const struct net_device *dev, struct sockaddr_in *in)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (!in_dev)
		return;
	ifa = rcu_dereference(in_dev->ifa_list);
	if (ifa)
		in->sin_addr.s_addr = ifa->ifa_local;
}

static void dev_addr6(const struct net_device *dev, struct sockaddr_in6 *in6)
{
	struct in6_addr addr;

	if (ipv6_dev_get_saddr(dev_net(dev), dev, &in6->sin6_addr, 0, &addr))
		return;
	in6->sin6_addr = addr;
	if (ipv6_addr_type(&addr) & IPV6_ADDR_LINKLOCAL)
		in6->sin6_scope_id = dev->ifindex;
}

/**
 * siw_listen_report_addr() - make a socket's address one that rdma_cm takes
 * @sdev: device, for a local address; NULL for a remote one
 * @addr: address
 *
 * rdma_cm looks for the device by the connection's local address, and no
 * netdev of ours has a loopback address: an address of the netdev stands in
 * for it.
 *
 * Context: process.
 */
void siw_listen_report_addr(struct siw_device *sdev,
			    struct sockaddr_storage *addr)
{
	addr_unmap(addr);
	if (!sdev || !addr_is_loopback(addr))
		return;
	rcu_read_lock();
	if (addr_owner(dev_net(sdev->netdev), addr) != sdev->netdev) {
		if (addr->ss_family == AF_INET)
			dev_addr4(sdev->netdev, (struct sockaddr_in *)addr);
		else
			dev_addr6(sdev->netdev, (struct sockaddr_in6 *)addr);
	}
	rcu_read_unlock();
}

/* ------------------------------------------------------------ references - */

static void lid_put(struct siw_listen_id *lid)
{
	if (refcount_dec_and_test(&lid->refs))
		kfree(lid);
}

/**
 * siw_listen_alive() - whether a listening cm_id still wants connections
 * @lid: listening cm_id
 *
 * Context: any.
 * Return: false once it has been destroyed or its socket was closed.
 */
bool siw_listen_alive(struct siw_listen_id *lid)
{
	return READ_ONCE(lid->listener);
}

/**
 * siw_listen_tell() - give a connect request to a listening cm_id
 * @lid: listening cm_id
 * @ev: CONNECT_REQUEST
 *
 * Context: process.
 * Return: 0; -ECONNABORTED if the cm_id is gone; -ENOMEM if iw_cm has no room.
 */
int siw_listen_tell(struct siw_listen_id *lid, struct iw_cm_event *ev)
{
	int rv = -ECONNABORTED;

	mutex_lock(&lid->lock);
	if (lid->cm_id)
		rv = lid->cm_id->event_handler(lid->cm_id, ev);
	mutex_unlock(&lid->lock);
	return rv;
}

/**
 * siw_listen_leave() - an endpoint is not half open any more
 * @ep: endpoint, passive or not
 *
 * Context: process, siw_ep.lock held.
 */
void siw_listen_leave(struct siw_ep *ep)
{
	struct siw_listen_id *lid = ep->lid;

	siw_acceptor_leave(ep);
	if (!lid)
		return;
	WRITE_ONCE(ep->lid, NULL);
	lid_put(lid);
}

/* ------------------------------------------------------------ accepting -- */

static bool addr_is_any(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET)
		return !((struct sockaddr_in *)addr)->sin_addr.s_addr;
	return ipv6_addr_any(&((struct sockaddr_in6 *)addr)->sin6_addr);
}

/*
 * Whether a device may stand in for the owner of the local address. A cm_id
 * that listens on one address is on the device that rdma_cm has chosen for it;
 * nobody may own a loopback address; and to rdma_cm a device serves the VLANs
 * on top of its netdev too.
 */
static bool may_serve(const struct siw_listener *ln,
		      const struct siw_listen_id *lid,
		      const struct sockaddr_storage *local,
		      const struct net_device *owner)
{
	if (!addr_is_any(&ln->acc.addr) || addr_is_loopback(local))
		return true;
	return owner && is_vlan_dev(owner) &&
	       vlan_dev_real_dev(owner) == lid->sdev->netdev;
}

/* The device that owns the local address, or one that may stand in for it. */
static struct siw_listen_id *pick_id(struct siw_listener *ln,
				     const struct sockaddr_storage *local)
{
	struct siw_listen_id *lid, *found = NULL;
	const struct net_device *owner;

	lockdep_assert_held(&ln->acc.lock);
	rcu_read_lock();
	owner = addr_owner(ln->acc.net, local);
	list_for_each_entry(lid, &ln->ids, node) {
		if (lid->sdev->netdev == owner) {
			found = lid;
			break;
		}
		if (!found && may_serve(ln, lid, local, owner))
			found = lid;
	}
	rcu_read_unlock();
	return found;
}

static struct siw_ep *ep_for(struct siw_acceptor *acc, struct siw_llp *llp)
{
	struct siw_listener *ln = container_of(acc, struct siw_listener, acc);
	struct sockaddr_storage local;
	struct siw_listen_id *lid;
	struct siw_ep *ep;

	siw_llp_local_addr(llp, &local);
	addr_unmap(&local);
	lid = pick_id(ln, &local);
	if (!lid)
		return ERR_PTR(-ENODEV);
	ep = siw_ep_new(lid->sdev);
	if (IS_ERR(ep))
		return ep;
	WRITE_ONCE(ep->lid, lid);
	refcount_inc(&lid->refs);
	return ep;
}

static void listener_free(struct siw_acceptor *acc)
{
	kfree(container_of(acc, struct siw_listener, acc));
}

static const struct siw_acceptor_ops listener_ops = {
	.endpoint	= ep_for,
	.free		= listener_free,
};

/* ------------------------------------------------------------ sockets ---- */

static int listener_open(struct siw_listener *ln,
			 const struct siw_listen_id *lid)
{
	const struct iw_cm_id *cm_id = lid->cm_id;
	const struct siw_acceptor_params params = {
		.mtu		= READ_ONCE(lid->sdev->netdev->mtu),
		.tos		= cm_id->tos,
		.tos_set	= cm_id->tos_set,
		.v6only		= ln->v6only,
		.mapped		= !addr_equal(&cm_id->local_addr,
					      &cm_id->m_local_addr),
		.backlog	= max(lid->backlog, MIN_BACKLOG),
	};

	return siw_acceptor_open(&ln->acc, &params);
}

static void listener_close(struct siw_listener *ln)
{
	siw_acceptor_close(&ln->acc);
	list_del(&ln->node);
	siw_acceptor_put(&ln->acc);
}

static struct siw_listener *listener_create(struct net *net,
					    const struct siw_listen_id *lid)
{
	struct siw_listener *ln = kzalloc(sizeof(*ln), GFP_KERNEL);
	int rv;

	if (!ln)
		return ERR_PTR(-ENOMEM);
	siw_acceptor_init(&ln->acc, &listener_ops, net,
			  &lid->cm_id->m_local_addr);
	ln->v6only = lid->cm_id->afonly;
	INIT_LIST_HEAD(&ln->ids);
	rv = listener_open(ln, lid);
	if (rv) {
		siw_acceptor_put(&ln->acc);
		return ERR_PTR(rv);
	}
	list_add(&ln->node, &siw_listeners);
	return ln;
}

static struct siw_listener *listener_find(struct net *net,
					  const struct siw_listen_id *lid)
{
	struct siw_listener *ln;

	list_for_each_entry(ln, &siw_listeners, node)
		if (ln->acc.net == net &&
		    addr_equal(&ln->acc.addr, &lid->cm_id->m_local_addr))
			return ln;
	return NULL;
}

static bool listener_has(struct siw_listener *ln, struct siw_device *sdev)
{
	struct siw_listen_id *lid;

	list_for_each_entry(lid, &ln->ids, node)
		if (lid->sdev == sdev)
			return true;
	return false;
}

static int lid_join(struct siw_listen_id *lid, struct net *net)
{
	struct siw_listener *ln = listener_find(net, lid);

	if (ln && (ln->v6only != lid->cm_id->afonly ||
		   listener_has(ln, lid->sdev)))
		return -EADDRINUSE;
	if (!ln)
		ln = listener_create(net, lid);
	if (IS_ERR(ln))
		return PTR_ERR(ln);

	mutex_lock(&ln->acc.lock);
	refcount_inc(&ln->acc.refs);
	WRITE_ONCE(lid->listener, ln);
	list_add_tail(&lid->node, &ln->ids);
	ln->num_ids++;
	WRITE_ONCE(ln->acc.limit,
		   max3(ln->acc.limit, lid->backlog, MIN_HALF_OPEN));
	mutex_unlock(&ln->acc.lock);
	siw_acceptor_kick(&ln->acc);
	return 0;
}

/*
 * A listener belongs to the namespace of the process that listens. rdma_cm
 * asks the devices of all namespaces, and would turn down connections that
 * come in there: no port is opened in a namespace that is not the process's.
 */
static int lid_open(struct siw_listen_id *lid)
{
	struct net *net;
	int rv;

	lockdep_assert_held(&siw_listen_lock);
	if (lid->listener || atomic_read(&lid->sdev->num_eps) >= SIW_EP_GATE)
		return 0;
	net = siw_device_get_net(lid->sdev);
	if (!net)
		return 0;
	rv = net == lid->net ? lid_join(lid, net) : 0;
	put_net(net);
	return rv;
}

/* Endpoints that wait for a Request on behalf of @lid look at it again. */
static void kick_half_open(struct siw_listen_id *lid)
{
	struct siw_device *sdev = lid->sdev;
	struct siw_ep *ep;

	spin_lock_bh(&sdev->ep_lock);
	list_for_each_entry(ep, &sdev->eps, dev_node)
		if (READ_ONCE(ep->lid) == lid)
			siw_ep_kick(ep);
	spin_unlock_bh(&sdev->ep_lock);
}

static void lid_close(struct siw_listen_id *lid)
{
	struct siw_listener *ln = lid->listener;

	lockdep_assert_held(&siw_listen_lock);
	if (!ln)
		return;
	mutex_lock(&ln->acc.lock);
	list_del(&lid->node);
	WRITE_ONCE(lid->listener, NULL);
	mutex_unlock(&ln->acc.lock);
	if (!--ln->num_ids)
		listener_close(ln);
	siw_acceptor_put(&ln->acc);
	kick_half_open(lid);
}

/* ------------------------------------------------------------ iw_cm ------ */

/*
 * iw_cm has one user, rdma_cm, whose identifier is the context of a listening
 * cm_id and knows the namespace of who asked.
 */
static struct net *net_of_listener(const struct iw_cm_id *cm_id)
{
	const struct rdma_cm_id *id = cm_id->context;

	return id->route.addr.dev_addr.net;
}

/**
 * siw_create_listen() - iw_cm operation: listen
 * @cm_id: address, type of service, whether IPv4 is kept off
 * @backlog: connections that may wait
 *
 * Context: process.
 * Return: 0; -EADDRINUSE, -ENOMEM or another error of TCP.
 */
int siw_create_listen(struct iw_cm_id *cm_id, int backlog)
{
	sa_family_t family = cm_id->m_local_addr.ss_family;
	struct siw_listen_id *lid;
	int rv;

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	lid = kzalloc(sizeof(*lid), GFP_KERNEL);
	if (!lid)
		return -ENOMEM;
	refcount_set(&lid->refs, 1);
	mutex_init(&lid->lock);
	lid->cm_id = cm_id;
	lid->sdev = to_siw_dev(cm_id->device);
	lid->net = net_of_listener(cm_id);
	lid->backlog = backlog;

	mutex_lock(&siw_listen_lock);
	rv = lid_open(lid);
	if (!rv) {
		cm_id->add_ref(cm_id);
		cm_id->provider_data = lid;
		list_add_tail(&lid->all, &siw_listen_ids);
	}
	mutex_unlock(&siw_listen_lock);
	if (rv)
		lid_put(lid);
	return rv;
}

/**
 * siw_destroy_listen() - iw_cm operation: stop listening
 * @cm_id: listening connection
 *
 * When it returns, @cm_id gets no event any more and the port is free.
 * Connections without a connect request are closed.
 *
 * Context: process.
 * Return: 0.
 */
int siw_destroy_listen(struct iw_cm_id *cm_id)
{
	struct siw_listen_id *lid = cm_id->provider_data;

	if (!lid)
		return 0;
	cm_id->provider_data = NULL;
	mutex_lock(&siw_listen_lock);
	lid_close(lid);
	list_del(&lid->all);
	mutex_unlock(&siw_listen_lock);
	mutex_lock(&lid->lock);
	lid->cm_id = NULL;
	mutex_unlock(&lid->lock);
	lid_put(lid);
	cm_id->rem_ref(cm_id);
	return 0;
}

/**
 * siw_listen_device_off() - close the listening sockets of a device
 * @sdev: device
 *
 * Context: process.
 */
void siw_listen_device_off(struct siw_device *sdev)
{
	struct siw_listen_id *lid;

	mutex_lock(&siw_listen_lock);
	list_for_each_entry(lid, &siw_listen_ids, all)
		if (lid->sdev == sdev)
			lid_close(lid);
	mutex_unlock(&siw_listen_lock);
}

/**
 * siw_listen_device_on() - open listening sockets where a device is now
 * @sdev: device
 *
 * A listener whose port is taken in the new namespace stays without one.
 *
 * Context: process.
 */
void siw_listen_device_on(struct siw_device *sdev)
{
	struct siw_listen_id *lid;

	mutex_lock(&siw_listen_lock);
	list_for_each_entry(lid, &siw_listen_ids, all)
		if (lid->sdev == sdev)
			lid_open(lid);
	mutex_unlock(&siw_listen_lock);
}
