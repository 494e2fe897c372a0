// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Input: an octet of options, four that choose where the stream is cut, the
 * stream. A receiver that gets it in one piece and one that gets it cut must
 * see the same. With option 4 the CRCs are put right first, so that fuzzing
 * reaches what lies behind them.
 */
#include "consumer.h"
#include "fuzz.h"

#define OPT_MARKERS	1
#define OPT_CRC		2
#define OPT_FIX		4

static void fix_crcs(u8 *stream, size_t len, bool markers)
{
	struct mpa_view v;
	size_t pos = 0;

	while (len - pos >= mpa_peek_len(pos, markers)) {
		mpa_peek(stream + pos, pos, markers, &v);
		if (len - pos < v.wire)
			return;
		mpa_crc_put(stream + pos + v.wire - MPA_CRC_SIZE,
			    mpa_crc_add(MPA_CRC_INIT, stream + pos,
					v.wire - MPA_CRC_SIZE));
		pos += v.wire;
	}
}

static size_t next_cut(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	/* short pieces mostly, now and then a long one */
	return *seed >> 31 ? (*seed >> 8 & 0x7ff) + 1 : (*seed >> 8 & 7) + 1;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct consumer whole, cut;
	struct input in = { data, size };
	u8 opts = take_u8(&in), *stream;
	u32 seed = take_u32(&in);
	size_t at, n;

	stream = exact(in.p, in.left);
	if (opts & OPT_FIX)
		fix_crcs(stream, in.left, opts & OPT_MARKERS);

	consumer_init(&whole, opts & OPT_MARKERS, opts & OPT_CRC);
	consumer_feed(&whole, stream, in.left);
	consumer_init(&cut, opts & OPT_MARKERS, opts & OPT_CRC);
	for (at = 0; at < in.left; at += n) {
		n = next_cut(&seed);
		n = n < in.left - at ? n : in.left - at;
		consumer_feed(&cut, stream + at, n);
	}
	MUST(whole.err == cut.err && whole.fpdus == cut.fpdus);
	MUST(whole.digest == cut.digest && whole.pos == cut.pos);
	MUST(!memcmp(&whole.rx, &cut.rx, sizeof(cut.rx)));
	MUST(!(opts & OPT_FIX) || whole.err != IW_ERR_CRC);
	free(stream);
	return 0;
}
