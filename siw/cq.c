// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Completion queues.
 *
 * The ring is shared with its consumer. Nothing in it is trusted: the kernel
 * reads one octet per element, to see whether it is free, and the arming word;
 * resizing copies elements that are not free, whatever they hold.
 */
#include <linux/ktime.h>
#include <linux/log2.h>
#include <rdma/uverbs_ioctl.h>
#include <siw_ext_abi.h>

#include "cq.h"
#include "device.h"
#include "stats.h"
#include "ucontext.h"

/* Both layouts are of one size, with the flags octet in the same place. */
static struct siw_cqe *cq_elem(const struct siw_cq *cq, u32 idx)
{
	return (struct siw_cqe *)cq->ring + (idx & (cq->size - 1));
}

static size_t cq_bytes(u32 size)
{
	return size * sizeof(struct siw_cqe) + sizeof(struct siw_cq_ctrl);
}

static u8 cq_v1_opcode(u8 opcode)
{
	switch (opcode) {
	case SIW_OP_EXT_WRITE_WITH_IMM:
		return SIW_OP_WRITE;
	case SIW_OP_EXT_BIND_MW:
		return SIW_OP_INVAL_STAG;
	case SIW_OP_EXT_RECV_WRITE_IMM:
		return SIW_OP_RECEIVE;
	default:
		return opcode;
	}
}

static void cq_put_v1(struct siw_cqe *cqe, const struct ib_qp *qp,
		      const struct siw_wc *wc)
{
	cqe->id = wc->id;
	/* readers of this layout use both as table indices */
	cqe->opcode = cq_v1_opcode(wc->opcode);
	cqe->status = wc->status < SIW_NUM_WC_STATUS ? wc->status :
		      SIW_WC_GENERAL_ERR;
	/* the receive of a Write with immediate is empty, whatever was written */
	cqe->bytes = wc->opcode == SIW_OP_EXT_RECV_WRITE_IMM ? 0 : wc->bytes;
	cqe->imm_data = 0;
	cqe->qp_id = qp->qp_num;
}

static void cq_put_ext(struct siw_cq *cq, struct siw_cqe_ext *cqe,
		       const struct ib_qp *qp, const struct siw_wc *wc)
{
	cqe->id = wc->id;
	cqe->opcode = wc->opcode;
	cqe->status = wc->status;
	cqe->bytes = wc->status == SIW_WC_SUCCESS ? wc->bytes : wc->vendor_err;
	cqe->imm_data = wc->ex;
	cqe->qp_num = qp->qp_num;
	cqe->timestamp = cq->timestamps ? ktime_get_ns() : 0;
}

static void cq_put_kernel(struct siw_cqe *cqe, struct ib_qp *qp,
			  const struct siw_wc *wc)
{
	cqe->id = wc->id;
	cqe->opcode = wc->opcode;
	cqe->status = wc->status;
	cqe->bytes = wc->status == SIW_WC_SUCCESS ? wc->bytes : wc->vendor_err;
	cqe->imm_data = wc->ex;
	cqe->base_qp = qp;
}

static u8 cq_flags(const struct siw_cq *cq, const struct siw_wc *wc)
{
	u8 flags = SIW_CQE_VALID;

	if (cq->kind == SIW_CQ_V1)
		return flags;
	if (wc->flags & SIW_WC_WITH_IMM)
		flags |= SIW_CQE_WITH_IMM;
	if (wc->flags & SIW_WC_WITH_INV)
		flags |= SIW_CQE_WITH_INV;
	return flags;
}

/* Is an event to wait for more completions, or for its time? */
static bool cq_holds(struct siw_cq *cq, const struct siw_wc *wc)
{
	struct siw_cq_mod *mod = &cq->mod;

	if (mod->count < 2 || !mod->period_us)
		return false;
	/* an error is told at once */
	if (++mod->held >= mod->count || wc->status)
		return false;
	if (mod->held == 1)
		hrtimer_start(&mod->timer,
			      ns_to_ktime(mod->period_us * NSEC_PER_USEC),
			      HRTIMER_MODE_REL_SOFT);
	return true;
}

