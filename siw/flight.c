// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Work requests that were started and are not completed, and the Reads and
 * atomics among them. Completions leave in the order of posting.
 */
#include "cq.h"
#include "qp.h"

static struct siw_flight *flight_at(struct siw_qp *qp, u32 idx)
{
	return &qp->flight[idx & (qp->sq_size - 1)];
}

static bool flight_push(struct siw_qp *qp, const struct siw_flight *fl,
			u8 status)
{
	struct siw_wc wc = {
		.id = fl->id,
		.opcode = fl->opcode,
		.status = status,
		.bytes = fl->bytes,
		.vendor_err = status ? siw_qp_vendor_err(qp) : 0,
	};

	return siw_cq_push(qp->scq, &qp->base, &wc);
}

/**
 * siw_flight_full() - is there no room for another work request
 * @qp: queue pair
 *
 * Context: the sender; of others a guess. Return: true if it must wait.
 */
bool siw_flight_full(struct siw_qp *qp)
{
	/* the entry was read before its place is used again: flight_pop() */
	u32 head = smp_load_acquire(&qp->flight_head);

	return READ_ONCE(qp->flight_tail) - head >= qp->sq_size;
}

/**
 * siw_flight_add() - note a work request that is being started
 * @qp: queue pair
 * @fl: the entry
 *
 * Context: the sender, siw_flight_full() was false.
 * Return: index for siw_flight_answered().
 */
u32 siw_flight_add(struct siw_qp *qp, const struct siw_flight *fl)
{
	u32 idx = qp->flight_tail;

	*flight_at(qp, idx) = *fl;
	/* the entry before the index; pairs with flight_pop() */
	smp_store_release(&qp->flight_tail, idx + 1);
	return idx;
}

static bool flight_is_done(const struct siw_qp *qp, const struct siw_flight *fl,
			   u64 pos)
{
	switch (fl->wait) {
	case SIW_FLIGHT_DONE:
		return true;
	case SIW_FLIGHT_SENT:
		return fl->end <= pos;
	case SIW_FLIGHT_LENT:
		return fl->end <= qp->delivered;
	case SIW_FLIGHT_ACKED:
		/* a peer's word is not TCP's, which may still need the pages */
		return fl->end <= qp->acked &&
		       (!fl->lent || fl->end <= qp->delivered);
	default:
		return false;
	}
}

/* One of those at the front that are done; false if there is none. */
static bool flight_pop(struct siw_qp *qp, u64 pos, bool *fire)
{
	struct siw_flight *fl = flight_at(qp, qp->flight_head);

	lockdep_assert_held(&qp->sq_lock);
	/* pairs with siw_flight_add() */
	if (qp->flight_head == smp_load_acquire(&qp->flight_tail) ||
	    !flight_is_done(qp, fl, pos))
		return false;
	if (fl->signalled || fl->status)
		*fire |= flight_push(qp, fl, fl->status);
	/* pairs with siw_flight_full() */
	smp_store_release(&qp->flight_head, qp->flight_head + 1);
	return true;
}

/*
 * Completes what is done, and lets interrupts in now and then. True: there was no
 * room at some time.
 */
static bool flight_pop_unlock(struct siw_qp *qp, u64 pos, unsigned long irq)
	__releases(&qp->sq_lock)
{
	bool fire, full = false;
	int n;

	for (;;) {
		full |= siw_flight_full(qp);
		fire = false;
		for (n = 0; n < SIW_FLUSH_BATCH && flight_pop(qp, pos, &fire); n++)
			;
		spin_unlock_irqrestore(&qp->sq_lock, irq);
		if (fire)
			siw_cq_notify(qp->scq);
		if (n < SIW_FLUSH_BATCH)
			return full;
		spin_lock_irqsave(&qp->sq_lock, irq);
	}
}

/**
 * siw_flight_sent() - complete what TCP has taken
 * @qp: queue pair
 * @pos: stream position TCP has taken octets up to
 *
 * Context: the sender.
 */
void siw_flight_sent(struct siw_qp *qp, u64 pos)
{
	unsigned long irq;

	spin_lock_irqsave(&qp->sq_lock, irq);
	flight_pop_unlock(qp, pos, irq);
}

/* @mark: one of those that requests wait for */
static void flight_advance(struct siw_qp *qp, u64 *mark, u64 pos)
{
	unsigned long irq;

	spin_lock_irqsave(&qp->sq_lock, irq);
	if (pos > *mark)
		*mark = pos;
	/* the sender may have stopped for want of a place */
	if (flight_pop_unlock(qp, READ_ONCE(qp->tx.taken), irq))
		siw_tx_kick(qp);
}

/**
 * siw_flight_acked() - complete what the peer has acknowledged
 * @qp: queue pair
 * @pos: stream position up to which it has handled what we sent
 *
 * Context: the receiver, or its worker.
 */
void siw_flight_acked(struct siw_qp *qp, u64 pos)
{
	flight_advance(qp, &qp->acked, pos);
}

/**
 * siw_flight_delivered() - complete what was sent by reference
 * @qp: queue pair
 * @pos: stream position up to which the peer's TCP has what we sent
 *
 * Context: callback of the socket, or process.
 */
void siw_flight_delivered(struct siw_qp *qp, u64 pos)
{
	flight_advance(qp, &qp->delivered, pos);
}

/**
 * siw_flight_waits() - is there a request the peer has not acknowledged
 * @qp: queue pair
 *
 * Context: any; a guess.
 * Return: true if the connection has acknowledgments and one is missing.
 */
bool siw_flight_waits(struct siw_qp *qp)
{
	return qp->conn.acks &&
	       READ_ONCE(qp->flight_head) != READ_ONCE(qp->flight_tail);
}

