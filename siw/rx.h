/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The receiving half of a QP.
 */
#ifndef _SIW_RX_H
#define _SIW_RX_H

#include <linux/workqueue.h>
#include <rdma/siw-abi.h>
#include "mem.h"
#include "proto/mpa.h"
#include "proto/rdmap.h"
#include "proto/term.h"
#include "ring.h"

/* What the headers of any message need. */
#define SIW_RX_HDR	(MPA_LEN_SIZE + RDMAP_HDRS_MAX)

struct sk_buff;
struct siw_qp;

/* ULPDU_Length of an FPDU that a process of this host may still write to. */
static inline u32 siw_rx_ulpdu_len(const u8 *fpdu)
{
	return READ_ONCE(fpdu[0]) << 8 | READ_ONCE(fpdu[1]);
}

/**
 * struct siw_rx - all of it owned by who holds the socket's lock
 * @proto: stream state: MSNs, message in progress
 * @pos: stream position of the next octet, for markers
 * @buf: an FPDU that was cut, or carries markers
 * @buf_size: octets there is room for
 * @have: octets collected in @buf
 * @need: octets of the FPDU, 0 while not known
 * @held: octets of a whole FPDU in @buf that waits for a receive, or 0
 * @held_ulpdu: its ULPDU's
 * @held_wire: its octets in the stream
 * @paused: the stream waits for a receive
 * @patience: until when, in jiffies
 * @want: pages the stream waits for
 * @lost: they cannot be had
 * @fetch: gets them; under the socket's lock
 * @over: none may begin any more; under the socket's lock
 * @heard: something came from the peer
 * @want_size: memory for @buf that softirq could not get
 * @rqe: private copy of the receive in use
 * @rqe_valid: there is one
 * @cur: element of @rqe the next octet goes to
 * @cur_off: offset in it
 * @room: octets @rqe has room for
 * @placed: octets of the message placed
 * @got: octets of the oldest Read's response placed
 * @imm: Immediate Data that came ahead of its Send
 * @send_imm: there is some
 * @write_len: octets of the last Write, for Immediate Data
 * @seg: the FPDU being handled, or that was handled last
 * @wire: octets of the stream that the FPDU being handled takes
 * @done: stream position behind the last FPDU handled
 * @ack: that behind the last one that ended a request of the peer, read by the
 *	sender
 * @ended: the FPDU being handled ends one
 * @mems: memory that was used lately
 * @hdr: headers of the FPDU being handled, from ULPDU_Length on
 * @quote: headers of the segment a Terminate is about
 * @work: reads where softirq should or could not
 * @deferred: @work reads, the callback does not
 * @cpu_here: CPU that took in packets when @cpu was looked at, -1: none
 * @cpu: CPU for @work
 */
struct siw_rx {
	struct rdmap_rx proto;
	u32 pos;
	u8 *buf;
	u32 buf_size;
	u32 have;
	u32 need;
	u32 held;
	u32 held_wire;
	u16 held_ulpdu;
	bool paused;
	bool lost;
	bool over;
	unsigned long patience;
	struct siw_mem_want want;
	struct siw_fetch *fetch;
	u32 want_size;
	struct siw_recv *rqe;
	bool rqe_valid;
	bool heard;
	u8 cur;
	u32 cur_off;
	u32 room;
	u32 placed;
	u32 got;
	__be32 imm;
	bool send_imm;
	u32 write_len;
	struct ddp_seg seg;
	u32 wire;
	u64 done;
	u64 ack;
	bool ended;
	struct siw_mem_hints mems;
	u8 hdr[SIW_RX_HDR];
	struct term_quote quote;
	struct delayed_work work;
	unsigned long deferred;
	int cpu_here;
	int cpu;
};

int siw_rx_init(struct siw_qp *qp);
void siw_rx_exit(struct siw_qp *qp);
void siw_rx_start(struct siw_qp *qp);
void siw_rx_reset(struct siw_qp *qp);
void siw_rx_ready(struct siw_qp *qp);
void siw_rx_kick(struct siw_qp *qp);
int siw_rx_far_cpu(struct siw_qp *qp);
void siw_rx_finish(struct siw_qp *qp);

/* rx.c: octets of the stream into FPDUs */
int siw_rx_actor(void *ctx, struct sk_buff *skb, u32 off, u32 len);

struct siw_cursor;

/* rx_run.c: segments that go on with a message */
u32 siw_rx_run(struct siw_qp *qp, struct siw_cursor *c, u32 left);

/* rx_msg.c: one segment */
enum siw_mem_fault siw_rx_check(struct siw_qp *qp, const struct siw_mem *mem,
				u64 to, u32 len, u32 access);
enum iw_err siw_rx_segment(struct siw_qp *qp, const struct ddp_seg *seg,
			   const void *ulpdu, struct siw_cursor *payload);

#endif
