// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * proto/mpa.c: startup frames, framing, CRC and markers. Negotiation has
 * test_mpa_negotiation.c.
 */
#include "proto/mpa.h"
#include "proto/rdmap.h"
#include "testlib.h"

/* ------------------------------------------------------------ startup --- */

struct startup {
	const char		*name;
	enum mpa_frame		type;
	const char		*pdata;
	struct mpa_params	p;
};

#define W	MPA_RTR_WRITE
#define R	MPA_RTR_READ

static const struct startup startups[] = {
	{ "S01", MPA_REQUEST, "", { .rev = 1, .crc = true } },
	{ "S02", MPA_REPLY, "", { .rev = 1, .crc = true } },
	{ "S03", MPA_REPLY, "no", { .rev = 1, .crc = true, .reject = true } },
	{ "S04", MPA_REQUEST, "abc",
	  { .rev = 2, .crc = true, .enhanced = true, .p2p = true,
	    .rtr = W | R, .ird = 16, .ord = 16 } },
	{ "S05", MPA_REPLY, "",
	  { .rev = 2, .crc = true, .enhanced = true, .p2p = true, .rtr = W,
	    .ird = 16, .ord = 16 } },
	{ "S06", MPA_REPLY, "",
	  { .rev = 2, .crc = true, .enhanced = true, .p2p = true, .rtr = R,
	    .ird = 16, .ord = 8 } },
	{ "S07", MPA_REQUEST, "",
	  { .rev = 2, .crc = true, .enhanced = true, .ird = 4, .ord = 8 } },
	{ "S08", MPA_REPLY, "",
	  { .rev = 2, .crc = true, .enhanced = true, .ird = 8, .ord = 4 } },
	{ "S09", MPA_REQUEST, "",
	  { .rev = 2, .markers = true, .crc = true, .enhanced = true,
	    .p2p = true, .rtr = MPA_RTR_ALL, .ird = 1, .ord = 1 } },
	{ "S10", MPA_REPLY, "",
	  { .rev = 2, .crc = true, .reject = true, .enhanced = true,
	    .p2p = true, .rtr = R, .ird = 0, .ord = 32 } },
	{ "S11", MPA_REQUEST, "",
	  { .rev = 2, .crc = true, .enhanced = true, .ird = MPA_DEPTH_NONE,
	    .ord = MPA_DEPTH_NONE } },
	{ "S12", MPA_REQUEST, "", { .rev = 1, .markers = true, .crc = true } },
	{ "S13", MPA_REPLY, "", { .rev = 1, .markers = true, .crc = true } },
};

static void assert_params(const char *name, const struct mpa_params *have,
			  const struct mpa_params *want)
{
	if (have->rev != want->rev || have->markers != want->markers ||
	    have->crc != want->crc || have->reject != want->reject ||
	    have->enhanced != want->enhanced || have->p2p != want->p2p ||
	    have->rtr != want->rtr || have->ird != want->ird ||
	    have->ord != want->ord || have->pd_len != want->pd_len)
		fail_msg("%s: parameters differ", name);
}

static void test_startup_vectors(void **state)
{
	const struct startup *s;
	u8 buf[MPA_FRAME_MAX];
	struct mpa_params want, have;
	const void *pdata;
	struct frame *f;
	u16 pd_len;
	int len;

	(void)state;
	for (s = startups; s < startups + ARRAY_SIZE(startups); s++) {
		f = vector_get(s->name);
		want = s->p;
		want.pd_len = strlen(s->pdata);
		len = mpa_startup_encode(buf, sizeof(buf), s->type, &want,
					 s->pdata);
		assert_true(len > 0);
		assert_octets(s->name, buf, len, f->data, f->len);

		assert_int_equal(mpa_startup_check(f->data, s->type, &pd_len),
				 IW_OK);
		assert_int_equal(pd_len, f->len - MPA_STARTUP_LEN);
		memset(&have, 0xff, sizeof(have));
		assert_int_equal(mpa_startup_decode(f->data, f->len, s->type,
						    &have, &pdata), IW_OK);
		assert_params(s->name, &have, &want);
		assert_memory_equal(pdata, s->pdata, want.pd_len);
		free(f);
	}
}

