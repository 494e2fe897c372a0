// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Queue pairs: life cycle and the verbs that do not move data.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/log2.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <rdma/uverbs_ioctl.h>
#include <siw_ext_abi.h>

#include "cm.h"
#include "mw.h"
#include "qp.h"
#include "srq.h"
#include "trace.h"
#include "ucontext.h"

#define QPN_BITS		24
#define QPN_TRIES		64

/* --------------------------------------------------------- references --- */

/**
 * siw_qp_put() - drop a reference
 * @qp: queue pair
 *
 * Context: any.
 */
void siw_qp_put(struct siw_qp *qp)
{
	if (refcount_dec_and_test(&qp->refs))
		complete(&qp->released);
}

/**
 * siw_qp_lookup() - find a QP by its number
 * @sdev: device
 * @qpn: number
 *
 * Context: any; iw_cm calls with interrupts off.
 * Return: the QP with a reference for the caller, or NULL.
 */
struct siw_qp *siw_qp_lookup(struct siw_device *sdev, u32 qpn)
{
	unsigned long flags;
	struct siw_qp *qp;

	xa_lock_irqsave(&sdev->qps, flags);
	qp = xa_load(&sdev->qps, qpn);
	if (qp && !refcount_inc_not_zero(&qp->refs))
		qp = NULL;
	xa_unlock_irqrestore(&sdev->qps, flags);
	return qp;
}

/**
 * siw_iw_add_ref() - ib_device_ops.iw_add_ref
 * @qp: queue pair
 *
 * Context: any.
 */
void siw_iw_add_ref(struct ib_qp *qp)
{
	siw_qp_get(to_siw_qp(qp));
}

/**
 * siw_iw_rem_ref() - ib_device_ops.iw_rem_ref
 * @qp: queue pair
 *
 * Context: any.
 */
void siw_iw_rem_ref(struct ib_qp *qp)
{
	siw_qp_put(to_siw_qp(qp));
}

/**
 * siw_iw_get_qp() - ib_device_ops.iw_get_qp
 * @ibdev: device
 * @qpn: number
 *
 * iw_cm asks when somebody connects or accepts, in his context, and rdma_cm lets
 * him name any number: what is another user's does not exist for him.
 *
 * No reference is taken: iw_cm takes its own as soon as this has returned, and has
 * interrupts off meanwhile. So it is an RCU reader for whom qp_forget() waits.
 *
 * Context: process, interrupts off. Return: the QP or NULL.
 */
struct ib_qp *siw_iw_get_qp(struct ib_device *ibdev, int qpn)
{
	struct siw_device *sdev = to_siw_dev(ibdev);
	unsigned long flags;
	struct siw_qp *qp;

	xa_lock_irqsave(&sdev->qps, flags);
	qp = xa_load(&sdev->qps, qpn);
	if (qp && !uid_eq(qp->owner, current_euid()) && !capable(CAP_NET_ADMIN))
		qp = NULL;
	if (qp)
		set_bit(SIW_QPF_NAMED, &qp->flags);
	xa_unlock_irqrestore(&sdev->qps, flags);
	return qp ? &qp->base : NULL;
}

/* Nobody finds the QP afterwards; who has found it has a reference. */
static void qp_forget(struct siw_qp *qp)
{
	xa_erase_irq(&qp->sdev->qps, qp->qpn);
	if (test_bit(SIW_QPF_NAMED, &qp->flags))
		synchronize_rcu_expedited();
}

/**
 * siw_qp_set_state() - change state
 * @qp: queue pair, its mutex is held
 * @state: new state
 *
 * Context: process.
 */
void siw_qp_set_state(struct siw_qp *qp, enum ib_qp_state state)
{
	lockdep_assert_held(&qp->mutex);
	if (qp->state != state)
		trace_siw_qp_state(qp->qpn, qp->state, state);
	WRITE_ONCE(qp->state, state);
}

/**
 * siw_qp_set_ctrl() - change what the provider is told in the control word
 * @qp: queue pair, of whatever layout
 * @mask: SIW_QP_CTRL_* bits to change
 * @bits: their new values
 *
 * The word is in memory the process may write: what it says is kept apart.
 *
 * Context: any.
 */
void siw_qp_set_ctrl(struct siw_qp *qp, u32 mask, u32 bits)
{
	unsigned long irq;

	if (!qp->ctrl)
		return;
	spin_lock_irqsave(&qp->sq_lock, irq);
	qp->ctrl_flags = (qp->ctrl_flags & ~mask) | bits;
	WRITE_ONCE(qp->ctrl->flags, qp->ctrl_flags);
	spin_unlock_irqrestore(&qp->sq_lock, irq);
}

