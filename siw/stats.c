// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Counters of a device, for `rdma statistic` and sysfs.
 */
#include <iwarp/rdmap.h>
#include "proto/term.h"
#include "stats.h"

/* Terminates by what they say: layer, type, code. */
static const u16 siw_term_codes[] = {
	0x0000,
	0x0100, 0x0101, 0x0102, 0x0103, 0x0104, 0x0109, 0x01ff,
	0x0205, 0x0206, 0x0207, 0x0208, 0x0209, 0x02ff,
	0x1000,
	0x1100, 0x1101, 0x1102, 0x1103, 0x1104,
	0x1201, 0x1202, 0x1203, 0x1204, 0x1205, 0x1206,
	0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007,
};

static_assert(ARRAY_SIZE(siw_term_codes) ==
	      SIW_STAT_TERM_OTHER - SIW_STAT_TERM_CODES);

/* In the order of siw_term_codes */
#define TERM(_i, _code) \
	[SIW_STAT_TERM_CODES + (_i)].name = "terminates_" _code

static const struct rdma_stat_desc siw_stat_descs[] = {
	[SIW_STAT_TX_BYTES].name = "tx_bytes",
	[SIW_STAT_TX_FPDUS].name = "tx_fpdus",
	[SIW_STAT_TX_BURSTS].name = "tx_bursts",
	[SIW_STAT_TX_STALLS].name = "tx_stalls",
	[SIW_STAT_TX_LENT].name = "tx_lent_bytes",
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
	[SIW_STAT_DOORBELLS].name = "doorbells",
	[SIW_STAT_SQ_POLLED].name = "sq_polled",
	TERM(0, "0_0_00"),
	TERM(1, "0_1_00"),
	TERM(2, "0_1_01"),
	TERM(3, "0_1_02"),
	TERM(4, "0_1_03"),
	TERM(5, "0_1_04"),
	TERM(6, "0_1_09"),
	TERM(7, "0_1_ff"),
	TERM(8, "0_2_05"),
	TERM(9, "0_2_06"),
	TERM(10, "0_2_07"),
	TERM(11, "0_2_08"),
	TERM(12, "0_2_09"),
	TERM(13, "0_2_ff"),
	TERM(14, "1_0_00"),
	TERM(15, "1_1_00"),
	TERM(16, "1_1_01"),
	TERM(17, "1_1_02"),
	TERM(18, "1_1_03"),
	TERM(19, "1_1_04"),
	TERM(20, "1_2_01"),
	TERM(21, "1_2_02"),
	TERM(22, "1_2_03"),
	TERM(23, "1_2_04"),
	TERM(24, "1_2_05"),
	TERM(25, "1_2_06"),
	TERM(26, "2_0_01"),
	TERM(27, "2_0_02"),
	TERM(28, "2_0_03"),
	TERM(29, "2_0_04"),
	TERM(30, "2_0_05"),
	TERM(31, "2_0_06"),
	TERM(32, "2_0_07"),
	[SIW_STAT_TERM_OTHER].name = "terminates_other",
};

static_assert(ARRAY_SIZE(siw_stat_descs) == SIW_NUM_STATS);

/**
 * siw_stat_of_term() - which counter is of a Terminate's code
 * @raw: its first RDMAP_TERM_MIN octets
 *
 * Context: any. Return: one of those from SIW_STAT_TERM_CODES on.
 */
enum siw_stat siw_stat_of_term(const void *raw)
{
	struct term_info info;
	u16 code, i;

	term_decode(raw, RDMAP_TERM_MIN, &info);
	code = info.layer << 12 | info.etype << 8 | info.code;
	/* of a local catastrophe any code may be sent */
	if (code <= 0xff)
		code = 0;
	for (i = 0; i < ARRAY_SIZE(siw_term_codes); i++)
		if (siw_term_codes[i] == code)
			break;
	return SIW_STAT_TERM_CODES + i;
}

/**
 * siw_stat_term() - count a Terminate of no queue pair
 * @sdev: device
 * @sent: by us, or received
 * @raw: its first RDMAP_TERM_MIN octets
 *
 * Context: any.
 */
void siw_stat_term(struct siw_device *sdev, bool sent, const void *raw)
{
	siw_stat_inc(sdev, sent ? SIW_STAT_TERM_SENT : SIW_STAT_TERM_RCVD);
	siw_stat_inc(sdev, siw_stat_of_term(raw));
}

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
