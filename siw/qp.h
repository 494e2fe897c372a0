/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Queue pairs: life cycle, work queues, the join of the two data paths.
 */
#ifndef _SIW_QP_H
#define _SIW_QP_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include <rdma/siw-abi.h>
#include "cq.h"
#include "device.h"
#include "poll.h"
#include "proto/err.h"
#include "proto/term.h"
#include "rdv.h"
#include "rx.h"
#include "tx.h"

struct siw_counter;
struct siw_ep;
struct siw_llp;
struct siw_ring;
struct siw_srq;

/* So many requests are completed or flushed with interrupts off. */
#define SIW_FLUSH_BATCH		64

/* Bits of siw_qp.flags; each is a word of its own kind, set by atomic ops. */
enum siw_qp_flag {
	SIW_QPF_TX_BUSY,	/* somebody is the sender */
	SIW_QPF_TX_AGAIN,	/* work came while the sender ran */
	SIW_QPF_TX_STOP,	/* nothing is sent any more but a Terminate */
	SIW_QPF_TX_HOLD,	/* responder before the first FPDU */
	SIW_QPF_REPLIED,	/* responder: the Reply is out */
	SIW_QPF_RX_STOP,	/* input is read and dropped */
	SIW_QPF_FIRST_FPDU,	/* endpoint wants to hear of the first FPDU */
	SIW_QPF_DYING,		/* down_work queued or done for this connection */
	SIW_QPF_HURRY,		/* a graceful end must not wait */
	SIW_QPF_LEAVE,		/* its user wants the end, whatever still waits */
	SIW_QPF_FLUSHED,	/* in error: what is posted is flushed at once */
	SIW_QPF_GONE,		/* being destroyed: cannot be connected any more */
	SIW_QPF_ATTACHED,	/* an endpoint waits for siw_cm_qp_released() */
	SIW_QPF_NUDGE,		/* send the RTR Write once more */
	SIW_QPF_NAMED,		/* iw_cm has asked for it by its number */
};

enum siw_rtr {
	SIW_RTR_MSG_NONE,
	SIW_RTR_MSG_WRITE,
	SIW_RTR_MSG_READ,
	SIW_RTR_MSG_SEND,
};

/**
 * struct siw_conn - what MPA startup agreed on
 * @crc: CRC generated and checked
 * @tx_markers: we insert markers
 * @rx_markers: the peer inserts markers
 * @hold_tx: responder: no FPDU before one was received (RFC 5044 7.1.2)
 * @notify_first: call siw_cm_first_fpdu() once
 * @rtr: RTR message to send first (enum siw_rtr), as initiator
 * @ird: inbound Reads we serve at once
 * @ord: outbound Reads we may have outstanding
 * @rdv_gen: which wait of the QP is over, 0 if rdma_cm connects it
 * @peer_caps: RDV_CAP_* the peer has told in a rendezvous
 * @acks: both ends acknowledge messages (RDV_CAP_ACK)
 */
struct siw_conn {
	bool crc;
	bool tx_markers;
	bool rx_markers;
	bool hold_tx;
	bool notify_first;
	enum siw_rtr rtr;
	u16 ird;
	u16 ord;
	u32 rdv_gen;
	u32 peer_caps;
	bool acks;
};

struct siw_flight {
	u64 id;
	u64 end;	/* stream position behind the last octet */
	u32 bytes;
	u8 opcode;
	u8 status;
	u8 wait;	/* enum siw_flight_wait */
	bool lent;	/* of a message: payload is with TCP until delivered */
	bool signalled;
};

enum siw_flight_wait {
	SIW_FLIGHT_DONE,	/* nothing to wait for */
	SIW_FLIGHT_SENT,	/* TCP must have taken octets up to end */
	SIW_FLIGHT_LENT,	/* the peer's TCP must have octets up to end */
	SIW_FLIGHT_ACKED,	/* the peer must have handled octets up to end */
	SIW_FLIGHT_READ,	/* the answer must have come */
};