/* ------------------------------------------------------------- create --- */

static int qp_check_init(const struct ib_qp_init_attr *attr, bool user,
			 bool ext)
{
	u32 max_sge = ext || !user ? SIW_EXT_MAX_SEND_SGE : SIW_MAX_SGE;
	u32 max_inline = ext || !user ? SIW_EXT_MAX_INLINE : SIW_MAX_INLINE;
	const struct ib_qp_cap *cap = &attr->cap;
	/* what a QP with an SRQ would receive itself is ignored */
	bool rq = !attr->srq;

	if (attr->create_flags || attr->qp_type != IB_QPT_RC)
		return -EOPNOTSUPP;
	if (!attr->send_cq || !attr->recv_cq)
		return -EINVAL;
	if (cap->max_send_wr > SIW_MAX_QP_WR ||
	    cap->max_send_sge > max_sge || cap->max_inline_data > max_inline ||
	    (rq && (cap->max_recv_wr > SIW_MAX_QP_WR ||
		    cap->max_recv_sge > max_sge)))
		return -EINVAL;
	return 0;
}

/* The layout, and for how long to look at the send ring in vain. */
static int qp_parse_user(struct siw_qp *qp, struct ib_udata *udata,
			 u32 *sq_poll)
{
	struct siw_ureq_create_qp_ext req = {};

	qp->layout = SIW_QP_V1;
	if (!udata->inlen)
		return 0;
	if (udata->inlen < sizeof(req))
		return -EINVAL;
	if (ib_copy_from_udata(&req, udata, sizeof(req)))
		return -EFAULT;
	if (req.layout != SIW_EXT_LAYOUT)
		return -EINVAL;
	if (udata->inlen > sizeof(req) &&
	    !ib_is_udata_cleared(udata, sizeof(req),
				 udata->inlen - sizeof(req)))
		return -EINVAL;
	qp->layout = SIW_QP_EXT;
	*sq_poll = req.sq_poll;
	return 0;
}

static u32 qp_stride(u32 head, u32 body)
{
	return ALIGN(head + body, SIW_EXT_STRIDE_UNIT);
}

static void qp_size_rings(struct siw_qp *qp, struct ib_qp_cap *cap)
{
	u32 body;

	if (qp->srq) {
		cap->max_recv_wr = 0;
		cap->max_recv_sge = 0;
	}
	qp->sq_size = roundup_pow_of_two(max_t(u32, cap->max_send_wr, 1));
	qp->rq_size = cap->max_recv_wr ?
		      roundup_pow_of_two(cap->max_recv_wr) : 0;
	if (qp->layout == SIW_QP_V1) {
		/* libsiw maps a ring in any case, and none cannot be mapped */
		if (!qp->srq)
			qp->rq_size = max_t(u32, qp->rq_size, 1);
		/* the rings have room for as many, whatever was asked for */
		cap->max_send_sge = SIW_MAX_SGE;
		cap->max_recv_sge = SIW_MAX_SGE;
		cap->max_inline_data = SIW_MAX_INLINE;
		qp->sq_stride = sizeof(struct siw_sqe);
		qp->rq_stride = sizeof(struct siw_rqe);
		return;
	}
	cap->max_send_wr = qp->sq_size;
	cap->max_recv_wr = qp->rq_size;
	cap->max_send_sge = max_t(u32, cap->max_send_sge, 2);
	cap->max_recv_sge = max_t(u32, cap->max_recv_sge, 1);
	body = max_t(u32, cap->max_send_sge * sizeof(struct siw_sge),
		     cap->max_inline_data);
	qp->sq_stride = qp_stride(sizeof(struct siw_sqe_ext), body);
	qp->rq_stride = qp_stride(offsetof(struct siw_rqe, sge),
				  cap->max_recv_sge * sizeof(struct siw_sge));
	cap->max_inline_data = qp->sq_stride - sizeof(struct siw_sqe_ext);
}

static size_t qp_sq_bytes(const struct siw_qp *qp)
{
	size_t len = (size_t)qp->sq_size * qp->sq_stride;

	return qp->layout == SIW_QP_EXT ? len + sizeof(struct siw_qp_ctrl) :
	       len;
}

static int qp_alloc_ring(struct ib_udata *udata, size_t size,
			 struct siw_ring **mem, void **ring)
{
	struct siw_ring *m = siw_ring_alloc(udata, size);

