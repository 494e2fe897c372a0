// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * proto/rdmap.c: messages on the wire, checks of single segments, atomics.
 * What a receiver remembers between segments has test_rdmap_rx.c.
 */
#include "proto/rdmap.h"
#include "testlib.h"

/* ---------------------------------------------------- vectors F01..F27 --- */

/* One F vector as arguments to the encoder and as result of the decoder. */
struct message {
	const char	*name;
	u8		opcode;
	bool		last;
	u32		stag;		/* or the STag to invalidate */
	u64		to;		/* or MSN << 32 | MO */
	const char	*payload;	/* hex */
};

#define UNTAGGED(msn, mo)	((u64)(msn) << 32 | (mo))

static const struct message messages[] = {
	{ "F01", RDMAP_SEND, true, 0, UNTAGGED(1, 0), "70696e67" },
	{ "F02", RDMAP_SEND, true, 0, UNTAGGED(1, 0), "" },
	{ "F03", RDMAP_SEND_SE, true, 0, UNTAGGED(2, 0), "68656c6c6f" },
	{ "F04", RDMAP_SEND_INV, true, 0x00123456, UNTAGGED(3, 0),
	  "62796521" },
	{ "F05", RDMAP_SEND_SE_INV, true, 0x0abcde01, UNTAGGED(4, 0), "" },
	{ "F06", RDMAP_WRITE, true, 0x00abcd01, 0x12345678,
	  "0001020304050607" },
	{ "F07", RDMAP_WRITE, true, 1, 0, "" },
	{ "F10", RDMAP_READ_RESP, true, 0x1111, 0x2000,
	  "101112131415161718191a1b1c1d1e1f" },
	{ "F11", RDMAP_READ_RESP, true, 1, 0, "" },
	{ "F24", RDMAP_SEND, false, 0, UNTAGGED(7, 0),
	  "4142434445464748494a4b4c" },
	{ "F25", RDMAP_SEND, true, 0, UNTAGGED(7, 12), "4d4e4f" },
	{ "F26", RDMAP_WRITE, false, 0x00abcd01, 0x100, "0001020304050607" },
	{ "F27", RDMAP_WRITE, true, 0x00abcd01, 0x108, "08090a" },
};

static u32 put_message(u8 *fpdu, const struct message *m, u16 len)
{
	switch (m->opcode) {
	case RDMAP_WRITE:
		return rdmap_put_write(fpdu, m->stag, m->to, len, m->last);
	case RDMAP_READ_RESP:
		return rdmap_put_read_resp(fpdu, m->stag, m->to, len, m->last);
	default:
		return rdmap_put_send(fpdu, m->opcode, m->stag, m->to >> 32,
				      m->to, len, m->last);
	}
}

/* Decode an exactly sized copy, so that ASan sees a step too far. */
static enum iw_err decode(const u8 *fpdu, struct ddp_seg *seg)
{
	u16 len = mpa_get_len(fpdu);
	u32 there = min_t(u32, len, DDP_UNTAGGED_LEN);
	u8 *copy = malloc(there);
	enum iw_err err;

	memcpy(copy, fpdu + 2, there);
	memset(seg, 0xa5, sizeof(*seg));
	err = rdmap_decode(copy, len, RDMAP_OPS_ALL, seg);
	free(copy);
	return err;
}