struct siw_orq_entry {
	u64 sink_to;
	u32 sink_stag;
	u32 len;
	u32 flight;	/* index into flight, free running */
	u32 req_id;	/* of an atomic */
	u32 inv_stag;	/* to be invalidated with SIW_OP_READ_LOCAL_INV */
	u8 opcode;	/* enum siw_opcode */
	bool rtr;	/* zero-length Read of the startup, no work request */
};

struct siw_irq_entry {
	u64 src_to;
	u64 sink_to;
	u32 src_stag;
	u32 sink_stag;
	u32 len;
	u32 req_id;
	u64 orig;
	bool atomic;
};

enum siw_qp_layout {
	SIW_QP_V1,		/* user: struct siw_sqe */
	SIW_QP_EXT,		/* user: struct siw_sqe_ext */
	SIW_QP_KERNEL,		/* as extended, more opcodes */
};

/**
 * struct siw_qp - a queue pair
 * @base: verbs object
 * @sdev: the device
 * @qpn: queue pair number
 * @refs: references; the last one completes @released
 * @released: waited for by destroy
 * @mutex: serialises state changes and attaching; process context, outermost
 *	of the QP's locks
 * @state: enum ib_qp_state; written under @mutex, read anywhere
 * @flags: enum siw_qp_flag bits
 * @owner: user who has created it; constant
 * @layout: of the rings' elements; kernel users have rings of their own
 * @sig_all: every work request is signalled
 * @scq: completions of the send queue
 * @rcq: completions of receives
 * @srq: shared receive queue or NULL
 * @sq: send ring
 * @rq: receive ring or NULL with an SRQ or without receives
 * @sq_size: elements of @sq, a power of two
 * @rq_size: elements of @rq, a power of two or 0
 * @sq_stride: octets from one element to the next
 * @rq_stride: likewise
 * @ctrl: word shared with the provider behind an extended @sq, else NULL
 * @ctrl_flags: what @ctrl says; under @sq_lock
 * @sq_put: next element a kernel user fills; under @sq_lock
 * @sq_get: next element the sender takes; owned by the sender (TX_BUSY)
 * @rq_put: next element a kernel user fills; under @rq_lock
 * @rq_get: next element to consume; under @rq_lock
 * @sq_lock: guards kernel posting to @sq, what leaves the flight list, @ctrl
 * @rq_lock: guards kernel posting to @rq and taking from it
 * @sq_mem: memory of @sq
 * @rq_mem: memory of @rq
 * @flight: work requests started and not completed, in post order
 * @flight_head: oldest entry; under @sq_lock
 * @flight_tail: next entry; of the sender
 * @acked: stream position up to which requests are done, with
 *	siw_conn.acks; under @sq_lock
 * @delivered: stream position up to which the peer's TCP has what we sent, as
 *	far as it was asked for; under @sq_lock
 * @heard: that of the peer's last acknowledgment; owned by the receiver
 * @orq: outstanding Reads and atomics of ours
 * @orq_size: its elements, a power of two
 * @orq_head: oldest; owned by the receiver
 * @orq_tail: next; owned by the sender
 * @irq: the peer's Reads and atomics waiting for an answer
 * @irq_size: its elements, a power of two
 * @irq_head: next to answer; owned by the sender
 * @irq_tail: next free; owned by the receiver
 * @irq_busy: entries whose answer was not handed to TCP completely
 * @poll: without doorbells
 * @tx_waits: the sender stopped in front of what is posted, and what it waits for
 *	will call it; owned by the sender, read anywhere
 * @tx: the sending half
 * @rx: the receiving half
 * @llp: connection; set and cleared under @mutex while both paths are stopped
 * @ep: endpoint that owns the connection, referenced
 * @conn: what was negotiated
 * @error: fault that ended the connection, with SIW_DOWN_PROTO
 * @down_cause: enum siw_down_cause, set once a connection
 * @term_rcvd: raw first four octets of the peer's Terminate
 * @term_about: opcode of the message it quotes, RDMAP_OPCODES for none
 * @term_sent: likewise of ours, which may have been lost
 * @down_work: ends the connection, see qp_conn.c
 * @nudge_delay: until @nudge_work looks again, in jiffies
 * @nudge_work: towards a peer that says nothing: repeats our RTR, or ends the
 *	hold of a responder whose administrator set server_first
 * @rdv: connecting without rdma_cm
 * @scan_delay: until @scan_work looks again, in jiffies
 * @scan_work: flushes what is posted into the rings of a QP in error
 * @mw_lock: guards @mws; taken under a window's lock, bottom halves off
 * @mws: memory windows only this QP may use (struct siw_mem)
 * @counter: counts for this QP in place of the device, or NULL; under RCU
 * @cap: capabilities granted
 * @access: qp_access_flags as set by modify
 * @access_set: they were; see siw_qp_grants()
 */
