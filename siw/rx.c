// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * From octets of the stream to segments.
 *
 * FPDUs that lie whole in a packet buffer are handled where they are, but for
 * their headers, which are judged in a copy. One that is cut, or a stream with
 * markers, goes through a buffer of its own.
 *
 * All of it runs under the socket's lock: in the data_ready callback for
 * small amounts, in a worker for a bulk stream, so that the sender's CPU, which
 * often runs the callback, does not copy for both ends.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/isolation.h>
#include <linux/skbuff.h>
#include <linux/topology.h>

#include "cm.h"
#include "counter.h"
#include "cursor.h"
#include "llp.h"
#include "pager.h"
#include "proto/mpa.h"
#include "qp.h"
#include "rx.h"

/* Octets that wait when a stream counts as bulk. */
#define RX_BULK			(16 * 1024)
/* Octets a callback, and a turn of the worker, may take. */
#define RX_SHARE		(256 * 1024)
#define RX_BUF_MIN		256
/* Between two looks for a receive that was not posted yet, in jiffies. */
#define RX_PAUSE		1

/* ------------------------------------------------------------ segment --- */

static u32 rx_crc(struct siw_cursor c, u32 len)
{
	u32 crc = MPA_CRC_INIT;

	while (len) {
		u32 n = min(len, c.avail);

		crc = mpa_crc_add(crc, c.p, n);
		siw_cursor_skip(&c, n);
		len -= n;
	}
	return crc;
}

static bool rx_crc_ok(const struct siw_cursor *start, u32 size)
{
	struct siw_cursor c = *start;
	u8 field[MPA_CRC_SIZE];
	u32 crc = rx_crc(c, size - MPA_CRC_SIZE);

	siw_cursor_skip(&c, size - MPA_CRC_SIZE);
	siw_cursor_copy(&c, field, sizeof(field));
	return mpa_crc_ok(field, crc);
}

static void rx_count_fault(struct siw_qp *qp, enum iw_err err)
{
	enum siw_stat id = SIW_STAT_RX_PROTO_ERRORS;

	switch (err) {
	case IW_ERR_CRC:
		id = SIW_STAT_RX_CRC_ERRORS;
		break;
	case IW_ERR_NO_BUFFER:
		id = SIW_STAT_RNR;
		break;
	case IW_ERR_SRC_STAG:
	case IW_ERR_SRC_BOUNDS:
	case IW_ERR_SRC_ACCESS:
	case IW_ERR_SRC_STREAM:
	case IW_ERR_SRC_WRAP:
	case IW_ERR_TAG_STAG:
	case IW_ERR_TAG_ACCESS:
	case IW_ERR_TAG_BOUNDS:
	case IW_ERR_TAG_STREAM:
	case IW_ERR_TAG_WRAP:
		id = SIW_STAT_RX_ACCESS_ERRORS;
		break;
	default:
		break;
	}
	siw_qp_stat_add(qp, id, 1);
}

/* The stream is over: nothing after this segment counts (RFC 5041 7.1). */
static void rx_fault(struct siw_qp *qp, enum iw_err err, const void *ulpdu,
		     u32 avail, u16 ulpdu_len)
{
	set_bit(SIW_QPF_RX_STOP, &qp->flags);
	qp->rx.paused = false;
	qp->rx.lost = false;
	if (err == IW_ERR_TERMINATED) {
		siw_qp_down(qp, SIW_DOWN_TERM, err);
		return;
	}
	rx_count_fault(qp, err);
	if (ulpdu)
		term_quote_segment(&qp->rx.quote, ulpdu, avail, ulpdu_len);
	siw_qp_down(qp, SIW_DOWN_PROTO, err);
}

static void rx_first_fpdu(struct siw_qp *qp)
{
	/* a valid FPDU came: the initiator is ready for ours */
	if (test_and_clear_bit(SIW_QPF_TX_HOLD, &qp->flags))
		siw_tx_kick(qp);
	if (test_and_clear_bit(SIW_QPF_FIRST_FPDU, &qp->flags))
		siw_cm_first_fpdu(qp->ep);
}

/*
 * No receive is posted. The sender cannot know: many programs count on the
 * retries InfiniBand has for this, so let the stream wait, within bounds; TCP
 * holds the peer back meanwhile. True: come again later.
 */
