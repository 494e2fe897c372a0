// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * proto/rdv.c: names, roles and frames of the rendezvous.
 */
#include "proto/rdv.h"
#include "testlib.h"

static const struct rdv_hello hello = {
	.src = {
		.gid = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 },
		.qpn = 0x123456,
	},
	.dst = {
		.gid = { [0] = 0xfd, [15] = 2 },
		.qpn = 0xabcdef,
	},
	.caps = RDV_CAP_SEND_IMM,
};

/* The frame of @hello, octet by octet. */
static const u8 frame[RDV_FRAME_LEN] = {
	0x73, 0x69, 0x77, 0x72, 0x01, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x00, 0x12, 0x34, 0x56,
	0x00, 0xab, 0xcd, 0xef, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0xff, 0xff, 0x0a, 0x00, 0x00, 0x01,
	0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
};

static void assert_same(const struct rdv_hello *a, const struct rdv_hello *b)
{
	assert_int_equal(rdv_compare(&a->src, &b->src), 0);
	assert_int_equal(rdv_compare(&a->dst, &b->dst), 0);
	assert_int_equal(a->caps, b->caps);
}

static void test_encode(void **state)
{
	u8 buf[RDV_FRAME_LEN];

	(void)state;
	memset(buf, 0xaa, sizeof(buf));
	rdv_encode(buf, &hello);
	assert_memory_equal(buf, frame, sizeof(buf));
}

static void test_decode(void **state)
{
	u8 buf[RDV_FRAME_LEN + 1] = {};
	struct rdv_hello got;

	(void)state;
	assert_true(rdv_decode(frame, sizeof(frame), &got));
	assert_same(&got, &hello);
	/* what is reserved or follows does not count */
	memcpy(buf, frame, sizeof(frame));
	buf[6] = 0xff;
	buf[20] = 0xff;
	assert_true(rdv_decode(buf, sizeof(buf), &got));
	assert_same(&got, &hello);
}

static void test_decode_bad(void **state)
{
	static const u8 places[] = { 0, 1, 2, 3, 4, 5, 12, 16 };
	struct rdv_hello got;
	u8 *copy;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(frame); i++) {
		copy = malloc(i ? i : 1);
		memcpy(copy, frame, i);
		assert_false(rdv_decode(copy, i, &got));
		free(copy);
	}
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		copy = malloc(sizeof(frame));
		memcpy(copy, frame, sizeof(frame));
		copy[places[i]] ^= 0x10;
		assert_false(rdv_decode(copy, sizeof(frame), &got));
		free(copy);
	}
}

static void assert_pair(const struct rdv_id *low, const struct rdv_id *high)
{
	assert_int_equal(rdv_role(low, high), RDV_ACTIVE);
	assert_int_equal(rdv_role(high, low), RDV_PASSIVE);
}

static void test_role(void **state)
{
	struct rdv_id a = hello.src, b = hello.src;

	(void)state;
	assert_int_equal(rdv_role(&a, &b), RDV_SELF);
	b.qpn++;
	assert_pair(&a, &b);
	/* the address counts first, as octets without a sign */
	b.qpn = 2;
	b.gid[15] = 0xfe;
	assert_pair(&a, &b);
	assert_pair(&hello.src, &hello.dst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_bad),
		cmocka_unit_test(test_role),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