	if (IS_ERR(m))
		return PTR_ERR(m);
	*mem = m;
	*ring = m->mem;
	return 0;
}

static int qp_alloc_rings(struct siw_qp *qp, struct ib_udata *udata)
{
	int rv;

	rv = qp_alloc_ring(udata, qp_sq_bytes(qp), &qp->sq_mem, &qp->sq);
	if (rv)
		return rv;
	if (qp->layout == SIW_QP_EXT)
		qp->ctrl = qp->sq + (size_t)qp->sq_size * qp->sq_stride;
	if (!qp->srq && qp->rq_size) {
		rv = qp_alloc_ring(udata, (size_t)qp->rq_size * qp->rq_stride,
				   &qp->rq_mem, &qp->rq);
		if (rv)
			return rv;
	}
	qp->flight = kvcalloc(qp->sq_size, sizeof(*qp->flight),
			      GFP_KERNEL_ACCOUNT);
	return qp->flight ? 0 : -ENOMEM;
}

static void qp_free_rings(struct siw_qp *qp)
{
	siw_ring_free(qp->sq_mem);
	siw_ring_free(qp->rq_mem);
	kvfree(qp->flight);
}

static int qp_answer_user(struct siw_qp *qp, struct ib_udata *udata)
{
	struct siw_uresp_create_qp_ext resp = {};
	size_t len = sizeof(resp.v1);
	u64 key;
	int rv;

	if (qp->layout == SIW_QP_EXT)
		len = sizeof(resp);
	if (udata->outlen < len)
		return -EINVAL;
	resp.v1.qp_id = qp->qpn;
	resp.v1.num_sqe = qp->sq_size;
	resp.v1.num_rqe = qp->rq_size;
	resp.sqe_stride = qp->sq_stride;
	resp.rqe_stride = qp->rq ? qp->rq_stride : 0;
	resp.max_inline = qp->cap.max_inline_data;
	resp.sq_poll = qp->poll.us;
	rv = siw_ring_expose(qp->sq_mem, &key);
	if (rv)
		return rv;
	resp.v1.sq_key = key;
	if (qp->rq) {
		rv = siw_ring_expose(qp->rq_mem, &key);
		if (rv)
			return rv;
		resp.v1.rq_key = key;
	}
	return ib_copy_to_udata(udata, &resp, len);
}

/* A number for the QP, which nobody finds by it yet. */
static int qp_reserve(struct siw_qp *qp)
{
	int i, rv;

	for (i = 0; i < QPN_TRIES; i++) {
		u32 qpn = get_random_u32() >> (32 - QPN_BITS);

		/* 0 and 1 mean special queue pairs elsewhere */
		if (qpn < 2)
			continue;
		qp->qpn = qpn;
		qp->base.qp_num = qpn;
		rv = xa_insert_irq(&qp->sdev->qps, qpn, NULL, GFP_KERNEL);
		if (rv != -EBUSY)
			return rv;
	}
	return -ENOSPC;
}

static int qp_set_up(struct siw_qp *qp, struct ib_qp_init_attr *attr,
		     struct ib_udata *udata)
{
	int rv;

	rv = qp_check_init(attr, udata, qp->layout == SIW_QP_EXT);
	if (rv)
		return rv;
	qp->cap = attr->cap;
	qp->sig_all = attr->sq_sig_type == IB_SIGNAL_ALL_WR;
	qp->scq = to_siw_cq(attr->send_cq);
	qp->rcq = to_siw_cq(attr->recv_cq);
	qp->srq = attr->srq ? to_siw_srq(attr->srq) : NULL;
	qp_size_rings(qp, &qp->cap);
	rv = qp_alloc_rings(qp, udata);
	if (rv)
		return rv;
	return siw_qp_init_conn(qp);
}

/**
 * siw_create_qp() - ib_device_ops.create_qp
 * @base: queue pair
 * @attr: what is wanted; capabilities are set to those granted
 * @udata: driver bytes, NULL for kernel users
 *
 * Context: process.
 * Return: 0, -EOPNOTSUPP for other than RC or creation flags, -EINVAL for
 * sizes out of range or malformed driver bytes, -ENOMEM.
 */
int siw_create_qp(struct ib_qp *base, struct ib_qp_init_attr *attr,
		  struct ib_udata *udata)
{
	struct siw_device *sdev = to_siw_dev(base->device);
	struct siw_qp *qp = to_siw_qp(base);
	u32 sq_poll = 0;
	int rv;

