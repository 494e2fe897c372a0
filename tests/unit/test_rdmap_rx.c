// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * proto/rdmap.c: what a receiver remembers from segment to segment.
 */
#include "proto/rdmap.h"
#include "testlib.h"

/* Check a segment and, if it is good, account for it. */
static enum iw_err feed(struct rdmap_rx *rx, const struct ddp_seg *seg)
{
	const struct rdmap_rx before = *rx;
	enum iw_err err = rdmap_rx_check(rx, seg);

	/* checking changes nothing */
	assert_memory_equal(&before, rx, sizeof(before));
	if (!err)
		err = rdmap_check_size(seg, 1 << 20);
	if (!err)
		rdmap_rx_commit(rx, seg);
	return err;
}

static struct ddp_seg untagged(u8 op, u32 msn, u32 mo, u16 len, bool last)
{
	return (struct ddp_seg){ .opcode = op, .last = last,
				 .hdr_len = DDP_UNTAGGED_LEN,
				 .ulpdu_len = DDP_UNTAGGED_LEN + len,
				 .payload_len = len, .qn = rdmap_op(op)->qn,
				 .msn = msn, .mo = mo };
}

static struct ddp_seg tagged(u8 op, u32 stag, u64 to, u16 len, bool last)
{
	return (struct ddp_seg){ .opcode = op, .tagged = true, .last = last,
				 .hdr_len = DDP_TAGGED_LEN,
				 .ulpdu_len = DDP_TAGGED_LEN + len,
				 .payload_len = len, .stag = stag, .to = to };
}

static enum iw_err feed_untagged(struct rdmap_rx *rx, u8 op, u32 msn, u32 mo,
				 u16 len, bool last)
{
	struct ddp_seg seg = untagged(op, msn, mo, len, last);

	return feed(rx, &seg);
}

static enum iw_err feed_tagged(struct rdmap_rx *rx, u8 op, u32 stag, u64 to,
			       u16 len, bool last)
{
	struct ddp_seg seg = tagged(op, stag, to, len, last);

	return feed(rx, &seg);
}

static void start(struct rdmap_rx *rx)
{
	rdmap_rx_init(rx, RDMAP_OPS_ALL);
}

static void test_first_msn(void **state)
{
	struct rdmap_rx rx;
	int qn;

	(void)state;
	start(&rx);
	assert_int_equal(rx.ops, RDMAP_OPS_ALL);
	for (qn = 0; qn < RDMAP_QNS; qn++)
		assert_int_equal(rx.msn[qn], 1);
	/* TC-075 */
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 0, 0, 4, true),
			 IW_ERR_MSN);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 2, 0, 4, true),
			 IW_ERR_MSN);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 0, 4, true), IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 0, 4, true),
			 IW_ERR_MSN);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 2, 0, 0, true), IW_OK);
}

/* Sends and Immediate Data share QN 0, Reads and atomics QN 1. */
static void test_msn_by_queue(void **state)
{
	static const struct {
		u8 op, len;
		u32 msn;
	} row[] = {
		{ RDMAP_SEND, 5, 1 }, { RDMAP_READ_REQ, 28, 1 },
		{ RDMAP_IMM, 8, 2 }, { RDMAP_ATOMIC_REQ, 52, 2 },
		{ RDMAP_ATOMIC_RESP, 12, 1 }, { RDMAP_SEND_SE_INV, 0, 3 },
		{ RDMAP_READ_REQ, 28, 3 }, { RDMAP_IMM_SE, 8, 4 },
		{ RDMAP_ATOMIC_RESP, 12, 2 }, { RDMAP_TERMINATE, 4, 1 },
	};
	struct rdmap_rx rx;
	size_t i;

	(void)state;
	start(&rx);
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(feed_untagged(&rx, row[i].op, row[i].msn + 1,
					       0, row[i].len, true),
				 IW_ERR_MSN);
		assert_int_equal(feed_untagged(&rx, row[i].op, row[i].msn, 0,
					       row[i].len, true), IW_OK);
	}
}

static void test_msn_wraps(void **state)
{
	static const u32 msn[] = { 0xfffffffe, 0xffffffff, 0, 1 };
	static const u8 op[] = { RDMAP_SEND, RDMAP_READ_REQ, RDMAP_ATOMIC_RESP,
				 RDMAP_IMM };
	static const u8 len[] = { 7, 28, 12, 8 };
	struct rdmap_rx rx;
	int i, k;

	(void)state;
	for (k = 0; k < 4; k++) {	/* TC-143 */
		start(&rx);
		rx.msn[rdmap_op(op[k])->qn] = 0xfffffffe;
		for (i = 0; i < 4; i++)
			assert_int_equal(feed_untagged(&rx, op[k], msn[i], 0,
						       len[k], true), IW_OK);
	}
}

