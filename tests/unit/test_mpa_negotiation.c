// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * proto/mpa.c: what two ends make of a Request and a Reply (RFC 5044 7.1.1,
 * RFC 6581 9).
 */
#include "proto/mpa.h"
#include "testlib.h"

#define NONE	MPA_DEPTH_NONE
#define S	MPA_RTR_SEND
#define W	MPA_RTR_WRITE
#define R	MPA_RTR_READ

/* The defaults of section 4 of the conformance sheet. */
static const struct mpa_config defaults = {
	.crc = true, .enhanced = true, .p2p = true, .rtr = S | W | R,
	.ird = 8, .ord = 8, .max_ird = 64, .max_ord = 64,
};

static struct mpa_params enhanced(bool p2p, u8 rtr, u16 ird, u16 ord)
{
	return (struct mpa_params){ .rev = 2, .crc = true, .enhanced = true,
				    .p2p = p2p, .rtr = rtr, .ird = ird,
				    .ord = ord };
}

/* ---------------------------------------------------- CRC and markers --- */

static void test_crc_and_markers(void **state)
{
	struct mpa_config ini = { .max_ird = 1 }, res = { .max_ird = 1 };
	struct mpa_settings at_ini, at_res;
	struct mpa_params req, rep;
	int i;

	(void)state;
	for (i = 0; i < 16; i++) {
		ini.crc = i & 1;
		res.crc = i & 2;
		ini.markers = i & 4;
		res.markers = i & 8;
		mpa_request(&ini, &req);
		assert_int_equal(req.crc, ini.crc);
		assert_int_equal(req.markers, ini.markers);
		assert_int_equal(mpa_respond(&res, &req, &rep, &at_res),
				 IW_OK);
		assert_int_equal(mpa_conclude(&ini, &req, &rep, &at_ini),
				 IW_OK);
		/* MPA-24, T-16: the Reply says C=1 whenever CRC is on */
		assert_int_equal(rep.crc, ini.crc || res.crc);
		assert_int_equal(at_ini.crc, ini.crc || res.crc);
		assert_int_equal(at_res.crc, ini.crc || res.crc);
		/* MPA-22: who asks for markers gets them */
		assert_int_equal(at_ini.rx_markers, ini.markers);
		assert_int_equal(at_res.tx_markers, ini.markers);
		assert_int_equal(at_ini.tx_markers, res.markers);
		assert_int_equal(at_res.rx_markers, res.markers);
		assert_true(at_res.hold);
		assert_false(at_ini.hold);
	}
}

/* A peer that answers C=0 although we asked still gets CRC. */
static void test_crc_by_or(void **state)
{
	struct mpa_params req = enhanced(false, 0, 1, 1), rep = req;
	struct mpa_settings set;

	(void)state;
	rep.crc = false;
	assert_int_equal(mpa_conclude(&defaults, &req, &rep, &set), IW_OK);
	assert_true(set.crc);
	req.crc = false;
	assert_int_equal(mpa_conclude(&defaults, &req, &rep, &set), IW_OK);
	assert_false(set.crc);
	rep.crc = true;
	assert_int_equal(mpa_conclude(&defaults, &req, &rep, &set), IW_OK);
	assert_true(set.crc);
}

/* ------------------------------------------------------------ Request --- */

static void test_request(void **state)
{
	struct mpa_config cfg = defaults;
	struct mpa_params req;

	(void)state;
	mpa_request(&cfg, &req);
	assert_int_equal(req.rev, 2);
	assert_true(req.enhanced && req.p2p && req.crc);
	assert_false(req.markers || req.reject);
	assert_int_equal(req.rtr, S | W | R);
	assert_int_equal(req.ird, 8);
	assert_int_equal(req.ord, 8);

	cfg.p2p = false;		/* ENH-18 */
	mpa_request(&cfg, &req);
	assert_int_equal(req.rtr, 0);
	assert_false(req.p2p);

	cfg.ird = 100;			/* beyond the device */
	cfg.ord = 65;
	mpa_request(&cfg, &req);
	assert_int_equal(req.ird, 64);
	assert_int_equal(req.ord, 64);

	cfg.max_ird = 0xffff;	/* T-30: a real number always */
	cfg.max_ord = NONE;
	cfg.ird = cfg.max_ird;
	cfg.ord = cfg.max_ord;
	mpa_request(&cfg, &req);
	assert_int_equal(req.ird, 0x3ffe);
	assert_int_equal(req.ord, 0x3ffe);

	cfg.enhanced = false;		/* ENH-06, T-07 */
	mpa_request(&cfg, &req);
	assert_int_equal(req.rev, 1);
	assert_int_equal(req.enhanced | req.p2p | req.ird | req.ord, 0);
}