	qp->sdev = sdev;
	qp->owner = current_euid();
	/* there is one, and iw_cm never names it */
	base->port = SIW_PORT;
	qp->state = IB_QPS_RESET;
	qp->layout = SIW_QP_KERNEL;
	if (udata) {
		rv = qp_parse_user(qp, udata, &sq_poll);
		if (rv)
			return rv;
	}
	refcount_set(&qp->refs, 1);
	init_completion(&qp->released);
	mutex_init(&qp->mutex);
	siw_rdv_init(qp);
	spin_lock_init(&qp->sq_lock);
	spin_lock_init(&qp->rq_lock);
	spin_lock_init(&qp->mw_lock);
	INIT_LIST_HEAD(&qp->mws);
	if (!siw_count_get(&sdev->num_qp, SIW_MAX_QP))
		return -ENOMEM;
	rv = qp_set_up(qp, attr, udata);
	if (rv)
		goto err_rings;
	rv = qp_reserve(qp);
	if (rv)
		goto err_conn;
	if (udata) {
		siw_poll_join(qp, udata, sq_poll);
		rv = qp_answer_user(qp, udata);
		if (rv)
			goto err_reserved;
	}
	if (qp->layout != SIW_QP_V1)
		attr->cap = qp->cap;
	/*
	 * Last: who knows the number, and may from the answer on, can connect it,
	 * and what comes of that the core does not expect of one that failed. The
	 * place is reserved: it needs no memory.
	 */
	xa_store_irq(&sdev->qps, qp->qpn, qp, GFP_KERNEL);
	return 0;

err_reserved:
	siw_poll_leave(qp);
	qp_forget(qp);
err_conn:
	siw_qp_exit_conn(qp);
err_rings:
	qp_free_rings(qp);
	atomic_dec(&sdev->num_qp);
	return rv;
}

/* ------------------------------------------------------ modify, query --- */

/* Transitions an application may ask for. */
static bool qp_may_go(enum ib_qp_state from, enum ib_qp_state to)
{
	if (to == IB_QPS_ERR || to == IB_QPS_RESET || from == to)
		return true;
	switch (from) {
	case IB_QPS_RESET:
		return to == IB_QPS_INIT;
	case IB_QPS_INIT:
		/* rdma_cm does this before it connects; nothing depends on it */
		return to == IB_QPS_RTR;
	case IB_QPS_RTS:
	case IB_QPS_ERR:
		/* how iw_cm and librdmacm ask for a graceful disconnect */
		return to == IB_QPS_SQD;
	default:
		return false;
	}
}

static void qp_reset(struct siw_qp *qp)
{
	qp->error = IW_OK;
	qp->down_cause = SIW_DOWN_NONE;
	memset(qp->term_rcvd, 0, sizeof(qp->term_rcvd));
	memset(qp->term_sent, 0, sizeof(qp->term_sent));
	clear_bit(SIW_QPF_FLUSHED, &qp->flags);
	WRITE_ONCE(qp->access_set, false);
	siw_qp_set_ctrl(qp, SIW_QP_CTRL_ERROR, 0);
	siw_rdv_reset(qp);
	/* what was posted without ever being connected goes to no other peer */
	siw_qp_drop_rings(qp);
	siw_qp_set_state(qp, IB_QPS_RESET);
}

/* A connected QP: its connection ends first. */
static int qp_leave_rts(struct siw_qp *qp, enum ib_qp_state to)
{
	switch (to) {
	case IB_QPS_SQD:
		siw_qp_down(qp, SIW_DOWN_LOCAL, IW_OK);
		return 0;
	case IB_QPS_ERR:
		siw_qp_down(qp, SIW_DOWN_ABORT, IW_OK);
		return 0;
	case IB_QPS_RTS:
		return 0;
	default:
		return -EBUSY;
	}
}

/* Without a connection. */
static void qp_go_idle(struct siw_qp *qp, enum ib_qp_state to)
{
	if (to == IB_QPS_RESET) {
		qp_reset(qp);
	} else if (qp->state == IB_QPS_ERR) {
		/* the peer was faster */
		return;
	} else if (to == IB_QPS_ERR) {
		siw_rdv_end(qp);
		siw_qp_to_error(qp);
	} else {
		siw_qp_set_state(qp, to);
	}
}

