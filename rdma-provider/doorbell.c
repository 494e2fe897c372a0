// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Telling the kernel that there is work.
 */

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "siw.h"

/* How often to ring while a stock kernel says it is busy changing the state */
#define SIW_DOORBELL_TRIES 8

static int ring_once(struct siw_qp *qp)
{
	struct siw_context *ctx = to_siw_ctx(qp->vqp.qp.context);
	struct ibv_send_wr *bad_wr;

	if (!__atomic_load_n(&ctx->no_write, __ATOMIC_RELAXED)) {
		/* write() would let a thread be cancelled with the lock held */
		if (syscall(SYS_write, ctx->vctx.context.cmd_fd, &qp->db,
			    sizeof(qp->db)) == sizeof(qp->db))
			return 0;
		if (errno != EACCES)
			return errno;
		/* The credentials are no longer those of the open() */
		__atomic_store_n(&ctx->no_write, true, __ATOMIC_RELAXED);
	}
	return ibv_cmd_post_send(&qp->vqp.qp, NULL, &bad_wr);
}

/**
 * siw_ring_doorbell() - have the kernel look at the send queue
 * @qp: the queue pair; in state ERROR both its queues are flushed
 *
 * A stock kernel answers ENOTCONN also while somebody holds its state lock,
 * which is worth another try; otherwise it means what it says.
 *
 * Return: 0 or a positive errno.
 */
int siw_ring_doorbell(struct siw_qp *qp)
{
	int tries = 0;
	int ret;

	for (;;) {
		ret = ring_once(qp);
		if (ret == EINTR)
			continue;
		if (ret != ENOTCONN || ++tries == SIW_DOORBELL_TRIES)
			return ret;
		sched_yield();
	}
}