struct siw_qp {
	struct ib_qp base;
	struct siw_device *sdev;
	u32 qpn;
	refcount_t refs;
	struct completion released;

	struct mutex mutex;	/* state, attaching */
	u8 state;
	unsigned long flags;
	kuid_t owner;
	enum siw_qp_layout layout;
	bool sig_all;

	struct siw_cq *scq;
	struct siw_cq *rcq;
	struct siw_srq *srq;

	void *sq;
	void *rq;
	u32 sq_size;
	u32 rq_size;
	u32 sq_stride;
	u32 rq_stride;
	struct siw_qp_ctrl *ctrl;
	u32 ctrl_flags;
	u32 sq_put;
	u32 sq_get;
	u32 rq_put;
	u32 rq_get;
	spinlock_t sq_lock;	/* see above */
	spinlock_t rq_lock;	/* @rq posting and taking */
	struct siw_ring *sq_mem;
	struct siw_ring *rq_mem;

	struct siw_flight *flight;
	u32 flight_head;
	u32 flight_tail;
	u64 acked;
	u64 delivered;
	u64 heard;

	struct siw_orq_entry *orq;
	u32 orq_size;
	u32 orq_head;
	u32 orq_tail;

	struct siw_irq_entry *irq;
	u32 irq_size;
	u32 irq_head;
	u32 irq_tail;
	atomic_t irq_busy;

	struct siw_qp_poll poll;
	bool tx_waits;
	struct siw_tx tx;
	struct siw_rx rx;

	struct siw_llp *llp;
	struct siw_ep *ep;
	struct siw_conn conn;

	enum iw_err error;
	u8 down_cause;
	u8 term_rcvd[4];
	u8 term_about;
	u8 term_sent[4];

	struct work_struct down_work;
	struct delayed_work scan_work;
	struct delayed_work nudge_work;
	unsigned long nudge_delay;
	struct siw_rdv rdv;
	unsigned long scan_delay;
	spinlock_t mw_lock;	/* @mws */
	struct list_head mws;
	struct siw_counter __rcu *counter;
	struct ib_qp_cap cap;
	int access;
	bool access_set;
};

static inline struct siw_qp *to_siw_qp(struct ib_qp *qp)
{
	return container_of(qp, struct siw_qp, base);
}

static inline void *siw_sq_slot(const struct siw_qp *qp, u32 idx)
{
	return qp->sq + (idx & (qp->sq_size - 1)) * (size_t)qp->sq_stride;
}

static inline struct siw_rqe *siw_rq_slot(const struct siw_qp *qp, u32 idx)
{
	return qp->rq + (idx & (qp->rq_size - 1)) * (size_t)qp->rq_stride;
}

/*
 * Rights a peer may use at all. What a QP's owner says when it connects the QP by
 * itself counts; rdma_cm says something of its own, without atomics.
 */
static inline u32 siw_qp_grants(const struct siw_qp *qp)
{
	return qp->conn.rdv_gen && READ_ONCE(qp->access_set) ?
	       READ_ONCE(qp->access) : ~0u;
}

/* references: any context */
static inline void siw_qp_get(struct siw_qp *qp)
{
	refcount_inc(&qp->refs);
}