static void test_message_vectors(void **state)
{
	const struct message *m;
	struct ddp_seg seg;
	struct frame *f;
	u8 fpdu[128];
	u32 at, n;

	(void)state;
	for (m = messages; m < messages + ARRAY_SIZE(messages); m++) {
		f = vector_get(m->name);
		n = strlen(m->payload) / 2;
		at = put_message(fpdu, m, n);
		unhex(m->payload, fpdu + at);
		n = mpa_seal(fpdu, true);
		assert_octets(m->name, fpdu, n, f->data, f->len);

		assert_int_equal(decode(f->data, &seg), IW_OK);
		assert_int_equal(seg.opcode, m->opcode);
		assert_int_equal(seg.last, m->last);
		assert_int_equal(seg.ulpdu_len, mpa_get_len(f->data));
		assert_int_equal(seg.payload_len, strlen(m->payload) / 2);
		assert_int_equal(seg.hdr_len + seg.payload_len, seg.ulpdu_len);
		if (seg.tagged) {
			assert_int_equal(seg.stag, m->stag);
			assert_true(seg.to == m->to);
		} else {
			assert_int_equal(seg.ulp_word, m->stag);
			assert_int_equal(seg.qn, 0);
			assert_int_equal(seg.msn, m->to >> 32);
			assert_int_equal(seg.mo, (u32)m->to);
		}
		free(f);
	}
}

/* The STag of a Send that does not invalidate is zero (RDM-05). */
static void test_send_hides_stag(void **state)
{
	u8 fpdu[32], zero[4] = {};

	(void)state;
	rdmap_put_send(fpdu, RDMAP_SEND, 0xdeadbeef, 1, 0, 0, true);
	assert_memory_equal(fpdu + 4, zero, 4);
	rdmap_put_send(fpdu, RDMAP_SEND_SE, 0xdeadbeef, 1, 0, 0, true);
	assert_memory_equal(fpdu + 4, zero, 4);
	rdmap_put_send(fpdu, RDMAP_SEND_INV, 0xdeadbeef, 1, 0, 0, true);
	assert_memory_equal(fpdu + 4, "\xde\xad\xbe\xef", 4);
}

/* Decode a vector of fixed format; its header is behind @seg's octets. */
static struct frame *fixed_vector(const char *name, u8 opcode, u32 qn,
				  u32 msn, u16 payload)
{
	struct frame *f = vector_get(name);
	struct ddp_seg seg;

	assert_int_equal(decode(f->data, &seg), IW_OK);
	assert_int_equal(seg.opcode, opcode);
	assert_false(seg.tagged);
	assert_true(seg.last);
	assert_int_equal(seg.qn, qn);
	assert_int_equal(seg.msn, msn);
	assert_int_equal(seg.mo, 0);
	assert_int_equal(seg.ulp_word, 0);
	assert_int_equal(seg.payload_len, payload);
	assert_int_equal(rdmap_check_size(&seg, 0), IW_OK);
	return f;
}

static void check_fixed(struct frame *f, u8 *fpdu, u32 written)
{
	u32 n = mpa_seal(fpdu, true);

	assert_int_equal(written, 2 + mpa_get_len(fpdu));
	assert_octets("message", fpdu, n, f->data, f->len);
	free(f);
}

static void test_read_req_vectors(void **state)
{
	static const struct rdmap_read_req reqs[] = {
		{ 0x1111, 16, 0x2000, 0x2222, 0x3000 },
		{ 1, 0, 0, 1, 0 },
	};
	static const char * const names[] = { "F08", "F09" };
	struct rdmap_read_req r;
	struct frame *f;
	u8 fpdu[64];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = fixed_vector(names[i], RDMAP_READ_REQ, 1, 1, 28);
		rdmap_get_read_req(f->data + 20, &r);
		assert_int_equal(r.sink_stag, reqs[i].sink_stag);
		assert_int_equal(r.size, reqs[i].size);
		assert_true(r.sink_to == reqs[i].sink_to);
		assert_int_equal(r.src_stag, reqs[i].src_stag);
		assert_true(r.src_to == reqs[i].src_to);
		check_fixed(f, fpdu, rdmap_put_read_req(fpdu, 1, &r));
	}
}