/* Only exactly sized buffers, so that ASan sees a step too far. */
static void test_startup_private_data(void **state)
{
	static const u16 lens[] = { 0, 1, 251, 252, 508, 509, 511, 512, 513 };
	struct mpa_params p = { .rev = 2 }, back;
	u8 data[MPA_PD_MAX + 1], *buf;
	const void *pdata;
	size_t i, k, size;
	int len;

	(void)state;
	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	for (i = 0; i < 2 * ARRAY_SIZE(lens); i++) {
		p.enhanced = i & 1;
		p.pd_len = lens[i / 2];
		size = MPA_STARTUP_LEN + (p.enhanced ? 4 : 0) + p.pd_len;
		buf = malloc(size);
		len = mpa_startup_encode(buf, size, MPA_REQUEST, &p, data);
		if (p.pd_len > mpa_pd_max(p.enhanced)) {
			assert_int_equal(len, -EMSGSIZE);
			free(buf);
			continue;
		}
		assert_int_equal(len, size);
		for (k = 0; k < size; k++)
			assert_int_equal(mpa_startup_decode(buf, k, MPA_REQUEST,
							    &back, &pdata),
					 IW_ERR_MPA_PD_LEN);
		assert_int_equal(mpa_startup_decode(buf, size, MPA_REQUEST,
						    &back, &pdata), IW_OK);
		assert_params("private data", &back, &p);
		assert_memory_equal(pdata, data, p.pd_len);
		assert_int_equal(mpa_startup_encode(buf, size - 1, MPA_REQUEST,
						    &p, data), -EMSGSIZE);
		free(buf);
	}
	assert_int_equal(mpa_pd_max(false), 512);
	assert_int_equal(mpa_pd_max(true), 508);
}

static void test_startup_encode_refuses(void **state)
{
	static const struct mpa_params bad[] = {
		{ .rev = 0 },
		{ .rev = 3 },
		{ .rev = 1, .enhanced = true },
		{ .rev = 2, .enhanced = true, .ird = 0x4000 },
		{ .rev = 2, .enhanced = true, .ord = 0x4000 },
		{ .rev = 1, .pd_len = 1 },	/* without private data */
	};
	u8 buf[MPA_FRAME_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(mpa_startup_encode(buf, sizeof(buf),
						    MPA_REQUEST, &bad[i], NULL),
				 -EINVAL);
}

/* Flags B, C and D are zero without A, R is zero in a Request, Res always. */
static void test_startup_encode_zeroes(void **state)
{
	struct mpa_params p = { .rev = 2, .enhanced = true, .reject = true,
				.rtr = MPA_RTR_ALL, .ird = 1, .ord = 2 };
	u8 buf[MPA_FRAME_MAX];
	int i;

	(void)state;
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(mpa_startup_encode(buf, sizeof(buf), MPA_REQUEST, &p,
					    NULL), 24);
	assert_int_equal(buf[16], MPA_FLAG_ENHANCED);
	assert_memory_equal(buf + 20, "\0\1\0\2", 4);
	for (i = 24; i < (int)sizeof(buf); i++)
		assert_int_equal(buf[i], 0xff);
}

static enum iw_err check_changed(const char *name, enum mpa_frame type,
				 int at, u8 value)
{
	struct frame *f = vector_get(name);
	enum iw_err err;
	u16 pd_len;

	f->data[at] = value;
	err = mpa_startup_check(f->data, type, &pd_len);
	free(f);
	return err;
}

static enum iw_err check_pd_len(u16 announced)
{
	struct frame *f = vector_get("S01");
	enum iw_err err;
	u16 pd_len = 0;

	mpa_put_len(f->data + 18, announced);
	err = mpa_startup_check(f->data, MPA_REQUEST, &pd_len);
	assert_int_equal(pd_len, err ? 0 : announced);
	free(f);
	return err;
}

static void test_startup_refused(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < MPA_KEY_LEN; i++) {
		/* TC-009; octet 9 made a Reply is TC-010 */
		assert_int_equal(check_changed("S01", MPA_REQUEST, i, '!'),
				 IW_ERR_MPA_KEY);
		assert_int_equal(check_changed("S02", MPA_REPLY, i, '!'),
				 IW_ERR_MPA_KEY);
	}
	assert_int_equal(check_changed("S02", MPA_REQUEST, 19, 0),
			 IW_ERR_MPA_ROLE);
	assert_int_equal(check_changed("S01", MPA_REPLY, 19, 0),
			 IW_ERR_MPA_ROLE);
	for (i = 0; i < 256; i++)
		assert_int_equal(check_changed("S01", MPA_REQUEST, 17, i),
				 i == 1 || i == 2 ? IW_OK : IW_ERR_MPA_REV);
	assert_int_equal(check_changed("S01", MPA_REQUEST, 18, 0x02), IW_OK);
	assert_int_equal(check_pd_len(512), IW_OK);
	assert_int_equal(check_pd_len(513), IW_ERR_MPA_PD_LEN);	/* TC-005 */
	assert_int_equal(check_changed("S03", MPA_REPLY, 18, 0x02),
			 IW_ERR_MPA_PD_LEN);	/* 514 */
	assert_int_equal(check_changed("S01", MPA_REQUEST, 18, 0xff),
			 IW_ERR_MPA_PD_LEN);
	for (i = 0; i < 4; i++)		/* TC-043, TC-050 */
		assert_int_equal(check_changed("S07", MPA_REQUEST, 19, i),
				 IW_ERR_MPA_ENHANCED);
	assert_int_equal(check_changed("S08", MPA_REPLY, 19, 2),
			 IW_ERR_MPA_ENHANCED);
}

