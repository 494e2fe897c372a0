// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * proto/term.c: Terminate messages out and in.
 */
#include "proto/term.h"
#include "testlib.h"

/* The Terminate header inside a whole FPDU. */
#define TERM(f)		((f)->data + RDMAP_UNTAGGED_FPDU_LEN)
#define TERM_LEN(f)	(mpa_get_len((f)->data) - DDP_UNTAGGED_LEN)

/* Report @err about @q and compare the FPDU with a vector. */
static void assert_term(const char *name, enum iw_err err,
			const struct term_quote *q)
{
	u8 term[RDMAP_TERM_MAX], fpdu[96];
	struct frame *f = vector_get(name);
	u32 n;
	u8 len;

	len = term_encode(term, err, q);
	n = rdmap_put_terminate(fpdu, term, len);
	assert_int_equal(n, RDMAP_UNTAGGED_FPDU_LEN + len);
	n = mpa_seal(fpdu, true);
	assert_octets(name, fpdu, n, f->data, f->len);
	free(f);
}

static void test_encode_vectors(void **state)
{
	struct term_quote q;
	struct frame *f;
	u8 fpdu[64];

	(void)state;
	assert_term("F12", IW_ERR_CRC, NULL);
	assert_term("F16", IW_ERR_MPA_RTR, NULL);
	assert_term("F17", IW_ERR_MPA_IRD, NULL);

	rdmap_put_write(fpdu, 0xdeadbe00, 0x1000, 4, true);
	term_quote_segment(&q, fpdu + 2, 14, mpa_get_len(fpdu));
	assert_term("F13", IW_ERR_TAG_STAG, &q);

	rdmap_put_send(fpdu, RDMAP_SEND, 0, 1, 0, 64, true);
	term_quote_segment(&q, fpdu + 2, 18, mpa_get_len(fpdu));
	assert_term("F14", IW_ERR_TOO_LONG, &q);

	f = vector_get("F08");
	term_quote_segment(&q, f->data + 2, 46, mpa_get_len(f->data));
	assert_term("F15", IW_ERR_SRC_STAG, &q);
	free(f);

	rdmap_put_untagged(fpdu, 0xe, 0, 1, 0, 4, true);
	term_quote_segment(&q, fpdu + 2, 18, mpa_get_len(fpdu));
	assert_term("F18", IW_ERR_OPCODE, &q);
}

static void test_decode_vectors(void **state)
{
	static const struct {
		const char *name;
		u8 layer, etype, code, hdrct, ddp_len;
		u16 seg_len;
	} row[] = {
		{ "F12", 2, 0, 2, 0, 0, 0 },
		{ "F13", 1, 1, 0, 0xc0, 14, 18 },
		{ "F14", 1, 2, 5, 0xc0, 18, 82 },
		{ "F15", 0, 1, 0, 0xe0, 18, 46 },
		{ "F16", 2, 0, 7, 0, 0, 0 },
		{ "F17", 2, 0, 6, 0, 0, 0 },
		{ "F18", 0, 2, 6, 0xc0, 18, 22 },
	};
	struct rdmap_read_req r;
	struct term_info t;
	struct frame *f;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		f = vector_get(row[i].name);
		term_decode(TERM(f), TERM_LEN(f), &t);
		assert_int_equal(t.layer, row[i].layer);
		assert_int_equal(t.etype, row[i].etype);
		assert_int_equal(t.code, row[i].code);
		assert_int_equal(t.hdrct, row[i].hdrct);
		assert_int_equal(t.ddp_len, row[i].ddp_len);
		assert_int_equal(t.seg_len, row[i].seg_len);
		assert_false(t.swapped || t.truncated);
		assert_memory_equal(t.raw, TERM(f), 4);
		assert_ptr_equal(t.ddp, t.ddp_len ? TERM(f) + 6 : NULL);
		assert_int_equal(!!t.read, !!(row[i].hdrct & RDMAP_TERM_R));
		if (t.read) {
			rdmap_get_read_req(t.read, &r);
			assert_int_equal(r.src_stag, 0x2222);
			assert_int_equal(r.size, 16);
		}
		free(f);
	}
}