static int qp_go(struct siw_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	enum ib_qp_state to = attr->qp_state;

	lockdep_assert_held(&qp->mutex);
	if (mask & IB_QP_AV)
		return qp->state == IB_QPS_INIT && to == IB_QPS_RTR ?
		       siw_rdv_begin(qp, attr, mask) : -EINVAL;
	if (to == IB_QPS_RTS && siw_rdv_named(qp))
		return siw_rdv_rts(qp, attr, mask);
	if (!qp_may_go(qp->state, to))
		return -EINVAL;
	if (test_bit(SIW_QPF_ATTACHED, &qp->flags))
		return qp_leave_rts(qp, to);
	qp_go_idle(qp, to);
	return 0;
}

static bool qp_in_range(int mask, int bit, u32 val, u32 min, u32 max)
{
	return !(mask & bit) || (val >= min && val <= max);
}

/* Attributes that InfiniBand has for a path mean nothing on TCP, but count. */
static int qp_check_attr(const struct ib_qp_attr *a, int mask)
{
	if (mask & ~IB_QP_ATTR_STANDARD_BITS)
		return -EOPNOTSUPP;
	/* a peer is named as a whole, on the way to RTR, or not at all */
	if (mask & (IB_QP_AV | IB_QP_DEST_QPN) &&
	    ~mask & (IB_QP_AV | IB_QP_DEST_QPN | IB_QP_STATE))
		return -EINVAL;
	if (mask & (IB_QP_QKEY | IB_QP_ALT_PATH))
		return -EINVAL;
	if (!qp_in_range(mask, IB_QP_PORT, a->port_num, SIW_PORT, SIW_PORT) ||
	    !qp_in_range(mask, IB_QP_PKEY_INDEX, a->pkey_index, 0, 0) ||
	    !qp_in_range(mask, IB_QP_PATH_MTU, a->path_mtu, IB_MTU_256,
			 IB_MTU_4096) ||
	    !qp_in_range(mask, IB_QP_MAX_DEST_RD_ATOMIC,
			 a->max_dest_rd_atomic, 0, SIW_MAX_IRD) ||
	    !qp_in_range(mask, IB_QP_MAX_QP_RD_ATOMIC, a->max_rd_atomic, 0,
			 SIW_MAX_ORD) ||
	    !qp_in_range(mask, IB_QP_TIMEOUT, a->timeout, 0, 31) ||
	    !qp_in_range(mask, IB_QP_MIN_RNR_TIMER, a->min_rnr_timer, 0, 31) ||
	    !qp_in_range(mask, IB_QP_RETRY_CNT, a->retry_cnt, 0, 7) ||
	    !qp_in_range(mask, IB_QP_RNR_RETRY, a->rnr_retry, 0, 7))
		return -EINVAL;
	return 0;
}

/* InfiniBand's RESET is immediate, whatever was going on. */
static void qp_end_before_reset(struct siw_qp *qp)
{
	if (siw_rdv_named(qp))
		set_bit(SIW_QPF_LEAVE, &qp->flags);
	mutex_lock(&qp->mutex);
	if (test_bit(SIW_QPF_ATTACHED, &qp->flags) && siw_rdv_named(qp))
		siw_qp_down(qp, SIW_DOWN_ABORT, IW_OK);
	mutex_unlock(&qp->mutex);
	flush_work(&qp->down_work);
}

/* Whoever has the mutex for long makes haste. */
static void qp_hurry(struct siw_qp *qp, enum ib_qp_state to)
{
	if (to == IB_QPS_ERR)
		set_bit(SIW_QPF_LEAVE, &qp->flags);
	else if (to == IB_QPS_RESET)
		qp_end_before_reset(qp);
}

static void qp_set_access(struct siw_qp *qp, int access)
{
	WRITE_ONCE(qp->access, access);
	WRITE_ONCE(qp->access_set, true);
}

static enum ib_qp_state qp_shown_state(const struct siw_qp *qp)
{
	return siw_rdv_named(qp) ? siw_rdv_shown(qp) : qp->state;
}

/**
 * siw_modify_qp() - ib_device_ops.modify_qp
 * @base: queue pair
 * @attr: new attributes
 * @mask: what of @attr counts
 * @udata: not used
 *
 * RTS is reached by rdma_cm, or through an RTR that names the peer (rdv.c).
 * Leaving RTS ends the connection: SQD in order, at leisure; ERR at once, and
 * waits for it.
 *
 * Context: process.
 * Return: 0, -EOPNOTSUPP for attributes unknown, -EINVAL for attributes out of
 * range or a transition that does not exist, -EBUSY for RESET while connected
 * by rdma_cm.
 */