static void decode_flags(const char *name, enum mpa_frame type, u8 flags,
			 struct mpa_params *p)
{
	struct frame *f = vector_get(name);
	const void *pdata;

	f->data[16] = flags;
	assert_int_equal(mpa_startup_decode(f->data, f->len, type, p, &pdata),
			 IW_OK);
	free(f);
}

static void test_startup_ignored_bits(void **state)
{
	struct mpa_params p;

	(void)state;
	/* MPA-17: R in a Request; MPA-18: Res, which holds S below Rev 2 */
	decode_flags("S01", MPA_REQUEST, 0x7f, &p);
	assert_false(p.reject || p.enhanced || p.markers);
	assert_true(p.crc);
	decode_flags("S07", MPA_REQUEST, 0x3f, &p);
	assert_false(p.reject || p.crc);
	assert_true(p.enhanced);
	decode_flags("S02", MPA_REPLY, 0x2f, &p);
	assert_true(p.reject);
}

static void test_startup_no_enhanced_in_rev2(void **state)
{
	struct frame *f = vector_get("S07");
	struct mpa_params p;
	const void *pdata;

	(void)state;
	f->data[16] &= ~MPA_FLAG_ENHANCED;	/* TC-044, T-07 */
	assert_int_equal(mpa_startup_decode(f->data, f->len, MPA_REQUEST, &p,
					    &pdata), IW_OK);
	assert_false(p.enhanced);
	assert_int_equal(p.pd_len, 4);
	assert_int_equal(p.ird, 0);
	assert_ptr_equal(pdata, f->data + 20);
	assert_int_equal(mpa_startup_decode(f->data, f->len, MPA_REPLY, &p,
					    &pdata), IW_ERR_MPA_ROLE);
	free(f);
}

/* All flag combinations of the enhanced header survive a round trip. */
static void test_startup_all_flags(void **state)
{
	struct mpa_params p = { .rev = 2, .enhanced = true, .ird = 0x3ffe,
				.ord = 0x1555 }, back;
	u8 buf[MPA_FRAME_MAX];
	const void *pdata;
	int len, i;

	(void)state;
	for (i = 0; i < 16; i++) {
		p.p2p = i & 8;
		p.rtr = i & 7;
		len = mpa_startup_encode(buf, sizeof(buf), MPA_REPLY, &p, NULL);
		assert_int_equal(len, 24);
		assert_int_equal(mpa_startup_decode(buf, len, MPA_REPLY, &back,
						    &pdata), IW_OK);
		assert_int_equal(back.p2p, p.p2p);
		assert_int_equal(back.rtr, p.p2p ? p.rtr : 0);
		assert_int_equal(back.ird, 0x3ffe);
		assert_int_equal(back.ord, 0x1555);
	}
}

/* ------------------------------------------------------------ framing --- */

