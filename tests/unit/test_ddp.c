// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * proto/ddp.c and the inline functions of proto/ddp.h.
 */
#include "proto/ddp.h"
#include "proto/mpa.h"
#include "testlib.h"

static void test_headers_round_trip(void **state)
{
	struct ddp_untagged_hdr u;
	struct ddp_tagged_hdr t;
	struct ddp_seg seg;

	(void)state;
	ddp_put_tagged(&t, 0x40, 0x12345678, 0x1122334455667788, true);
	assert_memory_equal(&t, "\xc1\x40\x12\x34\x56\x78"
			    "\x11\x22\x33\x44\x55\x66\x77\x88", 14);
	ddp_decode(&t, &seg);
	assert_true(seg.tagged && seg.last);
	assert_int_equal(seg.hdr_len, 14);
	assert_int_equal(seg.stag, 0x12345678);
	assert_true(seg.to == 0x1122334455667788);
	ddp_put_tagged(&t, 0x40, 0, 0, false);
	assert_int_equal(t.ddp_ctrl, 0x81);
	ddp_decode(&t, &seg);
	assert_false(seg.last);

	ddp_put_untagged(&u, 0x43, 0xa0b0c0d0, 1, 0xfffffffe, 0x01020304,
			 false);
	assert_memory_equal(&u, "\x01\x43\xa0\xb0\xc0\xd0\0\0\0\1"
			    "\xff\xff\xff\xfe\1\2\3\4", 18);
	ddp_decode(&u, &seg);
	assert_false(seg.tagged || seg.last);
	assert_int_equal(seg.hdr_len, 18);
	assert_int_equal(seg.ulp_word, 0xa0b0c0d0);
	assert_int_equal(seg.qn, 1);
	assert_int_equal(seg.msn, 0xfffffffe);
	assert_int_equal(seg.mo, 0x01020304);
	ddp_put_untagged(&u, 0x43, 0, 0, 1, 0, true);
	assert_int_equal(u.ddp_ctrl, 0x41);
}

/* Reserved bits say nothing (DDP-03). */
static void test_reserved_bits(void **state)
{
	struct ddp_untagged_hdr u = { .ddp_ctrl = 0x41 | DDP_RSVD };
	struct ddp_seg seg;

	(void)state;
	ddp_decode(&u, &seg);
	assert_true(seg.last);
	assert_false(seg.tagged);
	assert_int_equal(ddp_hdr_len(DDP_RSVD | DDP_LAST | DDP_DV_MASK), 18);
	assert_int_equal(ddp_hdr_len(DDP_TAGGED), 14);
}

static void test_max_payload(void **state)
{
	(void)state;
	/* RFC 5041 5.2 and the table of section 1.6 */
	assert_int_equal(ddp_max_payload(1500, false), 1482);
	assert_int_equal(ddp_max_payload(1500, true), 1486);
	assert_int_equal(ddp_max_payload(mpa_mulpdu(1448, false), false), 1424);
	assert_int_equal(ddp_max_payload(mpa_mulpdu(1448, true), true), 1416);
	assert_int_equal(ddp_max_payload(mpa_mulpdu(65483, false), true),
			 64754);
	assert_int_equal(ddp_max_payload(MPA_MULPDU_MIN, false), 110);
}

/* Cut messages of many lengths and put the pieces together again. */
static void test_segmentation(void **state)
{
	static const u32 lens[] = { 0, 1, 1423, 1424, 1425, 2848, 2849, 65536,
				    0x7fffffff, 0xffffffff };
	u32 mulpdu = mpa_mulpdu(1448, false), done, n, count;
	bool last;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		done = 0;
		count = 0;
		do {
			n = ddp_next_payload(lens[i], done, mulpdu, false,
					     &last);
			assert_true(n <= 1424 && n <= lens[i] - done);
			/* every segment but the last fills the TCP segment */
			if (!last)
				assert_int_equal(mpa_fpdu_size(18 + n), 1448);
			done += n;
			count++;
		} while (!last);
		assert_int_equal(done, lens[i]);
		assert_int_equal(count, lens[i] ? (lens[i] - 1) / 1424 + 1 : 1);
	}
	assert_int_equal(ddp_next_payload(100, 100, mulpdu, true, &last), 0);
	assert_true(last);
	assert_int_equal(ddp_next_payload(2000, 0, mulpdu, true, &last), 1428);
	assert_false(last);
}