static bool cq_fires(struct siw_cq *cq, const struct siw_wc *wc)
{
	u32 armed;

	/* the consumer arms, then polls once more: one of us sees the other */
	smp_mb();
	armed = READ_ONCE(cq->ctrl->flags);
	if (!(armed & SIW_NOTIFY_NEXT_COMPLETION) &&
	    !((armed & SIW_NOTIFY_SOLICITED) &&
	      (wc->flags & SIW_WC_SOLICITED || wc->status)))
		return false;
	if (cq_holds(cq, wc))
		return false;
	cq->mod.held = 0;
	WRITE_ONCE(cq->ctrl->flags, SIW_NOTIFY_NOT);
	return true;
}

/* The first completion held back has waited for its time. */
static enum hrtimer_restart cq_time_is_up(struct hrtimer *timer)
{
	struct siw_cq *cq = container_of(timer, struct siw_cq, mod.timer);
	unsigned long irq;
	bool fire = false;

	spin_lock_irqsave(&cq->lock, irq);
	if (cq->mod.held) {
		cq->mod.held = 0;
		fire = READ_ONCE(cq->ctrl->flags);
		WRITE_ONCE(cq->ctrl->flags, SIW_NOTIFY_NOT);
	}
	spin_unlock_irqrestore(&cq->lock, irq);
	if (fire)
		siw_cq_notify(cq);
	return HRTIMER_NORESTART;
}

static void cq_overrun(struct siw_cq *cq)
{
	struct ib_event ev = {
		.device = cq->base.device,
		.element.cq = &cq->base,
		.event = IB_EVENT_CQ_ERR,
	};

	siw_stat_inc(to_siw_dev(cq->base.device), SIW_STAT_CQ_OVERRUNS);
	if (cq->base.event_handler)
		cq->base.event_handler(&ev, cq->base.cq_context);
}

/**
 * siw_cq_push() - write a completion
 * @cq: queue
 * @qp: queue pair it is of
 * @wc: the completion
 *
 * A ring without a free element loses the completion, once followed by
 * IB_EVENT_CQ_ERR unless its owner does not care.
 *
 * Context: any.
 * Return: true if the queue was armed for it: the caller calls siw_cq_notify()
 * as soon as it holds no lock.
 */
bool siw_cq_push(struct siw_cq *cq, struct ib_qp *qp, const struct siw_wc *wc)
{
	bool fire = false, overrun = false;
	unsigned long irq;
	struct siw_cqe *cqe;

	spin_lock_irqsave(&cq->lock, irq);
	cqe = cq_elem(cq, cq->put);
	if (READ_ONCE(cqe->flags)) {
		overrun = !cq->overrun && !cq->ignore_overrun;
		cq->overrun = true;
	} else {
		switch (cq->kind) {
		case SIW_CQ_V1:
			cq_put_v1(cqe, qp, wc);
			break;
		case SIW_CQ_EXT:
			cq_put_ext(cq, (struct siw_cqe_ext *)cqe, qp, wc);
			break;
		case SIW_CQ_KERNEL:
			cq_put_kernel(cqe, qp, wc);
			break;
		}
		/* the element before its owner changes */
		smp_store_release(&cqe->flags, cq_flags(cq, wc));
		cq->put++;
		fire = cq_fires(cq, wc);
	}
	spin_unlock_irqrestore(&cq->lock, irq);
	if (overrun)
		cq_overrun(cq);
	return fire;
}

/**
 * siw_cq_notify() - raise the completion event
 * @cq: queue whose siw_cq_push() returned true
 *
 * A queue's handler runs once at a time (core_locking.rst): who comes while it does
 * leaves the call to whoever is in it, also one that was preempted there.
 *
 * Context: any, no lock held.
 */