static void test_imm_vectors(void **state)
{
	static const char * const names[] = { "F19", "F20" };
	__be32 data = cpu_to_be32(0x01234567), zero = 0;
	struct frame *f;
	u8 fpdu[64];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = fixed_vector(names[i], RDMAP_IMM + i, 0, 5 + i, 8);
		assert_true(rdmap_get_imm(f->data + 20) == data);
		/* verbs have 32 bits: ours differ in the last four octets */
		rdmap_put_imm(fpdu, RDMAP_IMM + i, 5 + i, data, 0);
		assert_memory_equal(fpdu, f->data, 24);
		assert_memory_equal(fpdu + 24, &zero, 4);
		memcpy(fpdu + 24, f->data + 24, 4);
		check_fixed(f, fpdu, RDMAP_IMM_FPDU_LEN);
	}
}

static void test_imm_of_send(void **state)
{
	u8 fpdu[64];
	const u8 *hdr = fpdu + RDMAP_IMM_FPDU_LEN - RDMAP_IMM_LEN;

	(void)state;
	rdmap_put_imm(fpdu, RDMAP_IMM, 9, cpu_to_be32(7), RDMAP_IMM_OF_SEND);
	assert_memory_equal(hdr, "\0\0\0\7SwIm", 8);
	assert_true(rdmap_imm_of_send(hdr));
	assert_true(rdmap_get_imm(hdr) == cpu_to_be32(7));
	rdmap_put_imm(fpdu, RDMAP_IMM, 9, cpu_to_be32(7), 0);
	assert_false(rdmap_imm_of_send(hdr));
}

static void test_atomic_req_vectors(void **state)
{
	static const struct rdmap_atomic_req reqs[] = {
		{ RDMAP_AOP_FETCH_ADD, 0x11223344, 0x3300, 0x4000, 1, 0, 0,
		  ~0ull },
		{ RDMAP_AOP_CMP_SWAP, 0x11223345, 0x3300, 0x4008,
		  0x2222222222222222, ~0ull, 0x1111111111111111, ~0ull },
	};
	static const char * const names[] = { "F21", "F22" };
	struct rdmap_atomic_req r;
	struct frame *f;
	u8 fpdu[80];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = fixed_vector(names[i], RDMAP_ATOMIC_REQ, 1, 2 + i, 52);
		memset(&r, 0, sizeof(r));
		assert_int_equal(rdmap_get_atomic_req(f->data + 20, &r), IW_OK);
		assert_int_equal(r.aop, reqs[i].aop);
		assert_int_equal(r.req_id, reqs[i].req_id);
		assert_int_equal(r.stag, reqs[i].stag);
		assert_true(r.to == reqs[i].to);
		assert_true(r.data == reqs[i].data && r.mask == reqs[i].mask);
		assert_true(r.compare == reqs[i].compare);
		assert_true(r.compare_mask == reqs[i].compare_mask);
		/* a FetchAdd has no use for these, whatever they are */
		if (r.aop == RDMAP_AOP_FETCH_ADD) {
			r.compare = 0x5555;
			r.compare_mask = 0x5555;
		}
		check_fixed(f, fpdu, rdmap_put_atomic_req(fpdu, 2 + i, &r));
	}
}

static void test_atomic_resp_vector(void **state)
{
	struct frame *f = fixed_vector("F23", RDMAP_ATOMIC_RESP, 3, 1, 12);
	struct rdmap_atomic_resp r;
	u8 fpdu[64];

	(void)state;
	rdmap_get_atomic_resp(f->data + 20, &r);
	assert_int_equal(r.req_id, 0x11223344);
	assert_true(r.value == 41);
	check_fixed(f, fpdu, rdmap_put_atomic_resp(fpdu, 1, &r));
}

/* EXT-16 */
static void test_atomic_opcodes(void **state)
{
	struct frame *f = vector_get("F21");
	struct rdmap_atomic_req r;
	int aop;

	(void)state;
	for (aop = 0; aop < 16; aop++) {
		f->data[23] = 0xf0 | aop;	/* reserved bits are ignored */
		f->data[20] = 0xff;
		assert_int_equal(rdmap_get_atomic_req(f->data + 20, &r),
				 aop == 0 || aop == 2 ? IW_OK :
				 IW_ERR_ATOMIC_OPCODE);
		assert_int_equal(r.aop, aop);
	}
	free(f);
}