static void test_mo(void **state)
{
	struct rdmap_rx rx;

	(void)state;
	start(&rx);		/* TC-076 */
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 4, 8, true),
			 IW_ERR_MO);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 0xfffffffc, 8,
				       true), IW_ERR_MO);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 0, 8, false),
			 IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 0, 8, true),
			 IW_ERR_MO);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 4, 8, true),
			 IW_ERR_MO);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 12, 8, true),
			 IW_ERR_MO);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 8, 8, false),
			 IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 16, 0, true),
			 IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 2, 0, 1, true),
			 IW_OK);
	/* one-segment queues know no other offset than 0 */
	assert_int_equal(feed_untagged(&rx, RDMAP_READ_REQ, 1, 4, 28, true),
			 IW_ERR_MO);
	assert_int_equal(feed_untagged(&rx, RDMAP_TERMINATE, 1, 4, 4, true),
			 IW_ERR_MO);
}

/* Offsets up to the end of 32 bits, no further. */
static void test_mo_end(void **state)
{
	struct ddp_seg seg = untagged(RDMAP_SEND, 1, 0xffffff00, 0xff, true);
	struct rdmap_rx rx;

	(void)state;
	start(&rx);
	rx.open = true;
	rx.opcode = RDMAP_SEND;
	rx.mo = 0xffffff00;
	assert_int_equal(rdmap_rx_check(&rx, &seg), IW_OK);
	assert_int_equal(rdmap_check_size(&seg, 0xffffffff), IW_OK);
	seg.payload_len = 0x100;
	assert_int_equal(rdmap_check_size(&seg, 0xffffffff), IW_ERR_TOO_LONG);
}

static void test_constancy_untagged(void **state)
{
	struct rdmap_rx rx;
	struct ddp_seg seg;

	(void)state;
	start(&rx);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 0, 8, false),
			 IW_OK);
	/* TC-080, RDM-06 */
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 2, 0, 8, true),
			 IW_ERR_MSN);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND_SE, 1, 8, 8, true),
			 IW_ERR_OPCODE_CHANGED);
	assert_int_equal(feed_untagged(&rx, RDMAP_IMM, 1, 8, 8, true),
			 IW_ERR_OPCODE_CHANGED);
	/* RDM-05: octets 2 to 5 of a plain Send are ignored */
	seg = untagged(RDMAP_SEND, 1, 8, 8, true);
	seg.ulp_word = 0xffffffff;
	assert_int_equal(feed(&rx, &seg), IW_OK);

	/* DDP-06: of one that invalidates they are constant (TC-115) */
	seg = untagged(RDMAP_SEND_INV, 2, 0, 8, false);
	seg.ulp_word = 0x1234;
	assert_int_equal(feed(&rx, &seg), IW_OK);
	seg = untagged(RDMAP_SEND_INV, 2, 8, 8, true);
	seg.ulp_word = 0x1235;
	assert_int_equal(feed(&rx, &seg), IW_ERR_ULP_WORD_CHANGED);
	seg.ulp_word = 0x1234;
	assert_int_equal(feed(&rx, &seg), IW_OK);
}

static void test_interleaved(void **state)
{
	struct rdmap_rx rx;

	(void)state;
	start(&rx);		/* TC-081: neither disturbs the other */
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 0, 12, false),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_WRITE, 7, 0x100, 8, false),
			 IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_READ_REQ, 1, 0, 28, true),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 9, 0x50, 8, false),
			 IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 12, 3, true),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_WRITE, 7, 0x108, 3, true),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 9, 0x58, 3, true),
			 IW_OK);
	/* a Terminate may come in the middle of a message */
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 2, 0, 12, false),
			 IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_TERMINATE, 1, 0, 4, true),
			 IW_OK);
}

static void test_constancy_tagged(void **state)
{
	struct rdmap_rx rx;

	(void)state;
	start(&rx);
	assert_int_equal(feed_tagged(&rx, RDMAP_WRITE, 7, 0x100, 8, false),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_WRITE, 8, 0x108, 8, true),
			 IW_ERR_TAG_CHANGED);
	/* in any order (RFC 5041 5.3 only recommends one) */
	assert_int_equal(feed_tagged(&rx, RDMAP_WRITE, 7, 0x80, 8, false),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_WRITE, 7, 0x88, 8, true),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_WRITE, 8, 0, 8, true), IW_OK);

	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 9, 0xfffffffffffffff8,
				     8, false), IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 9, 8, 8, true),
			 IW_ERR_RESP_BOUNDS);
	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 7, 0, 8, true),
			 IW_ERR_RESP_STAG);
	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 9, 0, 8, true),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 7, 3, 0, true),
			 IW_OK);
}

