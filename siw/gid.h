/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * GID table: a constant entry of the device, then the netdev's addresses.
 */
#ifndef _SIW_GID_H
#define _SIW_GID_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <rdma/ib_verbs.h>

#define SIW_GID_TBL_LEN		32

struct siw_device;
struct task_struct;

/**
 * struct siw_gid_table - GIDs as query_gid tells them
 * @lock: guards @gid; process context
 * @gid: entry 0 names the device; the others are addresses (IPv4 as
 *	IPv4-mapped) or zero
 * @asking: task that refreshes the core's GID cache and just asked for an entry
 *	that it has; only compared, never dereferenced
 */
struct siw_gid_table {
	spinlock_t lock;	/* see above */
	union ib_gid gid[SIW_GID_TBL_LEN];
	struct task_struct *asking;
};

void siw_gid_init(struct siw_device *sdev);
bool siw_gid_refresh(struct siw_device *sdev);

int siw_query_gid(struct ib_device *ibdev, u32 port, int index,
		  union ib_gid *gid);
struct net_device *siw_get_netdev(struct ib_device *ibdev, u32 port);

#endif
