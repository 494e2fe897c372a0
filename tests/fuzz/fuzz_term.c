// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Input: a Terminate header as it might come from anywhere; its first octets
 * also choose a fault to report and what to quote.
 */
#include "fuzz.h"
#include "proto/term.h"

static bool inside(const u8 *p, u32 len, const u8 *buf, size_t size)
{
	return !p || (p >= buf + RDMAP_TERM_MIN && p + len <= buf + size);
}

static void decode(const u8 *buf, size_t size)
{
	char text[200], small[20];
	struct rdmap_read_req r;
	struct term_info t;

	term_decode(buf, size, &t);
	MUST(inside(t.ddp, t.ddp_len, buf, size));
	MUST(inside(t.read, RDMAP_READ_LEN, buf, size));
	MUST(!t.ddp == !t.ddp_len);
	MUST(!t.ddp || t.hdrct & RDMAP_TERM_D);
	MUST(!t.read || t.hdrct & RDMAP_TERM_R);
	MUST(t.truncated || !(t.hdrct & RDMAP_TERM_D) || t.ddp);
	MUST(size >= 4 || t.truncated);
	if (t.read)
		rdmap_get_read_req(t.read, &r);
	MUST(term_describe(text, sizeof(text), &t) ==
	     (int)strnlen(text, sizeof(text)));
	MUST(term_describe(small, sizeof(small), &t) <= 19);
	MUST(term_describe(small, 0, &t) == 0);
}

static void encode(struct input in)
{
	u8 term[RDMAP_TERM_MAX], len;
	enum iw_err err = take_u8(&in);
	u16 ulpdu_len = take_u16(&in);
	u8 *hdr = exact(in.p, in.left);
	struct term_quote q;
	struct term_info t;

	term_quote_segment(&q, hdr, in.left, ulpdu_len);
	len = term_encode(term, err, &q);
	free(hdr);
	MUST(!len == (err == IW_OK || !iw_err_info(err)->send));
	if (!len)
		return;
	MUST(len >= RDMAP_TERM_MIN && len <= RDMAP_TERM_MAX && !term[3]);
	term_decode(term, len, &t);
	MUST(!t.truncated && !t.swapped && t.code == iw_err_info(err)->code);
	MUST(!(t.hdrct & RDMAP_TERM_M) || t.seg_len == ulpdu_len);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *copy = exact(data, size);

	decode(copy, size);
	encode((struct input){ copy, size });
	free(copy);
	return 0;
}
