/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counters: per device, per CPU, shown by `rdma statistic`.
 */
#ifndef _SIW_STATS_H
#define _SIW_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>
#include "device.h"

/* Each has a name in stats.c */
enum siw_stat {
	SIW_STAT_TX_BYTES,
	SIW_STAT_TX_FPDUS,
	SIW_STAT_TX_BURSTS,
	SIW_STAT_TX_STALLS,
	SIW_STAT_TX_LENT,
	SIW_STAT_RX_BYTES,
	SIW_STAT_RX_FPDUS,
	SIW_STAT_RX_SPLIT_FPDUS,
	SIW_STAT_RX_BULK,
	SIW_STAT_RX_CRC_ERRORS,
	SIW_STAT_RX_PROTO_ERRORS,
	SIW_STAT_RX_ACCESS_ERRORS,
	SIW_STAT_TERM_SENT,
	SIW_STAT_TERM_RCVD,
	SIW_STAT_CONN_ACTIVE,
	SIW_STAT_CONN_PASSIVE,
	SIW_STAT_CONN_REJECTED,
	SIW_STAT_CONN_FAILED,
	SIW_STAT_CONN_TIMEOUT,
	SIW_STAT_CONN_CLOSED,
	SIW_STAT_CONN_LOST,
	SIW_STAT_CQ_OVERRUNS,
	SIW_STAT_SRQ_LIMITS,
	SIW_STAT_RNR,
	SIW_STAT_RNR_WAITS,
	SIW_STAT_DOORBELLS,
	SIW_STAT_SQ_POLLED,
	SIW_STAT_TERM_CODES,	/* one for each code that the RFCs assign */
	SIW_STAT_TERM_OTHER = SIW_STAT_TERM_CODES + 33,
	SIW_NUM_STATS
};

struct siw_stats_cpu {
	u64 val[SIW_NUM_STATS];
};

/* Any context; a torn read of a sum on 32 bit is impossible: 64BIT only. */
static inline void siw_stat_add(struct siw_device *sdev, enum siw_stat id,
				u64 n)
{
	this_cpu_add(sdev->stats->val[id], n);
}

static inline void siw_stat_inc(struct siw_device *sdev, enum siw_stat id)
{
	this_cpu_inc(sdev->stats->val[id]);
}

enum siw_stat siw_stat_of_term(const void *raw);
void siw_stat_term(struct siw_device *sdev, bool sent, const void *raw);
int siw_stats_init(struct siw_device *sdev);
void siw_stats_exit(struct siw_device *sdev);
struct rdma_hw_stats *siw_alloc_hw_port_stats(struct ib_device *ibdev,
					      u32 port);
int siw_get_hw_stats(struct ib_device *ibdev, struct rdma_hw_stats *stats,
		     u32 port, int index);

#endif
