// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Terminate messages (RFC 5040 4.8 and 7).
 */
#include "term.h"

/* ------------------------------------------------------------- quoting --- */

static bool is_read_req(const u8 *ulpdu)
{
	return !(ulpdu[0] & DDP_TAGGED) &&
	       (ulpdu[1] & RDMAP_OPCODE_MASK) == RDMAP_READ_REQ;
}

void term_quote_segment(struct term_quote *q, const void *ulpdu, u32 avail,
			u16 ulpdu_len)
{
	const u8 *src = ulpdu;

	q->ulpdu_len = ulpdu_len;
	q->len = 0;
	avail = min_t(u32, avail, ulpdu_len);
	if (avail < DDP_CTRL_LEN || avail < ddp_hdr_len(src[0]))
		return;
	q->len = ddp_hdr_len(src[0]);
	if (is_read_req(src) && avail >= TERM_QUOTE_MAX)
		q->len = TERM_QUOTE_MAX;
	memcpy(q->hdr, src, q->len);
}

void term_quote_read(struct term_quote *q, u32 msn,
		     const struct rdmap_read_req *r)
{
	u8 fpdu[RDMAP_READ_FPDU_LEN];

	rdmap_put_read_req(fpdu, msn, r);
	term_quote_segment(q, fpdu + MPA_LEN_SIZE,
			   RDMAP_READ_FPDU_LEN - MPA_LEN_SIZE,
			   mpa_get_len(fpdu));
}

void term_quote_atomic(struct term_quote *q, u32 msn)
{
	u8 fpdu[RDMAP_UNTAGGED_FPDU_LEN];

	rdmap_put_untagged(fpdu, RDMAP_ATOMIC_REQ, 0, msn, 0, RDMAP_ATOMIC_LEN,
			   true);
	term_quote_segment(q, fpdu + MPA_LEN_SIZE,
			   RDMAP_UNTAGGED_FPDU_LEN - MPA_LEN_SIZE,
			   mpa_get_len(fpdu));
}

/* ------------------------------------------------------------ encoding --- */

/* HdrCt for what @how asks to be quoted and @q can supply. */
static u8 quote_bits(enum iw_quote how, const struct term_quote *q)
{
	if (how == IW_QUOTE_NONE || !q || !q->len)
		return 0;
	if (how == IW_QUOTE_READ && q->len == TERM_QUOTE_MAX)
		return RDMAP_TERM_M | RDMAP_TERM_D | RDMAP_TERM_R;
	return RDMAP_TERM_M | RDMAP_TERM_D;
}

u8 term_encode(void *buf, enum iw_err err, const struct term_quote *q)
{
	const struct iw_err_info *info = iw_err_info(err);
	struct rdmap_term_hdr hdr = {};
	u8 *dst = buf;
	u8 quoted;

	if (err == IW_OK || !info->send)
		return 0;
	hdr.ctrl = info->layer << RDMAP_TERM_LAYER_SHIFT | info->etype;
	hdr.code = info->code;
	hdr.hdrct = quote_bits(info->quote, q);
	memcpy(dst, &hdr, sizeof(hdr));
	if (!hdr.hdrct)
		return RDMAP_TERM_MIN;

	dst += RDMAP_TERM_MIN;
	mpa_put_len(dst, q->ulpdu_len);
	dst += MPA_LEN_SIZE;
	quoted = hdr.hdrct & RDMAP_TERM_R ? TERM_QUOTE_MAX :
					    ddp_hdr_len(q->hdr[0]);
	memcpy(dst, q->hdr, quoted);
	return RDMAP_TERM_MIN + MPA_LEN_SIZE + quoted;
}

/* ------------------------------------------------------------ decoding --- */

static const struct {
	u8		layer;
	u8		etype;
	u8		code;
	const char	*name;
} term_names[] = {
	{ 0, 1, 0x00, "RDMAP: invalid STag" },
	{ 0, 1, 0x01, "RDMAP: base or bounds violation" },
	{ 0, 1, 0x02, "RDMAP: access rights violation" },
	{ 0, 1, 0x03, "RDMAP: STag not associated with stream" },
	{ 0, 1, 0x04, "RDMAP: TO wrap" },
	{ 0, 1, 0x09, "RDMAP: STag cannot be invalidated (protection)" },
	{ 0, 1, 0xff, "RDMAP: unspecified protection error" },
	{ 0, 2, 0x05, "RDMAP: invalid RDMAP version" },
	{ 0, 2, 0x06, "RDMAP: unexpected opcode" },
	{ 0, 2, 0x07, "RDMAP: catastrophic error of the stream" },
	{ 0, 2, 0x08, "RDMAP: catastrophic error, global" },
	{ 0, 2, 0x09, "RDMAP: STag cannot be invalidated" },
	{ 0, 2, 0xff, "RDMAP: unspecified operation error" },
	{ 1, 0, 0x00, "DDP: local catastrophic error" },
	{ 1, 1, 0x00, "DDP tagged: invalid STag" },
	{ 1, 1, 0x01, "DDP tagged: base or bounds violation" },
	{ 1, 1, 0x02, "DDP tagged: STag not associated with stream" },
	{ 1, 1, 0x03, "DDP tagged: TO wrap" },
	{ 1, 1, 0x04, "DDP tagged: invalid DDP version" },
	{ 1, 2, 0x01, "DDP untagged: invalid QN" },
	{ 1, 2, 0x02, "DDP untagged: no buffer available" },
	{ 1, 2, 0x03, "DDP untagged: MSN out of range" },
	{ 1, 2, 0x04, "DDP untagged: invalid MO" },
	{ 1, 2, 0x05, "DDP untagged: message too long" },
	{ 1, 2, 0x06, "DDP untagged: invalid DDP version" },
	{ 2, 0, 0x01, "MPA: connection closed" },
	{ 2, 0, 0x02, "MPA: CRC error" },
	{ 2, 0, 0x03, "MPA: marker and ULPDU length mismatch" },
	{ 2, 0, 0x04, "MPA: invalid startup frame" },
	{ 2, 0, 0x05, "MPA: local catastrophic error" },
	{ 2, 0, 0x06, "MPA: insufficient IRD resources" },
	{ 2, 0, 0x07, "MPA: no matching RTR option" },
};

