// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The sender of a QP: who runs it, where, and how bursts reach TCP.
 *
 * One context at a time is the sender, elected by SIW_QPF_TX_BUSY: the
 * doorbell's caller, a tasklet for work that arises in softirq, a poller
 * (poll.c), or a worker when the socket was full or the others have used up
 * their share. Who comes while it is taken leaves SIW_QPF_TX_AGAIN and goes.
 */
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "counter.h"
#include "pager.h"
#include "proto/mpa.h"
#include "proto/rdmap.h"
#include "proto/term.h"
#include "qp.h"
#include "tx.h"

/* Bursts after which the doorbell's caller and softirq let a worker go on. */
#define TX_SHARE		8
/* Requests in a row that send nothing, before others have their turn. */
#define TX_LOCAL_BATCH		64
/* How long a Terminate may wait for a peer that does not read. */
#define TX_LINGER		(2 * HZ)
/* A QP that has sent nothing for one to two of these keeps no pages. */
#define TX_IDLE_TIME		HZ

/* Who is the sender. */
enum tx_who {
	TX_SOFTIRQ,
	TX_POLLER,		/* does not sleep for memory */
	TX_PROCESS,		/* worker, or the doorbell's caller */
};

enum tx_verdict {
	TX_IDLE,		/* nothing to do, or an event will tell */
	TX_SPENT,		/* the share is used up */
	TX_YIELD,		/* a worker goes on */
};

/* Drops @n octets, which TCP has taken, from the head of the burst. */
static void tx_consume(struct siw_tx *tx, u32 n)
{
	int i, done = 0;

	tx->taken += n;
	tx->out_len -= n;
	for (i = 0; i < tx->nout && n; i++) {
		struct bio_vec *f = &tx->out[i];
		u32 k = min(n, f->bv_len);

		f->bv_offset += k;
		f->bv_len -= k;
		n -= k;
		if (f->bv_len)
			break;
		put_page(f->bv_page);
		done++;
	}
	tx->nout -= done;
	if (tx->nout)
		memmove(tx->out, tx->out + done,
			tx->nout * sizeof(tx->out[0]));
	if (!tx->out_len)
		tx->eor = false;
}

/* 0: all taken; -EAGAIN: TCP is full; -ENOBUFS, -EBUSY: only a process can send. */
static int tx_flush(struct siw_qp *qp, bool bh, bool more)
{
	struct siw_tx *tx = &qp->tx;
	int rv;

	rv = bh ? siw_llp_send_bh(qp->llp, tx->out, tx->nout, tx->eor, more,
				  tx->lent) :
		  siw_llp_send(qp->llp, tx->out, tx->nout, tx->eor, more,
			       tx->lent);
	if (rv < 0)
		return rv == -EAGAIN || rv == -ENOBUFS || rv == -EBUSY ? rv :
		       -EPIPE;
	siw_qp_stat_add(qp, SIW_STAT_TX_BURSTS, 1);
	siw_qp_stat_add(qp, SIW_STAT_TX_BYTES, rv);
	tx_consume(tx, rv);
	return tx->out_len ? -EAGAIN : 0;
}

/* Fills a burst. Result of the last siw_tx_build(). */
static int tx_fill(struct siw_qp *qp, gfp_t gfp)
{
	struct siw_tx *tx = &qp->tx;
	u32 before;
	int rv = 1;
	int local = 0;

	while (tx->out_len < tx->burst && !tx->eor) {
		before = tx->out_len;
		rv = siw_tx_build(qp, gfp);
		if (rv <= 0)
			break;
		/* a row of requests that send nothing may be as long as the SQ */
		local = tx->out_len == before ? local + 1 : 0;
		if (local == TX_LOCAL_BATCH)
			break;
		/* one message alone: off with it, before anything else is looked at */
		if (!before && !siw_tx_more(qp))
			return 0;
	}
	return rv;
}

/* Nothing more is sent but what down_work sends. */
static void tx_fault(struct siw_qp *qp, enum siw_down_cause cause,
		     enum iw_err err)
{
	set_bit(SIW_QPF_TX_STOP, &qp->flags);
	siw_qp_down(qp, cause, err);
}

/*
 * The source of the Read Response in progress is gone. The request is quoted
 * with what is left of it (RFC 5040 4.8).
 */