static void test_terminate_once(void **state)
{
	struct rdmap_rx rx;

	(void)state;
	start(&rx);
	assert_int_equal(feed_untagged(&rx, RDMAP_TERMINATE, 2, 0, 4, true),
			 IW_ERR_MSN);
	assert_int_equal(feed_untagged(&rx, RDMAP_TERMINATE, 1, 0, 4, true),
			 IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_TERMINATE, 1, 0, 4, true),
			 IW_ERR_TERM_TWICE);
	assert_int_equal(feed_untagged(&rx, RDMAP_TERMINATE, 2, 0, 4, true),
			 IW_ERR_TERM_TWICE);
}

static void test_fixed_sizes(void **state)
{
	static const struct {
		u8 op;
		u16 len;
		bool last;
		enum iw_err err;
	} row[] = {
		/* TC-100; shorter ones never get past rdmap_decode() */
		{ RDMAP_READ_REQ, 28, true, IW_OK },
		{ RDMAP_READ_REQ, 29, true, IW_ERR_FIXED_LEN },
		{ RDMAP_READ_REQ, 28, false, IW_ERR_FIXED_LEN },
		{ RDMAP_ATOMIC_REQ, 52, true, IW_OK },
		{ RDMAP_ATOMIC_REQ, 53, true, IW_ERR_FIXED_LEN },
		{ RDMAP_ATOMIC_REQ, 52, false, IW_ERR_FIXED_LEN },
		{ RDMAP_ATOMIC_RESP, 12, true, IW_OK },
		{ RDMAP_ATOMIC_RESP, 13, true, IW_ERR_FIXED_LEN },
		{ RDMAP_TERMINATE, 4, true, IW_OK },
		{ RDMAP_TERMINATE, 52, true, IW_OK },
		{ RDMAP_TERMINATE, 53, true, IW_ERR_FIXED_LEN },
		{ RDMAP_TERMINATE, 4, false, IW_ERR_FIXED_LEN },
		/* TC-128 */
		{ RDMAP_IMM, 8, true, IW_OK },
		{ RDMAP_IMM, 7, true, IW_ERR_IMM_LEN },
		{ RDMAP_IMM, 0, true, IW_ERR_IMM_LEN },
		{ RDMAP_IMM, 9, true, IW_ERR_IMM_LEN },
		{ RDMAP_IMM_SE, 8, false, IW_ERR_IMM_LEN },
	};
	struct ddp_seg seg;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		seg = untagged(row[i].op, 1, 0, row[i].len, row[i].last);
		assert_int_equal(rdmap_check_size(&seg, 0), row[i].err);
	}
}

static void test_receive_size(void **state)
{
	struct ddp_seg seg = untagged(RDMAP_SEND, 1, 0, 64, true);

	(void)state;		/* TC-077 */
	assert_int_equal(rdmap_check_size(&seg, 64), IW_OK);
	seg.payload_len = 65;
	assert_int_equal(rdmap_check_size(&seg, 64), IW_ERR_TOO_LONG);
	seg.mo = 40;
	seg.payload_len = 24;
	assert_int_equal(rdmap_check_size(&seg, 64), IW_OK);
	seg.payload_len = 25;
	assert_int_equal(rdmap_check_size(&seg, 64), IW_ERR_TOO_LONG);
	seg.mo = 0xfffffff0;	/* would wrap to 9 */
	assert_int_equal(rdmap_check_size(&seg, 64), IW_ERR_TOO_LONG);
	seg = untagged(RDMAP_SEND, 1, 0, 0, true);
	assert_int_equal(rdmap_check_size(&seg, 0), IW_OK);
	seg = tagged(RDMAP_WRITE, 1, 0, 5000, true);
	assert_int_equal(rdmap_check_size(&seg, 0), IW_OK);
}