/* -------------------------------------------------------- opcode table --- */

static void test_opcode_table(void **state)
{
	static const u8 qn[RDMAP_OPCODES] = { 0, 1, 0, 0, 0, 0, 0, 2,
					      0, 0, 1, 3 };
	const struct rdmap_op *op;
	int i;

	(void)state;
	for (i = 0; i < RDMAP_OPCODES; i++) {
		op = rdmap_op(i);
		assert_non_null(op->name);
		assert_int_equal(!!(op->flags & RDMAP_OP_VALID),
				 i < 0xc || i == 0xf);
		assert_int_equal(!!(op->flags & RDMAP_OP_TAGGED),
				 i == 0 || i == 2 || i == 0xf);
		assert_int_equal(op->qn, qn[i]);
		assert_int_equal(!!(op->flags & RDMAP_OP_RECV),
				 (i >= 3 && i <= 6) || i == 8 || i == 9);
		assert_int_equal(!!(op->flags & RDMAP_OP_INV),
				 i == 4 || i == 6);
		assert_int_equal(!!(op->flags & RDMAP_OP_SE),
				 i == 5 || i == 6 || i == 9);
		assert_int_equal(!!(op->flags & RDMAP_OP_REQ),
				 i == 1 || i == 0xa);
		assert_int_equal(!!(RDMAP_OPS_ALL & 1 << i), i < 0xc);
	}
	assert_ptr_equal(rdmap_op(0xf3), rdmap_op(3));
	assert_int_equal(rdmap_ctrl(RDMAP_ATOMIC_RESP), 0x4b);
}

/* ------------------------------------------------------ single segments --- */

/* Change one octet of a vector's ULPDU and decode it. */
static enum iw_err decode_changed(const char *name, int at, u8 value)
{
	struct frame *f = vector_get(name);
	struct ddp_seg seg;
	enum iw_err err;

	f->data[2 + at] = value;
	err = decode(f->data, &seg);
	free(f);
	return err;
}

static void test_decode_versions(void **state)
{
	(void)state;
	assert_int_equal(decode_changed("F01", 0, 0x40), IW_ERR_UNTAG_VERSION);
	assert_int_equal(decode_changed("F01", 0, 0x42), IW_ERR_UNTAG_VERSION);
	assert_int_equal(decode_changed("F01", 0, 0x43), IW_ERR_UNTAG_VERSION);
	assert_int_equal(decode_changed("F06", 0, 0xc0), IW_ERR_TAG_VERSION);
	assert_int_equal(decode_changed("F06", 0, 0xc3), IW_ERR_TAG_VERSION);
	assert_int_equal(decode_changed("F01", 1, 0x03), IW_ERR_RDMAP_VERSION);
	assert_int_equal(decode_changed("F01", 1, 0x83), IW_ERR_RDMAP_VERSION);
	assert_int_equal(decode_changed("F06", 1, 0xc0), IW_ERR_RDMAP_VERSION);
	/* reserved bits (TC-073) */
	assert_int_equal(decode_changed("F01", 0, 0x7d), IW_OK);
	assert_int_equal(decode_changed("F01", 1, 0x73), IW_OK);
}

static void test_decode_opcodes(void **state)
{
	int op;

	(void)state;
	for (op = 0xc; op < 0x10; op++) {
		assert_int_equal(decode_changed("F08", 1, 0x40 | op),
				 IW_ERR_OPCODE);
		assert_int_equal(decode_changed("F06", 1, 0x40 | op),
				 IW_ERR_OPCODE);
	}
	/* Q10: tagged opcode untagged, and each untagged one tagged */
	assert_int_equal(decode_changed("F01", 1, 0x40), IW_ERR_OPCODE_TAG);
	assert_int_equal(decode_changed("F01", 1, 0x42), IW_ERR_OPCODE_TAG);
	for (op = 0; op < 0xc; op++)
		assert_int_equal(decode_changed("F06", 1, 0x40 | op),
				 op == 0 || op == 2 ? IW_OK :
				 IW_ERR_OPCODE_TAG);
}