static void tx_source_gone(struct siw_qp *qp)
{
	const struct siw_tx_msg *msg = &qp->tx.msg;
	struct rdmap_read_req req = {
		.sink_stag = msg->stag,
		.sink_to = msg->to,
		.size = msg->len,
		.src_stag = msg->src.lkey,
		.src_to = msg->src.laddr,
	};

	rdmap_read_advance(&req, msg->sent);
	/* requests were numbered from 1 and taken in order */
	term_quote_read(&qp->tx.quote, qp->irq_head, &req);
	tx_fault(qp, SIW_DOWN_PROTO, IW_ERR_SRC_REVOKED);
}

/* No page for the next FPDU, or none for TCP: a worker tries again. */
static enum tx_verdict tx_starved(struct siw_qp *qp, enum tx_who who)
{
	qp->tx.starved = false;
	siw_qp_stat_add(qp, SIW_STAT_TX_STALLS, 1);
	if (who != TX_SOFTIRQ && who != TX_POLLER)
		usleep_range(1000, 2000);
	return TX_YIELD;
}

static enum tx_verdict tx_failed(struct siw_qp *qp, int rv, enum tx_who who)
{
	switch (rv) {
	case -EAGAIN:
		siw_qp_stat_add(qp, SIW_STAT_TX_STALLS, 1);
		return TX_IDLE;
	case -ENOBUFS:
		return tx_starved(qp, who);
	case -EBUSY:
		return TX_YIELD;
	case -EINVAL:
		tx_fault(qp, SIW_DOWN_PROTO, IW_ERR_LOCAL);
		return TX_IDLE;
	case -EACCES:
		tx_source_gone(qp);
		return TX_IDLE;
	default:
		tx_fault(qp, SIW_DOWN_PEER, IW_ERR_CLOSED);
		return TX_IDLE;
	}
}

static void tx_watch_idle(struct siw_qp *qp)
{
	if (qp->tx.buf.num && !delayed_work_pending(&qp->tx.idle))
		queue_delayed_work(siw_wq, &qp->tx.idle, TX_IDLE_TIME);
}

static gfp_t tx_gfp(enum tx_who who)
{
	switch (who) {
	case TX_SOFTIRQ:
		return GFP_ATOMIC;
	case TX_POLLER:
		return GFP_NOWAIT;
	default:
		return GFP_NOIO;
	}
}

/* Has the pages fetched that are missing. False: no memory. */
static bool tx_fetch_pages(struct siw_qp *qp, enum tx_who who)
{
	struct siw_tx *tx = &qp->tx;
	struct siw_mem_want want = tx->want;
	int rv;

	tx->want.len = 0;
	rv = siw_fetch_begin(&tx->fetch, qp, &want, siw_tx_kick_slow,
			     tx_gfp(who) | __GFP_NOWARN);
	tx->lost = rv && rv != -ENOMEM;
	return rv != -ENOMEM;
}

/* True: siw_tx_kick_slow() is called when there is an answer. */
static bool tx_is_fetching(struct siw_tx *tx)
{
	switch (siw_fetch_take(&tx->fetch)) {
	case SIW_FETCH_BUSY:
		return true;
	case SIW_FETCH_LOST:
		tx->lost = true;
		return false;
	default:
		return false;
	}
}

static enum tx_verdict tx_session(struct siw_qp *qp, enum tx_who who)
{
	struct siw_tx *tx = &qp->tx;
	bool burst, more, bh = who == TX_SOFTIRQ;
	int i, rv, sent;
	u32 tail;

	/* wherever it ends but below, whatever ends it has somebody come again */
	WRITE_ONCE(qp->tx_waits, true);
	for (i = 0; i < TX_SHARE; i++) {
		if (test_bit(SIW_QPF_TX_STOP, &qp->flags))
			return TX_IDLE;
		if (test_bit(SIW_QPF_TX_HOLD, &qp->flags))
			return TX_IDLE;
		if (unlikely(tx->fetch) && tx_is_fetching(tx))
			return TX_IDLE;
		tail = qp->flight_tail;
		rv = tx_fill(qp, tx_gfp(who));
		burst = tx->out_len;
		/* TCP must not keep a tail for what may not come for long */
		more = rv > 0 && tx->msg.active && !tx->eor;
		sent = burst ? tx_flush(qp, bh, more) : 0;
		siw_flight_sent(qp, tx->taken);
		/* a fault ends the connection, also if TCP is full just now */
		if (rv < 0)
			return tx_failed(qp, rv, who);
		if (sent)
			return tx_failed(qp, sent, who);
		if (rv == 0 && tx->want.len) {
			if (!tx_fetch_pages(qp, who))
				return tx_starved(qp, who);
			continue;
		}
		if (rv == 0 && tx->starved)
			return tx_starved(qp, who);
		/*
		 * A full burst, or completions, may have been what was missing; who
		 * completes does not know what was added meanwhile.
		 */
		if (rv == 0 && !burst && tail == qp->flight_tail) {
			tx_watch_idle(qp);
			/* or a fence, the ORD, a slow consumer holds it back */
			WRITE_ONCE(qp->tx_waits,
				   tx->loaded || siw_flight_full(qp));
			return TX_IDLE;
		}
	}
	WRITE_ONCE(qp->tx_waits, false);
	return TX_SPENT;
}