static bool rx_wait_for_receive(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	u32 ms = READ_ONCE(qp->sdev->opts.rnr_wait);

	if (!ms || (!qp->rq && !qp->srq))
		return false;
	if (rx->paused)
		return time_before(jiffies, rx->patience);
	rx->paused = true;
	rx->patience = jiffies + msecs_to_jiffies(ms);
	siw_qp_stat_add(qp, SIW_STAT_RNR_WAITS, 1);
	return true;
}

/* Pages are missing, which softirq cannot get. True: come again with them. */
static bool rx_wait_for_pages(struct siw_rx *rx)
{
	if (!rx->want.len)
		return false;
	rx->paused = false;
	return true;
}

/*
 * The packet may be pages that a process of this host still writes to. Octets of
 * an FPDU of @size that were copied.
 */
static u32 rx_copy_hdr(struct siw_qp *qp, const struct siw_cursor *c, u32 size)
{
	u8 *hdr = qp->rx.hdr;

	if (likely(c->avail >= SIW_RX_HDR)) {
		memcpy(hdr, c->p, SIW_RX_HDR);
	} else {
		struct siw_cursor h = *c;

		siw_cursor_copy(&h, hdr, min_t(u32, size, SIW_RX_HDR));
	}
	return min_t(u32, size, SIW_RX_HDR);
}

/*
 * One FPDU without markers, whole, at @c. 0; -EAGAIN: not yet, nothing was
 * done; -EPIPE: the stream is over.
 * @checked: its CRC was checked
 */
static int rx_fpdu(struct siw_qp *qp, struct siw_cursor *c, u32 ulpdu_len,
		   u32 size, bool checked)
{
	const u8 *hdr = qp->rx.hdr + MPA_LEN_SIZE;
	struct ddp_seg *seg = &qp->rx.seg;
	struct siw_cursor payload = *c;
	enum iw_err err;
	u32 n;

	if (qp->conn.crc && !checked && !rx_crc_ok(c, size)) {
		rx_fault(qp, IW_ERR_CRC, NULL, 0, 0);
		return -EPIPE;
	}
	n = rx_copy_hdr(qp, c, MPA_LEN_SIZE + ulpdu_len) - MPA_LEN_SIZE;
	err = rdmap_decode(hdr, ulpdu_len, qp->rx.proto.ops, seg);
	if (!err)
		err = rdmap_rx_check(&qp->rx.proto, seg);
	if (!err) {
		siw_cursor_skip(&payload, MPA_LEN_SIZE + seg->hdr_len);
		err = siw_rx_segment(qp, seg, hdr, &payload);
	}
	if (unlikely(err)) {
		if (err == IW_ERR_NO_BUFFER && (rx_wait_for_pages(&qp->rx) ||
						rx_wait_for_receive(qp)))
			return -EAGAIN;
		rx_fault(qp, err, hdr, n, ulpdu_len);
		return -EPIPE;
	}
	qp->rx.paused = false;
	qp->rx.lost = false;
	/* they came by themselves */
	qp->rx.want.len = 0;
	rdmap_rx_commit(&qp->rx.proto, seg);
	qp->rx.ended = seg->last && rdmap_is_acked(seg);
	if (unlikely(qp->flags & (BIT(SIW_QPF_TX_HOLD) |
				  BIT(SIW_QPF_FIRST_FPDU))))
		rx_first_fpdu(qp);
	siw_qp_stat_add(qp, SIW_STAT_RX_FPDUS, 1);
	return 0;
}

/* An FPDU was handled. */
static void rx_handled(struct siw_rx *rx)
{
	rx->done += rx->wire;
	if (rx->ended)
		WRITE_ONCE(rx->ack, rx->done);
}

/* ------------------------------------------- FPDUs that must be collected --- */

/* Room for @size octets at rx->buf. False: later, in process context. */
static bool rx_buf_grow(struct siw_rx *rx, u32 size)
{
	u8 *buf;

	size = max_t(u32, roundup_pow_of_two(size), RX_BUF_MIN);
	if (size <= rx->buf_size)
		return true;
	buf = kmalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (!buf) {
		rx->want_size = size;
		return false;
	}
	memcpy(buf, rx->buf, rx->have);
	kvfree(rx->buf);
	rx->buf = buf;
	rx->buf_size = size;
	return true;
}