/* An offered RTR Read needs ORD 1 on the wire, the ULP still gets 0. */
static void test_request_ord_for_rtr(void **state)
{
	struct mpa_config cfg = defaults;
	struct mpa_settings set;
	struct mpa_params req, rep = enhanced(true, R, 1, 0);

	(void)state;
	cfg.ord = 0;
	mpa_request(&cfg, &req);
	assert_int_equal(req.ord, 1);
	assert_int_equal(mpa_conclude(&cfg, &req, &rep, &set), IW_OK);
	assert_int_equal(set.ord, 0);
	assert_int_equal(set.rtr, R);

	cfg.rtr = W;
	mpa_request(&cfg, &req);
	assert_int_equal(req.ord, 0);
}

/* ---------------------------------------------------------- Responder --- */

static void test_respond_unenhanced(void **state)
{
	struct mpa_params req = { .rev = 1, .crc = true }, rep;
	struct mpa_settings set;
	int rev;

	(void)state;
	for (rev = 1; rev <= 2; rev++) {	/* ENH-02, ENH-04 */
		req.rev = rev;
		memset(&rep, 0xff, sizeof(rep));
		assert_int_equal(mpa_respond(&defaults, &req, &rep, &set),
				 IW_OK);
		assert_int_equal(rep.rev, 1);
		assert_false(rep.enhanced || rep.p2p || rep.reject);
		assert_int_equal(rep.rtr | rep.ird | rep.ord | rep.pd_len, 0);
		assert_false(set.enhanced || set.p2p);
		assert_int_equal(set.rev, 1);
		assert_int_equal(set.ird, 8);
		assert_int_equal(set.ord, 8);
		assert_int_equal(set.peer_ird | set.peer_ord | set.rtr, 0);
	}
}

static void test_respond_switched_off(void **state)
{
	struct mpa_params req = enhanced(true, W | R, 4, 4), rep;
	struct mpa_config cfg = defaults;
	struct mpa_settings set;

	(void)state;
	cfg.enhanced = false;			/* ENH-05 */
	assert_int_equal(mpa_respond(&cfg, &req, &rep, &set), IW_ERR_MPA_REV);
	assert_int_equal(mpa_respond_reject(&cfg, &req, &rep),
			 IW_ERR_MPA_REV);
	req = (struct mpa_params){ .rev = 1 };
	assert_int_equal(mpa_respond(&cfg, &req, &rep, &set), IW_OK);
}

static void test_respond_depths(void **state)
{
	static const struct {
		u16 req_ird, req_ord;		/* the Initiator's frame */
		u16 rep_ird, rep_ord;		/* our answer */
		u16 ird, ord;			/* what we keep */
	} row[] = {
		{ 8, 8, 8, 8, 8, 8 },
		{ 4, 8, 8, 4, 8, 4 },		/* ENH-08 */
		{ 1, 1, 8, 1, 8, 1 },
		{ 0, 0, 8, 0, 8, 0 },
		{ 64, 16, 16, 8, 16, 8 },	/* ENH-09, ENH-27: IRD raised */
		{ 8, 64, 64, 8, 64, 8 },
		{ 8, 65, 64, 8, 64, 8 },	/* device limit */
		{ 0x3ffe, 0x3ffe, 64, 8, 64, 8 },	/* TC-042 */
		{ NONE, NONE, NONE, NONE, 8, 8 },	/* ENH-14, TC-040 */
		{ NONE, 16, 16, NONE, 16, 8 },
		{ 2, NONE, NONE, 2, 8, 2 },
	};
	struct mpa_params req, rep;
	struct mpa_settings set;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		req = enhanced(false, 0, row[i].req_ird, row[i].req_ord);
		assert_int_equal(mpa_respond(&defaults, &req, &rep, &set),
				 IW_OK);
		assert_int_equal(rep.ird, row[i].rep_ird);
		assert_int_equal(rep.ord, row[i].rep_ord);
		assert_int_equal(set.ird, row[i].ird);
		assert_int_equal(set.ord, row[i].ord);
		assert_int_equal(set.peer_ird, row[i].req_ird);
		assert_int_equal(set.peer_ord, row[i].req_ord);
		assert_int_equal(rep.rev, 2);
		assert_true(rep.enhanced && set.enhanced);
	}
}

