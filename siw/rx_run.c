// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Header prediction: most segments of a long message go on with the one before
 * them. A segment whose header is just the one that this makes expect needs none
 * of the checks of headers again, and its memory is looked up and judged once
 * for all that come together. Whatever is different in any way is left to the
 * general path (rx.c), which knows what to say about it.
 */
#include "counter.h"
#include "cursor.h"
#include "mem.h"
#include "proto/mpa.h"
#include "proto/rdmap.h"
#include "qp.h"
#include "rx.h"

/* Octets taken in one go, about: an FPDU may be as long. */
#define RUN_MAX			(64 * 1024)

/**
 * struct rx_run - segments that may follow
 * @sink: where their payload goes; @sink.left ends in front of what only the last
 *	segment, or another element, has room for
 * @pos: TO or MO of the next one
 * @hdr: its header
 * @hdr_len: octets of it
 */
struct rx_run {
	struct siw_mem_span sink;
	u64 pos;
	u32 hdr_len;
	u8 hdr[DDP_UNTAGGED_LEN];
};

/* Memory that may be written to, from @to on, as far as it goes. */
static bool run_open(struct siw_qp *qp, struct rx_run *run, u32 stag, u64 to,
		     u64 room, u32 access)
{
	struct siw_mem *mem;

	if (!room)
		return false;
	mem = siw_mem_begin(qp->sdev, stag, &qp->rx.mems);
	if (!mem)
		return false;
	/* pages that come and go, or none, are for the general path */
	if (mem->kind == SIW_MEM_ODP || mem->kind == SIW_MEM_NULL ||
	    siw_rx_check(qp, mem, to, 1, access)) {
		siw_mem_end(mem);
		return false;
	}
	run->sink.mem = mem;
	run->sink.to = to;
	run->sink.left = min(room, siw_mem_room(mem, to));
	run->sink.run = 0;
	return true;
}

static bool run_open_read(struct siw_qp *qp, struct rx_run *run)
{
	const struct siw_orq_entry *e = siw_orq_first(qp);

	/* the last octet is the last segment's */
	return run_open(qp, run, qp->rx.seg.stag, run->pos,
			e->len - qp->rx.got - 1, IB_ACCESS_LOCAL_WRITE);
}

static bool run_open_send(struct siw_qp *qp, struct rx_run *run)
{
	const struct siw_rx *rx = &qp->rx;
	const struct siw_sge *sge = &rx->rqe->sge[rx->cur];

	/* all elements may be full, and the message go on: an error */
	if (rx->placed >= rx->room)
		return false;
	/* elements may have room for more than a message can have octets */
	return run_open(qp, run, sge->lkey, sge->laddr + rx->cur_off,
			min(sge->length - rx->cur_off, rx->room - rx->placed),
			IB_ACCESS_LOCAL_WRITE);
}

static bool run_begin(struct siw_qp *qp, struct rx_run *run)
{
	const struct ddp_seg *seg = &qp->rx.seg;

	run->hdr_len = seg->hdr_len;
	memcpy(run->hdr, qp->rx.hdr + MPA_LEN_SIZE, sizeof(run->hdr));
	if (!seg->tagged) {
		run->pos = qp->rx.proto.mo;
		return run_open_send(qp, run);
	}
	run->pos = seg->to + seg->payload_len;
	if (seg->opcode == RDMAP_READ_RESP)
		return run_open_read(qp, run);
	return seg->opcode == RDMAP_WRITE &&
	       run_open(qp, run, seg->stag, run->pos, U64_MAX,
			IB_ACCESS_REMOTE_WRITE);
}

/* The segment at @fpdu, with @avail octets in a row. Its octets, or 0. */
static u32 run_one(struct siw_qp *qp, struct rx_run *run, const u8 *fpdu,
		   u32 avail)
{
	u32 head = MPA_LEN_SIZE + run->hdr_len;
	u32 ulpdu_len, size, n;

	if (avail <= head)
		return 0;
	ulpdu_len = siw_rx_ulpdu_len(fpdu);
	size = mpa_fpdu_size(ulpdu_len);
	n = ulpdu_len - run->hdr_len;
	if (size > avail || ulpdu_len <= run->hdr_len || n > run->sink.left)
		return 0;
	ddp_expect(run->hdr, run->pos);
	if (!ddp_is_expected(run->hdr, fpdu + MPA_LEN_SIZE, run->hdr_len))
		return 0;
	if (qp->conn.crc &&
	    !mpa_crc_ok(fpdu + size - MPA_CRC_SIZE,
			mpa_crc_add(MPA_CRC_INIT, fpdu, size - MPA_CRC_SIZE)))
		return 0;
	siw_mem_span_write(&run->sink, fpdu + head, n);
	run->pos += n;
	return size;
}

/* Accounts for segments with @len octets of payload. */
static void run_commit(struct siw_qp *qp, u32 len)
{
	struct siw_rx *rx = &qp->rx;

	rdmap_rx_advance(&rx->proto, &rx->seg, len);
	if (!rx->seg.tagged) {
		rx->cur_off += len;
		rx->placed += len;
	} else if (rx->seg.opcode == RDMAP_READ_RESP) {
		rx->got += len;
	} else {
		rx->write_len += len;
	}
}

/**
 * siw_rx_run() - take segments that go on with the message of the last one
 * @qp: queue pair; its segment handled last, @qp->rx.seg, was not the last of
 *	its message
 * @c: what follows it, without markers
 * @left: octets at @c
 *
 * Context: the receiver.
 * Return: octets taken; those that are left are for the general path.
 */
u32 siw_rx_run(struct siw_qp *qp, struct siw_cursor *c, u32 left)
{
	u32 n, fpdus = 0, taken = 0;
	struct rx_run run;
	u64 from;

	if (!(rdmap_op(qp->rx.seg.opcode)->flags & RDMAP_OP_PAYLOAD) ||
	    min(c->avail, left) <= MPA_LEN_SIZE + qp->rx.seg.hdr_len ||
	    !run_begin(qp, &run))
		return 0;
	from = run.pos;
	/* who revokes the memory spins until we let go of it */
	while (taken < RUN_MAX) {
		n = run_one(qp, &run, c->p, min(c->avail, left - taken));
		if (!n)
			break;
		siw_cursor_skip(c, n);
		taken += n;
		fpdus++;
	}
	siw_mem_end(run.sink.mem);
	run_commit(qp, run.pos - from);
	qp->rx.done += taken;
	siw_qp_stat_add(qp, SIW_STAT_RX_FPDUS, fpdus);
	return taken;
}