/*
 * What softirq could not get. Not from memory that a file system or a disk has to
 * write first: it may be this connection that they wait for.
 */
static void rx_buf_grow_slow(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	u32 size = rx->want_size;
	u8 *buf = kvmalloc(size, GFP_NOIO | __GFP_NOWARN);

	if (!buf)
		return;
	siw_llp_lock(qp->llp);
	if (size > rx->buf_size) {
		memcpy(buf, rx->buf, rx->have);
		swap(rx->buf, buf);
		rx->buf_size = size;
	}
	rx->want_size = 0;
	siw_llp_unlock(qp->llp);
	kvfree(buf);
}

/* The FPDU in the buffer, without markers. As rx_fpdu(). */
static int rx_held(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	struct siw_cursor c;
	int rv;

	siw_cursor_buf(&c, rx->buf, rx->held);
	rx->wire = rx->held_wire;
	rv = rx_fpdu(qp, &c, rx->held_ulpdu, rx->held, qp->conn.rx_markers);
	if (!rv)
		rx_handled(rx);
	if (rv != -EAGAIN)
		rx->held = 0;
	return rv;
}

static int rx_collected(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	bool markers = qp->conn.rx_markers;
	struct mpa_view v;
	enum iw_err err;

	mpa_peek(rx->buf, rx->pos, markers, &v);
	if (markers) {
		err = mpa_unmark(rx->buf, rx->buf, rx->pos, &v, qp->conn.crc);
		if (err) {
			rx_fault(qp, err, NULL, 0, 0);
			return -EPIPE;
		}
	}
	rx->pos += v.wire;
	rx->have = 0;
	rx->need = 0;
	rx->held = v.size;
	rx->held_ulpdu = v.ulpdu_len;
	rx->held_wire = v.wire;
	siw_qp_stat_add(qp, SIW_STAT_RX_SPLIT_FPDUS, 1);
	return rx_held(qp);
}

/* How many octets the buffer must hold before the next step. */
static u32 rx_target(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	bool markers = qp->conn.rx_markers;
	u32 peek = mpa_peek_len(rx->pos, markers);
	struct mpa_view v;

	if (rx->need)
		return rx->need;
	if (rx->have < peek)
		return peek;
	mpa_peek(rx->buf, rx->pos, markers, &v);
	rx->need = v.wire;
	return rx->need;
}

/*
 * Adds up to @left octets at @c to the FPDU being collected and handles it when
 * it is whole. Returns octets taken; -ENOMEM; -EPIPE: the stream is over.
 */
static int rx_collect(struct siw_qp *qp, struct siw_cursor *c, u32 left)
{
	struct siw_rx *rx = &qp->rx;
	u32 target, n, taken = 0;

	do {
		target = rx_target(qp);
		if (!rx_buf_grow(rx, target))
			return taken ? taken : -ENOMEM;
		n = min(target - rx->have, left - taken);
		siw_cursor_copy(c, rx->buf + rx->have, n);
		rx->have += n;
		taken += n;
		if (rx->have < target)
			return taken;
	} while (!rx->need);
	return rx_collected(qp) == -EPIPE ? -EPIPE : taken;
}

static u32 rx_peek_len(const struct siw_cursor *c)
{
	struct siw_cursor h;
	u8 len[MPA_LEN_SIZE];

	if (likely(c->avail >= MPA_LEN_SIZE))
		return siw_rx_ulpdu_len(c->p);
	h = *c;
	siw_cursor_copy(&h, len, sizeof(len));
	return mpa_get_len(len);
}

/* FPDUs at @c, if the first one is whole. Octets taken; 0: it is cut; as rx_fpdu(). */
static int rx_in_place(struct siw_qp *qp, struct siw_cursor *c, u32 left)
{
	u32 ulpdu_len, size;
	int rv;

	if (left < MPA_LEN_SIZE)
		return 0;
	ulpdu_len = rx_peek_len(c);
	size = mpa_fpdu_size(ulpdu_len);
	if (size > left)
		return 0;
	qp->rx.wire = size;
	rv = rx_fpdu(qp, c, ulpdu_len, size, false);
	if (rv)
		return rv;
	rx_handled(&qp->rx);
	siw_cursor_skip(c, size);
	if (!qp->rx.seg.last)
		size += siw_rx_run(qp, c, left - size);
	return size;
}