void siw_qp_put(struct siw_qp *qp);
void siw_qp_set_state(struct siw_qp *qp, enum ib_qp_state state);
void siw_qp_set_ctrl(struct siw_qp *qp, u32 mask, u32 bits);
struct siw_qp *siw_qp_lookup(struct siw_device *sdev, u32 qpn);

/* iw_cm and verbs entry points */
void siw_iw_add_ref(struct ib_qp *qp);
void siw_iw_rem_ref(struct ib_qp *qp);
struct ib_qp *siw_iw_get_qp(struct ib_device *ibdev, int qpn);
int siw_create_qp(struct ib_qp *qp, struct ib_qp_init_attr *attr,
		  struct ib_udata *udata);
int siw_modify_qp(struct ib_qp *qp, struct ib_qp_attr *attr, int mask,
		  struct ib_udata *udata);
int siw_query_qp(struct ib_qp *qp, struct ib_qp_attr *attr, int mask,
		 struct ib_qp_init_attr *init_attr);
int siw_destroy_qp(struct ib_qp *qp, struct ib_udata *udata);

/* posting (post.c) */
int siw_post_send(struct ib_qp *qp, const struct ib_send_wr *wr,
		  const struct ib_send_wr **bad_wr);
int siw_post_recv(struct ib_qp *qp, const struct ib_recv_wr *wr,
		  const struct ib_recv_wr **bad_wr);

/* connection of a QP (qp_conn.c) */
void siw_qp_replied(struct siw_qp *qp);
int siw_qp_attach(struct siw_qp *qp, struct siw_ep *ep, struct siw_llp *llp,
		  const struct siw_conn *conn);

enum siw_down_cause {
	SIW_DOWN_NONE,
	SIW_DOWN_LOCAL,		/* disconnect asked for by the application */
	SIW_DOWN_ABORT,		/* abortive: QP to error, destroy, CM error */
	SIW_DOWN_PEER,		/* FIN, RST or loss of the peer */
	SIW_DOWN_PROTO,		/* protocol error found here: send Terminate */
	SIW_DOWN_TERM,		/* Terminate received */
};

void siw_qp_down(struct siw_qp *qp, enum siw_down_cause cause,
		 enum iw_err err);

void siw_qp_to_error(struct siw_qp *qp);
void siw_qp_flush_soon(struct siw_qp *qp);
void siw_qp_event(struct siw_qp *qp, enum ib_event_type type);
void siw_qp_last_wqe(struct siw_qp *qp);
int siw_qp_init_conn(struct siw_qp *qp);
void siw_qp_exit_conn(struct siw_qp *qp);

/* completions of the send queue (flight.c) */
bool siw_flight_full(struct siw_qp *qp);
u32 siw_flight_add(struct siw_qp *qp, const struct siw_flight *fl);
void siw_flight_sent(struct siw_qp *qp, u64 pos);
void siw_flight_acked(struct siw_qp *qp, u64 pos);
void siw_flight_delivered(struct siw_qp *qp, u64 pos);
bool siw_flight_waits(struct siw_qp *qp);
void siw_flight_blame(struct siw_qp *qp, u8 status);
void siw_flight_answered(struct siw_qp *qp, u32 idx, u8 status);
void siw_flight_flush(struct siw_qp *qp);
void siw_flight_forget(struct siw_qp *qp);
bool siw_orq_room(struct siw_qp *qp);
bool siw_orq_empty(struct siw_qp *qp);
void siw_orq_add(struct siw_qp *qp, const struct siw_orq_entry *e);
struct siw_orq_entry *siw_orq_first(struct siw_qp *qp);
void siw_orq_done(struct siw_qp *qp, u8 status);

/* Cause of the connection's end as in struct siw_cqe_ext. */
u32 siw_qp_vendor_err(const struct siw_qp *qp);

/* receive queue and flushing (rq.c) */
bool siw_rq_take(struct siw_qp *qp, struct siw_recv *rqe);
void siw_rq_complete(struct siw_qp *qp, const struct siw_wc *wc);
void siw_qp_flush_rings(struct siw_qp *qp);
void siw_qp_drop_rings(struct siw_qp *qp);

#endif
