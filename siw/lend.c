// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Payload by reference: pages of an application lent to TCP.
 *
 * TCP may send them again until the peer's TCP has acknowledged them, so that is
 * what the request waits for (SIW_FLIGHT_LENT), and a connection that ends
 * waits for it too, or is reset. A Read Response is never lent: its memory may
 * be written to at any time.
 */
#include <linux/mm.h>

#include "mem.h"
#include "qp.h"

/*
 * Least segment that is worth it: in smaller ones, the runs of a packet buffer
 * are used up by few octets.
 */
#define LEND_EMSS		(2 * PAGE_SIZE)

/**
 * siw_tx_may_lend() - may the request in progress be sent by reference
 * @qp: queue pair; the caller is the sender
 *
 * Not with a CRC, which walks over all octets anyway and must be that of the
 * octets which are sent; nor where the receiver would see the page itself.
 *
 * Context: the sender. Return: true if it may.
 */
bool siw_tx_may_lend(struct siw_qp *qp)
{
	const struct siw_wqe *wqe = &qp->tx.wqe;
	u32 min = READ_ONCE(qp->sdev->opts.zero_copy);

	return unlikely(min) && wqe->len >= min &&
	       !(wqe->flags & SIW_WQE_INLINE) &&
	       !qp->conn.crc && !qp->conn.tx_markers &&
	       siw_llp_emss(qp->llp) >= LEND_EMSS &&
	       siw_llp_leaves_host(qp->llp);
}

/* The next octets of the message, at most @left, that lie in one page. */
static bool lend_run(struct siw_qp *qp, struct bio_vec *run, u32 left)
{
	struct siw_tx_msg *msg = &qp->tx.msg;
	const struct siw_sge *sge;
	struct siw_mem *mem;
	u64 to;

	while (msg->cur_off == msg->sge[msg->cur].length) {
		msg->cur++;
		msg->cur_off = 0;
	}
	sge = &msg->sge[msg->cur];
	to = sge->laddr + msg->cur_off;
	run->bv_page = NULL;
	run->bv_len = min(left, sge->length - msg->cur_off);
	mem = siw_mem_begin(qp->sdev, sge->lkey, &qp->tx.mems);
	if (!mem)
		return false;
	if (!siw_mem_check(mem, &qp->base, to, run->bv_len, 0))
		run->bv_page = siw_mem_lend(mem, to, &run->bv_offset,
					    &run->bv_len);
	siw_mem_end(mem);
	if (!run->bv_page)
		return false;
	msg->cur_off += run->bv_len;
	return true;
}

/**
 * siw_tx_lend() - find the next octets of the message in progress
 * @qp: queue pair; the caller is the sender
 * @run: filled in, with a reference on each page
 * @max: entries of @run
 * @len: octets, not 0
 *
 * Context: the sender.
 * Return: entries filled in, or 0: there are too few, or the octets must be
 * copied, which will also find what is wrong with them.
 */
int siw_tx_lend(struct siw_qp *qp, struct bio_vec *run, int max, u32 len)
{
	struct siw_tx_msg *msg = &qp->tx.msg;
	u32 cur_off = msg->cur_off;
	u8 cur = msg->cur;
	int n;

	for (n = 0; len && n < max && lend_run(qp, &run[n], len); n++)
		len -= run[n].bv_len;
	if (!len)
		return n;
	msg->cur = cur;
	msg->cur_off = cur_off;
	while (n)
		put_page(run[--n].bv_page);
	return 0;
}

/**
 * siw_tx_lends() - has TCP pages that are not ours
 * @qp: queue pair
 *
 * What TCP has not taken yet is not lent: a connection that ends drops it.
 *
 * Context: any; a guess unless nobody sends.
 * Return: true if some were not acknowledged when we heard last.
 */
bool siw_tx_lends(const struct siw_qp *qp)
{
	return min(READ_ONCE(qp->tx.lent), READ_ONCE(qp->tx.taken)) >
	       READ_ONCE(qp->delivered);
}