/* One step. Octets taken, -ENOMEM, or as rx_fpdu(). */
static int rx_step(struct siw_qp *qp, struct siw_cursor *c, u32 left)
{
	struct siw_rx *rx = &qp->rx;
	int n = 0;

	if (unlikely(rx->held)) {
		n = rx_held(qp);
		if (n)
			return n;
	}
	if (!rx->have && !qp->conn.rx_markers)
		n = rx_in_place(qp, c, left);
	return n ? n : rx_collect(qp, c, left);
}

/**
 * siw_rx_actor() - take octets of the stream, see siw_llp_actor
 * @ctx: queue pair
 * @skb: packet buffer
 * @off: first octet in it
 * @len: octets
 *
 * Context: softirq or process, the socket is locked.
 * Return: octets taken, fewer than @len if a receive must be waited for;
 * -ENOMEM: come again in process context.
 */
int siw_rx_actor(void *ctx, struct sk_buff *skb, u32 off, u32 len)
{
	struct siw_qp *qp = ctx;
	struct siw_cursor c;
	u32 taken = 0;
	int n = 0;

	qp->rx.heard = true;
	siw_cursor_skb(&c, skb, off);
	while (taken < len) {
		if (test_bit(SIW_QPF_RX_STOP, &qp->flags))
			return len;
		n = rx_step(qp, &c, len - taken);
		if (n == -EPIPE)
			return len;
		if (n < 0)
			break;
		taken += n;
	}
	siw_qp_stat_add(qp, SIW_STAT_RX_BYTES, taken);
	return taken || n != -ENOMEM ? taken : n;
}

/* ------------------------------------------------------- who runs it --- */

static void rx_queue(struct siw_qp *qp, unsigned long delay)
{
	queue_delayed_work(siw_rx_wq, &qp->rx.work, delay);
}

/*
 * The CPU that takes in the packets of a bulk stream goes on to do so, and on one
 * host is the sender's. The scheduler would leave the worker here, where it was
 * woken, if all CPUs have something to do, be it that applications poll.
 */
static int rx_choose_cpu(const struct siw_qp *qp, int here)
{
	const struct cpumask *node = cpumask_of_node(cpu_to_node(here));
	unsigned int skip = qp->qpn % max(cpumask_weight(node), 1U);
	int cpu, choice = here;

	for_each_cpu_wrap(cpu, node, here + 1) {
		if (cpu == here || !cpu_online(cpu) ||
		    !housekeeping_cpu(cpu, HK_TYPE_WQ) ||
		    !housekeeping_cpu(cpu, HK_TYPE_DOMAIN))
			continue;
		choice = cpu;
		if (!skip--)
			break;
	}
	return choice;
}

/**
 * siw_rx_far_cpu() - a CPU that does not take in the packets of a connection
 * @qp: connected queue pair
 *
 * The CPU that took in the last packet may be another one than this, which had the
 * socket locked. One choice lasts until the stream itself comes in there.
 *
 * Context: any.
 * Return: a CPU that was online, the packets' own if there is no other.
 */
int siw_rx_far_cpu(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	int here = siw_llp_cpu(qp->llp);
	int was = READ_ONCE(rx->cpu_here);
	int cpu = READ_ONCE(rx->cpu);

	if (likely(was == here && cpu_online(cpu)))
		return cpu;
	if (was < 0 || cpu == here || !cpu_online(cpu)) {
		cpu = rx_choose_cpu(qp, here);
		WRITE_ONCE(rx->cpu, cpu);
	}
	WRITE_ONCE(rx->cpu_here, here);
	return cpu;
}

static void rx_queue_far(struct siw_qp *qp)
{
	queue_delayed_work_on(siw_rx_far_cpu(qp), siw_rx_wq, &qp->rx.work, 0);
}

static void rx_defer(struct siw_qp *qp)
{
	if (test_and_set_bit(0, &qp->rx.deferred))
		return;
	siw_qp_stat_add(qp, SIW_STAT_RX_BULK, 1);
	rx_queue_far(qp);
}

/* The pages are there, or cannot be had. */
static void rx_fetched(struct siw_qp *qp)
{
	set_bit(0, &qp->rx.deferred);
	rx_queue_far(qp);
}