static void test_decode_queues(void **state)
{
	static const char * const names[] = { "F01", "F08", "F12", "F23",
					      "F21", "F19" };
	static const u8 good[] = { 0, 1, 2, 3, 1, 0 };
	size_t i;
	int qn;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		for (qn = 0; qn < 256; qn++)
			assert_int_equal(decode_changed(names[i], 9, qn),
					 qn == good[i] ? IW_OK : IW_ERR_QN);
		assert_int_equal(decode_changed(names[i], 6, 0x80), IW_ERR_QN);
	}
}

static void test_decode_support(void **state)
{
	static const char * const names[] = { "F19", "F20", "F21", "F23" };
	u8 unassigned[18] = { 0x41, 0x4c };
	u8 ack[20] = {};
	struct ddp_seg seg;
	struct frame *f;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {	/* Q17, EXT-19 */
		f = vector_get(names[i]);
		assert_int_equal(rdmap_decode(f->data + 2, mpa_get_len(f->data),
					      RDMAP_OPS_5040, &seg),
				 IW_ERR_OPCODE);
		free(f);
	}
	/* an acknowledgment is taken by agreement only, and is tagged */
	rdmap_put_ack(ack, 0x123456789aull);
	assert_int_equal(rdmap_decode(ack + 2, 14, RDMAP_OPS_ALL, &seg),
			 IW_ERR_OPCODE);
	assert_int_equal(rdmap_decode(ack + 2, 14, BIT(RDMAP_ACK), &seg),
			 IW_OK);
	assert_int_equal(seg.to, 0x123456789aull);
	assert_int_equal(seg.payload_len, 0);
	assert_true(seg.last && seg.tagged);
	ack[2] &= ~0x80;
	assert_int_equal(rdmap_decode(ack + 2, 18, BIT(RDMAP_ACK), &seg),
			 IW_ERR_OPCODE_TAG);
	/* nobody can switch on what does not exist */
	assert_int_equal(rdmap_decode(unassigned, 18, 0xffff, &seg),
			 IW_ERR_OPCODE);
}

/* Each length below the headers of its opcode, for all opcodes (T-34). */
static void test_decode_short(void **state)
{
	static const u8 need[RDMAP_OPCODES] = { 18, 46, 18, 18, 18, 18, 18, 22,
						18, 18, 70, 30, 18, 18, 18,
						18 };
	u8 fpdu[128] = {};
	struct ddp_seg seg;
	enum iw_err err;
	int len, op, tagged;

	(void)state;
	for (op = 0; op < RDMAP_OPCODES; op++) {
		for (tagged = 0; tagged < 2; tagged++) {
			for (len = 0; len < 100; len++) {
				mpa_put_len(fpdu, len);
				fpdu[2] = 0x41 | tagged << 7;
				fpdu[3] = 0x40 | op;
				err = decode(fpdu, &seg);
				assert_int_equal(err == IW_ERR_FPDU_LEN,
						 len < (tagged ? 14 :
							need[op]));
			}
		}
	}
}

/* Several faults at once: the first of the order in section 3 counts. */
static void test_decode_priority(void **state)
{
	static const struct {
		u8 ulpdu[18];
		u16 len;
		enum iw_err err;
	} row[] = {
		{ { 0x40, 0x0f, [9] = 9 }, 17, IW_ERR_FPDU_LEN },
		{ { 0x40, 0x0f, [9] = 9 }, 18, IW_ERR_UNTAG_VERSION },
		{ { 0xc2, 0x0f }, 18, IW_ERR_TAG_VERSION },
		{ { 0x41, 0x0f, [9] = 9 }, 18, IW_ERR_RDMAP_VERSION },
		{ { 0x41, 0x4f, [9] = 9 }, 18, IW_ERR_OPCODE },
		{ { 0x41, 0x40, [9] = 9 }, 18, IW_ERR_OPCODE_TAG },
		{ { 0x41, 0x43, [9] = 9 }, 18, IW_ERR_QN },
		{ { 0x41, 0x43 }, 18, IW_OK },
	};
	struct ddp_seg seg;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(rdmap_decode(row[i].ulpdu, row[i].len,
					      RDMAP_OPS_ALL, &seg),
				 row[i].err);
}