static void test_respond_rtr(void **state)
{
	static const struct {
		bool p2p;
		u8 offered, have, prefer;
		u8 granted;
	} row[] = {
		{ true, W | R, S | W | R, 0, W },	/* TC-032, T-04 */
		{ true, R, S | W | R, 0, R },		/* T-04: D alone */
		{ true, W, S | W | R, 0, W },
		{ true, S, S | W | R, 0, S },		/* TC-033 */
		{ true, S | W | R, S | W | R, R, R },
		{ true, S | R, S | W | R, W, R },	/* preference n/a */
		{ true, W | R, R, 0, R },
		{ true, W, R, 0, R },			/* nothing in common */
		{ true, 0, S | W | R, 0, W },
		{ true, W | R, 0, 0, W },		/* ENH-19: at least one */
		{ false, S | W | R, S | W | R, 0, 0 },	/* ENH-18, TC-034 */
	};
	struct mpa_config cfg = defaults;
	struct mpa_params req, rep;
	struct mpa_settings set;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		req = enhanced(row[i].p2p, row[i].offered, 4, 4);
		cfg.rtr = row[i].have;
		cfg.rtr_prefer = row[i].prefer;
		assert_int_equal(mpa_respond(&cfg, &req, &rep, &set), IW_OK);
		assert_int_equal(rep.p2p, row[i].p2p);	/* ENH-17, T-02 */
		assert_int_equal(rep.rtr, row[i].granted);
		assert_int_equal(set.p2p, row[i].p2p);
		assert_int_equal(set.rtr, row[i].granted);
	}
}

/* A granted RTR Read has room, though nobody asked for depth (ENH-15). */
static void test_respond_rtr_read_room(void **state)
{
	struct mpa_params req = enhanced(true, R, 0, 0), rep;
	struct mpa_config cfg = defaults;
	struct mpa_settings set;

	(void)state;
	cfg.ird = 0;
	assert_int_equal(mpa_respond(&cfg, &req, &rep, &set), IW_OK);
	assert_int_equal(rep.rtr, R);		/* TC-041 */
	assert_int_equal(rep.ird, 1);
	assert_int_equal(set.ird, 1);

	req = enhanced(true, W, 0, 0);		/* no Read, no room */
	assert_int_equal(mpa_respond(&cfg, &req, &rep, &set), IW_OK);
	assert_int_equal(rep.ird, 0);

	cfg.max_ird = 0;			/* no Reads at all */
	req = enhanced(true, R, 0, 0);
	assert_int_equal(mpa_respond(&cfg, &req, &rep, &set), IW_OK);
	assert_int_equal(rep.rtr, W);
	assert_int_equal(set.ird, 0);
	assert_int_equal(mpa_ird_slots(set.ird), 1);	/* T-11 */
	assert_int_equal(mpa_ird_slots(5), 5);
}

static void test_respond_reject(void **state)
{
	struct mpa_config cfg = defaults;
	struct mpa_params req = enhanced(true, R, 1, 1), rep;
	struct frame *f = vector_get("S10");
	u8 buf[MPA_FRAME_MAX];
	int len;

	(void)state;
	cfg.ird = 0;
	cfg.ord = 32;
	assert_int_equal(mpa_respond_reject(&cfg, &req, &rep), IW_OK);
	len = mpa_startup_encode(buf, sizeof(buf), MPA_REPLY, &rep, NULL);
	assert_octets("S10", buf, len, f->data, f->len);
	free(f);

	req = (struct mpa_params){ .rev = 1, .crc = true };	/* S03 */
	assert_int_equal(mpa_respond_reject(&cfg, &req, &rep), IW_OK);
	assert_true(rep.reject && rep.crc);
	assert_false(rep.enhanced);
	assert_int_equal(rep.ird | rep.ord, 0);
	assert_int_equal(rep.rev, 1);
}

/* ---------------------------------------------------------- Initiator --- */

