/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Send queues that a thread of ours looks at, so that posting needs no doorbell, and
 * queues of NICs, so that receiving needs no interrupt.
 */
#ifndef _SIW_POLL_H
#define _SIW_POLL_H

#include <linux/list.h>
#include <linux/types.h>

/* A poller that finds nothing to do for longer is of no use, in microseconds. */
#define SIW_POLL_MAX		1000000

struct ib_udata;
struct siw_poller;
struct siw_qp;

/**
 * struct siw_qp_poll - what a poller knows of a QP
 * @poller: who looks at its send ring, NULL: nobody; constant while the QP can
 *	be posted to
 * @us: for how long it may look in vain, in microseconds; constant
 * @node: in siw_poller.qps; under siw_poller.lock
 * @get: siw_qp.sq_get at the last look; owned by the poller
 * @more: the sender's share was used up; likewise
 * @active: the process is told that it needs no doorbell; under
 *	siw_poller.lock
 * @napi: the NIC's queue that its packets come from, 0: it is not to be polled;
 *	written by the receiver
 * @heard: something has come since the poller cleared it
 */
struct siw_qp_poll {
	struct siw_poller *poller;
	u32 us;
	struct list_head node;
	u32 get;
	bool more;
	bool active;
	unsigned int napi;
	bool heard;
};

void siw_poll_join(struct siw_qp *qp, struct ib_udata *udata, u32 us);
void siw_poll_leave(struct siw_qp *qp);
void siw_poll_wake(struct siw_qp *qp);

#endif