static void test_decode_longest(void **state)
{
	u8 ulpdu[18] = { 0x41, 0x43, [13] = 1 };
	struct ddp_seg seg;

	(void)state;
	assert_int_equal(rdmap_decode(ulpdu, 65535, RDMAP_OPS_ALL, &seg),
			 IW_OK);
	assert_int_equal(seg.payload_len, 65517);
}

/* ----------------------------------------------------------------- RTR --- */

static u8 rtr_of(const char *name, u8 ctrl, u32 size)
{
	struct rdmap_read_req r = {};
	struct frame *f = vector_get(name);
	struct ddp_seg seg;

	f->data[2] = ctrl ? ctrl : f->data[2];
	assert_int_equal(decode(f->data, &seg), IW_OK);
	if (seg.opcode == RDMAP_READ_REQ)
		rdmap_get_read_req(f->data + 20, &r);
	r.size += size;
	free(f);
	return rdmap_rtr_type(&seg, &r);
}

static void test_rtr_type(void **state)
{
	struct ddp_seg end = { .opcode = RDMAP_SEND, .last = true, .mo = 8 };

	(void)state;
	assert_int_equal(rtr_of("F02", 0, 0), MPA_RTR_SEND);
	assert_int_equal(rtr_of("F07", 0, 0), MPA_RTR_WRITE);
	assert_int_equal(rtr_of("F09", 0, 0), MPA_RTR_READ);
	assert_int_equal(rtr_of("F02", 0x01, 0), 0);	/* not the last */
	assert_int_equal(rtr_of("F07", 0x81, 0), 0);
	assert_int_equal(rtr_of("F09", 0, 1), 0);
	assert_int_equal(rtr_of("F01", 0, 0), 0);
	assert_int_equal(rtr_of("F06", 0, 0), 0);
	assert_int_equal(rtr_of("F05", 0, 0), 0);
	assert_int_equal(rtr_of("F11", 0, 0), 0);
	assert_int_equal(rtr_of("F12", 0, 0), 0);
	/* the empty end of a longer message */
	assert_int_equal(rdmap_rtr_type(&end, NULL), 0);
}

/* ------------------------------------------------------------- atomics --- */

static void test_fetch_add(void **state)
{
	static const u64 row[][4] = {	/* original, add, mask, new */
		{ 0x29, 1, 0, 0x2a },
		{ 0xffffffffffffffff, 1, 0, 0 },
		{ 0x00000000ffffffff, 1, 0, 0x0000000100000000 },
		{ 0x00000000ffffffff, 1, 0x0000000080000000, 0 },
		{ 0x00ff00ff00ff00ff, 0x0001000100010001, 0x8000800080008000,
		  0x0100010001000100 },
		{ 0xffffffffffffffff, 0x0101010101010101, 0x8080808080808080,
		  0 },
		{ 0x5555555555555555, 0xffffffffffffffff, 0xffffffffffffffff,
		  0xaaaaaaaaaaaaaaaa },
		{ 0x8000000000000000, 0x8000000000000000, 0x8000000000000000,
		  0 },
	};
	struct rdmap_atomic_req r = { .aop = RDMAP_AOP_FETCH_ADD };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		assert_true(rdmap_fetch_add(row[i][0], row[i][1], row[i][2]) ==
			    row[i][3]);
		r.data = row[i][1];
		r.mask = row[i][2];
		assert_true(rdmap_atomic_result(&r, row[i][0]) == row[i][3]);
	}
}

