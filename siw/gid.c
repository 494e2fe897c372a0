// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The GID table.
 *
 * An address keeps its entry while it exists: programs look an entry up and
 * use its number later.
 *
 * The core caches the table and refreshes the cache on IB_EVENT_GID_CHANGE, by
 * deleting and adding every entry. Who asks in that instant finds none: a
 * modify_qp() fails, and rdma_cm, which takes entry 0 of an iWARP port for
 * granted, oopses on later kernels. A refresh asks query_gid() for an entry
 * and right afterwards, from the same task, get_netdev() for its netdev; an
 * entry without netdev is skipped. So where the cache already has what
 * query_gid() tells, get_netdev() answers the question that follows with NULL:
 * the core leaves the entry alone.
 *
 * Up to 6.4 nothing can be skipped. There entry 0 may follow the MAC address,
 * by which rdma_cm looks for it; later it must never change.
 */
#include <linux/etherdevice.h>
#include <linux/inetdevice.h>
#include <linux/jhash.h>
#include <linux/sched.h>
#include <linux/utsname.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>
#include <rdma/ib_cache.h>
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

/* Addresses of a netdev behind the first @n; returns how many there are then. */
static int siw_gid_add_v4(const struct net_device *netdev, union ib_gid *gids,
			  int n)
{
	const struct in_device *idev = __in_dev_get_rcu(netdev);
	const struct in_ifaddr *ifa;

	if (!idev)
		return n;
	in_dev_for_each_ifa_rcu(ifa, idev) {
		if (n == SIW_GID_TBL_LEN - 1)
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
		if (n == SIW_GID_TBL_LEN - 1)
			break;
		if (!(ifa->flags & IFA_F_DADFAILED))
			memcpy(gids[n++].raw, &ifa->addr, sizeof(*gids));
	}
	read_unlock_bh(&idev->lock);
#endif
	return n;
}

static int siw_gid_find(const union ib_gid *gids, int n,
			const union ib_gid *gid)
{
	int i;

	for (i = 0; i < n; i++)
		if (!memcmp(&gids[i], gid, sizeof(*gid)))
			return i;
	return -1;
}

/*
 * Programs that are not told otherwise take entry 1 if it is an IPv4 address:
 * others go there only if nothing else is left.
 */
static void siw_gid_place(union ib_gid *tbl, const union ib_gid *gid)
{
	bool v4 = ipv6_addr_v4mapped((const struct in6_addr *)gid->raw);
	int i;

	for (i = v4 ? 1 : 2; i < SIW_GID_TBL_LEN; i++)
		if (rdma_is_zero_gid(&tbl[i]))
			break;
	tbl[i < SIW_GID_TBL_LEN ? i : 1] = *gid;
}

/* @now: the addresses, @n of them; returns true if an entry changed */
static bool siw_gid_merge(union ib_gid *tbl, const union ib_gid *now, int n)
{
	bool changed = false;
	int i;

	for (i = 1; i < SIW_GID_TBL_LEN; i++) {
		if (rdma_is_zero_gid(&tbl[i]) ||
		    siw_gid_find(now, n, &tbl[i]) >= 0)
			continue;
		memset(&tbl[i], 0, sizeof(tbl[i]));
		changed = true;
	}
	for (i = 0; i < n; i++) {
		if (siw_gid_find(tbl, SIW_GID_TBL_LEN, &now[i]) >= 0)
			continue;
		siw_gid_place(tbl, &now[i]);
		changed = true;
	}
	return changed;
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
	union ib_gid now[SIW_GID_TBL_LEN - 1], mac;
	struct siw_gid_table *tbl = &sdev->gids;
	bool changed;
	int n;

	rcu_read_lock();
	n = siw_gid_add_v4(sdev->netdev, now, 0);
	n = siw_gid_add_v6(sdev->netdev, now, n);
	rcu_read_unlock();
	siw_gid_of_mac(sdev->netdev, &mac);

	spin_lock(&tbl->lock);
	changed = siw_gid_merge(tbl->gid, now, n);
	if (COMPAT_GID0_BY_MAC && memcmp(&tbl->gid[0], &mac, sizeof(mac))) {
		tbl->gid[0] = mac;
		changed = true;
	}
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

static bool siw_gid_cached(struct ib_device *ibdev, u32 port, int index,
			   const union ib_gid *gid)
{
	union ib_gid cached;

	return !rdma_query_gid(ibdev, port, index, &cached) &&
	       !memcmp(&cached, gid, sizeof(cached));
}

/**
 * siw_query_gid() - verbs entry point
 * @ibdev: device
 * @port: the port
 * @index: entry, below SIW_GID_TBL_LEN
 * @gid: filled in; zero for an empty slot
 *
 * Called by the core's refresh of its cache alone, one at a time.
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
	if (!COMPAT_GID0_BY_MAC)
		WRITE_ONCE(tbl->asking, siw_gid_cached(ibdev, port, index, gid) ?
					current : NULL);
	return 0;
}

/**
 * siw_get_netdev() - verbs entry point
 * @ibdev: device
 * @port: the port
 *
 * Context: any.
 * Return: the netdev, referenced; NULL where that makes a refresh of the GID
 * cache skip an entry.
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
