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

static int __init siw_init(void)
{
	int err;

	siw_wq = alloc_workqueue("siw", WQ_HIGHPRI | WQ_UNBOUND | WQ_MEM_RECLAIM,
				 0);
	if (!siw_wq)
		return -ENOMEM;
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
	destroy_workqueue(siw_wq);
	return err;
}

/* No link can be made any more; then the devices go, then what they used. */
static void __exit siw_exit(void)
{
	siw_netdev_exit();
	ib_unregister_driver(RDMA_DRIVER_SIW);
	siw_cm_exit();
	destroy_workqueue(siw_wq);
	/* objects found under RCU are freed by code or caches of ours */
	rcu_barrier();
}

module_init(siw_init);
module_exit(siw_exit);
