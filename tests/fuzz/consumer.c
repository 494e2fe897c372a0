// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A receiver in user space on top of siw/proto.
 */
#include "consumer.h"
#include "fuzz.h"
#include "proto/term.h"

void consumer_init(struct consumer *c, bool markers, bool crc)
{
	memset(c, 0, sizeof(*c));
	c->markers = markers;
	c->crc = crc;
	rdmap_rx_init(&c->rx, RDMAP_OPS_ALL | BIT(RDMAP_ACK));
}

/* What there is to know about a fault must fit a Terminate. */
static void report(struct consumer *c, enum iw_err err, const u8 *ulpdu,
		   u16 ulpdu_len)
{
	u8 term[RDMAP_TERM_MAX], fpdu[RDMAP_TERM_FPDU_MAX + 8];
	struct term_quote q;
	struct term_info t;
	u8 len;

	c->err = err;
	term_quote_segment(&q, ulpdu, ulpdu_len, ulpdu_len);
	len = term_encode(term, err, &q);
	MUST(len >= RDMAP_TERM_MIN && len <= RDMAP_TERM_MAX);
	term_decode(term, len, &t);
	MUST(!t.truncated && !t.swapped);
	MUST(rdmap_put_terminate(fpdu, term, len) <= RDMAP_TERM_FPDU_MAX);
	c->digest = crc32c(c->digest, term, len);
}

/* The headers that follow an untagged DDP header. */
static enum iw_err parse_rdmap(const struct ddp_seg *seg, const u8 *hdr)
{
	struct rdmap_atomic_resp resp;
	struct rdmap_atomic_req atomic;
	struct rdmap_read_req read;
	struct term_info term;

	switch (seg->opcode) {
	case RDMAP_READ_REQ:
		rdmap_get_read_req(hdr, &read);
		rdmap_rtr_type(seg, &read);
		return IW_OK;
	case RDMAP_ATOMIC_REQ:
		return rdmap_get_atomic_req(hdr, &atomic);
	case RDMAP_ATOMIC_RESP:
		rdmap_get_atomic_resp(hdr, &resp);
		return IW_OK;
	case RDMAP_TERMINATE:
		term_decode(hdr, seg->payload_len, &term);
		return IW_ERR_TERMINATED;
	default:
		return IW_OK;
	}
}

static enum iw_err check_segment(struct consumer *c, const u8 *ulpdu,
				 u16 ulpdu_len)
{
	struct ddp_seg seg;
	enum iw_err err;

	err = rdmap_decode(ulpdu, ulpdu_len, c->rx.ops, &seg);
	if (err)
		return err;
	MUST(seg.hdr_len + seg.payload_len == ulpdu_len);
	err = rdmap_rx_check(&c->rx, &seg);
	if (err)
		return err;
	err = rdmap_check_size(&seg, CONSUMER_ROOM);
	if (err)
		return err;
	err = parse_rdmap(&seg, ulpdu + seg.hdr_len);
	if (err)
		return err;
	rdmap_rx_commit(&c->rx, &seg);
	MUST(c->rx.mo <= CONSUMER_ROOM);
	c->digest = crc32c(c->digest, ulpdu, ulpdu_len);
	c->fpdus++;
	return IW_OK;
}

/* A whole FPDU is in the buffer. */
static void accept_fpdu(struct consumer *c, const struct mpa_view *v)
{
	u8 *plain = malloc(v->size);
	enum iw_err err = IW_OK;
	u8 *ulpdu;

	if (c->markers) {
		err = mpa_unmark(plain, c->buf, c->pos, v, c->crc);
	} else {
		memcpy(plain, c->buf, v->size);
		if (c->crc && !mpa_crc_ok(plain + v->size - MPA_CRC_SIZE,
					  mpa_crc_add(MPA_CRC_INIT, plain,
						      v->size - MPA_CRC_SIZE)))
			err = IW_ERR_CRC;
	}
	/* only the ULPDU, so that a look at pad or CRC is an error */
	ulpdu = exact(plain + MPA_LEN_SIZE, v->ulpdu_len);
	if (!err)
		err = check_segment(c, ulpdu, v->ulpdu_len);
	if (err == IW_ERR_TERMINATED)
		c->err = err;
	else if (err)
		report(c, err, ulpdu, v->ulpdu_len);
	free(ulpdu);
	free(plain);
	c->pos += v->wire;
	c->have = 0;
}

void consumer_feed(struct consumer *c, const u8 *data, size_t len)
{
	struct mpa_view v;
	u32 want, n;

	while (len && !c->err) {
		want = mpa_peek_len(c->pos, c->markers);
		if (c->have >= want) {
			mpa_peek(c->buf, c->pos, c->markers, &v);
			want = v.wire;
		}
		MUST(want <= sizeof(c->buf) && want > c->have);
		n = min_t(size_t, want - c->have, len);
		memcpy(c->buf + c->have, data, n);
		c->have += n;
		data += n;
		len -= n;
		if (c->have < mpa_peek_len(c->pos, c->markers))
			continue;
		mpa_peek(c->buf, c->pos, c->markers, &v);
		if (c->have == v.wire)
			accept_fpdu(c, &v);
	}
}
