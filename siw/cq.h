/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion queues.
 */
#ifndef _SIW_CQ_H
#define _SIW_CQ_H

#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <rdma/ib_verbs.h>
#include <rdma/siw-abi.h>

/* Layout of the elements of a ring. */
enum siw_cq_kind {
	SIW_CQ_V1,		/* user: struct siw_cqe */
	SIW_CQ_EXT,		/* user: struct siw_cqe_ext */
	SIW_CQ_KERNEL,		/* struct siw_cqe with base_qp */
};

/* Limits of moderation: completions, microseconds. */
#define SIW_MAX_CQ_COUNT	65535
#define SIW_MAX_CQ_PERIOD	65535

/**
 * struct siw_cq_mod - how long events are held back
 * @count: completions that make an event; below 2: each does
 * @period_us: time after which the first of them makes one
 * @held: completions since the queue was armed
 * @timer: runs while some are held
 */
struct siw_cq_mod {
	u16 count;
	u16 period_us;
	u32 held;
	struct hrtimer timer;
};

/**
 * struct siw_cq - a completion queue
 * @base: verbs object
 * @resize: serialises changes of size; outside of @lock
 * @ring: elements, shared with user space for user queues
 * @ctrl: arming word behind the last element
 * @mem: memory of @ring; under @resize
 * @lock: guards all below and writing to @ring; innermost, taken in any
 *	context
 * @kind: layout of the elements
 * @size: elements, a power of two
 * @put: next element to write, free running
 * @get: next element to read (kernel users)
 * @overrun: an element was dropped, reported once
 * @ignore_overrun: dropping is none of our business
 * @timestamps: elements tell when they were written
 * @mod: moderation of events
 * @calls: of the completion handler, under way and owed
 */
struct siw_cq {
	struct ib_cq base;
	struct mutex resize;	/* @mem */
	void *ring;
	struct siw_cq_ctrl *ctrl;
	struct siw_ring *mem;
	spinlock_t lock;	/* @put, @get, @ring */
	enum siw_cq_kind kind;
	u32 size;
	u32 put;
	u32 get;
	bool overrun;
	bool ignore_overrun;
	bool timestamps;
	struct siw_cq_mod mod;
	atomic_t calls;
};

enum siw_wc_flags {
	SIW_WC_SOLICITED = 1 << 0,	/* the peer asked for an event */
	SIW_WC_WITH_IMM = 1 << 1,
	SIW_WC_WITH_INV = 1 << 2,
};

/**
 * struct siw_wc - a completion on its way into a queue
 * @id: wr_id of the work request
 * @opcode: enum siw_opcode or siw_ext_opcode
 * @status: enum siw_wc_status
 * @flags: enum siw_wc_flags
 * @bytes: octets received or sent
 * @ex: immediate data in wire order, or the STag that was invalidated
 * @vendor_err: cause of an error, see struct siw_cqe_ext
 */
struct siw_wc {
	u64 id;
	u8 opcode;
	u8 status;
	u16 flags;
	u32 bytes;
	u32 ex;
	u32 vendor_err;
};

static inline struct siw_cq *to_siw_cq(struct ib_cq *cq)
{
	return container_of(cq, struct siw_cq, base);
}

bool siw_cq_push(struct siw_cq *cq, struct ib_qp *qp, const struct siw_wc *wc);
void siw_cq_notify(struct siw_cq *cq);
void siw_cq_forget_qp(struct siw_cq *cq, struct ib_qp *qp);

int siw_create_cq(struct ib_cq *cq, const struct ib_cq_init_attr *attr,
		  struct ib_udata *udata);
int siw_destroy_cq(struct ib_cq *cq, struct ib_udata *udata);
int siw_resize_cq(struct ib_cq *cq, int cqe, struct ib_udata *udata);
int siw_modify_cq(struct ib_cq *cq, u16 count, u16 period_us);
int siw_poll_cq(struct ib_cq *cq, int num, struct ib_wc *wc);
int siw_req_notify_cq(struct ib_cq *cq, enum ib_cq_notify_flags flags);

#endif
