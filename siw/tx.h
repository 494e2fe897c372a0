/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The sending half of a QP.
 */
#ifndef _SIW_TX_H
#define _SIW_TX_H

#include <linux/interrupt.h>
#include <linux/workqueue.h>
#include <rdma/siw-abi.h>
#include "llp.h"
#include "mem.h"
#include "proto/term.h"
#include "txbuf.h"

struct siw_qp;

/* Payload of an FPDU that is not worth a page of its own. */
#define SIW_LEND_MIN		2048

/*
 * Octets handed to TCP in one call, about: what it makes one packet of, which is less
 * than 64 KiB, and 17 pages wherever in a page it begins.
 */
#define SIW_TX_BURST		64000

/* Octets of a Read Response that are worth waking another CPU for. */
#define SIW_TX_FAR_MIN		SZ_32K

/**
 * struct siw_wqe - private copy of a send work request
 * @id: wr_id
 * @flags: SIW_WQE_*
 * @opcode: enum siw_opcode or siw_ext_opcode
 * @num_sge: scatter elements at @sge
 * @rkey: remote STag, or STag to invalidate, or new STag
 * @raddr: remote tagged offset; kernel address of a region to register
 * @imm: immediate data in wire order; rights of a region to register, of a
 *	window to bind
 * @len: octets of payload
 * @operand: of an atomic: add or compare, swap; of a bind: length, STag of the
 *	region
 * @sge: elements, or inline data
 */
struct siw_wqe {
	u64 id;
	u16 flags;
	u8 opcode;
	u8 num_sge;
	u32 rkey;
	u64 raddr;
	u32 imm;
	u32 len;
	u64 operand[2];
	struct siw_sge *sge;
};

/**
 * struct siw_tx_msg - the message that is being sent
 * @active: there is one
 * @tagged: Write or Read Response
 * @remote: the source is remotely readable memory: a Read Response
 * @inl: the source is inline data
 * @lend: payload is handed to TCP where it lies
 * @lent: some was
 * @imm: Immediate Data follow (opcode of the message), 0 for none
 * @opcode: RDMAP opcode
 * @cur: element the next octet comes from
 * @cur_off: offset of that octet in it
 * @len: octets of payload
 * @sent: octets of payload built into FPDUs
 * @stag: tagged: sink; untagged: STag to invalidate
 * @msn: untagged
 * @to: tagged: sink offset of the first octet
 * @sge: where the payload is
 * @src: the element of a Read Response
 */
struct siw_tx_msg {
	bool active;
	bool tagged;
	bool remote;
	bool inl;
	bool lend;
	bool lent;
	u8 imm;
	u8 opcode;
	u8 cur;
	u32 cur_off;
	u32 len;
	u32 sent;
	u32 stag;
	u32 msn;
	u64 to;
	const struct siw_sge *sge;
	struct siw_sge src;
};

/**
 * struct siw_tx - all of it owned by the sender (SIW_QPF_TX_BUSY)
 * @buf: where FPDUs are built
 * @out: built and not yet taken by TCP, each holding a page reference
 * @nout: runs at @out
 * @out_len: octets at @out
 * @eor: the burst ends on a segment boundary
 * @rtr: RTR message still to be sent (enum siw_rtr)
 * @loaded: @wqe holds a request that could not be started yet
 * @turn: a Read Response was sent last: the send queue is next
 * @starved: no page was to be had for the next FPDU
 * @want: pages that the next FPDUs need
 * @lost: they cannot be had
 * @fetch: gets them
 * @burst: octets of a burst: whole segments, unless they are huge
 * @mulpdu: largest ULPDU
 * @emss: segment size @mulpdu was made for
 * @built: stream position behind what was built
 * @taken: stream position behind what TCP has taken
 * @lent: stream position behind the last message with payload lent to TCP
 * @ack: what the peer was told last, see siw_rx.ack
 * @msn: next MSN of Sends, of requests, of Atomic Responses
 * @wqe: the work request in progress
 * @msg: the message in progress
 * @quote: what a Terminate for %IW_ERR_SRC_REVOKED quotes
 * @mems: memory that was used lately
 * @scratch: unmarked FPDU while markers are inserted, else NULL
 * @idle: gives back the pages of a QP that sends nothing
 * @idle_at: stream position when @idle looked last
 * @tasklet: sends on behalf of softirq
 * @work: sends on behalf of everybody else
 * @far_work: sends much, on a CPU that does not take in the peer's packets
 */
struct siw_tx {
	struct siw_txbuf buf;
	struct bio_vec out[SIW_LLP_MAX_FRAGS];
	u8 nout;
	bool eor;
	u8 rtr;
	bool loaded;
	bool turn;
	bool starved;
	bool lost;
	struct siw_mem_want want;
	struct siw_fetch *fetch;
	u32 out_len;
	u32 burst;
	u32 mulpdu;
	u32 emss;
	u64 built;
	u64 taken;
	u64 lent;
	u64 ack;
	struct {
		u32 send;
		u32 req;
		u32 resp;
	} msn;
	struct siw_wqe wqe;
	struct siw_tx_msg msg;
	struct term_quote quote;
	struct siw_mem_hints mems;
	void *scratch;
	struct tasklet_struct tasklet;
	struct work_struct work;
	struct work_struct far_work;
	struct delayed_work idle;
	u64 idle_at;
};

int siw_tx_init(struct siw_qp *qp);
void siw_tx_exit(struct siw_qp *qp);
int siw_tx_start(struct siw_qp *qp);
void siw_tx_run(struct siw_qp *qp);
bool siw_tx_poll(struct siw_qp *qp);
void siw_tx_kick(struct siw_qp *qp);
void siw_tx_kick_slow(struct siw_qp *qp);
void siw_tx_kick_far(struct siw_qp *qp);
void siw_tx_own(struct siw_qp *qp);
void siw_tx_abandon(struct siw_qp *qp);
void siw_tx_reset(struct siw_qp *qp);
bool siw_tx_idle(struct siw_qp *qp);
void siw_tx_last_ack(struct siw_qp *qp);
void siw_tx_terminate(struct siw_qp *qp, const void *term, u8 len);

/* sq.c: taking work requests out of a send ring */
int siw_sq_load(struct siw_qp *qp, struct siw_wqe *wqe);
bool siw_sq_posted(const struct siw_qp *qp);
u8 siw_sq_opcode(const struct siw_wqe *wqe);
bool siw_sq_drop(struct siw_qp *qp, u64 *id, u8 *opcode);

/* lend.c: payload by reference */
bool siw_tx_may_lend(struct siw_qp *qp);
int siw_tx_lend(struct siw_qp *qp, struct bio_vec *run, int max, u32 len);
bool siw_tx_lends(const struct siw_qp *qp);

/* tx_msg.c: from work requests to FPDUs */
int siw_tx_build(struct siw_qp *qp, gfp_t gfp);
bool siw_tx_more(const struct siw_qp *qp);
bool siw_tx_owes_ack(const struct siw_qp *qp);
int siw_tx_build_ack(struct siw_qp *qp, gfp_t gfp);
bool siw_tx_build_terminate(struct siw_qp *qp, const void *term, u8 len);

#endif