/* True: a poller has used up its share, and comes again. */
static bool tx_loop(struct siw_qp *qp, enum tx_who who)
{
	enum tx_verdict verdict;
	int rounds = 0;

	set_bit(SIW_QPF_TX_AGAIN, &qp->flags);
	/* who has TX_BUSY sees AGAIN, or has left it to us */
	smp_mb__after_atomic();
	while (!test_and_set_bit_lock(SIW_QPF_TX_BUSY, &qp->flags)) {
		clear_bit(SIW_QPF_TX_AGAIN, &qp->flags);
		/* a request posted before AGAIN was set is seen now */
		smp_mb__after_atomic();
		verdict = tx_session(qp, who);
		clear_bit_unlock(SIW_QPF_TX_BUSY, &qp->flags);
		/* before AGAIN is looked at */
		smp_mb__after_atomic();
		/* set at any time, also after the session's last look */
		if (test_bit(SIW_QPF_TX_STOP, &qp->flags)) {
			wake_up_var(&qp->flags);
			return false;
		}
		/* who keeps us busy must not keep this context busy for ever */
		if (++rounds == TX_SHARE && verdict == TX_IDLE)
			verdict = TX_SPENT;
		if (verdict == TX_SPENT && who == TX_POLLER)
			return true;
		if (verdict != TX_IDLE) {
			siw_tx_kick_slow(qp);
			return false;
		}
		if (!test_bit(SIW_QPF_TX_AGAIN, &qp->flags))
			return false;
	}
	return false;
}

/* The sender for a moment, unless there is one: then it is not idle. */
static void tx_idle_work(struct work_struct *work)
{
	struct siw_tx *tx = container_of(to_delayed_work(work), struct siw_tx,
					 idle);
	struct siw_qp *qp = container_of(tx, struct siw_qp, tx);

	if (test_and_set_bit_lock(SIW_QPF_TX_BUSY, &qp->flags)) {
		if (!test_bit(SIW_QPF_TX_STOP, &qp->flags))
			queue_delayed_work(siw_wq, &tx->idle, TX_IDLE_TIME);
		return;
	}
	/* what TCP has of them lives on */
	if (tx->idle_at == tx->built && !tx->nout)
		siw_txbuf_free(&tx->buf);
	tx->idle_at = tx->built;
	tx_watch_idle(qp);
	clear_bit_unlock(SIW_QPF_TX_BUSY, &qp->flags);
	/* who came meanwhile has left it to us; pairs with tx_loop() */
	smp_mb__after_atomic();
	if (test_bit(SIW_QPF_TX_STOP, &qp->flags))
		wake_up_var(&qp->flags);
	else if (test_bit(SIW_QPF_TX_AGAIN, &qp->flags))
		siw_tx_kick_slow(qp);
}

static void tx_tasklet(struct tasklet_struct *t)
{
	tx_loop(container_of(t, struct siw_qp, tx.tasklet), TX_SOFTIRQ);
}

static void tx_work(struct work_struct *work)
{
	tx_loop(container_of(work, struct siw_qp, tx.work), TX_PROCESS);
}

static void tx_far_work(struct work_struct *work)
{
	tx_loop(container_of(work, struct siw_qp, tx.far_work), TX_PROCESS);
}

/**
 * siw_tx_run() - send what there is to send
 * @qp: connected queue pair
 *
 * Context: process, may sleep.
 */
void siw_tx_run(struct siw_qp *qp)
{
	tx_loop(qp, TX_PROCESS);
}

/**
 * siw_tx_poll() - siw_tx_run() for a context that serves many and never waits
 * @qp: queue pair that may be connected
 *
 * Context: process.
 * Return: true if the caller is to come again, or to have somebody else do it;
 * false: all that was posted before the call is seen, by us or by another sender.
 */
bool siw_tx_poll(struct siw_qp *qp)
{
	return tx_loop(qp, TX_POLLER);
}

static bool tx_is_on_it(struct siw_qp *qp)
{
	set_bit(SIW_QPF_TX_AGAIN, &qp->flags);
	/* the sender sees what we left; pairs with tx_loop() */
	smp_mb__after_atomic();
	return test_bit(SIW_QPF_TX_BUSY, &qp->flags);
}