static void test_conclude_depths(void **state)
{
	static const struct {
		u16 rep_ird, rep_ord;		/* the Responder's frame */
		enum iw_err err;
		u16 ird, ord;
	} row[] = {
		{ 8, 8, IW_OK, 8, 8 },
		{ 1, 8, IW_OK, 8, 1 },		/* ENH-10, TC-049 */
		{ 0, 0, IW_OK, 8, 0 },
		{ 64, 4, IW_OK, 8, 8 },
		{ 8, 9, IW_OK, 9, 8 },		/* ENH-27 */
		{ 8, 64, IW_OK, 64, 8 },
		{ 8, 65, IW_ERR_MPA_IRD, 0, 0 },	/* ENH-11 */
		{ 8, 0x3ffe, IW_ERR_MPA_IRD, 0, 0 },	/* TC-048 */
		{ NONE, 8, IW_OK, 8, 8 },
		{ 8, NONE, IW_OK, 8, 8 },
		{ NONE, NONE, IW_OK, 8, 8 },
	};
	struct mpa_config cfg = defaults;
	struct mpa_params req, rep;
	struct mpa_settings set;
	size_t i;

	(void)state;
	cfg.p2p = false;
	mpa_request(&cfg, &req);
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		rep = enhanced(false, 0, row[i].rep_ird, row[i].rep_ord);
		rep.markers = true;
		assert_int_equal(mpa_conclude(&cfg, &req, &rep, &set),
				 row[i].err);
		/* all that the Terminate needs is there even then */
		assert_true(set.crc && set.tx_markers);
		assert_int_equal(set.peer_ird, row[i].rep_ird);
		assert_int_equal(set.peer_ord, row[i].rep_ord);
		if (row[i].err)
			continue;
		assert_int_equal(set.ird, row[i].ird);
		assert_int_equal(set.ord, row[i].ord);
		assert_false(set.p2p);
		assert_int_equal(set.rtr, 0);
	}
}

/* 0x3FFF is no number: it does not even limit a larger one. */
static void test_conclude_none_is_no_limit(void **state)
{
	struct mpa_config cfg = defaults;
	struct mpa_params req, rep = enhanced(false, 0, NONE, NONE);
	struct mpa_settings set;

	(void)state;
	cfg.p2p = false;
	cfg.ord = 0x4000;
	cfg.max_ord = 0x4000;
	mpa_request(&cfg, &req);
	assert_int_equal(mpa_conclude(&cfg, &req, &rep, &set), IW_OK);
	assert_int_equal(set.ord, 0x4000);
}

static void test_conclude_rtr(void **state)
{
	static const struct {
		bool p2p;
		u8 granted, have, prefer;
		u16 rep_ird;
		u8 chosen;		/* 0: error */
	} row[] = {
		{ true, W, S | W | R, 0, 8, W },
		{ true, R, S | W | R, 0, 8, R },
		{ true, S, S | W | R, 0, 8, S },
		{ true, W | R, S | W | R, 0, 8, W },
		{ true, W | R, S | W | R, R, 8, R },
		{ true, S | W | R, S | W | R, 0, 8, W },	/* T-08 */
		{ true, S, W | R, 0, 8, 0 },		/* ENH-21, TC-047 */
		{ true, 0, S | W | R, 0, 8, 0 },
		{ true, R, S | W | R, 0, 0, 0 },	/* no slot for it */
		{ true, S | R, S | W | R, 0, 0, S },
		{ true, R, S | W | R, 0, NONE, R },
		{ false, W, S | W | R, 0, 8, 0 },	/* TC-051 */
	};
	struct mpa_config cfg = defaults;
	struct mpa_params req, rep;
	struct mpa_settings set;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		cfg.rtr = row[i].have;
		cfg.rtr_prefer = row[i].prefer;
		mpa_request(&cfg, &req);
		rep = enhanced(row[i].p2p, row[i].granted, row[i].rep_ird, 8);
		assert_int_equal(mpa_conclude(&cfg, &req, &rep, &set),
				 row[i].chosen ? IW_OK : IW_ERR_MPA_RTR);
		assert_int_equal(set.rtr, row[i].chosen);
	}
}

/* T-05: what the Reply names counts, offered or not. */
static void test_conclude_rtr_not_offered(void **state)
{
	struct mpa_params req = enhanced(true, W, 8, 8);
	struct mpa_params rep = enhanced(true, R, 8, 8);
	struct mpa_settings set;

	(void)state;
	assert_int_equal(mpa_conclude(&defaults, &req, &rep, &set), IW_OK);
	assert_int_equal(set.rtr, R);
}