/**
 * siw_flight_blame() - the peer has refused a Send or a Write
 * @qp: queue pair; nobody sends or receives any more
 * @status: enum siw_wc_status or siw_ext_wc_status
 *
 * The peer acknowledges all it has handled before it complains, so it is the
 * oldest one without an acknowledgment, unless TCP's word stood in for some.
 *
 * Context: process.
 */
void siw_flight_blame(struct siw_qp *qp, u8 status)
{
	unsigned long irq;
	u32 i;

	spin_lock_irqsave(&qp->sq_lock, irq);
	for (i = qp->flight_head; i != qp->flight_tail; i++) {
		struct siw_flight *fl = flight_at(qp, i);

		if (fl->wait != SIW_FLIGHT_ACKED || fl->end <= qp->acked)
			continue;
		if (qp->acked <= qp->heard) {
			fl->status = status;
			fl->wait = SIW_FLIGHT_DONE;
		}
		break;
	}
	spin_unlock_irqrestore(&qp->sq_lock, irq);
}

/**
 * siw_flight_answered() - the answer to a Read or an atomic came
 * @qp: queue pair
 * @idx: from siw_flight_add()
 * @status: enum siw_wc_status
 *
 * Context: the receiver.
 */
void siw_flight_answered(struct siw_qp *qp, u32 idx, u8 status)
{
	struct siw_flight *fl = flight_at(qp, idx);
	unsigned long irq;

	spin_lock_irqsave(&qp->sq_lock, irq);
	fl->status = status;
	fl->wait = SIW_FLIGHT_DONE;
	flight_pop_unlock(qp, READ_ONCE(qp->tx.taken), irq);
}

static bool flight_flush_one(struct siw_qp *qp)
{
	struct siw_flight *fl = flight_at(qp, qp->flight_head);
	u8 status = fl->status;

	if (!status && !flight_is_done(qp, fl, qp->tx.taken))
		status = SIW_WC_WR_FLUSH_ERR;
	if (status)
		fl->bytes = 0;
	WRITE_ONCE(qp->flight_head, qp->flight_head + 1);
	/* some are done, and nobody has asked to be told */
	return (status || fl->signalled) && flight_push(qp, fl, status);
}

/**
 * siw_flight_flush() - complete everything, in error unless it is done
 * @qp: queue pair; nobody sends or receives any more
 *
 * Context: process.
 */
void siw_flight_flush(struct siw_qp *qp)
{
	bool fire, more;
	int n;

	do {
		fire = false;
		spin_lock_irq(&qp->sq_lock);
		for (n = 0; n < SIW_FLUSH_BATCH; n++) {
			if (qp->flight_head == qp->flight_tail)
				break;
			fire |= flight_flush_one(qp);
		}
		more = n == SIW_FLUSH_BATCH;
		spin_unlock_irq(&qp->sq_lock);
		if (fire)
			siw_cq_notify(qp->scq);
	} while (more);
	qp->orq_head = qp->orq_tail;
}

/**
 * siw_flight_forget() - complete nothing of what was started
 * @qp: queue pair that is destroyed; nobody sends or receives any more
 *
 * Context: process.
 */
void siw_flight_forget(struct siw_qp *qp)
{
	spin_lock_irq(&qp->sq_lock);
	WRITE_ONCE(qp->flight_head, qp->flight_tail);
	qp->orq_head = qp->orq_tail;
	spin_unlock_irq(&qp->sq_lock);
}

/**
 * siw_orq_room() - may another Read or atomic be sent
 * @qp: queue pair
 *
 * Context: the sender. Return: true if fewer than ORD are outstanding.
 */
bool siw_orq_room(struct siw_qp *qp)
{
	return qp->orq_tail - READ_ONCE(qp->orq_head) < qp->conn.ord;
}

/**
 * siw_orq_empty() - is no Read or atomic outstanding
 * @qp: queue pair
 *
 * Context: any. Return: true if none is.
 */
bool siw_orq_empty(struct siw_qp *qp)
{
	return READ_ONCE(qp->orq_tail) == READ_ONCE(qp->orq_head);
}

/**
 * siw_orq_add() - note a request that will be answered
 * @qp: queue pair
 * @e: the entry
 *
 * Context: the sender, siw_orq_room() was true.
 */
void siw_orq_add(struct siw_qp *qp, const struct siw_orq_entry *e)
{
	qp->orq[qp->orq_tail & (qp->orq_size - 1)] = *e;
	/* the entry before the index; pairs with siw_orq_first() */
	smp_store_release(&qp->orq_tail, qp->orq_tail + 1);
}

/**
 * siw_orq_first() - the oldest request without an answer
 * @qp: queue pair
 *
 * Context: the receiver. Return: the entry or NULL.
 */
struct siw_orq_entry *siw_orq_first(struct siw_qp *qp)
{
	/* pairs with siw_orq_add() */
	if (qp->orq_head == smp_load_acquire(&qp->orq_tail))
		return NULL;
	return &qp->orq[qp->orq_head & (qp->orq_size - 1)];
}

/**
 * siw_orq_done() - the oldest request is answered
 * @qp: queue pair
 * @status: enum siw_wc_status of its work request
 *
 * Context: the receiver.
 */
void siw_orq_done(struct siw_qp *qp, u8 status)
{
	struct siw_orq_entry *e = siw_orq_first(qp);
	bool rtr = e->rtr;
	u32 flight = e->flight;

	/* the entry was read before the sender may fill it again */
	smp_store_release(&qp->orq_head, qp->orq_head + 1);
	if (!rtr)
		siw_flight_answered(qp, flight, status);
	/* a fence or the ORD may have held the sender back */
	siw_tx_kick(qp);
}
