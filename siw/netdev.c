// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The rdma link type "siw", and how a device follows its netdev.
 *
 * Notifiers run under RTNL or in softirq, where nothing here may wait; they
 * hand over to link_work and move_work. A pending work holds a registration
 * reference of its device (ib_device_put()), which keeps the core from taking
 * the device apart below it.
 */
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>
#include <rdma/rdma_netlink.h>
#include "cm.h"
#include "device.h"
#include "netdev.h"
#include "trace.h"

/* A burst of address changes is one refresh of the core's GID cache. */
#define SIW_LINK_PAUSE		msecs_to_jiffies(100)

static DEFINE_MUTEX(siw_devs_lock);	/* guards siw_devs, serialises newlink */
static LIST_HEAD(siw_devs);
static unsigned int siw_num_devs;

/**
 * siw_link_up() - can the netdev carry data?
 * @sdev: device
 *
 * Context: any.
 * Return: true if it is up and has a carrier.
 */
bool siw_link_up(const struct siw_device *sdev)
{
	return netif_running(sdev->netdev) && netif_carrier_ok(sdev->netdev);
}

/* The core's own way to ask for the speed prints when it is not known. */
static u32 siw_link_speed(struct net_device *netdev)
{
	struct ethtool_link_ksettings ks;

	ASSERT_RTNL();
	if (__ethtool_get_link_ksettings(netdev, &ks) ||
	    ks.base.speed == (u32)SPEED_UNKNOWN)
		return 0;
	return ks.base.speed;
}

static void siw_link_event(struct siw_device *sdev, enum ib_event_type type,
			   const char *what)
{
	struct ib_event ev = {
		.device = &sdev->base,
		.event = type,
		.element.port_num = SIW_PORT,
	};

	trace_siw_link(dev_name(&sdev->base.dev), sdev->netdev->name, what);
	ib_dispatch_event(&ev);
}

static void siw_link_follow(struct siw_device *sdev)
{
	bool active = siw_link_up(sdev);

	if (siw_gid_refresh(sdev))
		siw_link_event(sdev, IB_EVENT_GID_CHANGE, "addresses");
	if (active == sdev->active)
		return;
	sdev->active = active;
	siw_link_event(sdev, active ? IB_EVENT_PORT_ACTIVE : IB_EVENT_PORT_ERR,
		       active ? "up" : "down");
}

/*
 * Of a netdev that is leaving nothing is told: the core would ask a port
 * whose netdev it finds no more, and print that.
 */
static void siw_link_work(struct work_struct *work)
{
	struct siw_device *sdev =
		container_of(to_delayed_work(work), struct siw_device,
			     link_work);

	WRITE_ONCE(sdev->link_done, jiffies);
	rtnl_lock();
	if (sdev->netdev->reg_state == NETREG_REGISTERED) {
		WRITE_ONCE(sdev->speed, siw_link_speed(sdev->netdev));
		strscpy(sdev->base.iw_ifname, sdev->netdev->name,
			sizeof(sdev->base.iw_ifname));
		siw_link_follow(sdev);
	}
	rtnl_unlock();
	ib_device_put(&sdev->base);
}

/*
 * Ends what was in the old namespace once the netdev has arrived in the new. Waits
 * for endpoints, whose work is on siw_wq.
 */
static void siw_move_work(struct work_struct *work)
{
	struct siw_device *sdev =
		container_of(work, struct siw_device, move_work);

	rtnl_lock();
	trace_siw_link(dev_name(&sdev->base.dev), sdev->netdev->name,
		       "moved");
	rtnl_unlock();
	siw_cm_device_moved(sdev);
	ib_device_put(&sdev->base);
}

/* Takes over the caller's registration reference. */
static void siw_link_kick(struct siw_device *sdev)
{
	unsigned long next = READ_ONCE(sdev->link_done) + SIW_LINK_PAUSE;
	unsigned long delay = 0;

	if (time_before(jiffies, next))
		delay = next - jiffies;
	if (!queue_delayed_work(system_unbound_wq, &sdev->link_work, delay))
		ib_device_put(&sdev->base);
}