/* For every fault and each kind of segment: HdrCt of RFC 5040 Figure 10. */
static void test_encode_all(void **state)
{
	static const char * const names[] = { "F06", "F04", "F08", "F21",
					      "F19" };
	u8 term[RDMAP_TERM_MAX], want, len;
	const struct iw_err_info *info;
	struct term_quote q;
	struct term_info t;
	struct frame *f;
	unsigned int err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		f = vector_get(names[i]);
		term_quote_segment(&q, f->data + 2, f->len - 6,
				   mpa_get_len(f->data));
		for (err = 0; err < IW_ERR_COUNT; err++) {
			info = iw_err_info(err);
			memset(term, 0xa5, sizeof(term));
			len = term_encode(term, err, &q);
			if (err == IW_OK || !info->send) {
				assert_int_equal(len, 0);
				continue;
			}
			want = info->quote == IW_QUOTE_NONE ? 0 :
			       info->quote == IW_QUOTE_READ && i == 2 ? 0xe0 :
			       0xc0;
			assert_int_equal(term[0],
					 info->layer << 4 | info->etype);
			assert_int_equal(term[1], info->code);
			assert_int_equal(term[2], want);
			assert_int_equal(term[3], 0);
			term_decode(term, len, &t);
			assert_false(t.truncated || t.swapped);
			assert_int_equal(len, 4 + (want ? 2 + t.ddp_len : 0) +
					      (want & 0x20 ? 28 : 0));
			assert_string_not_equal(term_error_name(t.layer,
								t.etype,
								t.code),
						"unassigned");
			/* the length is a minimum and a maximum */
			term_decode(term, len - 1, &t);
			assert_true(t.truncated);
		}
		free(f);
	}
}

/* Nothing to quote: the four octets alone. */
static void test_encode_without_quote(void **state)
{
	struct term_quote q = { .ulpdu_len = 99 };
	u8 term[4];

	(void)state;
	assert_int_equal(term_encode(term, IW_ERR_MSN, NULL), 4);
	assert_memory_equal(term, "\x12\x03\0\0", 4);
	assert_int_equal(term_encode(term, IW_ERR_SRC_WRAP, &q), 4);
	assert_memory_equal(term, "\x01\x04\0\0", 4);
}

static void test_quote_bounds(void **state)
{
	struct frame *f = vector_get("F08");
	struct term_quote q;
	u8 *copy;
	u32 n;

	(void)state;
	for (n = 0; n <= 46; n++) {
		copy = malloc(n);
		memcpy(copy, f->data + 2, n);
		term_quote_segment(&q, copy, n, 46);
		assert_int_equal(q.len, n < 18 ? 0 : n < 46 ? 18 : 46);
		/* what the FPDU does not hold is not quoted either */
		term_quote_segment(&q, f->data + 2, 46, n);
		assert_int_equal(q.len, n < 18 ? 0 : n < 46 ? 18 : 46);
		assert_int_equal(q.ulpdu_len, n);
		free(copy);
	}
	free(f);
	f = vector_get("F06");
	term_quote_segment(&q, f->data + 2, 13, 22);
	assert_int_equal(q.len, 0);
	term_quote_segment(&q, f->data + 2, 22, 22);
	assert_int_equal(q.len, 14);
	free(f);
}

/* A Read taken off its queue is quoted as it came, or as far as it got. */
static void test_quote_rebuilt(void **state)
{
	struct rdmap_read_req r;
	struct frame *f = vector_get("F08");
	struct term_quote q, direct;
	struct term_info t;
	u8 term[RDMAP_TERM_MAX], len;

	(void)state;
	rdmap_get_read_req(f->data + 20, &r);
	term_quote_read(&q, 1, &r);
	term_quote_segment(&direct, f->data + 2, 46, 46);
	assert_int_equal(q.ulpdu_len, direct.ulpdu_len);
	assert_octets("quote", q.hdr, q.len, direct.hdr, direct.len);
	free(f);

	rdmap_read_advance(&r, 6);
	term_quote_read(&q, 1, &r);
	len = term_encode(term, IW_ERR_SRC_ACCESS, &q);
	term_decode(term, len, &t);
	rdmap_get_read_req(t.read, &r);
	assert_int_equal(r.size, 10);
	assert_true(r.sink_to == 0x2006 && r.src_to == 0x3006);

	f = vector_get("F21");
	term_quote_atomic(&q, 2);
	term_quote_segment(&direct, f->data + 2, 70, 70);
	assert_int_equal(q.ulpdu_len, 70);
	assert_octets("quote", q.hdr, q.len, direct.hdr, direct.len);
	free(f);
}