/* Under the socket's lock. True: @work is queued when there is news. */
static bool rx_fetch(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	struct siw_mem_want want = rx->want;

	rx->want.len = 0;
	switch (siw_fetch_begin(&rx->fetch, qp, &want, rx_fetched,
				GFP_NOIO | __GFP_NOWARN)) {
	case 0:
		return rx->fetch;
	case -ENOMEM:
		rx->want = want;
		rx_queue(qp, RX_PAUSE);
		return true;
	default:
		rx->lost = true;
		return false;
	}
}

/* Has the pages fetched that are missing. True: @work is queued when there is news. */
static bool rx_is_fetching(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	enum siw_fetch_state state;
	bool busy;

	if (!READ_ONCE(rx->fetch) && !rx->want.len)
		return false;
	siw_llp_lock(qp->llp);
	state = siw_fetch_take(&rx->fetch);
	busy = rx->over || state == SIW_FETCH_BUSY;
	/* else it was for others than those that are wanted now */
	if (state == SIW_FETCH_LOST && !rx->want.len)
		rx->lost = true;
	if (!busy && rx->want.len)
		busy = rx_fetch(qp);
	siw_llp_unlock(qp->llp);
	return busy;
}

/* The peer is told what was handled: once for all that came together. */
static void rx_acknowledge(struct siw_qp *qp)
{
	if (siw_tx_owes_ack(qp))
		siw_tx_kick(qp);
}

/* Does what only process context can, then reads. As siw_llp_read(). */
static int rx_read(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	int rv;

	if (rx->want_size)
		rx_buf_grow_slow(qp);
	if (rx->held) {
		/* no octet may come that would bring the actor here */
		siw_llp_lock(qp->llp);
		if (rx->held)
			rx_held(qp);
		siw_llp_unlock(qp->llp);
	}
	rv = siw_llp_read(qp->llp, siw_rx_actor, qp, RX_SHARE);
	/* not before the socket is free for the sender */
	rx_acknowledge(qp);
	return rv;
}

/**
 * siw_rx_ready() - the socket has something to read
 * @qp: queue pair, owner of the socket's events
 *
 * Context: callback of the socket.
 */
void siw_rx_ready(struct siw_qp *qp)
{
	int rv;

	if (qp->poll.us) {
		WRITE_ONCE(qp->poll.napi, siw_llp_napi(qp->llp));
		WRITE_ONCE(qp->poll.heard, true);
	}
	/* what TCP has noted before; pairs with the barrier in rx_work() */
	smp_mb();
	if (test_bit(0, &qp->rx.deferred))
		return;
	if (siw_llp_readable(qp->llp) >= RX_BULK) {
		rx_defer(qp);
		return;
	}
	rv = siw_llp_read_locked(qp->llp, siw_rx_actor, qp, RX_SHARE);
	rx_acknowledge(qp);
	if (rv == -ENOMEM || qp->rx.paused || qp->rx.want.len ||
	    siw_llp_readable(qp->llp))
		rx_defer(qp);
}

static void rx_work(struct work_struct *work)
{
	struct siw_qp *qp = container_of(to_delayed_work(work), struct siw_qp,
					 rx.work);
	bool wanted;
	int rv;

	/* the callback leaves everything to us until then */
	if (rx_is_fetching(qp))
		return;
	rv = rx_read(qp);
	if (qp->rx.paused) {
		/*
		 * What the peer acknowledges waits behind the Send, and who is
		 * to post the receive may be waiting for it: TCP's word counts.
		 */
		if (qp->conn.acks)
			siw_flight_acked(qp, siw_llp_acked(qp->llp));
		rx_queue(qp, RX_PAUSE);
		return;
	}
	/* still no memory to collect an FPDU in */
	if (qp->rx.want_size) {
		rx_queue(qp, RX_PAUSE);
		return;
	}
	wanted = qp->rx.want.len;
	if (rx_is_fetching(qp))
		return;
	if (wanted || (rv > 0 && siw_llp_readable(qp->llp))) {
		rx_queue(qp, 0);
		return;
	}
	clear_bit(0, &qp->rx.deferred);
	/* what came in between was left to us */
	smp_mb__after_atomic();
	if (siw_llp_readable(qp->llp))
		rx_defer(qp);
}

/**
 * siw_rx_kick() - look at what waits in the socket
 * @qp: queue pair, owner of the socket's events
 *
 * Context: any.
 */
void siw_rx_kick(struct siw_qp *qp)
{
	rx_defer(qp);
}