/**
 * siw_link_init() - prepare a new device for following its netdev
 * @sdev: device with its netdev
 *
 * Context: process, RTNL not held.
 */
void siw_link_init(struct siw_device *sdev)
{
	INIT_DELAYED_WORK(&sdev->link_work, siw_link_work);
	INIT_WORK(&sdev->move_work, siw_move_work);
	sdev->link_done = jiffies - SIW_LINK_PAUSE;
	sdev->active = siw_link_up(sdev);
	rtnl_lock();
	sdev->speed = siw_link_speed(sdev->netdev);
	rtnl_unlock();
}

/**
 * siw_link_exit() - undo siw_link_init()
 * @sdev: device that nobody finds any more
 *
 * Context: process.
 */
void siw_link_exit(struct siw_device *sdev)
{
	trace_siw_link(dev_name(&sdev->base.dev), sdev->netdev->name, "gone");
	/* nothing is pending, but a work may be in its last instructions */
	cancel_delayed_work_sync(&sdev->link_work);
	cancel_work_sync(&sdev->move_work);

	mutex_lock(&siw_devs_lock);
	if (!list_empty(&sdev->node)) {
		list_del_init(&sdev->node);
		siw_num_devs--;
	}
	mutex_unlock(&siw_devs_lock);
}

static struct siw_device *siw_find_and_get(struct net_device *netdev)
{
	struct ib_device *base;

	base = ib_device_get_by_netdev(netdev, RDMA_DRIVER_SIW);
	return base ? to_siw_dev(base) : NULL;
}

/* Anything that TCP over IP runs on and that is not a part of such a thing. */
static int siw_link_check(struct net_device *netdev)
{
	switch (netdev->type) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
	case ARPHRD_NONE:
		break;
	default:
		return -EMEDIUMTYPE;
	}
	if (netif_is_lag_port(netdev) || netif_is_any_bridge_port(netdev))
		return -EBUSY;
	if (netdev->reg_state != NETREG_REGISTERED)
		return -ESHUTDOWN;
	return 0;
}

static int siw_devs_check(const struct net_device *netdev)
{
	struct siw_device *sdev;

	lockdep_assert_held(&siw_devs_lock);
	list_for_each_entry(sdev, &siw_devs, node)
		if (sdev->netdev == netdev)
			return -EEXIST;
	return siw_num_devs < SIW_MAX_DEVICES ? 0 : -ENOSPC;
}

/* On the list, a device can be found; off it, siw_link_exit() is content. */
static int siw_devs_add(struct siw_device *sdev)
{
	int err;

	mutex_lock(&siw_devs_lock);
	err = siw_devs_check(sdev->netdev);
	if (!err) {
		list_add_tail(&sdev->node, &siw_devs);
		siw_num_devs++;
	}
	mutex_unlock(&siw_devs_lock);
	return err;
}

/*
 * rdma link add. What happened to the netdev before it could be found by it
 * is caught up with at the end.
 */
static int siw_newlink(const char *name, struct net_device *netdev)
{
	struct siw_device *sdev;
	int err;

	err = siw_link_check(netdev);
	if (err)
		return err;
	sdev = siw_device_create(netdev);
	if (!sdev)
		return -ENOMEM;
	err = siw_devs_add(sdev);
	if (!err)
		err = siw_device_register(sdev, name);
	if (err) {
		ib_dealloc_device(&sdev->base);
		return err;
	}
	trace_siw_link(name, netdev->name, "added");
	sdev = siw_find_and_get(netdev);
	if (sdev)
		siw_link_kick(sdev);
	return 0;
}

static struct rdma_link_ops siw_link_ops = {
	.type = "siw",
	.newlink = siw_newlink,
};