static void test_fpdu_size(void **state)
{
	u32 len;

	(void)state;
	assert_int_equal(mpa_fpdu_size(0), 8);
	assert_int_equal(mpa_fpdu_size(1), 8);
	assert_int_equal(mpa_fpdu_size(2), 8);
	assert_int_equal(mpa_fpdu_size(3), 12);
	assert_int_equal(mpa_fpdu_size(MPA_ULPDU_MAX), 64776);
	assert_int_equal(mpa_fpdu_size(65535), MPA_FPDU_MAX);
	for (len = 0; len <= 65535; len++) {
		assert_int_equal(mpa_fpdu_size(len),
				 2 + len + mpa_pad_len(len) + 4);
		assert_int_equal(mpa_fpdu_size(len) % 4, 0);
		assert_true(mpa_pad_len(len) < 4);
	}
}

static void test_mulpdu_table(void **state)
{
	static const struct {
		u32	emss, plain, marked;
	} row[] = {
		{ 536, 530, 522 }, { 1220, 1214, 1202 }, { 1440, 1434, 1422 },
		{ 1448, 1442, 1430 }, { 1460, 1454, 1442 },
		{ 8948, 8942, 8870 }, { 65483, 64768, 64768 },
		{ 1450, 1442, 1430 }, { 512, 506, 502 }, { 513, 506, 498 },
		/* clamped */
		{ 0, 128, 128 }, { 7, 128, 128 }, { 134, 128, 128 },
		{ 138, 130, 128 }, { 140, 134, 130 }, { 1u << 20, 64768, 64768 },
		{ ~0u, 64768, 64768 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(mpa_mulpdu(row[i].emss, false), row[i].plain);
		assert_int_equal(mpa_mulpdu(row[i].emss, true), row[i].marked);
	}
}

/* An FPDU of MULPDU octets fills the segment, with markers at any place. */
static void test_mulpdu_fills(void **state)
{
	u32 emss, pos, size, at;

	(void)state;
	for (emss = 256; emss < 9000; emss++) {
		size = mpa_fpdu_size(mpa_mulpdu(emss, false));
		assert_int_equal(size, emss & ~3u);
		for (pos = 0; pos < MPA_MARKER_SPACE; pos += 4) {
			size = mpa_fpdu_size(mpa_mulpdu(emss, true));
			at = mpa_fpdu_size(mpa_mulpdu_at(emss, pos));
			assert_true(mpa_marked_size(pos, size) <= emss);
			assert_true(at >= size);
			/* short by a marker that belongs to the next FPDU */
			at = mpa_marked_size(pos, at);
			if ((pos + at) % MPA_MARKER_SPACE == 0)
				at += MPA_MARKER_SIZE;
			assert_true(at >= (emss & ~3u) &&
				    at <= (emss & ~3u) + MPA_MARKER_SIZE);
		}
	}
	assert_int_equal(mpa_mulpdu_at(~0u, 0), MPA_ULPDU_MAX);
	assert_int_equal(mpa_mulpdu_at(0, 4), MPA_MULPDU_MIN);
}

static void test_crc_vectors(void **state)
{
	static const struct {
		const char *data, *crc;
	} row[] = {
		{ "313233343536373839", "839206e3" },
		{ "0000000000000000000000000000000000000000000000000000000000000000", "aa36918a" },
		{ "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "43aba862" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "4e79dd46" },
		{ "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", "5cdb3f11" },
	};
	u8 data[64], want[4], have[4];
	size_t i, len;
	u32 crc;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		len = unhex(row[i].data, data);
		unhex(row[i].crc, want);
		crc = mpa_crc_add(MPA_CRC_INIT, data, len);
		mpa_crc_put(have, crc);
		assert_octets("CRC", have, 4, want, 4);
		assert_true(mpa_crc_ok(want, crc));
		assert_int_equal(mpa_crc_add(crc, have, 4), MPA_CRC_RESIDUE);
		have[i % 4] ^= 1 << i;
		assert_false(mpa_crc_ok(have, crc));
	}
}

/* Every F vector: framing values, sealing and the residue rule. */
static void test_fpdu_vectors(void **state)
{
	struct mpa_view v;
	struct frame *f;
	char name[16];
	u8 *copy;
	int i;

	(void)state;
	for (i = 1; i <= 27; i++) {
		sprintf(name, "F%02d", i);
		f = vector_get(name);
		assert_int_equal(mpa_peek_len(0x200, false), 2);
		mpa_peek(f->data, 0x200, false, &v);
		assert_int_equal(v.len_off, 0);
		assert_int_equal(v.size, f->len);
		assert_int_equal(v.wire, f->len);
		assert_int_equal(mpa_crc_add(MPA_CRC_INIT, f->data, f->len),
				 MPA_CRC_RESIDUE);

		copy = malloc(f->len);
		memcpy(copy, f->data, f->len);
		memset(copy + 2 + v.ulpdu_len, 0xee,
		       f->len - 2 - v.ulpdu_len);
		assert_int_equal(mpa_seal(copy, true), f->len);
		assert_octets(name, copy, f->len, f->data, f->len);
		memset(copy + 2 + v.ulpdu_len, 0xee,
		       f->len - 2 - v.ulpdu_len);
		mpa_seal(copy, false);
		assert_memory_equal(copy + f->len - 4, "\0\0\0\0", 4);
		assert_memory_equal(copy, f->data, f->len - 4);
		free(copy);
		free(f);
	}
}

/* ------------------------------------------------------------ markers --- */

/* Send of MSN @msn, unmarked and sealed. */
static u32 build_send(u8 *fpdu, u32 msn, const void *data, u16 len)
{
	u32 at = rdmap_put_send(fpdu, RDMAP_SEND, 0, msn, 0, len, true);

	memcpy(fpdu + at, data, len);
	return mpa_seal(fpdu, true);
}

/* @fpdu goes to @wire when marked, and comes back when unmarked. */
static void assert_marks(const char *name, u8 *fpdu, u32 size, u32 pos,
			 const u8 *wire, u32 wire_len)
{
	u8 *have = malloc(wire_len), *back = malloc(size);
	struct mpa_view v;

	assert_int_equal(mpa_marked_size(pos, size), wire_len);
	memset(fpdu + size - 4, 0xee, 4);
	assert_int_equal(mpa_mark(have, fpdu, pos, true), wire_len);
	assert_octets(name, have, wire_len, wire, wire_len);

	mpa_peek(wire, pos, true, &v);
	assert_int_equal(v.len_off, pos % 512 ? 0 : 4);
	assert_int_equal(v.size, size);
	assert_int_equal(v.wire, wire_len);
	assert_int_equal(mpa_unmark(back, wire, pos, &v, true), IW_OK);
	assert_octets(name, back, size - 4, fpdu, size - 4);
	assert_int_equal(mpa_unmark(have, have, pos, &v, true), IW_OK);
	assert_octets(name, have, size - 4, fpdu, size - 4);
	free(have);
	free(back);
}

static void test_marker_vectors(void **state)
{
	static const struct {
		const char *name, *payload;
		u32 msn;
	} row[] = {
		{ "M01", "ping", 1 }, { "M02", "ping", 2 },
		{ "M03", "ping", 2 }, { "M04a", "ping", 2 },
		{ "M04b", "pong", 3 },
	};
	struct frame *f;
	u8 fpdu[64];
	size_t i;
	u32 size;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		f = vector_get(row[i].name);
		size = build_send(fpdu, row[i].msn, row[i].payload, 4);
		assert_marks(row[i].name, fpdu, size, f->pos, f->data, f->len);
		free(f);
	}
}