static const char *find_name(u8 layer, u8 etype, u8 code)
{
	unsigned int i;

	/* any code is good enough for a local catastrophe */
	if (layer == RDMAP_LAYER_RDMAP && etype == RDMAP_ETYPE_LOCAL)
		return "RDMAP: local catastrophic error";
	if (layer == RDMAP_LAYER_DDP && etype == DDP_ETYPE_LLP)
		return "DDP: error of the lower layer";
	for (i = 0; i < ARRAY_SIZE(term_names); i++)
		if (term_names[i].layer == layer &&
		    term_names[i].etype == etype && term_names[i].code == code)
			return term_names[i].name;
	return NULL;
}

const char *term_error_name(u8 layer, u8 etype, u8 code)
{
	const char *name = find_name(layer, etype, code);

	return name ? name : "unassigned";
}

/* MPA errors also travel with type 3 (T-22). */
static u8 plain_etype(u8 layer, u8 etype)
{
	if (layer == RDMAP_LAYER_LLP && etype == 3)
		return MPA_ETYPE_ERROR;
	return etype;
}

/*
 * Tell a Terminate whose bit-fields were laid out the other way (T-20): bits
 * in the wrong half of HdrCt, or a triple that makes sense only if swapped.
 */
static bool looks_swapped(const u8 *raw)
{
	u8 high = raw[0] >> 4, low = raw[0] & 0xf;

	if (raw[2] & RDMAP_TERM_HDRCT)
		return false;
	if (raw[2] & 0x07)
		return true;
	return !find_name(high, plain_etype(high, low), raw[1]) &&
	       find_name(low, plain_etype(low, high), raw[1]);
}

static void decode_fixed(const u8 *raw, struct term_info *t)
{
	t->swapped = looks_swapped(raw);
	t->code = raw[1];
	if (t->swapped) {
		t->layer = raw[0] & 0xf;
		t->etype = raw[0] >> 4;
		t->hdrct = (raw[2] & 0x01 ? RDMAP_TERM_M : 0) |
			   (raw[2] & 0x02 ? RDMAP_TERM_D : 0) |
			   (raw[2] & 0x04 ? RDMAP_TERM_R : 0);
	} else {
		t->layer = raw[0] >> 4;
		t->etype = raw[0] & 0xf;
		t->hdrct = raw[2] & RDMAP_TERM_HDRCT;
	}
	t->etype = plain_etype(t->layer, t->etype);
}

static void decode_quotes(const u8 *p, u32 len, struct term_info *t)
{
	if (t->hdrct & RDMAP_TERM_M) {
		if (len < MPA_LEN_SIZE)
			goto truncated;
		t->seg_len = mpa_get_len(p);
		p += MPA_LEN_SIZE;
		len -= MPA_LEN_SIZE;
	}
	if (t->hdrct & RDMAP_TERM_D) {
		if (!len || len < ddp_hdr_len(p[0]))
			goto truncated;
		t->ddp = p;
		t->ddp_len = ddp_hdr_len(p[0]);
		p += t->ddp_len;
		len -= t->ddp_len;
	}
	if (t->hdrct & RDMAP_TERM_R) {
		if (len < RDMAP_READ_LEN)
			goto truncated;
		t->read = p;
	}
	return;
truncated:
	t->truncated = true;
}

void term_decode(const void *buf, u32 len, struct term_info *t)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->raw, buf, min_t(u32, len, sizeof(t->raw)));
	decode_fixed(t->raw, t);
	if (len < RDMAP_TERM_MIN)
		t->truncated = true;
	else
		decode_quotes((const u8 *)buf + RDMAP_TERM_MIN,
			      len - RDMAP_TERM_MIN, t);
}

int term_describe(char *buf, size_t size, const struct term_info *t)
{
	int n;

	n = scnprintf(buf, size, "%x/%x/%02x %s", t->layer, t->etype, t->code,
		      term_error_name(t->layer, t->etype, t->code));
	if (t->ddp)
		n += scnprintf(buf + n, size - n, ", about %s of %u octets",
			       rdmap_op(t->ddp[1])->name, t->seg_len);
	if (t->swapped)
		n += scnprintf(buf + n, size - n, ", nibbles exchanged");
	if (t->truncated)
		n += scnprintf(buf + n, size - n, ", cut short");
	return n;
}