static void test_conclude_reject(void **state)
{
	struct mpa_params req, rep = enhanced(true, R, 0, 32);
	struct mpa_settings set;

	(void)state;
	mpa_request(&defaults, &req);
	rep.reject = true;
	assert_int_equal(mpa_conclude(&defaults, &req, &rep, &set),
			 IW_ERR_REJECTED);
	assert_int_equal(set.peer_ird, 0);	/* ENH-13 */
	assert_int_equal(set.peer_ord, 32);
	rep = (struct mpa_params){ .rev = 1, .reject = true };
	assert_int_equal(mpa_conclude(&defaults, &req, &rep, &set),
			 IW_ERR_REJECTED);
}

static void test_conclude_mismatch(void **state)
{
	struct mpa_params req, rep = { .rev = 1, .crc = true };
	struct mpa_config cfg = defaults;
	struct mpa_settings set;

	(void)state;
	/* TC-029: asked for peer-to-peer, got plain */
	mpa_request(&cfg, &req);
	assert_int_equal(mpa_conclude(&cfg, &req, &rep, &set), IW_ERR_MPA_RTR);
	/* client/server can do without */
	cfg.p2p = false;
	mpa_request(&cfg, &req);
	assert_int_equal(mpa_conclude(&cfg, &req, &rep, &set), IW_OK);
	assert_false(set.enhanced);
	assert_int_equal(set.rev, 1);
	assert_int_equal(set.ird, 8);
	assert_int_equal(set.ord, 8);
	/* an enhanced Reply to a plain Request */
	cfg.enhanced = false;
	mpa_request(&cfg, &req);
	rep = enhanced(false, 0, 8, 8);
	assert_int_equal(mpa_conclude(&cfg, &req, &rep, &set),
			 IW_ERR_MPA_ENHANCED);
	/* Rev 2 without S is fine */
	rep = (struct mpa_params){ .rev = 2, .crc = true };
	assert_int_equal(mpa_conclude(&cfg, &req, &rep, &set), IW_OK);
	assert_int_equal(set.rev, 1);
}

/* -------------------------------------------------------------- both --- */

/* Two of ours always agree: each ORD fits the other's IRD. */
static void test_both_ends_agree(void **state)
{
	static const u16 depth[] = { 0, 1, 2, 8, 63, 64, 128, 0x3ffe, 0xffff };
	struct mpa_config ini = defaults, res = defaults;
	struct mpa_settings at_ini, at_res;
	struct mpa_params req, rep;
	size_t n = ARRAY_SIZE(depth), i;

	(void)state;
	for (i = 0; i < n * n * n * n; i++) {
		ini.ird = depth[i % n];
		ini.ord = depth[i / n % n];
		res.ird = depth[i / n / n % n];
		res.ord = depth[i / n / n / n];
		ini.p2p = i & 1;
		mpa_request(&ini, &req);
		assert_int_equal(mpa_respond(&res, &req, &rep, &at_res),
				 IW_OK);
		assert_int_equal(mpa_conclude(&ini, &req, &rep, &at_ini),
				 IW_OK);
		assert_true(at_ini.ord <= at_res.ird);
		assert_true(at_res.ord <= at_ini.ird);
		assert_true(at_ini.ird <= 64 && at_ini.ord <= 64);
		assert_true(at_res.ird <= 64 && at_res.ord <= 64);
		assert_true(rep.ord <= req.ird);
		assert_int_equal(at_ini.rtr, at_res.rtr);
		assert_int_equal(at_ini.p2p, at_res.p2p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc_and_markers),
		cmocka_unit_test(test_crc_by_or),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_ord_for_rtr),
		cmocka_unit_test(test_respond_unenhanced),
		cmocka_unit_test(test_respond_switched_off),
		cmocka_unit_test(test_respond_depths),
		cmocka_unit_test(test_respond_rtr),
		cmocka_unit_test(test_respond_rtr_read_room),
		cmocka_unit_test(test_respond_reject),
		cmocka_unit_test(test_conclude_depths),
		cmocka_unit_test(test_conclude_none_is_no_limit),
		cmocka_unit_test(test_conclude_rtr),
		cmocka_unit_test(test_conclude_rtr_not_offered),
		cmocka_unit_test(test_conclude_reject),
		cmocka_unit_test(test_conclude_mismatch),
		cmocka_unit_test(test_both_ends_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