/* M05 and M06 are known by their SHA-256. */
static void assert_long(const char *name, u8 *fpdu, u32 size, u32 pos,
			const char *sha, u32 wire_len)
{
	u8 wire[1300];
	char hex[65];

	assert_int_equal(mpa_mark(wire, fpdu, pos, true), wire_len);
	sha256_hex(wire, wire_len, hex);
	assert_string_equal(hex, sha);
	assert_marks(name, fpdu, size, pos, wire, wire_len);
}

static void test_marker_long_vectors(void **state)
{
	u8 fpdu[1300], data[1200];
	u32 size, at, i;

	(void)state;
	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	size = build_send(fpdu, 1, data, sizeof(data));
	assert_long("M05", fpdu, size, 0,
		    "296a6983d217471a09f44d89cb72fe78228d2aef508e3b316adddc112aa7935d", 1236);

	at = rdmap_put_write(fpdu, 0x00abcd01, 0, sizeof(data), true);
	memcpy(fpdu + at, data, sizeof(data));
	size = mpa_seal(fpdu, true);
	assert_long("M06", fpdu, size, 0x20,
		    "968919e340b1c02c6a6dfdca4970d9095620a3472fa26c91be41917a643c7111", 1228);
}

/* RFC 5044, figures 5 and 6. */
static void test_marker_rfc_figures(void **state)
{
	static const struct {
		u32 pos, msn;
		u8 crc[4];
	} row[] = {
		{ 0x000, 1, { 0x52, 0x23, 0x99, 0x83 } },
		{ 0x1ec, 2, { 0x84, 0x92, 0x58, 0x98 } },
	};
	u8 fpdu[64], wire[64];
	u8 zeros[24] = {};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(build_send(fpdu, row[i].msn, zeros, 24), 48);
		assert_int_equal(mpa_mark(wire, fpdu, row[i].pos, true), 52);
		assert_octets("CRC", wire + 48, 4, row[i].crc, 4);
	}
	assert_memory_equal(wire + 0x14, "\0\0\0\x14", 4);
}

