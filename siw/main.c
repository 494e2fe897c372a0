// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Load and unload.
 */
#include <linux/module.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include <rdma/rdma_netlink.h>
#include "cm.h"
#include "device.h"
#include "netdev.h"
#include "version.h"

MODULE_DESCRIPTION("Software iWARP RNIC over TCP");
MODULE_AUTHOR("The siw authors");
MODULE_LICENSE("Dual BSD/GPL");
MODULE_VERSION(SIW_VERSION);
MODULE_ALIAS_RDMA_LINK("siw");

struct workqueue_struct *siw_wq;
struct workqueue_struct *siw_rx_wq;
struct workqueue_struct *siw_start_wq;
struct workqueue_struct *siw_end_wq;
struct workqueue_struct *siw_pager_wq;

static void siw_free_queues(void)
{
	if (siw_pager_wq)
		destroy_workqueue(siw_pager_wq);
	if (siw_end_wq)
		destroy_workqueue(siw_end_wq);
	if (siw_start_wq)
		destroy_workqueue(siw_start_wq);
	if (siw_rx_wq)
		destroy_workqueue(siw_rx_wq);
	if (siw_wq)
		destroy_workqueue(siw_wq);
}

static int siw_alloc_queues(void)
{
	siw_wq = alloc_workqueue("siw", WQ_HIGHPRI | WQ_UNBOUND | WQ_MEM_RECLAIM,
				 0);
	siw_rx_wq = alloc_workqueue("siw_rx", WQ_HIGHPRI | WQ_MEM_RECLAIM |
				    WQ_CPU_INTENSIVE, 0);
	siw_start_wq = alloc_ordered_workqueue("siw_start",
					       WQ_HIGHPRI | WQ_MEM_RECLAIM);
	siw_end_wq = alloc_workqueue("siw_end", WQ_UNBOUND | WQ_MEM_RECLAIM,
				     WQ_UNBOUND_MAX_ACTIVE);
	/* its work destroys queues that may not be flushed from any of these */
	siw_pager_wq = alloc_workqueue("siw_pager_free", WQ_UNBOUND, 0);
	if (siw_wq && siw_rx_wq && siw_start_wq && siw_end_wq && siw_pager_wq)
		return 0;
	siw_free_queues();
	return -ENOMEM;
}

static int __init siw_init(void)
{
	int err;

	err = siw_alloc_queues();
	if (err)
		return err;
	err = siw_cm_init();
	if (err)
		goto err_wq;
	err = siw_netdev_init();
	if (err)
		goto err_cm;
	return 0;

err_cm:
	siw_cm_exit();
err_wq:
	siw_free_queues();
	return err;
}

/* No link can be made any more; then the devices go, then what they used. */
static void __exit siw_exit(void)
{
	siw_netdev_exit();
	ib_unregister_driver(RDMA_DRIVER_SIW);
	siw_cm_exit();
	siw_free_queues();
	/* the last timer has returned */
	synchronize_rcu();
	/* objects found under RCU are freed by code or caches of ours */
	rcu_barrier();
}

module_init(siw_init);
module_exit(siw_exit);