/* Consumes the registration reference. */
static void siw_netdev_gone(struct siw_device *sdev)
{
	/* in the registered state it only leaves for another namespace */
	if (sdev->netdev->reg_state == NETREG_REGISTERED) {
		if (!queue_work(system_unbound_wq, &sdev->move_work))
			ib_device_put(&sdev->base);
		return;
	}
	ib_unregister_device_queued(&sdev->base);
	ib_device_put(&sdev->base);
}

/* Down for ever: peers are told while the netdev can still send. */
static void siw_netdev_closing(struct siw_device *sdev)
{
	if (sdev->netdev->dismantle)
		siw_cm_device_leaving(sdev);
	ib_device_put(&sdev->base);
}

static int siw_netdev_event(struct notifier_block *nb, unsigned long event,
			    void *ptr)
{
	struct net_device *netdev = netdev_notifier_info_to_dev(ptr);
	struct siw_device *sdev;

	switch (event) {
	case NETDEV_UP:
	case NETDEV_GOING_DOWN:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
	case NETDEV_CHANGEADDR:
	case NETDEV_CHANGENAME:
	case NETDEV_REGISTER:
	case NETDEV_UNREGISTER:
		break;
	default:
		return NOTIFY_DONE;
	}
	sdev = siw_find_and_get(netdev);
	if (!sdev)
		return NOTIFY_DONE;
	if (event == NETDEV_UNREGISTER)
		siw_netdev_gone(sdev);
	else if (event == NETDEV_GOING_DOWN)
		siw_netdev_closing(sdev);
	else
		siw_link_kick(sdev);
	return NOTIFY_DONE;
}

static struct notifier_block siw_netdev_nb = {
	.notifier_call = siw_netdev_event,
};

static int siw_addr_event(struct net_device *netdev)
{
	struct siw_device *sdev = siw_find_and_get(netdev);

	if (sdev)
		siw_link_kick(sdev);
	return NOTIFY_DONE;
}

static int siw_inet_event(struct notifier_block *nb, unsigned long event,
			  void *ptr)
{
	struct in_ifaddr *ifa = ptr;

	return siw_addr_event(ifa->ifa_dev->dev);
}

static struct notifier_block siw_inet_nb = {
	.notifier_call = siw_inet_event,
};

static int siw_inet6_event(struct notifier_block *nb, unsigned long event,
			   void *ptr)
{
	struct inet6_ifaddr *ifa = ptr;

	return siw_addr_event(ifa->idev->dev);
}

static struct notifier_block siw_inet6_nb = {
	.notifier_call = siw_inet6_event,
};

/**
 * siw_netdev_init() - watch netdevs and offer the link type
 *
 * Context: process, at load.
 * Return: 0 or a negative errno.
 */
int siw_netdev_init(void)
{
	int err;

	err = register_netdevice_notifier(&siw_netdev_nb);
	if (err)
		return err;
	err = register_inetaddr_notifier(&siw_inet_nb);
	if (err)
		goto err_netdev;
	err = register_inet6addr_notifier(&siw_inet6_nb);
	if (err)
		goto err_inet;
	rdma_link_register(&siw_link_ops);
	return 0;

err_inet:
	unregister_inetaddr_notifier(&siw_inet_nb);
err_netdev:
	unregister_netdevice_notifier(&siw_netdev_nb);
	return err;
}

/**
 * siw_netdev_exit() - undo siw_netdev_init()
 *
 * Devices are left to ib_unregister_driver(). Until that is done a netdev
 * that goes away waits for its device.
 *
 * Context: process, at unload.
 */
void siw_netdev_exit(void)
{
	rdma_link_unregister(&siw_link_ops);
	unregister_inet6addr_notifier(&siw_inet6_nb);
	unregister_inetaddr_notifier(&siw_inet_nb);
	unregister_netdevice_notifier(&siw_netdev_nb);
}
