/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The RNIC object: one per RDMA link, bound to one netdev.
 */
#ifndef _SIW_DEVICE_H
#define _SIW_DEVICE_H

#include <linux/atomic.h>
#include <linux/netdevice.h>
#include <linux/xarray.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include "gid.h"
#include "opts.h"

struct siw_stats_cpu;

#define SIW_PORT		1
#define SIW_MAX_MSG		U32_MAX	/* octets, RFC 5040 */
#define SIW_MAX_DEVICES		4096

/* Device limits, told by query_device and enforced by the create verbs. */
#define SIW_MAX_QP		131072
#define SIW_MAX_QP_WR		32768
#define SIW_MAX_CQ		131072
#define SIW_MAX_CQE		2097152
#define SIW_MAX_SRQ		65536
#define SIW_MAX_SRQ_WR		131072
#define SIW_MAX_MR		1048576
#define SIW_MAX_MW		1048576
#define SIW_MAX_PD		131072
#define SIW_MAX_UCONTEXT	65536
#define SIW_MAX_FMR_PAGES	512
#define SIW_MAX_IRD		128
#define SIW_MAX_ORD		128

/**
 * struct siw_device - one software RNIC
 * @base: the verbs device
 * @node: in the list of all devices (netdev.c)
 * @netdev: the network device under it, constant, referenced
 * @netdev_ref: tracker of that reference
 * @opts: settings of connections made from now on, see opts.h
 * @part_id: number of this device, counted from 1
 * @gids: GID table
 * @qps: QPN -> struct siw_qp, looked up under RCU
 * @mems: STag >> 8 -> struct siw_mem, looked up under RCU
 * @mems_gen: how often one was taken out of @mems, from 1 on
 * @counters: id -> struct siw_counter (counter.c)
 * @num_qp: live queue pairs
 * @num_cq: live completion queues
 * @num_srq: live shared receive queues
 * @num_mr: live memory regions
 * @num_mw: live memory windows
 * @dm_used: octets of device memory given out
 * @num_pd: live protection domains
 * @num_ctx: live user contexts
 * @num_pollers: threads that look at send queues (poll.c)
 * @stats: per-CPU counters (stats.h)
 * @ep_lock: guards @eps
 * @eps: connection endpoints of this device (cm.c)
 * @num_eps: endpoints that still hold a reference on this device
 * @ep_wait: woken when @num_eps drops to zero
 * @link_work: follows netdev events outside of RTNL (netdev.c)
 * @move_work: ends connections when the netdev changes its namespace
 * @link_done: when @link_work last ran, in jiffies
 * @speed: of the link in Mbit/s, 0 if not known
 * @active: port state last told by an event
 */
struct siw_device {
	struct ib_device base;
	struct list_head node;
	struct net_device *netdev;
	netdevice_tracker netdev_ref;
	struct siw_dev_opts opts;
	u32 part_id;
	struct siw_gid_table gids;

	struct xarray qps;
	struct xarray mems;
	atomic_long_t mems_gen;
	struct xarray counters;

	atomic_t num_qp;
	atomic_t num_cq;
	atomic_t num_srq;
	atomic_t num_mr;
	atomic_t num_mw;
	atomic_t num_pd;
	atomic_t num_ctx;
	atomic_t num_pollers;
	atomic_long_t dm_used;

	struct siw_stats_cpu __percpu *stats;

	spinlock_t ep_lock;	/* see above */
	struct list_head eps;
	atomic_t num_eps;
	wait_queue_head_t ep_wait;

	struct delayed_work link_work;
	struct work_struct move_work;
	unsigned long link_done;
	u32 speed;
	bool active;
};

static inline struct siw_device *to_siw_dev(struct ib_device *ibdev)
{
	return container_of(ibdev, struct siw_device, base);
}

/* Takes one slot of a limited object count; false if none is left. */
static inline bool siw_count_get(atomic_t *count, int limit)
{
	if (atomic_inc_return(count) <= limit)
		return true;
	atomic_dec(count);
	return false;
}

/*
 * Work of all devices, unbound but for receiving, which chooses its CPU. On the first
 * two nothing sleeps for long; ends of connections wait for peers, for seconds. The
 * last one frees pagers.
 */
extern struct workqueue_struct *siw_wq;
extern struct workqueue_struct *siw_rx_wq;
extern struct workqueue_struct *siw_start_wq;
extern struct workqueue_struct *siw_end_wq;
extern struct workqueue_struct *siw_pager_wq;

struct net *siw_device_net(struct siw_device *sdev);
struct net *siw_device_get_net(struct siw_device *sdev);
struct siw_device *siw_device_create(struct net_device *netdev);
int siw_device_register(struct siw_device *sdev, const char *name);

#endif