static void decode_hex(const char *hex, struct term_info *t)
{
	u8 octets[64], *copy;
	size_t n = unhex(hex, octets);

	copy = malloc(n);
	memcpy(copy, octets, n);
	term_decode(copy, n, t);
	t->ddp = NULL;		/* they point into the copy */
	t->read = NULL;
	free(copy);
}

static void test_decode_variants(void **state)
{
	static const struct {
		const char *hex;
		u8 layer, etype, code, hdrct;
		bool swapped, truncated;
	} row[] = {
		{ "20020000", 2, 0, 2, 0, false, false },
		{ "23020000", 2, 0, 2, 0, false, false },	/* T-22 */
		{ "23070000", 2, 0, 7, 0, false, false },
		/* T-20 */
		{ "02020000", 2, 0, 2, 0, true, false },
		{ "02030000", 2, 0, 3, 0, true, false },
		{ "21010300001601410000000000000000000000010000000100000000",
		  1, 2, 1, 0xc0, true, false },
		{ "32020300001401420000000000000000000000010000", 2, 0, 2,
		  0xc0, true, true },
		{ "11000300", 1, 1, 0, 0xc0, true, true },
		/* bits of both halves: reserved ones of the plain form */
		{ "1203c700", 1, 2, 3, 0xc0, false, true },
		/* not to be told from RDMAP errors */
		{ "02060000", 0, 2, 6, 0, false, false },
		{ "02070000", 0, 2, 7, 0, false, false },
		/* RDM-39: reserved bits */
		{ "120318ff", 1, 2, 3, 0, false, false },
		/* unknown triples stay as they are */
		{ "f5ab0000", 15, 5, 0xab, 0, false, false },
		{ "1305c000", 1, 3, 5, 0xc0, false, true },
		/* any code is a local catastrophe */
		{ "00ff0000", 0, 0, 0xff, 0, false, false },
		/* zero-filled instead of left out */
		{ "20020000000000000000000000000000000000000000", 2, 0, 2, 0,
		  false, false },
		/* cut short */
		{ "", 0, 0, 0, 0, false, true },
		{ "20", 2, 0, 0, 0, false, true },
		{ "2002", 2, 0, 2, 0, false, true },
		{ "1100c000", 1, 1, 0, 0xc0, false, true },
		{ "1100c00000", 1, 1, 0, 0xc0, false, true },
		{ "1100c0000012", 1, 1, 0, 0xc0, false, true },
		{ "11008000", 1, 1, 0, 0x80, false, true },
		{ "110080000012", 1, 1, 0, 0x80, false, false },
		{ "01002000", 0, 1, 0, 0x20, false, true },
	};
	struct term_info t;
	const char *hex;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		hex = row[i].hex;
		decode_hex(hex, &t);
		if (t.layer != row[i].layer || t.etype != row[i].etype ||
		    t.code != row[i].code)
			fail_msg("%s: %x/%x/%02x", hex, t.layer, t.etype,
				 t.code);
		if (t.swapped != row[i].swapped ||
		    t.truncated != row[i].truncated || t.hdrct != row[i].hdrct)
			fail_msg("%s: swapped %d truncated %d hdrct %x", hex,
				 t.swapped, t.truncated, t.hdrct);
	}
}

static void test_describe(void **state)
{
	struct frame *f = vector_get("F15");
	struct term_info t;
	char text[160];
	size_t size;
	int n;

	(void)state;
	term_decode(TERM(f), TERM_LEN(f), &t);
	n = term_describe(text, sizeof(text), &t);
	assert_string_equal(text,
			    "0/1/00 RDMAP: invalid STag, about RDMA Read Request of 46 octets");
	assert_int_equal(n, strlen(text));
	for (size = 0; size < sizeof(text); size++)
		assert_int_equal(term_describe(text, size, &t),
				 size > (size_t)n ? n :
				 size ? (int)size - 1 : 0);
	free(f);
	decode_hex("0202", &t);
	term_describe(text, sizeof(text), &t);
	assert_string_equal(text,
			    "2/0/02 MPA: CRC error, nibbles exchanged, cut short");
	assert_string_equal(term_error_name(0, 2, 2), "unassigned");
	assert_string_equal(term_error_name(1, 3, 9),
			    "DDP: error of the lower layer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_vectors),
		cmocka_unit_test(test_decode_vectors),
		cmocka_unit_test(test_encode_all),
		cmocka_unit_test(test_encode_without_quote),
		cmocka_unit_test(test_quote_bounds),
		cmocka_unit_test(test_quote_rebuilt),
		cmocka_unit_test(test_decode_variants),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
