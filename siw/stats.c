// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Counters of a device, for `rdma statistic` and sysfs.
 */
#include "stats.h"

static const struct rdma_stat_desc siw_stat_descs[] = {
	[SIW_STAT_TX_BYTES].name = "tx_bytes",
	[SIW_STAT_TX_FPDUS].name = "tx_fpdus",
	[SIW_STAT_TX_BURSTS].name = "tx_bursts",
	[SIW_STAT_TX_STALLS].name = "tx_stalls",
	[SIW_STAT_RX_BYTES].name = "rx_bytes",
	[SIW_STAT_RX_FPDUS].name = "rx_fpdus",
	[SIW_STAT_RX_SPLIT_FPDUS].name = "rx_split_fpdus",
	[SIW_STAT_RX_BULK].name = "rx_bulk_handovers",
	[SIW_STAT_RX_CRC_ERRORS].name = "rx_crc_errors",
	[SIW_STAT_RX_PROTO_ERRORS].name = "rx_protocol_errors",
	[SIW_STAT_RX_ACCESS_ERRORS].name = "rx_access_errors",
	[SIW_STAT_TERM_SENT].name = "terminates_sent",
	[SIW_STAT_TERM_RCVD].name = "terminates_received",
	[SIW_STAT_CONN_ACTIVE].name = "connects_active",
	[SIW_STAT_CONN_PASSIVE].name = "connects_passive",
	[SIW_STAT_CONN_REJECTED].name = "connects_rejected",
	[SIW_STAT_CONN_FAILED].name = "connects_failed",
	[SIW_STAT_CONN_TIMEOUT].name = "connects_timed_out",
	[SIW_STAT_CONN_CLOSED].name = "connections_closed",
	[SIW_STAT_CONN_LOST].name = "connections_lost",
	[SIW_STAT_CQ_OVERRUNS].name = "cq_overruns",
	[SIW_STAT_SRQ_LIMITS].name = "srq_limit_events",
	[SIW_STAT_RNR].name = "receives_missing",
	[SIW_STAT_RNR_WAITS].name = "receives_waited_for",
};

static_assert(ARRAY_SIZE(siw_stat_descs) == SIW_NUM_STATS);

/**
 * siw_stats_init() - allocate the counters of a device
 * @sdev: device
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int siw_stats_init(struct siw_device *sdev)
{
	sdev->stats = alloc_percpu(struct siw_stats_cpu);
	return sdev->stats ? 0 : -ENOMEM;
}

/**
 * siw_stats_exit() - undo siw_stats_init(), also where that failed
 * @sdev: device
 *
 * Context: process.
 */
void siw_stats_exit(struct siw_device *sdev)
{
	free_percpu(sdev->stats);
}

/**
 * siw_alloc_hw_port_stats() - verbs entry point
 * @ibdev: device
 * @port: the port
 *
 * Context: process.
 * Return: what the core stores values in, NULL without memory.
 */
struct rdma_hw_stats *siw_alloc_hw_port_stats(struct ib_device *ibdev,
					      u32 port)
{
	return rdma_alloc_hw_stats_struct(siw_stat_descs,
					  ARRAY_SIZE(siw_stat_descs),
					  RDMA_HW_STATS_DEFAULT_LIFESPAN);
}

/**
 * siw_get_hw_stats() - verbs entry point
 * @ibdev: device
 * @stats: values to fill in
 * @port: 0 asks for counters of the device, of which there are none
 * @index: counter wanted; all are read
 *
 * Context: process.
 * Return: values filled in, or -EINVAL.
 */
int siw_get_hw_stats(struct ib_device *ibdev, struct rdma_hw_stats *stats,
		     u32 port, int index)
{
	struct siw_device *sdev = to_siw_dev(ibdev);
	int cpu, i;

	if (!port)
		return -EINVAL;
	for (i = 0; i < SIW_NUM_STATS; i++) {
		u64 sum = 0;

		for_each_possible_cpu(cpu)
			sum += per_cpu_ptr(sdev->stats, cpu)->val[i];
		stats->value[i] = sum;
	}
	return SIW_NUM_STATS;
}
