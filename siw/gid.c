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

/**
 * struct gid_walk - what is done with each address of a netdev
 * @tbl: GID table
 * @has: entries whose address is there
 * @place: addresses without an entry are given one
 * @changed: this happened
 */
struct gid_walk {
	union ib_gid *tbl;
	DECLARE_BITMAP(has, SIW_GID_TBL_LEN);
	bool place;
	bool changed;
};

/*
 * Programs that are not told otherwise take entry 1 if it is an IPv4 address:
 * others go there only if nothing else is left.
 */
static int siw_gid_free_entry(const struct gid_walk *walk, bool v4)
{
	int i;

	i = find_next_zero_bit(walk->has, SIW_GID_TBL_LEN, v4 ? 1 : 2);
	if (i == SIW_GID_TBL_LEN && !test_bit(1, walk->has))
		i = 1;
	return i;
}

static void siw_gid_address(struct gid_walk *walk, const struct in6_addr *addr)
{
	int i;

	for (i = 1; i < SIW_GID_TBL_LEN; i++)
		if (!memcmp(&walk->tbl[i], addr, sizeof(*addr)))
			break;
	if (i == SIW_GID_TBL_LEN && walk->place) {
		i = siw_gid_free_entry(walk, ipv6_addr_v4mapped(addr));
		if (i == SIW_GID_TBL_LEN)
			return;
		memcpy(&walk->tbl[i], addr, sizeof(*addr));
		walk->changed = true;
	}
	if (i < SIW_GID_TBL_LEN)
		__set_bit(i, walk->has);
}

static void siw_gid_walk_v4(const struct net_device *netdev,
			    struct gid_walk *walk)
{
	const struct in_device *idev = __in_dev_get_rcu(netdev);
	const struct in_ifaddr *ifa;
	struct in6_addr addr;

	if (!idev)
		return;
	in_dev_for_each_ifa_rcu(ifa, idev) {
		ipv6_addr_set_v4mapped(ifa->ifa_local, &addr);
		siw_gid_address(walk, &addr);
	}
}

static void siw_gid_walk_v6(const struct net_device *netdev,
			    struct gid_walk *walk)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct inet6_dev *idev = __in6_dev_get(netdev);
	const struct inet6_ifaddr *ifa;

	if (!idev)
		return;
	read_lock_bh(&idev->lock);
	list_for_each_entry(ifa, &idev->addr_list, if_list)
		if (!(ifa->flags & IFA_F_DADFAILED))
			siw_gid_address(walk, &ifa->addr);
	read_unlock_bh(&idev->lock);
#endif
}

static void siw_gid_walk(const struct net_device *netdev, struct gid_walk *walk)
{
	rcu_read_lock();
	siw_gid_walk_v4(netdev, walk);
	siw_gid_walk_v6(netdev, walk);
	rcu_read_unlock();
}

/* First those that have an entry, so that no newcomer is given it. */
static bool siw_gid_follow(const struct net_device *netdev, union ib_gid *tbl)
{
	struct gid_walk walk = { .tbl = tbl };
	int i;

	siw_gid_walk(netdev, &walk);
	for (i = 1; i < SIW_GID_TBL_LEN; i++) {
		if (test_bit(i, walk.has) || rdma_is_zero_gid(&tbl[i]))
			continue;
		memset(&tbl[i], 0, sizeof(tbl[i]));
		walk.changed = true;
	}
	walk.place = true;
	siw_gid_walk(netdev, &walk);
	return walk.changed;
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
	struct siw_gid_table *tbl = &sdev->gids;
	union ib_gid mac;
	bool changed;

	siw_gid_of_mac(sdev->netdev, &mac);
	spin_lock(&tbl->lock);
	changed = siw_gid_follow(sdev->netdev, tbl->gid);
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
