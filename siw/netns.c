// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Kernel sockets do not keep their namespace alive. When one dies, its netdevs
 * leave or go first, and that ends our connections and listeners, but later,
 * from a workqueue. So the end of a namespace waits until the last socket of
 * ours in it is closed.
 */
#include <linux/atomic.h>
#include <linux/wait.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "netns.h"

/**
 * struct siw_netns - our part of a namespace
 * @sockets: open sockets
 */
struct siw_netns {
	atomic_t sockets;
};

static unsigned int siw_netns_id;
static DECLARE_WAIT_QUEUE_HEAD(siw_netns_wait);

static struct siw_netns *siw_netns_of(struct net *net)
{
	return net_generic(net, siw_netns_id);
}

/**
 * siw_netns_hold() - count a socket that is opened
 * @net: its namespace, which is alive or holds a socket of ours already
 *
 * Context: any.
 */
void siw_netns_hold(struct net *net)
{
	atomic_inc(&siw_netns_of(net)->sockets);
}

/**
 * siw_netns_release() - a socket was closed
 * @net: its namespace, not to be touched by the caller any more
 *
 * Context: softirq or process.
 */
void siw_netns_release(struct net *net)
{
	spin_lock_bh(&siw_netns_wait.lock);
	if (atomic_dec_and_test(&siw_netns_of(net)->sockets))
		wake_up_all_locked(&siw_netns_wait);
	spin_unlock_bh(&siw_netns_wait.lock);
}

static void __net_exit siw_netns_net_exit(struct net *net)
{
	struct siw_netns *sn = siw_netns_of(net);

	wait_event(siw_netns_wait, !atomic_read(&sn->sockets));
	/* whoever closed the last one has left siw_netns_release() */
	spin_lock_bh(&siw_netns_wait.lock);
	spin_unlock_bh(&siw_netns_wait.lock);
}

/*
 * Not registered as a device operation: those of the core, which make netdevs
 * leave, must run before.
 */
static struct pernet_operations siw_netns_ops = {
	.exit	= siw_netns_net_exit,
	.id	= &siw_netns_id,
	.size	= sizeof(struct siw_netns),
};

/**
 * siw_netns_init() - at module load
 *
 * Return: 0 or -ENOMEM.
 */
int siw_netns_init(void)
{
	return register_pernet_subsys(&siw_netns_ops);
}

/**
 * siw_netns_exit() - at module unload, no socket is left
 */
void siw_netns_exit(void)
{
	unregister_pernet_subsys(&siw_netns_ops);
}
