// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The GID table.
 *
 * The core caches it and refreshes the cache on IB_EVENT_GID_CHANGE, by
 * deleting and adding every entry. rdma_cm takes entry 0 of an iWARP port for
 * granted, and later kernels oops when they find it without a netdev in that
 * instant. A refresh asks query_gid() for an entry and right afterwards, from
 * the same task, get_netdev() for its netdev; an entry without netdev is
 * skipped. So once entry 0 is cached, get_netdev() answers the question that
 * follows query_gid(0) with NULL: the core leaves the entry alone. In turn
 * entry 0 must never change.
 *
 * Up to 6.4 nothing can be skipped, but entry 0 may follow the MAC address,
 * by which rdma_cm looks for it.
 */
#include <linux/etherdevice.h>
#include <linux/inetdevice.h>
#include <linux/jhash.h>
#include <linux/sched.h>
#include <linux/utsname.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>
#include "device.h"

/*
 * loopback and tun have no MAC address, yet the core drops zero GIDs. A
 * locally administered address out of host and interface name stays the same
 * from boot to boot.
 */
static void siw_invent_mac(const struct net_device *netdev, u8 *mac)
{
	const char *host = init_utsname()->nodename;
	u32 hash = jhash(netdev->name, strlen(netdev->name), 0);

	hash = jhash(host, strlen(host), hash);
	mac[0] = 0x02;
	mac[1] = netdev->type & 0xff;
	memcpy(mac + 2, &hash, sizeof(hash));
}

/* The form in which rdma_cm of 6.1 looks for it: the MAC, then zeros. */
static void siw_gid_of_mac(const struct net_device *netdev, union ib_gid *gid)
{
	memset(gid, 0, sizeof(*gid));
	if (netdev->addr_len == ETH_ALEN &&
	    !is_zero_ether_addr(netdev->dev_addr))
		memcpy(gid->raw, netdev->dev_addr, ETH_ALEN);
	else
		siw_invent_mac(netdev, gid->raw);
}

static int siw_gid_add_v4(const struct net_device *netdev, union ib_gid *gids,
			  int n)
{
	const struct in_device *idev = __in_dev_get_rcu(netdev);
	const struct in_ifaddr *ifa;

	if (!idev)
		return n;
	in_dev_for_each_ifa_rcu(ifa, idev) {
		if (n == SIW_GID_TBL_LEN)
			break;
		ipv6_addr_set_v4mapped(ifa->ifa_local,
				       (struct in6_addr *)gids[n++].raw);
	}
	return n;
}

static int siw_gid_add_v6(const struct net_device *netdev, union ib_gid *gids,
			  int n)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct inet6_dev *idev = __in6_dev_get(netdev);
	const struct inet6_ifaddr *ifa;

	if (!idev)
		return n;
	read_lock_bh(&idev->lock);
	list_for_each_entry(ifa, &idev->addr_list, if_list) {
		if (n == SIW_GID_TBL_LEN)
			break;
		if (!(ifa->flags & IFA_F_DADFAILED))
			memcpy(gids[n++].raw, &ifa->addr, sizeof(*gids));
	}
	read_unlock_bh(&idev->lock);
#endif
	return n;
}

/**
 * siw_gid_refresh() - bring the table up to date with the netdev
 * @sdev: device
 *
 * Addresses that find no room are left out.
 *
 * Context: process.
 * Return: true if an entry changed.
 */
bool siw_gid_refresh(struct siw_device *sdev)
{
	union ib_gid gids[SIW_GID_TBL_LEN] = {};
	struct siw_gid_table *tbl = &sdev->gids;
	bool changed;
	int n = 1;

	if (COMPAT_GID0_BY_MAC)
		siw_gid_of_mac(sdev->netdev, &gids[0]);
	else
		gids[0] = tbl->gid[0];

	rcu_read_lock();
	n = siw_gid_add_v4(sdev->netdev, gids, n);
	siw_gid_add_v6(sdev->netdev, gids, n);
	rcu_read_unlock();

	spin_lock(&tbl->lock);
	changed = memcmp(tbl->gid, gids, sizeof(gids));
	if (changed)
		memcpy(tbl->gid, gids, sizeof(gids));
	spin_unlock(&tbl->lock);
	return changed;
}

/**
 * siw_gid_init() - fill the table of a new device
 * @sdev: device with its netdev
 *
 * Context: process.
 */
void siw_gid_init(struct siw_device *sdev)
{
	spin_lock_init(&sdev->gids.lock);
	siw_gid_of_mac(sdev->netdev, &sdev->gids.gid[0]);
	siw_gid_refresh(sdev);
}

/**
 * siw_gid_pin() - keep the core from touching entry 0 again
 * @sdev: device that is registered: entry 0 is in the core's cache
 *
 * Context: process.
 */
void siw_gid_pin(struct siw_device *sdev)
{
	WRITE_ONCE(sdev->gids.pinned, !COMPAT_GID0_BY_MAC);
}

/**
 * siw_query_gid() - verbs entry point
 * @ibdev: device
 * @port: the port
 * @index: entry, below SIW_GID_TBL_LEN
 * @gid: filled in; zero for an empty slot
 *
 * Context: process.
 * Return: 0 or -EINVAL.
 */
int siw_query_gid(struct ib_device *ibdev, u32 port, int index,
		  union ib_gid *gid)
{
	struct siw_gid_table *tbl = &to_siw_dev(ibdev)->gids;

	if (index < 0 || index >= SIW_GID_TBL_LEN)
		return -EINVAL;
	spin_lock(&tbl->lock);
	*gid = tbl->gid[index];
	spin_unlock(&tbl->lock);
	if (READ_ONCE(tbl->pinned))
		WRITE_ONCE(tbl->asking, index ? NULL : current);
	return 0;
}

/**
 * siw_get_netdev() - verbs entry point
 * @ibdev: device
 * @port: the port
 *
 * Context: any.
 * Return: the netdev, referenced; NULL where that makes a refresh of the GID
 * cache skip entry 0.
 */
struct net_device *siw_get_netdev(struct ib_device *ibdev, u32 port)
{
	struct siw_device *sdev = to_siw_dev(ibdev);

	if (READ_ONCE(sdev->gids.asking) == current) {
		WRITE_ONCE(sdev->gids.asking, NULL);
		return NULL;
	}
	dev_hold(sdev->netdev);
	return sdev->netdev;
}