/* Between the segments of anything, and without a trace. */
static void test_rx_ack(void **state)
{
	struct ddp_seg ack = tagged(RDMAP_ACK, 0, 777, 0, true);
	struct ddp_seg seg = tagged(RDMAP_WRITE, 5, 0, 100, false);
	struct rdmap_rx rx, before;

	(void)state;
	start(&rx);
	assert_int_equal(rdmap_rx_check(&rx, &seg), IW_OK);
	rdmap_rx_commit(&rx, &seg);
	seg = untagged(RDMAP_SEND, 1, 0, 10, false);
	assert_int_equal(rdmap_rx_check(&rx, &seg), IW_OK);
	rdmap_rx_commit(&rx, &seg);
	before = rx;
	assert_int_equal(rdmap_rx_check(&rx, &ack), IW_OK);
	rdmap_rx_commit(&rx, &ack);
	assert_memory_equal(&rx, &before, sizeof(rx));
}

static void test_rx_acked(void **state)
{
	struct ddp_seg seg = tagged(RDMAP_WRITE, 5, 0, 0, true);
	int op;

	(void)state;
	for (op = 0; op < RDMAP_OPCODES; op++) {
		seg.opcode = op;
		assert_int_equal(rdmap_is_acked(&seg),
				 op == 0 || (op >= 3 && op <= 6) ||
				 op == 8 || op == 9);
	}
}

static void test_rx_alien_queue(void **state)
{
	struct ddp_seg seg = untagged(RDMAP_SEND, 1, 0, 0, true);
	struct rdmap_rx rx;

	(void)state;
	start(&rx);
	seg.qn = RDMAP_QNS;
	assert_int_equal(rdmap_rx_check(&rx, &seg), IW_ERR_QN);
}

/* F24 and F25, F26 and F27 from the octets to the state. */
static void test_vectors_in_sequence(void **state)
{
	static const char * const names[] = { "F24", "F26", "F25", "F27" };
	struct rdmap_rx rx;
	struct ddp_seg seg;
	struct frame *f;
	size_t i;

	(void)state;
	start(&rx);
	rx.msn[0] = 7;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		f = vector_get(names[i]);
		assert_int_equal(rdmap_decode(f->data + 2, mpa_get_len(f->data),
					      rx.ops, &seg), IW_OK);
		assert_int_equal(feed(&rx, &seg), IW_OK);
		free(f);
	}
	assert_int_equal(rx.msn[0], 8);
	assert_int_equal(rx.mo, 0);
	assert_false(rx.open || rx.tag[0].open);
}

/* As if each of the segments had been given to rdmap_rx_commit(). */
static void test_advance(void **state)
{
	struct ddp_seg write = tagged(RDMAP_WRITE, 7, 1000, 50, false);
	struct ddp_seg resp = tagged(RDMAP_READ_RESP, 9, 500, 50, false);
	struct ddp_seg send = untagged(RDMAP_SEND, 1, 0, 100, false);
	struct rdmap_rx rx;

	(void)state;
	start(&rx);
	assert_int_equal(feed(&rx, &write), IW_OK);
	assert_int_equal(feed(&rx, &resp), IW_OK);
	assert_int_equal(feed(&rx, &send), IW_OK);
	rdmap_rx_advance(&rx, &write, 3000);
	rdmap_rx_advance(&rx, &resp, 4000);
	rdmap_rx_advance(&rx, &send, 5000);
	assert_true(rx.tag[0].to == 4050);
	assert_true(rx.tag[1].to == 4550);
	assert_int_equal(rx.mo, 5100);
	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 9, 550, 1, true),
			 IW_ERR_RESP_BOUNDS);
	assert_int_equal(feed_tagged(&rx, RDMAP_READ_RESP, 9, 4550, 1, true),
			 IW_OK);
	assert_int_equal(feed_tagged(&rx, RDMAP_WRITE, 7, 4050, 1, true), IW_OK);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 100, 1, true),
			 IW_ERR_MO);
	assert_int_equal(feed_untagged(&rx, RDMAP_SEND, 1, 5100, 1, true),
			 IW_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_msn),
		cmocka_unit_test(test_msn_by_queue),
		cmocka_unit_test(test_msn_wraps),
		cmocka_unit_test(test_mo),
		cmocka_unit_test(test_mo_end),
		cmocka_unit_test(test_constancy_untagged),
		cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_constancy_tagged),
		cmocka_unit_test(test_terminate_once),
		cmocka_unit_test(test_fixed_sizes),
		cmocka_unit_test(test_receive_size),
		cmocka_unit_test(test_rx_ack),
		cmocka_unit_test(test_rx_acked),
		cmocka_unit_test(test_advance),
		cmocka_unit_test(test_rx_alien_queue),
		cmocka_unit_test(test_vectors_in_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