void siw_cq_notify(struct siw_cq *cq)
{
	int told;

	if (!cq->base.comp_handler || atomic_inc_return(&cq->calls) != 1)
		return;
	do {
		told = atomic_read(&cq->calls);
		cq->base.comp_handler(&cq->base, cq->base.cq_context);
	} while (atomic_sub_return(told, &cq->calls));
}

/**
 * siw_cq_forget_qp() - drop completions of a QP that goes away
 * @cq: queue
 * @qp: no more completions of it are pushed
 *
 * Elements of kernel queues point to their QP.
 *
 * Context: process.
 */
void siw_cq_forget_qp(struct siw_cq *cq, struct ib_qp *qp)
{
	u32 i;

	if (cq->kind != SIW_CQ_KERNEL)
		return;
	spin_lock_irq(&cq->lock);
	for (i = cq->get; i != cq->put; i++) {
		struct siw_cqe *cqe = cq_elem(cq, i);

		if (cqe->base_qp == qp)
			cqe->base_qp = NULL;
	}
	spin_unlock_irq(&cq->lock);
}

/* Makes a ring known to its process. */
static int cq_answer_user(struct siw_cq *cq, struct ib_udata *udata)
{
	struct siw_uresp_create_cq resp = {};
	u64 key;
	int rv;

	if (udata->outlen < sizeof(resp))
		return -EINVAL;
	rv = siw_ring_expose(cq->mem, &key);
	if (rv)
		return rv;
	resp.num_cqe = cq->size;
	resp.cq_key = key;
	return ib_copy_to_udata(udata, &resp, sizeof(resp));
}

static int cq_parse_user(struct siw_cq *cq, struct ib_udata *udata)
{
	struct siw_ureq_create_cq_ext req = {};

	cq->kind = SIW_CQ_V1;
	if (!udata->inlen)
		return 0;
	if (udata->inlen < sizeof(req))
		return -EINVAL;
	if (ib_copy_from_udata(&req, udata, sizeof(req)))
		return -EFAULT;
	if (req.layout != SIW_EXT_LAYOUT || req.reserved)
		return -EINVAL;
	if (udata->inlen > sizeof(req) &&
	    !ib_is_udata_cleared(udata, sizeof(req),
				 udata->inlen - sizeof(req)))
		return -EINVAL;
	cq->kind = SIW_CQ_EXT;
	return 0;
}

static int cq_parse_flags(struct siw_cq *cq, u32 flags)
{
	if (flags & ~(IB_UVERBS_CQ_FLAGS_TIMESTAMP_COMPLETION |
		      IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN))
		return -EOPNOTSUPP;
	cq->timestamps = flags & IB_UVERBS_CQ_FLAGS_TIMESTAMP_COMPLETION;
	cq->ignore_overrun = flags & IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN;
	return cq->timestamps && cq->kind != SIW_CQ_EXT ? -EOPNOTSUPP : 0;
}