/* The slow, obvious way: one octet at a time. */
static u32 naive_mark(u8 *dst, const u8 *src, u32 size, u32 pos)
{
	u32 i, out = 0, len_at = 0;

	for (i = 0; i < size; i++) {
		if ((pos + out) % 512 == 0) {
			u16 ptr = i ? out - len_at : 0;

			dst[out++] = 0;
			dst[out++] = 0;
			dst[out++] = ptr >> 8;
			dst[out++] = ptr;
		}
		if (i == 0)
			len_at = out;
		dst[out++] = src[i];
	}
	return out;
}

static void test_marker_all_places(void **state)
{
	static u8 fpdu[MPA_FPDU_MAX], want[MPA_MARKED_MAX], data[3000];
	static const u16 lens[] = { 0, 1, 2, 3, 467, 468, 486, 490, 494, 498,
				    994, 998, 1002, 2954 };
	u32 size, out, pos, i;

	(void)state;
	for (i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		size = build_send(fpdu, i, data, lens[i]);
		for (pos = 0xffffff00; pos != 0x300; pos += 4) {
			out = naive_mark(want, fpdu, size, pos);
			assert_int_equal(out, mpa_marked_size(pos, size));
			mpa_crc_put(want + out - 4,
				    mpa_crc_add(MPA_CRC_INIT, want, out - 4));
			assert_marks("marked", fpdu, size, pos, want, out);
		}
	}
}

/* The longest FPDU a length field can announce. */
static void test_marker_extreme(void **state)
{
	u8 *fpdu = calloc(1, MPA_FPDU_MAX), *wire = malloc(MPA_MARKED_MAX);
	struct mpa_view v;
	u32 pos, most = 0;

	(void)state;
	mpa_put_len(fpdu, 65535);
	for (pos = 0; pos < 512; pos += 4) {
		if (mpa_marker_count(pos, MPA_FPDU_MAX) > most)
			most = mpa_marker_count(pos, MPA_FPDU_MAX);
		assert_int_equal(mpa_mark(wire, fpdu, pos, true),
				 mpa_marked_size(pos, MPA_FPDU_MAX));
		mpa_peek(wire, pos, true, &v);
		assert_int_equal(mpa_unmark(wire, wire, pos, &v, true), IW_OK);
	}
	assert_int_equal(most, MPA_MARKERS_MAX);
	free(fpdu);
	free(wire);
}

static void reseal(u8 *wire, u32 len)
{
	mpa_crc_put(wire + len - 4, mpa_crc_add(MPA_CRC_INIT, wire, len - 4));
}