int siw_modify_qp(struct ib_qp *base, struct ib_qp_attr *attr, int mask,
		  struct ib_udata *udata)
{
	struct siw_qp *qp = to_siw_qp(base);
	bool fell;
	int rv;

	rv = qp_check_attr(attr, mask);
	if (rv)
		return rv;
	if (mask & IB_QP_STATE)
		qp_hurry(qp, attr->qp_state);
	mutex_lock(&qp->mutex);
	/* into error, here and now; a connected one is told of by its end */
	fell = !test_bit(SIW_QPF_FLUSHED, &qp->flags);
	if (mask & IB_QP_CUR_STATE && attr->cur_qp_state != qp_shown_state(qp))
		rv = -EINVAL;
	if (!rv && mask & IB_QP_STATE)
		rv = qp_go(qp, attr, mask);
	if (!rv && mask & IB_QP_ACCESS_FLAGS)
		qp_set_access(qp, attr->qp_access_flags);
	fell &= test_bit(SIW_QPF_FLUSHED, &qp->flags);
	mutex_unlock(&qp->mutex);
	if (fell)
		siw_qp_last_wqe(qp);
	/* who asked for it finds the QP in error, and everything flushed */
	if (!rv && mask & IB_QP_STATE && attr->qp_state == IB_QPS_ERR)
		flush_work(&qp->down_work);
	return rv;
}

/**
 * siw_query_qp() - ib_device_ops.query_qp
 * @base: queue pair
 * @attr: filled in
 * @mask: what is asked for; everything is answered
 * @init: filled in
 *
 * Context: process.
 * Return: 0, or -EINTR if the caller is killed while an end waits for memory.
 */
int siw_query_qp(struct ib_qp *base, struct ib_qp_attr *attr, int mask,
		 struct ib_qp_init_attr *init)
{
	struct siw_qp *qp = to_siw_qp(base);

	memset(attr, 0, sizeof(*attr));
	if (mutex_lock_killable(&qp->mutex))
		return -EINTR;
	/* an RNIC's IDLE, which rdma_cm leaves by itself, is shown as INIT */
	attr->qp_state = qp->state == IB_QPS_RESET ? IB_QPS_INIT : qp->state;
	attr->cur_qp_state = attr->qp_state;
	attr->qp_access_flags = qp->access;
	attr->max_rd_atomic = qp->conn.ord;
	attr->max_dest_rd_atomic = qp->conn.ird;
	attr->path_mtu = ib_mtu_int_to_enum(READ_ONCE(qp->sdev->netdev->mtu));
	attr->port_num = SIW_PORT;
	siw_rdv_query(qp, attr);
	mutex_unlock(&qp->mutex);
	attr->cap = qp->cap;
	attr->cap.max_send_wr = qp->sq_size;
	attr->cap.max_recv_wr = qp->rq_size;

	init->qp_context = base->qp_context;
	init->send_cq = base->send_cq;
	init->recv_cq = base->recv_cq;
	init->srq = base->srq;
	init->qp_type = base->qp_type;
	init->cap = attr->cap;
	init->sq_sig_type = qp->sig_all ? IB_SIGNAL_ALL_WR : IB_SIGNAL_REQ_WR;
	return 0;
}

/* ------------------------------------------------------------ destroy --- */

/**
 * siw_destroy_qp() - ib_device_ops.destroy_qp
 * @base: queue pair
 * @udata: not used
 *
 * Ends the connection with a reset and waits until nobody, iw_cm included,
 * knows the QP any more.
 *
 * Context: process. Return: 0.
 */
int siw_destroy_qp(struct ib_qp *base, struct ib_udata *udata)
{
	struct siw_qp *qp = to_siw_qp(base);
	struct siw_device *sdev = qp->sdev;

	/* whoever has the mutex for long makes haste */
	set_bit(SIW_QPF_GONE, &qp->flags);
	siw_poll_leave(qp);
	siw_rdv_stop(qp);
	qp_forget(qp);
	siw_cm_abort_connect(qp);
	siw_qp_exit_conn(qp);
	siw_mw_forget_qp(qp);
	siw_rdv_exit(qp);
	siw_qp_put(qp);
	wait_for_completion(&qp->released);
	siw_cq_forget_qp(qp->scq, base);
	if (qp->rcq != qp->scq)
		siw_cq_forget_qp(qp->rcq, base);
	qp_free_rings(qp);
	atomic_dec(&sdev->num_qp);
	return 0;
}