/**
 * siw_tx_kick() - there is something to send; do it soon on this CPU
 * @qp: queue pair that may be connected
 *
 * Context: any.
 */
void siw_tx_kick(struct siw_qp *qp)
{
	if (test_bit(SIW_QPF_TX_STOP, &qp->flags) || tx_is_on_it(qp))
		return;
	if (in_interrupt() || irqs_disabled()) {
		tasklet_hi_schedule(&qp->tx.tasklet);
		return;
	}
	/* without this, the softirq thread would be woken for it */
	local_bh_disable();
	tasklet_hi_schedule(&qp->tx.tasklet);
	local_bh_enable();
}

/**
 * siw_tx_kick_slow() - there is something to send; a worker does it
 * @qp: queue pair that may be connected
 *
 * Context: any.
 */
void siw_tx_kick_slow(struct siw_qp *qp)
{
	if (test_bit(SIW_QPF_TX_STOP, &qp->flags))
		return;
	queue_work(siw_wq, &qp->tx.work);
}

/**
 * siw_tx_kick_far() - there is much to send; do it soon on another CPU
 * @qp: queue pair that may be connected
 *
 * For what the peer asks for: a worker woken here would stay here, beside what
 * takes in the peer's packets, while other CPUs have nothing to do with either.
 *
 * Context: any.
 */
void siw_tx_kick_far(struct siw_qp *qp)
{
	int cpu;

	if (test_bit(SIW_QPF_TX_STOP, &qp->flags) || tx_is_on_it(qp))
		return;
	cpu = siw_rx_far_cpu(qp);
	if (cpu == raw_smp_processor_id())
		siw_tx_kick(qp);
	else
		queue_work_on(cpu, siw_rx_wq, &qp->tx.far_work);
}

/**
 * siw_tx_own() - stop sending and become the sender, for good
 * @qp: queue pair
 *
 * Context: process, may sleep.
 */
void siw_tx_own(struct siw_qp *qp)
{
	set_bit(SIW_QPF_TX_STOP, &qp->flags);
	/* a sender that ends later sees it and wakes us */
	smp_mb__after_atomic();
	wait_var_event(&qp->flags,
		       !test_and_set_bit_lock(SIW_QPF_TX_BUSY, &qp->flags));
}

/**
 * siw_tx_idle() - is everything sent
 * @qp: queue pair
 *
 * Context: any; a guess unless the caller is the sender.
 * Return: true if no message is in progress and no request waits, be it for
 * an acknowledgment.
 */
bool siw_tx_idle(struct siw_qp *qp)
{
	const struct siw_tx *tx = &qp->tx;

	return !READ_ONCE(tx->out_len) && !READ_ONCE(tx->msg.active) &&
	       !READ_ONCE(tx->loaded) && !siw_sq_posted(qp) &&
	       !siw_tx_owes_ack(qp) && !siw_flight_waits(qp) &&
	       !siw_tx_lends(qp);
}

/* Gives the burst to a TCP that may be full. */
static bool tx_flush_wait(struct siw_qp *qp, unsigned long until)
{
	int rv;

	for (;;) {
		rv = qp->tx.out_len ? tx_flush(qp, false, false) : 0;
		if (rv != -EAGAIN && rv != -ENOBUFS)
			return !rv;
		if (time_after(jiffies, until))
			return false;
		usleep_range(5000, 10000);
	}
}

static bool tx_ack_wait(struct siw_qp *qp, unsigned long until)
{
	if (!siw_tx_owes_ack(qp))
		return true;
	return siw_tx_build_ack(qp, GFP_NOIO) && tx_flush_wait(qp, until);
}

/**
 * siw_tx_last_ack() - tell the peer what was handled, if TCP takes it
 * @qp: queue pair; the caller has called siw_tx_own(), nothing is received any
 *	more
 *
 * Context: process, may sleep for a moment.
 */
void siw_tx_last_ack(struct siw_qp *qp)
{
	if (siw_tx_owes_ack(qp) && tx_flush_wait(qp, jiffies))
		tx_ack_wait(qp, jiffies);
}

/**
 * siw_tx_terminate() - send a Terminate after the FPDU under way
 * @qp: queue pair; the caller has called siw_tx_own()
 * @term: Terminate header
 * @len: its octets
 *
 * Messages in progress end where they are, at an FPDU's end (RFC 5040 5.4).
 *
 * Context: process, may sleep for a bounded time.
 */