static void test_marker_checks(void **state)
{
	struct frame *f = vector_get("M02");
	struct mpa_view v;
	u8 out[64];

	(void)state;
	mpa_peek(f->data, f->pos, true, &v);

	/* MPA-51: reserved bits, and the low bits of FPDUPTR, mean nothing */
	memcpy(f->data + 20, "\xff\xff\x00\x17", 4);
	reseal(f->data, f->len);
	assert_int_equal(mpa_unmark(out, f->data, f->pos, &v, true), IW_OK);

	f->data[23] = 0x18;		/* TC-068 */
	assert_int_equal(mpa_unmark(out, f->data, f->pos, &v, true),
			 IW_ERR_CRC);
	assert_int_equal(mpa_unmark(out, f->data, f->pos, &v, false),
			 IW_ERR_MARKER);
	reseal(f->data, f->len);
	assert_int_equal(mpa_unmark(out, f->data, f->pos, &v, true),
			 IW_ERR_MARKER);
	free(f);

	f = vector_get("M04b");		/* leading marker must say 0 */
	mpa_peek(f->data, f->pos, true, &v);
	f->data[3] = 4;
	assert_int_equal(mpa_unmark(out, f->data, f->pos, &v, false),
			 IW_ERR_MARKER);
	free(f);
}

/* Each flipped bit is found, and nothing is written then (MPA-45). */
static void test_marker_bit_flips(void **state)
{
	struct frame *f = vector_get("M02");
	struct mpa_view v;
	u8 out[64];
	size_t bit, i;

	(void)state;
	mpa_peek(f->data, f->pos, true, &v);
	memset(out, 0xee, sizeof(out));
	for (bit = 0; bit < f->len * 8; bit++) {
		f->data[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(mpa_unmark(out, f->data, f->pos, &v, true),
				 IW_ERR_CRC);
		f->data[bit / 8] ^= 1 << bit % 8;
	}
	for (i = 0; i < sizeof(out); i++)
		assert_int_equal(out[i], 0xee);
	free(f);
}

/* With CRC off the field is zero, and whatever comes is taken. */
static void test_marker_no_crc(void **state)
{
	u8 fpdu[64], wire[64], back[64];
	struct mpa_view v;
	u32 size, len;

	(void)state;
	size = build_send(fpdu, 1, "ping", 4);
	len = mpa_mark(wire, fpdu, 0x1ec, false);
	assert_memory_equal(wire + len - 4, "\0\0\0\0", 4);
	memcpy(wire + len - 4, "\xde\xad\xbe\xef", 4);
	mpa_peek(wire, 0x1ec, true, &v);
	assert_int_equal(mpa_unmark(back, wire, 0x1ec, &v, false), IW_OK);
	assert_memory_equal(back, fpdu, size - 4);
}

static void test_peek_len(void **state)
{
	(void)state;
	assert_int_equal(mpa_peek_len(0, true), 6);
	assert_int_equal(mpa_peek_len(0, false), 2);
	assert_int_equal(mpa_peek_len(4, true), 2);
	assert_int_equal(mpa_peek_len(512, true), 6);
	assert_int_equal(mpa_peek_len(0xfffffe00, true), 6);
	assert_int_equal(mpa_marker_gap(0), 0);
	assert_int_equal(mpa_marker_gap(4), 508);
	assert_int_equal(mpa_marker_gap(508), 4);
	assert_int_equal(mpa_marker_gap(0xfffffffc), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_startup_vectors),
		cmocka_unit_test(test_startup_private_data),
		cmocka_unit_test(test_startup_encode_refuses),
		cmocka_unit_test(test_startup_encode_zeroes),
		cmocka_unit_test(test_startup_refused),
		cmocka_unit_test(test_startup_ignored_bits),
		cmocka_unit_test(test_startup_no_enhanced_in_rev2),
		cmocka_unit_test(test_startup_all_flags),
		cmocka_unit_test(test_fpdu_size),
		cmocka_unit_test(test_mulpdu_table),
		cmocka_unit_test(test_mulpdu_fills),
		cmocka_unit_test(test_crc_vectors),
		cmocka_unit_test(test_fpdu_vectors),
		cmocka_unit_test(test_marker_vectors),
		cmocka_unit_test(test_marker_long_vectors),
		cmocka_unit_test(test_marker_rfc_figures),
		cmocka_unit_test(test_marker_all_places),
		cmocka_unit_test(test_marker_extreme),
		cmocka_unit_test(test_marker_checks),
		cmocka_unit_test(test_marker_bit_flips),
		cmocka_unit_test(test_marker_no_crc),
		cmocka_unit_test(test_peek_len),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