/* Bit by bit, as RFC 7306 5.1.1 describes it. */
static u64 naive_fetch_add(u64 orig, u64 add, u64 mask)
{
	u64 sum = 0, carry = 0, a, b;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		a = orig >> bit & 1;
		b = add >> bit & 1;
		sum |= (a ^ b ^ carry) << bit;
		carry = (a + b + carry) >> 1;
		if (mask >> bit & 1)
			carry = 0;
	}
	return sum;
}

static u64 next_random(void)
{
	static u64 x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void test_fetch_add_random(void **state)
{
	u64 a, b, m;
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		a = next_random();
		b = next_random();
		m = next_random() & next_random() & next_random();
		assert_true(rdmap_fetch_add(a, b, m) ==
			    naive_fetch_add(a, b, m));
	}
}

static void test_cmp_swap(void **state)
{
	static const u64 row[][6] = {	/* orig, cmp, cmask, swap, smask, new */
		{ 0x1111111111111111, 0x1111111111111111, ~0ull,
		  0x2222222222222222, ~0ull, 0x2222222222222222 },
		{ 0x1111111111111112, 0x1111111111111111, ~0ull,
		  0x2222222222222222, ~0ull, 0x1111111111111112 },
		{ 0x1122334455667788, 0xffffffff55667788, 0x00000000ffffffff,
		  0xaaaaaaaabbbbbbbb, 0xffff000000000000, 0xaaaa334455667788 },
		{ 0x1122334455667788, 0, 0, 0xaaaaaaaabbbbbbbb,
		  0x00000000ffffffff, 0x11223344bbbbbbbb },
		{ 0x1122334455667788, 0x1122334455667788, ~0ull, ~0ull, 0,
		  0x1122334455667788 },
	};
	struct rdmap_atomic_req r = { .aop = RDMAP_AOP_CMP_SWAP };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		assert_true(rdmap_cmp_swap(row[i][0], row[i][1], row[i][2],
					   row[i][3], row[i][4]) == row[i][5]);
		r.compare = row[i][1];
		r.compare_mask = row[i][2];
		r.data = row[i][3];
		r.mask = row[i][4];
		assert_true(rdmap_atomic_result(&r, row[i][0]) == row[i][5]);
	}
}

static void test_read_advance(void **state)
{
	struct rdmap_read_req r = { 1, 100, 0x2000, 2, 0x3000 };

	(void)state;
	rdmap_read_advance(&r, 60);
	assert_int_equal(r.size, 40);
	assert_true(r.sink_to == 0x203c && r.src_to == 0x303c);
	rdmap_read_advance(&r, 0xffffffff);	/* never below nothing */
	assert_int_equal(r.size, 0);
	assert_true(r.src_to == 0x3064);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_vectors),
		cmocka_unit_test(test_send_hides_stag),
		cmocka_unit_test(test_read_req_vectors),
		cmocka_unit_test(test_imm_vectors),
		cmocka_unit_test(test_imm_of_send),
		cmocka_unit_test(test_atomic_req_vectors),
		cmocka_unit_test(test_atomic_resp_vector),
		cmocka_unit_test(test_atomic_opcodes),
		cmocka_unit_test(test_opcode_table),
		cmocka_unit_test(test_decode_versions),
		cmocka_unit_test(test_decode_opcodes),
		cmocka_unit_test(test_decode_queues),
		cmocka_unit_test(test_decode_support),
		cmocka_unit_test(test_decode_short),
		cmocka_unit_test(test_decode_priority),
		cmocka_unit_test(test_decode_longest),
		cmocka_unit_test(test_rtr_type),
		cmocka_unit_test(test_fetch_add),
		cmocka_unit_test(test_fetch_add_random),
		cmocka_unit_test(test_cmp_swap),
		cmocka_unit_test(test_read_advance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