static void cq_init(struct siw_cq *cq)
{
	spin_lock_init(&cq->lock);
	mutex_init(&cq->resize);
	hrtimer_init(&cq->mod.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	cq->mod.timer.function = cq_time_is_up;
	cq->kind = SIW_CQ_KERNEL;
}

static int cq_alloc_ring(struct siw_cq *cq, u32 size, struct ib_udata *udata)
{
	struct siw_ring *mem = siw_ring_alloc(udata, cq_bytes(size));

	if (IS_ERR(mem))
		return PTR_ERR(mem);
	cq->mem = mem;
	cq->ring = mem->mem;
	cq->size = size;
	cq->ctrl = cq->ring + size * sizeof(struct siw_cqe);
	return 0;
}

/**
 * siw_create_cq() - ib_device_ops.create_cq
 * @base: queue
 * @attr: number of elements, completion vector, flags
 * @udata: driver bytes, NULL for kernel users
 *
 * Context: process.
 * Return: 0, -EOPNOTSUPP for unknown creation flags, or for timestamps in a
 * ring without room for them, -EINVAL for a size out of range, -ENOMEM.
 */
int siw_create_cq(struct ib_cq *base, const struct ib_cq_init_attr *attr,
		  struct ib_udata *udata)
{
	struct siw_device *sdev = to_siw_dev(base->device);
	struct siw_cq *cq = to_siw_cq(base);
	int rv;

	if (!attr->cqe || attr->cqe > SIW_MAX_CQE)
		return -EINVAL;
	cq_init(cq);
	if (udata) {
		rv = cq_parse_user(cq, udata);
		if (rv)
			return rv;
	}
	rv = cq_parse_flags(cq, attr->flags);
	if (rv)
		return rv;
	if (!siw_count_get(&sdev->num_cq, SIW_MAX_CQ))
		return -ENOMEM;
	rv = cq_alloc_ring(cq, roundup_pow_of_two(attr->cqe), udata);
	if (rv)
		goto err_count;
	base->cqe = cq->size;
	if (udata) {
		rv = cq_answer_user(cq, udata);
		if (rv)
			goto err_ring;
	}
	return 0;

err_ring:
	siw_ring_free(cq->mem);
err_count:
	atomic_dec(&sdev->num_cq);
	return rv;
}

/**
 * siw_destroy_cq() - ib_device_ops.destroy_cq
 * @base: queue, no QP uses it any more
 * @udata: not used
 *
 * Context: process. Return: 0.
 */
int siw_destroy_cq(struct ib_cq *base, struct ib_udata *udata)
{
	struct siw_cq *cq = to_siw_cq(base);

	hrtimer_cancel(&cq->mod.timer);
	siw_ring_free(cq->mem);
	atomic_dec(&to_siw_dev(base->device)->num_cq);
	return 0;
}

/*
 * How many elements wait in front of @end: nobody tells how far a user queue was polled,
 * but what is polled is in order, so that the rest ends at the newest.
 */
static u32 cq_waiting(const struct siw_cq *cq, u32 end)
{
	u32 n = 0;

	while (n < cq->size &&
	       READ_ONCE(cq_elem(cq, end - n - 1)->flags) & SIW_CQE_VALID)
		n++;
	return n;
}

/* Appends elements @from to @end, if there is room for them. */
static int cq_copy(const struct siw_cq *cq, struct siw_cq *to, u32 from,
		   u32 end)
{
	if (end - from > to->size - to->put)
		return -EINVAL;
	while (from != end)
		*cq_elem(to, to->put++) = *cq_elem(cq, from++);
	return 0;
}

/* Swaps rings if what there is from @from on has room in the new one, too. */
static int cq_move(struct siw_cq *cq, struct siw_cq *to, u32 from)
{
	lockdep_assert_held(&cq->lock);
	if (cq_copy(cq, to, from, cq->put))
		return -EINVAL;
	*to->ctrl = *cq->ctrl;
	swap(cq->ring, to->ring);
	swap(cq->size, to->size);
	swap(cq->mem, to->mem);
	cq->ctrl = to->ctrl;
	cq->get = 0;
	cq->put = to->put;
	cq->base.cqe = cq->size;
	return 0;
}

/*
 * A process may have millions wait, and keeps its pollers out: with interrupts on
 * all is copied that waits now. While that is counted, newer ones may fill the ring
 * and be taken for old ones; then nothing more can come, and the next round is right.
 */
static int cq_move_user(struct siw_cq *cq, struct siw_cq *to)
{
	u32 end, n, rounds = 3;
	int rv;

	spin_lock_irq(&cq->lock);
	do {
		rv = -EINVAL;
		if (!rounds--)
			break;
		end = cq->put;
		spin_unlock_irq(&cq->lock);
		n = cq_waiting(cq, end);
		to->put = 0;
		rv = cq_copy(cq, to, end - n, end);
		spin_lock_irq(&cq->lock);
	} while (n + (cq->put - end) > cq->size);
	if (!rv)
		rv = cq_move(cq, to, end);
	spin_unlock_irq(&cq->lock);
	return rv;
}

static int cq_move_kernel(struct siw_cq *cq, struct siw_cq *to)
{
	int rv;

	spin_lock_irq(&cq->lock);
	rv = cq_move(cq, to, cq->put - cq_waiting(cq, cq->put));
	spin_unlock_irq(&cq->lock);
	return rv;
}

static int cq_resize(struct siw_cq *cq, u32 size, struct ib_udata *udata)
{
	struct siw_cq new = { .kind = cq->kind };
	int rv = cq_alloc_ring(&new, size, udata);

	if (rv)
		return rv;
	if (udata)
		rv = cq_answer_user(&new, udata);
	if (!rv)
		rv = cq->kind == SIW_CQ_KERNEL ? cq_move_kernel(cq, &new) :
		     cq_move_user(cq, &new);
	/* which of the two is not used now */
	siw_ring_free(new.mem);
	return rv;
}

/**
 * siw_resize_cq() - ib_device_ops.resize_cq
 * @base: queue; a process keeps its pollers out meanwhile
 * @cqe: elements wanted
 * @udata: room for what create_cq answers, NULL for kernel users
 *
 * Context: process.
 * Return: 0, -EINVAL when out of range, less than what waits in the queue or
 * too few driver bytes, -ENOMEM, -EFAULT.
 */
int siw_resize_cq(struct ib_cq *base, int cqe, struct ib_udata *udata)
{
	struct siw_cq *cq = to_siw_cq(base);
	int rv;

	if (cqe < 1 || cqe > SIW_MAX_CQE)
		return -EINVAL;
	/* the core lets processes resize a queue twice at once */
	mutex_lock(&cq->resize);
	rv = cq_resize(cq, roundup_pow_of_two(cqe), udata);
	mutex_unlock(&cq->resize);
	return rv;
}

/**
 * siw_modify_cq() - ib_device_ops.modify_cq: moderate events
 * @base: queue
 * @count: completions that make an event
 * @period_us: microseconds after which fewer of them make one; with 0 here, or
 *	a @count below 2, each makes an event
 *
 * Errors are told at once.
 *
 * Context: process. Return: 0.
 */
int siw_modify_cq(struct ib_cq *base, u16 count, u16 period_us)
{
	struct siw_cq *cq = to_siw_cq(base);

	/* what is held now is told when its old time is up */
	spin_lock_irq(&cq->lock);
	cq->mod.count = count;
	cq->mod.period_us = period_us;
	spin_unlock_irq(&cq->lock);
	return 0;
}

static const enum ib_wc_status cq_status[SIW_NUM_EXT_WC_STATUS] = {
	[SIW_WC_SUCCESS] = IB_WC_SUCCESS,
	[SIW_WC_LOC_LEN_ERR] = IB_WC_LOC_LEN_ERR,
	[SIW_WC_LOC_PROT_ERR] = IB_WC_LOC_PROT_ERR,
	[SIW_WC_LOC_QP_OP_ERR] = IB_WC_LOC_QP_OP_ERR,
	[SIW_WC_WR_FLUSH_ERR] = IB_WC_WR_FLUSH_ERR,
	[SIW_WC_BAD_RESP_ERR] = IB_WC_BAD_RESP_ERR,
	[SIW_WC_LOC_ACCESS_ERR] = IB_WC_LOC_ACCESS_ERR,
	[SIW_WC_REM_ACCESS_ERR] = IB_WC_REM_ACCESS_ERR,
	[SIW_WC_REM_INV_REQ_ERR] = IB_WC_REM_INV_REQ_ERR,
	[SIW_WC_GENERAL_ERR] = IB_WC_GENERAL_ERR,
	[SIW_NUM_WC_STATUS ... SIW_WC_EXT_MW_BIND_ERR - 1] = IB_WC_GENERAL_ERR,
	[SIW_WC_EXT_MW_BIND_ERR] = IB_WC_MW_BIND_ERR,
	[SIW_WC_EXT_REM_OP_ERR] = IB_WC_REM_OP_ERR,
	[SIW_WC_EXT_RNR_ERR] = IB_WC_RNR_RETRY_EXC_ERR,
};

static enum ib_wc_opcode cq_opcode(u8 opcode)
{
	switch (opcode) {
	case SIW_OP_WRITE:
	case SIW_OP_EXT_WRITE_WITH_IMM:
		return IB_WC_RDMA_WRITE;
	case SIW_OP_READ:
	case SIW_OP_READ_LOCAL_INV:
		return IB_WC_RDMA_READ;
	case SIW_OP_FETCH_AND_ADD:
		return IB_WC_FETCH_ADD;
	case SIW_OP_COMP_AND_SWAP:
		return IB_WC_COMP_SWAP;
	case SIW_OP_RECEIVE:
		return IB_WC_RECV;
	case SIW_OP_EXT_RECV_WRITE_IMM:
		return IB_WC_RECV_RDMA_WITH_IMM;
	case SIW_OP_INVAL_STAG:
		return IB_WC_LOCAL_INV;
	case SIW_OP_REG_MR:
		return IB_WC_REG_MR;
	default:
		return IB_WC_SEND;
	}
}

static void cq_to_wc(const struct siw_cqe *cqe, struct ib_wc *wc)
{
	memset(wc, 0, sizeof(*wc));
	wc->wr_id = cqe->id;
	wc->status = cq_status[cqe->status];
	wc->opcode = cq_opcode(cqe->opcode);
	if (wc->status == IB_WC_SUCCESS)
		wc->byte_len = cqe->bytes;
	else
		wc->vendor_err = cqe->bytes;
	wc->qp = cqe->base_qp;
	wc->port_num = SIW_PORT;
	if (cqe->flags & SIW_CQE_WITH_INV) {
		wc->wc_flags = IB_WC_WITH_INVALIDATE;
		wc->ex.invalidate_rkey = cqe->inval_stag;
	} else if (cqe->flags & SIW_CQE_WITH_IMM) {
		wc->wc_flags = IB_WC_WITH_IMM;
		wc->ex.imm_data = (__force __be32)(u32)cqe->imm_data;
	}
}

/**
 * siw_poll_cq() - ib_device_ops.poll_cq, kernel users
 * @base: queue
 * @num: room at @wc
 * @wc: filled in
 *
 * Context: any. Return: completions taken.
 */
int siw_poll_cq(struct ib_cq *base, int num, struct ib_wc *wc)
{
	struct siw_cq *cq = to_siw_cq(base);
	unsigned long irq;
	int n = 0;

	spin_lock_irqsave(&cq->lock, irq);
	while (n < num && cq->get != cq->put) {
		struct siw_cqe *cqe = cq_elem(cq, cq->get++);

		/* NULL: its QP is gone */
		if (cqe->base_qp)
			cq_to_wc(cqe, &wc[n++]);
		cqe->flags = 0;
	}
	spin_unlock_irqrestore(&cq->lock, irq);
	return n;
}

/**
 * siw_req_notify_cq() - ib_device_ops.req_notify_cq, kernel users
 * @base: queue
 * @flags: what to be told of
 *
 * Context: any.
 * Return: 1 if completions wait and the caller asked to know, else 0.
 */
int siw_req_notify_cq(struct ib_cq *base, enum ib_cq_notify_flags flags)
{
	struct siw_cq *cq = to_siw_cq(base);
	unsigned long irq;
	int rv = 0;

	spin_lock_irqsave(&cq->lock, irq);
	if ((flags & IB_CQ_SOLICITED_MASK) == IB_CQ_SOLICITED)
		cq->ctrl->flags |= SIW_NOTIFY_SOLICITED;
	else
		cq->ctrl->flags |= SIW_NOTIFY_ALL;
	if (flags & IB_CQ_REPORT_MISSED_EVENTS)
		rv = cq->get != cq->put;
	spin_unlock_irqrestore(&cq->lock, irq);
	return rv;
}
