// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Input: two octets of stream position, one of options, then a ULPDU to mark
 * and unmark, or with option 1 octets to unmark as they are.
 */
#include "fuzz.h"
#include "proto/mpa.h"

static void there_and_back(const struct input *in, u32 pos, bool crc)
{
	u32 ulpdu_len = min_t(size_t, in->left, 65535);
	u32 size = mpa_fpdu_size(ulpdu_len);
	u32 wire_len = mpa_marked_size(pos, size);
	u8 *fpdu = malloc(size), *wire = malloc(wire_len);
	u8 *back = malloc(size);
	struct mpa_view v;

	mpa_put_len(fpdu, ulpdu_len);
	memcpy(fpdu + MPA_LEN_SIZE, in->p, ulpdu_len);
	MUST(mpa_seal(fpdu, crc) == size);
	MUST(mpa_mark(wire, fpdu, pos, crc) == wire_len);
	mpa_peek(wire, pos, true, &v);
	MUST(v.ulpdu_len == ulpdu_len && v.size == size && v.wire == wire_len);
	MUST(mpa_unmark(back, wire, pos, &v, crc) == IW_OK);
	MUST(!memcmp(back, fpdu, size - MPA_CRC_SIZE));
	/* a single changed octet is found */
	if (crc) {
		wire[(pos * 31 + size) % wire_len] ^= 0x10;
		MUST(mpa_unmark(back, wire, pos, &v, crc) == IW_ERR_CRC);
	}
	free(fpdu);
	free(wire);
	free(back);
}

static void raw(const struct input *in, u32 pos, bool crc)
{
	struct mpa_view v;
	enum iw_err err;
	u8 *wire, *plain;

	if (in->left < mpa_peek_len(pos, true))
		return;
	mpa_peek(in->p, pos, true, &v);
	MUST(v.wire <= MPA_MARKED_MAX && v.size <= MPA_FPDU_MAX);
	if (in->left < v.wire)
		return;
	wire = exact(in->p, v.wire);
	plain = malloc(v.size);
	err = mpa_unmark(plain, wire, pos, &v, crc);
	MUST(err == IW_OK || err == IW_ERR_MARKER ||
	     (crc && err == IW_ERR_CRC));
	if (!err) {
		MUST(mpa_get_len(plain) == v.ulpdu_len);
		/* in place gives the same */
		MUST(mpa_unmark(wire, wire, pos, &v, false) == IW_OK);
		MUST(!memcmp(wire, plain, v.size));
	}
	free(wire);
	free(plain);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u32 pos = (u32)take_u16(&in) << 2;
	u8 opts = take_u8(&in);

	if (opts & 4)
		pos = -pos;	/* around the wrap of the position */
	if (opts & 1)
		raw(&in, pos, opts & 2);
	else
		there_and_back(&in, pos, opts & 2);
	return 0;
}