void siw_tx_terminate(struct siw_qp *qp, const void *term, u8 len)
{
	unsigned long until = jiffies + TX_LINGER;

	/* what was handled before the fault is not what it is about */
	if (!tx_flush_wait(qp, until) || !tx_ack_wait(qp, until) ||
	    !siw_tx_build_terminate(qp, term, len))
		return;
	qp->tx.eor = true;
	if (tx_flush_wait(qp, until))
		siw_counter_term(qp, true, term);
}

/**
 * siw_tx_start() - prepare for a new connection
 * @qp: queue pair, @qp->conn is set, nobody sends yet
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int siw_tx_start(struct siw_qp *qp)
{
	struct siw_tx *tx = &qp->tx;

	if (qp->conn.tx_markers && !tx->scratch) {
		tx->scratch = kvmalloc(SIW_TXBUF_CHUNK, GFP_KERNEL);
		if (!tx->scratch)
			return -ENOMEM;
	}
	tx->rtr = qp->conn.rtr;
	tx->emss = 0;
	tx->burst = SIW_TX_BURST;
	tx->idle_at = 0;
	tx->built = 0;
	tx->taken = 0;
	tx->lent = 0;
	tx->ack = 0;
	qp->tx_waits = false;
	tx->msn.send = RDMAP_FIRST_MSN;
	tx->msn.req = RDMAP_FIRST_MSN;
	tx->msn.resp = RDMAP_FIRST_MSN;
	return 0;
}

/**
 * siw_tx_abandon() - the request in progress will not be completed
 * @qp: queue pair; the caller has called siw_tx_own()
 *
 * It is flushed behind those that were sent before it, or is the one that the
 * peer has refused.
 *
 * Context: process.
 */
void siw_tx_abandon(struct siw_qp *qp)
{
	const struct siw_tx_msg *msg = &qp->tx.msg;
	bool begun = (msg->active || msg->imm) && !msg->remote;
	struct siw_flight fl = {
		.id = qp->tx.wqe.id,
		.end = U64_MAX,
		.opcode = siw_sq_opcode(&qp->tx.wqe),
		.status = begun ? SIW_WC_SUCCESS : SIW_WC_WR_FLUSH_ERR,
		.wait = begun ? SIW_FLIGHT_ACKED : SIW_FLIGHT_DONE,
	};

	if (begun || qp->tx.loaded)
		siw_flight_add(qp, &fl);
	qp->tx.loaded = false;
}

/**
 * siw_tx_reset() - forget what was not sent
 * @qp: queue pair; the caller has called siw_tx_own()
 *
 * Context: process.
 */
void siw_tx_reset(struct siw_qp *qp)
{
	struct siw_tx *tx = &qp->tx;

	while (tx->nout)
		put_page(tx->out[--tx->nout].bv_page);
	tx->out_len = 0;
	tx->eor = false;
	tx->starved = false;
	tx->lost = false;
	tx->want.len = 0;
	siw_fetch_forget(tx->fetch);
	tx->fetch = NULL;
	tx->rtr = SIW_RTR_MSG_NONE;
	tx->msg.active = false;
	tx->msg.imm = 0;
	cancel_delayed_work_sync(&tx->idle);
	siw_txbuf_free(&tx->buf);
	kvfree(tx->scratch);
	tx->scratch = NULL;
}

/**
 * siw_tx_init() - set up the sender of a new QP
 * @qp: queue pair, its rings are allocated
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int siw_tx_init(struct siw_qp *qp)
{
	size_t len = max_t(size_t, qp->sq_stride,
			   SIW_MAX_SGE * sizeof(struct siw_sge));

	qp->tx.wqe.sge = kzalloc(len, GFP_KERNEL);
	if (!qp->tx.wqe.sge)
		return -ENOMEM;
	tasklet_setup(&qp->tx.tasklet, tx_tasklet);
	INIT_WORK(&qp->tx.work, tx_work);
	INIT_WORK(&qp->tx.far_work, tx_far_work);
	INIT_DELAYED_WORK(&qp->tx.idle, tx_idle_work);
	return 0;
}

/**
 * siw_tx_exit() - tear the sender down
 * @qp: queue pair, not connected
 *
 * Context: process.
 */
void siw_tx_exit(struct siw_qp *qp)
{
	/* each may still queue the next one */
	cancel_work_sync(&qp->tx.far_work);
	tasklet_kill(&qp->tx.tasklet);
	cancel_work_sync(&qp->tx.work);
	siw_tx_reset(qp);
	kfree(qp->tx.wqe.sge);
}