static void test_range(void **state)
{
	static const struct {
		u64 to;
		u32 len;
		u64 base, size;
		enum iw_err err;
	} row[] = {
		{ 0x1000, 0x1000, 0x1000, 0x1000, IW_OK },
		{ 0x1fff, 1, 0x1000, 0x1000, IW_OK },
		{ 0x1000, 1, 0x1000, 0x1000, IW_OK },
		{ 0x0fff, 1, 0x1000, 0x1000, IW_ERR_TAG_BOUNDS },
		{ 0x2000, 1, 0x1000, 0x1000, IW_ERR_TAG_BOUNDS },
		{ 0x1fff, 2, 0x1000, 0x1000, IW_ERR_TAG_BOUNDS },
		{ 0x1000, 0x1001, 0x1000, 0x1000, IW_ERR_TAG_BOUNDS },
		{ 0, 0xffffffff, 0, 0xffffffff, IW_OK },
		{ 0, 0xffffffff, 0, 0xfffffffe, IW_ERR_TAG_BOUNDS },
		{ 0, 1, 0x1000, 0x1000, IW_ERR_TAG_BOUNDS },
		{ ~0ull, 1, 0x1000, 0x1000, IW_ERR_TAG_BOUNDS },
		/* TC-085 */
		{ ~0ull - 7, 16, 0x1000, 0x1000, IW_ERR_TAG_WRAP },
		{ ~0ull - 7, 16, ~0ull - 0xfff, 0x1000, IW_ERR_TAG_WRAP },
		{ ~0ull, 2, 0, ~0ull, IW_ERR_TAG_WRAP },
		{ ~0ull - 7, 8, ~0ull - 0xfff, 0x1000, IW_OK },
		{ ~0ull - 7, 9, ~0ull - 0xfff, 0x1000, IW_ERR_TAG_WRAP },
		{ 0, 1, 0, 0, IW_ERR_TAG_BOUNDS },
		{ 0, 1, ~0ull - 0xfff, 0x1000, IW_ERR_TAG_BOUNDS },
		{ 5, 1, ~0ull - 0xfff, 0x1000, IW_ERR_TAG_BOUNDS },
		/* TC-094: no sign anywhere */
		{ 0x1000, 0x80000000, 0x1000, 0x1000, IW_ERR_TAG_BOUNDS },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(ddp_range_err(row[i].to, row[i].len,
					       row[i].base, row[i].size),
				 row[i].err);
}

/* The header of the next segment, and any that differs from it in one bit. */
static void differs_in_each_bit(void *hdr, u32 len, u64 next, void *same)
{
	u8 *p = same;
	u32 i;

	ddp_expect(hdr, next);
	assert_memory_equal(hdr, same, len);
	assert_true(ddp_is_expected(hdr, same, len));
	for (i = 0; i < len * 8; i++) {
		p[i / 8] ^= 1 << i % 8;
		assert_false(ddp_is_expected(hdr, same, len));
		p[i / 8] ^= 1 << i % 8;
	}
}

static void test_expected_header(void **state)
{
	struct ddp_untagged_hdr u, v;
	struct ddp_tagged_hdr s, t;

	(void)state;
	ddp_put_tagged(&s, 0x40, 0x12345678, 0x1122334455667788, false);
	ddp_put_tagged(&t, 0x40, 0x12345678, 0x1122334455667d08, false);
	differs_in_each_bit(&s, sizeof(s), 0x1122334455667d08, &t);
	ddp_put_untagged(&u, 0x43, 0xa0b0c0d0, 0, 7, 0x01020304, false);
	ddp_put_untagged(&v, 0x43, 0xa0b0c0d0, 0, 7, 0x01020904, false);
	differs_in_each_bit(&u, sizeof(u), 0x01020904, &v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_round_trip),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_max_payload),
		cmocka_unit_test(test_segmentation),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_expected_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
