// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * proto/err.c: each fault has a name of its own and the Terminate triple that
 * the RFCs give it.
 */
#include <ctype.h>
#include "proto/err.h"
#include "testlib.h"

struct triple {
	enum iw_err	err;
	u32		triple;		/* layer, etype, code as 0xLTCC */
	bool		send;
	u8		quote;
};

static const struct triple triples[] = {
	{ IW_ERR_LOCAL, 0x0000, true, IW_QUOTE_NONE },
	{ IW_ERR_SRC_STAG, 0x0100, true, IW_QUOTE_READ },
	{ IW_ERR_SRC_BOUNDS, 0x0101, true, IW_QUOTE_READ },
	{ IW_ERR_SRC_ACCESS, 0x0102, true, IW_QUOTE_READ },
	{ IW_ERR_SRC_STREAM, 0x0103, true, IW_QUOTE_READ },
	{ IW_ERR_SRC_WRAP, 0x0104, true, IW_QUOTE_READ },
	{ IW_ERR_SRC_REVOKED, 0x0100, true, IW_QUOTE_READ },
	{ IW_ERR_INV_STREAM, 0x0109, true, IW_QUOTE_READ },
	{ IW_ERR_RDMAP_VERSION, 0x0205, true, IW_QUOTE_DDP },
	{ IW_ERR_OPCODE, 0x0206, true, IW_QUOTE_DDP },
	{ IW_ERR_OPCODE_TAG, 0x0206, true, IW_QUOTE_DDP },
	{ IW_ERR_OPCODE_CHANGED, 0x0206, true, IW_QUOTE_DDP },
	{ IW_ERR_ATOMIC_OPCODE, 0x0206, true, IW_QUOTE_DDP },
	{ IW_ERR_RESP_UNSOLICITED, 0x0206, true, IW_QUOTE_DDP },
	{ IW_ERR_ATOMIC_ALIGN, 0x0207, true, IW_QUOTE_DDP },
	{ IW_ERR_INV_STAG, 0x0209, true, IW_QUOTE_DDP },
	{ IW_ERR_IMM_LEN, 0x02ff, true, IW_QUOTE_DDP },
	{ IW_ERR_ATOMIC_RESP_ID, 0x02ff, true, IW_QUOTE_DDP },
	{ IW_ERR_ULP_WORD_CHANGED, 0x02ff, true, IW_QUOTE_DDP },
	{ IW_ERR_DDP_LOCAL, 0x1000, true, IW_QUOTE_DDP },
	{ IW_ERR_TAG_STAG, 0x1100, true, IW_QUOTE_DDP },
	{ IW_ERR_TAG_ACCESS, 0x1100, true, IW_QUOTE_DDP },
	{ IW_ERR_TAG_CHANGED, 0x1100, true, IW_QUOTE_DDP },
	{ IW_ERR_RESP_STAG, 0x1100, true, IW_QUOTE_DDP },
	{ IW_ERR_TAG_BOUNDS, 0x1101, true, IW_QUOTE_DDP },
	{ IW_ERR_RESP_BOUNDS, 0x1101, true, IW_QUOTE_DDP },
	{ IW_ERR_TAG_STREAM, 0x1102, true, IW_QUOTE_DDP },
	{ IW_ERR_TAG_WRAP, 0x1103, true, IW_QUOTE_DDP },
	{ IW_ERR_TAG_VERSION, 0x1104, true, IW_QUOTE_DDP },
	{ IW_ERR_QN, 0x1201, true, IW_QUOTE_DDP },
	{ IW_ERR_NO_BUFFER, 0x1202, true, IW_QUOTE_DDP },
	{ IW_ERR_IRD, 0x1202, true, IW_QUOTE_DDP },
	{ IW_ERR_ATOMIC_UNSOLICITED, 0x1202, true, IW_QUOTE_DDP },
	{ IW_ERR_TERM_TWICE, 0x1202, true, IW_QUOTE_DDP },
	{ IW_ERR_MSN, 0x1203, true, IW_QUOTE_DDP },
	{ IW_ERR_MO, 0x1204, true, IW_QUOTE_DDP },
	{ IW_ERR_TOO_LONG, 0x1205, true, IW_QUOTE_DDP },
	{ IW_ERR_FIXED_LEN, 0x1205, true, IW_QUOTE_DDP },
	{ IW_ERR_UNTAG_VERSION, 0x1206, true, IW_QUOTE_DDP },
	{ IW_ERR_CLOSED, 0x2001, false, IW_QUOTE_NONE },
	{ IW_ERR_CRC, 0x2002, true, IW_QUOTE_NONE },
	{ IW_ERR_MARKER, 0x2003, true, IW_QUOTE_NONE },
	{ IW_ERR_FPDU_LEN, 0x2003, true, IW_QUOTE_NONE },
	{ IW_ERR_MPA_KEY, 0x2004, false, IW_QUOTE_NONE },
	{ IW_ERR_MPA_ROLE, 0x2004, false, IW_QUOTE_NONE },
	{ IW_ERR_MPA_REV, 0x2004, false, IW_QUOTE_NONE },
	{ IW_ERR_MPA_PD_LEN, 0x2004, false, IW_QUOTE_NONE },
	{ IW_ERR_MPA_ENHANCED, 0x2004, false, IW_QUOTE_NONE },
	{ IW_ERR_MPA_TRAILING, 0x2004, false, IW_QUOTE_NONE },
	{ IW_ERR_MPA_TIMEOUT, 0x2004, false, IW_QUOTE_NONE },
	{ IW_ERR_MPA_LOCAL, 0x2005, true, IW_QUOTE_NONE },
	{ IW_ERR_MPA_IRD, 0x2006, true, IW_QUOTE_NONE },
	{ IW_ERR_MPA_RTR, 0x2007, true, IW_QUOTE_NONE },
	{ IW_ERR_REJECTED, 0x2000, false, IW_QUOTE_NONE },
	{ IW_ERR_TERMINATED, 0x2000, false, IW_QUOTE_NONE },
};

static void test_triples(void **state)
{
	const struct iw_err_info *info;
	const struct triple *t;

	(void)state;
	/* IW_OK is the only value without a row here */
	assert_int_equal(ARRAY_SIZE(triples), IW_ERR_COUNT - 1);
	for (t = triples; t < triples + ARRAY_SIZE(triples); t++) {
		info = iw_err_info(t->err);
		if (t->triple != ((u32)info->layer << 12 | info->etype << 8 |
				  info->code))
			fail_msg("%s has another triple", info->name);
		if (t->send != info->send || t->quote != info->quote)
			fail_msg("%s is reported differently", info->name);
	}
}

static void test_names(void **state)
{
	unsigned int i, j;
	const char *c;

	(void)state;
	for (i = 0; i < IW_ERR_COUNT; i++) {
		assert_non_null(iw_err_name(i));
		for (c = iw_err_name(i); *c; c++)
			assert_true(islower(*c) || *c == '_');
		for (j = 0; j < i; j++)
			assert_string_not_equal(iw_err_name(i),
						iw_err_name(j));
	}
	assert_string_equal(iw_err_name(IW_OK), "ok");
}

static void test_out_of_range(void **state)
{
	(void)state;
	assert_ptr_equal(iw_err_info(IW_ERR_COUNT), iw_err_info(IW_ERR_LOCAL));
	assert_ptr_equal(iw_err_info(-1), iw_err_info(IW_ERR_LOCAL));
	assert_int_equal(IW_OK, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_triples),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