/* Nobody is left to post a receive, or to have the pages. */
static bool rx_is_left(struct siw_qp *qp)
{
	return test_bit(SIW_QPF_GONE, &qp->flags) ||
	       test_bit(SIW_QPF_LEAVE, &qp->flags);
}

/* What waits for pages is refused. */
static void rx_give_up(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	struct siw_fetch *f;

	siw_llp_lock(qp->llp);
	f = rx->fetch;
	rx->fetch = NULL;
	rx->want.len = 0;
	rx->lost = true;
	siw_llp_unlock(qp->llp);
	siw_fetch_forget(f);
}

/**
 * siw_rx_finish() - take what came before the end of the stream
 * @qp: queue pair; its events go on
 *
 * Context: process.
 */
void siw_rx_finish(struct siw_qp *qp)
{
	unsigned long until = jiffies + SIW_FETCH_WAIT;
	int rv, tries = 50;

	for (;;) {
		if (rx_is_fetching(qp)) {
			if (rx_is_left(qp))
				return;
			if (time_before(jiffies, until)) {
				usleep_range(1000, 2000);
				continue;
			}
			rx_give_up(qp);
		}
		rv = rx_read(qp);
		if ((qp->rx.paused || qp->rx.want.len) && rx_is_left(qp))
			return;
		if (rv > 0 || qp->rx.want.len)
			continue;
		/*
		 * Without a pause: no memory, or the work was faster, which
		 * takes its share and leaves the rest.
		 */
		if (!qp->rx.paused && (!siw_llp_readable(qp->llp) || !--tries))
			return;
		usleep_range(1000, 2000);
	}
}

/**
 * siw_rx_start() - prepare for a new connection
 * @qp: queue pair, @qp->conn is set, nobody receives yet
 *
 * Context: process.
 */
void siw_rx_start(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;

	rdmap_rx_init(&rx->proto, RDMAP_OPS_ALL |
		      (qp->conn.acks ? BIT(RDMAP_ACK) : 0));
	rx->pos = 0;
	rx->have = 0;
	rx->need = 0;
	rx->rqe_valid = false;
	rx->placed = 0;
	rx->got = 0;
	rx->write_len = 0;
	rx->send_imm = false;
	rx->quote.len = 0;
	rx->deferred = 0;
	rx->held = 0;
	rx->heard = false;
	rx->paused = false;
	rx->lost = false;
	rx->over = false;
	rx->want.len = 0;
	rx->done = 0;
	rx->ack = 0;
}

/**
 * siw_rx_reset() - forget the connection
 * @qp: queue pair, no longer owner of the socket's events
 *
 * Context: process.
 */
void siw_rx_reset(struct siw_qp *qp)
{
	struct siw_rx *rx = &qp->rx;
	struct siw_fetch *f;

	/* @work begins no fetch any more, and none queues @work */
	siw_llp_lock(qp->llp);
	rx->over = true;
	f = rx->fetch;
	rx->fetch = NULL;
	siw_llp_unlock(qp->llp);
	siw_fetch_forget(f);
	cancel_delayed_work_sync(&rx->work);
	/* nothing comes from there any more */
	WRITE_ONCE(qp->poll.napi, 0);
	kvfree(rx->buf);
	rx->buf = NULL;
	rx->buf_size = 0;
	rx->want_size = 0;
	rx->have = 0;
	rx->held = 0;
}

/**
 * siw_rx_init() - set up the receiver of a new QP
 * @qp: queue pair, its capabilities are set
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int siw_rx_init(struct siw_qp *qp)
{
	u32 sges = max_t(u32, qp->cap.max_recv_sge, SIW_MAX_SGE);

	qp->rx.rqe = kzalloc(struct_size(qp->rx.rqe, sge, sges), GFP_KERNEL);
	if (!qp->rx.rqe)
		return -ENOMEM;
	qp->rx.cpu_here = -1;
	INIT_DELAYED_WORK(&qp->rx.work, rx_work);
	return 0;
}

/**
 * siw_rx_exit() - tear the receiver down
 * @qp: queue pair, not connected
 *
 * Context: process.
 */
void siw_rx_exit(struct siw_qp *qp)
{
	cancel_delayed_work_sync(&qp->rx.work);
	kvfree(qp->rx.buf);
	kfree(qp->rx.rqe);
}
